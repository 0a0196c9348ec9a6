//! The rows of every catalog table that has any.

mod fixed;
mod information;
mod keys;
pub(super) mod relations;
mod session;
mod views;

use self::Freshness::{Fixed, Schema, Statement};
use super::context::Context;
use super::facts::Facts;
use super::procs;
use super::tables::Table;
use super::types;
use super::values::Rows;

/// When the rows of a table have to be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Never.
    Fixed,
    /// With the schema.
    Schema,
    /// For each statement.
    Statement,
}

/// Where the rows of a table come from.
pub(super) struct Source {
    /// As the table is stored.
    table: &'static str,
    pub freshness: Freshness,
    pub rows: fn(&Facts, &Context) -> Rows,
}

const fn source(table: &'static str, freshness: Freshness, rows: fn(&Facts, &Context) -> Rows) -> Source {
    Source { table, freshness, rows }
}

/// The source of a table; `None` for one that is always empty.
pub(super) fn find(table: &Table) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.table == table.stored)
}

const SOURCES: &[Source] = &[
    source("pg_class", Schema, |facts, _| relations::class(facts)),
    source("pg_attribute", Schema, |facts, _| relations::attribute(facts)),
    source("pg_attrdef", Schema, |facts, _| relations::defaults(facts)),
    source("pg_namespace", Schema, |facts, _| fixed::namespaces(facts)),
    source("pg_index", Schema, |facts, _| keys::index(facts)),
    source("pg_constraint", Schema, |facts, _| keys::constraint(facts)),
    source("pg_trigger", Schema, |facts, _| keys::trigger(facts)),
    source("pg_sequence", Schema, |facts, _| keys::sequence(facts)),
    source("pg_depend", Schema, |facts, _| keys::depend(facts)),
    source("pg_type", Schema, |facts, _| types::rows(facts)),
    source("pg_proc", Fixed, |_, _| procs::rows()),
    source("pg_range", Fixed, |_, _| types::ranges()),
    source("pg_am", Fixed, |_, _| fixed::access_methods()),
    source("pg_collation", Fixed, |_, _| fixed::collations()),
    source("pg_tablespace", Fixed, |_, _| fixed::tablespaces()),
    source("pg_language", Fixed, |_, _| fixed::languages()),
    source("pg_opclass", Fixed, |_, _| keys::operator_classes()),
    source("pg_get_keywords", Fixed, |_, _| fixed::keyword_list()),
    source("pg_tables", Schema, views::tables),
    source("pg_views", Schema, views::views),
    source("pg_indexes", Schema, |facts, _| views::indexes(facts)),
    source("pg_sequences", Schema, views::sequences),
    source("pg_stat_all_tables", Schema, |facts, _| views::table_statistics(facts)),
    source("pg_stat_user_tables", Schema, |facts, _| views::table_statistics(facts)),
    source("pg_stat_all_indexes", Schema, |facts, _| views::index_names(facts)),
    source("pg_stat_user_indexes", Schema, |facts, _| views::index_names(facts)),
    source("pg_statio_all_tables", Schema, |facts, _| views::table_names(facts)),
    source("pg_statio_user_tables", Schema, |facts, _| views::table_names(facts)),
    source("pg_statio_all_indexes", Schema, |facts, _| views::index_names(facts)),
    source("pg_statio_user_indexes", Schema, |facts, _| views::index_names(facts)),
    source("pg_statio_all_sequences", Schema, |facts, _| views::sequence_names(facts)),
    source("pg_statio_user_sequences", Schema, |facts, _| views::sequence_names(facts)),
    source("pg_settings", Statement, |_, context| session::settings(context)),
    source("pg_database", Statement, |_, context| session::databases(context)),
    source("pg_roles", Statement, |_, context| session::roles(context)),
    source("pg_authid", Statement, |_, context| session::roles(context)),
    source("pg_user", Statement, |_, context| session::users(context)),
    source("pg_shadow", Statement, |_, context| session::users(context)),
    source("pg_stat_activity", Statement, |_, context| session::activity(context)),
    source("pg_stat_database", Statement, |_, context| session::database_statistics(context)),
    source("information_schema.tables", Schema, information::tables),
    source("information_schema.columns", Schema, information::columns),
    source("information_schema.views", Schema, information::views),
    source("information_schema.schemata", Schema, information::schemata),
    source("information_schema.sequences", Schema, information::sequences),
    source("information_schema.triggers", Schema, information::triggers),
    source("information_schema.table_constraints", Schema, information::table_constraints),
    source("information_schema.key_column_usage", Schema, information::key_columns),
    source("information_schema.referential_constraints", Schema, information::references),
    source("information_schema.constraint_column_usage", Schema, information::constraint_columns),
    source("information_schema.constraint_table_usage", Schema, information::constraint_tables),
    source("information_schema.check_constraints", Schema, information::checks),
    source("information_schema.table_privileges", Schema, information::table_privileges),
    source("information_schema.role_table_grants", Schema, information::table_privileges),
    source("information_schema.enabled_roles", Statement, |_, context| information::enabled_roles(context)),
    source("information_schema.information_schema_catalog_name", Statement, |_, context| {
        information::catalog_name(context)
    }),
];

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::engine::sqlite::catalog::tables;
    use crate::engine::sqlite::session::settings::Settings;

    #[test]
    fn every_source_fills_columns_that_its_table_has() {
        let settings = Settings::start("me", &[]).expect("defaults");
        let context = Context {
            user: "me".to_owned(),
            database: "mine".to_owned(),
            databases: Arc::new(|| vec!["other".to_owned()]),
            process_id: 1,
            settings: Arc::new(Mutex::new(settings)),
        };
        let mut found = 0;
        for table in tables::all() {
            let Some(source) = find(table) else { continue };
            found += 1;
            for column in (source.rows)(&Facts::default(), &context).columns {
                assert!(table.column(column).is_some(), "{}.{column}", table.stored);
            }
        }
        assert_eq!(found, SOURCES.len(), "a source without a table");
    }
}
