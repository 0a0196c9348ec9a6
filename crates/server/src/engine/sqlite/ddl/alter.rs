//! ALTER TABLE: what SQLite can do directly, one statement per action; keys become indexes.

use super::super::lexer::quote_name;
use super::super::rewrite::Schema;
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::spec::{ConstraintKind, ConstraintSpec};
use super::{Definition, create, parse, quoted};

pub(super) fn table(tokens: &mut Tokens<'_>, schema: &dyn Schema) -> Result<Option<Definition>, SqlError> {
    let if_exists = tokens.eat_all(&["if", "exists"]);
    tokens.eat("only");
    let table = tokens.qualified_name()?.1;
    tokens.take("*");
    if if_exists && schema.columns(&table).is_none() {
        return Ok(Some(Definition::nothing("ALTER TABLE")));
    }
    let mut statements = Vec::new();
    loop {
        statements.extend(action(tokens, &table, schema)?);
        if !tokens.take(",") {
            break;
        }
    }
    tokens.expect_end()?;
    Ok(Some(Definition::many(statements, "ALTER TABLE")))
}

/// Statements of one action; none for what has no meaning here.
fn action(tokens: &mut Tokens<'_>, table: &str, schema: &dyn Schema) -> Result<Option<String>, SqlError> {
    let target = quote_name(table);
    if tokens.eat("rename") {
        return rename(tokens, &target).map(Some);
    }
    if tokens.eat("add") {
        return add(tokens, table, schema);
    }
    if tokens.eat("drop") {
        return drop(tokens, table, schema);
    }
    if tokens.eat("alter") {
        return alter_column(tokens, &target).map(Some);
    }
    for (words, arguments) in WITHOUT_MEANING {
        if tokens.eat_all(words) {
            for _ in 0..*arguments {
                if tokens.is("(") {
                    tokens.skip_group()?
                } else {
                    tokens.advance().map(|_| ()).ok_or_else(|| tokens.unexpected())?
                }
            }
            return Ok(None);
        }
    }
    Err(SqlError::unsupported("this form of ALTER TABLE").at(tokens.offset()))
}

/// Actions about things that do not exist here, and how many words follow.
const WITHOUT_MEANING: &[(&[&str], usize)] = &[
    (&["owner", "to"], 1),
    (&["cluster", "on"], 1),
    (&["set", "without", "cluster"], 0),
    (&["set", "without", "oids"], 0),
    (&["set", "logged"], 0),
    (&["set", "unlogged"], 0),
    (&["set", "tablespace"], 1),
    (&["replica", "identity"], 1),
    (&["enable", "trigger"], 1),
    (&["disable", "trigger"], 1),
    (&["enable", "row", "level", "security"], 0),
    (&["disable", "row", "level", "security"], 0),
    (&["validate", "constraint"], 1),
    (&["set"], 1),
    (&["reset"], 1),
];

fn rename(tokens: &mut Tokens<'_>, target: &str) -> Result<String, SqlError> {
    if tokens.eat("to") {
        return Ok(format!("ALTER TABLE {target} RENAME TO {}", quote_name(&tokens.name()?)));
    }
    if tokens.is_word("constraint") {
        return Err(SqlError::unsupported("RENAME CONSTRAINT").at(tokens.offset()));
    }
    tokens.eat("column");
    let from = quote_name(&tokens.name()?);
    tokens.expect_word("to")?;
    Ok(format!("ALTER TABLE {target} RENAME COLUMN {from} TO {}", quote_name(&tokens.name()?)))
}

fn add(tokens: &mut Tokens<'_>, table: &str, schema: &dyn Schema) -> Result<Option<String>, SqlError> {
    let target = quote_name(table);
    let constraint = ["constraint", "primary", "unique", "check", "foreign", "exclude"]
        .iter()
        .any(|word| tokens.is_word(word));
    if constraint {
        return add_constraint(tokens, table, schema).map(Some);
    }
    tokens.eat("column");
    let if_not_exists = tokens.eat_all(&["if", "not", "exists"]);
    let mut column = parse::column(tokens)?;
    let exists = schema.columns(table).is_some_and(|columns| columns.contains(&column.name));
    if if_not_exists && exists {
        return Ok(None);
    }
    if column.serial.is_some() {
        return Err(SqlError::unsupported("ADD COLUMN of a serial or identity column"));
    }
    create::column(&mut column, table, schema)?;
    Ok(Some(format!("ALTER TABLE {target} ADD COLUMN {column}")))
}

