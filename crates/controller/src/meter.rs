//! What a controller measures, under Prometheus' names. No label has more than a handful of values.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use model::placement;
use openraft::EntryPayload;
use rpc::{load::LoadSource, time_limit::Blame};

use crate::{
    decide::Cause,
    loads::Gauges,
    raft::{Applied, LogEntry},
};

const PROPOSALS: &str = "stationmaster_controller_proposals_total";
const PROPOSAL_SECONDS: &str = "stationmaster_controller_proposal_seconds";
const ASSIGNMENTS: &str = "stationmaster_controller_assignments_total";
const CHANGES: &str = "stationmaster_controller_changes_total";
const LOADS: &str = "stationmaster_controller_loads_prompted_total";
const MOVES: &str = "stationmaster_controller_moves_total";
const MOVE_SECONDS: &str = "stationmaster_controller_move_seconds";
const BALANCE_MOVES: &str = "stationmaster_controller_balance_moves_total";
const BALANCE_FLAPS: &str = "stationmaster_controller_balance_flaps_total";
const BALANCE_HELD: &str = "stationmaster_controller_balance_held";
const BALANCE_IN_FLIGHT: &str = "stationmaster_controller_balance_moves_in_flight";
const BALANCE_TOKENS: &str = "stationmaster_controller_balance_tokens";
const BALANCE_SKIPPED: &str = "stationmaster_controller_plan_skipped_total";
const PLAN_SECONDS: &str = "stationmaster_controller_plan_seconds";
const UTILIZATION_MEAN: &str = "stationmaster_controller_utilization_mean_ratio";
const UTILIZATION_HOTTEST: &str = "stationmaster_controller_utilization_hottest_ratio";
const TOO_HOT: &str = "stationmaster_controller_databases_too_hot";
const UNPLACEABLE: &str = "stationmaster_controller_databases_unplaceable";
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
const LOAD_STALE: &str = "stationmaster_controller_load_stale";
const LOAD_SOURCE: &str = "stationmaster_controller_load_source";
const LOAD_AGE: &str = "stationmaster_controller_load_sample_age_seconds";
const LOAD_DISAGREEMENT: &str = "stationmaster_controller_load_disagreement_ratio";
const PROMETHEUS_QUERIES: &str = "stationmaster_controller_prometheus_queries_total";
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
    /// Its owner carries more than its share.
    Load,
    /// Most of its clients are closer to another location.
    Location,
    /// It is pinned elsewhere.
    Pin,
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
            Self::Load => "load",
            Self::Location => "location",
            Self::Pin => "pin",
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
    describe_counter!(BALANCE_MOVES, "Moves that the placement policy began, by reason and result");
    describe_counter!(BALANCE_FLAPS, "Moves of the policy back to the server that the database came from");
    describe_gauge!(
        BALANCE_HELD,
        "1 while the policy moves nothing for load and distance: paused, off or stale"
    );
    describe_gauge!(BALANCE_IN_FLIGHT, "Moves of the policy under way");
    describe_gauge!(BALANCE_TOKENS, "Moves that the policy's budgets allow now, by budget");
    describe_counter!(BALANCE_SKIPPED, "Times that the policy did not move something, by why");
    describe_histogram!(PLAN_SECONDS, metrics::Unit::Seconds, "One round of the placement policy");
    describe_gauge!(UTILIZATION_MEAN, "Mean utilisation of the servers that take databases");
    describe_gauge!(UTILIZATION_HOTTEST, "Utilisation of the hottest of them");
    describe_gauge!(TOO_HOT, "Databases that no server can carry below its limits");
    describe_gauge!(UNPLACEABLE, "Databases that cannot be where they are pinned to");
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
    describe_gauge!(
        LOAD_STALE,
        "1 while nothing is moved for load, as too little is known of it; on the leader"
    );
    describe_gauge!(
        LOAD_SOURCE,
        "Servers whose load is known from this source, or from none; on the leader, 0 elsewhere"
    );
    describe_gauge!(
        LOAD_AGE,
        metrics::Unit::Seconds,
        "Age of the oldest sample that counts, by source; on the leader"
    );
    describe_gauge!(
        LOAD_DISAGREEMENT,
        "The largest difference of two sources over one server's load, as a share of its capacity"
    );
    describe_counter!(PROMETHEUS_QUERIES, "Queries to Prometheus, by query and result");
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

/// What is known of loads.
pub fn loads(gauges: &Gauges) {
    gauge!(LOAD_STALE).set(f64::from(u8::from(gauges.stale)));
    for source in [LoadSource::Heartbeat, LoadSource::Prometheus] {
        let (servers, age) = gauges.used.get(&source).copied().unwrap_or_default();
        gauge!(LOAD_SOURCE, "source" => source.name()).set(servers as f64);
        gauge!(LOAD_AGE, "source" => source.name()).set(age);
    }
    gauge!(LOAD_SOURCE, "source" => "none").set(gauges.without as f64);
    gauge!(LOAD_DISAGREEMENT).set(gauges.disagreement);
}

/// Prometheus was asked.
pub fn prometheus_asked(query: &'static str, answered: bool) {
    let result = if answered { "ok" } else { "failed" };
    counter!(PROMETHEUS_QUERIES, "query" => query, "result" => result).increment(1);
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

/// The policy planned a round.
pub fn planned(plan: &placement::Plan, tokens: [f64; 3], in_flight: usize, took: Duration) {
    histogram!(PLAN_SECONDS).record(took.as_secs_f64());
    for (why, count) in &plan.skipped {
        counter!(BALANCE_SKIPPED, "why" => why.name()).increment(u64::from(*count));
    }
    for (budget, tokens) in ["tidy", "location", "urgent"].into_iter().zip(tokens) {
        gauge!(BALANCE_TOKENS, "budget" => budget).set(tokens);
    }
    gauge!(BALANCE_IN_FLIGHT).set(in_flight as f64);
    gauge!(UTILIZATION_MEAN).set(plan.limits.mean);
    gauge!(UTILIZATION_HOTTEST).set(plan.gauges.hottest);
    gauge!(TOO_HOT).set(plan.too_hot.len() as f64);
}

/// Whether the policy moves nothing for load and distance.
pub fn balance_held(held: bool) {
    gauge!(BALANCE_HELD).set(f64::from(u8::from(held)));
}

/// How many databases cannot be where they are pinned to.
pub fn unplaceable(databases: usize) {
    gauge!(UNPLACEABLE).set(databases as f64);
}

/// This controller leads no more, and plans nothing.
pub fn plans_nothing() {
    planned(&placement::Plan::default(), [0.0; 3], 0, Duration::ZERO);
    balance_held(false);
    unplaceable(0);
}

/// A move of the policy ended.
pub fn balanced(reason: Reason, done: bool, back: bool) {
    counter!(BALANCE_MOVES, "reason" => reason.label(), "result" => if done { "ok" } else { "error" })
        .increment(1);
    if done && back {
        counter!(BALANCE_FLAPS).increment(1);
    }
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
