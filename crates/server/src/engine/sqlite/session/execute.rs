//! Running portals: from the first step to CommandComplete, with a stop wherever something else has to happen first.

mod time_limit;

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use wire::{backend, sqlstate};

pub(in super::super) use self::time_limit::TimeLimit;
use super::super::command::Command;
use super::super::ffi::{Failure, Statement};
use super::super::sql_error::SqlError;
use super::super::translate::translate;
use super::super::types::Value;
use super::commands::Outcome;
use super::copying::CopyOut;
use super::plan::{self, Action, Plan, SqlPlan, Tag};
use super::portal::{Portal, State, write_row};
use super::transaction::Block;
use super::{SqliteSession, shortest};
use crate::engine::{InterruptReason, OUTPUT_BYTES, Step};

/// A portal being run on behalf of a Query, an Execute or a FETCH.
pub(super) struct Execution {
    pub portal: Portal,
    /// Where the portal is kept when it has rows left.
    pub name: Option<String>,
    /// Rows returned by it.
    pub rows: u64,
    /// Rows still wanted; `None` for all.
    pub limit: Option<u64>,
    pub answer: Answer,
    /// RowDescription comes before the rows (simple protocol) and is still to be sent.
    pub describe: bool,
    /// No statement follows that belongs to the same implicit transaction.
    pub last: bool,
    /// When a `pg_sleep` is over.
    pub wake: Option<Duration>,
}

/// What CommandComplete counts.
pub(super) enum Answer {
    /// As the plan says.
    Plan,
    /// `FETCH n`.
    Fetch(u64),
    /// `MOVE n`: the rows are not sent.
    Move(u64),
    /// `COPY n`: the rows go as CopyData.
    Copy(CopyOut),
}

/// How far an execution came.
pub(super) enum Progress {
    /// Finished and answered.
    Complete,
    /// The row limit is reached.
    Suspended,
    /// To be continued.
    Yield(Step),
}

