//! `pg_get_…def`, `format_type`, comments.

use rusqlite::types::Value as Sql;

use super::super::facts::{Facts, RelationKind};
use super::super::{definitions, types};
use super::{Arguments, Registrar, optional, text};

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    registrar.with_facts("pg_get_constraintdef", &[1, 2], |facts, arguments| {
        let made = arguments.oid(0).and_then(|oid| facts.constraint(oid));
        optional(made.map(|made| definitions::constraint(facts, made, arguments.flag(1))))
    })?;
    registrar.with_facts("pg_get_indexdef", &[1, 3], index)?;
    registrar.with_facts("pg_get_viewdef", &[1, 2], view)?;
    registrar.with_facts("pg_get_triggerdef", &[1, 2], |facts, arguments| {
        let wanted = arguments.oid(0);
        let trigger = facts.triggers.iter().find(|trigger| Some(trigger.oid) == wanted);
        optional(trigger.map(|trigger| trigger.sql.clone()))
    })?;
    registrar.with_facts("pg_get_serial_sequence", &[2], serial_sequence)?;
    // The expression itself is what the catalogs keep.
    registrar.with_facts("pg_get_expr", &[2, 3], |_, arguments| optional(arguments.text(0)))?;
    registrar.with_facts("format_type", &[2], |_, arguments| {
        let Some(oid) = arguments.oid(0) else { return Sql::Null };
        let modifier = arguments.integer(1).and_then(|modifier| i32::try_from(modifier).ok()).unwrap_or(-1);
        text(match oid {
            0 => "-".to_owned(),
            oid => types::sql_name(oid, modifier).unwrap_or_else(|| "???".to_owned()),
        })
    })?;
    let nothing = &Sql::Null;
    registrar.constant(&["obj_description"], &[1, 2], nothing)?;
    registrar.constant(&["col_description", "shobj_description"], &[2], nothing)?;
    registrar.constant(
        &["pg_get_ruledef", "pg_get_partkeydef", "pg_get_function_arg_default"],
        &[1, 2],
        nothing,
    )?;
    registrar.constant(
        &[
            "pg_get_functiondef",
            "pg_get_function_result",
            "pg_get_function_arguments",
            "pg_get_function_identity_arguments",
            "pg_get_function_sqlbody",
            "pg_get_partition_constraintdef",
            "pg_get_statisticsobjdef",
            "pg_get_statisticsobjdef_columns",
            "pg_get_replica_identity_index",
            "pg_sequence_last_value",
            "pg_partition_root",
        ],
        &[1],
        nothing,
    )
}

fn index(facts: &Facts, arguments: &Arguments<'_, '_>) -> Sql {
    let Some(index) = arguments.oid(0).and_then(|oid| facts.index(oid)) else { return Sql::Null };
    match if arguments.len() == 3 { arguments.integer(1) } else { Some(0) } {
        Some(0) => text(definitions::index(facts, index, arguments.flag(2))),
        Some(column) => {
            let key = usize::try_from(column - 1).ok().and_then(|at| index.keys.get(at));
            text(key.map(definitions::key_text).unwrap_or_default())
        }
        None => Sql::Null,
    }
}

/// By number or by name.
fn view(facts: &Facts, arguments: &Arguments<'_, '_>) -> Sql {
    let relation = match arguments.oid(0) {
        Some(oid) => facts.relation(oid),
        None => arguments.text(0).and_then(|name| facts.named(&name)),
    };
    let view = relation.filter(|relation| relation.kind == RelationKind::View);
    optional(view.map(|view| format!(" {};", view.query())))
}

fn serial_sequence(facts: &Facts, arguments: &Arguments<'_, '_>) -> Sql {
    let (Some(table), Some(column)) = (arguments.text(0), arguments.text(1)) else { return Sql::Null };
    let table = super::names::parts(&table).pop().unwrap_or_default();
    let found = facts.identities().find(|(relation, _, identity)| {
        relation.name.eq_ignore_ascii_case(&table) && identity.name.eq_ignore_ascii_case(&column)
    });
    optional(found.map(|(relation, _, column)| {
        let name = super::super::sources::relations::sequence_name(relation, column);
        format!("{}.{}", relation.schema(), definitions::quote_ident(&name))
    }))
}
