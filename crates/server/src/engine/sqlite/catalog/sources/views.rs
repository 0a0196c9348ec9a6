//! PostgreSQL's own views over its catalogs.

use super::super::super::types::Value;
use super::super::context::Context;
use super::super::definitions;
use super::super::facts::{Facts, RelationKind, oids};
use super::super::tables;
use super::super::values::{Rows, row};
use super::relations::sequence_name;

/// `pg_tables`.
pub(super) fn tables(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "schemaname",
        "tablename",
        "tableowner",
        "hasindexes",
        "hasrules",
        "hastriggers",
        "rowsecurity",
    ]);
    for relation in facts.relations.iter().filter(|relation| relation.kind == RelationKind::Table) {
        let indexed = facts.indexes_of(relation.oid).next().is_some();
        let triggers = facts.triggers.iter().any(|trigger| trigger.table == relation.oid);
        rows.push(row![relation.schema(), &relation.name, &context.user, indexed, false, triggers, false]);
    }
    for table in tables::all().iter().filter(|table| table.kind == "r") {
        rows.push(row![schema_of(table), table.name, &context.user, false, false, false, false]);
    }
    rows
}

fn schema_of(table: &tables::Table) -> &'static str {
    if table.information { tables::INFORMATION } else { tables::SCHEMA }
}

/// `pg_views`.
pub(super) fn views(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&["schemaname", "viewname", "viewowner", "definition"]);
    for view in facts.relations.iter().filter(|relation| relation.kind == RelationKind::View) {
        rows.push(row![view.schema(), &view.name, &context.user, view.query()]);
    }
    for table in tables::all().iter().filter(|table| table.kind == "v") {
        rows.push(row![schema_of(table), table.name, &context.user, Value::Null]);
    }
    rows
}

/// `pg_indexes`.
pub(super) fn indexes(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&["schemaname", "tablename", "indexname", "indexdef"]);
    for index in &facts.indexes {
        let Some(table) = facts.relation(index.table) else { continue };
        let definition = definitions::index(facts, index, false);
        rows.push(row![table.schema(), &table.name, &index.name, definition]);
    }
    rows
}

/// `pg_sequences`.
pub(super) fn sequences(facts: &Facts, context: &Context) -> Rows {
    let mut rows = Rows::new(&[
        "schemaname",
        "sequencename",
        "sequenceowner",
        "data_type",
        "start_value",
        "min_value",
        "max_value",
        "increment_by",
        "cycle",
        "cache_size",
    ]);
    for (relation, _, column) in facts.identities() {
        let name = sequence_name(relation, column);
        rows.push(row![relation.schema(), name, &context.user, "bigint", 1, 1, i64::MAX, 1, false, 1]);
    }
    rows
}

/// `pg_stat_user_tables` and its kin: which tables there are; nothing is counted but what ANALYZE has found.
pub(super) fn table_statistics(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&["relid", "schemaname", "relname", "n_live_tup", "n_dead_tup"]);
    for relation in facts.relations.iter().filter(|relation| relation.kind == RelationKind::Table) {
        rows.push(row![relation.oid, relation.schema(), &relation.name, relation.rows.unwrap_or(0), 0]);
    }
    rows
}

/// `pg_statio_user_tables` and its kin.
pub(super) fn table_names(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&["relid", "schemaname", "relname"]);
    for relation in facts.relations.iter().filter(|relation| relation.kind == RelationKind::Table) {
        rows.push(row![relation.oid, relation.schema(), &relation.name]);
    }
    rows
}

/// `pg_stat_user_indexes` and its kin.
pub(super) fn index_names(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&["relid", "indexrelid", "schemaname", "relname", "indexrelname"]);
    for index in &facts.indexes {
        let Some(table) = facts.relation(index.table) else { continue };
        rows.push(row![table.oid, index.oid, table.schema(), &table.name, &index.name]);
    }
    rows
}

/// `pg_statio_user_sequences` and its kin.
pub(super) fn sequence_names(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&["relid", "schemaname", "relname"]);
    for (relation, _, column) in facts.identities() {
        rows.push(row![oids::sequence(relation.oid), relation.schema(), sequence_name(relation, column)]);
    }
    rows
}
