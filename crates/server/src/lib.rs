//! The server role: loads databases, serves them over the PostgreSQL wire and puts them away.
//!
//! * `run` puts the role together; `registration` talks to the controllers, `control` answers them.
//! * `residency` knows which databases are here and owns each by one task; commits go through it to the journal.
//! * `session` is one client's conversation; `workers` has the threads that engines run on.
//! * `vitals` measures what shows that this server itself is slow; [`environment`] measures everything else, and decides what is
//!   wrong; `protection` acts on that.
//! * `usage` counts what each database uses, and tells the controllers.
//! * [`engine`] is the seam to what stores and queries a database, and the engines themselves.
//!
//! It decides nothing about who owns what: it does what controllers say, and the journal's fence keeps it honest.

mod answers;
mod cancel;
mod control;
mod directory;
pub mod engine;
pub mod environment;
mod error;
mod lease;
mod life;
pub mod limits;
mod measures;
mod protection;
mod registration;
mod residency;
mod run;
mod session;
mod settings;
mod telemetry;
mod usage;
mod vitals;
mod workers;

pub use environment::Environment;
pub use error::Error;
pub use run::{Parts, run, run_with};
pub use settings::Settings;
pub use usage::exposition;
pub use workers::Workers;

/// An error and all its causes in one line, for logs and for operators.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
