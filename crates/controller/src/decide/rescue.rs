//! Background failover: which databases of servers that are gone to load elsewhere now, without waiting for a request.
//!
//! A budget, so that the survivors are not buried under loads: so many a second, spread unevenly so that several
//! controllers' and servers' timers do not fall in step, and so many at a time. Requests do not wait in this queue:
//! they load their database at once.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use model::{DatabaseId, Tenure};
use tokio::time::Instant;

/// The queue of one leader's reign.
#[derive(Clone, Debug)]
pub struct Rescue {
    per_second: u64,
    in_flight_max: usize,
    queue: VecDeque<DatabaseId>,
    in_flight: usize,
    /// How many may begin now; never more than may be in flight.
    credit: f64,
    credited: Instant,
    /// Lives whose databases were looked for.
    searched: BTreeSet<Tenure>,
    /// Lives of which this leader knows everything that they had loaded.
    surveyed: BTreeSet<Tenure>,
}

impl Rescue {
    /// Nothing to do yet. Zero per second: never anything.
    pub fn new(per_second: u64, in_flight_max: usize, now: Instant) -> Self {
        Self {
            per_second,
            in_flight_max,
            queue: VecDeque::new(),
            in_flight: 0,
            credit: in_flight_max as f64,
            credited: now,
            searched: BTreeSet::new(),
            surveyed: BTreeSet::new(),
        }
    }

    /// Whether anything is ever to be done.
    pub fn is_on(&self) -> bool {
        self.per_second > 0
    }

    /// This leader knows what a server had loaded when it asked, and hears of everything since.
    pub fn on_surveyed(&mut self, tenure: Tenure) {
        self.surveyed.insert(tenure);
    }

    /// Whether it does.
    pub fn knows(&self, tenure: Tenure) -> bool {
        self.surveyed.contains(&tenure)
    }

    /// A life is over: whether its databases are still to be looked for.
    pub fn begin_search(&mut self, tenure: Tenure) -> bool {
        self.is_on() && self.searched.insert(tenure)
    }

    /// These were found.
    pub fn on_found(&mut self, databases: impl IntoIterator<Item = DatabaseId>) {
        self.queue.extend(databases);
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Those to begin with now. `dice` is evenly spread between 0 and 1.
    pub fn begin(&mut self, dice: f64, now: Instant) -> Vec<DatabaseId> {
        let elapsed = now.saturating_duration_since(self.credited);
        self.credited = now;
        self.credit = (self.credit + self.earned(elapsed, dice)).min(self.in_flight_max as f64);
        let free = self.in_flight_max.saturating_sub(self.in_flight);
        let count = free.min(self.credit as usize).min(self.queue.len());
        self.credit -= count as f64;
        self.in_flight += count;
        self.queue.drain(..count).collect()
    }

    /// On average what the budget says, between half of it and one and a half.
    fn earned(&self, elapsed: Duration, dice: f64) -> f64 {
        elapsed.as_secs_f64() * self.per_second as f64 * (0.5 + dice)
    }

    /// One ended, whatever came of it: what is left to do is done by the next request.
    pub fn on_ended(&mut self) {
        self.in_flight = self.in_flight.checked_sub(1).expect("BUG: it was begun");
    }
}

#[cfg(test)]
mod tests {
    use model::{Incarnation, ServerId};

    use super::*;

    const SERVER: Tenure = Tenure { server: ServerId(1), incarnation: Incarnation(1) };

    fn ids(from: u64, to: u64) -> Vec<DatabaseId> {
        (from..=to).map(DatabaseId).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_in_flight_than_allowed() {
        let now = Instant::now();
        let mut rescue = Rescue::new(1_000, 2, now);
        rescue.on_found(ids(1, 5));
        assert_eq!(rescue.begin(0.5, now), ids(1, 2));
        let later = now + Duration::from_secs(1);
        assert_eq!(rescue.begin(0.5, later), []);
        rescue.on_ended();
        assert_eq!(rescue.begin(0.5, later), ids(3, 3));
        assert_eq!(rescue.waiting(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_begin_in_a_second_than_the_budget_allows() {
        for (dice, expected) in [(0.0, 5), (0.5, 10), (1.0, 15)] {
            let start = Instant::now();
            let mut rescue = Rescue::new(10, 4, start);
            rescue.on_found(ids(1, 1_000));
            let mut begun = 0;
            for tenth in 0..=10 {
                let now = rescue.begin(dice, start + Duration::from_millis(100) * tenth).len();
                (0..now).for_each(|_| rescue.on_ended());
                begun += now;
            }
            // What may be in flight begins at once.
            assert!((expected + 3..=expected + 4).contains(&begun), "{dice}: {begun}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_life_is_searched_once_and_never_when_switched_off() {
        let now = Instant::now();
        let mut rescue = Rescue::new(10, 4, now);
        assert!(rescue.begin_search(SERVER));
        assert!(!rescue.begin_search(SERVER));
        assert!(!Rescue::new(0, 4, now).begin_search(SERVER));
    }
}
