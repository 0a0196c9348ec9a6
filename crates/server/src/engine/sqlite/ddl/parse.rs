//! Reads a table's definition, as PostgreSQL and as SQLite write it.

use super::super::sql;
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::names;
use super::spec::{ColumnSpec, ConstraintKind, ConstraintSpec, Serial, TableSpec};

/// The definition that SQLite keeps for a table; `None` when it cannot be read.
pub(in super::super) fn stored(sql: &str) -> Option<TableSpec> {
    let mut tokens = Tokens::statement(sql, 0);
    tokens.eat("create");
    let _temporary = tokens.eat("temp") || tokens.eat("temporary");
    tokens.eat("table");
    let mut spec = TableSpec::default();
    tokens.eat_all(&["if", "not", "exists"]);
    spec.name = tokens.qualified_name().ok()?.1;
    body(&mut tokens, &mut spec).ok()?;
    Some(spec)
}

/// The parenthesis with columns and constraints.
pub(super) fn body(tokens: &mut Tokens<'_>, spec: &mut TableSpec) -> Result<(), SqlError> {
    tokens.expect("(")?;
    while !tokens.is(")") {
        if tokens.is_word("like") {
            return Err(SqlError::unsupported("CREATE TABLE (LIKE …)").at(tokens.offset()));
        }
        match table_constraint(tokens)? {
            Some(constraint) => spec.constraints.push(constraint),
            None => spec.columns.push(column(tokens)?),
        }
        if !tokens.take(",") {
            break;
        }
    }
    tokens.expect(")")
}

fn table_constraint(tokens: &mut Tokens<'_>) -> Result<Option<ConstraintSpec>, SqlError> {
    let start = tokens.position();
    let name = if tokens.eat("constraint") { Some(tokens.name()?) } else { None };
    let kind = if tokens.eat_all(&["primary", "key"]) {
        let columns = index_columns(tokens)?;
        ConstraintKind::Primary { columns, auto: false }
    } else if tokens.is_word("unique")
        && tokens.peek_at(1).is_some_and(|next| next.is(tokens.sql, "(") || next.is_word(tokens.sql, "nulls"))
    {
        tokens.eat("unique");
        tokens.eat_all(&["nulls", "not", "distinct"]);
        ConstraintKind::Unique(index_columns(tokens)?)
    } else if tokens.is_word("check") {
        tokens.eat("check");
        ConstraintKind::Check(group(tokens)?)
    } else if tokens.eat_all(&["foreign", "key"]) {
        let columns = names(tokens)?;
        tokens.expect_word("references")?;
        references(tokens, columns)?
    } else if tokens.is_word("exclude") {
        return Err(SqlError::unsupported("EXCLUDE").at(tokens.offset()));
    } else {
        tokens.rewind(start);
        return Ok(None);
    };
    let deferrable = matches!(kind, ConstraintKind::Foreign { .. });
    if !deferrable {
        skip_deferrable(tokens);
    }
    conflict_clause(tokens);
    Ok(Some(ConstraintSpec { name, kind }))
}

/// Columns of a key; collations, orders and what belongs to PostgreSQL's indexes are dropped.
fn index_columns(tokens: &mut Tokens<'_>) -> Result<Vec<String>, SqlError> {
    tokens.expect("(")?;
    let mut columns = Vec::new();
    loop {
        columns.push(tokens.name()?);
        if tokens.eat("collate") {
            tokens.qualified_name()?;
        }
        let _order = tokens.eat("asc") || tokens.eat("desc");
        tokens.eat("autoincrement");
        if !tokens.take(",") {
            break;
        }
    }
    tokens.expect(")")?;
    if tokens.eat("include") || tokens.eat("with") {
        tokens.skip_group()?;
    }
    if tokens.eat_all(&["using", "index", "tablespace"]) {
        tokens.name()?;
    }
    Ok(columns)
}

/// The text between the parentheses that come next.
pub(super) fn group(tokens: &mut Tokens<'_>) -> Result<String, SqlError> {
    let start = tokens.offset() + 1;
    tokens.skip_group()?;
    Ok(tokens.sql[start..tokens.taken_to() - 1].trim().to_owned())
}

/// What follows REFERENCES.
pub(super) fn references(tokens: &mut Tokens<'_>, columns: Vec<String>) -> Result<ConstraintKind, SqlError> {
    let (_, table) = tokens.qualified_name()?;
    let to = if tokens.is("(") { names(tokens)? } else { Vec::new() };
    let mut rules = String::new();
    loop {
        let start = tokens.offset();
        if tokens.eat("match") {
            tokens.name()?;
            continue;
        }
        if tokens.eat("on") {
            if !tokens.eat("delete") && !tokens.eat("update") {
                return Err(tokens.unexpected());
            }
            let action = tokens.eat("cascade") || tokens.eat("restrict") || tokens.eat_all(&["no", "action"]);
            if !action && !tokens.eat_all(&["set", "null"]) && !tokens.eat_all(&["set", "default"]) {
                return Err(tokens.unexpected());
            }
        } else if !(tokens.eat("deferrable")
            || tokens.eat_all(&["not", "deferrable"])
            || tokens.eat_all(&["initially", "deferred"])
            || tokens.eat_all(&["initially", "immediate"]))
        {
            break;
        }
        rules.push(' ');
        rules.push_str(&tokens.sql[start..tokens.taken_to()].to_uppercase());
    }
    tokens.eat_all(&["not", "valid"]);
    Ok(ConstraintKind::Foreign { columns, table, to, rules })
}

