//! `stationmaster placement …`

use std::process::ExitCode;

use clap::Subcommand;
use model::{Name, ServerState};
use rpc::{
    controller::{DatabaseRef, Operation},
    placement::{
        LoggedMove, PlacementAnswer, PlacementExplanation, PlacementPlan, PlacementRequest, PlacementStatus,
    },
};
use serde_json::{Value, json};

use super::{Cell, Listing, Reach, cluster::explain, listing::print, user};

/// What can be asked of placement, and told to it.
#[derive(Subcommand)]
pub enum Request {
    /// How servers and budgets stand, and whether databases are moved by load and distance
    Status(Reach),
    /// What would be moved now, and to what effect; moves nothing. Ends with 10 when there is something, with 0 when not
    Plan(Reach),
    /// What every server would mean for a database, term by term, and why it stays or goes
    Explain {
        /// Name or id
        database: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// The last moves: why each was made, what was expected, and what came of it
    Log {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        reach: Reach,
    },
    /// Move nothing for load, distance and pins until told to go on, whoever leads; drains and failover go on
    Pause {
        /// Who says so. Default: the user of this machine
        #[arg(long, value_name = "NAME")]
        by: Option<Name>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Go on moving databases
    Resume {
        /// Who says so. Default: the user of this machine
        #[arg(long, value_name = "NAME")]
        by: Option<Name>,
        #[command(flatten)]
        reach: Reach,
    },
}

/// What `plan` ends with when there is something to move.
const CHANGES: u8 = 10;

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::Status(reach) => {
            let PlacementAnswer::Status(status) = ask(&reach, PlacementRequest::Status).await? else {
                return Err(strange());
            };
            print(reach.json, || json_of(&status), || status_text(&status))?;
        }
        Request::Plan(reach) => {
            let PlacementAnswer::Plan(plan) = ask(&reach, PlacementRequest::Plan).await? else {
                return Err(strange());
            };
            print(reach.json, || json_of(&plan), || plan_text(&plan))?;
            return Ok(ExitCode::from(if plan.moves.is_empty() { 0 } else { CHANGES }));
        }
        Request::Explain { database, reach } => {
            let request = PlacementRequest::Explain { database: DatabaseRef::parse(&database) };
            let PlacementAnswer::Explanation(explanation) = ask(&reach, request).await? else {
                return Err(strange());
            };
            print(reach.json, || json_of(&explanation), || explanation_text(&explanation))?;
        }
        Request::Log { limit, reach } => {
            let PlacementAnswer::Log(moves) = ask(&reach, PlacementRequest::Log { limit }).await? else {
                return Err(strange());
            };
            print(reach.json, || json_of(&moves), || log(&moves).table())?;
        }
        Request::Pause { by, reach } => pause(&reach, by, true).await?,
        Request::Resume { by, reach } => pause(&reach, by, false).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(reach: &Reach, request: PlacementRequest) -> anyhow::Result<PlacementAnswer> {
    let cluster = reach.cluster()?;
    let asked = cluster.controllers.leader(move |client, context| {
        let request = request.clone();
        Box::pin(async move { client.placement(context, request).await })
    });
    asked.await.map_err(explain)
}

fn strange() -> anyhow::Error {
    anyhow::anyhow!("the leader answered another question; is it of another release?")
}

async fn pause(reach: &Reach, by: Option<Name>, paused: bool) -> anyhow::Result<()> {
    let by = by.unwrap_or_else(user).to_string();
    reach.cluster()?.operate(Operation::PauseBalancing { paused, by }).await?;
    let text = match paused {
        true => {
            "paused: nothing is moved for load, distance and pins; `stationmaster placement resume` goes on"
        }
        false => "databases are moved again",
    };
    print(reach.json, || json!({ "paused": paused }), || text.into())?;
    Ok(())
}

/// As the controllers say it: the fields are those of the protocol.
fn json_of<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("BUG: plain data with names for keys")
}

fn percent(utilization: f64) -> Cell {
    Cell::text(format!("{:.0} %", utilization * 100.0))
}

fn change([before, after]: [f64; 2]) -> Cell {
    Cell::text(format!("{:.0} -> {:.0} %", before * 100.0, after * 100.0))
}

fn status_text(status: &PlacementStatus) -> String {
    let empty = Listing::new(&[
        "server",
        "state",
        "location",
        "databases",
        "used",
        "cores",
        "source",
        "age_ms",
        "gives",
    ]);
    let servers = status.servers.iter().fold(empty, |listing, server| {
        listing.with(vec![
            Cell::text(&server.name),
            Cell::text(match server.state {
                ServerState::Up => "up",
                ServerState::Down => "down",
                ServerState::Draining => "draining",
            }),
            Cell::maybe(Some(&server.location)),
            Cell::Number(server.databases),
            server.utilization.map_or(Cell::Nothing, percent),
            Cell::text(format!("{:.1}", server.capacity)),
            Cell::maybe(server.source.as_ref()),
            Cell::number(server.age_ms),
            Cell::text(if server.gives { "yes" } else { "no" }),
        ])
    });
    let held = status.held.as_ref().map_or_else(
        || "databases are moved".into(),
        |why| format!("nothing is moved for load and distance: {why}"),
    );
    let [tidy, distance, urgent] = status.tokens;
    let mut text = format!(
        "mode {}; {held}\nmean {:.0} %, urgent above {:.0} %, no target above {:.0} %\n\
         budget: {tidy:.0} tidying moves, {distance:.0} of them for distance, {urgent:.0} urgent; {} under way\n",
        status.mode,
        status.mean * 100.0,
        status.urgent * 100.0,
        status.ceiling * 100.0,
        status.under_way,
    );
    if let Some(mean) = status.mean_without_largest_location {
        text += &format!("without the largest location the mean would be {:.0} %\n", mean * 100.0);
    }
    text += &skipped(&status.skipped);
    for (name, cores) in &status.too_hot {
        text += &format!("too hot for every server: {name}, which needs {cores:.2} cores\n");
    }
    for name in &status.unplaceable {
        text +=
            &format!("cannot be where it is pinned to: {name}; `stationmaster placement explain {name}`\n");
    }
    format!("{text}\n{}", servers.table())
}

fn skipped(skipped: &[(String, u32)]) -> String {
    if skipped.is_empty() {
        return String::new();
    }
    let reasons: Vec<String> = skipped.iter().map(|(why, count)| format!("{why} {count}")).collect();
    format!("not moved: {}\n", reasons.join(", "))
}

fn plan_text(plan: &PlacementPlan) -> String {
    let held = plan.held.as_ref().map(|why| format!("not carried out: {why}\n")).unwrap_or_default();
    if plan.moves.is_empty() {
        return format!("nothing to move\n{held}{}", skipped(&plan.skipped));
    }
    let empty =
        Listing::new(&["database", "from", "to", "reason", "from_used", "to_used", "round_trip_ms", "gain"]);
    let moves = plan.moves.iter().fold(empty, |listing, planned| {
        let [before, after] = planned.round_trip_ms;
        listing.with(vec![
            Cell::text(&planned.name),
            Cell::text(&planned.from),
            Cell::text(&planned.to),
            Cell::text(&planned.reason),
            change(planned.from_utilization),
            change(planned.to_utilization),
            Cell::text(format!("{before:.1} -> {after:.1}")),
            Cell::text(format!("{:.5}", planned.gain)),
        ])
    });
    format!("{held}{}{}", moves.table(), skipped(&plan.skipped))
}

fn explanation_text(explanation: &PlacementExplanation) -> String {
    let PlacementExplanation { database, name, pin, cores, requests_per_second, clients, summary, offers } =
        explanation;
    let mut text =
        format!("{name} ({database}) needs {cores:.3} cores, {requests_per_second:.1} requests a second\n");
    if !clients.is_empty() {
        let shares: Vec<String> = clients
            .iter()
            .map(|(location, share)| format!("{:.0} % from {location}", share * 100.0))
            .collect();
        text += &format!("clients: {}\n", shares.join(", "));
    }
    if let Some(pin) = pin {
        text += &format!("pinned to {pin}\n");
    }
    text += &format!("{summary}\n\n");
    let empty = Listing::new(&[
        "server",
        "location",
        "used",
        "round_trip_ms",
        "load_term",
        "distance_term",
        "gain",
        "verdict",
    ]);
    let offers = offers.iter().fold(empty, |listing, offer| {
        listing.with(vec![
            Cell::text(&offer.server),
            Cell::maybe(Some(&offer.location)),
            change(offer.utilization),
            Cell::text(format!("{:.1}", offer.round_trip_ms)),
            Cell::text(format!("{:.5}", offer.load_term)),
            Cell::text(format!("{:.5}", offer.distance_term)),
            Cell::text(format!("{:.5}", offer.gain)),
            Cell::text(&offer.verdict),
        ])
    });
    text + &offers.table()
}

fn log(moves: &[LoggedMove]) -> Listing {
    let empty = Listing::new(&["time", "database", "from", "to", "cause", "then_used", "decided_on"]);
    moves.iter().fold(empty, |listing, made| {
        let then = made.actual.map(|[from, to]| format!("{:.0} %, {:.0} %", from * 100.0, to * 100.0));
        listing.with(vec![
            Cell::text(made.at.rfc3339()),
            made.name.as_ref().map_or_else(|| Cell::text(made.database), Cell::text),
            Cell::text(&made.from),
            Cell::text(&made.to),
            Cell::text(&made.cause),
            Cell::maybe(then),
            Cell::text(&made.evidence),
        ])
    })
}
