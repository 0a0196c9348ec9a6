//! Definitions in PostgreSQL's words: what `pg_get_indexdef` and its kin print.

use super::facts::{Constraint, ConstraintKind, Facts, Foreign, Index, Key};
use super::tables::lines;

/// A name, quoted where PostgreSQL would.
pub(super) fn quote_ident(name: &str) -> String {
    let first = name.bytes().next();
    let plain = first.is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain && !is_keyword(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Category, bare label, word of every keyword.
pub(super) fn keywords() -> impl Iterator<Item = (&'static str, bool, &'static str)> {
    lines(include_str!("data/keywords.txt")).flat_map(|line| {
        let (code, words) = line.split_once(' ').expect("BUG: a line of a data file is complete");
        words.split(' ').map(move |word| (&code[..1], code.ends_with('t'), word))
    })
}

/// Whether a name must be quoted because it is a keyword of any reserved kind.
fn is_keyword(name: &str) -> bool {
    keywords().any(|(category, _, word)| category != "U" && word == name)
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quote_ident(name)).collect::<Vec<_>>().join(", ")
}

/// `pg_get_constraintdef`.
pub(super) fn constraint(facts: &Facts, constraint: &Constraint, pretty: bool) -> String {
    let columns = facts.relation(constraint.table).map(|table| table.column_names(&constraint.columns));
    let columns = list(&columns.unwrap_or_default());
    let mut text = match &constraint.kind {
        ConstraintKind::Primary { .. } => format!("PRIMARY KEY ({columns})"),
        ConstraintKind::Unique { .. } => format!("UNIQUE ({columns})"),
        ConstraintKind::Check { expression } if pretty => format!("CHECK ({expression})"),
        ConstraintKind::Check { expression } => format!("CHECK (({expression}))"),
        ConstraintKind::Foreign(foreign) => format!("FOREIGN KEY ({columns}) {}", references(foreign)),
    };
    if constraint.deferrable {
        text += " DEFERRABLE";
    }
    if constraint.deferred {
        text += " INITIALLY DEFERRED";
    }
    text
}

fn references(foreign: &Foreign) -> String {
    let mut text =
        format!("REFERENCES {}({})", quote_ident(&foreign.table_name), list(&foreign.column_names));
    for (event, action) in [("UPDATE", foreign.on_update), ("DELETE", foreign.on_delete)] {
        if action != super::facts::Action::Nothing {
            text += &format!(" ON {event} {}", action.words());
        }
    }
    text
}

/// `pg_get_indexdef` of the whole index.
pub(super) fn index(facts: &Facts, index: &Index, pretty: bool) -> String {
    let table = facts.relation(index.table);
    let schema = match table {
        Some(table) if !pretty => format!("{}.", table.schema()),
        Some(_) | None => String::new(),
    };
    let table = table.map(|table| quote_ident(&table.name)).unwrap_or_default();
    let unique = if index.unique { "UNIQUE " } else { "" };
    let keys: Vec<String> = index.keys.iter().map(whole_key).collect();
    let predicate = match &index.predicate {
        Some(predicate) if pretty => format!(" WHERE {predicate}"),
        Some(predicate) => format!(" WHERE ({predicate})"),
        None => String::new(),
    };
    let name = quote_ident(&index.name);
    format!("CREATE {unique}INDEX {name} ON {schema}{table} USING btree ({}){predicate}", keys.join(", "))
}

fn whole_key(key: &Key) -> String {
    let collation =
        key.collation.as_ref().map(|name| format!(" COLLATE {}", quote_ident(name))).unwrap_or_default();
    let direction = if key.descending { " DESC" } else { "" };
    format!("{}{collation}{direction}", key_text(key))
}

/// `pg_get_indexdef` of one column: a name, a call as it is, any other expression in parentheses.
pub(super) fn key_text(key: &Key) -> String {
    if key.column != 0 {
        return quote_ident(&key.text);
    }
    let name = key.text.split('(').next().unwrap_or_default();
    let call = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let closed = (call || name.is_empty()) && ends_with_its_group(&key.text);
    if closed { key.text.clone() } else { format!("({})", key.text) }
}

/// Whether the first parenthesis closes at the end.
fn ends_with_its_group(text: &str) -> bool {
    let mut tokens = super::super::tokens::Tokens::statement(text, 0);
    while !tokens.is_empty() && !tokens.is("(") {
        tokens.advance();
    }
    tokens.skip_group().is_ok() && tokens.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be() {
        for (name, quoted) in [
            ("plain_1", "plain_1"),
            ("Upper", "\"Upper\""),
            ("order", "\"order\""),
            ("name", "name"),
            ("1a", "\"1a\""),
            ("a\"b", "\"a\"\"b\""),
        ] {
            assert_eq!(quote_ident(name), quoted);
        }
    }

    #[test]
    fn expressions_of_an_index_stand_in_parentheses_unless_they_are_calls() {
        let key = |text: &str| Key { column: 0, text: text.to_owned(), descending: false, collation: None };
        for (text, shown) in [
            ("lower(a)", "lower(a)"),
            ("(a + b)", "(a + b)"),
            ("a + b", "(a + b)"),
            ("(a) + (b)", "((a) + (b))"),
            ("f(a) || g(b)", "(f(a) || g(b))"),
        ] {
            assert_eq!(key_text(&key(text)), shown);
        }
    }
}
