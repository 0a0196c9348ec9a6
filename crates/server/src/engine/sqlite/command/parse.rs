//! From the first word to the command.

use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::super::types::Type;
use super::{Command, Discard, copy, cursor, setting, transaction};

/// The command that the statement is; `None` for SQL that goes to SQLite.
///
/// # Errors
/// 42601 where the first word is ours but the rest makes no sense.
pub(in super::super) fn parse(tokens: &mut Tokens<'_>) -> Result<Option<Command>, SqlError> {
    let Some(first) = tokens.peek() else { return Ok(None) };
    let word = first.text(tokens.sql).to_ascii_lowercase();
    let start = tokens.position();
    tokens.advance();
    let command = match word.as_str() {
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            transaction::parse(&word, tokens)?
        }
        "set" => setting::parse_set(tokens)?,
        "show" => setting::parse_show(tokens)?,
        "reset" => setting::parse_reset(tokens)?,
        "discard" => discard(tokens)?,
        "prepare" => prepare(tokens)?,
        "execute" => execute(tokens)?,
        "deallocate" => deallocate(tokens)?,
        "declare" => cursor::parse_declare(tokens)?,
        "fetch" => cursor::parse_fetch(tokens, false)?,
        "move" => cursor::parse_fetch(tokens, true)?,
        "close" => Command::Close(if tokens.eat("all") { None } else { Some(tokens.name()?) }),
        "copy" => copy::parse(tokens)?,
        "explain" => explain(tokens)?,
        "vacuum" => vacuum(tokens),
        word => match without_effect(word, tokens) {
            Some(command) => return Ok(Some(command)),
            None => {
                tokens.rewind(start);
                return Ok(None);
            }
        },
    };
    if !matches!(
        command,
        Command::Prepare { .. }
            | Command::Declare { .. }
            | Command::Explain { .. }
            | Command::Rebuild
            | Command::Nothing(_)
    ) {
        tokens.expect_end()?;
    }
    Ok(Some(command))
}

/// Statements about things that do not exist here, which clients send all the same.
fn without_effect(word: &str, tokens: &mut Tokens<'_>) -> Option<Command> {
    Some(match word {
        "unlisten" => Command::Nothing("UNLISTEN"),
        "lock" => Command::Nothing("LOCK TABLE"),
        "grant" => Command::Nothing("GRANT"),
        "revoke" => Command::Nothing("REVOKE"),
        "comment" => Command::Nothing("COMMENT"),
        "checkpoint" => Command::Nothing("CHECKPOINT"),
        "cluster" => Command::Nothing("CLUSTER"),
        "security" => Command::Nothing("SECURITY LABEL"),
        "listen" => Command::Unsupported("LISTEN"),
        "notify" => Command::Unsupported("NOTIFY"),
        "do" => Command::Unsupported("DO"),
        "call" => Command::Unsupported("CALL"),
        "merge" => Command::Unsupported("MERGE"),
        "import" => Command::Unsupported("IMPORT FOREIGN SCHEMA"),
        "attach" => Command::Unsupported("ATTACH"),
        "detach" => Command::Unsupported("DETACH"),
        "create" => return created(tokens),
        "alter" | "drop" => return changed(word, tokens),
        _sqlite => return None,
    })
}

fn created(tokens: &mut Tokens<'_>) -> Option<Command> {
    tokens.eat_all(&["or", "replace"]);
    let first = tokens.advance()?.text(tokens.sql).to_ascii_lowercase();
    Some(match first.as_str() {
        "extension" => Command::Nothing("CREATE EXTENSION"),
        "schema" => Command::Unsupported("CREATE SCHEMA"),
        "sequence" => Command::Unsupported("CREATE SEQUENCE"),
        "function" => Command::Unsupported("CREATE FUNCTION"),
        "procedure" => Command::Unsupported("CREATE PROCEDURE"),
        "type" => Command::Unsupported("CREATE TYPE"),
        "domain" => Command::Unsupported("CREATE DOMAIN"),
        "role" | "user" | "group" => Command::Unsupported("CREATE ROLE"),
        "materialized" => Command::Unsupported("CREATE MATERIALIZED VIEW"),
        "rule" => Command::Unsupported("CREATE RULE"),
        "policy" => Command::Unsupported("CREATE POLICY"),
        "database" => Command::Unsupported("CREATE DATABASE"),
        _sqlite => return None,
    })
}

