//! Extended queries: the messages of a series, but for its end.

use std::sync::Arc;

use bytes::BytesMut;
use wire::{
    Format,
    backend::{self, TransactionStatus},
    frontend::{Bind, Target},
    oid, sqlstate,
};

use super::{Job, Local, Reply, Todo, portal::Portal};
use crate::{
    admin::{self, Statement},
    failure::Failure,
    limits::LOCAL_STATEMENTS_MAX,
};

impl Local {
    pub(super) fn parse(&mut self, name: &str, sql: &str, out: &mut BytesMut) -> Todo {
        match self.prepare(name, sql) {
            Ok(()) => backend::parse_complete(out),
            Err(failure) => self.fail_series(&failure, Some(sql), out),
        }
        Todo::Next
    }

    fn prepare(&mut self, name: &str, sql: &str) -> Result<(), Failure> {
        let mut statements = self.statements_of(sql)?;
        if statements.len() > 1 {
            let text = "cannot insert multiple commands into a prepared statement";
            return Err(Failure::new(sqlstate::SYNTAX_ERROR, text));
        }
        // An empty statement does nothing, like these.
        let statement = statements.pop().unwrap_or(Statement::Nothing { tag: "" });
        let ends_transaction = matches!(statement, Statement::Commit | Statement::Rollback);
        if self.status == TransactionStatus::Failed && !ends_transaction {
            return Err(self.take_transaction_failed());
        }
        if !name.is_empty() && self.statements.contains_key(name) {
            let text = format!("prepared statement \"{name}\" already exists");
            return Err(Failure::new(sqlstate::DUPLICATE_PREPARED_STATEMENT, text));
        }
        room(self.statements.len(), "prepared statements")?;
        self.statements.insert(name.to_owned(), Arc::new(statement));
        Ok(())
    }

    fn statement(&self, name: &str) -> Result<&Arc<Statement>, Failure> {
        self.statements.get(name).ok_or_else(|| match self.status {
            TransactionStatus::Failed => self.transaction_failed(),
            TransactionStatus::Idle | TransactionStatus::InTransaction => {
                let text = format!("prepared statement \"{name}\" does not exist");
                Failure::new(sqlstate::INVALID_SQL_STATEMENT_NAME, text)
            }
        })
    }

    pub(super) fn bind(&mut self, bind: &Bind<'_>, out: &mut BytesMut) -> Result<Todo, Failure> {
        let statement = self.statement(bind.statement)?.clone();
        room(self.portals.len(), "portals")?;
        let wanted = statement.parameters();
        if bind.parameters.len() != wanted {
            let text = format!(
                "bind message supplies {} parameters, but {wanted} are needed",
                bind.parameters.len()
            );
            return Err(Failure::new(sqlstate::PROTOCOL_VIOLATION, text));
        }
        let columns = statement.columns().map_or(0, |columns| columns.len());
        bind.result_formats.check_columns(columns).map_err(|error| Failure::from(&error))?;
        let text = |value: &[u8]| {
            String::from_utf8(value.to_vec()).map_err(|_| {
                Failure::new(
                    sqlstate::CHARACTER_NOT_IN_REPERTOIRE,
                    "invalid byte sequence for encoding \"UTF8\"",
                )
            })
        };
        let parameters: Result<Vec<_>, _> =
            bind.parameters.iter().map(|value| value.map(text).transpose()).collect();
        let mut portal = Portal::new(statement, bind.result_formats.iter().collect());
        portal.parameters = parameters?;
        self.portals.insert(bind.portal.to_owned(), portal);
        backend::bind_complete(out);
        Ok(Todo::Next)
    }

    fn portal(&mut self, name: &str) -> Result<&mut Portal, Failure> {
        let text =
            || Failure::new(sqlstate::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"));
        self.portals.get_mut(name).ok_or_else(text)
    }

    pub(super) fn describe(&mut self, target: Target<'_>, out: &mut BytesMut) -> Result<Todo, Failure> {
        let (statement, formats): (_, Vec<Format>) = match target {
            Target::Statement(name) => {
                let statement = self.statement(name)?.clone();
                let types = vec![oid::TEXT; statement.parameters()];
                backend::parameter_description(out, &types).map_err(|error| Failure::from(&error))?;
                (statement, Vec::new())
            }
            Target::Portal(name) => {
                let portal = self.portal(name)?;
                (portal.statement.clone(), portal.formats.clone())
            }
        };
        match statement.columns() {
            Some(columns) => {
                admin::write_columns(out, &columns, &formats).map_err(|error| Failure::from(&error))?;
            }
            None => backend::no_data(out),
        }
        Ok(Todo::Next)
    }

    pub(super) fn close(&mut self, target: Target<'_>, out: &mut BytesMut) {
        match target {
            Target::Statement(name) => {
                self.statements.remove(name);
            }
            Target::Portal(name) => {
                self.portals.remove(name);
            }
        }
        backend::close_complete(out);
    }

    pub(super) fn execute(&mut self, name: &str, rows_max: u32, out: &mut BytesMut) -> Result<Todo, Failure> {
        let portal = self.portal(name)?;
        if portal.is_filled() {
            portal.write(rows_max, out).map_err(|error| Failure::from(&error))?;
            return Ok(Todo::Next);
        }
        let (statement, parameters) = (portal.statement.clone(), portal.parameters.clone());
        if *statement == (Statement::Nothing { tag: "" }) {
            backend::empty_query_response(out);
            return Ok(Todo::Next);
        }
        if self.begin(&statement, out)? {
            return Ok(Todo::Next);
        }
        Ok(Todo::Run(Job { statement, parameters, reply: Reply::Portal { name: name.to_owned(), rows_max } }))
    }
}

fn room(count: usize, what: &str) -> Result<(), Failure> {
    if count < LOCAL_STATEMENTS_MAX {
        return Ok(());
    }
    let text = format!("a session has at most {LOCAL_STATEMENTS_MAX} {what} at the handler");
    Err(Failure::new(sqlstate::CONFIGURATION_LIMIT_EXCEEDED, text))
}
