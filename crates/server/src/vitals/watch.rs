//! Measuring: a timer that should fire on time, a job that should be done at once, a look into the store when nobody
//! appends to a journal.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{Measured, Vitals};
use crate::{
    limits::{HEALTH_EVERY, JOURNAL_IDLE},
    measures,
    workers::Workers,
};

impl Vitals {
    /// Measures again and again until dropped. Measurements that hang are left alone, and no second one is begun.
    pub async fn watch(self, workers: Workers, store: journal::Store) {
        let mut measuring = JoinSet::new();
        loop {
            let due = Instant::now() + HEALTH_EVERY;
            sleep_until(due).await;
            let now = Instant::now();
            self.measured().lag.add(now, late(now, due));
            while measuring.try_join_next().is_some() {}
            if self.begin(|measured| measured.workers.begin(now)) {
                let (vitals, workers) = (self.clone(), workers.clone());
                measuring.spawn(async move {
                    workers.run(|| ()).await;
                    vitals.measured().workers.end(Instant::now());
                });
            }
            if self.begin(|measured| idle(measured, now) && measured.journal.begin(now)) {
                let (vitals, store) = (self.clone(), store.clone());
                measuring.spawn(async move {
                    if let Err(error) = store.look().await {
                        tracing::debug!(reason = crate::chain(&error), "a look into the store failed");
                    }
                    vitals.measured().journal.end(Instant::now());
                });
            }
            measures::health(&self.health());
        }
    }

    fn begin(&self, begin: impl FnOnce(&mut Measured) -> bool) -> bool {
        begin(&mut self.measured())
    }
}

/// A timer's granularity is a millisecond, which is no lag.
fn late(now: Instant, due: Instant) -> Duration {
    now.saturating_duration_since(due).saturating_sub(Duration::from_millis(1))
}

/// Whether appends say nothing of the store.
fn idle(measured: &Measured, now: Instant) -> bool {
    measured.journal.last().is_none_or(|last| now.saturating_duration_since(last) >= JOURNAL_IDLE)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc};

    use model::{FleetId, Incarnation};

    use super::*;

    fn store() -> journal::Store {
        let objects = Arc::new(journal::objects::Memory::default());
        let patience = journal::Patience::default();
        journal::Store::with(objects, FleetId(1), Incarnation(1), patience, journal::Threads::Inline)
    }

    async fn until(vitals: &Vitals, what: &str, is_so: impl Fn(&rpc::controller::ServerHealth) -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !is_so(&vitals.health()) {
            assert!(Instant::now() < end, "{what}: {}", vitals.health());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn busy_threads_show_and_so_does_their_getting_free() {
        let (vitals, workers) = (Vitals::default(), Workers::threads(1, 1).expect("a thread"));
        let watching = tokio::spawn(vitals.clone().watch(workers.clone(), store()));
        until(&vitals, "all is measured", |health| {
            [health.journal_us, health.workers_us, health.lag_us].iter().all(Option::is_some)
        })
        .await;
        let (free, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        // Ends with the sender.
        workers.detach(move || {
            let _ended = held.lock().expect("no panics").recv();
        });
        until(&vitals, "busy", |health| health.workers_us.is_some_and(|us| us > 300_000)).await;
        drop(free);
        until(&vitals, "free", |health| health.workers_us.is_some_and(|us| us < 300_000)).await;
        watching.abort();
    }
}
