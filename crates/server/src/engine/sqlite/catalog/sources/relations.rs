//! `pg_class`, `pg_attribute`, `pg_attrdef`.

use wire::oid;

use super::super::super::types::Type;
use super::super::context::{BTREE, HEAP, INFORMATION_SCHEMA, OWNER, PG_CATALOG, collation_oid, namespace};
use super::super::facts::{Column, ConstraintKind, Facts, Index, Relation, RelationKind, oids};
use super::super::tables::{self, Table};
use super::super::types;
use super::super::values::{Rows, row};

pub(super) fn class(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&[
        "oid",
        "relname",
        "relnamespace",
        "reltype",
        "relowner",
        "relam",
        "relfilenode",
        "reltuples",
        "relhasindex",
        "relpersistence",
        "relkind",
        "relnatts",
        "relchecks",
        "relhastriggers",
        "relispopulated",
        "relreplident",
    ]);
    for relation in &facts.relations {
        let table = relation.kind == RelationKind::Table;
        let checks = facts
            .constraints_of(relation.oid)
            .filter(|made| matches!(made.kind, ConstraintKind::Check { .. }));
        rows.push(row![
            relation.oid,
            &relation.name,
            namespace(relation.temporary),
            oids::row_type(relation.oid),
            OWNER,
            if table { HEAP } else { 0 },
            if table { relation.oid } else { 0 },
            relation.rows.unwrap_or(-1),
            facts.indexes_of(relation.oid).next().is_some(),
            persistence(relation.temporary),
            if table { "r" } else { "v" },
            count(relation.columns.len()),
            count(checks.count()),
            has_triggers(facts, relation.oid),
            true,
            if table { "d" } else { "n" },
        ]);
    }
    for index in &facts.indexes {
        let temporary = facts.relation(index.table).is_some_and(|table| table.temporary);
        rows.push(row![
            index.oid,
            &index.name,
            namespace(temporary),
            0,
            OWNER,
            BTREE,
            index.oid,
            -1,
            false,
            persistence(temporary),
            "i",
            count(index.keys.len()),
            0,
            false,
            true,
            "n",
        ]);
    }
    for (relation, _, column) in facts.identities() {
        let sequence = oids::sequence(relation.oid);
        rows.push(row![
            sequence,
            sequence_name(relation, column),
            namespace(relation.temporary),
            0,
            OWNER,
            0,
            sequence,
            1,
            false,
            persistence(relation.temporary),
            "S",
            3,
            0,
            false,
            true,
            "n",
        ]);
    }
    for table in tables::all().iter().filter(|table| table.kind != "f") {
        let schema = if table.information { INFORMATION_SCHEMA } else { PG_CATALOG };
        rows.push(row![
            table.oid,
            table.name,
            schema,
            0,
            OWNER,
            if table.kind == "r" { HEAP } else { 0 },
            0,
            -1,
            false,
            "p",
            table.kind,
            count(table.columns.len()),
            0,
            false,
            true,
            "n",
        ]);
    }
    rows
}

fn persistence(temporary: bool) -> &'static str {
    if temporary { "t" } else { "p" }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// PostgreSQL upholds foreign keys by triggers on both sides, and psql looks for keys only where there are any.
fn has_triggers(facts: &Facts, table: u32) -> bool {
    facts.triggers.iter().any(|trigger| trigger.table == table)
        || facts.constraints.iter().any(|constraint| match &constraint.kind {
            ConstraintKind::Foreign(foreign) => constraint.table == table || foreign.table == table,
            ConstraintKind::Primary { .. } | ConstraintKind::Unique { .. } | ConstraintKind::Check { .. } => {
                false
            }
        })
}

/// As PostgreSQL names the sequence of an identity column.
pub(in super::super) fn sequence_name(relation: &Relation, column: &Column) -> String {
    format!("{}_{}_seq", relation.name, column.name)
}

