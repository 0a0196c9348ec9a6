//! The extended protocol: prepared statements and portals, in pipelines that end with Sync.

use std::sync::Arc;

use bytes::BytesMut;
use wire::frontend::{Bind, Target};
use wire::list::Oids;
use wire::{Format, backend, sqlstate};

use super::super::sql_error::SqlError;
use super::super::types::{Type, Value, input};
use super::execute::{Answer, Execution, Progress};
use super::plan::{self, Action, Plan};
use super::portal::Portal;
use super::{Flow, SqliteSession, Work};

/// A statement that the client prepared.
pub(super) struct Prepared {
    pub plan: Arc<Plan>,
    /// As the client declared them.
    pub declared: Vec<Type>,
}

/// An error, and the text its position counts in.
type Failed = (SqlError, Arc<str>);

impl SqliteSession {
    pub(super) fn parse(
        &mut self,
        name: &str,
        sql: &str,
        types: Oids<'_>,
        out: &mut BytesMut,
    ) -> Result<(), Failed> {
        let failed = |error: SqlError| (error, Arc::from(sql));
        let declared: Vec<Type> = types.iter().map(Type::new).collect();
        if !name.is_empty() && self.statements.contains_key(name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(failed(SqlError::new(sqlstate::DUPLICATE_PREPARED_STATEMENT, message)));
        }
        let plan = self.plan_once(sql, &declared).map_err(failed)?;
        self.statements.insert(name.to_owned(), Prepared { plan, declared });
        backend::parse_complete(out);
        Ok(())
    }

    /// The plan of a prepared statement, made anew when the schema has changed since.
    pub(super) fn prepared(&mut self, name: &str) -> Result<Arc<Plan>, SqlError> {
        let Some(Prepared { plan, declared }) = self.statements.get(name) else {
            let message = if name.is_empty() {
                "unnamed prepared statement does not exist".to_owned()
            } else {
                format!("prepared statement \"{name}\" does not exist")
            };
            return Err(SqlError::new(sqlstate::INVALID_SQL_STATEMENT_NAME, message));
        };
        if plan.generation == self.generation() || !matches!(plan.action, Action::Sql(_)) {
            return Ok(Arc::clone(plan));
        }
        let (old, declared) = (Arc::clone(plan), declared.clone());
        let new = self.plan_once(&old.text, &declared)?;
        let shape = |plan: &Plan| {
            plan.columns.iter().map(|column| (column.name.clone(), column.ty)).collect::<Vec<_>>()
        };
        if shape(&old) != shape(&new) {
            return Err(SqlError::new(
                sqlstate::FEATURE_NOT_SUPPORTED,
                "cached plan must not change result type",
            ));
        }
        self.statements.insert(name.to_owned(), Prepared { plan: Arc::clone(&new), declared });
        Ok(new)
    }

    pub(super) fn bind(&mut self, bind: &Bind<'_>, out: &mut BytesMut) -> Result<(), Failed> {
        let plan = self.prepared(bind.statement).map_err(|error| (error, Arc::from("")))?;
        let text = Arc::clone(&plan.text);
        let portal = self.make_portal(plan, bind).map_err(|error| (error, text))?;
        self.portals.insert(bind.portal.to_owned(), portal);
        backend::bind_complete(out);
        Ok(())
    }

    fn make_portal(&mut self, plan: Arc<Plan>, bind: &Bind<'_>) -> Result<Portal, SqlError> {
        if let Action::Command(command) = &plan.action {
            self.check_not_failed(command)?;
        } else if self.transaction.block == super::Block::Failed {
            return Err(super::execute::in_failed_block());
        }
        if bind.parameters.len() != plan.parameters.len() {
            let message = format!(
                "bind message supplies {} parameters, but prepared statement \"{}\" requires {}",
                bind.parameters.len(),
                bind.statement,
                plan.parameters.len()
            );
            return Err(SqlError::new(sqlstate::PROTOCOL_VIOLATION, message));
        }
        match self.portals.remove(bind.portal) {
            Some(old) if bind.portal.is_empty() => self.close_portal(old),
            Some(old) => {
                self.portals.insert(bind.portal.to_owned(), old);
                let message = format!("cursor \"{}\" already exists", bind.portal);
                return Err(SqlError::new(sqlstate::DUPLICATE_CURSOR, message));
            }
            None => {}
        }
        let mut parameters = Vec::with_capacity(bind.parameters.len());
        for (at, (bytes, ty)) in bind.parameters.iter().zip(&plan.parameters).enumerate() {
            let format = bind.parameter_formats.of(at);
            parameters.push(bytes.map_or(Ok(Value::Null), |bytes| input::decode(*ty, format, bytes))?);
        }
        bind.result_formats.check_columns(plan.columns.len()).or_else(|error| {
            // A statement without rows takes any formats.
            if plan.columns.is_empty() { Ok(()) } else { Err(error) }
        })?;
        let formats: Vec<Format> = (0..plan.columns.len()).map(|at| bind.result_formats.of(at)).collect();
        Ok(Portal { formats, ..Portal::new(plan, parameters) })
    }

