//! Who leads on when the leader's own disk does not finish a write.
//!
//! A stalled disk does not stop changes at once: the others make a majority without it. But it stops them as soon as one
//! of the others is gone, what waits for it fills the memory, and whoever votes or starts again needs it.
//!
//! Only to a follower whose disk is shown to work: it has entries that the leader's own disk has not. When all of them
//! share one disk, nobody has, and leadership stays where it is.

use crate::{limits::DISK_STALL_MAX, store::Stall};

/// The follower to hand leadership to, if it is time to and a majority goes on without this controller. `followers` are
/// the other voters, each with the last entry that is known to be on its disk.
pub fn successor(stall: Stall, followers: &[(u64, Option<u64>)]) -> Option<u64> {
    let well = followers.iter().filter(|(_, has)| *has > stall.durable);
    let majority = followers.len().div_ceil(2) + 1;
    if stall.lasts < DISK_STALL_MAX || well.clone().count() < majority {
        return None;
    }
    well.max_by_key(|(_, has)| *has).map(|(id, _)| *id)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stall(lasts: Duration) -> Stall {
        Stall { lasts, durable: Some(10) }
    }

    #[test]
    fn the_furthest_of_a_majority_that_works_leads_on() {
        let long = stall(DISK_STALL_MAX);
        for (followers, expected) in [
            (vec![(2, Some(11)), (3, Some(12))], Some(3)),
            (vec![(2, Some(15)), (3, Some(12))], Some(2)),
            // One that works is no majority of three without this one.
            (vec![(2, Some(12)), (3, Some(10))], None),
            (vec![(2, Some(12)), (3, None)], None),
            // Nobody's disk is shown to work: they may share this one.
            (vec![(2, Some(10)), (3, Some(10))], None),
            // Three of five.
            (vec![(2, Some(12)), (3, Some(13)), (4, Some(11)), (5, None)], Some(3)),
            (vec![(2, Some(12)), (3, Some(13)), (4, None), (5, None)], None),
            // Of two, and alone.
            (vec![(2, Some(12))], None),
            (vec![], None),
        ] {
            assert_eq!(successor(long, &followers), expected, "{followers:?}");
        }
    }

    #[test]
    fn a_write_that_takes_its_time_is_no_reason() {
        let short = stall(DISK_STALL_MAX - Duration::from_millis(1));
        assert_eq!(successor(short, &[(2, Some(11)), (3, Some(12))]), None);
    }
}
