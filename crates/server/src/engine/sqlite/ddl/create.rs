//! CREATE TABLE, from columns or from a query.

use wire::oid;

use super::super::infer::{self, Tables};
use super::super::lexer::quote_name;
use super::super::rewrite::{self, Schema};
use super::super::sql;
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::super::types::{Type, names as type_names};
use super::spec::{ColumnSpec, ConstraintKind, ConstraintSpec, Serial, TableSpec};
use super::{Definition, DefinitionTag, expression, parse, quoted};

pub(super) fn table(
    tokens: &mut Tokens<'_>,
    temporary: bool,
    schema: &dyn Schema,
) -> Result<Option<Definition>, SqlError> {
    let mut spec = TableSpec { temporary, ..TableSpec::default() };
    spec.if_not_exists = tokens.eat_all(&["if", "not", "exists"]);
    spec.name = tokens.qualified_name()?.1;
    if tokens.eat_all(&["partition", "of"]) || tokens.is_word("of") {
        return Err(SqlError::unsupported("this form of CREATE TABLE"));
    }
    if !tokens.is("(") || query_follows(tokens) {
        return from_query(tokens, &spec, schema);
    }
    parse::body(tokens, &mut spec)?;
    options(tokens, &mut spec)?;
    normalise(&mut spec, schema)?;
    Ok(Some(Definition::one(spec.to_string(), "CREATE TABLE")))
}

/// `t (a, b) AS SELECT …`.
fn query_follows(tokens: &Tokens<'_>) -> bool {
    let mut ahead = tokens.clone();
    super::names(&mut ahead).is_ok()
        && (ahead.is_word("as") || ahead.is_word("with") || ahead.is_word("on"))
        && ahead.sql[ahead.rest()].to_ascii_lowercase().contains("as")
}

/// What may stand behind the parenthesis.
fn options(tokens: &mut Tokens<'_>, spec: &mut TableSpec) -> Result<(), SqlError> {
    while !tokens.is_empty() {
        if tokens.eat_all(&["without", "rowid"]) {
            spec.options.push("WITHOUT ROWID");
        } else if tokens.eat("strict") {
            spec.options.push("STRICT");
        } else if tokens.eat_all(&["without", "oids"])
            || tokens.eat_all(&["on", "commit", "preserve", "rows"])
            || tokens.take(",")
        {
        } else if tokens.eat("with") {
            tokens.skip_group()?;
        } else if tokens.eat("tablespace") || tokens.eat("using") {
            tokens.name()?;
        } else if tokens.is_word("on") {
            return Err(SqlError::unsupported("ON COMMIT DROP or DELETE ROWS"));
        } else if tokens.is_word("inherits") || tokens.is_word("partition") {
            return Err(SqlError::unsupported("inheritance and partitioning"));
        } else {
            return Err(tokens.unexpected());
        }
    }
    Ok(())
}

/// Brings a definition into the form that is kept.
pub(super) fn normalise(spec: &mut TableSpec, schema: &dyn Schema) -> Result<(), SqlError> {
    number_rows(spec)?;
    let table = spec.name.clone();
    let primary = spec.primary_key();
    for column in &mut spec.columns {
        self::column(column, &table, schema)?;
        let alias = column.ty.eq_ignore_ascii_case("integer") && primary.len() == 1;
        // A primary key does not keep NULL out in SQLite, unless it is the row's own number.
        column.not_null |= primary.contains(&column.name) && !alias && column.serial.is_none();
    }
    for constraint in &mut spec.constraints {
        self::constraint(constraint, &table, &[], schema)?;
    }
    Ok(())
}

/// At most one column numbers the rows, and then it is the primary key; another primary key becomes a unique one.
fn number_rows(spec: &mut TableSpec) -> Result<(), SqlError> {
    let mut serials =
        spec.columns.iter().enumerate().filter_map(|(at, column)| column.serial.map(|serial| (at, serial)));
    let Some((at, serial)) = serials.next() else { return Ok(()) };
    if serials.next().is_some() {
        return Err(SqlError::unsupported("more than one serial or identity column in a table"));
    }
    for constraint in
        spec.constraints.iter_mut().chain(spec.columns.iter_mut().flat_map(|column| &mut column.constraints))
    {
        if let ConstraintKind::Primary { columns, .. } = &constraint.kind {
            constraint.kind = ConstraintKind::Unique(columns.clone());
        }
    }
    let column = &mut spec.columns[at];
    let only = [column.name.clone()];
    spec.constraints.retain(
        |constraint| !matches!(&constraint.kind, ConstraintKind::Unique(columns) if *columns == only),
    );
    column.constraints.retain(
        |constraint| !matches!(&constraint.kind, ConstraintKind::Unique(columns) if columns.is_empty()),
    );
    column.not_null = false;
    column.default = None;
    column.ty = "INTEGER".to_owned();
    let name = if serial == Serial::Big { "bigserial" } else { "serial" };
    column.constraints.insert(
        0,
        ConstraintSpec {
            name: Some(name.to_owned()),
            kind: ConstraintKind::Primary { columns: Vec::new(), auto: true },
        },
    );
    Ok(())
}

