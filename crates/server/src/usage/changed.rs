//! What a report holds: of the databases that used more since the last report that arrived, those that used most.
//!
//! What is not told waits and grows, so it is told some day, and nothing is told twice by mistake: counts are absolute.

use std::collections::HashMap;

use model::{DatabaseId, Epoch};
use rpc::load::DatabaseUsage;

/// What was told last, of each database that is here.
#[derive(Debug, Default)]
pub struct Told(HashMap<DatabaseId, (Epoch, u64, u64)>);

/// A request weighs as much as so much processor time, in microseconds: one that hardly computes still counts.
const REQUEST_US: u64 = 20;

impl Told {
    /// At most `most` of those `now`, the most changed first.
    pub fn changed(&self, now: &[DatabaseUsage], most: usize) -> Vec<DatabaseUsage> {
        let mut changed: Vec<(u64, DatabaseUsage)> =
            now.iter().map(|usage| (self.change(usage), *usage)).filter(|(change, _)| *change > 0).collect();
        let order = |(change, usage): &(u64, DatabaseUsage)| (std::cmp::Reverse(*change), usage.database);
        if changed.len() > most {
            changed.select_nth_unstable_by_key(most, order);
            changed.truncate(most);
        }
        changed.sort_unstable_by_key(order);
        changed.into_iter().map(|(_, usage)| usage).collect()
    }

    /// How much more than was told: anything at all is at least 1.
    fn change(&self, usage: &DatabaseUsage) -> u64 {
        let told = self.0.get(&usage.database).filter(|(epoch, _, _)| *epoch == usage.epoch);
        let (_, cpu_us, requests) = told.copied().unwrap_or((usage.epoch, 0, 0));
        let requests = usage.requests.saturating_sub(requests);
        usage.cpu_us.saturating_sub(cpu_us).saturating_add(requests.saturating_mul(REQUEST_US))
    }

    /// This was told. Of what is not here any more nothing is kept.
    pub fn told(&mut self, told: &[DatabaseUsage], here: &[DatabaseUsage]) {
        if self.0.len() > here.len() {
            let here: std::collections::HashSet<_> = here.iter().map(|usage| usage.database).collect();
            self.0.retain(|database, _| here.contains(database));
        }
        self.0.extend(told.iter().map(|usage| (usage.database, (usage.epoch, usage.cpu_us, usage.requests))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(database: u64, epoch: u64, cpu_us: u64, requests: u64) -> DatabaseUsage {
        DatabaseUsage { database: DatabaseId(database), epoch: Epoch(epoch), cpu_us, requests }
    }

    fn ids(usages: &[DatabaseUsage]) -> Vec<u64> {
        usages.iter().map(|usage| usage.database.0).collect()
    }

    #[test]
    fn what_changed_most_is_told_first_and_the_rest_follows_r25() {
        let mut told = Told::default();
        let now = [usage(1, 1, 500, 0), usage(2, 1, 0, 100), usage(3, 1, 900, 1), usage(4, 1, 0, 0)];
        let first = told.changed(&now, 2);
        assert_eq!(ids(&first), [2, 3], "a request counts too, and what did nothing is not told");
        told.told(&first, &now);
        assert_eq!(ids(&told.changed(&now, 2)), [1]);
        told.told(&[now[0]], &now);
        assert_eq!(told.changed(&now, 2), []);
    }

    #[test]
    fn under_a_new_epoch_everything_is_told_anew_and_what_left_is_forgotten() {
        let mut told = Told::default();
        told.told(&[usage(1, 1, 500, 5), usage(2, 1, 1, 1)], &[usage(1, 1, 500, 5), usage(2, 1, 1, 1)]);
        let again = [usage(1, 2, 30, 0)];
        assert_eq!(ids(&told.changed(&again, 9)), [1]);
        told.told(&again, &again);
        assert_eq!(told.0.len(), 1);
    }
}