/// Keys become unique indexes, checks SQLite can add, foreign keys it cannot.
fn add_constraint(tokens: &mut Tokens<'_>, table: &str, schema: &dyn Schema) -> Result<String, SqlError> {
    let name = if tokens.eat("constraint") { Some(tokens.name()?) } else { None };
    let unique = tokens.is_word("unique");
    if unique || tokens.is_word("primary") {
        let default = |columns: &[String]| {
            if unique { format!("{table}_{}_key", columns.join("_")) } else { format!("{table}_pkey") }
        };
        tokens.advance();
        tokens.eat("key");
        if tokens.eat_all(&["using", "index"]) {
            tokens.name()?;
            return Ok("SELECT 1".to_owned());
        }
        let columns = super::names(tokens)?;
        if tokens.eat("with") || tokens.eat("include") {
            tokens.skip_group()?;
        }
        let name = name.unwrap_or_else(|| default(&columns));
        return Ok(format!(
            "CREATE UNIQUE INDEX {} ON {} ({})",
            quote_name(&name),
            quote_name(table),
            quoted(&columns)
        ));
    }
    if tokens.eat("check") {
        let mut constraint = ConstraintSpec { name, kind: ConstraintKind::Check(parse::group(tokens)?) };
        tokens.eat_all(&["not", "valid"]);
        create::constraint(&mut constraint, table, &[], schema)?;
        return Ok(format!("ALTER TABLE {} ADD {constraint}", quote_name(table)));
    }
    Err(SqlError::unsupported("ADD FOREIGN KEY or EXCLUDE to an existing table")
        .at(tokens.offset())
        .hint("Declare it in CREATE TABLE."))
}

fn drop(tokens: &mut Tokens<'_>, table: &str, schema: &dyn Schema) -> Result<Option<String>, SqlError> {
    let target = quote_name(table);
    if tokens.eat("constraint") {
        let if_exists = tokens.eat_all(&["if", "exists"]);
        let name = tokens.name()?;
        let _behaviour = tokens.eat("cascade") || tokens.eat("restrict");
        return Ok(Some(match schema.constraint(table, &name) {
            Some(_) => {
                format!("DROP INDEX {}{}", if if_exists { "IF EXISTS " } else { "" }, quote_name(&name))
            }
            None => format!("ALTER TABLE {target} DROP CONSTRAINT {}", quote_name(&name)),
        }));
    }
    tokens.eat("column");
    let if_exists = tokens.eat_all(&["if", "exists"]);
    let column = tokens.name()?;
    let _behaviour = tokens.eat("cascade") || tokens.eat("restrict");
    if if_exists && schema.columns(table).is_some_and(|columns| !columns.contains(&column)) {
        return Ok(None);
    }
    Ok(Some(format!("ALTER TABLE {target} DROP COLUMN {}", quote_name(&column))))
}

fn alter_column(tokens: &mut Tokens<'_>, target: &str) -> Result<String, SqlError> {
    tokens.eat("column");
    let column = quote_name(&tokens.name()?);
    if tokens.eat_all(&["set", "not", "null"]) {
        return Ok(format!("ALTER TABLE {target} ALTER COLUMN {column} SET NOT NULL"));
    }
    if tokens.eat_all(&["drop", "not", "null"]) {
        return Ok(format!("ALTER TABLE {target} ALTER COLUMN {column} DROP NOT NULL"));
    }
    Err(SqlError::unsupported("ALTER COLUMN other than SET or DROP NOT NULL").at(tokens.offset()))
}

/// ALTER of indexes and views: only new names, for tables in SQLite.
pub(super) fn other(tokens: &mut Tokens<'_>) -> Result<Option<Definition>, SqlError> {
    if tokens.eat("index") || tokens.eat("view") {
        return Err(SqlError::unsupported("ALTER INDEX and ALTER VIEW"));
    }
    Ok(None)
}
