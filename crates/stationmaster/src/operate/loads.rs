//! `stationmaster loads …`

use std::process::ExitCode;

use clap::Subcommand;
use rpc::{
    controller::DatabaseRef,
    load::{ClientsOf, LoadsInfo},
};
use serde_json::{Value, json};

use super::{Cell, Listing, Reach, cluster::explain, listing::print};

/// What can be asked of loads.
#[derive(Subcommand)]
pub enum Request {
    /// What each source says of each server's load, how old it is, why it does not count if so, and how far locations are
    List(Reach),
    /// Where a database's requests come from, with counts that fade
    Clients {
        /// Name or id
        database: String,
        #[command(flatten)]
        reach: Reach,
    },
}

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::List(reach) => {
            let asked = reach.cluster()?.controllers;
            let asked = asked.leader(|client, context| Box::pin(async move { client.loads(context).await }));
            let info = asked.await.map_err(explain)?;
            print(reach.json, || as_json(&info), || text(&info))?;
        }
        Request::Clients { database, reach } => {
            let asked = reach.cluster()?.controllers;
            let asked = asked.leader(move |client, context| {
                let database = DatabaseRef::parse(&database);
                Box::pin(async move { client.clients_of(context, database).await })
            });
            let listing = clients(&asked.await.map_err(explain)?);
            print(reach.json, || listing.json(), || listing.table())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn percent(share: f64) -> Cell {
    Cell::text(format!("{:.1} %", share * 100.0))
}

fn clients(clients: &[ClientsOf]) -> Listing {
    clients.iter().fold(Listing::new(&["location", "requests", "share"]), |listing, of| {
        let requests = Cell::Number(of.requests.round() as u64);
        listing.with(vec![Cell::maybe(Some(&of.location)), requests, percent(of.share)])
    })
}

/// One line for each source of each server.
fn sources(info: &LoadsInfo) -> Listing {
    let empty = Listing::new(&["server", "source", "counts", "load", "cores", "age_ms", "why_not"]);
    info.servers.iter().fold(empty, |listing, server| {
        server.sources.iter().fold(listing, |listing, source| {
            listing.with(vec![
                Cell::text(&server.name),
                Cell::text(source.source),
                Cell::text(if server.uses == Some(source.source) { "yes" } else { "no" }),
                source.utilization.map_or(Cell::Nothing, percent),
                Cell::maybe(server.capacity_cores.map(|cores| format!("{cores:.1}"))),
                Cell::number(source.age_ms),
                Cell::maybe(source.refused.as_ref()),
            ])
        })
    })
}

fn round_trips(info: &LoadsInfo) -> Listing {
    info.round_trips.iter().fold(Listing::new(&["clients", "servers", "ms"]), |listing, (from, to, ms)| {
        listing.with(vec![Cell::maybe(Some(from)), Cell::maybe(Some(to)), Cell::text(format!("{ms:.1}"))])
    })
}

fn text(info: &LoadsInfo) -> String {
    let said = |what: &str, why: &Option<String>| {
        why.as_ref().map_or_else(String::new, |why| format!("{what}: {why}\n"))
    };
    let stale = said("nothing is moved for load and distance", &info.stale);
    let trouble = said("prometheus", &info.prometheus_trouble);
    let trips = match info.round_trips.is_empty() {
        true => String::new(),
        false => format!("\n{}", round_trips(info).table()),
    };
    format!("{stale}{trouble}{}{trips}", sources(info).table())
}

fn as_json(info: &LoadsInfo) -> Value {
    json!({
        "stale": info.stale,
        "prometheus": info.prometheus_trouble,
        "servers": sources(info).json(),
        "round_trips": round_trips(info).json(),
    })
}

#[cfg(test)]
mod tests {
    use model::{Name, ServerId};
    use rpc::load::{LoadSource, ServerLoadInfo, SourceInfo};

    use super::*;

    #[test]
    fn the_source_that_counts_is_told_and_why_the_other_does_not_c18() {
        let source = |source, utilization, age_ms, refused: Option<&str>| SourceInfo {
            source,
            utilization,
            age_ms,
            refused: refused.map(str::to_owned),
        };
        let info = LoadsInfo {
            stale: None,
            prometheus_trouble: Some("server s1: its load is NaN".into()),
            servers: vec![ServerLoadInfo {
                server: ServerId(1),
                name: Name::new("s1").expect("a name"),
                capacity_cores: Some(2.0),
                uses: Some(LoadSource::Heartbeat),
                sources: vec![
                    source(LoadSource::Prometheus, None, None, Some("its load is NaN")),
                    source(LoadSource::Heartbeat, Some(0.314), Some(900), None),
                ],
            }],
            round_trips: vec![("east".into(), String::new(), 80.25)],
        };
        let expected = "\
prometheus: server s1: its load is NaN
SERVER  SOURCE      COUNTS  LOAD    CORES  AGE MS  WHY NOT
s1      prometheus  no      -       2.0         -  its load is NaN
s1      heartbeat   yes     31.4 %  2.0       900  -

CLIENTS  SERVERS  MS
east     -        80.2
";
        assert_eq!(text(&info), expected);
    }
}
