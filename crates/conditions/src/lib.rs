//! From measurements to conditions: what is wrong with a process, decided by rules that are data (R41-R46, S5).
//!
//! * An [`Event`] is one measurement: source, value, unit, when. A [`Filter`] says which ones are looked at.
//! * [`Rules`] are read from TOML: thresholds with hysteresis, how long, how many samples, combinations.
//! * A [`Detector`] takes events and gives [`Change`]s: a condition is raised or cleared, with the evidence.
//! * A [`Chronicle`] picks the changes that the whole fleet is told of, within a budget.
//! * [`posted`] reads what monitors outside send: events, conditions, Alertmanager's webhook.
//!
//! Nothing here reads a clock, a file or a socket: the same events at the same times give the same conditions.

mod chronicle;
mod clause;
mod detector;
mod event;
mod filter;
pub mod limits;
pub mod posted;
mod rule;
mod rules;
pub mod sources;
mod state;
mod tell;
mod window;
mod word;

pub use chronicle::{Chronicle, Told};
pub use clause::{Bound, Clause, Take};
pub use detector::{Change, Detector, Raised, TooMany};
pub use event::{Event, Scope, Unit};
pub use filter::{Filter, FilterError, Passage};
pub use rule::{Action, Combine, Per, Rule};
pub use rules::{Problem, Problems, Rules};
pub use tell::Tell;
pub use word::{BadWord, Kind, Source};
