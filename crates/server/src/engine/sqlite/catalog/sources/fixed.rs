//! Catalogs that are the same in every database.

use super::super::context::{BTREE, HEAP, NAMESPACES, NOCASE, OWNER, PG_CATALOG, PG_TEMP, RTRIM};
use super::super::definitions::keywords;
use super::super::facts::Facts;
use super::super::procs;
use super::super::values::{Rows, row};

/// The schema of temporary tables is there when one of them is.
pub(super) fn namespaces(facts: &Facts) -> Rows {
    let temporary = facts.relations.iter().any(|relation| relation.temporary);
    let mut rows = Rows::new(&["oid", "nspname", "nspowner"]);
    for (oid, name) in NAMESPACES.iter().filter(|(oid, _)| temporary || *oid != PG_TEMP) {
        rows.push(row![*oid, *name, OWNER]);
    }
    rows
}

pub(super) fn access_methods() -> Rows {
    let function = |name: &str| procs::oid_of(name).unwrap_or(0);
    let mut rows = Rows::new(&["oid", "amname", "amhandler", "amtype"]);
    rows.push(row![HEAP, "heap", function("heap_tableam_handler"), "t"]);
    rows.push(row![BTREE, "btree", function("bthandler"), "i"]);
    rows
}

/// Text is compared byte by byte; SQLite's two others come beside.
pub(super) fn collations() -> Rows {
    const COLLATIONS: &[(u32, &str, &str, Option<&str>)] = &[
        (100, "default", "d", None),
        (950, "C", "c", Some("C")),
        (951, "POSIX", "c", Some("POSIX")),
        (NOCASE, "NOCASE", "c", Some("NOCASE")),
        (RTRIM, "RTRIM", "c", Some("RTRIM")),
    ];
    let mut rows = Rows::new(&[
        "oid",
        "collname",
        "collnamespace",
        "collowner",
        "collprovider",
        "collisdeterministic",
        "collencoding",
        "collcollate",
        "collctype",
    ]);
    for (oid, name, provider, locale) in COLLATIONS {
        rows.push(row![*oid, *name, PG_CATALOG, OWNER, *provider, true, -1, *locale, *locale]);
    }
    rows
}

pub(super) fn tablespaces() -> Rows {
    let mut rows = Rows::new(&["oid", "spcname", "spcowner"]);
    rows.push(row![1663, "pg_default", OWNER]);
    rows.push(row![1664, "pg_global", OWNER]);
    rows
}

pub(super) fn languages() -> Rows {
    let mut rows = Rows::new(&["oid", "lanname", "lanowner", "lanispl", "lanpltrusted"]);
    rows.push(row![12, "internal", OWNER, false, false]);
    rows.push(row![14, "sql", OWNER, false, true]);
    rows
}

/// `pg_get_keywords()`.
pub(super) fn keyword_list() -> Rows {
    let mut rows = Rows::new(&["word", "catcode", "barelabel", "catdesc", "baredesc"]);
    for (category, bare, word) in keywords() {
        let described = match category {
            "R" => "reserved",
            "T" => "reserved (can be function or type name)",
            "C" => "unreserved (cannot be function or type name)",
            _unreserved => "unreserved",
        };
        rows.push(row![
            word,
            category,
            bare,
            described,
            if bare { "can be bare label" } else { "requires AS" }
        ]);
    }
    rows
}