fn skip_deferrable(tokens: &mut Tokens<'_>) {
    while tokens.eat("deferrable")
        || tokens.eat_all(&["not", "deferrable"])
        || tokens.eat_all(&["initially", "deferred"])
        || tokens.eat_all(&["initially", "immediate"])
        || tokens.eat_all(&["no", "inherit"])
        || tokens.eat_all(&["not", "valid"])
    {}
}

/// SQLite's `ON CONFLICT ROLLBACK` and its kin have no like in PostgreSQL.
fn conflict_clause(tokens: &mut Tokens<'_>) {
    if tokens.eat_all(&["on", "conflict"]) {
        tokens.advance();
    }
}

/// Name, type and constraints of one column.
pub(super) fn column(tokens: &mut Tokens<'_>) -> Result<ColumnSpec, SqlError> {
    let mut column = ColumnSpec { name: tokens.name()?, ..ColumnSpec::default() };
    if !starts_constraint(tokens) && !tokens.is(",") && !tokens.is(")") && !tokens.is_empty() {
        let ty = sql::type_name(tokens).ok_or_else(|| tokens.unexpected())?;
        column.serial = serial(&ty);
        column.ty = ty;
    }
    while !tokens.is(",") && !tokens.is(")") && !tokens.is_empty() {
        column_constraint(tokens, &mut column)?;
    }
    Ok(column)
}

fn serial(ty: &str) -> Option<Serial> {
    match ty.to_ascii_lowercase().as_str() {
        "serial" | "serial4" | "smallserial" | "serial2" => Some(Serial::Small),
        "bigserial" | "serial8" => Some(Serial::Big),
        _plain => None,
    }
}

fn starts_constraint(tokens: &Tokens<'_>) -> bool {
    [
        "constraint",
        "not",
        "null",
        "primary",
        "unique",
        "check",
        "default",
        "references",
        "generated",
        "collate",
        "as",
    ]
    .iter()
    .any(|word| tokens.is_word(word))
}

fn column_constraint(tokens: &mut Tokens<'_>, column: &mut ColumnSpec) -> Result<(), SqlError> {
    let name = if tokens.eat("constraint") { Some(tokens.name()?) } else { None };
    if tokens.eat_all(&["not", "null"]) {
        column.not_null = true;
        conflict_clause(tokens);
        tokens.eat_all(&["no", "inherit"]);
        return Ok(());
    }
    if tokens.eat("null") {
        return Ok(());
    }
    if tokens.eat("default") {
        column.default = Some(default(tokens)?);
        return Ok(());
    }
    if tokens.eat("collate") {
        column.collation = Some(tokens.qualified_name()?.1);
        return Ok(());
    }
    if tokens.is_word("generated") || tokens.is_word("as") {
        return generated(tokens, column);
    }
    let kind = if tokens.eat_all(&["primary", "key"]) {
        let _order = tokens.eat("asc") || tokens.eat("desc");
        conflict_clause(tokens);
        let auto = tokens.eat("autoincrement");
        if let (Some(name), true) = (&name, auto) {
            column.serial = serial(name);
        }
        ConstraintKind::Primary { columns: Vec::new(), auto }
    } else if tokens.eat("unique") {
        tokens.eat_all(&["nulls", "not", "distinct"]);
        conflict_clause(tokens);
        ConstraintKind::Unique(Vec::new())
    } else if tokens.eat("check") {
        ConstraintKind::Check(group(tokens)?)
    } else if tokens.eat("references") {
        references(tokens, Vec::new())?
    } else {
        return Err(tokens.unexpected());
    };
    if !matches!(kind, ConstraintKind::Foreign { .. }) {
        skip_deferrable(tokens);
        if tokens.eat("with") {
            tokens.skip_group()?;
        }
    }
    column.constraints.push(ConstraintSpec { name, kind });
    Ok(())
}

/// The expression after DEFAULT.
pub(super) fn default(tokens: &mut Tokens<'_>) -> Result<String, SqlError> {
    let start = tokens.offset();
    sql::expression(tokens).ok_or_else(|| tokens.unexpected())?;
    Ok(tokens.sql[start..tokens.taken_to()].to_owned())
}

/// `GENERATED … AS IDENTITY` or `[GENERATED ALWAYS] AS (expression) [STORED | VIRTUAL]`.
fn generated(tokens: &mut Tokens<'_>, column: &mut ColumnSpec) -> Result<(), SqlError> {
    if tokens.eat("generated") {
        let _when = tokens.eat("always") || tokens.eat_all(&["by", "default"]);
    }
    tokens.expect_word("as")?;
    if tokens.eat("identity") {
        if tokens.is("(") {
            tokens.skip_group()?;
        }
        let big = column.ty.to_ascii_lowercase();
        column.serial =
            Some(if matches!(big.as_str(), "bigint" | "int8") { Serial::Big } else { Serial::Small });
        return Ok(());
    }
    let expression = group(tokens)?;
    let stored = tokens.eat("stored");
    let _virtual = !stored && tokens.eat("virtual");
    column.generated = Some((expression, stored));
    Ok(())
}
