//! PREPARE, EXECUTE and DEALLOCATE in SQL. They share their names with the protocol's prepared statements.

use wire::{Format, sqlstate};

use super::super::super::ffi::ValueRef;
use super::super::super::sql_error::SqlError;
use super::super::super::translate::translate;
use super::super::super::types::{Type, Value, input, text};
use super::super::SqliteSession;
use super::super::execute::Execution;
use super::super::extended::Prepared;
use super::super::plan::Plan;
use super::super::portal::Portal;
use super::Outcome;

impl SqliteSession {
    pub(super) fn prepare(&mut self, name: &str, types: &[Type], sql: &str) -> Result<Outcome, SqlError> {
        if self.statements.contains_key(name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(SqlError::new(sqlstate::DUPLICATE_PREPARED_STATEMENT, message));
        }
        let plan = self.plan_once(sql, types)?;
        self.statements.insert(name.to_owned(), Prepared { plan, declared: types.to_vec() });
        Ok(Outcome::Tag("PREPARE".to_owned()))
    }

    /// Puts the prepared statement in the place of the EXECUTE.
    pub(super) fn execute_prepared(
        &mut self,
        name: &str,
        arguments: &str,
        execution: &mut Execution,
    ) -> Result<Outcome, SqlError> {
        let plan = self.prepared(name)?;
        let parameters = self.arguments(&plan, name, arguments)?;
        let formats = std::mem::take(&mut execution.portal.formats);
        execution.portal = Portal::new(plan, parameters);
        if formats.len() == execution.portal.formats.len() {
            execution.portal.formats = formats;
        }
        Ok(Outcome::Portal)
    }

    /// SQLite evaluates the arguments; each becomes a value of its parameter's type.
    fn arguments(&mut self, plan: &Plan, name: &str, arguments: &str) -> Result<Vec<Value>, SqlError> {
        let mut values = Vec::new();
        if !arguments.trim().is_empty() {
            let sql = format!("SELECT {arguments}");
            let fail = |failure| translate(&failure, &self.connection, &sql);
            let compiled = self.connection.prepare(&sql, false).map_err(fail)?;
            if let Some(mut statement) = compiled.statement.filter(|statement| !statement.writes()) {
                statement.step().map_err(fail)?;
                values = (0..statement.column_count()).map(|at| Value::from(statement.value(at))).collect();
            }
        }
        if values.len() != plan.parameters.len() {
            let message = format!("wrong number of parameters for prepared statement \"{name}\"");
            let detail = format!("Expected {} parameters but got {}.", plan.parameters.len(), values.len());
            return Err(SqlError::new(sqlstate::SYNTAX_ERROR, message).detail(detail));
        }
        values.iter().zip(&plan.parameters).map(|(value, ty)| convert(*ty, value.as_ref())).collect()
    }

    pub(super) fn deallocate(&mut self, name: Option<&str>) -> Result<Outcome, SqlError> {
        match name {
            None => self.statements.clear(),
            Some(name) => {
                self.prepared(name)?;
                self.statements.remove(name);
            }
        }
        Ok(Outcome::Tag(if name.is_none() { "DEALLOCATE ALL" } else { "DEALLOCATE" }.to_owned()))
    }
}

/// A value as a parameter of the type, by way of its text.
fn convert(ty: Type, value: ValueRef<'_>) -> Result<Value, SqlError> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Blob(_) => Ok(Value::from(value)),
        value => {
            let mut written = bytes::BytesMut::new();
            text::write(Type::TEXT, value, &mut written);
            input::decode(ty, Format::Text, &written)
        }
    }
}
