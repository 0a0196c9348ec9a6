//! `stationmaster map …`

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use clap::Subcommand;
use model::Digest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    Cell, Cluster, Listing, Reach,
    cluster::{Each, nobody},
    listing::print,
};

/// What can be done with the map.
#[derive(Subcommand)]
pub enum Request {
    /// Fingerprint of every controller's map; fails when two differ at the same revision
    Digest(Reach),
}

/// How often the controllers are asked again while they are at different revisions.
const ROUNDS: usize = 20;
/// Pause between two rounds.
const PAUSE: Duration = Duration::from_millis(100);

/// How the fingerprints compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// All that answered are at one revision and have one map.
    Equal,
    /// Two have different maps at the same revision: a bug or damage.
    Differ,
    /// They were never seen at one revision: changes went on all the while.
    Apart,
}

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    let Request::Digest(reach) = request;
    let cluster = reach.cluster()?;
    cluster.learn().await;
    let mut asked = ask(&cluster).await;
    for _ in 0..ROUNDS {
        if verdict(&digests(&asked)) != Verdict::Apart {
            break;
        }
        sleep(PAUSE).await;
        asked = ask(&cluster).await;
    }
    if let Some(error) = nobody(&asked) {
        return Err(error);
    }
    let verdict = verdict(&digests(&asked));
    let listing = asked.iter().fold(Listing::new(&["address", "revision", "digest"]), |listing, each| {
        let address = Cell::text(&each.address);
        listing.with(match &each.answer {
            Ok(digest) => vec![address, Cell::Number(digest.revision.0), Cell::text(digest)],
            Err(_) => vec![address, Cell::Nothing, Cell::text("unreachable")],
        })
    });
    let word = match verdict {
        Verdict::Equal => "equal",
        Verdict::Differ => "DIFFERENT AT THE SAME REVISION: one of these maps is wrong",
        Verdict::Apart => "not comparable: the controllers were never at one revision, changes go on",
    };
    let equal = match verdict {
        Verdict::Equal => Some(true),
        Verdict::Differ => Some(false),
        Verdict::Apart => None,
    };
    let json = || json!({ "equal": equal, "controllers": listing.json() });
    print(reach.json, json, || format!("{}{word}\n", listing.table()))?;
    Ok(if verdict == Verdict::Differ { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn ask(cluster: &Cluster) -> Vec<Each<Digest>> {
    cluster.each(|client, context| Box::pin(async move { client.digest(context).await })).await
}

fn digests(asked: &[Each<Digest>]) -> Vec<Digest> {
    asked.iter().filter_map(|each| each.answer.as_ref().ok().copied()).collect()
}

fn verdict(digests: &[Digest]) -> Verdict {
    let mut at = BTreeMap::new();
    for digest in digests {
        if *at.entry(digest.revision).or_insert(digest.value) != digest.value {
            return Verdict::Differ;
        }
    }
    if at.len() > 1 { Verdict::Apart } else { Verdict::Equal }
}

#[cfg(test)]
mod tests {
    use model::Revision;

    use super::*;

    #[test]
    fn only_maps_of_one_revision_can_differ() {
        let digest = |revision, value| Digest { revision: Revision(revision), value };
        assert_eq!(verdict(&[digest(1, 5), digest(1, 5)]), Verdict::Equal);
        assert_eq!(verdict(&[digest(1, 5), digest(2, 6)]), Verdict::Apart);
        assert_eq!(verdict(&[digest(1, 5), digest(2, 6), digest(1, 7)]), Verdict::Differ);
    }
}
