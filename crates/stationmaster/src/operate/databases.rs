//! `stationmaster databases …`

use std::process::ExitCode;

use clap::Subcommand;
use model::{IdempotencyKey, Name};
use rpc::{
    Controllers,
    controller::{Consistency, DatabaseInfo, DatabaseRef, LookUp, Operated, Operation},
    limits::PAGE_MAX,
};

use super::{
    Cell, Listing, Reach,
    cluster::{answered, explain},
    listing::print,
};
use crate::failure::Usage;

/// What can be done with databases. A database goes by its name or by its id (`db-…`).
#[derive(Subcommand)]
pub enum Request {
    /// All databases, by name
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Only those after this name
        #[arg(long, value_name = "NAME")]
        after: Option<Name>,
        #[command(flatten)]
        reach: Reach,
    },
    /// One database, as the leader knows it now
    Show {
        /// Name or id
        database: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Make a database and give it to a server
    Create {
        /// Its name: 1 to 63 bytes
        name: Name,
        #[command(flatten)]
        reach: Reach,
    },
    /// Drop a database and delete its data for good
    Drop {
        /// Name or id
        database: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Give a database another name; its id and its data stay
    Rename {
        /// Name or id
        database: String,
        /// Its new name
        name: Name,
        #[command(flatten)]
        reach: Reach,
    },
    /// Give a database to a server; its sessions go on there
    Assign {
        /// Name or id
        database: String,
        /// The server's name. Default: the best
        #[arg(long, value_name = "SERVER")]
        server: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Move a database to a server and have it loaded there; its clients go on without an error
    Move {
        /// Name or id
        database: String,
        /// The server's name
        #[arg(long, value_name = "SERVER")]
        to: Name,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take a database from its server; the next request assigns it anew
    Unassign {
        /// Name or id
        database: String,
        #[command(flatten)]
        reach: Reach,
    },
}

const KEYS: &[&str] = &["name", "id", "epoch", "server", "address"];

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::List { limit, after, reach } => list(&reach, limit.unwrap_or(u64::MAX), after).await?,
        Request::Show { database, reach } => show(&reach, &database).await?,
        Request::Create { name, reach } => {
            let key = IdempotencyKey(rand::random());
            let done = change(&reach, Operation::CreateDatabase { name: name.to_string(), key }).await?;
            tell(&reach, &done, &format!("created {name}"))?;
        }
        Request::Drop { database, reach } => {
            let done =
                change(&reach, Operation::DropDatabase { database: DatabaseRef::parse(&database) }).await?;
            tell(&reach, &done, &format!("dropped {database}"))?;
        }
        Request::Rename { database, name, reach } => {
            let reference = DatabaseRef::parse(&database);
            let operation = Operation::RenameDatabase { database: reference, name: name.to_string() };
            let done = change(&reach, operation).await?;
            tell(&reach, &done, &format!("renamed {database} to {name}"))?;
        }
        Request::Assign { database, server, reach } => {
            if server.as_deref() == Some("") {
                return Err(Usage("--server needs a name".into()).into());
            }
            let database_ref = DatabaseRef::parse(&database);
            let done = change(&reach, Operation::AssignDatabase { database: database_ref, server }).await?;
            tell(&reach, &done, &format!("assigned {database}"))?;
        }
        Request::Move { database, to, reach } => {
            let reference = DatabaseRef::parse(&database);
            let operation = Operation::MoveDatabase { database: reference, server: to.to_string() };
            let done = change(&reach, operation).await?;
            tell(&reach, &done, &format!("moved {database}"))?;
        }
        Request::Unassign { database, reach } => {
            let operation = Operation::UnassignDatabase { database: DatabaseRef::parse(&database) };
            let done = change(&reach, operation).await?;
            tell(&reach, &done, &format!("unassigned {database}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn change(reach: &Reach, operation: Operation) -> anyhow::Result<Operated> {
    reach.cluster()?.operate(operation).await
}

/// Says what was done, and how the database is now.
fn tell(reach: &Reach, done: &Operated, sentence: &str) -> anyhow::Result<()> {
    let listing = done.database.iter().fold(Listing::new(KEYS), |listing, info| listing.with(row(info)));
    let owner = done.database.as_ref().map(|info| match &info.owner {
        Some(owner) => format!(": {} at epoch {} on {}", info.database, info.epoch, owner.server),
        None => format!(": {} at epoch {} on no server", info.database, info.epoch),
    });
    print(reach.json, || listing.json_card(), || format!("{sentence}{}\n", owner.unwrap_or_default()))?;
    Ok(())
}

async fn show(reach: &Reach, database: &str) -> anyhow::Result<()> {
    let request = LookUp { database: DatabaseRef::parse(database), consistency: Consistency::Linearizable };
    let cluster = reach.cluster()?;
    let asked = cluster.controllers.leader(move |client, context| {
        let request = request.clone();
        Box::pin(async move { client.look_up(context, request).await })
    });
    let listing = Listing::new(KEYS).with(row(&asked.await.map_err(explain)?));
    print(reach.json, || listing.json_card(), || listing.card())?;
    Ok(())
}

async fn list(reach: &Reach, limit: u64, mut after: Option<Name>) -> anyhow::Result<()> {
    let controllers = reach.cluster()?.freshest().await?;
    let mut listing = Listing::new(KEYS);
    let mut left = limit;
    while left > 0 {
        let most = u32::try_from(left).unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let (databases, more) = page(&controllers, after.take(), most).await?;
        left -= databases.len().min(usize::try_from(left).unwrap_or(usize::MAX)) as u64;
        after = databases.last().map(|info| info.name.clone());
        databases.iter().for_each(|info| listing.push(row(info)));
        if !more || after.is_none() {
            break;
        }
    }
    print(reach.json, || listing.json(), || listing.table())?;
    Ok(())
}

async fn page(
    controllers: &Controllers,
    after: Option<Name>,
    most: u32,
) -> anyhow::Result<(Vec<DatabaseInfo>, bool)> {
    let asked = controllers.any(move |client, context| {
        let after = after.clone();
        Box::pin(async move { client.databases(context, after, most).await })
    });
    let page = answered(asked.await)?;
    Ok((page.databases, page.more))
}

/// The cells under [`KEYS`].
pub fn row(info: &DatabaseInfo) -> Vec<Cell> {
    let owner = info.owner.as_ref();
    vec![
        Cell::text(&info.name),
        Cell::text(info.database),
        Cell::Number(info.epoch.0),
        Cell::maybe(owner.map(|owner| &owner.server)),
        Cell::maybe(owner.map(|owner| &owner.address)),
    ]
}
