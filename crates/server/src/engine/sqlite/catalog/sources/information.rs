//! `information_schema`: relations, columns and what surrounds them.

mod keys;

use wire::{Oid, oid};

pub(super) use self::keys::{
    checks, constraint_columns, constraint_tables, key_columns, references, table_constraints,
};
use super::super::super::types::{Type, Value};
use super::super::context::{Context, NAMESPACES, PG_TEMP};
use super::super::facts::{Column, Facts, Relation, RelationKind};
use super::super::types;
use super::super::values::{Rows, row};
use super::super::{tables, tables::Table};
use super::relations::sequence_name;

/// `YES` or `NO`.
fn yes(is: bool) -> &'static str {
    if is { "YES" } else { "NO" }
}

pub(super) fn tables(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "table_catalog",
        "table_schema",
        "table_name",
        "table_type",
        "is_insertable_into",
        "is_typed",
    ]);
    for relation in &facts.relations {
        let table = relation.kind == RelationKind::Table;
        let kind = match relation.kind {
            RelationKind::View => "VIEW",
            RelationKind::Table if relation.temporary => "LOCAL TEMPORARY",
            RelationKind::Table => "BASE TABLE",
        };
        rows.push(row![&context.database, relation.schema(), &relation.name, kind, yes(table), "NO"]);
    }
    for table in tables::all().iter().filter(|table| table.kind != "f") {
        let kind = if table.kind == "r" { "BASE TABLE" } else { "VIEW" };
        rows.push(row![&context.database, own_schema(table), table.name, kind, "NO", "NO"]);
    }
    rows
}

fn own_schema(table: &Table) -> &'static str {
    if table.information { tables::INFORMATION } else { tables::SCHEMA }
}

pub(super) fn schemata(facts: &Facts, context: &Context) -> Rows {
    let temporary = facts.relations.iter().any(|relation| relation.temporary);
    let mut rows = Rows::new(&["catalog_name", "schema_name", "schema_owner"]);
    for (_, name) in NAMESPACES.iter().filter(|(oid, _)| temporary || *oid != PG_TEMP) {
        rows.push(row![&context.database, *name, &context.user]);
    }
    rows
}

pub(super) fn views(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "table_catalog",
        "table_schema",
        "table_name",
        "view_definition",
        "check_option",
        "is_updatable",
        "is_insertable_into",
        "is_trigger_updatable",
        "is_trigger_deletable",
        "is_trigger_insertable_into",
    ]);
    for view in facts.relations.iter().filter(|relation| relation.kind == RelationKind::View) {
        rows.push(row![
            &context.database,
            view.schema(),
            &view.name,
            view.query(),
            "NONE",
            "NO",
            "NO",
            "NO",
            "NO",
            "NO"
        ]);
    }
    rows
}

/// `information_schema.columns`, of tables and views of the user.
pub(super) fn columns(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "column_default",
        "is_nullable",
        "data_type",
        "character_maximum_length",
        "character_octet_length",
        "numeric_precision",
        "numeric_precision_radix",
        "numeric_scale",
        "datetime_precision",
        "collation_name",
        "udt_catalog",
        "udt_schema",
        "udt_name",
        "dtd_identifier",
        "is_self_referencing",
        "is_identity",
        "identity_generation",
        "identity_start",
        "identity_increment",
        "identity_maximum",
        "identity_minimum",
        "identity_cycle",
        "is_generated",
        "generation_expression",
        "is_updatable",
    ]);
    for relation in &facts.relations {
        for (column, number) in relation.columns.iter().zip(1i16..) {
            rows.push(column_row(context, relation, column, number));
        }
    }
    rows
}

fn column_row(context: &Context, relation: &Relation, column: &Column, number: i16) -> Vec<Value> {
    let shape = Shape::of(column.ty);
    let identity = |value: &str| column.identity.then(|| value.to_owned());
    let updatable = relation.kind == RelationKind::Table && column.generated.is_none();
    row![
        &context.database,
        relation.schema(),
        &relation.name,
        &column.name,
        number,
        column.default.clone().filter(|_| column.generated.is_none()),
        yes(!column.not_null),
        data_type(column.ty.oid),
        shape.length,
        shape.octets,
        shape.precision,
        shape.radix,
        shape.scale,
        shape.time,
        column.collation.clone(),
        &context.database,
        "pg_catalog",
        types::by_oid(column.ty.oid).map(|ty| ty.name.clone()),
        number.to_string(),
        "NO",
        yes(column.identity),
        identity("BY DEFAULT"),
        identity("1"),
        identity("1"),
        identity("9223372036854775807"),
        identity("1"),
        "NO",
        if column.generated.is_some() { "ALWAYS" } else { "NEVER" },
        column.generated.clone(),
        yes(updatable),
    ]
}

fn data_type(ty: Oid) -> String {
    if types::by_oid(ty).is_some_and(|ty| ty.category == "A") {
        return "ARRAY".to_owned();
    }
    types::sql_name(ty.0, -1).unwrap_or_default()
}