    pub(super) fn describe(&mut self, target: Target<'_>, out: &mut BytesMut) -> Result<(), Failed> {
        let nothing = |error| (error, Arc::from(""));
        match target {
            Target::Statement(name) => {
                let plan = self.prepared(name).map_err(nothing)?;
                let types: Vec<_> = plan.parameters.iter().map(|ty| ty.oid).collect();
                backend::parameter_description(out, &types).map_err(|error| nothing(error.into()))?;
                describe_columns(&plan, &[], out).map_err(nothing)
            }
            Target::Portal(name) => {
                let portal = self.portals.get(name).ok_or_else(|| nothing(no_portal(name)))?;
                describe_columns(&portal.plan, &portal.formats, out).map_err(nothing)
            }
        }
    }

    pub(super) fn execute(&mut self, name: &str, rows_max: u32, out: &mut BytesMut) -> Flow {
        let Some(portal) = self.portals.remove(name) else {
            self.fail(&no_portal(name), "", out);
            self.skipping = true;
            return Flow::Done;
        };
        let execution = Execution {
            portal,
            name: Some(name.to_owned()),
            rows: 0,
            limit: (rows_max > 0).then_some(rows_max.into()),
            answer: Answer::Plan,
            describe: false,
            last: self.input.front().is_some_and(|(tag, _)| *tag == wire::frontend::tag::SYNC),
            wake: None,
        };
        self.run_execute(execution, out)
    }

    pub(super) fn run_execute(&mut self, mut execution: Execution, out: &mut BytesMut) -> Flow {
        let progress = self.run(&mut execution, out);
        match progress {
            Ok(Progress::Yield(step)) => {
                self.work = Work::Execute(execution);
                Flow::Yield(step)
            }
            Ok(progress) => {
                if let Progress::Suspended = progress {
                    self.suspended(&mut execution, out);
                }
                let Execution { portal, name, .. } = execution;
                match name {
                    Some(name) => drop(self.portals.insert(name, portal)),
                    None => self.close_portal(portal),
                }
                Flow::Done
            }
            Err(error) => {
                let text = Arc::clone(&execution.portal.plan.text);
                self.close_portal(execution.portal);
                self.fail(&error, &text, out);
                self.skipping = true;
                Flow::Done
            }
        }
    }

    /// The row limit is reached: of the Execute, or of the FETCH inside it.
    pub(super) fn suspended(&mut self, execution: &mut Execution, out: &mut BytesMut) {
        match &execution.answer {
            Answer::Plan | Answer::Copy(_) => backend::portal_suspended(out),
            Answer::Fetch(rows) => backend::command_complete(out, format_args!("FETCH {rows}")),
            Answer::Move(rows) => backend::command_complete(out, format_args!("MOVE {rows}")),
        }
    }

    pub(super) fn close(&mut self, target: Target<'_>, out: &mut BytesMut) -> Result<(), Failed> {
        match target {
            Target::Statement(name) => drop(self.statements.remove(name)),
            Target::Portal(name) => {
                self.portals.remove(name).into_iter().for_each(|portal| self.close_portal(portal))
            }
        }
        backend::close_complete(out);
        Ok(())
    }

    pub(super) fn sync(&mut self, out: &mut BytesMut) -> Flow {
        self.skipping = false;
        if matches!(self.transaction.block, super::Block::None | super::Block::Implicit) {
            if let Err(error) = self.commit_implicit() {
                self.fail(&error, "", out);
            }
            self.drop_portals();
        }
        self.ready(out);
        Flow::Done
    }
}

fn describe_columns(plan: &Plan, formats: &[Format], out: &mut BytesMut) -> Result<(), SqlError> {
    if plan.columns.is_empty() {
        backend::no_data(out);
        return Ok(());
    }
    plan::describe(&plan.columns, &[], formats, out)
}

pub(super) fn no_portal(name: &str) -> SqlError {
    SqlError::new(sqlstate::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}