/// A column as it is kept.
pub(super) fn column(column: &mut ColumnSpec, table: &str, schema: &dyn Schema) -> Result<(), SqlError> {
    column.ty = stored_type(&column.ty);
    column.collation = column.collation.take().filter(|collation| {
        ["nocase", "rtrim", "binary"].iter().any(|known| collation.eq_ignore_ascii_case(known))
    });
    if let Some(default) = &column.default {
        column.default = Some(expression::default(default, schema)?);
    }
    if let Some((generated, _)) = &mut column.generated {
        *generated = expression::stored(generated, schema)?;
    }
    let columns = [column.name.clone()];
    column
        .constraints
        .iter_mut()
        .try_for_each(|constraint| self::constraint(constraint, table, &columns, schema))
}

/// Checks get the name that PostgreSQL would give them: SQLite's message names them by it.
pub(super) fn constraint(
    constraint: &mut ConstraintSpec,
    table: &str,
    columns: &[String],
    schema: &dyn Schema,
) -> Result<(), SqlError> {
    if let ConstraintKind::Check(check) = &mut constraint.kind {
        *check = expression::stored(check, schema)?;
        let name = constraint.full_name(table, columns);
        constraint.name = Some(name);
    }
    Ok(())
}

/// The declaration as it is kept: readable for us and of the right affinity for SQLite.
pub(super) fn stored_type(declared: &str) -> String {
    let Some(ty) = Type::declared(declared) else { return String::new() };
    match ty.oid {
        oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            let digits = if ty.modifier < 0 { String::new() } else { format!("({})", ty.modifier) };
            let name = type_names::internal_name(ty.oid).unwrap_or_default().to_uppercase();
            format!("{name}{digits}")
        }
        oid::JSON
        | oid::JSONB
        | oid::XML
        | oid::NAME
        | oid::INET
        | oid::CIDR
        | oid::MACADDR
        | oid::BIT
        | oid::VARBIT
        | oid::INTERVAL => {
            let name = type_names::internal_name(ty.oid).unwrap_or_default().to_uppercase();
            format!("{name} TEXT")
        }
        _known if ty.oid.element().is_some() => {
            let name = type_names::internal_name(ty.oid.element().unwrap_or(oid::TEXT))
                .unwrap_or_default()
                .to_uppercase();
            format!("{name}[] TEXT")
        }
        oid::TEXT if unknown(declared) => {
            format!("{} TEXT", declared.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        _plain => declared.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// A name that only SQLite's rule of affinity gives a meaning.
fn unknown(declared: &str) -> bool {
    let lower = declared.to_ascii_lowercase();
    !["text", "char", "clob"].iter().any(|part| lower.contains(part)) && lower != "string"
}

/// `CREATE TABLE t AS query`: a table with the types that can be told, and an INSERT.
fn from_query(
    tokens: &mut Tokens<'_>,
    spec: &TableSpec,
    schema: &dyn Schema,
) -> Result<Option<Definition>, SqlError> {
    let names = if tokens.is("(") { super::names(tokens)? } else { Vec::new() };
    let mut spec = spec.clone();
    while !tokens.is_word("as") {
        let start = tokens.position();
        if tokens.eat("with") {
            tokens.skip_group()?;
        } else if !tokens.eat_all(&["on", "commit", "preserve", "rows"]) {
            return Err(tokens.unexpected());
        }
        if tokens.position() == start {
            return Err(tokens.unexpected());
        }
    }
    tokens.expect_word("as")?;
    let mut text = tokens.sql[tokens.rest()].to_owned();
    let lower = text.to_ascii_lowercase();
    let empty = lower.ends_with("with no data");
    if empty || lower.ends_with("with data") {
        text.truncate(text.len() - if empty { "with no data".len() } else { "with data".len() });
    }
    let query = Tokens::statement(&text, 0);
    let whole = query.rest();
    let Some(statement) = sql::parse(query) else { return Ok(None) };
    let inferred = infer::infer(&statement, &Known(schema), &[]);
    if inferred.columns.is_empty() {
        return Ok(None);
    }
    let written = rewrite::rewrite(&text, whole, &statement, schema, &inferred)?
        .map_or_else(|| text.clone(), |rewritten| rewritten.sql);
    for (at, column) in inferred.columns.iter().enumerate() {
        let name = names.get(at).cloned().unwrap_or_else(|| column.name.clone());
        let ty = column
            .ty
            .and_then(|ty| type_names::sql_name(ty.oid, ty.modifier))
            .unwrap_or_else(|| "text".to_owned());
        spec.columns.push(ColumnSpec { name, ty: stored_type(&ty), ..ColumnSpec::default() });
    }
    let mut statements = vec![spec.to_string()];
    if empty {
        return Ok(Some(Definition::many(statements, "CREATE TABLE AS")));
    }
    let all: Vec<String> = spec.columns.iter().map(|column| column.name.clone()).collect();
    statements.push(format!("INSERT INTO {} ({}) {written}", quote_name(&spec.name), quoted(&all)));
    Ok(Some(Definition { statements, tag: DefinitionTag::Rows }))
}

/// The schema as inference asks for it.
struct Known<'a>(&'a dyn Schema);

impl Tables for Known<'_> {
    fn columns(&self, table: &str) -> Option<Vec<infer::OutColumn>> {
        self.0.typed_columns(table)
    }

    fn columns_in(&self, _: &str, table: &str) -> Option<Vec<infer::OutColumn>> {
        self.0.typed_columns(table)
    }
}