/// How long and how precise values of a type are.
#[derive(Debug, Default, PartialEq)]
struct Shape {
    length: Option<i32>,
    octets: Option<i32>,
    precision: Option<i32>,
    radix: Option<i32>,
    scale: Option<i32>,
    time: Option<i32>,
}

impl Shape {
    fn of(ty: Type) -> Self {
        let modifier = (ty.modifier >= 0).then_some(ty.modifier);
        let binary =
            |bits: i32, scale| Self { precision: Some(bits), radix: Some(2), scale, ..Self::default() };
        match ty.oid {
            oid::INT2 => binary(16, Some(0)),
            oid::INT4 => binary(32, Some(0)),
            oid::INT8 => binary(64, Some(0)),
            oid::FLOAT4 => binary(24, None),
            oid::FLOAT8 => binary(53, None),
            oid::NUMERIC => Self {
                precision: modifier.map(|modifier| (modifier - 4) >> 16),
                radix: Some(10),
                scale: modifier.map(|modifier| (modifier - 4) & 0x7ff),
                ..Self::default()
            },
            oid::TEXT => Self { octets: Some(1 << 30), ..Self::default() },
            oid::VARCHAR | oid::BPCHAR => {
                let length = modifier.map(|modifier| modifier - 4);
                let octets = length.map_or(1 << 30, |length| length.saturating_mul(4));
                Self { length, octets: Some(octets), ..Self::default() }
            }
            oid::DATE => Self { time: Some(0), ..Self::default() },
            oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL => {
                Self { time: Some(modifier.unwrap_or(6)), ..Self::default() }
            }
            _plain => Self::default(),
        }
    }
}

pub(super) fn sequences(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "sequence_catalog",
        "sequence_schema",
        "sequence_name",
        "data_type",
        "numeric_precision",
        "numeric_precision_radix",
        "numeric_scale",
        "start_value",
        "minimum_value",
        "maximum_value",
        "increment",
        "cycle_option",
    ]);
    for (relation, _, column) in facts.identities() {
        rows.push(row![
            &context.database,
            relation.schema(),
            sequence_name(relation, column),
            "bigint",
            64,
            2,
            0,
            "1",
            "1",
            "9223372036854775807",
            "1",
            "NO"
        ]);
    }
    rows
}

/// One row for each event, as the standard wants; SQLite's triggers have one each.
pub(super) fn triggers(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "trigger_catalog",
        "trigger_schema",
        "trigger_name",
        "event_manipulation",
        "event_object_catalog",
        "event_object_schema",
        "event_object_table",
        "action_statement",
        "action_orientation",
        "action_timing",
    ]);
    for trigger in &facts.triggers {
        let Some(table) = facts.relation(trigger.table) else { continue };
        let head =
            trigger.sql.split_once(" ON ").map_or(trigger.sql.as_str(), |(head, _)| head).to_uppercase();
        let event = ["INSERT", "UPDATE", "DELETE"].into_iter().find(|event| head.contains(event));
        let timing = ["BEFORE", "AFTER", "INSTEAD OF"].into_iter().find(|timing| head.contains(timing));
        rows.push(row![
            &context.database,
            table.schema(),
            &trigger.name,
            event,
            &context.database,
            table.schema(),
            &table.name,
            &trigger.sql,
            "ROW",
            timing.unwrap_or("BEFORE")
        ]);
    }
    rows
}

/// `table_privileges` and `role_table_grants`: the user may do everything.
pub(super) fn table_privileges(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "grantor",
        "grantee",
        "table_catalog",
        "table_schema",
        "table_name",
        "privilege_type",
        "is_grantable",
        "with_hierarchy",
    ]);
    for relation in &facts.relations {
        for privilege in ["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"] {
            rows.push(row![
                &context.user,
                &context.user,
                &context.database,
                relation.schema(),
                &relation.name,
                privilege,
                "YES",
                yes(privilege == "SELECT")
            ]);
        }
    }
    rows
}

pub(super) fn catalog_name(context: &Context) -> Rows {
    let mut rows = Rows::new(&["catalog_name"]);
    rows.push(row![&context.database]);
    rows
}

pub(super) fn enabled_roles(context: &Context) -> Rows {
    let mut rows = Rows::new(&["role_name"]);
    rows.push(row![&context.user]);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_lengths_and_precisions_of_the_standard() {
        let shape = |declared: &str| Shape::of(Type::declared(declared).expect("a type"));
        assert_eq!(shape("varchar(20)").length, Some(20));
        assert_eq!(shape("varchar(20)").octets, Some(80));
        assert_eq!(shape("bigint").precision, Some(64));
        let numeric = shape("numeric(10, 2)");
        assert_eq!((numeric.precision, numeric.radix, numeric.scale), (Some(10), Some(10), Some(2)));
        assert_eq!(shape("numeric").precision, None);
        assert_eq!(shape("timestamp(3)").time, Some(3));
        assert_eq!(shape("timestamptz").time, Some(6));
        assert_eq!(shape("jsonb"), Shape::default());
    }
}
