//! `SELECT`: of single values, or from `pg_database`.

use wire::sqlstate;

use super::not_here;
use crate::{
    admin::{
        Column, Statement,
        cursor::Cursor,
        scalar::{self, Scalar},
        statement::{Attribute, Condition, DatabaseQuery},
    },
    failure::Failure,
    sql::{Token, identifier},
};

/// After `SELECT`.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    cursor.word("distinct");
    let items = items(cursor);
    if cursor.word("from") {
        return from_databases(cursor, &items);
    }
    cursor.expect_end()?;
    if items.iter().all(|item| item.expression.is_empty()) {
        return Err(cursor.unexpected());
    }
    let values: Option<Vec<_>> = items.iter().map(value).collect();
    values.map(Statement::Values).ok_or_else(|| not_here("this SELECT"))
}

/// One output column as written.
struct Item<'a> {
    expression: Vec<Token<'a>>,
    alias: Option<String>,
}

fn items<'a>(cursor: &mut Cursor<'a>) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    loop {
        let expression =
            until(cursor, |cursor| cursor.peek() == Some(&Token::Symbol(',')) || cursor.is_word("from"));
        items.push(item(expression));
        if !cursor.symbol(',') {
            return items;
        }
    }
}

/// Tokens up to the end of the statement, or to where `stops` outside of all parentheses.
fn until<'a>(cursor: &mut Cursor<'a>, stops: impl Fn(&Cursor<'a>) -> bool) -> Vec<Token<'a>> {
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    while !cursor.at_end() && (depth > 0 || !stops(cursor)) {
        let Some(token) = cursor.take() else { break };
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        tokens.push(token);
    }
    tokens
}

fn item(mut expression: Vec<Token<'_>>) -> Item<'_> {
    let alias = match expression.as_slice() {
        [.., Token::Word(r#as), name] if r#as.eq_ignore_ascii_case("as") => {
            identifier(name).map(|name| (name, 2))
        }
        [.., Token::Symbol(')') | Token::String(_) | Token::Number(_), name] => {
            identifier(name).map(|name| (name, 1))
        }
        _ => None,
    };
    if let Some((_, tokens)) = &alias {
        expression.truncate(expression.len() - tokens);
    }
    Item { expression, alias: alias.map(|(name, _)| name) }
}

fn value(item: &Item<'_>) -> Option<(Column, Scalar)> {
    let (mut column, scalar) = scalar::read(&item.expression)?;
    if let Some(alias) = &item.alias {
        column.name.clone_from(alias);
    }
    Some((column, scalar))
}

/// After `SELECT … FROM`.
fn from_databases(cursor: &mut Cursor<'_>, items: &[Item<'_>]) -> Result<Statement, Failure> {
    if cursor.word("pg_catalog") {
        cursor.symbol('.');
    }
    if !cursor.word("pg_database") {
        return Err(not_here("a SELECT from anything but pg_database"));
    }
    cursor.word("as");
    if !["where", "order", "limit"].iter().any(|word| cursor.is_word(word)) && !cursor.at_end() {
        cursor.identifier()?;
    }
    let conditions = if cursor.word("where") { conditions(cursor)? } else { Vec::new() };
    if cursor.word("order") || cursor.word("limit") {
        // Rows always come in the order of their names, which is what is asked for.
        cursor.skip();
    }
    if !cursor.at_end() {
        return Err(not_here("this query on pg_database"));
    }
    let mut select = Vec::new();
    for item in items {
        if item.expression == [Token::Symbol('*')] {
            select.extend(everything());
        } else {
            select.push(column(item)?);
        }
    }
    let counts = select.iter().any(|(_, attribute)| *attribute == Attribute::Count);
    if counts && select.len() > 1 {
        return Err(not_here("count(*) beside other columns"));
    }
    Ok(Statement::Databases(DatabaseQuery { select, conditions }))
}

fn everything() -> impl Iterator<Item = (String, Attribute)> {
    [
        "oid",
        "datname",
        "datdba",
        "encoding",
        "datcollate",
        "datctype",
        "datistemplate",
        "datallowconn",
        "datconnlimit",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), attribute(name).expect("BUG: these are known")))
}

