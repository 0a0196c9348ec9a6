//! `CREATE`, `DROP`, `ALTER` and `MOVE DATABASE`.

use model::{DatabaseOption, OptionError};
use wire::sqlstate;

use crate::{
    admin::{Statement, cursor::Cursor},
    failure::Failure,
    sql::Token,
};

/// Options that change nothing here: they are accepted, and a notice says so.
const IGNORED: [&str; 14] = [
    "owner",
    "locale",
    "lc_collate",
    "lc_ctype",
    "icu_locale",
    "icu_rules",
    "builtin_locale",
    "locale_provider",
    "collation_version",
    "strategy",
    "tablespace",
    "allow_connections",
    "connection",
    "is_template",
];

/// Templates that are not copied: every database begins empty.
const PLAIN: [&str; 3] = ["template0", "template1", "default"];

/// After `CREATE DATABASE`.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    let name = cursor.identifier()?;
    cursor.word("with");
    let (mut template, mut ignored) = (None, Vec::new());
    while !cursor.at_end() {
        if let Some(option) = cursor.one_of(&IGNORED) {
            if option == "connection" {
                cursor.expect_word("limit")?;
            }
            value(cursor)?;
            ignored.push(option.to_uppercase());
        } else if cursor.word("encoding") {
            let encoding = value(cursor)?;
            let is_utf8 = ["utf8", "utf-8", "unicode", "6", "default"]
                .iter()
                .any(|utf8| encoding.eq_ignore_ascii_case(utf8));
            if !is_utf8 {
                return Err(refused("encoding", &encoding, "Every database is in UTF8."));
            }
        } else if cursor.word("template") {
            template = Some(named(cursor)?).filter(|template| !PLAIN.contains(&template.as_str()));
        } else {
            return Err(cursor.unexpected());
        }
    }
    Ok(Statement::CreateDatabase { name, template, ignored })
}

fn refused(what: &str, value: &str, detail: &str) -> Failure {
    Failure::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{what} \"{value}\" is not supported"))
        .detail(detail)
}

/// `[=] name`, by the rules of identifiers; PostgreSQL takes a string, too.
fn named(cursor: &mut Cursor<'_>) -> Result<String, Failure> {
    cursor.symbol('=');
    match cursor.peek() {
        Some(Token::String(_)) => value(cursor),
        Some(_) | None => cursor.identifier(),
    }
}

/// `[=] value`
fn value(cursor: &mut Cursor<'_>) -> Result<String, Failure> {
    cursor.symbol('=');
    let negative = cursor.symbol('-');
    let value = match cursor.peek() {
        Some(Token::Word(text) | Token::Number(text)) => (*text).to_owned(),
        Some(Token::Quoted(text) | Token::String(text)) => text.to_string(),
        Some(Token::Symbol(_) | Token::Parameter(_)) | None => return Err(cursor.unexpected()),
    };
    cursor.take();
    Ok(if negative { format!("-{value}") } else { value })
}

/// After `DROP DATABASE`.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    let if_exists = if_exists(cursor)?;
    let name = cursor.identifier()?;
    // `[WITH] (FORCE)`: sessions never keep a database from being dropped here.
    cursor.word("with");
    if cursor.symbol('(') {
        cursor.expect_word("force")?;
        if !cursor.symbol(')') {
            return Err(cursor.unexpected());
        }
    }
    Ok(Statement::DropDatabase { name, if_exists })
}

/// `[IF EXISTS]`
pub(super) fn if_exists(cursor: &mut Cursor<'_>) -> Result<bool, Failure> {
    let mut ahead = cursor.clone();
    if ahead.word("if") && ahead.word("exists") {
        *cursor = ahead;
        return Ok(true);
    }
    Ok(false)
}

/// After `ALTER DATABASE`.
pub(super) fn alter(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    let name = cursor.identifier()?;
    match cursor.one_of(&["rename", "set", "reset"]) {
        Some("rename") => {
            cursor.expect_word("to")?;
            Ok(Statement::RenameDatabase { name, to: cursor.identifier()? })
        }
        Some("set") => Ok(Statement::SetDatabaseOptions { name, options: vec![set(cursor)?] }),
        Some("reset") if cursor.word("all") => {
            Ok(Statement::SetDatabaseOptions { name, options: DatabaseOption::DEFAULTS.to_vec() })
        }
        Some("reset") => {
            let option = DatabaseOption::default_of(&option(cursor)?).map_err(|error| wrong(&error))?;
            Ok(Statement::SetDatabaseOptions { name, options: vec![option] })
        }
        _ => Err(Failure::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            "of ALTER DATABASE only RENAME TO, SET and RESET are supported",
        )),
    }
}

/// `stationmaster.option { = | TO } value`
fn set(cursor: &mut Cursor<'_>) -> Result<DatabaseOption, Failure> {
    let option = option(cursor)?;
    if !cursor.word("to") && cursor.peek() != Some(&Token::Symbol('=')) {
        return Err(cursor.unexpected());
    }
    DatabaseOption::parse(&option, &value(cursor)?).map_err(|error| wrong(&error))
}

/// `stationmaster.option`: a setting without that schema is PostgreSQL's own, and those cannot be set for a database.
fn option(cursor: &mut Cursor<'_>) -> Result<String, Failure> {
    let first = cursor.identifier()?;
    if first == "stationmaster" && cursor.symbol('.') {
        return cursor.identifier();
    }
    let names = DatabaseOption::NAMES.map(|name| format!("stationmaster.{name}")).join(" and ");
    Err(Failure::new(
        sqlstate::FEATURE_NOT_SUPPORTED,
        format!("setting \"{first}\" cannot be changed for a database"),
    )
    .hint(format!("What can be changed is {names}.")))
}

fn wrong(error: &OptionError) -> Failure {
    let code = match error {
        OptionError::Unknown { .. } => sqlstate::UNDEFINED_OBJECT,
        OptionError::Value { .. } => sqlstate::INVALID_PARAMETER_VALUE,
    };
    Failure::new(code, error.to_string())
}

/// After `MOVE`. In other sessions that word is about cursors.
pub(super) fn relocate(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    cursor.expect_word("database")?;
    let name = cursor.identifier()?;
    cursor.expect_word("to")?;
    Ok(Statement::MoveDatabase { name, server: cursor.identifier()? })
}
