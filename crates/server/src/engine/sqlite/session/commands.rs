//! The session's own statements: transactions, settings, prepared statements.

mod cursors;
mod define;
mod explain;
mod prepared;

use std::sync::Arc;

use bytes::BytesMut;
use rpc::session::PARAM_NUMBER;
use wire::sqlstate;

use super::super::command::{Command, Discard, Isolation, Modes};
use super::super::sql_error::SqlError;
use super::super::translate::translate;
use super::SqliteSession;
use super::execute::Execution;
use super::plan::{Column, Plan};
use super::requests::AnotherSession;
use super::transaction::Block;
use crate::engine::Step;

/// What a command leaves to be done.
pub(super) enum Outcome {
    /// Done: the tag for CommandComplete.
    Tag(String),
    /// Rows of text.
    Rows(Vec<Vec<Option<String>>>),
    /// The execution's portal has been replaced by the one to run.
    Portal,
    /// To be called again.
    Yield(Step),
}

impl SqliteSession {
    /// The columns that a command returns.
    pub(super) fn command_columns(&mut self, command: &Command) -> Result<Vec<Column>, SqlError> {
        match command {
            Command::Show(name) => Ok(vec![Column::text(name)]),
            Command::Explain { .. } => Ok(vec![Column::text("QUERY PLAN")]),
            Command::ShowAll => Ok(["name", "setting", "description"].map(Column::text).to_vec()),
            Command::Fetch { name, discard: false, .. } => Ok(self.cursor(name)?.plan.columns.clone()),
            Command::Execute { name, .. } => Ok(self.prepared(name)?.columns.clone()),
            _no_rows => Ok(Vec::new()),
        }
    }

    pub(super) fn command(
        &mut self,
        command: &Command,
        plan: &Arc<Plan>,
        execution: &mut Execution,
        out: &mut BytesMut,
    ) -> Result<Outcome, SqlError> {
        let tag = |tag: &str| Ok(Outcome::Tag(tag.to_owned()));
        match command {
            Command::Begin(modes) => self.begin(*modes, out),
            Command::Commit { chain } => self.end(true, *chain, out),
            Command::Rollback { chain } => self.end(false, *chain, out),
            Command::Savepoint(name) => self.savepoint(name),
            Command::Release(name) => self.release(name),
            Command::RollbackTo(name) => self.roll_back_to(name),
            Command::SetTransaction { modes, session } => self.set_transaction(*modes, *session, out),
            Command::Set { name, value, local } => self.set(name, value.as_deref(), *local, out),
            Command::Show(name) => Ok(Outcome::Rows(vec![vec![Some(self.show(name)?)]])),
            Command::ShowAll => Ok(Outcome::Rows(self.show_all())),
            Command::Reset(name) => self.reset(name.as_deref()),
            Command::Discard(what) => self.discard(*what),
            Command::Prepare { name, types, sql } => self.prepare(name, types, &plan.text[sql.clone()]),
            Command::Execute { name, arguments } => {
                self.execute_prepared(name, &plan.text[arguments.clone()], execution)
            }
            Command::Deallocate(name) => self.deallocate(name.as_deref()),
            Command::Declare { name, hold, .. } => self.declare(name, *hold, plan, execution),
            Command::Fetch { name, count, discard } => self.fetch(name, *count, *discard, execution),
            Command::Close(name) => self.close_cursor(name.as_deref()),
            Command::Copy(statement) => self.copy(statement, plan, execution, out),
            Command::Define(definition) => self.define(definition),
            Command::Rebuild => self.rebuild(),
            Command::Explain { .. } => self.explain_plan(plan),
            Command::Nothing(word) => tag(word),
            Command::Unsupported(what) => {
                // Handlers answer these, except where nobody could.
                if matches!(*what, "CREATE DATABASE" | "DROP DATABASE" | "ALTER DATABASE") {
                    self.refuse_block(what)?;
                }
                Err(SqlError::unsupported(what))
            }
        }
    }

    fn in_block(&self) -> bool {
        matches!(self.transaction.block, Block::Explicit | Block::Failed)
    }

    /// Some statements make sense only in a transaction block.
    fn require_block(&self, what: &str) -> Result<(), SqlError> {
        if self.in_block() {
            return Ok(());
        }
        let message = format!("{what} can only be used in transaction blocks");
        Err(SqlError::new(sqlstate::NO_ACTIVE_SQL_TRANSACTION, message))
    }

    /// And some only outside of one.
    fn refuse_block(&self, what: &str) -> Result<(), SqlError> {
        if self.transaction.block == Block::None {
            return Ok(());
        }
        let message = format!("{what} cannot run inside a transaction block");
        Err(SqlError::new(sqlstate::ACTIVE_SQL_TRANSACTION, message))
    }

