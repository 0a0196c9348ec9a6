//! Running portals: from the first step to CommandComplete, with a stop wherever something else has to happen first.

mod time_limit;

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use wire::{backend, sqlstate};

pub(in super::super) use self::time_limit::TimeLimit;
pub(super) use self::time_limit::canceled;
use super::super::command::Command;
use super::super::ffi::{Failure, Statement};
use super::super::sql_error::SqlError;
use super::super::translate::translate;
use super::super::types::Value;
use super::SqliteSession;
use super::commands::Outcome;
use super::copying::CopyOut;
use super::plan::{self, Action, Plan, SqlPlan, Tag};
use super::portal::{Portal, State, write_row};
use super::transaction::Block;
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
        // It may take long: who may write now need not wait for that.
        drop(self.transaction.next_writer());
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
    pub(super) fn open_statement(&mut self, sql: &SqlPlan, parameters: &[Value]) -> Result<State, SqlError> {
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
        let tag = match (&mut execution.answer, &plan.action) {
            (Answer::Copy(copy), _) => {
                copy.end(out)?;
                format!("COPY {}", copy.rows)
            }
            (Answer::Fetch(rows), _) => format!("FETCH {rows}"),
            (Answer::Move(rows), _) => format!("MOVE {rows}"),
            (Answer::Plan, Action::Sql(sql)) => sql.tag.complete(execution.rows, changes),
            (Answer::Plan, Action::Command(Command::Explain { .. })) => "EXPLAIN".to_owned(),
            (Answer::Plan, Action::Command(_) | Action::Empty) => "SHOW".to_owned(),
        };
        backend::command_complete(out, tag);
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

    pub(super) fn verb(&self) -> &str {
        match self {
            Tag::Select => "SELECT",
            Tag::Insert => "INSERT",
            Tag::Changes(verb) => verb,
            Tag::Word(word) => word,
        }
    }
}
