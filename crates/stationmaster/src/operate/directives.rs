//! `stationmaster directives …`: what an administrator tells clients to do (R92-R97).
//!
//! The directive is put together and read here, by the rules that drivers read it by, so that what is wrong is said before
//! anything is sent. Who may send is in the map, and who did in `stationmaster events`.

mod arguments;
mod rights;
mod sender;

use std::{collections::BTreeMap, process::ExitCode};

use clap::Subcommand;
use model::{Name, SenderRole};
use rpc::directives::{DirectiveInfo, DirectiveTally, TargetsCount, Wish};
use serde_json::json;

use super::{Cell, Cluster, Listing, Reach, cluster::answered, listing::print};
use crate::failure::Usage;
use arguments::Said;
pub use arguments::{Whom, time};
pub use sender::Sender;

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
        #[command(flatten)]
        sender: Sender,
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
        #[command(flatten)]
        sender: Sender,
        #[command(flatten)]
        reach: Reach,
    },
    /// Be the second person for what waits: code, an update, or somebody's right
    Approve {
        /// Which one
        id: Name,
        #[command(flatten)]
        sender: Sender,
        #[command(flatten)]
        reach: Reach,
    },
    /// What waits for a second person
    Waiting(Reach),
    /// Who may send, and who may be the second person
    Senders(Reach),
    /// Give a user a right, at once: this takes the fleet's secret and no second person, and is told in the events
    Grant {
        /// Whom
        user: Name,
        /// sender: sends and revokes; approver: is the second person for others, too
        #[arg(value_parser = right)]
        right: SenderRole,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take a user's right away, as with `grant`
    Ungrant {
        /// Whose
        user: Name,
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
        Request::Send { said, whom, dry_run, sender, reach } => {
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
            let waits = directive.kind().takes_two();
            let sent = id.to_string();
            let wish = Wish::Send { id: sent.clone(), text, targets };
            sender.prove(&cluster).await?.ask(&cluster, wish).await?;
            let text = || match waits {
                true => format!(
                    "{sent} waits until another user approves: `stationmaster directives approve {sent}`"
                ),
                false => {
                    format!("sent {sent}; `stationmaster directives acks {sent}` tells what became of it")
                }
            };
            print(reach.json, || json!({ "id": sent, "waits": waits }), text)?;
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
        Request::Revoke { id, all, sender, reach } => {
            let cluster = reach.cluster()?;
            let id = id.filter(|_| !all).map(|id| id.to_string());
            let text =
                id.clone().map_or_else(|| "revoked all directives".into(), |id| format!("revoked {id}"));
            sender.prove(&cluster).await?.ask(&cluster, Wish::Revoke { id: id.clone() }).await?;
            print(reach.json, || json!({ "revoked": id }), || text)?;
        }
        Request::Approve { id, sender, reach } => {
            let (cluster, id) = (reach.cluster()?, id.to_string());
            sender.prove(&cluster).await?.ask(&cluster, Wish::Approve { id: id.clone() }).await?;
            print(reach.json, || json!({ "approved": id }), || format!("approved {id}"))?;
        }
        Request::Waiting(reach) => rights::waiting(&reach).await?,
        Request::Senders(reach) => rights::senders(&reach).await?,
        Request::Grant { user, right, reach } => rights::put(&reach, user, Some(right)).await?,
        Request::Ungrant { user, reach } => rights::put(&reach, user, None).await?,
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

fn right(text: &str) -> Result<SenderRole, String> {
    SenderRole::parse(text).ok_or_else(|| "there are sender and approver".into())
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