    fn begin(&mut self, modes: Modes, out: &mut BytesMut) -> Result<Outcome, SqlError> {
        if self.in_block() {
            let warning = "there is already a transaction in progress";
            SqlError::warning(sqlstate::ACTIVE_SQL_TRANSACTION, warning).write(out, "");
        } else {
            let defaults = self.default_modes();
            self.transaction.begin(defaults, modes);
            self.facts.stop_clock();
        }
        Ok(Outcome::Tag("BEGIN".to_owned()))
    }

    fn default_modes(&self) -> Modes {
        let settings = self.settings();
        let isolation = settings.get("default_transaction_isolation").as_deref().and_then(Isolation::parse);
        Modes { isolation, read_only: Some(settings.is_on("default_transaction_read_only")) }
    }

    fn end(&mut self, commit: bool, chain: bool, out: &mut BytesMut) -> Result<Outcome, SqlError> {
        let word = if commit { "COMMIT" } else { "ROLLBACK" };
        if !self.in_block() {
            if chain {
                self.require_block(&format!("{word} AND CHAIN"))?;
            }
            let warning = "there is no transaction in progress";
            SqlError::warning(sqlstate::NO_ACTIVE_SQL_TRANSACTION, warning).write(out, "");
        }
        let modes = Modes {
            isolation: Some(self.transaction.isolation),
            read_only: Some(self.transaction.read_only),
        };
        let committed = commit && self.transaction.block != Block::Failed;
        if committed {
            self.commit()?;
        } else {
            self.roll_back();
        }
        if chain {
            self.transaction.begin(modes, Modes::default());
        }
        Ok(Outcome::Tag(if committed { "COMMIT" } else { "ROLLBACK" }.to_owned()))
    }

    fn savepoint(&mut self, name: &str) -> Result<Outcome, SqlError> {
        self.require_block("SAVEPOINT")?;
        let mark = self.settings().mark();
        let set = self.transaction.savepoint(&self.connection, name.to_owned(), mark);
        set.map_err(|failure| translate(&failure, &self.connection, ""))?;
        Ok(Outcome::Tag("SAVEPOINT".to_owned()))
    }

    fn release(&mut self, name: &str) -> Result<Outcome, SqlError> {
        self.require_block("RELEASE SAVEPOINT")?;
        let released = self.transaction.release(&self.connection, name);
        if !released.map_err(|failure| translate(&failure, &self.connection, ""))? {
            return Err(no_savepoint(name));
        }
        Ok(Outcome::Tag("RELEASE".to_owned()))
    }

    fn roll_back_to(&mut self, name: &str) -> Result<Outcome, SqlError> {
        self.require_block("ROLLBACK TO SAVEPOINT")?;
        self.drop_portals();
        let rolled_back = self.transaction.rollback_to(&self.connection, name);
        let Some(mark) = rolled_back.map_err(|failure| translate(&failure, &self.connection, ""))? else {
            return Err(no_savepoint(name));
        };
        self.transaction.block = Block::Explicit;
        self.settings().undo_to(mark);
        if self.transaction.schema_changed {
            self.schema_changed();
        }
        Ok(Outcome::Tag("ROLLBACK".to_owned()))
    }

    fn set_transaction(
        &mut self,
        modes: Modes,
        session: bool,
        out: &mut BytesMut,
    ) -> Result<Outcome, SqlError> {
        if session {
            let block = self.transaction.block != Block::None;
            let mut settings = self.settings();
            if let Some(isolation) = modes.isolation {
                settings.set("default_transaction_isolation", Some(isolation.name()), false, block)?;
            }
            if let Some(read_only) = modes.read_only {
                let value = if read_only { "on" } else { "off" };
                settings.set("default_transaction_read_only", Some(value), false, block)?;
            }
        } else if self.in_block() {
            self.change_modes(modes)?;
        } else {
            let warning = "SET TRANSACTION can only be used in transaction blocks";
            SqlError::warning(sqlstate::NO_ACTIVE_SQL_TRANSACTION, warning).write(out, "");
        }
        Ok(Outcome::Tag("SET".to_owned()))
    }

    fn change_modes(&mut self, modes: Modes) -> Result<(), SqlError> {
        let changed = modes.isolation.is_some_and(|isolation| isolation != self.transaction.isolation);
        if changed && self.transaction.is_open() {
            let message = "SET TRANSACTION ISOLATION LEVEL must be called before any query";
            return Err(SqlError::new(sqlstate::ACTIVE_SQL_TRANSACTION, message));
        }
        self.transaction.set_modes(modes);
        Ok(())
    }

