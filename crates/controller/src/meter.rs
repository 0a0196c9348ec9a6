//! What a controller measures, under Prometheus' names. No label has more than a handful of values.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use openraft::EntryPayload;
use rpc::time_limit::Blame;

use crate::{
    decide::Cause,
    raft::{Applied, LogEntry},
};

const PROPOSALS: &str = "stationmaster_controller_proposals_total";
const PROPOSAL_SECONDS: &str = "stationmaster_controller_proposal_seconds";
const ASSIGNMENTS: &str = "stationmaster_controller_assignments_total";
const CHANGES: &str = "stationmaster_controller_changes_total";
const LOADS: &str = "stationmaster_controller_loads_prompted_total";
const MOVES: &str = "stationmaster_controller_moves_total";
const MOVE_SECONDS: &str = "stationmaster_controller_move_seconds";
const OVERRUNS: &str = "stationmaster_controller_time_limit_overruns_total";
const SLOW_SERVERS: &str = "stationmaster_controller_slow_servers_total";
const FSYNC_SECONDS: &str = "stationmaster_controller_fsync_seconds";
const LOG_WRITE_SECONDS: &str = "stationmaster_controller_log_write_seconds";
const LOG_WRITES: &str = "stationmaster_controller_log_writes_total";
const DISK_STALLED: &str = "stationmaster_controller_disk_stalled";
const SNAPSHOT_SECONDS: &str = "stationmaster_controller_snapshot_seconds";
const LEADER: &str = "stationmaster_controller_leader";
const TERM: &str = "stationmaster_controller_term";
const REVISION: &str = "stationmaster_controller_applied_revision";
const DATABASES: &str = "stationmaster_controller_databases";
const EXPIRIES: &str = "stationmaster_controller_expiries_total";
const BRAKE: &str = "stationmaster_controller_brake_engaged";
const FAILOVER_WAITING: &str = "stationmaster_controller_failover_waiting";
const SERVERS_UP: &str = "stationmaster_controller_servers_up";

/// Why a database was given to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was made.
    Created,
    /// A request came for one that nobody owned.
    Request,
    /// Its owner could not serve it.
    Failed,
    /// An operator said so.
    Operator,
    /// Its owner is being emptied.
    Drain,
    /// Its owner was to blame for a request that took too long.
    TimeLimit,
    /// Its owner died while it was in use.
    Failover,
}

impl Reason {
    fn label(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Request => "request",
            Self::Failed => "failed",
            Self::Operator => "operator",
            Self::Drain => "drain",
            Self::TimeLimit => "time_limit",
            Self::Failover => "failover",
        }
    }
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was applied, the map may have said no.
    Applied,
    /// It had no effect.
    Refused,
    /// Nobody knows.
    Lost,
}

impl Fate {
    fn label(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Lost => "lost",
        }
    }
}

/// Says in words what everything is.
pub fn describe() {
    describe_counter!(PROPOSALS, "Changes proposed by this controller as the leader, by what became of them");
    describe_histogram!(PROPOSAL_SECONDS, metrics::Unit::Seconds, "From proposing a change to its answer");
    describe_counter!(ASSIGNMENTS, "Databases given to a server by this controller as the leader, by reason");
    describe_counter!(CHANGES, "Entries applied to the map, by whether the map said no");
    describe_counter!(LOADS, "Times that a server was told to load a database, by result");
    describe_counter!(MOVES, "Planned changes of a database's owner, by result");
    describe_histogram!(
        MOVE_SECONDS,
        metrics::Unit::Seconds,
        "One planned change of owner that was done, from asking the owner to let go to the new one having loaded"
    );
    describe_counter!(
        OVERRUNS,
        "Requests that took longer than their database's limit, by who is to blame and what was done"
    );
    describe_counter!(SLOW_SERVERS, "Servers emptied for being slow, or given work again for being well");
    describe_histogram!(FSYNC_SECONDS, metrics::Unit::Seconds, "One flush and sync of the log");
    describe_histogram!(
        LOG_WRITE_SECONDS,
        metrics::Unit::Seconds,
        "One batch of log writes, from queue to disk"
    );
    describe_counter!(LOG_WRITES, "Writes to the log; many share one sync");
    describe_gauge!(DISK_STALLED, "1 while the disk does not finish a write of the log");
    describe_histogram!(SNAPSHOT_SECONDS, metrics::Unit::Seconds, "Making one snapshot of the map");
    describe_gauge!(LEADER, "1 on the controller that leads");
    describe_gauge!(TERM, "The Raft term");
    describe_gauge!(REVISION, "The last applied revision of the map");
    describe_gauge!(DATABASES, "Databases in the map");
    describe_counter!(EXPIRIES, "Servers declared dead by this controller as the leader, by cause");
    describe_gauge!(BRAKE, "1 while too many servers are silent at once for any to be declared dead for it");
    describe_gauge!(
        FAILOVER_WAITING,
        "Databases of dead servers that wait for being loaded elsewhere in the background"
    );
    describe_gauge!(SERVERS_UP, "Servers that are up in the map");
}

