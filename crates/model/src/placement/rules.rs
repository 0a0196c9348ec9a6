//! What speaks against a move for load, whatever it would gain: one place for the round that decides and for what explains.

use super::{
    Database, Limits, Memory, Verdict,
    work::{Work, expected},
};

/// How much hotter than the giver a target may become.
const SWAP_MARGIN: f64 = 0.02;

/// A database is hot when it takes so much of its server.
const HOT_SHARE: f64 = 0.4;

/// By which part the hotter of two servers must become cooler for a hot database's move.
const HOT_FALL: f64 = 0.15;

/// Why a database is not moved to that server for load, if it may not.
pub(super) fn against(
    work: &Work<'_>,
    limits: &Limits,
    memory: &Memory,
    database: &Database,
    to: u32,
    now_ms: u64,
) -> Option<Verdict> {
    let (from, x) = (database.owner, expected(database));
    let hard = work.utilization(from) > limits.hard;
    if work.with_added(to, database) > limits.ceiling && !(hard && helps_hot(work, database, to)) {
        return Some(Verdict::OverCeiling);
    }
    if hard {
        return None;
    }
    if memory.returns(database.id, work.snapshot.servers[to as usize].id, work.settings, now_ms) {
        return Some(Verdict::NoReturn);
    }
    (work.with(to, x) > work.with(from, -x) + SWAP_MARGIN).then_some(Verdict::HotSpot)
}

/// A hot database may go over the ceiling where the hotter of both servers becomes clearly cooler.
fn helps_hot(work: &Work<'_>, database: &Database, to: u32) -> bool {
    let (from, x) = (database.owner, expected(database));
    let before = work.utilization(from).max(work.utilization(to));
    let after = work.with(from, -x).max(work.with(to, x));
    x > HOT_SHARE * work.capacity[from as usize] && after <= before * (1.0 - HOT_FALL)
}
