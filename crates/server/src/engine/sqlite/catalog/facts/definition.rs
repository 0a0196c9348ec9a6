//! What only the text of CREATE TABLE and CREATE INDEX says.
//!
//! The text has passed SQLite's parser, so this one only looks for what it wants and skips the rest.

use super::super::super::lexer::{Kind, name_value};
use super::super::super::tokens::Tokens;

/// A table's text, taken apart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Definition {
    pub columns: Vec<ColumnText>,
    /// In the order of the text.
    pub constraints: Vec<ConstraintText>,
}

/// A column's own words.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ColumnText {
    pub name: String,
    pub collation: Option<String>,
    pub generated: Option<String>,
    /// INTEGER, but meant as bigint.
    pub big: bool,
}

/// A constraint as written, on a column or on the table.
#[derive(Debug, PartialEq)]
pub(super) struct ConstraintText {
    pub name: Option<String>,
    pub kind: KindText,
    pub deferrable: bool,
    pub deferred: bool,
}

/// What it says.
#[derive(Debug, PartialEq)]
pub(super) enum KindText {
    Primary,
    Unique(Vec<String>),
    Check(String),
    /// The columns on this side.
    Foreign(Vec<String>),
}

/// Words that begin a constraint of a column, and so end its type.
const COLUMN_WORDS: &[&str] = &[
    "constraint",
    "primary",
    "not",
    "null",
    "unique",
    "check",
    "default",
    "collate",
    "references",
    "generated",
    "as",
    "deferrable",
    "initially",
];

/// Takes `CREATE TABLE … ( … )` apart; a text of another form (virtual tables, AS SELECT) has nothing to tell.
pub(super) fn table(sql: &str) -> Definition {
    let mut definition = Definition::default();
    let mut tokens = Tokens::statement(sql, 0);
    while !tokens.is_empty() && !tokens.is("(") {
        if tokens.is_word("as") || tokens.is_word("virtual") {
            return definition;
        }
        tokens.advance();
    }
    while tokens.take("(") || tokens.take(",") {
        item(&mut tokens, &mut definition);
        skip_item(&mut tokens);
    }
    definition
}

/// A column or a constraint of the table.
fn item(tokens: &mut Tokens<'_>, definition: &mut Definition) {
    let named = constraint_name(tokens);
    let of_table = ["primary", "unique", "check", "foreign"].iter().any(|word| tokens.is_word(word));
    if named.is_some() || of_table {
        table_constraint(tokens, named, definition);
        return;
    }
    let Ok(name) = tokens.name() else { return };
    skip_type(tokens);
    let mut column = ColumnText { name, ..ColumnText::default() };
    while !tokens.is_empty() && !tokens.is(",") && !tokens.is(")") {
        column_part(tokens, &mut column, &mut definition.constraints);
    }
    definition.columns.push(column);
}

fn constraint_name(tokens: &mut Tokens<'_>) -> Option<String> {
    if tokens.eat("constraint") { tokens.name().ok() } else { None }
}

fn table_constraint(tokens: &mut Tokens<'_>, name: Option<String>, definition: &mut Definition) {
    let kind = if tokens.eat_all(&["primary", "key"]) {
        names(tokens);
        KindText::Primary
    } else if tokens.eat("unique") {
        KindText::Unique(names(tokens))
    } else if tokens.eat("check") {
        KindText::Check(group(tokens))
    } else if tokens.eat_all(&["foreign", "key"]) {
        KindText::Foreign(names(tokens))
    } else {
        return;
    };
    let mut constraint = ConstraintText { name, kind, deferrable: false, deferred: false };
    while !tokens.is_empty() && !tokens.is(",") && !tokens.is(")") {
        if !deferral(tokens, &mut constraint) {
            skip_one(tokens);
        }
    }
    definition.constraints.push(constraint);
}

/// One clause of a column.
fn column_part(tokens: &mut Tokens<'_>, column: &mut ColumnText, constraints: &mut Vec<ConstraintText>) {
    let name = constraint_name(tokens);
    let add = |name: Option<String>, kind, constraints: &mut Vec<ConstraintText>| {
        constraints.push(ConstraintText { name, kind, deferrable: false, deferred: false });
    };
    if tokens.eat_all(&["primary", "key"]) {
        // The engine's mark for a row id that was declared bigger than INTEGER.
        column.big = name.as_deref() == Some("bigserial");
        let mark = column.big || name.as_deref() == Some("serial");
        add(name.filter(|_| !mark), KindText::Primary, constraints);
    } else if tokens.eat("unique") {
        add(name, KindText::Unique(vec![column.name.clone()]), constraints);
    } else if tokens.eat("check") {
        let expression = group(tokens);
        add(name, KindText::Check(expression), constraints);
    } else if tokens.eat("references") {
        add(name, KindText::Foreign(vec![column.name.clone()]), constraints);
    } else if tokens.eat("collate") {
        column.collation = tokens.name().ok();
    } else if tokens.eat("as") {
        column.generated = Some(group(tokens));
    } else if tokens.eat("default") {
        // A word of the default may look like a clause.
        skip_one(tokens);
    } else if let Some(constraint) = constraints.last_mut() {
        if !deferral(tokens, constraint) {
            skip_one(tokens);
        }
    } else {
        skip_one(tokens);
    }
}

