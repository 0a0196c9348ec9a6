//! From text to plan.
//!
//! SQLite sees the text as it is first; only what it does not understand, or understands differently, is rewritten.

mod describe;
mod tag;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use wire::sqlstate;

use super::super::catalog;
use super::super::command::{self, Command};
use super::super::ddl::{self, Definition};
use super::super::ffi::{Compiled, Failure, Statement};
use super::super::infer::{self, Inferred};
use super::super::lexer::Kind;
use super::super::rewrite::{self, Rewritten};
use super::super::sql;
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::super::translate::translate;
use super::super::types::{Type, input};
use super::SqliteSession;
use super::copying::copied_query;
use super::execute::in_failed_block;
use super::plan::{Action, Plan, SourceMap, SqlPlan};
use super::schema::View;
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

/// A statement's words, understood as far as somebody asks.
struct Reading<'a> {
    tokens: &'a Tokens<'a>,
    /// It mentions the catalogs, whose names and types SQLite does not know.
    catalog: bool,
    statement: OnceCell<Option<sql::Statement>>,
    inferred: OnceCell<Inferred>,
}

impl<'a> Reading<'a> {
    fn new(tokens: &'a Tokens<'a>, catalog: bool) -> Self {
        Self { tokens, catalog, statement: OnceCell::new(), inferred: OnceCell::new() }
    }

    fn statement(&self) -> Option<&sql::Statement> {
        self.statement.get_or_init(|| sql::parse(self.tokens.clone())).as_ref()
    }

    fn inferred(&self, view: &View<'_>, declared: &[Type]) -> &Inferred {
        self.inferred.get_or_init(|| {
            self.statement().map(|statement| infer::infer(statement, view, declared)).unwrap_or_default()
        })
    }
}

