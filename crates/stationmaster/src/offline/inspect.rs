//! `stationmaster journal inspect`

use std::process::ExitCode;

use journal::{Entry, Header, Kind};
use model::DatabaseId;

use super::{Moment, Where};
use crate::operate::{Cell, Listing, print};

const OBJECTS: &[&str] = &[
    "object",
    "kind",
    "position",
    "epoch",
    "time",
    "transactions",
    "pages",
    "image_pages",
    "bytes",
    "problem",
];

const DATABASES: &[&str] = &["database", "records", "snapshots", "newest", "epoch", "time", "bytes"];

/// Shows every object of a database's journal.
pub async fn one(at: &Where, database: &str) -> anyhow::Result<ExitCode> {
    let store = at.store().await?;
    let database = at.database(database).await?;
    let entries = store.inspect(database).await?;
    let mut listing = Listing::new(OBJECTS);
    entries.iter().for_each(|entry| listing.push(object(entry)));
    let sum = Sum::of(&entries);
    let total =
        || format!("{database}: {} records, {} snapshots, {} bytes\n", sum.records, sum.snapshots, sum.bytes);
    print(at.reach.json, || listing.json(), || listing.table() + &total())?;
    Ok(ExitCode::SUCCESS)
}

/// Shows what each database's journal comes to.
pub async fn all(at: &Where) -> anyhow::Result<ExitCode> {
    let store = at.store().await?;
    let mut listing = Listing::new(DATABASES);
    for database in store.databases().await? {
        listing.push(Sum::of(&store.inspect(database).await?).row(database));
    }
    print(at.reach.json, || listing.json(), || listing.table())?;
    Ok(ExitCode::SUCCESS)
}

fn object(Entry { name, size, header }: &Entry) -> Vec<Cell> {
    let known = header.as_ref().ok();
    let number = |value: fn(&Header) -> u64| Cell::number(known.map(value));
    vec![
        Cell::text(name),
        Cell::maybe(known.map(|header| kind(header.kind))),
        number(|header| header.position.get()),
        number(|header| header.epoch.0),
        Cell::maybe(known.map(|header| Moment(header.at))),
        number(|header| header.transactions.into()),
        number(|header| header.page_count.into()),
        number(|header| header.image_pages.into()),
        Cell::Number(*size),
        Cell::maybe(header.as_ref().err()),
    ]
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Data => "data",
        Kind::Fence => "fence",
        Kind::Seal => "seal",
        Kind::Drop => "drop",
        Kind::Base => "base",
        Kind::Snapshot => "snapshot",
        Kind::Tombstone => "tombstone",
        Kind::Pin => "pin",
    }
}

/// What a journal comes to.
#[derive(Default)]
struct Sum {
    records: u64,
    snapshots: u64,
    bytes: u64,
    /// The header of the newest record.
    newest: Option<Header>,
}

impl Sum {
    fn of(entries: &[Entry]) -> Self {
        let mut sum = Self::default();
        for entry in entries {
            sum.bytes += entry.size;
            let Ok(header) = &entry.header else { continue };
            match header.kind {
                Kind::Data | Kind::Fence | Kind::Seal | Kind::Drop | Kind::Base => {
                    sum.records += 1;
                    sum.newest = Some(header.clone());
                }
                Kind::Snapshot => sum.snapshots += 1,
                Kind::Tombstone | Kind::Pin => {}
            }
        }
        sum
    }

    fn row(&self, database: DatabaseId) -> Vec<Cell> {
        let newest = self.newest.as_ref();
        vec![
            Cell::text(database),
            Cell::Number(self.records),
            Cell::Number(self.snapshots),
            Cell::number(newest.map(|header| header.position.get())),
            Cell::number(newest.map(|header| header.epoch.0)),
            Cell::maybe(newest.map(|header| Moment(header.at))),
            Cell::Number(self.bytes),
        ]
    }
}
