//! COPY: a query whose rows go out as CopyData, or CopyData whose rows go into a table.

use std::sync::Arc;

use bytes::BytesMut;
use wire::frontend::Message;
use wire::{Format, Frame, backend, sqlstate};

use super::super::command::{CopyFormat, CopyOptions, CopySource, CopyStatement};
use super::super::copy::{Cell, Reader, Writer};
use super::super::ffi::{Statement, ValueRef};
use super::super::lexer::quote_name;
use super::super::sql_error::SqlError;
use super::super::types::{Type, Value, binary, input, text};
use super::SqliteSession;
use super::commands::Outcome;
use super::execute::{Answer, Execution, Progress};
use super::plan::{Action, Column, Plan, SqlPlan};
use super::portal::{Portal, State};
use crate::engine::Step;

/// A COPY FROM STDIN under way.
pub(super) struct CopyIn {
    reader: Reader,
    table: String,
    columns: Vec<Column>,
    format: Format,
    plan: Arc<Plan>,
    statement: Statement,
    options: CopyOptions,
    rows: u64,
}

/// A COPY TO STDOUT under way.
pub(super) struct CopyOut {
    writer: Writer,
    /// The binary file's header, which goes with the first row.
    head: BytesMut,
    pub rows: u64,
}

/// The query whose rows and columns a COPY is about.
pub(super) fn copied_query(copy: &CopyStatement, text: &str) -> String {
    match &copy.source {
        CopySource::Query(query) => text[query.clone()].to_owned(),
        CopySource::Table { name, columns, .. } if columns.is_empty() => {
            format!("SELECT * FROM {}", quote_name(name))
        }
        CopySource::Table { name, columns, .. } => {
            format!("SELECT {} FROM {}", names(columns), quote_name(name))
        }
    }
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|name| quote_name(name)).collect::<Vec<_>>().join(", ")
}

impl SqliteSession {
    pub(super) fn copy(
        &mut self,
        copy: &CopyStatement,
        plan: &Arc<Plan>,
        execution: &mut Execution,
        out: &mut BytesMut,
    ) -> Result<Outcome, SqlError> {
        let inner = plan.inner.as_ref().expect("BUG: COPY is planned with its query");
        if copy.from {
            self.copy_in(copy, inner, execution, out)
        } else {
            copy_out(copy, inner, execution, out)
        }
    }

    fn copy_in(
        &mut self,
        copy: &CopyStatement,
        inner: &Arc<Plan>,
        execution: &mut Execution,
        out: &mut BytesMut,
    ) -> Result<Outcome, SqlError> {
        let CopySource::Table { name, .. } = &copy.source else {
            return Err(SqlError::unsupported("COPY (query) FROM"));
        };
        let columns = inner.columns.clone();
        let places: Vec<String> = (1..=columns.len()).map(|at| format!("${at}")).collect();
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            quote_name(name),
            self::names(&names),
            places.join(", ")
        );
        let plan = self.plan_once(&sql, &[])?;
        let Action::Sql(insert) = &plan.action else { unreachable!("BUG: INSERT is SQL") };
        if let Some(step) = self.prepare_transaction(insert, false)? {
            return Ok(Outcome::Yield(step));
        }
        self.start_clock();
        let statement = self.check_out(insert)?;
        let format = if copy.options.format == CopyFormat::Binary { Format::Binary } else { Format::Text };
        backend::copy_in_response(out, format, columns.len())?;
        let reader = Reader::new(copy.options.clone());
        let options = copy.options.clone();
        let copy_in = CopyIn {
            reader,
            table: name.clone(),
            columns,
            format,
            plan: Arc::clone(&plan),
            statement,
            options,
            rows: 0,
        };
        execution.portal.state = State::CopyIn(Box::new(copy_in));
        Ok(Outcome::Portal)
    }

    /// Takes what has come from the client.
    pub(super) fn copy_more(
        &mut self,
        execution: &mut Execution,
        out: &mut BytesMut,
    ) -> Result<Progress, SqlError> {
        let State::CopyIn(copy) = &mut execution.portal.state else {
            unreachable!("BUG: a COPY FROM is under way")
        };
        let plan = Arc::clone(&copy.plan);
        let Action::Sql(insert) = &plan.action else { unreachable!("BUG: INSERT is SQL") };
        while let Some((tag, body)) = self.input.pop_front() {
            self.limit.check()?;
            match Message::decode(Frame { tag, body: &body })? {
                Message::CopyData(data) => {
                    copy.reader.push(data);
                    self.copy_rows(copy, insert, false)?;
                }
                Message::CopyDone => {
                    self.copy_rows(copy, insert, true)?;
                    return self.copied(execution, insert, out);
                }
                Message::CopyFail { reason } => {
                    let message = format!("COPY from stdin failed: {reason}");
                    return Err(SqlError::new(sqlstate::QUERY_CANCELED, message));
                }
                // A pipeline may have sent them ahead of the data.
                Message::Flush | Message::Sync => {}
                Message::Terminate => {
                    self.closed = true;
                    return Ok(Progress::Yield(Step::Closed));
                }
                _other => {
                    let message = format!("unexpected message type 0x{tag:02X} during COPY from stdin");
                    return Err(SqlError::new(sqlstate::PROTOCOL_VIOLATION, message));
                }
            }
        }
        Ok(Progress::Yield(Step::Idle))
    }

    fn copy_rows(&mut self, copy: &mut CopyIn, insert: &SqlPlan, last: bool) -> Result<(), SqlError> {
        loop {
            let row = copy.reader.row(last).map_err(|error| copy.place(error, None))?;
            let Some(row) = row else { return Ok(()) };
            copy.bind(row, insert)?;
            let stepped = copy.statement.step();
            self.note_reading();
            stepped.map_err(|failure| {
                copy.statement.rewind();
                copy.place(self.explain(&failure, insert, &insert.sql).nowhere(), None)
            })?;
            copy.statement.rewind();
            copy.rows += 1;
        }
    }

    fn copied(
        &mut self,
        execution: &mut Execution,
        insert: &SqlPlan,
        out: &mut BytesMut,
    ) -> Result<Progress, SqlError> {
        let State::CopyIn(copy) = std::mem::replace(&mut execution.portal.state, State::Done) else {
            unreachable!("BUG: a COPY FROM is under way")
        };
        self.finish_statement(insert, copy.statement, true);
        backend::command_complete(out, format_args!("COPY {}", copy.rows));
        Ok(Progress::Complete)
    }
}

