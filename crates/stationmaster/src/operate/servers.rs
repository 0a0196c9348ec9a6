//! `stationmaster servers …`

use std::process::ExitCode;

use clap::Subcommand;
use model::{Name, ServerState};
use rpc::{
    Controllers,
    controller::{Operation, ServerInfo},
};

use super::{Cell, Listing, Reach, cluster::answered, conditions, drain, listing::print};

/// What can be done with servers.
#[derive(Subcommand)]
pub enum Request {
    /// All servers
    List(Reach),
    /// Empty a server: everything it has goes to others, its clients go on there; it gets nothing new
    Drain {
        /// Its name
        server: Name,
        /// Let it keep what it still has and take databases again
        #[arg(long)]
        cancel: bool,
        #[command(flatten)]
        reach: Reach,
    },
    /// What is wrong with them, and what they do about it
    Conditions(conditions::Conditions),
    /// Show or change which events one of them looks at
    Filter(conditions::FilterFlags),
    /// Have one of them read its rules again
    ReloadRules(conditions::Reload),
    /// Let the servers be declared dead that are silent now, although they are too many at once for that
    ReleaseBrake(Reach),
    /// Declare a server dead: what it owned is assigned anew on the next request
    Expire {
        /// Its name
        server: String,
        #[command(flatten)]
        reach: Reach,
    },
}

const KEYS: &[&str] = &[
    "name",
    "state",
    "data_address",
    "control_address",
    "location",
    "capacity",
    "databases",
    "loaded",
    "sessions",
    "heartbeat_ms_ago",
    "running",
    "journal_us",
    "threads_us",
    "timers_us",
];

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::List(reach) => {
            let listing = listing(&reach.cluster()?.freshest().await?).await?;
            print(reach.json, || listing.json(), || listing.table())?;
        }
        Request::Drain { server, cancel: false, reach } => return drain::run(&reach, &server).await,
        Request::Drain { server, cancel: true, reach } => drain::cancel(&reach, &server).await?,
        Request::Expire { server, reach } => {
            let done = reach.cluster()?.operate(Operation::ExpireServer { server: server.clone() }).await?;
            let json = || serde_json::json!({ "server": server, "revision": done.revision.0 });
            print(reach.json, json, || format!("expired {server}; it must register anew to serve\n"))?;
        }
        Request::ReleaseBrake(reach) => release_brake(&reach).await?,
        Request::Conditions(request) => conditions::show(request).await?,
        Request::Filter(request) => conditions::filter(request).await?,
        Request::ReloadRules(request) => conditions::reload(request).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn release_brake(reach: &Reach) -> anyhow::Result<()> {
    let done = reach.cluster()?.operate(Operation::ReleaseBrake).await?;
    let json = || serde_json::json!({ "revision": done.revision.0 });
    print(reach.json, json, || "released; servers that are still silent are declared dead now\n".into())?;
    Ok(())
}

pub(super) async fn all(controllers: &Controllers) -> anyhow::Result<Vec<ServerInfo>> {
    let asked = controllers.any(|client, context| Box::pin(async move { client.servers(context).await }));
    answered(asked.await)
}

/// All servers as this controller knows them.
pub async fn listing(controllers: &Controllers) -> anyhow::Result<Listing> {
    let mut servers = all(controllers).await?;
    servers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(servers.iter().fold(Listing::new(KEYS), |listing, info| listing.with(row(info))))
}

fn row(info: &ServerInfo) -> Vec<Cell> {
    let seen = info.heartbeat.as_ref();
    vec![
        Cell::text(&info.name),
        Cell::text(match info.state {
            ServerState::Up => "up",
            ServerState::Down => "down",
            ServerState::Draining => "draining",
        }),
        Cell::text(&info.data_address),
        Cell::text(&info.control_address),
        Cell::maybe(Some(&info.location)),
        Cell::Number(info.capacity.into()),
        Cell::Number(info.databases),
        Cell::number(seen.map(|seen| seen.load.databases_loaded)),
        Cell::number(seen.map(|seen| seen.load.sessions)),
        Cell::number(seen.map(|seen| seen.ms_ago)),
        Cell::number(seen.map(|seen| seen.load.health.running)),
        Cell::number(seen.and_then(|seen| seen.load.health.journal_us)),
        Cell::number(seen.and_then(|seen| seen.load.health.workers_us)),
        Cell::number(seen.and_then(|seen| seen.load.health.lag_us)),
    ]
}
