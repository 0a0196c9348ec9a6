//! Who may get a database, before the model chooses among them.

use std::collections::BTreeSet;

use model::{
    DatabaseId, Fleet, ServerId, ServerState, Tenure,
    placement::{Candidate, choose},
};
use tokio::time::Instant;

use super::Liveness;
use crate::machine::Tally;

/// What a placement looks at.
pub struct Candidacy<'a> {
    /// The map.
    pub fleet: &'a Fleet,
    /// Databases by owner.
    pub tally: &'a Tally,
    /// Who was heard of lately.
    pub liveness: &'a Liveness,
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
    let heard = |tenure: Tenure| candidacy.liveness.silent(tenure, now) <= fresh;
    choose(database, candidates(candidacy).filter(|candidate| heard(tenure(candidate))))
        .or_else(|| choose(database, candidates(candidacy)))
}

fn candidates<'a>(candidacy: &'a Candidacy<'_>) -> impl Iterator<Item = Candidate> + 'a {
    candidacy
        .fleet
        .servers()
        .filter(|(id, server)| server.state == ServerState::Up && !candidacy.avoid.contains(id))
        .map(|(id, server)| Candidate {
            server: id,
            incarnation: server.incarnation,
            capacity: server.capacity,
            databases: candidacy.tally.owned(Tenure { server: id, incarnation: server.incarnation }),
        })
}

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
            fleet.apply(Revision(number), &Entry { at: TimestampMs(0), command }).expect("a free name");
        }
        fleet
    }

    fn chosen(heard: &[u32], avoid: &[u32]) -> Option<u32> {
        let start = Instant::now();
        let now = start + LEASE;
        let mut liveness = Liveness::new(LEASE, start);
        for server in heard {
            let tenure = Tenure { server: ServerId(*server), incarnation: Incarnation((*server).into()) };
            liveness.heard(tenure, ServerLoad::default(), now);
        }
        let fleet = fleet();
        let candidacy = Candidacy {
            fleet: &fleet,
            tally: &Tally::of(&fleet),
            liveness: &liveness,
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
}