impl CopyIn {
    fn bind(&mut self, row: Vec<Cell>, insert: &SqlPlan) -> Result<(), SqlError> {
        if row.len() != self.columns.len() {
            let error = match self.columns.get(row.len()) {
                Some(missing) => format!("missing data for column \"{}\"", missing.name),
                None => "extra data after last expected column".to_owned(),
            };
            return Err(self.place(SqlError::new(sqlstate::BAD_COPY_FILE_FORMAT, error), None));
        }
        for (at, parameter) in insert.binding.iter().enumerate() {
            let value = self.value(*parameter, row[*parameter].as_deref())?;
            let bound = self.statement.bind(at + 1, value.as_ref());
            bound.map_err(|failure| SqlError::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, failure.message))?;
        }
        Ok(())
    }

    fn value(&self, column: usize, cell: Option<&[u8]>) -> Result<Value, SqlError> {
        let name = &self.columns[column].name;
        let ty = self.columns[column].type_or_text();
        match cell {
            None if self.options.force_not_null.contains(name) => Ok(Value::Text(self.options.null.clone())),
            None => Ok(Value::Null),
            Some(cell) if self.options.force_null.contains(name) && cell == self.options.null.as_bytes() => {
                Ok(Value::Null)
            }
            Some(cell) => input::decode(ty, self.format, cell).map_err(|error| self.place(error, Some(name))),
        }
    }

    /// Says which line and column an error is about.
    fn place(&self, error: SqlError, column: Option<&str>) -> SqlError {
        let column = column.map(|column| format!(", column {column}")).unwrap_or_default();
        error.context(format!("COPY {}, line {}{column}", self.table, self.reader.line))
    }
}

fn copy_out(
    copy: &CopyStatement,
    inner: &Arc<Plan>,
    execution: &mut Execution,
    out: &mut BytesMut,
) -> Result<Outcome, SqlError> {
    let names: Vec<String> = inner.columns.iter().map(|column| column.name.clone()).collect();
    let writer = Writer::new(copy.options.clone(), &names);
    let format = if writer.is_binary() { Format::Binary } else { Format::Text };
    backend::copy_out_response(out, format, names.len())?;
    let mut head = BytesMut::new();
    writer.head(&names, &mut head);
    if !writer.is_binary() && !head.is_empty() {
        backend::copy_data(out, &head)?;
        head.clear();
    }
    execution.portal = Portal::new(Arc::clone(inner), std::mem::take(&mut execution.portal.parameters));
    execution.answer = Answer::Copy(CopyOut { writer, head, rows: 0 });
    execution.describe = false;
    Ok(Outcome::Portal)
}

impl CopyOut {
    /// Appends one row as CopyData.
    pub fn row<'a>(
        &mut self,
        types: &[Type],
        value: impl Fn(usize) -> ValueRef<'a>,
        out: &mut BytesMut,
    ) -> Result<(), SqlError> {
        let mut cells: Vec<Option<BytesMut>> = Vec::with_capacity(types.len());
        for (at, ty) in types.iter().enumerate() {
            let mut cell = BytesMut::new();
            cells.push(match value(at) {
                ValueRef::Null => None,
                value if self.writer.is_binary() => {
                    binary::write(*ty, value, &mut cell)?;
                    Some(cell)
                }
                value => {
                    text::write(*ty, value, &mut cell);
                    Some(cell)
                }
            });
        }
        let mut line = std::mem::take(&mut self.head);
        self.writer.row(cells.iter().map(Option::as_deref), &mut line);
        backend::copy_data(out, &line)?;
        self.rows += 1;
        Ok(())
    }

    /// Ends the data.
    pub fn end(&mut self, out: &mut BytesMut) -> Result<(), SqlError> {
        let mut tail = std::mem::take(&mut self.head);
        self.writer.tail(&mut tail);
        if !tail.is_empty() {
            backend::copy_data(out, &tail)?;
        }
        backend::copy_done(out);
        Ok(())
    }
}
