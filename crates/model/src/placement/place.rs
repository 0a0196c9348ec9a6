//! The server for one database that has none, or has to leave its own: creation, failover, drain (R26).
//!
//! The same objective as for moves, without their cost: it has to go somewhere.

use super::{
    ClientShare, Database, NOWHERE, Pin, Settings, Snapshot, Terms,
    work::{NEARLY, Work},
};
use crate::DatabaseId;

/// A database that wants a server.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Which; decides between equals.
    pub id: DatabaseId,
    /// What it is expected to need. Give what the mean database needs where nothing is known.
    pub load: f32,
    /// What its requests count when distance is weighed.
    pub requests: f32,
    /// Where they come from.
    pub clients: &'a [ClientShare],
    /// Where it must be.
    pub pin: Pin,
    /// The index of the server that has it, which the loads count it on; else [`NOWHERE`].
    pub owner: u32,
}

/// Where it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// The index of the server.
    pub server: u32,
    /// Its utilisation without the database.
    pub before: f64,
    /// And with it.
    pub after: f64,
    /// The clients' mean round trip to it, in milliseconds.
    pub round_trip_ms: f64,
    /// What the database adds to the objective there.
    pub terms: Terms,
}

impl<'a> Wanted<'a> {
    /// One that is in the snapshot.
    pub fn of(snapshot: &'a Snapshot, database: &Database) -> Self {
        Self {
            id: database.id,
            load: database.load,
            requests: database.requests,
            clients: snapshot.clients_of(database),
            pin: database.pin,
            owner: database.owner,
        }
    }
}

/// The best server that is up, allowed by the pin, not the owner and not in `avoid`; `None` where there is none.
///
/// Of the snapshot only servers, round trips and flights are looked at. Whoever places several tells of each by a flight,
/// or by adding to the server's load.
pub fn place(
    snapshot: &Snapshot,
    settings: &Settings,
    wanted: &Wanted<'_>,
    avoid: &[u32],
) -> Option<Placement> {
    among(&Work::new(snapshot, settings), wanted, avoid)
}

pub(super) fn among(work: &Work<'_>, wanted: &Wanted<'_>, avoid: &[u32]) -> Option<Placement> {
    let fits = |server: &usize| {
        let index = *server as u32;
        index != wanted.owner && !avoid.contains(&index) && work.snapshot.allows(wanted.pin, index)
    };
    let placements: Vec<Placement> =
        work.taking().filter(fits).map(|server| placement(work, wanted, server as u32)).collect();
    let total = |placement: &Placement| placement.terms.total();
    let least = placements.iter().map(total).fold(f64::INFINITY, f64::min);
    let near = placements.into_iter().filter(|placement| total(placement) <= least + NEARLY * least.abs());
    near.max_by_key(|placement| {
        super::tie::tie(wanted.id, work.snapshot.servers[placement.server as usize].id)
    })
}

/// What it would mean to have the database on that server.
pub(super) fn placement(work: &Work<'_>, wanted: &Wanted<'_>, server: u32) -> Placement {
    let at = server as usize;
    let x = f64::from(wanted.load).max(0.0);
    let here = wanted.owner == server && wanted.owner != NOWHERE;
    let load = if here { (work.load[at] - x).max(0.0) } else { work.load[at] };
    let round_trip_ms = work.snapshot.round_trips.mean_ms(wanted.clients, work.snapshot.servers[at].location);
    let terms = Terms {
        load: work.objective.load(load, work.capacity[at], x),
        distance: work.objective.distance(f64::from(wanted.requests).max(0.0), round_trip_ms),
    };
    let (before, after) = (load / work.capacity[at], (load + x) / work.capacity[at]);
    Placement { server, before, after, round_trip_ms, terms }
}
