//! From text to plan.
//!
//! SQLite sees the text as it is first; only what it does not understand is rewritten.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use wire::sqlstate;

use super::super::command;
use super::super::ffi::{Compiled, Failure, Statement};
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::super::translate::translate;
use super::super::types::Type;
use super::SqliteSession;
use super::execute::in_failed_block;
use super::plan::{Action, Column, Plan, SourceMap, SqlPlan, Tag};
use super::transaction::Block;

/// Plans kept by text; all are dropped when there are more.
const PLANS_MAX: usize = 256;

/// Plans of texts that are parsed again and again, with the types their clients declared.
#[derive(Default)]
pub(super) struct Plans(HashMap<Arc<str>, (Vec<Type>, Arc<Plan>)>);

/// A plan and where the next statement starts.
pub(super) struct Planned {
    pub plan: Arc<Plan>,
    pub end: usize,
}

impl SqliteSession {
    /// Plans the one statement of a text that the client prepares, from memory where possible.
    pub(super) fn plan_once(&mut self, text: &str, declared: &[Type]) -> Result<Arc<Plan>, SqlError> {
        let generation = self.generation();
        if let Some((types, plan)) = self.plans.0.get(text)
            && types == declared
            && plan.generation == generation
            && self.transaction.block != Block::Failed
        {
            return Ok(Arc::clone(plan));
        }
        let text: Arc<str> = text.into();
        let planned = self.plan(&text, 0, declared, true)?;
        let following = Tokens::statement(&text, planned.end);
        if !following.is_empty() {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(SqlError::new(sqlstate::SYNTAX_ERROR, message));
        }
        if self.plans.0.len() >= PLANS_MAX {
            self.plans.0.clear();
        }
        self.plans.0.insert(text, (declared.to_vec(), Arc::clone(&planned.plan)));
        Ok(planned.plan)
    }

    /// Plans the statement that starts at `from`.
    pub(super) fn plan(
        &mut self,
        text: &Arc<str>,
        from: usize,
        declared: &[Type],
        keep: bool,
    ) -> Result<Planned, SqlError> {
        let mut tokens = Tokens::statement(text, from);
        let end = tokens.end();
        tokens.check_closed()?;
        let range = tokens.rest();
        let action = if tokens.is_empty() {
            Some(Action::Empty)
        } else {
            command::parse(&mut tokens)?.map(Action::Command)
        };
        let plan = match action {
            Some(action) => self.plan_command(text, action, declared, keep)?,
            None if self.transaction.block == Block::Failed => return Err(in_failed_block()),
            None => self.plan_sql(text, range, declared, keep)?,
        };
        Ok(Planned { plan: Arc::new(plan), end })
    }

    fn plan_command(
        &mut self,
        text: &Arc<str>,
        action: Action,
        declared: &[Type],
        keep: bool,
    ) -> Result<Plan, SqlError> {
        let (mut inner, mut columns) = (None, Vec::new());
        if let Action::Command(command) = &action {
            self.check_not_failed(command)?;
            columns = self.command_columns(command)?;
            if let Some(query) = command.query() {
                inner = Some(self.plan_inner(&text[query], declared)?);
            }
        }
        let parameters = inner.as_ref().map_or_else(|| declared.to_vec(), |inner| inner.parameters.clone());
        let (text, generation) = (Arc::clone(text), self.generation());
        Ok(Plan { text, action, parameters, columns, inner, generation, keep })
    }

    /// The query inside a command; it must be one that returns rows.
    fn plan_inner(&mut self, query: &str, declared: &[Type]) -> Result<Arc<Plan>, SqlError> {
        let planned = self.plan(&query.into(), 0, declared, false)?;
        match &planned.plan.action {
            Action::Sql(_) if !planned.plan.columns.is_empty() => Ok(planned.plan),
            Action::Sql(_) | Action::Command(_) | Action::Empty => {
                Err(SqlError::new(sqlstate::SYNTAX_ERROR, "this takes only a query that returns rows"))
            }
        }
    }