fn column(item: &Item<'_>) -> Result<(String, Attribute), Failure> {
    let words = || item.expression.iter().filter_map(identifier);
    let has = |word: &str| words().any(|other| other == word);
    let found = if has("pg_encoding_to_char") {
        Some(Attribute::Encoding)
    } else if ["pg_database_size", "shobj_description", "has_database_privilege", "pg_size_pretty"]
        .iter()
        .any(|word| has(word))
    {
        Some(Attribute::Null)
    } else if has("count") {
        Some(Attribute::Count)
    } else {
        words().find_map(|word| attribute(&word))
    };
    if let Some(attribute) = found {
        let name = item.alias.clone().unwrap_or_else(|| default_name(&item.expression));
        return Ok((name, attribute));
    }
    match value(item) {
        Some((column, Scalar::Constant(cell))) => {
            Ok((column.name.clone(), Attribute::Constant(column, cell)))
        }
        Some(_) | None => Err(Failure::new(
            sqlstate::UNDEFINED_COLUMN,
            "a column of this query on pg_database is not known to the admin console",
        )),
    }
}

fn attribute(column: &str) -> Option<Attribute> {
    Some(match column {
        "datname" => Attribute::Name,
        "oid" => Attribute::Oid,
        "datdba" => Attribute::Owner,
        "encoding" => Attribute::EncodingNumber,
        "datcollate" | "datctype" => Attribute::Locale,
        "datlocprovider" => Attribute::Provider,
        "datistemplate" => Attribute::IsTemplate,
        "datallowconn" => Attribute::AllowsConnections,
        "datconnlimit" => Attribute::ConnectionLimit,
        "datacl" | "daticulocale" | "datlocale" | "daticurules" | "datcollversion" | "dattablespace"
        | "spcname" => Attribute::Null,
        _ => return None,
    })
}

/// A column's own name, else the function's.
fn default_name(expression: &[Token<'_>]) -> String {
    let name = match expression {
        [.., Token::Symbol('.'), name] | [name] => identifier(name),
        _ => expression
            .windows(2)
            .find(|pair| pair[1] == Token::Symbol('('))
            .and_then(|pair| identifier(&pair[0])),
    };
    name.unwrap_or_else(|| "?column?".into())
}

fn conditions(cursor: &mut Cursor<'_>) -> Result<Vec<Condition>, Failure> {
    let mut conditions = Vec::new();
    loop {
        let tokens = until(cursor, |cursor| {
            ["and", "or", "order", "limit", "group"].iter().any(|word| cursor.is_word(word))
        });
        conditions.push(condition(&tokens).ok_or_else(|| not_here("this condition on pg_database"))?);
        if !cursor.word("and") {
            return Ok(conditions);
        }
    }
}

fn condition(tokens: &[Token<'_>]) -> Option<Condition> {
    let (negated, tokens) = match tokens {
        [Token::Word(not), rest @ ..] if not.eq_ignore_ascii_case("not") => (true, rest),
        all => (false, all),
    };
    let (column, rest) = column_of(tokens)?;
    let is_true = |word: &str| word.eq_ignore_ascii_case("true");
    match (column.as_str(), rest) {
        ("true", []) => Some(Condition::Constant(!negated)),
        ("datallowconn", []) => Some(Condition::Constant(!negated)),
        ("datistemplate", []) => Some(Condition::Constant(negated)),
        ("datallowconn", [Token::Symbol('='), Token::Word(word)]) => {
            Some(Condition::Constant(is_true(word) != negated))
        }
        ("datistemplate", [Token::Symbol('='), Token::Word(word)]) => {
            Some(Condition::Constant(is_true(word) == negated))
        }
        ("datname", rest) if !negated => named(rest),
        _ => None,
    }
}

/// A column, with or without its table, and what follows.
fn column_of<'a, 't>(tokens: &'a [Token<'t>]) -> Option<(String, &'a [Token<'t>])> {
    match tokens {
        [_, Token::Symbol('.'), column, rest @ ..] | [column, rest @ ..] => Some((identifier(column)?, rest)),
        [] => None,
    }
}

fn named(rest: &[Token<'_>]) -> Option<Condition> {
    match rest {
        [Token::Symbol('='), Token::String(name)] => Some(Condition::Named(name.to_string())),
        [Token::Symbol('='), Token::Parameter(number)] if (1..=64).contains(number) => {
            Some(Condition::NamedBy(*number))
        }
        // As psql writes it: OPERATOR(pg_catalog.~) '^(a.*)$' COLLATE pg_catalog.default
        [Token::Word(operator), Token::Symbol('('), Token::Word(_), Token::Symbol('.'), like @ ..]
            if operator.eq_ignore_ascii_case("operator") =>
        {
            let [Token::Symbol('~'), Token::Symbol(')'), Token::String(pattern), ..] = like else {
                return None;
            };
            let pattern = pattern.strip_prefix("^(")?.strip_suffix(")$")?;
            let is_plain =
                !pattern.replace(".*", "").contains(['.', '*', '+', '?', '[', '(', '|', '\\', '{', '^', '$']);
            is_plain.then(|| Condition::Matches(pattern.to_owned()))
        }
        _ => None,
    }
}
