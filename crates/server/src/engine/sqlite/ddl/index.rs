//! CREATE INDEX: access methods, operator classes and storage options are PostgreSQL's own and are dropped.

use super::super::lexer::quote_name;
use super::super::rewrite::Schema;
use super::super::sql::{self, Kind};
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::{Definition, expression};

pub(super) fn create(
    tokens: &mut Tokens<'_>,
    unique: bool,
    schema: &dyn Schema,
) -> Result<Option<Definition>, SqlError> {
    tokens.eat("concurrently");
    let condition = super::condition(tokens, &["if", "not", "exists"]);
    let name = if tokens.is_word("on") { None } else { Some(tokens.qualified_name()?.1) };
    tokens.expect_word("on")?;
    tokens.eat("only");
    let table = tokens.qualified_name()?.1;
    if tokens.eat("using") {
        tokens.name()?;
    }
    tokens.expect("(")?;
    let mut keys = Vec::new();
    let mut named = Vec::new();
    loop {
        let (key, part) = self::key(tokens, schema)?;
        keys.push(key);
        named.push(part);
        if !tokens.take(",") {
            break;
        }
    }
    tokens.expect(")")?;
    if tokens.eat("include") {
        tokens.skip_group()?;
    }
    tokens.eat_all(&["nulls", "not", "distinct"]);
    tokens.eat_all(&["nulls", "distinct"]);
    if tokens.eat("with") {
        tokens.skip_group()?;
    }
    if tokens.eat("tablespace") {
        tokens.name()?;
    }
    let filter = if tokens.eat("where") {
        format!(" WHERE {}", expression::stored(&tokens.sql[tokens.rest()], schema)?)
    } else {
        String::new()
    };
    let name = name.unwrap_or_else(|| format!("{table}_{}_idx", named.join("_")));
    let unique = if unique { "UNIQUE " } else { "" };
    let statement = format!(
        "CREATE {unique}INDEX {condition}{} ON {} ({}){filter}",
        quote_name(&name),
        quote_name(&table),
        keys.join(", ")
    );
    Ok(Some(Definition::one(statement, "CREATE INDEX")))
}

/// One column or expression, and what a generated name calls it.
fn key(tokens: &mut Tokens<'_>, schema: &dyn Schema) -> Result<(String, String), SqlError> {
    let start = tokens.offset();
    let expr = sql::expression(tokens).ok_or_else(|| tokens.unexpected())?;
    let (mut key, name) = match &expr.kind {
        Kind::Column { qualifier: None, name } => (quote_name(name), name.clone()),
        Kind::Collate { operand, collation, .. } => {
            let known =
                ["nocase", "rtrim", "binary"].iter().any(|known| collation.eq_ignore_ascii_case(known));
            let inner = expression::stored(&tokens.sql[operand.span.clone()], schema)?;
            (if known { format!("{inner} COLLATE {collation}") } else { inner }, "expr".to_owned())
        }
        Kind::Call(call) => {
            (expression::stored(&tokens.sql[start..expr.span.end], schema)?, call.name.clone())
        }
        _other => (expression::stored(&tokens.sql[start..expr.span.end], schema)?, "expr".to_owned()),
    };
    // An operator class is a bare name here, with parameters perhaps.
    let ends = |tokens: &Tokens<'_>| {
        tokens.is(",") || tokens.is(")") || ["asc", "desc", "nulls"].iter().any(|word| tokens.is_word(word))
    };
    if !ends(tokens) {
        tokens.qualified_name()?;
        if tokens.is("(") {
            tokens.skip_group()?;
        }
    }
    if tokens.eat("desc") {
        key.push_str(" DESC");
    }
    tokens.eat("asc");
    if tokens.eat("nulls") && !tokens.eat("first") {
        tokens.expect_word("last")?;
    }
    Ok((key, name))
}
