//! Databases on their way to servers: placed, but not in the map yet. Many are placed at a time after a failure, and each
//! must see the others (R26).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use model::Tenure;

/// How many are on their way to each server. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    counts: Arc<Mutex<BTreeMap<Tenure, (u64, f64)>>>,
}

/// One database on its way, until dropped.
#[derive(Debug)]
pub struct Promise {
    /// To whom.
    pub tenure: Tenure,
    load: f64,
    pending: Pending,
}

impl Pending {
    /// How many are on their way there.
    pub fn to(&self, tenure: Tenure) -> u64 {
        self.with(|counts| counts.get(&tenure).map_or(0, |(count, _)| *count))
    }

    /// What they are expected to need, in cores.
    pub fn load(&self, tenure: Tenure) -> f64 {
        self.with(|counts| counts.get(&tenure).map_or(0.0, |(_, load)| *load))
    }

    /// One more, that is expected to need so many cores.
    pub fn promise(&self, tenure: Tenure, load: f64) -> Promise {
        self.with(|counts| {
            let (count, loads) = counts.entry(tenure).or_default();
            (*count, *loads) = (*count + 1, *loads + load);
        });
        Promise { tenure, load, pending: self.clone() }
    }

    fn with<T>(&self, with: impl FnOnce(&mut BTreeMap<Tenure, (u64, f64)>) -> T) -> T {
        with(&mut self.counts.lock().expect("BUG: nothing panics while holding this lock"))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.pending.with(|counts| {
            let (count, load) = counts.get_mut(&self.tenure).expect("BUG: promised and not yet dropped");
            (*count, *load) = (*count - 1, *load - self.load);
            if *count == 0 {
                counts.remove(&self.tenure);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use model::{Incarnation, ServerId};

    use super::*;

    #[test]
    fn what_is_promised_counts_until_it_is_dropped() {
        let tenure = Tenure { server: ServerId(1), incarnation: Incarnation(1) };
        let pending = Pending::default();
        let (first, second) = (pending.promise(tenure, 0.5), pending.clone().promise(tenure, 0.25));
        assert_eq!((pending.to(tenure), pending.load(tenure)), (2, 0.75));
        drop(first);
        assert_eq!(pending.to(tenure), 1);
        drop(second);
        assert_eq!(pending.to(tenure), 0);
    }
}
