//! `has_…_privilege`: who got in may do everything; only what does not exist has no privileges.

use rusqlite::types::Value as Sql;
use wire::oid;

use super::names::lookup;
use super::{Arguments, Registrar, boolean};

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    for (name, counts, object) in [
        ("has_table_privilege", [2, 3], 2),
        ("has_any_column_privilege", [2, 3], 2),
        ("has_sequence_privilege", [2, 3], 2),
        ("has_column_privilege", [3, 4], 3),
    ] {
        for count in counts {
            let (facts, context) = (registrar.facts.clone(), registrar.context.clone());
            registrar.add(name, count, move |arguments| {
                // The object stands this many places before the end.
                let at = arguments.len() - object;
                relation(arguments, at, |name| lookup(&facts.get(), &context.user, oid::REGCLASS, name))
            })?;
        }
    }
    registrar.constant(
        &[
            "has_database_privilege",
            "has_foreign_data_wrapper_privilege",
            "has_function_privilege",
            "has_language_privilege",
            "has_parameter_privilege",
            "has_schema_privilege",
            "has_server_privilege",
            "has_tablespace_privilege",
            "has_type_privilege",
            "pg_has_role",
        ],
        &[2, 3],
        &boolean(true),
    )
}

fn relation(arguments: &Arguments<'_, '_>, at: usize, lookup: impl Fn(&str) -> Option<u32>) -> Sql {
    if arguments.is_null(at) {
        return Sql::Null;
    }
    match (arguments.integer(at), arguments.text(at)) {
        (Some(_), _) => boolean(true),
        (None, Some(name)) => lookup(&name).map_or(Sql::Null, |_| boolean(true)),
        (None, None) => Sql::Null,
    }
}
