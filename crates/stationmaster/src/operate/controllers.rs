//! `stationmaster controllers …`

use std::process::ExitCode;

use clap::Subcommand;
use model::ControllerId;
use rpc::controller::{ControllerInfo, ControllerStatus, ControllersChange};

use super::{
    Cell, Listing, Reach,
    cluster::{Each, answered},
    listing::print,
    members,
};

/// What can be done with controllers. Each change goes on where it was when the command is repeated.
#[derive(Subcommand)]
pub enum Request {
    /// All controllers, each by its own words, and how far each is behind the leader
    List(Reach),
    /// Add one that runs and waits for it: it is sent everything, and votes once it has caught up
    Add {
        /// Where it is
        #[arg(value_name = "HOST:PORT")]
        address: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Remove one; if it leads, another one takes over first. It ends by itself
    Remove {
        /// Its id
        #[arg(value_name = "ID")]
        controller: u64,
        #[command(flatten)]
        reach: Reach,
    },
    /// Replace one, which may be lost, by another that runs and waits for it
    Replace {
        /// The id of the one that goes
        #[arg(value_name = "ID")]
        controller: u64,
        /// Where the new one is
        #[arg(value_name = "HOST:PORT")]
        address: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Make another one lead: the one named, or the follower that has most
    TransferLeadership {
        /// The id of the one that is to lead
        #[arg(value_name = "ID")]
        to: Option<u64>,
        #[command(flatten)]
        reach: Reach,
    },
}

const KEYS: &[&str] = &[
    "id",
    "address",
    "role",
    "state",
    "leader",
    "term",
    "revision",
    "log_last",
    "lag",
    "snapshot_last",
    "quorum_ms_ago",
    "release",
    "level",
];

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::List(reach) => {
            let cluster = reach.cluster()?;
            let statuses = cluster.statuses().await;
            let infos = match cluster.leader_of(&statuses) {
                Some(leader) => answered(
                    leader
                        .any(|client, context| Box::pin(async move { client.controllers(context).await }))
                        .await,
                )?,
                None => Vec::new(),
            };
            let listing = listing(&statuses, &infos);
            print(reach.json, || listing.json(), || listing.table())?;
            Ok(ExitCode::SUCCESS)
        }
        Request::Add { address, reach } => members::run(&reach, ControllersChange::Add { address }).await,
        Request::Remove { controller, reach } => {
            let controller = ControllerId(controller);
            members::run(&reach, ControllersChange::Remove { controller }).await
        }
        Request::Replace { controller, address, reach } => {
            let controller = ControllerId(controller);
            members::run(&reach, ControllersChange::Replace { controller, address }).await
        }
        Request::TransferLeadership { to, reach } => members::transfer(&reach, to.map(ControllerId)).await,
    }
}

/// One row for each controller asked, with what the leader says of it.
pub fn listing(asked: &[Each<ControllerStatus>], infos: &[ControllerInfo]) -> Listing {
    let last = infos.iter().find(|info| info.leader).and_then(|info| info.matched);
    asked.iter().fold(Listing::new(KEYS), |listing, each| {
        let info = infos.iter().find(|info| info.address == each.address);
        listing.with(row(each, info, last))
    })
}

fn row(each: &Each<ControllerStatus>, info: Option<&ControllerInfo>, last: Option<u64>) -> Vec<Cell> {
    let role = info.map(|info| if info.voter { "voter" } else { "learner" });
    let lag = info.and_then(|info| Some(last?.saturating_sub(info.matched?)));
    let status = each.answer.as_ref().ok();
    vec![
        Cell::number(status.map(|status| status.controller.0).or(info.map(|info| info.controller.0))),
        Cell::text(&each.address),
        Cell::maybe(role),
        Cell::text(status.map_or("unreachable", |status| &status.state)),
        Cell::number(status.and_then(|status| status.leader).map(|leader| leader.0)),
        Cell::number(status.map(|status| status.term)),
        Cell::number(status.map(|status| status.revision.0)),
        Cell::number(status.map(|status| status.log_last)),
        Cell::number(lag),
        Cell::number(status.map(|status| status.snapshot_last)),
        Cell::number(status.and_then(|status| status.quorum_confirmed_ms_ago)),
        Cell::maybe(status.map(|status| &status.release)),
        Cell::maybe(status.map(|status| match status.level == status.level_known {
            true => status.level.0.to_string(),
            false => format!("{} of {}", status.level.0, status.level_known.0),
        })),
    ]
}
