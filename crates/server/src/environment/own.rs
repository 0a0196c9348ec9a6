//! What the server measures of itself. Never waits.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::time::Instant;

use super::{Environment, Reading};
use crate::{lease::Lease, residency::Residents, vitals::Vitals};

/// The parts of a server that are looked at.
pub struct Own {
    /// Its health.
    pub vitals: Vitals,
    /// Until when it may serve.
    pub lease: Lease,
    /// Its databases.
    pub residents: Residents,
    /// Its sessions.
    pub sessions: Arc<AtomicUsize>,
    /// How many it may have.
    pub sessions_max: usize,
}

impl Own {
    /// How it is now.
    pub fn read(&self, environment: &Environment) -> Vec<Reading> {
        let health = self.vitals.health();
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let world = self.residents.world();
        let always = [
            ("sessions_used_ratio", share(self.sessions.load(Ordering::Relaxed), self.sessions_max)),
            ("databases_loaded_ratio", share(self.residents.count(), world.databases_max)),
            ("requests_running", health.running as f64),
            ("journal_failures", environment.take_journal_failures() as f64),
        ];
        let disk = self.vitals.disk();
        let times = [
            ("journal_seconds", health.journal()),
            ("threads_seconds", health.workers()),
            ("timers_seconds", health.lag()),
            ("data_disk_seconds", disk),
        ];
        let times = times.into_iter().filter_map(|(source, time)| Some((source, time?.as_secs_f64())));
        let lease = self.lease.left_ratio(Instant::now()).map(|ratio| ("lease_left_ratio", ratio));
        let own = always.into_iter().chain(times).chain(lease);
        own.map(|(source, value)| Reading::server(source, value)).chain(environment.errors().take()).collect()
    }
}