impl SqliteSession {
    /// Runs until the portal ends, the limit is reached or the shell is needed.
    pub(super) fn run(
        &mut self,
        execution: &mut Execution,
        out: &mut BytesMut,
    ) -> Result<Progress, SqlError> {
        if matches!(execution.portal.state, State::Done) && execution.portal.plan.columns.is_empty() {
            let name = execution.name.as_deref().unwrap_or_default();
            let message = format!("portal \"{name}\" cannot be run");
            return Err(SqlError::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        if let State::Ready = execution.portal.state
            && let Some(progress) = self.start(execution, out)?
        {
            return Ok(progress);
        }
        if mem::take(&mut execution.describe) {
            execution.portal.settle_types();
            let Portal { plan, types, formats, .. } = &execution.portal;
            if !plan.columns.is_empty() && !matches!(execution.answer, Answer::Move(_)) {
                plan::describe(&plan.columns, types, formats, out)?;
            }
        }
        self.pump(execution, out)
    }

    /// The first step. `None` when rows may follow.
    fn start(&mut self, execution: &mut Execution, out: &mut BytesMut) -> Result<Option<Progress>, SqlError> {
        let plan = Arc::clone(&execution.portal.plan);
        match &plan.action {
            Action::Empty => {
                backend::empty_query_response(out);
                execution.portal.state = State::Done;
                Ok(Some(Progress::Complete))
            }
            Action::Command(command) => self.start_command(command, &plan, execution, out),
            Action::Sql(sql) => self.start_sql(sql, execution),
        }
    }

    fn start_command(
        &mut self,
        command: &Command,
        plan: &Arc<Plan>,
        execution: &mut Execution,
        out: &mut BytesMut,
    ) -> Result<Option<Progress>, SqlError> {
        self.check_not_failed(command)?;
        match self.command(command, plan, execution, out)? {
            Outcome::Tag(tag) => {
                self.settings().report_changes(out);
                backend::command_complete(out, tag);
                execution.portal.state = State::Done;
                Ok(Some(Progress::Complete))
            }
            Outcome::Rows(rows) => {
                let formats = mem::take(&mut execution.portal.formats);
                execution.portal = Portal { formats, ..Portal::stored(Arc::clone(plan), rows) };
                Ok(None)
            }
            Outcome::Portal => self.start_if_ready(execution, out),
            Outcome::Yield(step) => Ok(Some(Progress::Yield(step))),
        }
    }

    /// A portal that took the place of the command's own.
    fn start_if_ready(
        &mut self,
        execution: &mut Execution,
        out: &mut BytesMut,
    ) -> Result<Option<Progress>, SqlError> {
        match execution.portal.state {
            State::Ready => self.start(execution, out),
            State::Open { .. } | State::Stored(_) | State::CopyIn(_) | State::Done => Ok(None),
        }
    }

    fn start_sql(&mut self, sql: &SqlPlan, execution: &mut Execution) -> Result<Option<Progress>, SqlError> {
        if self.transaction.block == Block::Failed {
            return Err(in_failed_block());
        }
        self.limit.check()?;
        let alone = execution.last
            && execution.portal.plan.columns.is_empty()
            && sql.before.is_empty()
            && !sql.sleeps;
        if let Some(step) = self.prepare_transaction(sql, alone)? {
            return Ok(Some(Progress::Yield(step)));
        }
        self.start_clock();
        if let Some(mention) = &sql.catalog {
            self.prepare_catalog(mention)?;
        }
        for before in &sql.before {
            self.connection.execute(before).map_err(|failure| self.explain(&failure, sql, before))?;
        }
        execution.portal.state = self.open_statement(sql, &execution.portal.parameters)?;
        Ok(None)
    }

    pub(super) fn check_out(&mut self, sql: &SqlPlan) -> Result<Statement, SqlError> {
        let statement = self.cache.check_out(&self.connection, &sql.sql);
        statement.map_err(|failure| self.explain(&failure, sql, &sql.sql))
    }

    /// Binds and makes the first step.
    fn open_statement(&mut self, sql: &SqlPlan, parameters: &[Value]) -> Result<State, SqlError> {
        let mut statement = self.check_out(sql)?;
        for (at, parameter) in sql.binding.iter().enumerate() {
            let value = parameters.get(*parameter).unwrap_or(&Value::Null);
            statement
                .bind(at + 1, value.as_ref())
                .map_err(|failure| self.explain(&failure, sql, &sql.sql))?;
        }
        let row = self.step_statement(&mut statement, sql)?;
        Ok(State::Open { statement, row })
    }

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
            return Err(time_limit::canceled(InterruptReason::Timeout));
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

    fn statement_timeout(&self) -> Duration {
        let own = self.settings().duration("statement_timeout");
        shortest([own, self.shared.limits.statement_timeout]).unwrap_or(Duration::ZERO)
    }

    pub(super) fn step_statement(
        &mut self,
        statement: &mut Statement,
        sql: &SqlPlan,
    ) -> Result<bool, SqlError> {
        let stepped = statement.step();
        self.note_reading();
        stepped.map_err(|failure| {
            statement.reset();
            self.explain(&failure, sql, &sql.sql)
        })
    }

    /// The error of a failure, with its place in the client's text.
    pub(super) fn explain(&self, failure: &Failure, sql: &SqlPlan, text: &str) -> SqlError {
        if failure.primary() == rusqlite::ffi::SQLITE_INTERRUPT {
            return self.limit.check().err().unwrap_or_else(|| time_limit::canceled(InterruptReason::User));
        }
        let mut error = translate(failure, &self.connection, text);
        error.at = error.at.map(|at| sql.source.position(at));
        error
    }

    /// Sends rows until something stops it.
    fn pump(&mut self, execution: &mut Execution, out: &mut BytesMut) -> Result<Progress, SqlError> {
        if let State::CopyIn(_) = execution.portal.state {
            return self.copy_more(execution, out);
        }
        loop {
            if let Some(step) = self.sleep(execution)? {
                return Ok(Progress::Yield(step));
            }
            if out.len() >= OUTPUT_BYTES {
                return Ok(Progress::Yield(Step::Output));
            }
            if !has_row(&execution.portal.state) {
                return self.complete(execution, out).map(|()| Progress::Complete);
            }
            if execution.limit == Some(0) {
                return Ok(Progress::Suspended);
            }
            self.one_row(execution, out)?;
        }
    }

    /// A `pg_sleep` in the step just made: the rest of the statement waits for it.
    fn sleep(&mut self, execution: &mut Execution) -> Result<Option<Step>, SqlError> {
        if let Some(wanted) = self.limit.take_sleep() {
            execution.wake = Some(self.shared.clock.elapsed() + wanted);
        }
        let Some(wake) = execution.wake else { return Ok(None) };
        self.limit.check()?;
        let left = wake.saturating_sub(self.shared.clock.elapsed());
        if left.is_zero() {
            execution.wake = None;
            return Ok(None);
        }
        Ok(Some(Step::Sleep(self.limit.until_deadline(left))))
    }

    fn one_row(&mut self, execution: &mut Execution, out: &mut BytesMut) -> Result<(), SqlError> {
        let Portal { plan, state, types, formats, .. } = &mut execution.portal;
        match state {
            State::Open { statement, row } => {
                match &mut execution.answer {
                    Answer::Move(_) => {}
                    Answer::Copy(copy) => copy.row(types, |at| statement.value(at), out)?,
                    Answer::Plan | Answer::Fetch(_) => {
                        write_row(out, types, formats, |at| statement.value(at))?
                    }
                }
                let Action::Sql(sql) = &plan.action else { unreachable!("BUG: only SQL opens a statement") };
                *row = self.step_statement(statement, sql)?;
            }
            State::Stored(stored) => {
                let row = stored.pop_front().expect("BUG: there is a row");
                if !matches!(execution.answer, Answer::Move(_)) {
                    write_row(out, types, formats, |at| row[at].as_ref())?;
                }
            }
            State::Ready | State::CopyIn(_) | State::Done => unreachable!("BUG: there is a row"),
        }
        execution.rows += 1;
        execution.limit = execution.limit.map(|limit| limit - 1);
        execution.answer.count();
        Ok(())
    }

    /// The portal has no rows left: closes it and says so.
    fn complete(&mut self, execution: &mut Execution, out: &mut BytesMut) -> Result<(), SqlError> {
        let plan = Arc::clone(&execution.portal.plan);
        let changes = self.connection.changes();
        if let State::Open { statement, .. } = mem::replace(&mut execution.portal.state, State::Done)
            && let Action::Sql(sql) = &plan.action
        {
            self.finish_statement(sql, statement, plan.keep);
        }
        let tag = match (&execution.answer, &plan.action) {
            (Answer::Copy(copy), _) => {
                copy.end(out)?;
                format!("COPY {}", copy.rows)
            }
            (Answer::Fetch(rows), _) => format!("FETCH {rows}"),
            (Answer::Move(rows), _) => format!("MOVE {rows}"),
            (Answer::Plan, Action::Sql(sql)) => sql.tag.complete(execution.rows, changes),
            (Answer::Plan, Action::Command(_) | Action::Empty) => "SHOW".to_owned(),
        };
        backend::command_complete(out, tag);
        Ok(())
    }

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

    /// SQLite has committed: tells the others.
    pub(super) fn settle(&mut self) {
        self.note_reading();
        if mem::take(&mut self.transaction.schema_changed) {
            self.shared.schema.fetch_add(1, Ordering::SeqCst);
        }
        self.transaction.release_writer(&self.shared.commits);
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
    fn store_portals(&mut self) -> Result<(), SqlError> {
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

    /// In a failed block only its end is heard.
    pub(super) fn check_not_failed(&self, command: &Command) -> Result<(), SqlError> {
        let ends =
            matches!(command, Command::Commit { .. } | Command::Rollback { .. } | Command::RollbackTo(_));
        if self.transaction.block == Block::Failed && !ends { Err(in_failed_block()) } else { Ok(()) }
    }
}

fn has_row(state: &State) -> bool {
    match state {
        State::Open { row, .. } => *row,
        State::Stored(rows) => !rows.is_empty(),
        State::Ready | State::CopyIn(_) | State::Done => false,
    }
}

pub(super) fn in_failed_block() -> SqlError {
    let message = "current transaction is aborted, commands ignored until end of transaction block";
    SqlError::new(sqlstate::IN_FAILED_SQL_TRANSACTION, message)
}

impl Answer {
    fn count(&mut self) {
        match self {
            Answer::Plan | Answer::Copy(_) => {}
            Answer::Fetch(rows) | Answer::Move(rows) => *rows += 1,
        }
    }
}

impl Tag {
    fn complete(&self, rows: u64, changes: i64) -> String {
        match self {
            Tag::Select => format!("SELECT {rows}"),
            Tag::Insert => format!("INSERT 0 {changes}"),
            Tag::Changes(verb) => format!("{verb} {changes}"),
            Tag::Word(word) => word.clone(),
        }
    }

    fn verb(&self) -> &str {
        match self {
            Tag::Select => "SELECT",
            Tag::Insert => "INSERT",
            Tag::Changes(verb) => verb,
            Tag::Word(word) => word,
        }
    }
}
