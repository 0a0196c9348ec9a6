//! Compiled statements kept for reuse, by their text.
//!
//! A text that was not prepared by the client is kept when it is seen for the second time: texts with their values inside, which the simple protocol brings, come
//! once and would only push useful ones out.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::super::ffi::{Connection, Failure, Statement};

/// Texts remembered as seen once.
const SEEN_MAX: usize = 256;

/// Idle compiled statements; one that runs is checked out.
pub(super) struct Cache {
    idle: HashMap<Arc<str>, Entry>,
    seen: VecDeque<u64>,
    hasher: RandomState,
    clock: u64,
    max: usize,
}

struct Entry {
    statement: Statement,
    used: u64,
}

impl Cache {
    pub fn new(max: usize) -> Self {
        Self { idle: HashMap::new(), seen: VecDeque::new(), hasher: RandomState::new(), clock: 0, max }
    }

    /// The statement of a text that is known to compile to one.
    pub fn check_out(&mut self, connection: &Connection, sql: &Arc<str>) -> Result<Statement, Failure> {
        if let Some(entry) = self.idle.remove(sql) {
            return Ok(entry.statement);
        }
        let compiled = connection.prepare(sql, true)?;
        Ok(compiled.statement.expect("BUG: only texts that compile to a statement are run"))
    }

    /// Takes a statement back; `keep` says that its text will surely come again.
    pub fn check_in(&mut self, sql: &Arc<str>, mut statement: Statement, keep: bool) {
        statement.reset();
        if !keep && !self.seen_before(sql) {
            return;
        }
        self.clock += 1;
        if self.idle.len() >= self.max && !self.idle.contains_key(sql) {
            let oldest = self.idle.iter().min_by_key(|(_, entry)| entry.used).map(|(sql, _)| Arc::clone(sql));
            oldest.map(|oldest| self.idle.remove(&oldest));
        }
        self.idle.insert(Arc::clone(sql), Entry { statement, used: self.clock });
    }

    fn seen_before(&mut self, sql: &str) -> bool {
        let hash = self.hasher.hash_one(sql);
        if self.idle.contains_key(sql) || self.seen.contains(&hash) {
            return true;
        }
        if self.seen.len() == SEEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(hash);
        false
    }

    pub fn clear(&mut self) {
        self.idle.clear();
    }
}
