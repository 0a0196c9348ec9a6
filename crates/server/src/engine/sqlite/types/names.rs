//! Names of types, both ways: SQL's spellings to identifiers and identifiers to what `format_type` prints.

use wire::{Oid, oid};

/// Identifier, internal name (`pg_type.typname`), SQL name (`format_type`).
pub(in super::super) const TYPES: &[(Oid, &str, &str)] = &[
    (oid::BOOL, "bool", "boolean"),
    (oid::BYTEA, "bytea", "bytea"),
    (oid::CHAR, "char", "\"char\""),
    (oid::NAME, "name", "name"),
    (oid::INT8, "int8", "bigint"),
    (oid::INT2, "int2", "smallint"),
    (oid::INT2VECTOR, "int2vector", "int2vector"),
    (oid::INT4, "int4", "integer"),
    (oid::REGPROC, "regproc", "regproc"),
    (oid::TEXT, "text", "text"),
    (oid::OID, "oid", "oid"),
    (oid::TID, "tid", "tid"),
    (oid::XID, "xid", "xid"),
    (oid::CID, "cid", "cid"),
    (oid::OIDVECTOR, "oidvector", "oidvector"),
    (oid::JSON, "json", "json"),
    (oid::XML, "xml", "xml"),
    (oid::PG_NODE_TREE, "pg_node_tree", "pg_node_tree"),
    (oid::CIDR, "cidr", "cidr"),
    (oid::FLOAT4, "float4", "real"),
    (oid::FLOAT8, "float8", "double precision"),
    (oid::UNKNOWN, "unknown", "unknown"),
    (oid::MONEY, "money", "money"),
    (oid::MACADDR, "macaddr", "macaddr"),
    (oid::INET, "inet", "inet"),
    (oid::BPCHAR, "bpchar", "character"),
    (oid::VARCHAR, "varchar", "character varying"),
    (oid::DATE, "date", "date"),
    (oid::TIME, "time", "time without time zone"),
    (oid::TIMESTAMP, "timestamp", "timestamp without time zone"),
    (oid::TIMESTAMPTZ, "timestamptz", "timestamp with time zone"),
    (oid::INTERVAL, "interval", "interval"),
    (oid::TIMETZ, "timetz", "time with time zone"),
    (oid::BIT, "bit", "bit"),
    (oid::VARBIT, "varbit", "bit varying"),
    (oid::NUMERIC, "numeric", "numeric"),
    (oid::REFCURSOR, "refcursor", "refcursor"),
    (oid::REGCLASS, "regclass", "regclass"),
    (oid::REGTYPE, "regtype", "regtype"),
    (oid::REGNAMESPACE, "regnamespace", "regnamespace"),
    (oid::RECORD, "record", "record"),
    (oid::CSTRING, "cstring", "cstring"),
    (oid::VOID, "void", "void"),
    (oid::UUID, "uuid", "uuid"),
    (oid::JSONB, "jsonb", "jsonb"),
];

/// Spellings that are neither the internal nor the SQL name.
const ALIASES: &[(&str, Oid)] = &[
    ("int", oid::INT4),
    ("mediumint", oid::INT4),
    ("tinyint", oid::INT2),
    ("serial2", oid::INT2),
    ("smallserial", oid::INT2),
    ("serial", oid::INT4),
    ("serial4", oid::INT4),
    ("bigserial", oid::INT8),
    ("serial8", oid::INT8),
    ("unsigned big int", oid::INT8),
    ("float", oid::FLOAT8),
    ("double", oid::FLOAT8),
    ("decimal", oid::NUMERIC),
    ("dec", oid::NUMERIC),
    ("char", oid::BPCHAR),
    ("string", oid::TEXT),
    ("clob", oid::TEXT),
    ("citext", oid::TEXT),
    ("nvarchar", oid::VARCHAR),
    ("nchar", oid::BPCHAR),
    ("blob", oid::BYTEA),
    ("binary", oid::BYTEA),
    ("varbinary", oid::BYTEA),
    ("datetime", oid::TIMESTAMP),
    ("time", oid::TIME),
    ("timestamp", oid::TIMESTAMP),
    ("guid", oid::UUID),
];

/// The type of a name in lower case, single-spaced, without modifier or array brackets.
pub(in super::super) fn by_name(name: &str) -> Option<Oid> {
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    let name = name.trim_matches('"');
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, oid)| *oid);
    alias.or_else(|| {
        let known = |(_, internal, sql): &&(Oid, &str, &str)| *internal == name || *sql == name;
        TYPES.iter().find(known).map(|(oid, ..)| *oid).or_else(|| internal_array(name))
    })
}

/// `_int4` is the internal name of `integer[]`.
fn internal_array(name: &str) -> Option<Oid> {
    let element = name.strip_prefix('_')?;
    TYPES.iter().find(|(_, internal, _)| *internal == element).and_then(|(oid, ..)| oid.array())
}

/// `pg_type.typname`.
pub(in super::super) fn internal_name(wanted: Oid) -> Option<String> {
    let plain = |wanted: Oid| TYPES.iter().find(|(oid, ..)| *oid == wanted).map(|(_, internal, _)| *internal);
    plain(wanted).map(str::to_owned).or_else(|| Some(format!("_{}", plain(wanted.element()?)?)))
}

/// What `format_type` prints.
pub(in super::super) fn sql_name(wanted: Oid, modifier: i32) -> Option<String> {
    if let Some(element) = wanted.element() {
        return sql_name(element, modifier).map(|name| name + "[]");
    }
    let name = TYPES.iter().find(|(oid, ..)| *oid == wanted).map(|(.., sql)| *sql)?;
    if modifier < 0 {
        return Some(name.to_owned());
    }
    Some(match wanted {
        oid::VARCHAR | oid::BPCHAR => format!("{name}({})", modifier - 4),
        oid::NUMERIC => format!("{name}({},{})", (modifier - 4) >> 16, (modifier - 4) & 0x7ff),
        oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            let (kind, zone) = name.split_once(' ').unwrap_or((name, ""));
            format!("{kind}({modifier}) {zone}")
        }
        _other => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_both_of_its_names() {
        for (oid, internal, sql) in TYPES {
            if *oid != wire::oid::CHAR {
                assert_eq!(by_name(internal), Some(*oid), "{internal}");
                assert_eq!(by_name(sql), Some(*oid), "{sql}");
            }
        }
        assert_eq!(by_name("_text"), Some(oid::TEXT_ARRAY));
        assert_eq!(by_name("pg_catalog.int4"), Some(oid::INT4));
        assert_eq!(by_name("geometry"), None);
    }

    #[test]
    fn format_type_prints_modifiers_like_postgresql() {
        assert_eq!(sql_name(oid::VARCHAR, 24).as_deref(), Some("character varying(20)"));
        assert_eq!(sql_name(oid::NUMERIC, ((10 << 16) | 2) + 4).as_deref(), Some("numeric(10,2)"));
        assert_eq!(sql_name(oid::TIMESTAMPTZ, 3).as_deref(), Some("timestamp(3) with time zone"));
        assert_eq!(sql_name(oid::INT4_ARRAY, -1).as_deref(), Some("integer[]"));
    }
}
