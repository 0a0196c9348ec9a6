//! DECLARE, FETCH and MOVE.

use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::Command;

/// How many rows FETCH wants; cursors move forward only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Count {
    Rows(u64),
    All,
    /// A direction that needs a scrollable cursor.
    Backward,
}

pub(super) fn parse_declare(tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    let name = tokens.name()?;
    while !tokens.eat("cursor") {
        let known = ["binary", "insensitive", "asensitive", "scroll"].iter().any(|word| tokens.eat(word));
        if !known && !tokens.eat_all(&["no", "scroll"]) {
            return Err(tokens.unexpected());
        }
    }
    let hold = tokens.eat_all(&["with", "hold"]);
    tokens.eat_all(&["without", "hold"]);
    tokens.expect_word("for")?;
    if tokens.is_empty() {
        return Err(tokens.unexpected());
    }
    Ok(Command::Declare { name, hold, query: tokens.rest() })
}

pub(super) fn parse_fetch(tokens: &mut Tokens<'_>, discard: bool) -> Result<Command, SqlError> {
    let count = direction(tokens)?;
    let _noise = tokens.eat("from") || tokens.eat("in");
    Ok(Command::Fetch { name: tokens.name()?, count, discard })
}

fn direction(tokens: &mut Tokens<'_>) -> Result<Count, SqlError> {
    let start = tokens.position();
    if let Some(count) = tokens.integer() {
        return Ok(rows(count));
    }
    let word = tokens.name()?;
    let count = match word.as_str() {
        "next" => Some(Count::Rows(1)),
        "all" => Some(Count::All),
        "forward" if tokens.eat("all") => Some(Count::All),
        "forward" => Some(tokens.integer().map_or(Count::Rows(1), rows)),
        "prior" | "first" | "last" => Some(Count::Backward),
        "backward" | "absolute" | "relative" => {
            let _count = tokens.eat("all") || tokens.integer().is_some();
            Some(Count::Backward)
        }
        _cursor => None,
    };
    // A cursor may be called `next`: then the name stands alone.
    match count {
        Some(count) if !tokens.is_empty() => Ok(count),
        Some(_) | None => {
            tokens.rewind(start);
            Ok(Count::Rows(1))
        }
    }
}

fn rows(count: i64) -> Count {
    u64::try_from(count).map_or(Count::Backward, Count::Rows)
}