fn changed(word: &str, tokens: &mut Tokens<'_>) -> Option<Command> {
    let first = tokens.advance()?.text(tokens.sql).to_ascii_lowercase();
    Some(match (word, first.as_str()) {
        ("drop", "extension") => Command::Nothing("DROP EXTENSION"),
        ("drop", "database") => Command::Unsupported("DROP DATABASE"),
        ("alter", "database") => Command::Unsupported("ALTER DATABASE"),
        ("alter", "sequence") => Command::Nothing("ALTER SEQUENCE"),
        ("drop", "sequence") => Command::Nothing("DROP SEQUENCE"),
        ("drop", "type") => Command::Nothing("DROP TYPE"),
        ("drop", "schema") => Command::Unsupported("DROP SCHEMA"),
        ("alter", "schema" | "role" | "user" | "system" | "type" | "domain" | "default") => {
            Command::Unsupported("ALTER of this kind")
        }
        _sqlite => return None,
    })
}

fn discard(tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    let what = match tokens.name()?.as_str() {
        "all" => Discard::All,
        "plans" => Discard::Plans,
        "temp" | "temporary" => Discard::Temporary,
        "sequences" => Discard::Sequences,
        _unknown => {
            tokens.rewind(tokens.position() - 1);
            return Err(tokens.unexpected());
        }
    };
    Ok(Command::Discard(what))
}

fn prepare(tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    if tokens.eat("transaction") {
        return Ok(Command::Unsupported("PREPARE TRANSACTION"));
    }
    let name = tokens.name()?;
    let mut types = Vec::new();
    if tokens.take("(") {
        loop {
            let start = tokens.offset();
            let mut depth = 0;
            while let Some(token) = tokens.peek() {
                match token.text(tokens.sql) {
                    "(" => depth += 1,
                    ")" | "," if depth == 0 => break,
                    ")" => depth -= 1,
                    _type => {}
                }
                tokens.advance();
            }
            let declared = &tokens.sql[start..tokens.taken_to().max(start)];
            types.push(Type::declared(declared).ok_or_else(|| tokens.unexpected())?);
            if !tokens.take(",") {
                break;
            }
        }
        tokens.expect(")")?;
    }
    tokens.expect_word("as")?;
    Ok(Command::Prepare { name, types, sql: tokens.rest() })
}

fn execute(tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    let name = tokens.name()?;
    let mut arguments = 0..0;
    if tokens.is("(") {
        let start = tokens.offset() + 1;
        tokens.skip_group()?;
        arguments = start..tokens.taken_to() - 1;
    }
    Ok(Command::Execute { name, arguments })
}

fn deallocate(tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    tokens.eat("prepare");
    Ok(Command::Deallocate(if tokens.eat("all") { None } else { Some(tokens.name()?) }))
}

/// `EXPLAIN [(options)] [VERBOSE] statement`; ANALYZE would have to run it.
fn explain(tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    let start = tokens.offset();
    if tokens.is("(") {
        tokens.skip_group()?;
        let options = tokens.sql[start..tokens.taken_to()].to_ascii_lowercase();
        let wants =
            |word: &str| options.split(|c: char| !c.is_ascii_alphanumeric()).any(|option| option == word);
        if wants("analyze") || wants("json") || wants("xml") || wants("yaml") {
            return Ok(Command::Unsupported("EXPLAIN with ANALYZE or another format than text"));
        }
    }
    if tokens.eat("analyze") || tokens.eat("analyse") {
        while tokens.advance().is_some() {}
        return Ok(Command::Unsupported("EXPLAIN ANALYZE"));
    }
    tokens.eat("verbose");
    tokens.eat_all(&["query", "plan"]);
    Ok(Command::Explain { query: tokens.rest() })
}

/// Only FULL has something to do: SQLite reuses free pages by itself.
fn vacuum(tokens: &mut Tokens<'_>) -> Command {
    let full = tokens.eat("full")
        || tokens.sql[tokens.rest()].trim_start().to_ascii_lowercase().starts_with("(full");
    if full { Command::Rebuild } else { Command::Nothing("VACUUM") }
}
