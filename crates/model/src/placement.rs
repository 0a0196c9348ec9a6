//! Where a database goes: a pure choice, whose result a command carries.
//!
//! For now the server that carries least for its capacity. Equal ones are told apart by a hash of database and
//! server (rendezvous hashing), so that every leader makes the same choice and no server is everybody's second.

use crate::{DatabaseId, Incarnation, ServerId, Tenure};

/// A server that could take a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub server: ServerId,
    /// Its present life.
    pub incarnation: Incarnation,
    /// How much it can carry, relative to the others. At least 1.
    pub capacity: u32,
    /// What it carries already, in thousandths of an average database, those on their way included.
    pub load: u64,
}

/// An average database, in the unit of [`Candidate::load`].
pub const DATABASE_LOAD: u64 = 1_000;

/// The best of the candidates; `None` when there is none.
pub fn choose(database: DatabaseId, candidates: impl IntoIterator<Item = Candidate>) -> Option<Tenure> {
    let best = candidates.into_iter().min_by(|a, b| {
        // What each would carry with this one more, for its capacity, without dividing.
        let left = (u128::from(a.load) + u128::from(DATABASE_LOAD)) * u128::from(b.capacity);
        let right = (u128::from(b.load) + u128::from(DATABASE_LOAD)) * u128::from(a.capacity);
        left.cmp(&right).then_with(|| tie(database, b.server).cmp(&tie(database, a.server)))
    })?;
    Some(Tenure { server: best.server, incarnation: best.incarnation })
}

fn tie(database: DatabaseId, server: ServerId) -> u64 {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&database.0.to_be_bytes());
    key[8..].copy_from_slice(&server.0.to_be_bytes());
    xxhash_rust::xxh3::xxh3_64(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(server: u32, capacity: u32, databases: u64) -> Candidate {
        let load = databases * DATABASE_LOAD;
        Candidate { server: ServerId(server), incarnation: Incarnation(1), capacity, load }
    }

    fn chosen(candidates: &[Candidate]) -> Option<u32> {
        choose(DatabaseId(1), candidates.iter().copied()).map(|tenure| tenure.server.0)
    }

    #[test]
    fn nobody_is_chosen_from_nobody() {
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn the_least_loaded_for_its_capacity_is_chosen() {
        assert_eq!(chosen(&[candidate(1, 1, 5), candidate(2, 1, 4)]), Some(2));
        assert_eq!(chosen(&[candidate(1, 4, 10), candidate(2, 1, 4)]), Some(1));
    }

    #[test]
    fn ties_do_not_depend_on_the_order_of_the_candidates_and_spread() {
        let servers: Vec<_> = (1..=4).map(|server| candidate(server, 1, 0)).collect();
        let mut hits = [0; 4];
        for database in 0..400 {
            let forwards = choose(DatabaseId(database), servers.iter().copied()).expect("four candidates");
            let backwards =
                choose(DatabaseId(database), servers.iter().rev().copied()).expect("four candidates");
            assert_eq!(forwards, backwards);
            hits[forwards.server.0 as usize - 1] += 1;
        }
        assert!(hits.iter().all(|hits| *hits > 60), "{hits:?}");
    }
}
