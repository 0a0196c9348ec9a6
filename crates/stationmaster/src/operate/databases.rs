//! `stationmaster databases …`

mod adopt;

use std::process::ExitCode;

use clap::Subcommand;
use model::{DatabaseOption, ForkPoint, IdempotencyKey, Name, OptionError};
use rpc::{
    Controllers,
    controller::{Consistency, DatabaseInfo, DatabaseRef, LookUp, Operated, Operation},
    limits::PAGE_MAX,
    placement::PinTarget,
};

use super::{
    Cell, Listing, Reach,
    cluster::{answered, explain},
    events,
    listing::print,
};
use crate::{
    failure::Usage,
    offline::{Moment, Where},
};

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
        /// With what happened to it lately, and why
        #[arg(long)]
        events: bool,
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
    /// Make a database that is a copy of another, as it is or was; they share their data and go their own ways
    Fork {
        /// What to copy: name or id
        database: String,
        /// The copy's name: 1 to 63 bytes
        name: Name,
        /// As it was at this position of its journal
        #[arg(long, value_name = "N", conflicts_with = "time")]
        position: Option<u64>,
        /// As it was at this time, like 2026-11-22T02:30:00Z
        #[arg(long, value_name = "TIME")]
        time: Option<Moment>,
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
    /// Say where a database must be; every mover obeys, failover and drains too. It is moved there
    Pin {
        /// Name or id
        database: String,
        /// On this server only
        #[arg(
            long,
            value_name = "SERVER",
            required_unless_present = "location",
            conflicts_with = "location"
        )]
        to: Option<Name>,
        /// On servers of this location only
        #[arg(long, value_name = "LOCATION")]
        location: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Let a database be anywhere again
    Unpin {
        /// Name or id
        database: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Set options of a database
    ///
    /// time_limit: how long a request may take until it is ended, like 500ms, 2s, 5min or 1h; none by default.
    /// on_time_limit: who is to blame then. `auto` (the default) decides by the evidence: a slow server loses the
    /// database and the request is provided again elsewhere, a slow query fails; `always` blames the server, `never`
    /// does not.
    #[command(verbatim_doc_comment)]
    Set {
        /// Name or id
        database: String,
        /// Options as NAME=VALUE; `NAME=default` takes one back
        #[arg(required = true, value_name = "OPTION=VALUE", value_parser = option)]
        options: Vec<DatabaseOption>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take options of a database back to their defaults; without names, all of them
    Reset {
        /// Name or id
        database: String,
        /// Their names
        #[arg(value_name = "OPTION", value_parser = default_of)]
        options: Vec<DatabaseOption>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Make databases of SQLite files, or of journals that the map does not know
    Adopt {
        /// SQLite files, folders with them (*.db, *.sqlite, *.sqlite3), or ids of journals (db-…)
        what: Vec<String>,
        /// The database's name. Default: that of the file without its ending, or recovered-ID
        #[arg(long)]
        name: Option<Name>,
        /// Every journal that the map does not know, such as those of databases made after its backup
        #[arg(long)]
        orphans: bool,
        /// There are no journals of this fleet in that place yet
        #[arg(long)]
        new_place: bool,
        /// Check everything and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        at: Where,
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

/// How many of its newest events a database is shown with.
const EVENTS_SHOWN: u32 = 50;

/// What a single database is shown with.
const CARD_KEYS: &[&str] = &["name", "id", "epoch", "server", "address", "time_limit", "on_time_limit"];

fn option(text: &str) -> Result<DatabaseOption, String> {
    let (name, value) = text.split_once('=').ok_or("write OPTION=VALUE, like time_limit=2s")?;
    DatabaseOption::parse(name, value).map_err(|error| error.to_string())
}

fn default_of(name: &str) -> Result<DatabaseOption, OptionError> {
    DatabaseOption::default_of(name)
}

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::List { limit, after, reach } => list(&reach, limit.unwrap_or(u64::MAX), after).await?,
        Request::Show { database, events, reach } => show(&reach, &database, events).await?,
        Request::Create { name, reach } => {
            let key = IdempotencyKey(rand::random());
            let done = change(&reach, Operation::CreateDatabase { name: name.to_string(), key }).await?;
            tell(&reach, &done, &format!("created {name}"))?;
        }
        Request::Fork { database, name, position, time, reach } => {
            let at = match (position, time) {
                (Some(0), _) => return Err(Usage("positions count from 1".into()).into()),
                (Some(position), _) => ForkPoint::Position(position),
                (None, Some(Moment(at))) => ForkPoint::Time(at),
                (None, None) => ForkPoint::Newest,
            };
            let (key, parent) = (IdempotencyKey(rand::random()), DatabaseRef::parse(&database));
            let operation = Operation::ForkDatabase { database: parent, name: name.to_string(), at, key };
            let done = change(&reach, operation).await?;
            tell(&reach, &done, &format!("copied {database} to {name}"))?;
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
        Request::Pin { database, to, location, reach } => {
            let (target, sentence) = match (to, location) {
                (Some(server), _) => {
                    (PinTarget::Server(server.to_string()), format!("pinned {database} to server {server}"))
                }
                (None, Some(location)) => {
                    let sentence = format!("pinned {database} to location {location}");
                    (PinTarget::Location(location), sentence)
                }
                (None, None) => return Err(Usage("say --to SERVER or --location LOCATION".into()).into()),
            };
            let to = Some(target);
            let operation = Operation::PinDatabase { database: DatabaseRef::parse(&database), to };
            tell(&reach, &change(&reach, operation).await?, &sentence)?;
        }
        Request::Unpin { database, reach } => {
            let reference = DatabaseRef::parse(&database);
            let done = change(&reach, Operation::PinDatabase { database: reference, to: None }).await?;
            tell(&reach, &done, &format!("unpinned {database}"))?;
        }
        Request::Set { database, options, reach } => {
            let set: Vec<String> = options.iter().map(ToString::to_string).collect();
            let sentence = format!("set {} of {database}", set.join(" and "));
            set_options(&reach, &database, options, &sentence).await?;
        }
        Request::Reset { database, options, reach } => {
            let options = if options.is_empty() { DatabaseOption::DEFAULTS.to_vec() } else { options };
            let names: Vec<&str> = options.iter().map(DatabaseOption::name).collect();
            let sentence = format!("reset {} of {database}", names.join(" and "));
            set_options(&reach, &database, options, &sentence).await?;
        }
        Request::Adopt { what, name, orphans, new_place, dry_run, at } => {
            return adopt::run(&at, adopt::Asked { what, name, orphans, new_place, dry_run }).await;
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

async fn set_options(
    reach: &Reach,
    database: &str,
    options: Vec<DatabaseOption>,
    sentence: &str,
) -> anyhow::Result<()> {
    let database = DatabaseRef::parse(database);
    let done = change(reach, Operation::SetDatabaseOptions { database, options }).await?;
    tell(reach, &done, sentence)
}

/// Says what was done, and how the database is now.
fn tell(reach: &Reach, done: &Operated, sentence: &str) -> anyhow::Result<()> {
    let cards = done.database.iter().map(card);
    let listing = cards.fold(Listing::new(CARD_KEYS), Listing::with);
    let owner = done.database.as_ref().map(|info| match &info.owner {
        Some(owner) => format!(": {} at epoch {} on {}", info.database, info.epoch, owner.server),
        None => format!(": {} at epoch {} on no server", info.database, info.epoch),
    });
    print(reach.json, || listing.json_card(), || format!("{sentence}{}\n", owner.unwrap_or_default()))?;
    Ok(())
}

async fn show(reach: &Reach, database: &str, with_events: bool) -> anyhow::Result<()> {
    let request = LookUp { database: DatabaseRef::parse(database), consistency: Consistency::Linearizable };
    let cluster = reach.cluster()?;
    let asked = cluster.controllers.leader(move |client, context| {
        let request = request.clone();
        Box::pin(async move { client.look_up(context, request).await })
    });
    let info = asked.await.map_err(explain)?;
    let listing = Listing::new(CARD_KEYS).with(card(&info));
    if !with_events {
        print(reach.json, || listing.json_card(), || listing.card())?;
        return Ok(());
    }
    let controllers = cluster.freshest().await?;
    let told = events::of_database(&controllers, DatabaseRef::Id(info.database), EVENTS_SHOWN).await?;
    let json = || {
        let mut card = listing.json_card();
        card["events"] = told.iter().map(events::object).collect();
        card
    };
    print(reach.json, json, || format!("{}\n{}", listing.card(), events::listing(&told).table()))?;
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

/// The cells under [`CARD_KEYS`].
fn card(info: &DatabaseInfo) -> Vec<Cell> {
    let options = [
        DatabaseOption::TimeLimit(info.options.time_limit_ms),
        DatabaseOption::OnTimeLimit(info.options.on_time_limit),
    ];
    row(info).into_iter().chain(options.map(|option| Cell::text(option.value()))).collect()
}
