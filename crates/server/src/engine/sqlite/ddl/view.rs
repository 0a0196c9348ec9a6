//! CREATE VIEW.

use super::super::infer::Moments;
use super::super::lexer::quote_name;
use super::super::rewrite::{self, Schema};
use super::super::sql;
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::{Definition, quoted};

pub(super) fn create(
    tokens: &mut Tokens<'_>,
    temporary: bool,
    replace: bool,
    schema: &dyn Schema,
) -> Result<Option<Definition>, SqlError> {
    if tokens.is_word("recursive") {
        return Err(SqlError::unsupported("CREATE RECURSIVE VIEW"));
    }
    let condition = super::condition(tokens, &["if", "not", "exists"]);
    let name = quote_name(&tokens.qualified_name()?.1);
    let columns =
        if tokens.is("(") { format!(" ({})", quoted(&super::names(tokens)?)) } else { String::new() };
    if tokens.eat("with") {
        tokens.skip_group()?;
    }
    tokens.expect_word("as")?;
    let mut text = tokens.sql[tokens.rest()].to_owned();
    if let Some(at) = text.to_ascii_lowercase().rfind("with") {
        let tail: Vec<String> = text[at..].split_whitespace().map(str::to_ascii_lowercase).collect();
        if tail.ends_with(&["check".to_owned(), "option".to_owned()]) {
            text.truncate(at);
        }
    }
    let query = Tokens::statement(&text, 0);
    let whole = query.rest();
    let written = match sql::parse(query) {
        Some(statement) => rewrite::rewrite_stored(&text, whole, &statement, schema, &Moments::new())?
            .map_or_else(|| text.clone(), |rewritten| rewritten.sql),
        None => text,
    };
    let temporary = if temporary { "TEMP " } else { "" };
    let mut statements = Vec::new();
    if replace {
        statements.push(format!("DROP VIEW IF EXISTS {name}"));
    }
    statements.push(format!("CREATE {temporary}VIEW {condition}{name}{columns} AS {written}"));
    // A view is only looked into when it is used: a mistake is to be found now.
    statements.push(format!("SELECT 1 FROM {name} LIMIT 0"));
    Ok(Some(Definition::many(statements, "CREATE VIEW")))
}