    fn plan_sql(
        &mut self,
        text: &Arc<str>,
        range: Range<usize>,
        declared: &[Type],
        keep: bool,
    ) -> Result<Plan, SqlError> {
        let source = SourceMap::shifted(range.start);
        let sql: Arc<str> =
            if range.len() == text.len() { Arc::clone(text) } else { text[range.clone()].into() };
        let statement = self.compile(&sql).map_err(|failure| {
            let mut error = translate(&failure, &self.connection, &sql);
            error.at = error.at.map(|at| source.position(at));
            error
        })?;
        let (binding, parameters) = parameters(&statement, declared)?;
        let columns = columns(&statement);
        let first = Tokens::statement(&sql, 0);
        let plan = SqlPlan {
            before: Vec::new(),
            writes: statement.writes(),
            changes_schema: ["create", "drop", "alter", "reindex"].iter().any(|word| first.is_word(word)),
            sleeps: contains_sleep(&sql),
            tag: tag(first),
            binding,
            source,
            sql: Arc::clone(&sql),
        };
        self.cache.check_in(&sql, statement, true);
        Ok(Plan {
            text: Arc::clone(text),
            action: Action::Sql(plan),
            parameters,
            columns,
            inner: None,
            generation: self.generation(),
            keep,
        })
    }

    /// Compiles a text that must be one statement.
    fn compile(&self, sql: &str) -> Result<Statement, Failure> {
        let Compiled { statement, end } = self.connection.prepare(sql, true)?;
        match statement {
            Some(statement) if sql[end..].trim().is_empty() => Ok(statement),
            Some(_) | None => {
                Err(Failure { code: 1, message: "incomplete input".to_owned(), offset: Some(end) })
            }
        }
    }
}

/// For each of SQLite's parameters which of the client's it is, and the types of the client's.
fn parameters(statement: &Statement, declared: &[Type]) -> Result<(Vec<usize>, Vec<Type>), SqlError> {
    let mut binding = Vec::with_capacity(statement.parameter_count());
    for at in 1..=statement.parameter_count() {
        let name = statement.parameter_name(at).unwrap_or_else(|| "?".to_owned());
        let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
        match number {
            Some(number @ 1..=65_535) => binding.push(number - 1),
            Some(_) | None => {
                return Err(SqlError::new(
                    sqlstate::SYNTAX_ERROR,
                    format!("syntax error at or near \"{name}\""),
                ));
            }
        }
    }
    let count = binding.iter().map(|at| at + 1).max().unwrap_or(0).max(declared.len());
    let declared_type = |at: usize| declared.get(at).copied().filter(|ty| ty.oid.is_specified());
    let types = (0..count).map(|at| declared_type(at).unwrap_or(Type::TEXT)).collect();
    Ok((binding, types))
}

fn columns(statement: &Statement) -> Vec<Column> {
    let column = |at| Column {
        name: statement.column_name(at),
        ty: statement.declared_type(at).and_then(|declared| Type::declared(&declared)),
        table: 0,
        attribute: 0,
    };
    (0..statement.column_count()).map(column).collect()
}

fn contains_sleep(sql: &str) -> bool {
    sql.as_bytes().windows(8).any(|window| window.eq_ignore_ascii_case(b"pg_sleep"))
}

/// The word of CommandComplete, from the statement's first words.
fn tag(mut tokens: Tokens<'_>) -> Tag {
    if tokens.is_word("with") {
        skip_to_verb(&mut tokens);
    }
    let word = tokens.name().unwrap_or_default();
    match word.as_str() {
        "select" | "values" | "table" | "with" | "(" | "" => Tag::Select,
        "insert" | "replace" => Tag::Insert,
        "update" => Tag::Changes("UPDATE"),
        "delete" => Tag::Changes("DELETE"),
        "create" | "drop" | "alter" => {
            let noise =
                ["or", "replace", "temp", "temporary", "unique", "virtual", "unlogged", "local", "global"];
            while noise.iter().any(|word| tokens.eat(word)) {}
            let object = tokens.name().unwrap_or_default();
            Tag::Word(format!("{word} {object}").to_uppercase())
        }
        "truncate" => Tag::Word("TRUNCATE TABLE".to_owned()),
        _other => Tag::Word(word.to_uppercase()),
    }
}

/// To the verb after the common table expressions.
fn skip_to_verb(tokens: &mut Tokens<'_>) {
    let start = tokens.position();
    while !tokens.is_empty() {
        if tokens.is("(") {
            if tokens.skip_group().is_err() {
                break;
            }
            continue;
        }
        if ["select", "values", "insert", "replace", "update", "delete"]
            .iter()
            .any(|word| tokens.is_word(word))
        {
            return;
        }
        tokens.advance();
    }
    tokens.rewind(start);
}
