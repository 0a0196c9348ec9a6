//! DROP of several things at once, and TRUNCATE.

use super::super::lexer::{quote_name, quote_text};
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::Definition;

pub(super) fn parse(tokens: &mut Tokens<'_>) -> Result<Option<Definition>, SqlError> {
    let (kind, tag) = if tokens.eat("table") {
        ("TABLE", "DROP TABLE")
    } else if tokens.eat("view") {
        ("VIEW", "DROP VIEW")
    } else if tokens.eat("index") {
        ("INDEX", "DROP INDEX")
    } else if tokens.eat("trigger") {
        return trigger(tokens).map(Some);
    } else {
        return Ok(None);
    };
    tokens.eat("concurrently");
    let condition = super::condition(tokens, &["if", "exists"]);
    let mut statements = Vec::new();
    loop {
        statements.push(format!("DROP {kind} {condition}{}", quote_name(&tokens.qualified_name()?.1)));
        if !tokens.take(",") {
            break;
        }
    }
    let _behaviour = tokens.eat("cascade") || tokens.eat("restrict");
    tokens.expect_end()?;
    Ok(Some(Definition::many(statements, tag)))
}

/// `DROP TRIGGER name ON table`: SQLite's triggers have names of their own.
fn trigger(tokens: &mut Tokens<'_>) -> Result<Definition, SqlError> {
    let condition = super::condition(tokens, &["if", "exists"]);
    let name = quote_name(&tokens.qualified_name()?.1);
    Ok(Definition::one(format!("DROP TRIGGER {condition}{name}"), "DROP TRIGGER"))
}

/// `TRUNCATE [TABLE] a, b [RESTART IDENTITY] [CASCADE]`.
pub(super) fn truncate(tokens: &mut Tokens<'_>) -> Result<Definition, SqlError> {
    tokens.eat("table");
    let mut tables = Vec::new();
    loop {
        tokens.eat("only");
        tables.push(tokens.qualified_name()?.1);
        tokens.take("*");
        if !tokens.take(",") {
            break;
        }
    }
    let restart = tokens.eat_all(&["restart", "identity"]);
    tokens.eat_all(&["continue", "identity"]);
    let _behaviour = tokens.eat("cascade") || tokens.eat("restrict");
    tokens.expect_end()?;
    let mut statements: Vec<String> =
        tables.iter().map(|table| format!("DELETE FROM {}", quote_name(table))).collect();
    if restart {
        let names: Vec<String> = tables.iter().map(|table| quote_text(table)).collect();
        // The table of counters exists once there is a column that counts.
        statements.push(
            "CREATE TABLE IF NOT EXISTS \"_counts\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT)".to_owned(),
        );
        statements.push("DROP TABLE \"_counts\"".to_owned());
        statements.push(format!("DELETE FROM sqlite_sequence WHERE name IN ({})", names.join(", ")));
    }
    Ok(Definition::many(statements, "TRUNCATE TABLE"))
}
