//! `stationmaster telemetry`: has clients measure, and looks at what many of them told together (R80, R96, R97).
//!
//! `start` is two directives: collect, and upload to the server. Reports are kept by the servers whose sessions they came
//! in; `report` asks all of them.

mod factor;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, anyhow};
use clap::Subcommand;
use directive::{
    Action, Directive, Order, Scope,
    action::{Collect, Subject, Upload},
};
use futures::future::join_all;
use model::ServerState;
use rpc::{controller::ServerInfo, directives::Wish, environment::ClientTold};
use serde_json::json;

use self::factor::{Client, Finding};
use super::{
    Cell, Listing, Reach, conditions,
    directives::{Sender, Whom, time},
    print,
    servers::all,
};
use crate::failure::Usage;

/// The name of the collection when none is given.
const NAME: &str = "telemetry";
/// Where reports go: the word that clients' owners allow.
const SERVER: &str = "server";

/// What can be asked for.
#[derive(Subcommand)]
pub enum Request {
    /// Have clients measure for a while, and upload to the servers; only those whose owners allow it do
    Start {
        #[command(flatten)]
        whom: Box<Whom>,
        /// How long, like 30s or 10min; then it ends by itself
        #[arg(long = "for", value_name = "TIME", value_parser = time)]
        lifetime: Duration,
        /// What: client, application, query or errors, with commas between them
        #[arg(long, value_delimiter = ',', default_value = "client,application,query,errors")]
        of: Vec<String>,
        /// How often clients report
        #[arg(long, value_name = "TIME", value_parser = time, default_value = "1s")]
        every: Duration,
        /// Its name: several collections are told apart by it
        #[arg(long, default_value = NAME)]
        name: String,
        #[command(flatten)]
        sender: Sender,
        #[command(flatten)]
        reach: Reach,
    },
    /// Stop it: clients are told, and drop what they have not uploaded
    Stop {
        /// Its name
        #[arg(long, default_value = NAME)]
        name: String,
        #[command(flatten)]
        sender: Sender,
        #[command(flatten)]
        reach: Reach,
    },
    /// What clients told lately, and what the slow or failing ones have in common
    Report {
        /// Only clients of this database, by name or id
        #[arg(long)]
        database: Option<String>,
        /// What was told within this time; servers keep an hour
        #[arg(long, value_name = "TIME", value_parser = time, default_value = "10min")]
        since: Duration,
        /// A client is slow when its p99 is above this; without it, four times the quickest quarter's
        #[arg(long, value_name = "TIME", value_parser = time)]
        slow: Option<Duration>,
        /// Each client by itself, too
        #[arg(long)]
        clients: bool,
        #[command(flatten)]
        reach: Reach,
    },
}

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::Start { whom, lifetime, of, every, name, sender, reach } => {
            let cluster = reach.cluster()?;
            let signer = sender.prove(&cluster).await?;
            let said = start(&name, &of, every, lifetime)?;
            let ids: Vec<String> = said.iter().map(|directive| directive.id.clone()).collect();
            for directive in said {
                let text = directive::encode(&directive)
                    .map_err(|refusal| Usage(format!("this cannot be asked for: {refusal}")))?;
                let wish = Wish::Send { id: directive.id, text, targets: whom.targets() };
                signer.ask(&cluster, wish).await?;
            }
            let text = || {
                format!(
                    "clients measure {name} for {} s; `stationmaster telemetry report` shows it, \
                     `stationmaster directives acks` who does so",
                    lifetime.as_secs()
                )
            };
            print(reach.json, || json!({ "name": name, "directives": ids }), text)?;
        }
        Request::Stop { name, sender, reach } => {
            let cluster = reach.cluster()?;
            let signer = sender.prove(&cluster).await?;
            for id in ids(&name) {
                signer.ask(&cluster, Wish::Revoke { id: Some(id) }).await?;
            }
            print(reach.json, || json!({ "stopped": name }), || format!("clients are told to stop {name}"))?;
        }
        Request::Report { database, since, slow, clients, reach } => {
            let (told, failed) = told(&reach, since).await?;
            let wanted = |one: &ClientTold| {
                database.as_ref().is_none_or(|name| one.name == *name || one.database.to_string() == *name)
            };
            let told: Vec<(String, ClientTold)> = told.into_iter().filter(|(_, one)| wanted(one)).collect();
            let known: Vec<Client> = told.iter().map(|(server, one)| client(server, one)).collect();
            let slow_us = slow.map(|slow| u64::try_from(slow.as_micros()).unwrap_or(u64::MAX));
            let finding = Finding::of(&known, slow_us);
            let each = listing(&told, &finding);
            let text = || {
                let table = if clients { format!("\n{}", each.table()) } else { String::new() };
                format!("{finding}{table}")
            };
            let json = || {
                let mut value = finding.json();
                if clients {
                    value["each"] = each.json();
                }
                value
            };
            print(reach.json, json, text)?;
            failed?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn ids(name: &str) -> [String; 2] {
    [format!("{name}-collect"), format!("{name}-upload")]
}

/// What has to be said.
fn start(name: &str, of: &[String], every: Duration, lifetime: Duration) -> anyhow::Result<[Directive; 2]> {
    let subject = |word: &String| {
        Ok(match word.trim() {
            "client" => Subject::Client,
            "application" => Subject::Application,
            "query" => Subject::Query,
            "errors" => Subject::Errors,
            other => {
                return Err(Usage(format!(
                    "there is no {other}; there are client, application, query and errors"
                )));
            }
        })
    };
    let of = of.iter().map(subject).collect::<Result<Vec<_>, Usage>>()?;
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let collect = Collect {
        name: name.into(),
        of: of.into_iter().collect(),
        interval_ms: ms(every),
        bytes_max: 65_536,
        sample_per_mille: 1_000,
    };
    let upload = Upload { destination: SERVER.into(), collection: Some(name.into()) };
    let [collecting, uploading] = ids(name);
    let directive = |id: String, action: Action| Directive {
        id,
        order: Order::default(),
        lifetime_ms: ms(lifetime),
        reason: "telemetry".into(),
        session: None,
        scope: Scope::default(),
        action,
    };
    let said =
        [directive(collecting, Action::Collect(collect)), directive(uploading, Action::Upload(upload))];
    for directive in &said {
        let text = directive::encode(directive);
        let read = text.and_then(|text| directive::decode(text.as_bytes()).map_err(|error| error.refusal));
        read.map_err(|refusal| Usage(format!("this cannot be asked for: {refusal}")))?;
    }
    Ok(said)
}

/// What all servers were told, each with the server's name; and whether one did not answer.
async fn told(
    reach: &Reach,
    since: Duration,
) -> anyhow::Result<(Vec<(String, ClientTold)>, anyhow::Result<()>)> {
    let cluster = reach.cluster()?;
    let servers = all(&cluster.freshest().await?).await?;
    let alive: Vec<ServerInfo> = servers.into_iter().filter(|info| info.state != ServerState::Down).collect();
    let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let asking = alive.iter().map(|info| {
        conditions::call(&cluster, info, async move |client| {
            client.told(rpc::context(), since_ms).await.context("no answer")
        })
    });
    let (mut told, mut failed) = (Vec::new(), Ok(()));
    for (info, answer) in alive.iter().zip(join_all(asking).await) {
        match answer {
            Ok(clients) => told.extend(clients.into_iter().map(|one| (info.name.to_string(), one))),
            Err(error) => {
                eprintln!("{}: {error:#}", info.name);
                failed = Err(anyhow!("not every server answered"));
            }
        }
    }
    Ok((told, failed))
}

/// A client as the search for what they have in common sees it.
fn client(server: &str, told: &ClientTold) -> Client {
    let ClientTold { handler, application, driver, location, name, figures, .. } = told;
    let errors = figures.errors.iter().map(|(_, count)| *count).sum();
    Client {
        facts: vec![
            ("location", location.clone()),
            ("handler", handler.clone()),
            ("server", server.to_owned()),
            ("driver", driver.clone()),
            ("application", application.clone()),
            ("database", name.clone()),
        ],
        calls: figures.calls,
        failed: figures.failed.max(errors),
        p99_us: figures.p99_us,
    }
}

fn listing(told: &[(String, ClientTold)], finding: &Finding) -> Listing {
    let empty = Listing::new(&[
        "client",
        "database",
        "location",
        "handler",
        "server",
        "driver",
        "application",
        "calls",
        "failed",
        "p50_us",
        "p99_us",
        "memory_bytes",
        "connections",
        "bad",
        "errors",
    ]);
    let rows = told.iter().enumerate();
    rows.fold(empty, |listing, (number, (server, one))| {
        let figures = &one.figures;
        let errors: Vec<String> =
            figures.errors.iter().map(|(what, count)| format!("{what}: {count}")).collect();
        listing.with(vec![
            Cell::text(&one.client),
            Cell::text(&one.name),
            Cell::text(&one.location),
            Cell::text(&one.handler),
            Cell::text(server),
            Cell::text(&one.driver),
            Cell::text(&one.application),
            Cell::Number(figures.calls),
            Cell::Number(figures.failed),
            Cell::Number(figures.p50_us),
            Cell::Number(figures.p99_us),
            Cell::Number(figures.memory_bytes),
            Cell::Number(figures.connections),
            Cell::text(if finding.bad.contains(&number) { "yes" } else { "no" }),
            Cell::text(errors.join(", ")),
        ])
    })
}
