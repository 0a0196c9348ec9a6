//! `stationmaster controllers …`

use std::process::ExitCode;

use clap::Subcommand;
use rpc::controller::ControllerStatus;

use super::{Cell, Listing, Reach, cluster::Each, listing::print};

/// What can be done with controllers.
#[derive(Subcommand)]
pub enum Request {
    /// All controllers, each by its own words
    List(Reach),
}

const KEYS: &[&str] = &[
    "id",
    "address",
    "state",
    "leader",
    "term",
    "revision",
    "log_last",
    "snapshot_last",
    "quorum_ms_ago",
    "release",
    "level",
];

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    let Request::List(reach) = request;
    let listing = listing(&reach.cluster()?.statuses().await);
    print(reach.json, || listing.json(), || listing.table())?;
    Ok(ExitCode::SUCCESS)
}

/// One row for each controller asked.
pub fn listing(asked: &[Each<ControllerStatus>]) -> Listing {
    asked.iter().fold(Listing::new(KEYS), |listing, each| listing.with(row(each)))
}

fn row(each: &Each<ControllerStatus>) -> Vec<Cell> {
    let address = Cell::text(&each.address);
    match &each.answer {
        Ok(status) => vec![
            Cell::Number(status.controller.0),
            address,
            Cell::text(&status.state),
            Cell::number(status.leader.map(|leader| leader.0)),
            Cell::Number(status.term),
            Cell::Number(status.revision.0),
            Cell::Number(status.log_last),
            Cell::Number(status.snapshot_last),
            Cell::number(status.quorum_confirmed_ms_ago),
            Cell::text(&status.release),
            Cell::text(&match status.level == status.level_known {
                true => status.level.0.to_string(),
                false => format!("{} of {}", status.level.0, status.level_known.0),
            }),
        ],
        Err(_) => {
            let mut row = vec![Cell::Nothing, address, Cell::text("unreachable")];
            row.resize(KEYS.len(), Cell::Nothing);
            row
        }
    }
}
