//! Columns and parameters of a compiled statement.

use std::borrow::Cow;

use wire::sqlstate;

use super::super::super::catalog::tables as catalog;
use super::super::super::ffi::Statement;
use super::super::super::infer::Inferred;
use super::super::super::sql_error::SqlError;
use super::super::super::types::Type;
use super::super::plan::Column;
use super::super::schema::View;
use super::Reading;

/// What a plan has to know.
pub(super) struct Described {
    /// For each of SQLite's parameters, which of the client's it is.
    pub binding: Vec<usize>,
    pub parameters: Vec<Type>,
    pub columns: Vec<Column>,
}

pub(super) fn describe(
    statement: &Statement,
    reading: &Reading<'_>,
    view: &View<'_>,
    declared: &[Type],
) -> Result<Described, SqlError> {
    let binding = binding(statement)?;
    let count = binding.iter().map(|at| at + 1).max().unwrap_or(0).max(declared.len());
    let plain = columns(statement, view);
    let undeclared = (0..count).any(|at| declared.get(at).is_none_or(|ty| !ty.oid.is_specified()));
    let nothing = Inferred::default();
    let guess = undeclared || plain.iter().any(|column| column.ty.is_none());
    let inferred = if guess { reading.inferred(view, declared) } else { &nothing };
    let parameter = |at: usize| {
        let declared = declared.get(at).copied().filter(|ty| ty.oid.is_specified());
        declared.or_else(|| inferred.parameters.get(at).copied().flatten()).unwrap_or(Type::TEXT)
    };
    let parameters = (0..count).map(parameter).collect();
    Ok(Described { binding, parameters, columns: completed(plain, inferred) })
}

/// Only `$n` is a parameter in PostgreSQL.
fn binding(statement: &Statement) -> Result<Vec<usize>, SqlError> {
    let number = |at: usize| {
        let name = statement.parameter_name(at).map_or(Cow::Borrowed("?"), Cow::Owned);
        let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
        match number {
            Some(number @ 1..=65_535) => Ok(number - 1),
            Some(_) | None => {
                Err(SqlError::new(sqlstate::SYNTAX_ERROR, format!("syntax error at or near \"{name}\"")))
            }
        }
    };
    (1..=statement.parameter_count()).map(number).collect()
}

/// What SQLite and the tables say.
fn columns(statement: &Statement, view: &View<'_>) -> Vec<Column> {
    let column = |at| {
        let name = statement.column_name(at);
        let ty = statement.declared_type(at).and_then(|declared| Type::declared(&declared));
        let Some((schema, table, origin)) = statement.origin(at) else {
            return Column { name, ty, table: 0, attribute: 0 };
        };
        if schema == catalog::SCHEMA {
            return Column { name, ty: catalog::column_type(&table, &origin).or(ty), table: 0, attribute: 0 };
        }
        let Some(table) = view.table(&table) else { return Column { name, ty, table: 0, attribute: 0 } };
        let place = table.columns.iter().position(|column| column.name == origin);
        let attribute = place.and_then(|place| i16::try_from(place + 1).ok()).unwrap_or(0);
        let ty = place.and_then(|place| table.columns[place].ty).or(ty);
        Column { name, ty, table: if attribute == 0 { 0 } else { table.oid }, attribute }
    };
    (0..statement.column_count()).map(column).collect()
}

/// Names and types of computed columns from the words, where they fit.
fn completed(mut plain: Vec<Column>, inferred: &Inferred) -> Vec<Column> {
    if plain.len() != inferred.columns.len() {
        return plain;
    }
    for (column, guess) in plain.iter_mut().zip(&inferred.columns) {
        column.ty = column.ty.or(guess.ty);
        if guess.computed || column.table == 0 {
            column.name.clone_from(&guess.name);
        }
    }
    plain
}
