//! From text to statements.

mod databases;
mod directives;
mod select;
mod users;

use wire::sqlstate;

use super::{Statement, cursor::Cursor, show};
use crate::failure::Failure;

/// Parses a text of any number of statements.
///
/// # Errors
/// 42601 where the text makes no sense, 0A000 with a hint where it makes sense but not here.
pub(crate) fn parse(sql: &str) -> Result<Vec<Statement>, Failure> {
    if directive::postgres::statement(sql).is_some() {
        return Ok(vec![Statement::Directive]);
    }
    let mut cursor = Cursor::new(sql)?;
    let mut statements = Vec::new();
    while !cursor.at_end_of_text() {
        let statement = statement(&mut cursor)?;
        cursor.expect_end()?;
        statements.push(statement);
    }
    Ok(statements)
}

fn statement(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    let before = cursor.clone();
    let Some(verb) = cursor.one_of(&VERBS) else { return Err(unsupported(&before)) };
    match verb {
        "create" if cursor.word("database") => databases::create(cursor),
        "drop" if cursor.word("database") => databases::drop(cursor),
        "alter" if cursor.word("database") => databases::alter(cursor),
        "move" => databases::relocate(cursor),
        "create" if cursor.one_of(&["user", "role"]).is_some() => users::put(cursor, false),
        "alter" if cursor.one_of(&["user", "role"]).is_some() => users::put(cursor, true),
        "drop" if cursor.one_of(&["user", "role"]).is_some() => users::drop(cursor),
        "send" => directives::send(cursor),
        "approve" => directives::approve(cursor),
        "revoke" if cursor.is_word("directive") || cursor.is_word("all") => directives::revoke(cursor),
        "grant" => directives::grant(cursor, &before),
        "revoke" => directives::take_away(cursor, &before),
        "show" => show::parse(cursor),
        "select" => select::parse(cursor),
        "begin" => Ok(skipping(cursor, Statement::Begin { tag: "BEGIN" })),
        "start" => {
            cursor.expect_word("transaction")?;
            Ok(skipping(cursor, Statement::Begin { tag: "START TRANSACTION" }))
        }
        "commit" | "end" => transaction_end(cursor, Statement::Commit),
        "rollback" | "abort" => transaction_end(cursor, Statement::Rollback),
        "set" => Ok(skipping(cursor, Statement::Nothing { tag: "SET" })),
        "reset" => Ok(skipping(cursor, Statement::Nothing { tag: "RESET" })),
        "discard" => Ok(skipping(cursor, Statement::Nothing { tag: "DISCARD ALL" })),
        "deallocate" => Ok(skipping(cursor, Statement::Nothing { tag: "DEALLOCATE" })),
        "close" => Ok(skipping(cursor, Statement::Nothing { tag: "CLOSE CURSOR" })),
        "unlisten" => Ok(skipping(cursor, Statement::Nothing { tag: "UNLISTEN" })),
        _ => Err(unsupported(&before)),
    }
}

const VERBS: [&str; 22] = [
    "create",
    "drop",
    "alter",
    "move",
    "send",
    "approve",
    "grant",
    "revoke",
    "show",
    "select",
    "begin",
    "start",
    "commit",
    "end",
    "rollback",
    "abort",
    "set",
    "reset",
    "discard",
    "deallocate",
    "close",
    "unlisten",
];

fn skipping(cursor: &mut Cursor<'_>, statement: Statement) -> Statement {
    cursor.skip();
    statement
}

/// `COMMIT [WORK | TRANSACTION]`; savepoints and prepared transactions are not for here.
fn transaction_end(cursor: &mut Cursor<'_>, statement: Statement) -> Result<Statement, Failure> {
    cursor.one_of(&["work", "transaction"]);
    if cursor.at_end() { Ok(statement) } else { Err(unsupported(cursor)) }
}

pub(super) fn unsupported(cursor: &Cursor<'_>) -> Failure {
    let known = [
        "select",
        "insert",
        "update",
        "delete",
        "with",
        "create",
        "drop",
        "alter",
        "copy",
        "explain",
        "truncate",
        "vacuum",
        "grant",
        "revoke",
        "declare",
        "fetch",
        "listen",
        "notify",
        "prepare",
        "execute",
        "lock",
        "do",
        "call",
        "analyze",
        "savepoint",
        "release",
        "comment",
        "rollback",
        "commit",
    ];
    if !known.iter().any(|word| cursor.is_word(word)) {
        return cursor.unexpected();
    }
    not_here("this statement")
}

/// Makes sense to PostgreSQL, but not to a handler.
fn not_here(what: &str) -> Failure {
    Failure::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{what} is not supported by the admin console")).hint(
        "Here are CREATE, DROP, ALTER and MOVE DATABASE, CREATE, ALTER and DROP USER, SEND, APPROVE and REVOKE DIRECTIVE, GRANT and REVOKE of sender and approver, SHOW DATABASES, SERVERS, HANDLERS, \
         CONTROLLERS, USERS, SESSIONS, DIRECTIVES, SENDERS, APPROVALS, EVENTS, PLACEMENT and VERSION. Connect to a database to work with tables.",
    )
}

#[cfg(test)]
mod tests;