    fn set(
        &mut self,
        name: &str,
        value: Option<&str>,
        local: bool,
        out: &mut BytesMut,
    ) -> Result<Outcome, SqlError> {
        if local && !self.in_block() {
            let warning = "SET LOCAL can only be used in transaction blocks";
            SqlError::warning(sqlstate::NO_ACTIVE_SQL_TRANSACTION, warning).write(out, "");
        }
        match name {
            "transaction_isolation" => {
                let isolation = value.and_then(Isolation::parse);
                self.change_modes(Modes { isolation, read_only: None })?;
            }
            PARAM_NUMBER => {
                let (session, next) = value.and_then(|value| value.split_once(' ')).ok_or_else(no_handler)?;
                let session = session.parse().map_err(|_| no_handler())?;
                let next = next.parse().map_err(|_| no_handler())?;
                self.requests.renumber(session, next).map_err(|AnotherSession| no_handler())?;
                return Ok(Outcome::Tag("SET".to_owned()));
            }
            "transaction_read_only" => {
                let read_only = value.and_then(|value| super::super::types::input::boolean(value.as_bytes()));
                self.change_modes(Modes { isolation: None, read_only })?;
            }
            _setting => {}
        }
        let block = self.transaction.block != Block::None;
        self.settings().set(name, value, local, block)?;
        Ok(Outcome::Tag("SET".to_owned()))
    }

    fn show(&self, name: &str) -> Result<String, SqlError> {
        match name {
            "transaction_isolation" if self.in_block() => Ok(self.transaction.isolation.name().to_owned()),
            "transaction_read_only" if self.in_block() => {
                Ok(if self.transaction.read_only { "on" } else { "off" }.to_owned())
            }
            "transaction_isolation" => self.settings().show("default_transaction_isolation"),
            "transaction_read_only" => self.settings().show("default_transaction_read_only"),
            name => self.settings().show(name),
        }
    }

    fn show_all(&self) -> Vec<Vec<Option<String>>> {
        let all = self.settings().all();
        all.into_iter()
            .map(|(name, value, about)| vec![Some(name), Some(value), Some(about.to_owned())])
            .collect()
    }

    fn reset(&mut self, name: Option<&str>) -> Result<Outcome, SqlError> {
        let block = self.transaction.block != Block::None;
        match name {
            Some(name) => self.settings().set(name, None, false, block)?,
            None => self.settings().reset_all(block),
        }
        Ok(Outcome::Tag("RESET".to_owned()))
    }

    fn discard(&mut self, what: Discard) -> Result<Outcome, SqlError> {
        let tag = match what {
            Discard::Plans => "DISCARD PLANS",
            Discard::Sequences => "DISCARD SEQUENCES",
            Discard::Temporary => {
                self.drop_temporary()?;
                "DISCARD TEMP"
            }
            Discard::All => {
                self.refuse_block("DISCARD ALL")?;
                self.drop_all_portals();
                self.statements.clear();
                self.settings().reset_all(false);
                self.drop_temporary()?;
                "DISCARD ALL"
            }
        };
        Ok(Outcome::Tag(tag.to_owned()))
    }

    /// Drops the session's temporary tables and views.
    fn drop_temporary(&mut self) -> Result<(), SqlError> {
        let names =
            "SELECT group_concat('DROP ' || type || ' temp.\"' || replace(name, '\"', '\"\"') || '\"', ';')
                     FROM sqlite_temp_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'";
        // It takes no permit, for it changes nothing that others see: it must not look like a commit that is to come.
        self.guard.trust(true);
        let drop = super::super::connect::text(&self.connection, names)
            .and_then(|sql| self.connection.execute(&sql));
        self.guard.trust(false);
        drop.map_err(|failure| translate(&failure, &self.connection, ""))?;
        self.schema_changed();
        Ok(())
    }

    /// Rewrites the whole file, as VACUUM FULL does in PostgreSQL.
    fn rebuild(&mut self) -> Result<Outcome, SqlError> {
        self.refuse_block("VACUUM")?;
        if let Some(step) = self.ask_to_write()? {
            return Ok(Outcome::Yield(step));
        }
        self.start_clock();
        self.guard.allow_attach(true);
        let rebuilt = self.connection.execute("VACUUM");
        self.guard.allow_attach(false);
        rebuilt.map_err(|failure| match self.limit.check() {
            Err(canceled) => canceled,
            Ok(()) => translate(&failure, &self.connection, ""),
        })?;
        self.settle();
        Ok(Outcome::Tag("VACUUM".to_owned()))
    }
}

/// It is between handlers and servers.
/// Only a handler knows its session's id.
fn no_handler() -> SqlError {
    let message = format!("permission denied to set parameter \"{PARAM_NUMBER}\"");
    SqlError::new(sqlstate::INSUFFICIENT_PRIVILEGE, message)
}

fn no_savepoint(name: &str) -> SqlError {
    let message = format!("savepoint \"{name}\" does not exist");
    SqlError::new(sqlstate::INVALID_SAVEPOINT_SPECIFICATION, message)
}
