//! Where the clients of databases are, and how far servers are from this handler: what the controllers place databases
//! by (R22). Locations only; no address is kept or told.

mod counts;
mod locations;
mod report;
mod round_trips;

pub use self::locations::{Locations, Network, NetworkError};
pub(crate) use self::{
    counts::{Counted, Counts},
    locations::{Map as LocationMap, Said},
    report::report,
    round_trips::RoundTrips,
};