/// A text that SQLite takes, compiled.
struct Ready {
    sql: Arc<str>,
    statement: Statement,
    source: SourceMap,
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
        if let Action::Sql(_) = planned.plan.action {
            self.plans.0.insert(text, (declared.to_vec(), Arc::clone(&planned.plan)));
        }
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
        let whole = tokens.clone();
        let action = if tokens.is_empty() {
            Some(Action::Empty)
        } else {
            command::parse(&mut tokens)?.map(Action::Command)
        };
        let plan = match action {
            Some(action) => self.plan_command(text, action, declared, keep)?,
            None if self.transaction.block == Block::Failed => return Err(in_failed_block()),
            None => match self.definition(&whole)? {
                Some(definition) => {
                    self.plan_command(text, Action::Command(Command::Define(definition)), declared, keep)?
                }
                None => self.plan_sql(text, &whole, declared, keep)?,
            },
        };
        Ok(Planned { plan: Arc::new(plan), end })
    }

    /// The definition that the statement is, if it is one.
    fn definition(&self, tokens: &Tokens<'_>) -> Result<Option<Definition>, SqlError> {
        let first = ["create", "alter", "drop", "truncate", "reindex", "analyze", "analyse"];
        if !first.iter().any(|word| tokens.is_word(word)) {
            return Ok(None);
        }
        ddl::rewrite(tokens, &View::new(&self.connection, &self.known, self.generation()))
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
            let query = match command {
                Command::Declare { query, .. } => Some(text[query.clone()].to_owned()),
                Command::Copy(copy) => Some(copied_query(copy, text)),
                _no_query => None,
            };
            if let Some(query) = query {
                inner = Some(self.plan_inner(&query, declared)?);
            }
            if let Command::Explain { query } = command {
                inner = Some(self.plan(&text[query.clone()].into(), 0, declared, false)?.plan);
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
        tokens: &Tokens<'_>,
        declared: &[Type],
        keep: bool,
    ) -> Result<Plan, SqlError> {
        let generation = self.generation();
        let catalog = catalog::mentions(tokens);
        if let Some(mention) = &catalog {
            self.prepare_catalog(mention)?;
        }
        let reading = Reading::new(tokens, catalog.is_some());
        let Ready { sql, statement, source } = self.make_ready(text, &reading, declared)?;
        let view = View::new(&self.connection, &self.known, generation);
        let described = describe::describe(&statement, &reading, &view, declared)?;
        let plan = SqlPlan {
            before: Vec::new(),
            writes: statement.writes(),
            changes_schema: ["create", "drop", "alter", "reindex"].iter().any(|word| tokens.is_word(word)),
            sleeps: contains_sleep(&sql),
            tag: tag::of(tokens.clone()),
            binding: described.binding,
            source,
            sql: Arc::clone(&sql),
            catalog,
        };
        self.cache.check_in(&sql, statement, true);
        let (text, action) = (Arc::clone(text), Action::Sql(plan));
        Ok(Plan {
            text,
            action,
            parameters: described.parameters,
            columns: described.columns,
            inner: None,
            generation,
            keep,
        })
    }

    /// Compiles the statement, rewritten where it has to be.
    fn make_ready(
        &self,
        text: &Arc<str>,
        reading: &Reading<'_>,
        declared: &[Type],
    ) -> Result<Ready, SqlError> {
        let range = reading.tokens.rest();
        let as_it_is = || self.ready_as_it_is(text, range.clone());
        let first = if reading.catalog || needs_rewriting(reading.tokens) { None } else { Some(as_it_is()) };
        if let Some(Ok(ready)) = first {
            return Ok(ready);
        }
        let view = View::new(&self.connection, &self.known, self.generation());
        let rewritten = match reading.statement() {
            Some(statement) => {
                let inferred = reading.inferred(&view, declared);
                rewrite::rewrite(text, range.clone(), statement, &view, inferred)?
            }
            None => None,
        };
        match rewritten {
            Some(rewritten) => self.ready_rewritten(rewritten),
            None => first.unwrap_or_else(as_it_is),
        }
    }

    fn ready_as_it_is(&self, text: &Arc<str>, range: Range<usize>) -> Result<Ready, SqlError> {
        let sql: Arc<str> =
            if range.len() == text.len() { Arc::clone(text) } else { text[range.clone()].into() };
        self.compile_ready(sql, SourceMap::shifted(range.start))
    }

    fn ready_rewritten(&self, rewritten: Rewritten) -> Result<Ready, SqlError> {
        self.compile_ready(rewritten.sql.into(), SourceMap(rewritten.map))
    }

    fn compile_ready(&self, sql: Arc<str>, source: SourceMap) -> Result<Ready, SqlError> {
        let compiled = self.compile(&sql).map_err(|failure| {
            let mut error = translate(&failure, &self.connection, &sql);
            error.at = error.at.map(|at| source.position(at));
            error
        });
        compiled.map(|statement| Ready { sql, statement, source })
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

/// Words that SQLite accepts with another meaning: casts to types it does not have, arrays, intervals, typed literals,
/// patterns in which a backslash protects.
fn needs_rewriting(tokens: &Tokens<'_>) -> bool {
    let mut tokens = tokens.clone();
    let sql = tokens.sql;
    while let Some(token) = tokens.advance() {
        let suspicious = match token.kind {
            // SQLite takes all of `$1::int` for the name of a parameter.
            Kind::Punctuation => matches!(token.text(sql), "[" | "::"),
            // Sums may be of dates.
            Kind::Operator => matches!(token.text(sql), "+" | "-"),
            Kind::Word => match token.text(sql).len() {
                4 => {
                    token.is_word(sql, "cast")
                        || token.is_word(sql, "like")
                        || (token.is_word(sql, "date") || token.is_word(sql, "time"))
                            && before_string(&tokens)
                }
                8 => token.is_word(sql, "interval"),
                9 => token.is_word(sql, "timestamp") && before_string(&tokens),
                _length => false,
            },
            // SQLite compares a boolean with such a text as a number with a text.
            Kind::String => is_truth(token.text(sql)),
            Kind::Quoted
            | Kind::Escaped
            | Kind::Dollar
            | Kind::Blob
            | Kind::Bits
            | Kind::Number
            | Kind::Parameter
            | Kind::Broken => false,
        };
        if suspicious {
            return true;
        }
    }
    false
}

/// `'t'`, `'false'` and the like.
fn is_truth(literal: &str) -> bool {
    let text = literal.trim_matches('\'');
    !text.is_empty() && text.len() <= 5 && input::boolean(text.as_bytes()).is_some()
}

fn before_string(tokens: &Tokens<'_>) -> bool {
    tokens.peek().is_some_and(|token| token.kind == Kind::String)
}

fn contains_sleep(sql: &str) -> bool {
    sql.as_bytes().windows(8).any(|window| window.eq_ignore_ascii_case(b"pg_sleep"))
}
