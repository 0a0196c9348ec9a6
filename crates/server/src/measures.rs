//! Everything this role measures, in one place. Labels have few values; no database, user or address is ever one.

use std::time::Duration;

use journal::{Response, Settled};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use conditions::{Action, Change, Passage, sources};
use rpc::controller::ServerHealth;
use wire::SqlState;

use crate::{answers::Ending, environment::Reading, residency::Why};

/// Says in words what everything is. Call once, when the role starts.
pub fn describe() {
    let seconds = Unit::Seconds;
    describe_counter!("stationmaster_server_sessions_started_total", "Client sessions begun");
    describe_gauge!("stationmaster_server_sessions", "Client sessions now");
    describe_counter!(
        "stationmaster_server_requests_total",
        "Requests: Query, Sync and FunctionCall messages"
    );
    describe_counter!("stationmaster_server_received_bytes_total", "Bytes that came from clients");
    describe_counter!("stationmaster_server_sent_bytes_total", "Bytes that went to clients");
    describe_counter!(
        "stationmaster_server_refused_total",
        "Sessions refused or ended by this server, by reason"
    );
    describe_counter!(
        "stationmaster_server_cancels_total",
        "Cancel requests, by whether their key was right"
    );
    describe_counter!(
        "stationmaster_server_settled_total",
        "Requests that were asked about after a cut, by what became of them"
    );
    describe_counter!("stationmaster_server_loads_total", "Databases loaded, or not, by result");
    describe_histogram!("stationmaster_server_load_duration_seconds", seconds, "Loading one database");
    describe_gauge!("stationmaster_server_databases_loaded", "Databases loaded now");
    describe_gauge!(
        "stationmaster_server_working_copies_open",
        "Loaded databases whose working copy is open"
    );
    describe_counter!("stationmaster_server_put_aways_total", "Databases put away, by why");
    describe_histogram!(
        "stationmaster_server_journal_append_duration_seconds",
        seconds,
        "One append to a journal"
    );
    describe_histogram!(
        "stationmaster_server_journal_group_transactions",
        "Transactions that shared one append"
    );
    describe_counter!("stationmaster_server_journal_page_bytes_total", "Bytes of pages appended to journals");
    describe_counter!("stationmaster_server_journal_failures_total", "Appends that failed");
    describe_counter!(
        "stationmaster_server_journal_stalls_total",
        "Times that patience with a journal's store ended with an append unsettled, which is then tried further"
    );
    describe_counter!(
        "stationmaster_server_ownership_probes_total",
        "Looks into a journal past the lease, by result"
    );
    describe_counter!("stationmaster_server_snapshots_total", "Snapshots of databases written to journals");
    describe_counter!("stationmaster_server_snapshot_bytes_total", "Bytes of snapshots written to journals");
    describe_gauge!("stationmaster_server_requests_running", "Requests being worked on now");
    describe_gauge!(
        "stationmaster_server_health_seconds",
        seconds,
        "What the server measures of itself: an append or a look into the journal, a job's way through the threads, the \
         lag of timers; the median of the last seconds"
    );
    describe_counter!("stationmaster_server_heartbeats_total", "Heartbeats to the controllers, by result");
    describe_gauge!(
        "stationmaster_server_environment",
        "What was measured last, by source; its name ends in the unit: a ratio, bytes, seconds, or a count since the look before"
    );
    describe_counter!(
        "stationmaster_server_environment_seen_total",
        "Events that came from sensors and monitors"
    );
    describe_counter!("stationmaster_server_environment_passed_total", "Events that passed the filter");
    describe_counter!(
        "stationmaster_server_environment_dropped_total",
        "Events that passed, but whose source was one too many"
    );
    describe_gauge!("stationmaster_server_conditions", "Conditions that are raised now, by condition");
    describe_counter!("stationmaster_server_condition_changes_total", "Conditions raised and cleared");
    describe_counter!(
        "stationmaster_server_protective_actions_total",
        "Rounds of what the server does to keep itself going, by action and result"
    );
    describe_counter!(
        "stationmaster_server_errors_total",
        "Errors that statements ended with, by SQLSTATE's class"
    );
    describe_counter!(
        "stationmaster_server_directives_total",
        "Directives sent to clients, by what they ask for and on which way: within a response, while idle, at a session's end"
    );
    describe_counter!(
        "stationmaster_server_directive_acknowledgements_total",
        "What clients said of directives, by what those asked for; unknown: of what was not sent in that session"
    );
    describe_counter!("stationmaster_server_posts_total", "Posts of monitors, by form and result");
}

/// Lowers a gauge when dropped.
#[must_use]
pub struct Raised(&'static str);

impl Raised {
    fn new(name: &'static str) -> Self {
        gauge!(name).increment(1.0);
        Self(name)
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1.0);
    }
}

/// A session began.
pub fn session() -> Raised {
    counter!("stationmaster_server_sessions_started_total").increment(1);
    Raised::new("stationmaster_server_sessions")
}

/// Requests arrived: Query, Sync and function call messages.
pub fn requests(count: u64) {
    counter!("stationmaster_server_requests_total").increment(count);
}

/// Bytes came from clients.
pub fn received(bytes: usize) {
    counter!("stationmaster_server_received_bytes_total").increment(bytes as u64);
}

/// Bytes went to clients.
pub fn sent(bytes: usize) {
    counter!("stationmaster_server_sent_bytes_total").increment(bytes as u64);
}

/// A connection or session was ended by us.
pub fn ended(ending: &Ending) {
    counter!("stationmaster_server_refused_total", "reason" => ending.label()).increment(1);
}

/// A cancel request came.
pub fn cancel(right: bool) {
    let key = if right { "right" } else { "wrong" };
    counter!("stationmaster_server_cancels_total", "key" => key).increment(1);
}

