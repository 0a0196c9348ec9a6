//! What the engine's rewriter has to know about the catalogs: the forms that casts to identifier types, size functions and tables of
//! `information_schema` take in SQLite.

use wire::{Oid, oid};

use super::super::lexer::quote_name;
use super::functions::{names, sizes};
use super::tables::{self, INFORMATION, SCHEMA};

/// Types whose values are numbers of objects and print as their names.
const IDENTIFIERS: &[(&str, Oid)] = &[
    ("regclass", oid::REGCLASS),
    ("regnamespace", oid::REGNAMESPACE),
    ("regproc", oid::REGPROC),
    ("regprocedure", names::REGPROCEDURE),
    ("regrole", names::REGROLE),
    ("regtype", oid::REGTYPE),
];

pub(in super::super) fn is_identifier_type(ty: Oid) -> bool {
    IDENTIFIERS.iter().any(|(_, oid)| *oid == ty)
}

/// The identifier type of this name, as written in a cast.
pub(in super::super) fn identifier_type(name: &str) -> Option<Oid> {
    let name = name.rsplit('.').next().unwrap_or(name).trim().trim_matches('"');
    IDENTIFIERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, oid)| *oid)
}

/// `value::regclass` and its kin, as a number.
pub(in super::super) fn to_identifier(ty: Oid, value: &str) -> String {
    format!("{}({}, {value})", names::TO_OID, ty.0)
}

/// The text of such a value.
pub(in super::super) fn to_name(ty: Oid, value: &str) -> String {
    format!("{}({}, {value})", names::TO_NAME, ty.0)
}

/// The table that a name with this schema means, where it is called otherwise in SQLite.
pub(in super::super) fn table(schema: Option<&str>, name: &str) -> Option<String> {
    match schema? {
        "pg_temp" => Some(format!("temp.{}", quote_name(name))),
        INFORMATION => {
            let table = tables::find(schema, name)?;
            Some(format!("{SCHEMA}.{}", quote_name(&table.stored)))
        }
        _same => None,
    }
}

/// Whether a column's name has a schema in front that SQLite knows under another name.
pub(in super::super) fn hides_schema(column: &str) -> bool {
    let mut parts = column.split('.');
    let schema = parts.next().unwrap_or_default().trim().trim_matches('"');
    let hidden = ["pg_temp", INFORMATION].iter().any(|known| schema.eq_ignore_ascii_case(known));
    hidden && parts.count() == 2
}

/// A function that returns the rows of a table.
pub(in super::super) fn table_function(name: &str) -> Option<String> {
    let table = match name {
        "pg_show_all_settings" => "pg_settings",
        name => name,
    };
    tables::find(None, table).map(|table| format!("{SCHEMA}.{}", quote_name(&table.stored)))
}

/// The number of one of the catalogs' own relations.
pub(in super::super) fn oid(schema: Option<&str>, name: &str) -> Option<u32> {
    tables::find(schema, name).map(|table| table.oid)
}

/// Whether every table of PostgreSQL has a column of this name without showing it.
pub(in super::super) fn is_hidden(column: &str) -> bool {
    matches!(column, "tableoid" | "xmin" | "xmax" | "cmin" | "cmax" | "ctid")
}

/// What such a column holds in the catalog with this number.
pub(in super::super) fn hidden(column: &str, oid: u32) -> String {
    match column {
        "tableoid" => oid.to_string(),
        "ctid" => "'(0,1)'".to_owned(),
        "xmin" => "1".to_owned(),
        _transaction => "0".to_owned(),
    }
}

/// Functions that count the pages of relations, which only SQL can.
pub(in super::super) fn size_function(name: &str, arguments: &[String]) -> Option<String> {
    let of_relation = |relation: &String, what: &str| {
        format!(
            "(SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE schema = 'public' AND aggregate = 1 \
             AND name IN (SELECT value FROM json_each({}({relation}, '{what}'))))",
            sizes::STORED
        )
    };
    Some(match (name, arguments) {
        ("pg_relation_size", [relation] | [relation, _]) | ("pg_table_size", [relation]) => {
            of_relation(relation, "table")
        }
        ("pg_indexes_size", [relation]) => of_relation(relation, "indexes"),
        ("pg_total_relation_size", [relation]) => of_relation(relation, "total"),
        ("pg_database_size", [database]) => format!(
            "CASE WHEN {}({database}) THEN (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size) END",
            sizes::THIS_DATABASE
        ),
        _other => return None,
    })
}

/// The type of what a function of the catalogs returns, as far as its name tells.
pub(in super::super) fn returns(function: &str) -> Option<Oid> {
    let suffix = |end: &str| function.ends_with(end);
    Some(match function {
        "to_regnamespace" => oid::REGNAMESPACE,
        "to_regrole" => names::REGROLE,
        "to_regproc" | "to_regprocedure" | "to_regoper" | "to_regoperator" => oid::REGPROC,
        "pg_my_temp_schema" | "pg_relation_filenode" | "pg_partition_root" => oid::OID,
        "pg_char_to_encoding" => oid::INT4,
        "pg_tablespace_size" | "pg_sequence_last_value" => oid::INT8,
        "getdatabaseencoding" => oid::NAME,
        "pg_partition_ancestors" => oid::REGCLASS,
        "row_security_active" | "pg_relation_is_publishable" | "pg_has_role" => oid::BOOL,
        _any if suffix("_is_visible") || suffix("_privilege") => oid::BOOL,
        name if name.starts_with("pg_get_") || name.starts_with("pg_tablespace_") => oid::TEXT,
        "pg_relation_filepath" => oid::TEXT,
        _unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_counted_by_pages_of_the_trees_behind_a_relation() {
        let size = |name: &str| size_function(name, &["c.oid".to_owned()]).unwrap_or_default();
        assert!(size("pg_table_size").contains("(c.oid, 'table')"));
        assert!(size("pg_total_relation_size").contains("(c.oid, 'total')"));
        assert_eq!(size("length"), "");
    }

    #[test]
    fn functions_return_what_their_names_promise() {
        assert_eq!(returns("has_type_privilege"), Some(oid::BOOL));
        assert_eq!(returns("pg_get_triggerdef"), Some(oid::TEXT));
        assert_eq!(returns("pg_opclass_is_visible"), Some(oid::BOOL));
        assert_eq!(returns("lower"), None);
    }
}
