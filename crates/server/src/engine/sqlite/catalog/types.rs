//! PostgreSQL's own types: the rows of `pg_type`, and what columns of them look like.

use std::collections::HashMap;
use std::sync::OnceLock;

use wire::Oid;

use super::super::types::{Value, names};
use super::context::{OWNER, PG_CATALOG, namespace};
use super::facts::{Facts, Relation, oids};
use super::procs;
use super::tables::lines;
use super::values::{Rows, row};

/// A row of `pg_type`.
#[derive(Debug)]
pub(super) struct TypeRow {
    pub oid: u32,
    pub name: String,
    pub length: i16,
    pub by_value: bool,
    pub kind: &'static str,
    pub category: &'static str,
    pub preferred: bool,
    pub delimiter: &'static str,
    pub element: u32,
    pub array: u32,
    /// What the names of its functions start with.
    stem: &'static str,
    binary: bool,
    pub alignment: &'static str,
    pub storage: &'static str,
    pub collation: u32,
}

type Index = (Vec<TypeRow>, HashMap<u32, usize>);

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut rows = Vec::new();
        for line in lines(include_str!("data/types.txt")) {
            let element = parse(line);
            rows.extend((element.array != 0).then(|| array_of(&element)));
            rows.push(element);
        }
        rows.sort_by_key(|row| row.oid);
        let by_oid = rows.iter().enumerate().map(|(at, row)| (row.oid, at)).collect();
        (rows, by_oid)
    })
}

fn parse(line: &'static str) -> TypeRow {
    let words: Vec<&'static str> = line.split(' ').collect();
    let number = |at: usize| words[at].parse().expect("BUG: a number in a data file");
    TypeRow {
        oid: number(0),
        name: words[1].to_owned(),
        length: words[2].parse().expect("BUG: a number in a data file"),
        by_value: words[3] == "t",
        kind: words[4],
        category: words[5],
        preferred: words[6] == "t",
        delimiter: words[7],
        element: number(8),
        array: number(9),
        stem: words[10],
        binary: words[11] == "b",
        alignment: words[12],
        storage: words[13],
        collation: number(14),
    }
}

fn array_of(element: &TypeRow) -> TypeRow {
    TypeRow {
        oid: element.array,
        name: format!("_{}", element.name),
        length: -1,
        by_value: false,
        kind: if element.kind == "p" { "p" } else { "b" },
        category: if element.kind == "p" { "P" } else { "A" },
        preferred: false,
        delimiter: element.delimiter,
        element: element.oid,
        array: 0,
        stem: "array_",
        binary: true,
        alignment: if element.alignment == "d" { "d" } else { "i" },
        storage: "x",
        collation: element.collation,
    }
}

pub(super) fn by_oid(oid: Oid) -> Option<&'static TypeRow> {
    let (rows, by_oid) = index();
    by_oid.get(&oid.0).map(|at| &rows[*at])
}

/// The number of a type, by any of its spellings; modifiers are left aside.
pub(super) fn oid_of(name: &str) -> Option<u32> {
    let unquoted = name.replace("\".\"", ".").trim().trim_matches('"').to_owned();
    let quoted_char = unquoted == "char" && name.contains('"');
    let lower = if quoted_char { "\"char\"".to_owned() } else { unquoted.to_lowercase() };
    if lower.trim_start_matches("pg_catalog.") == "\"char\"" {
        return Some(wire::oid::CHAR.0);
    }
    let (name, array) = match lower.strip_suffix("[]") {
        Some(element) => (element.trim_end(), true),
        None => (lower.as_str(), false),
    };
    let name = match name.split_once('(') {
        Some((before, rest)) => {
            format!("{}{}", before.trim_end(), rest.split_once(')').map_or("", |(_, after)| after))
        }
        None => name.to_owned(),
    };
    let bare = name.strip_prefix("pg_catalog.").unwrap_or(&name).trim_matches('"');
    // The engine's own spellings that PostgreSQL does not have would say too much here.
    let rows = &index().0;
    let exact = rows.iter().find(|row| row.name == bare).map(|row| row.oid);
    let known = names::by_name(&name).filter(|_| POSTGRES_SPELLINGS.contains(&bare) || bare.contains(' '));
    let oid = match bare {
        "char" => Some(wire::oid::BPCHAR.0),
        _other => exact.or_else(|| known.map(|oid| oid.0)),
    }?;
    if array { by_oid(Oid(oid)).map(|row| row.array).filter(|array| *array != 0) } else { Some(oid) }
}

/// Names of one word that PostgreSQL's grammar knows beside `pg_type`.
const POSTGRES_SPELLINGS: &[&str] = &[
    "boolean",
    "smallint",
    "int",
    "integer",
    "bigint",
    "real",
    "float",
    "decimal",
    "dec",
    "character",
    "serial",
    "bigserial",
    "smallserial",
];

