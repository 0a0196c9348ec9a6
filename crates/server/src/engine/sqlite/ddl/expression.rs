//! Expressions that are kept in the file.

use super::super::functions;
use super::super::infer::Moments;
use super::super::lexer::{Kind as TokenKind, Lexer, quote_text};
use super::super::rewrite::{self, Schema};
use super::super::sql::{self, Core, Expr, Item, Kind, Query, Select, Statement};
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;

/// A version 4 UUID in plain SQLite.
const RANDOM_UUID: &str = "(lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || \
     substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))";

/// An expression of CHECK, a generated column or an index in plain SQLite.
///
/// # Errors
/// 0A000 when it calls a function that plain SQLite does not have.
pub(super) fn stored(text: &str, schema: &dyn Schema) -> Result<String, SqlError> {
    let written = rewritten(text, schema)?;
    match foreign_function(&written) {
        Some(name) => Err(SqlError::unsupported(format!("{name}() in a stored definition"))),
        None => Ok(written),
    }
}

/// As [`stored`], in views: they may use our functions, and only they become unreadable without this engine.
pub(super) fn rewritten(text: &str, schema: &dyn Schema) -> Result<String, SqlError> {
    let mut tokens = Tokens::statement(text, 0);
    let whole = tokens.rest();
    let Some(expr) = sql::expression(&mut tokens).filter(|_| tokens.is_empty()) else {
        return Ok(text.to_owned());
    };
    let select = Select { items: vec![Item { expr, alias: None, alias_span: None }], ..Select::default() };
    let query =
        Query { cores: vec![Core::Select(Box::new(select))], span: whole.clone(), ..Query::default() };
    let rewritten =
        rewrite::rewrite_stored(text, whole, &Statement::Query(Box::new(query)), schema, &Moments::new())?;
    Ok(rewritten.map_or_else(|| text.to_owned(), |rewritten| rewritten.sql))
}

/// A column's default.
pub(super) fn default(text: &str, schema: &dyn Schema) -> Result<String, SqlError> {
    let mut tokens = Tokens::statement(text, 0);
    match sql::expression(&mut tokens) {
        Some(expr) => of_expr(&expr, text, schema),
        None => Ok(format!("({text})")),
    }
}

fn of_expr(expr: &Expr, text: &str, schema: &dyn Schema) -> Result<String, SqlError> {
    let written = &text[expr.span.clone()];
    match &expr.kind {
        // `'x'::text`, as pg_dump writes.
        Kind::Cast { operand, .. } => of_expr(operand, text, schema),
        Kind::AtTimeZone { operand, .. } => of_expr(operand, text, schema),
        Kind::Nested(inner) => of_expr(inner, text, schema),
        Kind::Text(text) => Ok(quote_text(text)),
        Kind::Null | Kind::Bool | Kind::Integer | Kind::Decimal | Kind::Blob => Ok(written.to_owned()),
        Kind::Prefix { operator, operand }
            if operator == "-" && matches!(operand.kind, Kind::Integer | Kind::Decimal) =>
        {
            Ok(written.to_owned())
        }
        Kind::Call(call) => match call.name.as_str() {
            "now"
            | "current_timestamp"
            | "localtimestamp"
            | "clock_timestamp"
            | "statement_timestamp"
            | "transaction_timestamp" => Ok("CURRENT_TIMESTAMP".to_owned()),
            "timezone" => Ok("CURRENT_TIMESTAMP".to_owned()),
            "current_date" => Ok("CURRENT_DATE".to_owned()),
            "current_time" | "localtime" => Ok("CURRENT_TIME".to_owned()),
            "gen_random_uuid" | "uuid_generate_v4" => Ok(RANDOM_UUID.to_owned()),
            "nextval" => Err(SqlError::unsupported("a sequence")),
            _other => Ok(format!("({})", stored(written, schema)?)),
        },
        _other => Ok(format!("({})", stored(written, schema)?)),
    }
}

/// A function in the text that plain SQLite does not have.
fn foreign_function(text: &str) -> Option<String> {
    let mut tokens = Lexer::new(text).peekable();
    while let Some(token) = tokens.next() {
        let called = tokens.peek().is_some_and(|next| next.is(text, "("));
        let name = token.text(text).to_ascii_lowercase();
        if token.kind == TokenKind::Word && called && functions::is_ours(&name) {
            return Some(name);
        }
    }
    None
}
