//! Errors that statements end with, counted by SQLSTATE's class and database (R43).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use conditions::Scope;
use model::DatabaseId;
use wire::{SqlState, sqlstate};

use super::{Reading, lock};
use crate::{limits::ERRORS_KEPT_MAX, measures};

/// Counts since the last look. Cheap to clone.
#[derive(Clone, Default)]
pub struct Errors(Arc<Mutex<BTreeMap<(Scope, String), u64>>>);

impl Errors {
    /// A statement in this database ended with this.
    pub fn count(&self, database: DatabaseId, state: SqlState) {
        measures::statement_failed(state);
        let together = [
            (is_the_servers(state), "errors.server"),
            (is_corruption(state), "errors.corruption"),
            (is_conflict(state), "errors.conflict"),
        ];
        let together = together.into_iter().filter(|(is, _)| *is).map(|(_, source)| source.to_owned());
        let sources = together.chain([format!("errors.{}", state.class())]);
        let mut counts = lock(&self.0);
        for source in sources {
            for scope in [Scope::Server, Scope::Database(database)] {
                let full = counts.len() >= ERRORS_KEPT_MAX;
                // The server's own counts are few, and always kept.
                if !full || scope == Scope::Server {
                    *counts.entry((scope, source.clone())).or_default() += 1;
                }
            }
        }
    }

    /// What was counted since the last time.
    pub fn take(&self) -> Vec<Reading> {
        let counts = std::mem::take(&mut *lock(&self.0));
        counts
            .into_iter()
            .map(|((scope, source), count)| Reading::new(&source, scope, count as f64))
            .collect()
    }
}

/// Insufficient resources, errors of the system, and our own: nothing that a client's statement is to blame for.
fn is_the_servers(state: SqlState) -> bool {
    ["53", "58", "XX"].contains(&state.class())
}

fn is_corruption(state: SqlState) -> bool {
    ["XX001", "XX002"].contains(&state.as_str())
}

/// Statements that got in each other's way.
fn is_conflict(state: SqlState) -> bool {
    state.class() == "40" || state == sqlstate::LOCK_NOT_AVAILABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(code: &str) -> SqlState {
        SqlState::new(code).expect(code)
    }

    #[test]
    fn r43_errors_are_counted_by_class_for_the_server_and_for_each_database() {
        let errors = Errors::default();
        for (database, code) in [(1, "53100"), (1, "XX001"), (2, "40001"), (2, "42601"), (2, "42703")] {
            errors.count(DatabaseId(database), state(code));
        }
        let (one, two) = (Scope::Database(DatabaseId(1)), Scope::Database(DatabaseId(2)));
        let counted = errors.take();
        for (source, scope, count) in [
            ("errors.53", Scope::Server, 1.0),
            ("errors.XX", one, 1.0),
            ("errors.42", Scope::Server, 2.0),
            ("errors.42", two, 2.0),
            ("errors.server", Scope::Server, 2.0),
            ("errors.corruption", one, 1.0),
            ("errors.conflict", two, 1.0),
        ] {
            assert!(counted.contains(&Reading::new(source, scope, count)), "{source} {scope}: {counted:?}");
        }
        assert_eq!(errors.take(), [], "counted once");
    }

    #[test]
    fn many_databases_are_not_all_kept_and_the_servers_counts_stay_right() {
        let errors = Errors::default();
        for database in 0..2 * ERRORS_KEPT_MAX as u64 {
            errors.count(DatabaseId(database), state("42601"));
        }
        let counted = errors.take();
        assert!(counted.len() <= ERRORS_KEPT_MAX + 1, "{}", counted.len());
        assert!(counted.contains(&Reading::server("errors.42", 2.0 * ERRORS_KEPT_MAX as f64)));
    }
}