/// `[NOT] DEFERRABLE [INITIALLY …]` belongs to the constraint before it.
fn deferral(tokens: &mut Tokens<'_>, constraint: &mut ConstraintText) -> bool {
    if tokens.eat_all(&["not", "deferrable"]) {
        constraint.deferrable = false;
    } else if tokens.eat("deferrable") {
        constraint.deferrable = true;
    } else if tokens.eat_all(&["initially", "deferred"]) {
        constraint.deferred = constraint.deferrable;
    } else {
        return tokens.eat_all(&["initially", "immediate"]);
    }
    true
}

fn skip_type(tokens: &mut Tokens<'_>) {
    let ends = |tokens: &Tokens<'_>| COLUMN_WORDS.iter().any(|word| tokens.is_word(word));
    while !tokens.is_empty() && !tokens.is(",") && !tokens.is(")") && !ends(tokens) {
        skip_one(tokens);
    }
}

/// A token, or a group in parentheses.
fn skip_one(tokens: &mut Tokens<'_>) {
    if !tokens.is("(") || tokens.skip_group().is_err() {
        tokens.advance();
    }
}

fn skip_item(tokens: &mut Tokens<'_>) {
    while !tokens.is_empty() && !tokens.is(",") && !tokens.is(")") {
        skip_one(tokens);
    }
}

/// The text inside the group that comes next.
fn group(tokens: &mut Tokens<'_>) -> String {
    let start = tokens.offset();
    if tokens.skip_group().is_err() {
        return String::new();
    }
    let end = tokens.taken_to();
    tokens.sql.get(start + 1..end - 1).unwrap_or_default().trim().to_owned()
}

/// `(a, b COLLATE x DESC)`: the names.
fn names(tokens: &mut Tokens<'_>) -> Vec<String> {
    let mut names = Vec::new();
    if !tokens.is("(") {
        return names;
    }
    while tokens.take("(") || tokens.take(",") {
        names.extend(tokens.name().ok());
        skip_item(tokens);
    }
    tokens.take(")");
    names
}

/// The keys of `CREATE INDEX … ON t (keys) [WHERE predicate]` as written, without collation and direction.
pub(super) fn index(sql: &str) -> (Vec<String>, Option<String>) {
    let mut tokens = Tokens::statement(sql, 0);
    while !tokens.is_empty() && !tokens.is("(") {
        tokens.advance();
    }
    let mut keys = Vec::new();
    while tokens.take("(") || tokens.take(",") {
        keys.push(key(&mut tokens));
    }
    tokens.take(")");
    let predicate =
        tokens.eat("where").then(|| sql[tokens.rest()].trim_end_matches([';', ' ', '\n']).to_owned());
    (keys, predicate)
}

fn key(tokens: &mut Tokens<'_>) -> String {
    let start = tokens.offset();
    let mut end = start;
    while !tokens.is_empty() && !tokens.is(",") && !tokens.is(")") {
        if ["collate", "asc", "desc"].iter().any(|word| tokens.is_word(word)) {
            skip_item(tokens);
            break;
        }
        skip_one(tokens);
        end = tokens.taken_to();
    }
    tokens.sql.get(start..end).unwrap_or_default().to_owned()
}

/// The query of `CREATE VIEW … AS query`.
pub(in super::super) fn view_query(sql: &str) -> &str {
    let mut tokens = Tokens::statement(sql, 0);
    while !tokens.is_empty() && !tokens.eat("as") {
        skip_one(&mut tokens);
    }
    sql[tokens.rest()].trim_end()
}

/// The columns that an expression names, each once, in the order of `columns`.
pub(super) fn columns_in<'a>(expression: &str, columns: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let tokens = super::super::super::lexer::Lexer::new(expression);
    let words: Vec<String> = tokens
        .filter(|token| matches!(token.kind, Kind::Word | Kind::Quoted))
        .filter_map(|token| name_value(expression, token))
        .collect();
    let named = |column: &str| words.iter().any(|word| word.eq_ignore_ascii_case(column));
    columns.enumerate().filter(|(_, column)| named(column)).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests;
