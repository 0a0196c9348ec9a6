//! The relations of `pg_catalog` and `information_schema`: their columns, and how SQLite declares them.

use std::collections::HashMap;
use std::sync::OnceLock;

use wire::{Oid, oid};

use super::super::lexer::quote_name;
use super::super::types::Type;
use super::types;

/// The name of the attached database.
pub(in super::super) const SCHEMA: &str = "pg_catalog";
/// Its other half, whose tables stand in the same database under names with this in front.
pub(super) const INFORMATION: &str = "information_schema";

/// A relation of the catalogs.
#[derive(Debug)]
pub(super) struct Table {
    pub name: &'static str,
    pub oid: u32,
    /// `r` for a table, `v` for a view, `f` for a function that returns rows.
    pub kind: &'static str,
    pub information: bool,
    /// The name in the attached database. Tables of `information_schema` keep their schema in it: names such as `tables` must not
    /// be found without.
    pub stored: String,
    pub columns: Vec<(&'static str, Type)>,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<Type> {
        self.columns.iter().find(|(column, _)| *column == name).map(|(_, ty)| *ty)
    }

    /// `CREATE TABLE` in the attached database.
    pub fn declaration(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|(name, ty)| self.column_declaration(name, ty.oid)).collect();
        format!("CREATE TABLE {SCHEMA}.{} ({})", quote_name(&self.stored), columns.join(", "))
    }

    fn column_declaration(&self, name: &str, ty: Oid) -> String {
        let quoted = quote_name(name);
        if name == "oid" {
            // The row's number: found at once, and stored once.
            return format!("{quoted} INTEGER PRIMARY KEY");
        }
        let declared = storage(ty);
        let zero = self.kind == "r" && !self.information && declared != "TEXT";
        if zero { format!("{quoted} {declared} DEFAULT 0") } else { format!("{quoted} {declared}") }
    }
}

/// A declaration whose affinity keeps values as they are. Most text types would have SQLite turn digits into numbers.
fn storage(ty: Oid) -> &'static str {
    match ty {
        oid::BOOL => "BOOL",
        oid::INT2 => "INT2",
        oid::INT4 => "INT4",
        oid::INT8 => "INT8",
        oid::OID | oid::XID | oid::REGPROC => "OID",
        oid::FLOAT4 => "FLOAT4",
        oid::FLOAT8 => "FLOAT8",
        _text => "TEXT",
    }
}

/// All of them.
pub(super) fn all() -> &'static [Table] {
    &index().0
}

/// By schema (`None` looks in `pg_catalog`, as PostgreSQL does first) and name.
pub(super) fn find(schema: Option<&str>, name: &str) -> Option<&'static Table> {
    let information = match schema {
        None => false,
        Some(schema) if schema == SCHEMA => false,
        Some(schema) if schema == INFORMATION => true,
        Some(_) => return None,
    };
    let (tables, by_name) = index();
    by_name.get(&(information, name)).map(|at| &tables[*at])
}

type Index = (Vec<Table>, HashMap<(bool, &'static str), usize>);

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let catalog = lines(include_str!("data/pg_catalog.txt")).map(|line| parse(line, false));
        let information = lines(include_str!("data/information_schema.txt")).map(|line| parse(line, true));
        let tables: Vec<Table> = catalog.chain(information).collect();
        let by_name =
            tables.iter().enumerate().map(|(at, table)| ((table.information, table.name), at)).collect();
        (tables, by_name)
    })
}

/// Names and types of a relation's columns, by the name that statements give it.
pub(in super::super) fn columns(schema: Option<&str>, name: &str) -> Option<&'static [(&'static str, Type)]> {
    find(schema, name).map(|table| table.columns.as_slice())
}

/// The type of a column of the attached database.
pub(in super::super) fn column_type(stored: &str, column: &str) -> Option<Type> {
    let information = stored.strip_prefix(INFORMATION).and_then(|name| name.strip_prefix('.'));
    let table = match information {
        Some(name) => find(Some(INFORMATION), name),
        None => find(None, stored),
    };
    table?.column(column)
}

/// Lines of a data file without comments.
pub(super) fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn parse(line: &'static str, information: bool) -> Table {
    let mut words = line.split(' ');
    let mut next = || words.next().expect("BUG: a line of a data file is complete");
    let (name, oid, kind) = (next(), next(), next());
    let column = |word: &'static str| match word.split_once(':') {
        Some((name, ty)) => (name, Type::new(type_named(ty))),
        None => (word, Type::new(oid::NAME)),
    };
    let oid = oid.parse().expect("BUG: an identifier in a data file is a number");
    let stored = if information { format!("{INFORMATION}.{name}") } else { name.to_owned() };
    Table { name, oid, kind, information, stored, columns: words.map(column).collect() }
}

/// A type of the data files; the few that nothing here can make are text.
fn type_named(name: &str) -> Oid {
    match name {
        "char" => oid::CHAR,
        "_char" => oid::CHAR_ARRAY,
        name => types::oid_of(name).map_or(oid::TEXT, Oid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_have_postgresqls_identifiers_and_types() {
        let class = find(None, "pg_class").expect("there");
        assert_eq!((class.oid, class.kind, class.columns.len()), (1259, "r", 33));
        assert_eq!(class.column("relkind"), Some(Type::new(oid::CHAR)));
        assert_eq!(class.column("relname"), Some(Type::new(oid::NAME)));
        assert_eq!(class.column("reloptions"), Some(Type::new(oid::TEXT_ARRAY)));
        let columns = find(Some("information_schema"), "columns").expect("there");
        assert_eq!(columns.stored, "information_schema.columns");
        assert!(find(None, "columns").is_none());
        assert!(find(Some("public"), "pg_class").is_none());
        assert_eq!(all().len(), 204, "a relation was lost or came twice");
    }

    #[test]
    fn digits_in_names_stay_text() {
        let class = find(None, "pg_class").expect("there").declaration();
        assert!(class.contains("\"relname\" TEXT,"), "{class}");
        assert!(class.contains("\"oid\" INTEGER PRIMARY KEY"), "{class}");
        assert!(class.contains("\"relhasindex\" BOOL DEFAULT 0"), "{class}");
    }
}
