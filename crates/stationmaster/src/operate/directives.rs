//! `stationmaster directives …`: what an administrator tells clients to do (R92-R97).
//!
//! The directive is put together and read here, by the rules that drivers read it by, so that what is wrong is said before
//! anything is sent. Who may send is who has the fleet's secret; who did is in `stationmaster events`.

mod arguments;

use std::{collections::BTreeMap, process::ExitCode};

use clap::Subcommand;
use model::Name;
use rpc::{
    controller::Operation,
    directives::{DirectiveInfo, DirectiveTally, TargetsCount},
};
use serde_json::json;

use super::{Cell, Cluster, Listing, Reach, cluster::answered, listing::print, user};
use crate::failure::Usage;
use arguments::Said;
pub use arguments::{Whom, time};

/// What can be done with directives.
#[derive(Subcommand)]
pub enum Request {
    /// Tell clients to do something; those that connect later are told as well, as long as it stands
    #[command(after_long_help = arguments::EXAMPLES)]
    Send {
        #[command(flatten)]
        said: Box<Said>,
        #[command(flatten)]
        whom: Box<Whom>,
        /// Only count the sessions that it would reach now; send nothing
        #[arg(long)]
        dry_run: bool,
        /// Who sends it, for the audit; without it, the user of this machine
        #[arg(long, value_name = "NAME")]
        by: Option<Name>,
        #[command(flatten)]
        reach: Reach,
    },
    /// All directives that stand, or one in full
    List {
        /// Which one; without it, all
        id: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take a directive back: clients that have it are told, and nobody else gets it
    Revoke {
        /// Which one
        #[arg(required_unless_present = "all")]
        id: Option<Name>,
        /// The stop switch: all of them
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// Who revokes, for the audit; without it, the user of this machine
        #[arg(long, value_name = "NAME")]
        by: Option<Name>,
        #[command(flatten)]
        reach: Reach,
    },
    /// What became of the directives that stand: sessions that got it, and what they acknowledged
    Acks {
        /// Which one; without it, all
        id: Option<String>,
        #[command(flatten)]
        reach: Reach,
    },
}

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::Send { said, whom, dry_run, by, reach } => {
            let targets = whom.targets();
            let directive = said.directive(rand::random())?;
            let id = Name::new(&directive.id).map_err(|error| Usage(error.to_string()))?;
            let text = directive::encode(&directive)
                .map_err(|refusal| Usage(format!("this is no directive to send: {refusal}")))?;
            let cluster = reach.cluster()?;
            if dry_run {
                let asked = cluster.controllers.leader(move |client, context| {
                    let (id, targets) = (id.clone(), targets.clone());
                    Box::pin(async move { client.count_targets(context, id, targets).await })
                });
                let count = answered(asked.await)?;
                print(reach.json, || counted(count), || counted_text(count))?;
                return Ok(ExitCode::SUCCESS);
            }
            let by = by.unwrap_or_else(user).to_string();
            let sent = id.to_string();
            cluster.operate(Operation::SendDirective { id: sent.clone(), text, targets, by }).await?;
            print(
                reach.json,
                || json!({ "id": sent }),
                || format!("sent {sent}; `stationmaster directives acks {sent}` tells what became of it"),
            )?;
        }
        Request::List { id: Some(id), reach } => {
            let info = all(&reach.cluster()?).await?.into_iter().find(|info| info.id.as_str() == id);
            let Some(info) = info else { return Err(unknown(&id)) };
            print(reach.json, || full(&info), || format!("{:#}", full(&info)))?;
        }
        Request::List { id: None, reach } => {
            let listing = listing(&all(&reach.cluster()?).await?);
            print(reach.json, || listing.json(), || listing.table())?;
        }
        Request::Revoke { id, all, by, reach } => {
            let by = by.unwrap_or_else(user).to_string();
            let id = id.filter(|_| !all).map(|id| id.to_string());
            let text =
                id.clone().map_or_else(|| "revoked all directives".into(), |id| format!("revoked {id}"));
            reach.cluster()?.operate(Operation::EndDirectives { id: id.clone(), by }).await?;
            print(reach.json, || json!({ "revoked": id }), || text)?;
        }
        Request::Acks { id, reach } => {
            let cluster = reach.cluster()?;
            let asked = cluster
                .controllers
                .leader(|client, context| Box::pin(async move { client.directive_tallies(context).await }));
            let mut tallies = answered(asked.await)?;
            if let Some(id) = id {
                tallies.retain(|told| told.id.as_str() == id);
                if tallies.is_empty() {
                    return Err(unknown(&id));
                }
            }
            let listing = tallied(&tallies);
            print(reach.json, || listing.json(), || listing.table())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn all(cluster: &Cluster) -> anyhow::Result<Vec<DirectiveInfo>> {
    let controllers = cluster.freshest().await?;
    let asked = controllers.any(|client, context| Box::pin(async move { client.directives(context).await }));
    answered(asked.await)
}

fn unknown(id: &str) -> anyhow::Error {
    Usage(format!(
        "no directive {id} stands; `stationmaster directives list` shows those that do, and \
         `stationmaster events` what became of others"
    ))
    .into()
}

fn listing(infos: &[DirectiveInfo]) -> Listing {
    let empty = Listing::new(&["id", "action", "left_s", "to", "by", "reason"]);
    infos.iter().fold(empty, |listing, info| {
        let read = directive::decode(info.text.as_bytes()).ok();
        listing.with(vec![
            Cell::text(&info.id),
            Cell::maybe(read.as_ref().map(|directive| directive.kind().name())),
            Cell::Number(info.left_ms.div_ceil(1_000)),
            Cell::text(&info.targets),
            Cell::text(&info.by),
            Cell::maybe(read.map(|directive| directive.reason)),
        ])
    })
}

fn full(info: &DirectiveInfo) -> serde_json::Value {
    let targets: BTreeMap<&str, String> = info.targets.fields().into_iter().collect();
    json!({
        "id": info.id.as_str(),
        "by": info.by.as_str(),
        "left_ms": info.left_ms,
        "to": targets,
        "directive": serde_json::from_str(&info.text).unwrap_or(serde_json::Value::Null),
    })
}

fn tallied(tallies: &[DirectiveTally]) -> Listing {
    let empty =
        Listing::new(&["id", "reached", "applied", "done", "refused", "failed", "expired", "handlers"]);
    tallies.iter().fold(empty, |listing, told| {
        let tally = told.tally;
        let counts = [
            tally.reached,
            tally.applied,
            tally.done,
            tally.refused,
            tally.failed,
            tally.expired,
            told.handlers,
        ];
        listing.with([Cell::text(&told.id)].into_iter().chain(counts.map(Cell::Number)).collect())
    })
}

fn counted(count: TargetsCount) -> serde_json::Value {
    let TargetsCount { sessions, announced, handlers, silent } = count;
    json!({ "sessions": sessions, "announced": announced, "handlers": handlers, "handlers_silent": silent })
}

fn counted_text(count: TargetsCount) -> String {
    let TargetsCount { sessions, announced, handlers, silent } = count;
    let missing = match silent {
        0 => String::new(),
        silent => format!("; {silent} more did not answer in time"),
    };
    format!(
        "would reach {sessions} of {announced} sessions that understand directives, on {handlers} handlers{missing}"
    )
}
