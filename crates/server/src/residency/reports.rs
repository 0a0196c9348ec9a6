//! Databases put away on this server's own account: told to the controllers with heartbeats until they acknowledge.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::{DatabaseId, Epoch};

use crate::limits::PUT_AWAY_REPORTS_MAX;

/// What is still to be told. Cheap to clone.
#[derive(Clone, Default)]
pub struct Reports(Arc<Mutex<BTreeMap<DatabaseId, Epoch>>>);

impl Reports {
    /// This database was put away under this epoch.
    pub fn add(&self, database: DatabaseId, epoch: Epoch) {
        self.lock().insert(database, epoch);
    }

    /// What the next heartbeat tells.
    pub fn pending(&self) -> Vec<(DatabaseId, Epoch)> {
        self.lock().iter().take(PUT_AWAY_REPORTS_MAX).map(|(id, epoch)| (*id, *epoch)).collect()
    }

    /// A heartbeat with these was acknowledged. A newer report of the same database stays.
    pub fn acknowledged(&self, told: &[(DatabaseId, Epoch)]) {
        let mut reports = self.lock();
        for (database, epoch) in told {
            if reports.get(database) == Some(epoch) {
                reports.remove(database);
            }
        }
    }

    /// Whether this database was put away under this epoch and that is still to be told: it must not be loaded again
    /// under it, as the controllers are about to give it to somebody else.
    pub fn holds(&self, database: DatabaseId, epoch: Epoch) -> bool {
        self.lock().get(&database).is_some_and(|reported| *reported >= epoch)
    }

    /// The life that they belong to is over.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DatabaseId, Epoch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_repeated_until_acknowledged() {
        let reports = Reports::default();
        reports.add(DatabaseId(1), Epoch(3));
        assert_eq!(reports.pending(), [(DatabaseId(1), Epoch(3))]);
        assert_eq!(reports.pending().len(), 1);
        reports.acknowledged(&[(DatabaseId(1), Epoch(3))]);
        assert!(reports.pending().is_empty());
    }

    #[test]
    fn a_newer_report_survives_an_older_acknowledgement() {
        let reports = Reports::default();
        reports.add(DatabaseId(1), Epoch(3));
        let told = reports.pending();
        reports.add(DatabaseId(1), Epoch(5));
        reports.acknowledged(&told);
        assert_eq!(reports.pending(), [(DatabaseId(1), Epoch(5))]);
    }
}
