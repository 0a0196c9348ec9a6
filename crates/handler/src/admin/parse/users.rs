//! `CREATE`, `ALTER` and `DROP USER` (or `ROLE`).

use wire::sqlstate;

use super::databases::if_exists;
use crate::{
    admin::{Statement, cursor::Cursor, statement::Password},
    failure::Failure,
};

/// Attributes that every user has here, or that mean nothing here.
const IGNORED: [&str; 5] = ["login", "inherit", "noinherit", "nosuperuser", "noreplication"];

/// After `CREATE USER` or, when it must exist, `ALTER USER`.
pub(super) fn put(cursor: &mut Cursor<'_>, exists: bool) -> Result<Statement, Failure> {
    let name = cursor.identifier()?;
    cursor.word("with");
    let mut password = None;
    while !cursor.at_end() {
        if cursor.one_of(&IGNORED).is_some() {
            continue;
        }
        cursor.word("encrypted");
        if !cursor.word("password") {
            return Err(Failure {
                code: sqlstate::FEATURE_NOT_SUPPORTED,
                message: "of a user's attributes only PASSWORD is supported".into(),
                ..cursor.unexpected()
            });
        }
        password = Some(Password(cursor.string()?));
    }
    match password {
        Some(password) => Ok(Statement::PutUser { name, password, exists }),
        None => Err(Failure::new(sqlstate::FEATURE_NOT_SUPPORTED, "a user must have a password")
            .hint("Write PASSWORD '…' behind the name.")),
    }
}

/// After `DROP USER`.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    let if_exists = if_exists(cursor)?;
    Ok(Statement::DropUser { name: cursor.identifier()?, if_exists })
}
