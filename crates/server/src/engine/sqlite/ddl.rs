//! CREATE, ALTER, DROP and TRUNCATE: PostgreSQL's definitions as definitions that plain SQLite can read.
//!
//! What ends up in the file is SQLite's own SQL: names folded and quoted, types as declared, defaults and checks without any
//! function that only this engine has. A statement that SQLite needs several for becomes several.

mod alter;
mod create;
mod drop;
mod expression;
mod index;
pub(super) mod parse;
pub(super) mod spec;
mod view;

use super::rewrite::Schema;
use super::sql_error::SqlError;
use super::tokens::Tokens;

/// What a definition comes down to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Definition {
    /// Run in order, in one transaction.
    pub statements: Vec<String>,
    pub tag: DefinitionTag,
}

/// The word of CommandComplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DefinitionTag {
    Word(&'static str),
    /// `SELECT n`, the rows that the last statement inserted.
    Rows,
}

impl Definition {
    fn one(statement: String, tag: &'static str) -> Self {
        Self { statements: vec![statement], tag: DefinitionTag::Word(tag) }
    }

    fn many(statements: Vec<String>, tag: &'static str) -> Self {
        Self { statements, tag: DefinitionTag::Word(tag) }
    }

    /// Nothing to do.
    fn nothing(tag: &'static str) -> Self {
        Self { statements: Vec::new(), tag: DefinitionTag::Word(tag) }
    }
}

/// The definition that the statement is; `None` for other statements, and for those that SQLite takes as they are.
///
/// # Errors
/// 42601 for what makes no sense, 0A000 for what cannot be had.
pub(super) fn rewrite(tokens: &Tokens<'_>, schema: &dyn Schema) -> Result<Option<Definition>, SqlError> {
    let mut tokens = tokens.clone();
    if tokens.eat("create") {
        return create(tokens, schema);
    }
    if tokens.eat("alter") {
        return if tokens.eat("table") {
            alter::table(&mut tokens, schema)
        } else {
            alter::other(&mut tokens)
        };
    }
    if tokens.eat("drop") {
        return drop::parse(&mut tokens);
    }
    if tokens.eat("truncate") {
        return drop::truncate(&mut tokens).map(Some);
    }
    if tokens.eat("reindex") {
        let _kind = ["table", "index", "database", "schema", "system"].iter().any(|word| tokens.eat(word));
        return Ok(Some(Definition::one("REINDEX".to_owned(), "REINDEX")));
    }
    if tokens.eat("analyze") || tokens.eat("analyse") {
        tokens.eat("verbose");
        let table = if tokens.is_empty() { None } else { Some(tokens.qualified_name()?.1) };
        let table = table.map(|table| format!(" {}", super::lexer::quote_name(&table))).unwrap_or_default();
        return Ok(Some(Definition::one(format!("ANALYZE{table}"), "ANALYZE")));
    }
    Ok(None)
}

fn create(mut tokens: Tokens<'_>, schema: &dyn Schema) -> Result<Option<Definition>, SqlError> {
    let replace = tokens.eat_all(&["or", "replace"]);
    let _scope = tokens.eat("global") || tokens.eat("local");
    let temporary = tokens.eat("temporary") || tokens.eat("temp");
    tokens.eat("unlogged");
    if tokens.eat("table") {
        return create::table(&mut tokens, temporary, schema);
    }
    if tokens.eat("view") {
        return view::create(&mut tokens, temporary, replace, schema);
    }
    let unique = tokens.eat("unique");
    if tokens.eat("index") {
        return index::create(&mut tokens, unique, schema);
    }
    Ok(None)
}

/// Names in parentheses, which are next.
fn names(tokens: &mut Tokens<'_>) -> Result<Vec<String>, SqlError> {
    tokens.expect("(")?;
    let mut names = vec![tokens.name()?];
    while tokens.take(",") {
        names.push(tokens.name()?);
    }
    tokens.expect(")")?;
    Ok(names)
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| super::lexer::quote_name(name)).collect::<Vec<_>>().join(", ")
}

/// `IF NOT EXISTS` or `IF EXISTS`.
fn condition(tokens: &mut Tokens<'_>, words: &[&str]) -> &'static str {
    match (tokens.eat_all(words), words.len()) {
        (true, 3) => "IF NOT EXISTS ",
        (true, _) => "IF EXISTS ",
        (false, _) => "",
    }
}

#[cfg(test)]
mod tests;
