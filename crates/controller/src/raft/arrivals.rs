//! Snapshots on their way in, piece by piece.

use std::collections::BTreeMap;

use crate::limits::{ARRIVALS_MAX, SNAPSHOT_BYTES_MAX};

/// What has arrived so far. One for each leader at most: a leader sends one at a time.
#[derive(Debug, Default)]
pub struct Arrivals {
    by_leader: BTreeMap<u64, Arriving>,
}

#[derive(Debug)]
struct Arriving {
    transfer: u64,
    bytes: Vec<u8>,
}

/// Where a piece belongs.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Who sends it.
    pub leader: u64,
    /// Tells this transfer from others.
    pub transfer: u64,
    /// Where in the whole it begins.
    pub offset: u64,
    /// How long the whole is.
    pub total: u64,
}

/// A piece was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Another piece was expected.
    #[error("expected the snapshot to go on at byte {expected}")]
    OutOfStep {
        /// Where to go on.
        expected: u64,
    },
    /// It would not fit into memory.
    #[error("a snapshot of {total} bytes is larger than {SNAPSHOT_BYTES_MAX}")]
    TooLarge {
        /// How long the whole is said to be.
        total: u64,
    },
}

impl Arrivals {
    /// Takes a piece; gives the whole once it is there.
    ///
    /// # Errors
    /// [`Misfit`]; what had arrived of this transfer stays.
    pub fn take(&mut self, part: Part, piece: &[u8]) -> Result<Option<Vec<u8>>, Misfit> {
        let Part { leader, transfer, offset, total } = part;
        if total > SNAPSHOT_BYTES_MAX {
            return Err(Misfit::TooLarge { total });
        }
        if offset == 0 {
            // An earlier transfer was broken off.
            self.by_leader.remove(&leader);
            while self.by_leader.len() >= ARRIVALS_MAX {
                self.by_leader.pop_first();
            }
            self.by_leader.insert(leader, Arriving { transfer, bytes: Vec::new() });
        }
        let arriving = self.by_leader.get_mut(&leader).filter(|arriving| arriving.transfer == transfer);
        let arriving = arriving.ok_or(Misfit::OutOfStep { expected: 0 })?;
        let expected = arriving.bytes.len() as u64;
        if offset != expected || expected + piece.len() as u64 > total {
            return Err(Misfit::OutOfStep { expected });
        }
        arriving.bytes.extend_from_slice(piece);
        if (arriving.bytes.len() as u64) < total {
            return Ok(None);
        }
        Ok(self.by_leader.remove(&leader).map(|whole| whole.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(transfer: u64, offset: u64) -> Part {
        Part { leader: 1, transfer, offset, total: 6 }
    }

    #[test]
    fn pieces_in_order_make_the_whole() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.take(part(7, 0), b"abc"), Ok(None));
        assert_eq!(arrivals.take(part(7, 3), b"def"), Ok(Some(b"abcdef".to_vec())));
        assert_eq!(arrivals.take(part(7, 3), b"def"), Err(Misfit::OutOfStep { expected: 0 }));
    }

    #[test]
    fn a_new_transfer_of_the_same_leader_replaces_the_old_one() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.take(part(7, 0), b"xyz"), Ok(None));
        assert_eq!(arrivals.take(part(8, 0), b"abc"), Ok(None));
        assert_eq!(arrivals.take(part(7, 3), b"xyz"), Err(Misfit::OutOfStep { expected: 0 }));
        assert_eq!(arrivals.take(part(8, 3), b"def"), Ok(Some(b"abcdef".to_vec())));
    }

    /// Leaders that never end what they begin do not fill the memory.
    #[test]
    fn only_so_many_arrive_at_a_time() {
        let mut arrivals = Arrivals::default();
        for leader in 1..=100 {
            assert_eq!(arrivals.take(Part { leader, ..part(7, 0) }, b"abc"), Ok(None));
            assert!(arrivals.by_leader.len() <= ARRIVALS_MAX);
        }
        assert_eq!(arrivals.take(Part { leader: 100, ..part(7, 3) }, b"def"), Ok(Some(b"abcdef".to_vec())));
    }

    #[test]
    fn pieces_that_do_not_fit_are_refused() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.take(part(7, 3), b"def"), Err(Misfit::OutOfStep { expected: 0 }));
        assert_eq!(arrivals.take(part(7, 0), b"abc"), Ok(None));
        assert_eq!(arrivals.take(part(7, 4), b"ef"), Err(Misfit::OutOfStep { expected: 3 }));
        assert_eq!(arrivals.take(part(7, 3), b"defg"), Err(Misfit::OutOfStep { expected: 3 }));
        let huge = Part { total: u64::MAX, ..part(7, 0) };
        assert_eq!(arrivals.take(huge, b""), Err(Misfit::TooLarge { total: u64::MAX }));
    }
}
