//! The placement simulator: a fleet of many databases for some days, and policies side by side on the same load.
//!
//! What is tried is the controllers' own policy, `model::placement`; this crate decides nothing itself. It refuses to know
//! files, sockets and the rest of a controller: whoever calls it opens files and prints. The clock is read only to tell how
//! long policies take; the same seed gives the same figures otherwise.
//!
//! # The world
//! Servers in four locations, 14 to 215 ms apart, 36 of 100 twice as large as the others. Databases whose load has a heavy
//! tail ([`Workload`]), none with more than a quarter of a small server on average. Their clients are at home in one
//! location (80 %; 30, 20, 35 and 15 % of them, though each location has a quarter of the servers), in two (15 %), or where
//! it is day (5 %); one in a hundred moves away for good each day. Load follows office hours at home (60 %), is flat (20 %),
//! comes at night (10 %) or every hour (10 %), and wanders by a quarter from minute to minute. Each database has half a
//! spike a day, of five times its load (median) up to forty times, for a quarter of an hour, up to 1.5 small servers; six
//! times a day one in fifty databases is hit at once. One server is dead from 10:00 to 11:30, one drains from 15:00 to 16:00.
//! Policies see loads with an error of 5 %, decayed with a half-life of 90 s, and what they decide counts from the next
//! minute on. After a day to settle in, everything counts.
//!
//! # Figures
//! See [`Figures`]. A single seed says little: overload varies by a factor of two to three between seeds.

mod bound;
mod pass;
mod policy;
mod random;
mod recorded;
mod report;
mod run;
mod set;
mod tally;
mod workload;
mod world;

pub use pass::{Pass, pass};
pub use policy::Kind;
pub use recorded::{Error as RecordedError, Recorded};
pub use report::{Bound, Gate, Measure, Report, Stored, Summary, VERSION, chart::chart, table::table};
pub use run::{Outcome, run};
pub use set::set;
pub use tally::{Figures, Point};
pub use workload::Workload;
pub use world::{Scenario, World};