/// It was told what became of a request.
pub fn settled(settled: &Settled) {
    let became = match settled {
        Settled::Committed(Response::Kept(_)) => "answered",
        Settled::Committed(Response::TooLong(_)) => "done",
        Settled::Absent => "absent",
        Settled::Unknown => "unknown",
    };
    counter!("stationmaster_server_settled_total", "as" => became).increment(1);
}

/// A database was loaded; it counts as loaded until the result is dropped.
pub fn loaded(took: Duration) -> Raised {
    counter!("stationmaster_server_loads_total", "result" => "loaded").increment(1);
    histogram!("stationmaster_server_load_duration_seconds").record(took);
    Raised::new("stationmaster_server_databases_loaded")
}

/// A working copy was opened; it counts as open until the result is dropped.
pub fn opened() -> Raised {
    Raised::new("stationmaster_server_working_copies_open")
}

/// A database could not be loaded.
pub fn load_failed() {
    counter!("stationmaster_server_loads_total", "result" => "failed").increment(1);
}

/// A database was put away.
pub fn put_away(why: Why) {
    let why = match why {
        Why::Idle => "idle",
        Why::Room => "room",
        Why::Released => "released",
        Why::Expired => "expired",
        Why::Shutdown => "shutdown",
        Why::Lost => "lost",
        Why::Pressure => "pressure",
    };
    counter!("stationmaster_server_put_aways_total", "why" => why).increment(1);
}

/// A group of transactions is in the journal.
pub fn appended(took: Duration, transactions: u64, bytes: u64) {
    histogram!("stationmaster_server_journal_append_duration_seconds").record(took);
    histogram!("stationmaster_server_journal_group_transactions").record(transactions as f64);
    counter!("stationmaster_server_journal_page_bytes_total").increment(bytes);
}

/// The store has not taken a group for as long as patience lasts.
pub fn stalled() {
    counter!("stationmaster_server_journal_stalls_total").increment(1);
}

/// A group could not be made durable.
pub fn commit_failed() {
    counter!("stationmaster_server_journal_failures_total").increment(1);
}

/// Past the lease it was looked up in the journal who owns a database.
pub fn probe<E>(result: &Result<bool, E>) {
    let result = match result {
        Ok(true) => "own",
        Ok(false) => "lost",
        Err(_) => "failed",
    };
    counter!("stationmaster_server_ownership_probes_total", "result" => result).increment(1);
}

/// A snapshot is in the journal.
pub fn snapshot_taken(bytes: u64) {
    counter!("stationmaster_server_snapshots_total").increment(1);
    counter!("stationmaster_server_snapshot_bytes_total").increment(bytes);
}

/// How this server feels.
pub fn health(health: &ServerHealth) {
    gauge!("stationmaster_server_requests_running").set(health.running as f64);
    let times = [("journal", health.journal()), ("threads", health.workers()), ("timers", health.lag())];
    for (what, time) in times {
        let time = time.unwrap_or_default();
        gauge!("stationmaster_server_health_seconds", "of" => what).set(time.as_secs_f64());
    }
}

/// A heartbeat was acknowledged, or not.
pub fn heartbeat(acknowledged: bool) {
    let result = if acknowledged { "acknowledged" } else { "failed" };
    counter!("stationmaster_server_heartbeats_total", "result" => result).increment(1);
}

/// Something was measured. Others' sources are too many to be labels.
pub fn reading(reading: &Reading) {
    if let (Some(known), conditions::Scope::Server) = (sources::known(&reading.source), reading.scope) {
        gauge!("stationmaster_server_environment", "source" => known.name).set(reading.value);
    }
}

/// So many events came and passed since the start.
pub fn passage(passage: Passage) {
    counter!("stationmaster_server_environment_seen_total").absolute(passage.seen);
    counter!("stationmaster_server_environment_passed_total").absolute(passage.passed);
    counter!("stationmaster_server_environment_dropped_total").absolute(passage.dropped);
}

/// A condition was raised or cleared. Those without a rule share a label: monitors may name as many as they like.
pub fn condition(change: &Change, has_rule: bool) {
    let condition = if has_rule { change.kind.to_string() } else { "other".into() };
    let (step, became) = if change.raised { (1.0, "raised") } else { (-1.0, "cleared") };
    gauge!("stationmaster_server_conditions", "condition" => condition.clone()).increment(step);
    counter!("stationmaster_server_condition_changes_total", "condition" => condition, "became" => became)
        .increment(1);
}

/// The server acted to keep itself going, or had nothing to do, or would have acted.
pub fn acted(action: Action, result: &'static str) {
    counter!("stationmaster_server_protective_actions_total", "action" => action.name(), "result" => result)
        .increment(1);
}

/// A statement ended with an error.
pub fn statement_failed(state: SqlState) {
    counter!("stationmaster_server_errors_total", "class" => state.class().to_owned()).increment(1);
}

/// A monitor posted something.
pub fn posted(form: &'static str, taken: bool) {
    let result = if taken { "taken" } else { "refused" };
    counter!("stationmaster_server_posts_total", "form" => form, "result" => result).increment(1);
}

/// A directive was sent to a client.
pub fn directed(kind: &'static str, way: &'static str) {
    counter!("stationmaster_server_directives_total", "directive" => kind, "way" => way).increment(1);
}

/// A client said what became of a directive.
pub fn acknowledged(kind: &'static str, outcome: &'static str) {
    counter!(
        "stationmaster_server_directive_acknowledgements_total", "directive" => kind, "outcome" => outcome
    )
    .increment(1);
}

/// A client told what it measured.
pub fn reported(outcome: &'static str) {
    counter!("stationmaster_server_client_reports_total", "outcome" => outcome).increment(1);
}