/// A proposal was answered.
pub fn proposed(fate: Fate, took: Duration) {
    counter!(PROPOSALS, "fate" => fate.label()).increment(1);
    histogram!(PROPOSAL_SECONDS).record(took.as_secs_f64());
}

/// A database was given to a server.
pub fn assigned(reason: Reason) {
    counter!(ASSIGNMENTS, "reason" => reason.label()).increment(1);
}

/// A server was told to load a database.
pub fn load_prompted(loaded: bool) {
    counter!(LOADS, "result" => if loaded { "loaded" } else { "refused" }).increment(1);
}

/// A planned change of owner ended; how long it took when it was done.
pub fn moved(done: Option<Duration>) {
    counter!(MOVES, "result" => if done.is_some() { "done" } else { "failed" }).increment(1);
    if let Some(took) = done {
        histogram!(MOVE_SECONDS).record(took.as_secs_f64());
    }
}

/// A server was declared dead.
pub fn expired(cause: Cause) {
    counter!(EXPIRIES, "cause" => cause.label()).increment(1);
}

/// The brake against mass expiry is on, or off.
pub fn brake(engaged: bool) {
    gauge!(BRAKE).set(f64::from(u8::from(engaged)));
}

/// A request took longer than its database's limit.
pub fn overrun(blame: Blame, outcome: &'static str) {
    let blame = match blame {
        Blame::Server => "server",
        Blame::Query => "query",
    };
    counter!(OVERRUNS, "blame" => blame, "outcome" => outcome).increment(1);
}

/// So many databases wait for the background failover.
pub fn failover_waiting(databases: usize) {
    gauge!(FAILOVER_WAITING).set(databases as f64);
}

/// A slow server is emptied, or is well again.
pub fn slow_server(emptied: bool) {
    counter!(SLOW_SERVERS, "treatment" => if emptied { "emptied" } else { "restored" }).increment(1);
}

/// The log was flushed and synced.
pub fn disk_synced(took: Duration) {
    histogram!(FSYNC_SECONDS).record(took.as_secs_f64());
}

/// A batch was written.
pub fn log_written(took: Duration, writes: usize) {
    histogram!(LOG_WRITE_SECONDS).record(took.as_secs_f64());
    counter!(LOG_WRITES).increment(writes as u64);
}

/// The disk does not finish a write, or does again.
pub fn disk_stalled(stalled: bool) {
    gauge!(DISK_STALLED).set(f64::from(u8::from(stalled)));
}

/// A snapshot was made.
pub fn snapshot_made(took: Duration) {
    histogram!(SNAPSHOT_SECONDS).record(took.as_secs_f64());
}

/// Entries were applied.
pub fn applied(entries: &[LogEntry], results: &[Applied]) {
    let changes = entries.iter().zip(results);
    let changes = changes.filter(|(entry, _)| matches!(entry.payload, EntryPayload::Normal(_)));
    let (done, rejected): (Vec<_>, Vec<_>) = changes.partition(|(_, result)| result.0.is_ok());
    for (result, changes) in [("done", done), ("rejected", rejected)] {
        if !changes.is_empty() {
            counter!(CHANGES, "result" => result).increment(changes.len() as u64);
        }
    }
}

/// How things stand.
pub fn standing(leader: bool, term: u64, revision: u64, databases: usize, servers_up: usize) {
    gauge!(LEADER).set(f64::from(u8::from(leader)));
    gauge!(TERM).set(term as f64);
    gauge!(REVISION).set(revision as f64);
    gauge!(DATABASES).set(databases as f64);
    gauge!(SERVERS_UP).set(servers_up as f64);
}
