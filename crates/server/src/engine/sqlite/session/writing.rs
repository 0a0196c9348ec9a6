//! Becoming the writer: the permit, SQLite's transaction, and how long to wait for them.

use std::time::Duration;

use wire::{
    Frame,
    frontend::{Message, tag},
    sqlstate,
};

use super::super::sql_error::SqlError;
use super::super::translate::translate;
use super::execute::canceled;
use super::plan::SqlPlan;
use super::transaction::Block;
use super::{SqliteSession, Work, shortest};
use crate::engine::{InterruptReason, Step};

impl SqliteSession {
    /// Gets the permit and opens what the statement needs; `Some` when the shell has to wait first.
    /// A write that is `alone` needs no block: SQLite commits it in its last step, and nothing can fail after that.
    pub(super) fn prepare_transaction(
        &mut self,
        sql: &SqlPlan,
        alone: bool,
    ) -> Result<Option<Step>, SqlError> {
        if !sql.writes {
            let opened = self.transaction.open_for_read(&self.connection);
            return opened.map(|()| None).map_err(|failure| self.explain(&failure, sql, ""));
        }
        if self.transaction.read_only {
            let verb = sql.tag.verb();
            let message = format!("cannot execute {verb} in a read-only transaction");
            return Err(SqlError::new(sqlstate::READ_ONLY_SQL_TRANSACTION, message));
        }
        if let Some(step) = self.ask_to_write()? {
            return Ok(Some(step));
        }
        if self.transaction.block == Block::None && !alone {
            self.transaction.block = Block::Implicit;
        }
        self.open_for_write().map(|()| None)
    }

    /// Whether the next frame begins with a write, for which the session is still to become the writer. Looks at its first
    /// word or its plan: where that is wrong, it has waited in vain.
    pub(super) fn writes_next(&self) -> bool {
        let idle = matches!(self.work, Work::None) && !self.skipping && !self.closed;
        let free = self.transaction.block != Block::Failed && !self.transaction.read_only;
        let Some((tag, body)) = self.input.front() else { return false };
        if !idle || !free || self.transaction.has_permit() {
            return false;
        }
        match Message::decode(Frame { tag: *tag, body }) {
            Ok(Message::Query { sql }) => begins_with_write(sql),
            Ok(Message::Parse { name, sql, .. }) => begins_with_write(sql) && self.runs_first(name),
            Ok(Message::Bind(bind)) => {
                let prepared = self.statements.get(bind.statement);
                prepared.is_some_and(|prepared| prepared.plan.writes()) && self.runs_first(bind.statement)
            }
            _other => false,
        }
    }

    /// Whether the frames up to the next Sync run this statement before any other: a read must not wait for a writer.
    fn runs_first(&self, statement: &str) -> bool {
        let mut series = self.input.iter().take_while(|(tag, _)| *tag != tag::SYNC);
        let bound = series.find(|(tag, _)| *tag == tag::BIND);
        let bound = bound.map(|(tag, body)| Message::decode(Frame { tag: *tag, body }));
        let first = matches!(bound, Some(Ok(Message::Bind(bind))) if bind.statement == statement);
        first && series.any(|(tag, _)| *tag == tag::EXECUTE)
    }

    /// Gets the writer permit, at once or through the shell.
    pub(super) fn ask_to_write(&mut self) -> Result<Option<Step>, SqlError> {
        if self.transaction.has_permit() {
            self.waiting_since = None;
            return Ok(None);
        }
        if let Some(permit) = self.shared.queue.try_acquire() {
            self.waiting_since = None;
            self.transaction.grant(permit);
            return Ok(None);
        }
        let now = self.shared.clock.elapsed();
        let waited = now.saturating_sub(*self.waiting_since.get_or_insert(now));
        let lock_timeout = self.settings().duration("lock_timeout");
        let statement_timeout = self.statement_timeout();
        if !lock_timeout.is_zero() && waited >= lock_timeout {
            self.waiting_since = None;
            return Err(SqlError::new(
                sqlstate::LOCK_NOT_AVAILABLE,
                "canceling statement due to lock timeout",
            ));
        }
        if !statement_timeout.is_zero() && waited >= statement_timeout {
            self.waiting_since = None;
            return Err(canceled(InterruptReason::Timeout));
        }
        let bound = shortest([lock_timeout, statement_timeout]).map(|bound| bound.saturating_sub(waited));
        Ok(Some(Step::Writer(bound)))
    }

    /// Opens SQLite's transaction where there is a block. Cursors that are open on an older snapshot are read to their ends
    /// first: SQLite would refuse to write from it.
    pub(super) fn open_for_write(&mut self) -> Result<(), SqlError> {
        let opened = self.transaction.open_for_write(&self.connection);
        let opened = match opened {
            Err(failure) if failure.primary() == rusqlite::ffi::SQLITE_BUSY && !self.portals.is_empty() => {
                self.store_portals()?;
                self.transaction.open_for_write(&self.connection)
            }
            opened => opened,
        };
        opened.map_err(|failure| translate(&failure, &self.connection, ""))
    }

    pub(super) fn start_clock(&self) {
        if matches!(self.transaction.block, Block::None | Block::Implicit) {
            self.facts.stop_clock();
        }
        self.settings().enter_block(self.transaction.block != Block::None);
        self.limit.start(self.statement_timeout());
    }

    pub(super) fn statement_timeout(&self) -> Duration {
        let own = self.settings().duration("statement_timeout");
        shortest([own, self.shared.limits.statement_timeout]).unwrap_or(Duration::ZERO)
    }
}

fn begins_with_write(sql: &str) -> bool {
    let sql = sql.trim_ascii_start();
    let word = sql.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["insert", "update", "delete"].iter().any(|write| word.eq_ignore_ascii_case(write))
}
