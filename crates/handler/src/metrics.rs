//! What a handler counts. Labels have few values, never a database or a client.

use std::time::Duration;

use metrics::{
    Counter, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Says in words what everything is. Call once, when the role starts.
pub(crate) fn describe() {
    describe_gauge!("stationmaster_handler_sessions", "Client connections now, by how far they are");
    describe_counter!(
        "stationmaster_handler_refused_total",
        "Errors given by the handler itself, by SQLSTATE"
    );
    describe_counter!("stationmaster_handler_logins_total", "Log-ins tried, by result");
    describe_histogram!(
        "stationmaster_handler_attach_seconds",
        Unit::Seconds,
        "From wanting a server to having a session there, the first time or again"
    );
    describe_counter!("stationmaster_handler_routes_failed_total", "Routes that did not work, by why");
    describe_counter!(
        "stationmaster_handler_route_lookups_total",
        "Looks for a route, by where it was found"
    );
    describe_gauge!("stationmaster_handler_routes", "Routes remembered now");
    describe_counter!(
        "stationmaster_handler_backends_lost_total",
        "Server sessions lost, by what became of the client's"
    );
    describe_gauge!(
        "stationmaster_handler_location_rtt_seconds",
        Unit::Seconds,
        "Round trip to the servers of a location, the least of the last ones"
    );
    describe_gauge!("stationmaster_handler_held", "Requests that wait for a server now");
    describe_counter!(
        "stationmaster_handler_held_total",
        "Requests that waited for a server, by how that ended"
    );
    describe_histogram!(
        "stationmaster_handler_held_seconds",
        Unit::Seconds,
        "How long requests waited for a server, by how that ended"
    );
    describe_counter!(
        "stationmaster_handler_held_refused_total",
        "Requests that were not held because too many were, by the setting that says so"
    );
    describe_counter!(
        "stationmaster_handler_settled_total",
        "Requests whose server was lost before it answered, by what the next one said of them"
    );
    describe_counter!(
        "stationmaster_handler_time_limits_total",
        "Requests that exceeded their database's time limit, by what became of them"
    );
    describe_counter!("stationmaster_handler_directives_total", "Directives given to sessions");
    describe_gauge!(
        "stationmaster_handler_silent_servers",
        "Servers of clients that understand directives, that do not answer this handler"
    );
    describe_counter!(
        "stationmaster_handler_directives_acknowledged_total",
        "Directives acknowledged by sessions, by what became of them"
    );
    describe_counter!(
        "stationmaster_handler_directives_misread_total",
        "Announcements and acknowledgements that broke a rule, by its code"
    );
    describe_counter!("stationmaster_handler_cancels_total", "Cancel requests, by result");
    describe_counter!("stationmaster_handler_requests_total", "Requests answered");
    describe_counter!("stationmaster_handler_bytes_total", "Bytes relayed, by whom they came from");
    describe_counter!(
        "stationmaster_handler_own_statements_total",
        "Statements answered by the handler, by kind"
    );
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Start-up and authentication.
    Starting,
    /// Waiting for a server.
    Attaching,
    /// On a server, or ready to be.
    Serving,
    /// At the admin console.
    Admin,
}

/// Servers that do not answer this handler, of those that it asks.
pub(crate) fn silent_servers(count: usize) {
    gauge!("stationmaster_handler_silent_servers").set(count as f64);
}

/// A session was given a directive.
pub(crate) fn directive_given() {
    counter!("stationmaster_handler_directives_total").increment(1);
}

/// A session said what became of one.
pub(crate) fn directive_acknowledged(outcome: &directive::Outcome) {
    use directive::Outcome::{Applied, Done, Expired, Failed, Refused};
    let outcome = match outcome {
        Refused { .. } => "refused",
        Applied { .. } => "applied",
        Done => "done",
        Failed { .. } => "failed",
        Expired => "expired",
    };
    counter!("stationmaster_handler_directives_acknowledged_total", "outcome" => outcome).increment(1);
}

/// A session said something about directives that breaks a rule.
pub(crate) fn directive_misread(refusal: &directive::Refusal) {
    counter!("stationmaster_handler_directives_misread_total", "why" => refusal.why.code()).increment(1);
}

impl Stage {
    fn label(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Attaching => "attaching",
            Self::Serving => "serving",
            Self::Admin => "admin",
        }
    }
}

/// Counts a session in its stage until dropped.
#[derive(Debug)]
pub(crate) struct InStage(Stage);

