//! Single values that drivers and people ask any server for.

use super::{Cell, Column, Kind};
use crate::sql::Token;

/// The version that clients are told: the features of this PostgreSQL are what drivers may expect.
pub(crate) const SERVER_VERSION: &str = "15.0";

/// A value, or where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Constant(Cell),
    User,
    Database,
    ProcessId,
}

/// What `version()` says.
pub(crate) fn version() -> String {
    format!("PostgreSQL {SERVER_VERSION} (Stationmaster {})", env!("CARGO_PKG_VERSION"))
}

/// Reads an expression; `None` for one that is not known.
pub(super) fn read(expression: &[Token<'_>]) -> Option<(Column, Scalar)> {
    let expression = without_schema(without_cast(expression));
    let constant = |name: &str, kind, cell: Cell| Some((Column::new(name, kind), Scalar::Constant(cell)));
    match expression {
        [Token::Number(number)] => {
            let value: i64 = number.parse().ok()?;
            let kind = if i32::try_from(value).is_ok() { Kind::Int4 } else { Kind::Int8 };
            constant("?column?", kind, Cell::Int(value))
        }
        [Token::String(text)] => constant("?column?", Kind::Text, text.to_string().into()),
        [Token::Word(word)] => named(&word.to_ascii_lowercase()),
        [Token::Word(function), Token::Symbol('('), arguments @ .., Token::Symbol(')')] => {
            called(&function.to_ascii_lowercase(), arguments)
        }
        _ => None,
    }
}

fn named(word: &str) -> Option<(Column, Scalar)> {
    let (kind, scalar) = match word {
        "current_user" | "session_user" | "user" | "current_role" => (Kind::Text, Scalar::User),
        "current_catalog" => (Kind::Text, Scalar::Database),
        "current_schema" => (Kind::Text, Scalar::Constant("public".into())),
        "true" | "false" => (Kind::Bool, Scalar::Constant((word == "true").into())),
        "null" => (Kind::Text, Scalar::Constant(Cell::Null)),
        _ => return None,
    };
    let name = if matches!(word, "true" | "false" | "null") { "?column?" } else { word };
    Some((Column::new(name, kind), scalar))
}

fn called(function: &str, arguments: &[Token<'_>]) -> Option<(Column, Scalar)> {
    let (kind, scalar) = match (function, arguments) {
        ("version", []) => (Kind::Text, Scalar::Constant(version().into())),
        ("current_database", []) => (Kind::Text, Scalar::Database),
        ("current_schema", []) => (Kind::Text, Scalar::Constant("public".into())),
        ("current_user", []) => (Kind::Text, Scalar::User),
        ("pg_backend_pid", []) => (Kind::Int4, Scalar::ProcessId),
        ("pg_is_in_recovery", []) => (Kind::Bool, Scalar::Constant(false.into())),
        ("pg_advisory_unlock_all", []) => (Kind::Void, Scalar::Constant("".into())),
        ("current_setting", [Token::String(name), ..]) => {
            (Kind::Text, Scalar::Constant(setting(&name.to_ascii_lowercase())?.into()))
        }
        ("set_config", [Token::String(_), Token::Symbol(','), Token::String(value), ..]) => {
            (Kind::Text, Scalar::Constant(value.to_string().into()))
        }
        _ => return None,
    };
    Some((Column::new(function, kind), scalar))
}

/// A setting's value, for those that drivers look at.
pub(super) fn setting(name: &str) -> Option<&'static str> {
    Some(match name {
        "server_version" => SERVER_VERSION,
        "server_version_num" => "150000",
        "server_encoding" | "client_encoding" => "UTF8",
        "standard_conforming_strings" | "integer_datetimes" => "on",
        "transaction_isolation" | "default_transaction_isolation" => "read committed",
        "transaction_read_only" | "default_transaction_read_only" | "in_hot_standby" => "off",
        "search_path" => "\"$user\", public",
        "datestyle" => "ISO, MDY",
        "intervalstyle" => "postgres",
        "timezone" => "UTC",
        "max_identifier_length" => "63",
        "lc_collate" | "lc_ctype" => "C",
        "is_superuser" => "off",
        _ => return None,
    })
}

/// Without a `::type` behind it.
fn without_cast<'a, 't>(tokens: &'a [Token<'t>]) -> &'a [Token<'t>] {
    match tokens {
        [head @ .., Token::Symbol(':'), Token::Symbol(':'), Token::Word(_)] => head,
        other => other,
    }
}

/// Without `pg_catalog.` before it.
fn without_schema<'a, 't>(tokens: &'a [Token<'t>]) -> &'a [Token<'t>] {
    match tokens {
        [Token::Word(schema), Token::Symbol('.'), tail @ ..] if schema.eq_ignore_ascii_case("pg_catalog") => {
            tail
        }
        other => other,
    }
}

/// Writes what a server reports of itself at a session's start.
///
/// # Errors
/// The user's name cannot be sent.
pub(crate) fn greeting(out: &mut bytes::BytesMut, user: &str) -> Result<(), wire::Error> {
    const REPORTED: [&str; 10] = [
        "client_encoding",
        "DateStyle",
        "default_transaction_read_only",
        "in_hot_standby",
        "integer_datetimes",
        "IntervalStyle",
        "is_superuser",
        "server_encoding",
        "server_version",
        "standard_conforming_strings",
    ];
    for name in REPORTED {
        let value = setting(&name.to_ascii_lowercase()).expect("BUG: every reported setting is known");
        wire::backend::parameter_status(out, name, value)?;
    }
    wire::backend::parameter_status(out, "TimeZone", "UTC")?;
    wire::backend::parameter_status(out, "session_authorization", user)
}
