//! Who may get a database, and how much each carries already, before the model chooses among them (R26).
//!
//! What a server carries is counted in average databases: half by how many it has, those on their way included, and
//! half by the requests it answers, for the average of all candidates. So an idle server goes before a busy one with as
//! many databases, and one that only just came does not get everything before its first requests are counted.

use std::collections::BTreeSet;

use model::{
    DatabaseId, Fleet, ServerId, ServerState, Tenure,
    placement::{Candidate, DATABASE_LOAD, choose},
};
use tokio::time::Instant;

use super::{Liveness, Pending};
use crate::machine::Tally;

/// What a placement looks at.
pub struct Candidacy<'a> {
    /// The map.
    pub fleet: &'a Fleet,
    /// Databases by owner.
    pub tally: &'a Tally,
    /// Who was heard of lately.
    pub liveness: &'a Liveness,
    /// What is on its way to them.
    pub pending: &'a Pending,
    /// Who must not get it.
    pub avoid: &'a BTreeSet<ServerId>,
}

/// The best server for a database: one that was heard of within half a lease if there is one, else any that is up.
pub fn place(
    database: DatabaseId,
    candidacy: &Candidacy<'_>,
    fresh: std::time::Duration,
    now: Instant,
) -> Option<Tenure> {
    let all = candidates(candidacy);
    let heard = |candidate: &&Candidate| candidacy.liveness.silent(tenure(candidate), now) <= fresh;
    choose(database, all.iter().filter(heard).copied()).or_else(|| choose(database, all.iter().copied()))
}

fn candidates(candidacy: &Candidacy<'_>) -> Vec<Candidate> {
    let up = candidacy
        .fleet
        .servers()
        .filter(|(id, server)| server.state == ServerState::Up && !candidacy.avoid.contains(id));
    let counted: Vec<(Tenure, u32, u64, f64)> = up
        .map(|(id, server)| {
            let tenure = Tenure { server: id, incarnation: server.incarnation };
            let databases = candidacy.tally.owned(tenure) + candidacy.pending.to(tenure);
            let requests = candidacy.liveness.seen(tenure).map_or(0.0, |seen| seen.requests_per_second);
            (tenure, server.capacity, databases, requests)
        })
        .collect();
    let databases: u64 = counted.iter().map(|(_, _, databases, _)| databases).sum();
    let requests: f64 = counted.iter().map(|(_, _, _, requests)| requests).sum();
    let average = requests / databases.max(1) as f64;
    counted
        .into_iter()
        .map(|(tenure, capacity, databases, requests)| Candidate {
            server: tenure.server,
            incarnation: tenure.incarnation,
            capacity,
            load: load(databases, requests, average),
        })
        .collect()
}

/// What a server carries, in thousandths of an average database, which answers `average` requests per second.
fn load(databases: u64, requests: f64, average: f64) -> u64 {
    let by_count = databases.saturating_mul(DATABASE_LOAD);
    if average < REQUESTS_MIN {
        return by_count;
    }
    // Far below where the conversion would lose anything: a rate for the average of all.
    let by_requests = (requests / average * DATABASE_LOAD as f64) as u64;
    by_count / 2 + by_requests / 2
}

/// Below so many requests per second and database nobody is busy, and only databases count.
const REQUESTS_MIN: f64 = 0.01;

fn tenure(candidate: &Candidate) -> Tenure {
    Tenure { server: candidate.server, incarnation: candidate.incarnation }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{Command, Entry, Incarnation, Name, Registration, Revision, TimestampMs};
    use rpc::controller::ServerLoad;

    use super::*;

    const LEASE: Duration = Duration::from_secs(2);

    fn fleet() -> Fleet {
        let mut fleet = Fleet::default();
        for number in 1..=2 {
            let registration = Registration {
                name: Name::new(&format!("s{number}")).expect("a name"),
                data_address: "a:1".into(),
                control_address: "a:2".into(),
                location: String::new(),
                capacity: 1,
            };
            let command =
                Command::RegisterServer { registration, supersedes: None, incarnation: Incarnation(number) };
            fleet.apply(Revision(number), &Entry::new(TimestampMs(0), command)).expect("a free name");
        }
        fleet
    }

    fn chosen(heard: &[u32], avoid: &[u32]) -> Option<u32> {
        let start = Instant::now();
        let now = start + LEASE;
        let mut liveness = Liveness::new(LEASE, LEASE / 4, start);
        for server in heard {
            let tenure = Tenure { server: ServerId(*server), incarnation: Incarnation((*server).into()) };
            liveness.heard(tenure, ServerLoad::default(), now);
        }
        let fleet = fleet();
        let candidacy = Candidacy {
            fleet: &fleet,
            tally: &Tally::of(&fleet),
            liveness: &liveness,
            pending: &Pending::default(),
            avoid: &avoid.iter().copied().map(ServerId).collect(),
        };
        place(DatabaseId(1), &candidacy, LEASE / 2, now).map(|tenure| tenure.server.0)
    }

    #[tokio::test]
    async fn a_server_that_was_heard_of_goes_before_a_silent_one() {
        assert_eq!(chosen(&[1], &[]), Some(1));
        assert_eq!(chosen(&[2], &[]), Some(2));
    }

    #[tokio::test]
    async fn a_silent_server_is_better_than_none() {
        assert!(chosen(&[], &[]).is_some());
        assert_eq!(chosen(&[1], &[1]), Some(2));
    }

    #[tokio::test]
    async fn a_server_to_be_avoided_is_never_chosen() {
        assert_eq!(chosen(&[1, 2], &[1, 2]), None);
    }

    /// Places so many databases one after the other, none of which gets into the map: how many go to each.
    fn spread(count: u64, requests: [u64; 2]) -> [u64; 2] {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, LEASE / 4, start);
        for second in 0..10 {
            for (server, requests) in (1..).zip(requests) {
                let tenure = Tenure { server: ServerId(server), incarnation: Incarnation(server.into()) };
                let load = ServerLoad { requests_total: requests * second, ..ServerLoad::default() };
                liveness.heard(tenure, load, start + Duration::from_secs(second));
            }
        }
        let (fleet, pending) = (fleet(), Pending::default());
        let candidacy = Candidacy {
            fleet: &fleet,
            tally: &Tally::of(&fleet),
            liveness: &liveness,
            pending: &pending,
            avoid: &BTreeSet::new(),
        };
        let mut promises = Vec::new();
        for database in 1..=count {
            let to = place(DatabaseId(database), &candidacy, LEASE, start + Duration::from_secs(9));
            promises.push(pending.promise(to.expect("two are up")));
        }
        [1, 2]
            .map(|server| promises.iter().filter(|promise| promise.tenure.server.0 == server).count() as u64)
    }

    #[tokio::test]
    async fn what_is_on_its_way_counts_r26() {
        assert_eq!(spread(30, [0, 0]), [15, 15]);
    }

    #[tokio::test]
    async fn most_go_to_the_idle_of_two_r26() {
        let [busy, idle] = spread(30, [1_000, 0]);
        assert!(idle > 20 && busy + idle == 30, "{busy} {idle}");
    }
}
