//! What was created under idempotency keys, the last ones only.

use std::{collections::HashMap, sync::OnceLock};

use imbl::Vector;

use crate::{DatabaseId, IdempotencyKey, limits::IDEMPOTENCY_KEYS_MAX};

/// Bounded, oldest first. Cheap to clone: a copy makes its own index when it is first asked, which one that is only
/// written to a snapshot never is.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    order: Vector<(IdempotencyKey, DatabaseId)>,
    index: OnceLock<HashMap<IdempotencyKey, DatabaseId>>,
}

impl Keys {
    /// What was created under a key, if that is still known.
    pub(crate) fn get(&self, key: IdempotencyKey) -> Option<DatabaseId> {
        self.index().get(&key).copied()
    }

    /// Remembers a key that is not known, and forgets the oldest where there are too many.
    pub(crate) fn remember(&mut self, key: IdempotencyKey, id: DatabaseId) {
        self.index();
        let index = self.index.get_mut().expect("BUG: made above");
        if self.order.len() >= IDEMPOTENCY_KEYS_MAX {
            let (oldest, _) = self.order.pop_front().expect("BUG: it is full");
            index.remove(&oldest);
        }
        index.insert(key, id);
        self.order.push_back((key, id));
    }

    /// All that are known, oldest first.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &(IdempotencyKey, DatabaseId)> {
        self.order.iter()
    }

    fn index(&self) -> &HashMap<IdempotencyKey, DatabaseId> {
        self.index.get_or_init(|| self.order.iter().copied().collect())
    }
}

impl Clone for Keys {
    fn clone(&self) -> Self {
        Self { order: self.order.clone(), index: OnceLock::new() }
    }
}

impl FromIterator<(IdempotencyKey, DatabaseId)> for Keys {
    /// Of different keys, oldest first.
    fn from_iter<I: IntoIterator<Item = (IdempotencyKey, DatabaseId)>>(keys: I) -> Self {
        Self { order: keys.into_iter().collect(), index: OnceLock::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_knows_what_the_original_knew_and_each_goes_its_own_way() {
        let key = |number: usize| IdempotencyKey(number as u128);
        let id = |number: usize| DatabaseId(number as u64);
        let mut keys = Keys::default();
        (0..IDEMPOTENCY_KEYS_MAX).for_each(|number| keys.remember(key(number), id(number)));
        let mut copy = keys.clone();
        assert_eq!(copy.get(key(0)), Some(id(0)));
        copy.remember(key(IDEMPOTENCY_KEYS_MAX), id(7));
        assert_eq!(copy.get(key(0)), None, "the oldest makes room");
        assert_eq!(copy.get(key(1)), Some(id(1)));
        assert_eq!(copy.get(key(IDEMPOTENCY_KEYS_MAX)), Some(id(7)));
        assert_eq!(copy.iter().len(), IDEMPOTENCY_KEYS_MAX);
        assert_eq!(keys.get(key(0)), Some(id(0)));
        assert_eq!(keys.get(key(IDEMPOTENCY_KEYS_MAX)), None);
    }
}
