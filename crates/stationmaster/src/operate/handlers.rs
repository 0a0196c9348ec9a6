//! `stationmaster handlers …`

use std::process::ExitCode;

use clap::Subcommand;
use rpc::Controllers;

use super::{Cell, Listing, Reach, cluster::answered, listing::print};

/// What can be done with handlers.
#[derive(Subcommand)]
pub enum Request {
    /// All handlers that ever registered
    List(Reach),
}

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    let Request::List(reach) = request;
    let listing = listing(&reach.cluster()?.freshest().await?).await?;
    print(reach.json, || listing.json(), || listing.table())?;
    Ok(ExitCode::SUCCESS)
}

/// All handlers as this controller knows them.
pub async fn listing(controllers: &Controllers) -> anyhow::Result<Listing> {
    let asked = controllers.any(|client, context| Box::pin(async move { client.handlers(context).await }));
    let mut handlers = answered(asked.await)?;
    handlers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(handlers.iter().fold(Listing::new(&["name", "id", "address", "location"]), |listing, info| {
        let location = Cell::maybe(Some(&info.location));
        listing.with(vec![
            Cell::text(&info.name),
            Cell::Number(info.handler.0.into()),
            Cell::text(&info.address),
            location,
        ])
    }))
}
