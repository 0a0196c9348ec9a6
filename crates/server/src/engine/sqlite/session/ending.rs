//! How statements, portals and transactions end.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use wire::sqlstate;

use super::super::ffi::Statement;
use super::super::sql_error::SqlError;
use super::super::translate::translate;
use super::super::types::Value;
use super::SqliteSession;
use super::plan::{Action, SqlPlan};
use super::portal::{Portal, State};
use super::transaction::Block;

impl SqliteSession {
    /// Puts a statement back; outside a block its work is committed now.
    pub(super) fn finish_statement(&mut self, sql: &SqlPlan, statement: Statement, keep: bool) {
        self.cache.check_in(&sql.sql, statement, keep);
        if sql.changes_schema {
            self.schema_changed();
            self.transaction.schema_changed = true;
        }
        if self.transaction.block == Block::None {
            self.settle();
        }
    }

    /// SQLite has committed: tells the others. The journal is told when the request is answered.
    pub(super) fn settle(&mut self) {
        self.note_reading();
        if mem::take(&mut self.transaction.schema_changed) {
            self.shared.schema.fetch_add(1, Ordering::SeqCst);
        }
        self.transaction.release_writer(&self.shared.commits);
    }

    /// Gives to the journal what was committed, with the request that it belongs to, and lets the next writer in.
    /// Before the request is answered that is: it is done, and nobody will know its answer.
    pub(super) fn publish(&mut self, out: &[u8]) {
        if !self.transaction.has_permit() || !self.shared.commits.waiting() {
            return;
        }
        let requests = &mut self.requests;
        self.shared.commits.publish(|| requests.outcomes(out));
        if !self.transaction.is_open() {
            self.transaction.release_writer(&self.shared.commits);
        }
    }

    /// Commits what an implicit block did.
    pub(super) fn commit_implicit(&mut self) -> Result<(), SqlError> {
        if self.transaction.block != Block::Implicit {
            return Ok(());
        }
        self.commit()
    }

    /// Commits the block, whichever kind, and ends it.
    pub(super) fn commit(&mut self) -> Result<(), SqlError> {
        if let Err(error) = self.hold_cursors() {
            self.roll_back();
            return Err(error);
        }
        let committed = self.transaction.commit(&self.connection);
        if let Err(failure) = committed {
            let error = translate(&failure, &self.connection, "");
            self.abandon();
            self.transaction.end();
            self.settings().transaction_ended(false);
            return Err(error);
        }
        self.settle();
        self.transaction.end();
        self.settings().transaction_ended(true);
        Ok(())
    }

    /// Rolls the block back and ends it.
    pub(super) fn roll_back(&mut self) {
        self.drop_portals();
        self.abandon();
        self.transaction.end();
        self.settings().transaction_ended(false);
    }

    /// Portals end with their transaction, all but cursors WITH HOLD of earlier ones.
    pub(super) fn drop_portals(&mut self) {
        let held = |portal: &Portal| {
            portal.cursor.is_some_and(|cursor| cursor.hold)
                && matches!(portal.state, State::Stored(_) | State::Done)
        };
        let portals = mem::take(&mut self.portals);
        let (kept, dropped): (Vec<_>, Vec<_>) = portals.into_iter().partition(|(_, portal)| held(portal));
        self.portals.extend(kept);
        dropped.into_iter().for_each(|(_, portal)| self.close_portal(portal));
    }

    pub(super) fn drop_all_portals(&mut self) {
        let portals = mem::take(&mut self.portals);
        portals.into_values().for_each(|portal| self.close_portal(portal));
    }

    /// Ends a portal before its end. A write outside a block is complete after its first step and commits now.
    pub(super) fn close_portal(&mut self, portal: Portal) {
        if let (State::Open { statement, .. }, Action::Sql(sql)) = (portal.state, &portal.plan.action) {
            self.finish_statement(sql, statement, portal.plan.keep);
        }
    }

    /// Reads every open portal to its end, so that its snapshot can go.
    pub(super) fn store_portals(&mut self) -> Result<(), SqlError> {
        for (name, mut portal) in mem::take(&mut self.portals) {
            let stored = self.store(&mut portal);
            self.portals.insert(name, portal);
            stored?;
        }
        Ok(())
    }

    /// Cursors WITH HOLD outlive the transaction by their rows.
    fn hold_cursors(&mut self) -> Result<(), SqlError> {
        let held: Vec<String> = self
            .portals
            .iter()
            .filter(|(_, portal)| portal.cursor.is_some_and(|cursor| cursor.hold))
            .map(|(name, _)| name.clone())
            .collect();
        for name in held {
            let mut portal = self.portals.remove(&name).expect("BUG: listed above");
            let stored = self.store(&mut portal);
            self.portals.insert(name, portal);
            stored?;
        }
        self.drop_portals();
        Ok(())
    }

    /// Runs a cursor WITH HOLD that was declared outside a block, whose transaction ends at once.
    pub(super) fn start_and_hold(&mut self, name: &str) -> Result<(), SqlError> {
        let mut portal = self.portals.remove(name).ok_or_else(|| super::extended::no_portal(name))?;
        let plan = Arc::clone(&portal.plan);
        if let Action::Sql(sql) = &plan.action {
            portal.state = self.open_statement(sql, &portal.parameters)?;
            self.store(&mut portal)?;
        }
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    fn store(&mut self, portal: &mut Portal) -> Result<(), SqlError> {
        let plan = Arc::clone(&portal.plan);
        let Action::Sql(sql) = &plan.action else { return Ok(()) };
        portal.settle_types();
        let (mut statement, mut row) = match mem::replace(&mut portal.state, State::Done) {
            State::Open { statement, row } => (statement, row),
            other => {
                portal.state = other;
                return Ok(());
            }
        };
        let (mut rows, mut bytes) = (VecDeque::new(), 0);
        while row {
            let values: Vec<Value> =
                (0..plan.columns.len()).map(|at| Value::from(statement.value(at))).collect();
            bytes += values.iter().map(Value::bytes).sum::<usize>();
            if bytes > self.shared.limits.value_bytes_max as usize {
                let message = "a cursor that outlives its snapshot has too many rows left to keep";
                return Err(SqlError::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, message));
            }
            rows.push_back(values);
            row = self.step_statement(&mut statement, sql)?;
        }
        self.cache.check_in(&sql.sql, statement, plan.keep);
        portal.state = State::Stored(rows);
        Ok(())
    }
}
