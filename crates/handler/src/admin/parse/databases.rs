//! `CREATE`, `DROP`, `ALTER` and `MOVE DATABASE`.

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

/// After `CREATE DATABASE`.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    let name = cursor.identifier()?;
    cursor.word("with");
    let mut ignored = Vec::new();
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
            let template = value(cursor)?;
            let is_plain = ["template0", "template1", "default"]
                .iter()
                .any(|plain| template.eq_ignore_ascii_case(plain));
            if !is_plain {
                return Err(refused("template", &template, "Databases cannot be copied by CREATE DATABASE."));
            }
        } else {
            return Err(cursor.unexpected());
        }
    }
    Ok(Statement::CreateDatabase { name, ignored })
}

fn refused(what: &str, value: &str, detail: &str) -> Failure {
    Failure::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{what} \"{value}\" is not supported"))
        .detail(detail)
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
    if !cursor.word("rename") {
        return Err(Failure::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            "of ALTER DATABASE only RENAME TO is supported",
        ));
    }
    cursor.expect_word("to")?;
    Ok(Statement::RenameDatabase { name, to: cursor.identifier()? })
}

/// After `MOVE`. In other sessions that word is about cursors.
pub(super) fn relocate(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    cursor.expect_word("database")?;
    let name = cursor.identifier()?;
    cursor.expect_word("to")?;
    Ok(Statement::MoveDatabase { name, server: cursor.identifier()? })
}
