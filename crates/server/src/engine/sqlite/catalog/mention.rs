//! Which statements have to do with the catalogs, told by their words alone.

use super::super::lexer::{Kind, Token, name_value};
use super::super::tokens::Tokens;
use super::tables::{self, Table};

/// What of the catalogs a statement uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Mention {
    /// Names in the attached database, each once.
    tables: Vec<&'static str>,
    /// It names one of the catalogs' own relations by number or in a literal: tools that describe those want their columns.
    own_columns: bool,
}

impl Mention {
    pub(super) fn tables(&self) -> impl Iterator<Item = &'static Table> {
        self.tables.iter().filter_map(|name| match name.strip_prefix("information_schema.") {
            Some(name) => tables::find(Some(tables::INFORMATION), name),
            None => tables::find(None, name),
        })
    }

    pub(super) fn wants_own_columns(&self) -> bool {
        self.own_columns && self.tables.contains(&"pg_attribute")
    }
}

/// Functions, types and keywords without `pg_` in front that need the facts.
const WORDS: &[&str] = &[
    "aclexplode",
    "col_description",
    "format_type",
    "getdatabaseencoding",
    "has_any_column_privilege",
    "has_column_privilege",
    "has_database_privilege",
    "has_foreign_data_wrapper_privilege",
    "has_function_privilege",
    "has_language_privilege",
    "has_parameter_privilege",
    "has_schema_privilege",
    "has_sequence_privilege",
    "has_server_privilege",
    "has_table_privilege",
    "has_tablespace_privilege",
    "has_type_privilege",
    "obj_description",
    "regclass",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
    "row_security_active",
    "shobj_description",
    "to_regclass",
    "to_regnamespace",
    "to_regoper",
    "to_regoperator",
    "to_regproc",
    "to_regprocedure",
    "to_regrole",
    "to_regtype",
];

/// Whether a function of the catalogs has this name without `pg_` in front.
pub(in super::super) fn is_function(name: &str) -> bool {
    WORDS.contains(&name)
}

/// What the statement has to do with the catalogs; `None` for nothing, as for most statements.
pub(in super::super) fn mentions(tokens: &Tokens<'_>) -> Option<Mention> {
    let mut tokens = tokens.clone();
    let sql = tokens.sql;
    let mut found: Option<Mention> = None;
    while let Some(token) = tokens.advance() {
        match token.kind {
            Kind::Word | Kind::Quoted => {
                let Some(name) = suspicious(sql, token) else { continue };
                let mention = found.get_or_insert_default();
                let table = if name == tables::INFORMATION {
                    following(&mut tokens, sql)
                        .and_then(|name| tables::find(Some(tables::INFORMATION), &name))
                } else if name == "pg_show_all_settings" {
                    tables::find(None, "pg_settings")
                } else {
                    tables::find(None, &name)
                };
                if let Some(table) = table {
                    mention.add(table);
                }
            }
            Kind::Number | Kind::String => {
                if let Some(mention) = &mut found {
                    mention.own_columns |= names_own_relation(sql, token);
                }
            }
            _other => {}
        }
    }
    found
}

impl Mention {
    fn add(&mut self, table: &'static Table) {
        let name = table.stored.as_str();
        if !self.tables.contains(&name) {
            self.tables.push(name);
        }
    }
}

/// The name, if it may belong to the catalogs.
fn suspicious(sql: &str, token: Token) -> Option<String> {
    let text = token.text(sql).trim_start_matches(['"', '`']);
    let prefixed = text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("pg_"));
    if prefixed || (text.len() >= 7 && is_word(text.trim_end_matches(['"', '`']))) {
        return name_value(sql, token).map(|name| name.to_lowercase());
    }
    None
}

fn is_word(text: &str) -> bool {
    text.eq_ignore_ascii_case(tables::INFORMATION) || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// The name behind a point.
fn following(tokens: &mut Tokens<'_>, sql: &str) -> Option<String> {
    if !tokens.take(".") {
        return None;
    }
    tokens.peek().and_then(|token| name_value(sql, token)).map(|name| name.to_lowercase())
}

/// `1259`, `'1259'`, `'pg_class'`, `'pg_catalog.pg_class'`.
fn names_own_relation(sql: &str, token: Token) -> bool {
    let text = token.text(sql).trim_matches('\'');
    if let Ok(oid) = text.parse::<u32>() {
        return (1000..16_384).contains(&oid) && tables::all().iter().any(|table| table.oid == oid);
    }
    let name = text.trim_start_matches("pg_catalog.");
    name.len() > 3 && tables::find(None, name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables_in(sql: &str) -> Option<Vec<&'static str>> {
        mentions(&Tokens::statement(sql, 0)).map(|mention| mention.tables)
    }

    #[test]
    fn statements_of_the_user_mention_nothing() {
        for sql in [
            "SELECT id, title FROM book WHERE price > 10",
            "SELECT 'pg_class', \"mypg_class\" FROM t",
            "INSERT INTO tables (columns) VALUES (1)",
            "",
        ] {
            assert_eq!(tables_in(sql), None, "{sql}");
        }
    }

    #[test]
    fn catalog_tables_are_found_with_and_without_their_schema() {
        for (sql, tables) in [
            ("SELECT * FROM pg_class c, pg_catalog.pg_class d", vec!["pg_class"]),
            ("select 1 from PG_CATALOG.PG_TYPE", vec!["pg_type"]),
            ("SELECT * FROM \"pg_catalog\".\"pg_index\"", vec!["pg_index"]),
            (
                "SELECT * FROM information_schema.tables JOIN pg_namespace",
                vec!["information_schema.tables", "pg_namespace"],
            ),
            ("SELECT 'book'::regclass", vec![]),
            ("SELECT pg_get_indexdef(1)", vec![]),
        ] {
            assert_eq!(tables_in(sql), Some(tables), "{sql}");
        }
    }

    #[test]
    fn columns_of_the_catalogs_are_wanted_where_one_is_named() {
        let wants = |sql: &str| {
            mentions(&Tokens::statement(sql, 0)).is_some_and(|mention| mention.wants_own_columns())
        };
        assert!(wants("SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = '1259'"));
        assert!(wants("SELECT attname FROM pg_attribute WHERE attrelid = 'pg_catalog.pg_class'::regclass"));
        assert!(!wants("SELECT attname FROM pg_attribute WHERE attrelid = '16385' AND attnum > 0"));
        assert!(!wants("SELECT relname FROM pg_class WHERE oid = 1259"));
    }
}
