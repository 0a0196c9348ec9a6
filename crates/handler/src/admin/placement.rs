//! `SHOW PLACEMENT`: how servers stand, what would be moved, what was, and what speaks for a database's server. Read only.

use futures::FutureExt;
use model::ServerState;
use rpc::{
    controller::DatabaseRef,
    placement::{PlacementAnswer, PlacementRequest},
};
use wire::sqlstate;

use super::{Kind, Row, cursor::Cursor, table::Cell};
use crate::{failure, failure::Failure, handler::Handler};

/// What is shown of placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// How every server stands.
    Servers,
    /// What would be moved now.
    Plan,
    /// The last moves.
    Log {
        /// At most so many.
        limit: u32,
    },
    /// What every server would mean for one database.
    Database(String),
}

/// How many moves are shown when it is not said.
const MOVES_SHOWN: u32 = 100;

/// `[PLAN | LOG [LIMIT n] | FOR DATABASE name]`
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Placement, Failure> {
    if cursor.word("plan") {
        return Ok(Placement::Plan);
    }
    if cursor.word("log") {
        let limit = if cursor.word("limit") { cursor.number()? } else { MOVES_SHOWN };
        return Ok(Placement::Log { limit });
    }
    if cursor.word("for") {
        cursor.expect_word("database")?;
        return Ok(Placement::Database(cursor.identifier()?));
    }
    Ok(Placement::Servers)
}

impl Placement {
    pub(super) fn columns(&self) -> &'static [(&'static str, Kind)] {
        use Kind::{Bool, Int8, Text};
        match self {
            Self::Servers => &[
                ("server", Text),
                ("state", Text),
                ("location", Text),
                ("databases", Int8),
                ("used", Text),
                ("source", Text),
                ("age_ms", Int8),
                ("gives", Bool),
                ("held", Text),
            ],
            Self::Plan => &[
                ("database", Text),
                ("from", Text),
                ("to", Text),
                ("reason", Text),
                ("from_used", Text),
                ("to_used", Text),
                ("round_trip_ms", Text),
                ("gain", Text),
                ("held", Text),
            ],
            Self::Log { .. } => &[
                ("time", Text),
                ("database", Text),
                ("from", Text),
                ("to", Text),
                ("cause", Text),
                ("then_used", Text),
                ("decided_on", Text),
            ],
            Self::Database(_) => &[
                ("server", Text),
                ("location", Text),
                ("used", Text),
                ("round_trip_ms", Text),
                ("load_term", Text),
                ("distance_term", Text),
                ("gain", Text),
                ("verdict", Text),
            ],
        }
    }
}

/// The rows under those columns.
pub(super) async fn rows(handler: &Handler, shown: &Placement) -> Result<Vec<Row>, Failure> {
    let request = match shown {
        Placement::Servers => PlacementRequest::Status,
        Placement::Plan => PlacementRequest::Plan,
        Placement::Log { limit } => PlacementRequest::Log { limit: *limit },
        Placement::Database(name) => PlacementRequest::Explain { database: DatabaseRef::parse(name) },
    };
    let asked = handler.controllers.leader(move |client, context| {
        let request = request.clone();
        async move { client.placement(context, request).await }.boxed()
    });
    let answer = asked.await.map_err(|error| failure::not_operated(&error))?;
    Ok(match (shown, answer) {
        (Placement::Servers, PlacementAnswer::Status(status)) => {
            let held = status.held.as_deref();
            let row = |server: &rpc::placement::PlacementServer| -> Row {
                vec![
                    server.name.as_str().into(),
                    state(server.state).into(),
                    server.location.as_str().into(),
                    server.databases.into(),
                    server.utilization.map(percent).into(),
                    server.source.as_deref().into(),
                    server.age_ms.into(),
                    server.gives.into(),
                    held.into(),
                ]
            };
            status.servers.iter().map(row).collect()
        }
        (Placement::Plan, PlacementAnswer::Plan(plan)) => {
            let held = plan.held.as_deref();
            let row = |planned: &rpc::placement::PlannedMove| -> Row {
                let [before, after] = planned.round_trip_ms;
                vec![
                    planned.name.as_str().into(),
                    planned.from.as_str().into(),
                    planned.to.as_str().into(),
                    planned.reason.as_str().into(),
                    change(planned.from_utilization).into(),
                    change(planned.to_utilization).into(),
                    format!("{before:.1} -> {after:.1}").into(),
                    number(planned.gain),
                    held.into(),
                ]
            };
            plan.moves.iter().map(row).collect()
        }
        (Placement::Log { .. }, PlacementAnswer::Log(moves)) => {
            let row = |made: &rpc::placement::LoggedMove| -> Row {
                let name =
                    made.name.as_ref().map_or_else(|| made.database.to_string(), |name| name.to_string());
                let then = made.actual.map(|[from, to]| format!("{}, {}", percent(from), percent(to)));
                vec![
                    made.at.rfc3339().into(),
                    name.into(),
                    made.from.as_str().into(),
                    made.to.as_str().into(),
                    made.cause.as_str().into(),
                    then.into(),
                    made.evidence.as_str().into(),
                ]
            };
            moves.iter().map(row).collect()
        }
        (Placement::Database(_), PlacementAnswer::Explanation(explanation)) => {
            let row = |offer: &rpc::placement::PlacementOffer| -> Row {
                vec![
                    offer.server.as_str().into(),
                    offer.location.as_str().into(),
                    change(offer.utilization).into(),
                    format!("{:.1}", offer.round_trip_ms).into(),
                    number(offer.load_term),
                    number(offer.distance_term),
                    number(offer.gain),
                    offer.verdict.as_str().into(),
                ]
            };
            explanation.offers.iter().map(row).collect()
        }
        (_, _) => {
            let message = "the leading controller answered another question; is it of another release?";
            return Err(Failure::new(sqlstate::INTERNAL_ERROR, message));
        }
    })
}

/// A server's state, as lists show it.
pub(super) fn state(state: ServerState) -> &'static str {
    match state {
        ServerState::Up => "up",
        ServerState::Down => "down",
        ServerState::Draining => "draining",
    }
}

fn percent(utilization: f64) -> String {
    format!("{:.0} %", utilization * 100.0)
}

fn change([before, after]: [f64; 2]) -> String {
    format!("{:.0} -> {:.0} %", before * 100.0, after * 100.0)
}

fn number(term: f64) -> Cell {
    format!("{term:.5}").into()
}
