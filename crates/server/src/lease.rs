//! Until when this server may be sure that nobody else was given its databases.
//!
//! It guards reads only, by the clock: writes are guarded by the journal's fence and need none. Past it a server may
//! still answer, if it first proves by a look into the journal that nobody has fenced it: so databases stay readable
//! while no controller can be reached, only a little slower.

use std::{sync::Arc, time::Duration};

use sabotage::Sabotage;
use tokio::{sync::watch, time::Instant};

/// The lease, shared. Cheap to clone.
#[derive(Clone)]
pub struct Lease(Arc<watch::Sender<Term>>);

#[derive(Clone, Copy)]
struct Term {
    until: Instant,
    /// How long the last one was when it began; zero before the first.
    granted: Duration,
}

impl Lease {
    /// None yet.
    pub fn none(now: Instant) -> Self {
        Self(Arc::new(watch::Sender::new(Term { until: now, granted: Duration::ZERO })))
    }

    /// Whether it holds.
    pub fn holds(&self, now: Instant) -> bool {
        now < self.0.borrow().until || sabotage::is(Sabotage::Lease)
    }

    /// A heartbeat was acknowledged: it holds for so long, counted from that heartbeat's sending. Never shortens it.
    pub fn renew(&self, sent: Instant, granted: Duration) {
        let until = sent + granted;
        self.0.send_if_modified(|current| {
            let later = until > current.until;
            if later {
                *current = Term { until, granted };
            }
            later
        });
    }

    /// The share of it that is left, from 0 to 1; nothing before the first one.
    pub fn left_ratio(&self, now: Instant) -> Option<f64> {
        let Term { until, granted } = *self.0.borrow();
        let left = until.saturating_duration_since(now);
        (granted > Duration::ZERO).then(|| left.as_secs_f64() / granted.as_secs_f64())
    }

    /// It is void from now on.
    pub fn end(&self, now: Instant) {
        self.0.send_modify(|current| current.until = now.min(current.until));
    }

    /// Waits until it is renewed so that it holds.
    pub async fn renewed(&self) {
        let mut until = self.0.subscribe();
        drop(until.wait_for(|term| Instant::now() < term.until).await.expect("BUG: the sender is in self"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_holds_until_its_end_and_is_never_shortened_by_a_late_answer() {
        let now = Instant::now();
        let lease = Lease::none(now);
        assert!(!lease.holds(now));
        assert_eq!(lease.left_ratio(now), None);
        lease.renew(now, Duration::from_secs(3));
        lease.renew(now, Duration::from_secs(2));
        assert_eq!(lease.left_ratio(now + Duration::from_millis(1500)), Some(0.5));
        assert!(lease.holds(now + Duration::from_millis(2999)));
        assert!(!lease.holds(now + Duration::from_secs(3)));
        lease.end(now);
        assert_eq!(lease.left_ratio(now), Some(0.0));
        assert!(!lease.holds(now));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_it_goes_on_when_it_is_renewed() {
        let lease = Lease::none(Instant::now());
        let waiting = tokio::spawn({
            let lease = lease.clone();
            async move { lease.renewed().await }
        });
        lease.renew(Instant::now(), Duration::from_secs(1));
        waiting.await.expect("it went on");
    }
}
