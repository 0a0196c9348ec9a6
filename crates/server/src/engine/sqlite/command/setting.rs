//! SET, SHOW and RESET.

use super::super::lexer::Kind;
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::{Command, transaction};

pub(super) fn parse_set(tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    if tokens.eat("transaction") {
        return Ok(Command::SetTransaction { modes: transaction::modes(tokens)?, session: false });
    }
    if tokens.eat_all(&["session", "characteristics", "as", "transaction"]) {
        return Ok(Command::SetTransaction { modes: transaction::modes(tokens)?, session: true });
    }
    if tokens.eat("constraints") {
        while tokens.advance().is_some() {}
        return Ok(Command::Nothing("SET CONSTRAINTS"));
    }
    let local = !tokens.eat("session") && tokens.eat("local");
    if tokens.eat_all(&["time", "zone"]) {
        let value = value(tokens)?.filter(|value| !value.eq_ignore_ascii_case("local"));
        return Ok(Command::Set { name: "timezone".to_owned(), value, local });
    }
    if tokens.eat("names") {
        return Ok(Command::Set { name: "client_encoding".to_owned(), value: value(tokens)?, local });
    }
    if tokens.eat("role") {
        return Ok(Command::Set { name: "role".to_owned(), value: value(tokens)?, local });
    }
    if tokens.eat("authorization") {
        return Ok(Command::Set { name: "session_authorization".to_owned(), value: value(tokens)?, local });
    }
    let name = name(tokens)?;
    if !tokens.take("=") && !tokens.eat("to") {
        return Err(tokens.unexpected());
    }
    Ok(Command::Set { name, value: value(tokens)?, local })
}

pub(super) fn parse_show(tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    if tokens.eat("all") {
        return Ok(Command::ShowAll);
    }
    if tokens.eat_all(&["time", "zone"]) {
        return Ok(Command::Show("timezone".to_owned()));
    }
    if tokens.eat_all(&["transaction", "isolation", "level"]) {
        return Ok(Command::Show("transaction_isolation".to_owned()));
    }
    if tokens.eat_all(&["session", "authorization"]) {
        return Ok(Command::Show("session_authorization".to_owned()));
    }
    name(tokens).map(Command::Show)
}

pub(super) fn parse_reset(tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    if tokens.eat("all") {
        return Ok(Command::Reset(None));
    }
    if tokens.eat_all(&["time", "zone"]) {
        return Ok(Command::Reset(Some("timezone".to_owned())));
    }
    if tokens.eat_all(&["session", "authorization"]) {
        return Ok(Command::Reset(Some("session_authorization".to_owned())));
    }
    name(tokens).map(|name| Command::Reset(Some(name)))
}

/// Settings of extensions have a dot in their names.
fn name(tokens: &mut Tokens<'_>) -> Result<String, SqlError> {
    let mut name = tokens.name()?;
    while tokens.take(".") {
        name = format!("{name}.{}", tokens.name()?);
    }
    Ok(name.to_lowercase())
}

/// A list of words, strings and numbers, joined as PostgreSQL shows them; `None` for DEFAULT.
fn value(tokens: &mut Tokens<'_>) -> Result<Option<String>, SqlError> {
    if tokens.eat("default") {
        return Ok(None);
    }
    let mut values = vec![one_value(tokens)?];
    while tokens.take(",") {
        values.push(one_value(tokens)?);
    }
    Ok(Some(values.join(", ")))
}

fn one_value(tokens: &mut Tokens<'_>) -> Result<String, SqlError> {
    if let Some(text) = tokens.string() {
        return Ok(text);
    }
    let sign = if tokens.take("-") { "-" } else { "" };
    let token = tokens.peek().ok_or_else(|| tokens.unexpected())?;
    match token.kind {
        Kind::Number => {
            tokens.advance();
            Ok(format!("{sign}{}", token.text(tokens.sql)))
        }
        Kind::Word | Kind::Quoted if sign.is_empty() => {
            let interval = tokens.eat("interval");
            if let (true, Some(text)) = (interval, tokens.string()) {
                while tokens.advance().is_some() {}
                return Ok(text);
            }
            tokens.name()
        }
        _other => Err(tokens.unexpected()),
    }
}