/// What `format_type` prints; `None` for a number that is no type.
pub(super) fn sql_name(oid: u32, modifier: i32) -> Option<String> {
    if let Some(name) = names::sql_name(Oid(oid), modifier) {
        return Some(name);
    }
    let row = by_oid(Oid(oid))?;
    if row.stem == "array_" && row.element != 0 {
        return sql_name(row.element, modifier).map(|element| element + "[]");
    }
    Some(row.name.clone())
}

/// The type of a relation's rows.
fn row_type(relation: &Relation) -> Vec<Value> {
    let schema = namespace(relation.temporary);
    let function = |name: &str| procs::oid_of(name).unwrap_or(0);
    row![
        oids::row_type(relation.oid),
        &relation.name,
        schema,
        OWNER,
        -1,
        false,
        "c",
        "C",
        false,
        true,
        ",",
        0,
        relation.oid,
        0,
        0,
        function("record_in"),
        function("record_out"),
        function("record_recv"),
        function("record_send"),
        "d",
        "x",
        -1,
        0,
    ]
}

/// All rows.
pub(super) fn rows(facts: &Facts) -> Rows {
    let mut rows = Rows::new(&[
        "oid",
        "typname",
        "typnamespace",
        "typowner",
        "typlen",
        "typbyval",
        "typtype",
        "typcategory",
        "typispreferred",
        "typisdefined",
        "typdelim",
        "typsubscript",
        "typrelid",
        "typelem",
        "typarray",
        "typinput",
        "typoutput",
        "typreceive",
        "typsend",
        "typalign",
        "typstorage",
        "typtypmod",
        "typcollation",
    ]);
    for ty in &index().0 {
        let function = |suffix: &str| {
            procs::oid_of(&format!("{}{suffix}", ty.stem)).filter(|_| suffix != "recv" || ty.binary)
        };
        rows.push(row![
            ty.oid,
            &ty.name,
            PG_CATALOG,
            OWNER,
            ty.length,
            ty.by_value,
            ty.kind,
            ty.category,
            ty.preferred,
            true,
            ty.delimiter,
            if ty.stem == "array_" { procs::oid_of("array_subscript_handler") } else { None }.unwrap_or(0),
            0,
            ty.element,
            ty.array,
            function("in").unwrap_or(0),
            function("out").unwrap_or(0),
            function("recv").unwrap_or(0),
            function("send").unwrap_or(0),
            ty.alignment,
            ty.storage,
            -1,
            ty.collation,
        ]);
    }
    for relation in &facts.relations {
        rows.push(row_type(relation));
    }
    rows
}

/// `pg_range`: range type, subtype, multirange type, operator class, canonical and difference functions.
pub(super) fn ranges() -> Rows {
    const RANGES: &[(u32, u32, u32, u32, &str, &str)] = &[
        (3904, 23, 4451, 1978, "int4range_canonical", "int4range_subdiff"),
        (3906, 1700, 4532, 3125, "-", "numrange_subdiff"),
        (3908, 1114, 4533, 3128, "-", "tsrange_subdiff"),
        (3910, 1184, 4534, 3127, "-", "tstzrange_subdiff"),
        (3912, 1082, 4535, 3122, "daterange_canonical", "daterange_subdiff"),
        (3926, 20, 4536, 3124, "int8range_canonical", "int8range_subdiff"),
    ];
    let mut rows =
        Rows::new(&["rngtypid", "rngsubtype", "rngmultitypid", "rngsubopc", "rngcanonical", "rngsubdiff"]);
    for (range, subtype, multirange, class, canonical, difference) in RANGES {
        let function = |name: &str| procs::oid_of(name).unwrap_or(0);
        rows.push(row![*range, *subtype, *multirange, *class, function(canonical), function(difference)]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_number_and_by_spelling() {
        let array = by_oid(Oid(1007)).expect("there");
        assert_eq!((array.name.as_str(), array.element, array.category), ("_int4", 23, "A"));
        for (name, oid) in [
            ("int4", Some(23)),
            ("INTEGER", Some(23)),
            ("integer[]", Some(1007)),
            ("pg_catalog.text", Some(25)),
            ("character varying(20)", Some(1043)),
            ("timestamp(3) with time zone", Some(1184)),
            ("\"char\"", Some(18)),
            ("\"pg_catalog\".\"int8\"", Some(20)),
            ("char", Some(1042)),
            ("tsvector", Some(3614)),
            ("_bool", Some(1000)),
            ("hstore", None),
            ("datetime", None),
            ("", None),
        ] {
            assert_eq!(oid_of(name), oid, "{name}");
        }
    }

    #[test]
    fn format_type_knows_every_type() {
        assert_eq!(sql_name(1043, 24).as_deref(), Some("character varying(20)"));
        assert_eq!(sql_name(3645, -1).as_deref(), Some("tsquery[]"));
        assert_eq!(sql_name(18, -1).as_deref(), Some("\"char\""));
        assert_eq!(sql_name(1, -1), None);
    }
}