impl InStage {
    pub(crate) fn new(stage: Stage) -> Self {
        gauge!("stationmaster_handler_sessions", "stage" => stage.label()).increment(1.0);
        Self(stage)
    }

    pub(crate) fn to(&mut self, stage: Stage) {
        if self.0 != stage {
            *self = Self::new(stage);
        }
    }
}

impl Drop for InStage {
    fn drop(&mut self) {
        gauge!("stationmaster_handler_sessions", "stage" => self.0.label()).decrement(1.0);
    }
}

/// A session ended or was never let in. `reason` is a SQLSTATE that the handler itself gave.
pub(crate) fn refused(code: wire::SqlState) {
    counter!("stationmaster_handler_refused_total", "sqlstate" => code.as_str().to_owned()).increment(1);
}

/// A login was tried.
pub(crate) fn login(succeeded: bool) {
    let result = if succeeded { "accepted" } else { "refused" };
    counter!("stationmaster_handler_logins_total", "result" => result).increment(1);
}

/// A session got a server, for the first time or again.
pub(crate) fn attached(again: bool, took: Duration) {
    let kind = if again { "again" } else { "first" };
    histogram!("stationmaster_handler_attach_seconds", "kind" => kind).record(took.as_secs_f64());
}

/// A route did not work.
pub(crate) fn route_failed(why: &'static str) {
    counter!("stationmaster_handler_routes_failed_total", "why" => why).increment(1);
}

/// A route was looked for.
pub(crate) fn route_looked_up(result: &'static str) {
    counter!("stationmaster_handler_route_lookups_total", "result" => result).increment(1);
}

/// Routes in the cache.
pub(crate) fn routes_known(count: usize) {
    gauge!("stationmaster_handler_routes").set(count as f64);
}

/// A session lost its server; `outcome` is what became of it.
pub(crate) fn backend_lost(outcome: &'static str) {
    counter!("stationmaster_handler_backends_lost_total", "outcome" => outcome).increment(1);
}

/// So many requests wait for a server.
pub(crate) fn held(requests: usize) {
    gauge!("stationmaster_handler_held").set(requests as f64);
}

/// A request waited for a server; `outcome` is how that ended.
pub(crate) fn held_until(outcome: &'static str, waited: Duration) {
    counter!("stationmaster_handler_held_total", "outcome" => outcome).increment(1);
    histogram!("stationmaster_handler_held_seconds", "outcome" => outcome).record(waited.as_secs_f64());
}

/// A request was not held because of this setting.
pub(crate) fn held_no_more(setting: &'static str) {
    counter!("stationmaster_handler_held_refused_total", "setting" => setting).increment(1);
}

/// Requests without an answer were settled.
pub(crate) fn settled(outcomes: impl Iterator<Item = &'static str>) {
    for outcome in outcomes {
        counter!("stationmaster_handler_settled_total", "outcome" => outcome).increment(1);
    }
}

/// A request exceeded its database's time limit, and this became of it.
pub(crate) fn time_limit(outcome: &'static str) {
    counter!("stationmaster_handler_time_limits_total", "outcome" => outcome).increment(1);
}

/// A cancel request came.
pub(crate) fn cancel(result: &'static str) {
    counter!("stationmaster_handler_cancels_total", "result" => result).increment(1);
}

/// Counters that sessions touch with every request: looked up once.
pub(crate) struct Traffic {
    requests: Counter,
    from_client: Counter,
    from_server: Counter,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self {
            requests: counter!("stationmaster_handler_requests_total"),
            from_client: counter!("stationmaster_handler_bytes_total", "from" => "client"),
            from_server: counter!("stationmaster_handler_bytes_total", "from" => "server"),
        }
    }

    /// Requests were answered.
    pub(crate) fn answered(&self, requests: u64) {
        self.requests.increment(requests);
    }

    /// Bytes went on to a server.
    pub(crate) fn up(&self, bytes: usize) {
        self.from_client.increment(bytes as u64);
    }

    /// Bytes went on to a client.
    pub(crate) fn down(&self, bytes: usize) {
        self.from_server.increment(bytes as u64);
    }
}

/// So far are the servers of a location.
pub(crate) fn round_trip(location: &str, us: u64) {
    gauge!("stationmaster_handler_location_rtt_seconds", "location" => location.to_owned())
        .set(us as f64 / 1e6);
}

/// A statement was answered by the handler itself.
pub(crate) fn answered_here(kind: &'static str) {
    counter!("stationmaster_handler_own_statements_total", "kind" => kind).increment(1);
}