pub(super) fn attribute(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&[
        "attrelid",
        "attname",
        "atttypid",
        "attstattarget",
        "attlen",
        "attnum",
        "attndims",
        "attcacheoff",
        "atttypmod",
        "attbyval",
        "attalign",
        "attstorage",
        "attcompression",
        "attnotnull",
        "atthasdef",
        "attidentity",
        "attgenerated",
        "attislocal",
        "attcollation",
    ]);
    for relation in &facts.relations {
        for (column, number) in relation.columns.iter().zip(1i16..) {
            let has_default = (column.default.is_some() || column.generated.is_some()) && !column.identity;
            let identity = if column.identity { "d" } else { "" };
            let generated = if column.generated.is_some() { "s" } else { "" };
            let flags = (column.not_null, has_default, identity, generated);
            rows.push(attribute_row(
                relation.oid,
                &column.name,
                column.ty,
                number,
                flags,
                column.collation.as_deref(),
            ));
        }
    }
    for index in &facts.indexes {
        for (key, number) in index.keys.iter().zip(1i16..) {
            let column = facts.relation(index.table).and_then(|table| table.column(key.column));
            let ty = column.map_or(Type::TEXT, |column| column.ty);
            let name = key_name(index, number, key.column, &key.text);
            rows.push(attribute_row(
                index.oid,
                &name,
                ty,
                number,
                (false, false, "", ""),
                key.collation.as_deref(),
            ));
        }
    }
    rows
}

/// Columns of expressions have made-up names.
fn key_name(index: &Index, number: i16, column: i16, text: &str) -> String {
    if column != 0 {
        return text.to_owned();
    }
    let function = text.split('(').next().unwrap_or_default().trim();
    if !function.is_empty() && function.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return function.to_owned();
    }
    let others = index.keys.iter().zip(1i16..).filter(|(key, at)| key.column == 0 && *at < number).count();
    if others == 0 { "expr".to_owned() } else { format!("expr{others}") }
}

/// `flags`: not null, has a default, identity, generated.
fn attribute_row(
    relation: u32,
    name: &str,
    ty: Type,
    number: i16,
    flags: (bool, bool, &str, &str),
    collation: Option<&str>,
) -> Vec<super::super::super::types::Value> {
    let kind = types::by_oid(ty.oid);
    let own = kind.map_or(0, |kind| kind.collation);
    let collation = collation.map_or(own, collation_oid);
    row![
        relation,
        name,
        ty.oid.0,
        -1,
        kind.map_or(-1, |kind| kind.length),
        number,
        i32::from(ty.oid.element().is_some()),
        -1,
        ty.modifier,
        kind.is_some_and(|kind| kind.by_value),
        kind.map_or("i", |kind| kind.alignment),
        kind.map_or("x", |kind| kind.storage),
        "",
        flags.0,
        flags.1,
        flags.2,
        flags.3,
        true,
        collation,
    ]
}

/// The columns of the catalogs themselves.
pub(in super::super) fn own_attributes() -> Rows {
    let mut rows = Rows::new(attribute(&Facts::default()).columns);
    let each = |table: &'static Table| {
        table.columns.iter().zip(1i16..).map(move |(column, number)| (table, column, number))
    };
    for (table, (name, ty), number) in tables::all().iter().filter(|table| table.kind != "f").flat_map(each) {
        let nullable = [oid::TEXT, oid::PG_NODE_TREE].contains(&ty.oid)
            || types::by_oid(ty.oid).is_some_and(|kind| kind.category == "A");
        let not_null = !nullable && table.kind == "r";
        rows.push(attribute_row(table.oid, name, *ty, number, (not_null, false, "", ""), None));
    }
    rows
}

pub(super) fn defaults(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&["oid", "adrelid", "adnum", "adbin"]);
    for relation in &facts.relations {
        for (column, number) in relation.columns.iter().zip(1i16..).filter(|(column, _)| !column.identity) {
            let expression = column.generated.as_ref().or(column.default.as_ref());
            if let Some(expression) = expression {
                rows.push(row![oids::default(relation.oid, number), relation.oid, number, expression]);
            }
        }
    }
    rows
}
