//! BEGIN, COMMIT, ROLLBACK, savepoints and their modes.

use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::{Command, Isolation};

/// What a transaction is asked to be; `None` leaves the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Modes {
    pub isolation: Option<Isolation>,
    pub read_only: Option<bool>,
}

pub(super) fn parse(word: &str, tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    match word {
        "begin" => {
            // SQLite's own kinds are accepted; all of them begin lazily.
            let _kind = tokens.eat("immediate") || tokens.eat("deferred") || tokens.eat("exclusive");
            work(tokens);
            modes(tokens).map(Command::Begin)
        }
        "start" => {
            tokens.expect_word("transaction")?;
            modes(tokens).map(Command::Begin)
        }
        "commit" if tokens.is_word("prepared") => Ok(unsupported_two_phase(tokens)),
        "rollback" if tokens.is_word("prepared") => Ok(unsupported_two_phase(tokens)),
        "commit" | "end" => {
            work(tokens);
            Ok(Command::Commit { chain: chain(tokens)? })
        }
        "rollback" | "abort" => {
            work(tokens);
            if tokens.eat("to") {
                tokens.eat("savepoint");
                return tokens.name().map(Command::RollbackTo);
            }
            Ok(Command::Rollback { chain: chain(tokens)? })
        }
        "savepoint" => tokens.name().map(Command::Savepoint),
        _release => {
            tokens.eat("savepoint");
            tokens.name().map(Command::Release)
        }
    }
}

fn unsupported_two_phase(tokens: &mut Tokens<'_>) -> Command {
    while tokens.advance().is_some() {}
    Command::Unsupported("two-phase commit")
}

fn work(tokens: &mut Tokens<'_>) {
    let _noise = tokens.eat("work") || tokens.eat("transaction");
}

fn chain(tokens: &mut Tokens<'_>) -> Result<bool, SqlError> {
    if !tokens.eat("and") {
        return Ok(false);
    }
    let no = tokens.eat("no");
    tokens.expect_word("chain")?;
    Ok(!no)
}

/// `ISOLATION LEVEL x`, `READ ONLY|WRITE`, `[NOT] DEFERRABLE`, with or without commas.
pub(super) fn modes(tokens: &mut Tokens<'_>) -> Result<Modes, SqlError> {
    let mut modes = Modes::default();
    while !tokens.is_empty() {
        if tokens.eat_all(&["isolation", "level"]) {
            modes.isolation = Some(isolation(tokens)?);
        } else if tokens.eat_all(&["read", "only"]) {
            modes.read_only = Some(true);
        } else if tokens.eat_all(&["read", "write"]) {
            modes.read_only = Some(false);
        } else if !(tokens.eat("deferrable") || tokens.eat_all(&["not", "deferrable"])) {
            return Err(tokens.unexpected());
        }
        tokens.take(",");
    }
    Ok(modes)
}

fn isolation(tokens: &mut Tokens<'_>) -> Result<Isolation, SqlError> {
    if tokens.eat_all(&["read", "committed"]) || tokens.eat_all(&["read", "uncommitted"]) {
        Ok(Isolation::ReadCommitted)
    } else if tokens.eat_all(&["repeatable", "read"]) {
        Ok(Isolation::RepeatableRead)
    } else if tokens.eat("serializable") {
        Ok(Isolation::Serializable)
    } else {
        Err(tokens.unexpected())
    }
}
