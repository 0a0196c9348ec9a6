//! What size functions need to know; the pages themselves are counted by SQL around it.

use rusqlite::types::Value as Sql;

use super::super::context::database_oid;
use super::super::facts::{Facts, Index};
use super::{Arguments, Registrar, boolean, text};

/// The b-trees of a relation as a JSON list of SQLite's names.
pub(in super::super) const STORED: &str = "pg_stored_names";
/// Whether an argument means the open database.
pub(in super::super) const THIS_DATABASE: &str = "pg_is_this_database";

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    registrar.with_facts(STORED, &[2], stored)?;
    registrar.with_context(THIS_DATABASE, &[1], |context, arguments| {
        let by_name = arguments.text(0).is_some_and(|name| name == context.database);
        boolean(by_name || arguments.oid(0) == Some(database_oid(&context.database)))
    })?;
    registrar.with_facts("pg_size_pretty", &[1], |_, arguments| {
        arguments.integer(0).map_or(Sql::Null, |bytes| text(pretty(bytes)))
    })?;
    registrar.with_facts("pg_relation_filenode", &[1], |_, arguments| {
        arguments.integer(0).map_or(Sql::Null, Sql::Integer)
    })?;
    registrar.constant(&["pg_relation_filepath", "pg_tablespace_size"], &[1], &Sql::Null)
}

/// Of the relation in the first argument: itself, its indexes, or both.
fn stored(facts: &Facts, arguments: &Arguments<'_, '_>) -> Sql {
    let relation = match arguments.oid(0) {
        Some(oid) => facts.relation(oid),
        None => arguments.text(0).and_then(|name| facts.named(&super::names::parts(&name).pop()?)),
    };
    let what = arguments.text(1).unwrap_or_default();
    let mut names: Vec<&str> = Vec::new();
    if let Some(relation) = relation {
        if what != "indexes" {
            names.push(&relation.name);
        }
        if what != "table" {
            names.extend(facts.indexes_of(relation.oid).filter_map(Index::stored_name));
        }
    } else if let Some(index) = arguments.oid(0).and_then(|oid| facts.index(oid)) {
        names.extend(index.stored_name());
    }
    text(serde_json::Value::from(names).to_string())
}

/// As PostgreSQL rounds: a unit is left once the number has more than four digits.
fn pretty(bytes: i64) -> String {
    let mut size = bytes;
    if size.abs() < 10 * 1024 {
        return format!("{size} bytes");
    }
    let mut shown = String::new();
    for unit in ["kB", "MB", "GB", "TB", "PB"] {
        size /= 512;
        shown = format!("{} {unit}", (size + size.signum()) / 2);
        if size.abs() < 2 * 10 * 1024 - 1 {
            break;
        }
        size /= 2;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_as_postgresql_rounds_them() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (8192 * 5, "40 kB"),
            (10_485_247, "10239 kB"),
            (10_485_248, "10 MB"),
            (20_971_519, "20 MB"),
            (1 << 40, "1024 GB"),
            (1 << 54, "16 PB"),
            (-20_480, "-20 kB"),
        ] {
            assert_eq!(pretty(bytes), shown, "{bytes}");
        }
    }
}
