//! From PostgreSQL's spelling to SQLite's, by editing the client's text.
//!
//! Bottom up: when an expression is reached its parts are already rewritten, so a rule is a template over the rendered parts.
//! Text that no rule touches stays as it was, byte for byte. What has no SQLite form is refused here when SQLite's own
//! message would mislead; everything else is left to SQLite.

mod call;
mod expression;
mod names;
mod places;
mod query;
mod rows;
mod set_returning;
mod source;
mod statement;

use self::places::Places;
use self::set_returning::Moved;
use super::infer::{Inferred, Moments, OutColumn};
use super::sql::{self, Node, Span, Statement};
use super::sql_error::SqlError;

/// What the rewriter has to know about the schema.
pub(super) trait Schema {
    /// Names of the columns that an INSERT fills, in order; `None` for an unknown table.
    fn columns(&self, table: &str) -> Option<Vec<String>>;

    /// The same with their types.
    fn typed_columns(&self, table: &str) -> Option<Vec<OutColumn>>;

    /// Whether a table of the user has this name, so that it means no catalog.
    fn is_users(&self, table: &str) -> bool;

    /// Columns of a unique constraint of a table, by PostgreSQL's or the index's name.
    fn constraint(&self, table: &str, name: &str) -> Option<Vec<String>>;
}

/// A rewritten statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rewritten {
    pub sql: String,
    /// (offset in the new text, offset in the old text), ascending.
    pub map: Vec<(usize, usize)>,
}

/// A replacement of a part of the text.
#[derive(Debug, Clone, PartialEq)]
struct Edit {
    span: Span,
    text: String,
}

struct Rewriter<'a> {
    sql: &'a str,
    schema: &'a dyn Schema,
    moments: &'a Moments,
    /// The text goes into the file: only what plain SQLite knows.
    stored: bool,
    places: Places,
    /// Where the outermost query stands, if the statement is one.
    outermost: Option<Span>,
    /// The columns of the result, as far as they are known.
    shown: &'a [OutColumn],
    /// Calls whose tables wait for their select list.
    moved: Vec<Moved>,
    /// Disjoint, but for insertions at one place.
    edits: Vec<Edit>,
    refused: Option<SqlError>,
}

/// The statement, which stands at `whole`, in SQLite's words; `None` where nothing needs to change.
///
/// # Errors
/// 0A000 for what SQLite cannot do, 22007 and 22P02 for bad typed literals.
pub(super) fn rewrite(
    sql: &str,
    whole: Span,
    statement: &Statement,
    schema: &dyn Schema,
    inferred: &Inferred,
) -> Result<Option<Rewritten>, SqlError> {
    let mut rewriter = Rewriter::new(sql, statement, schema, &inferred.moments, false);
    rewriter.shown = &inferred.columns;
    rewriter.run(whole, statement)
}

/// As [`rewrite`], for a text that will be kept in the file: casts are SQLite's, and schema names go.
pub(super) fn rewrite_stored(
    sql: &str,
    whole: Span,
    statement: &Statement,
    schema: &dyn Schema,
    moments: &Moments,
) -> Result<Option<Rewritten>, SqlError> {
    Rewriter::new(sql, statement, schema, moments, true).run(whole, statement)
}

impl<'a> Rewriter<'a> {
    fn new(
        sql: &'a str,
        statement: &Statement,
        schema: &'a dyn Schema,
        moments: &'a Moments,
        stored: bool,
    ) -> Self {
        let places = Places::of(statement, &|name| schema.is_users(name));
        let outermost = match statement {
            Statement::Query(query) => Some(query.span.clone()),
            Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => None,
        };
        let (moved, edits, refused) = (Vec::new(), Vec::new(), None);
        Self { sql, schema, moments, stored, places, outermost, shown: &[], moved, edits, refused }
    }

    fn run(mut self, whole: Span, statement: &Statement) -> Result<Option<Rewritten>, SqlError> {
        sql::walk_statement(statement, &mut |node| match node {
            Node::Expr(expr) => self.expression(expr),
            Node::Source(source) => self.source(source),
            Node::Query(query) => self.query(query),
        });
        self.statement(statement);
        if let Some(left) = self.moved.first() {
            let error = SqlError::unsupported("a set-returning function outside of FROM and the select list");
            return Err(error.at(left.at()));
        }
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        Ok((!self.edits.is_empty()).then(|| self.finish(whole)))
    }

    /// Replaces a part, and with it everything edited inside.
    fn replace(&mut self, span: Span, text: String) {
        self.edits.retain(|edit| edit.span.start < span.start || edit.span.end > span.end);
        self.edits.push(Edit { span, text });
    }

    fn remove(&mut self, span: &Span) {
        self.replace(span.clone(), " ".to_owned());
    }

    fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.edits.push(Edit { span: at..at, text: text.into() });
    }

    fn refuse(&mut self, error: SqlError) {
        self.refused.get_or_insert(error);
    }

    /// The part as edited so far.
    fn render(&self, span: &Span) -> String {
        self.apply(span).0
    }

    fn apply(&self, span: &Span) -> (String, Vec<(usize, usize)>) {
        let mut edits: Vec<&Edit> = self
            .edits
            .iter()
            .filter(|edit| edit.span.start >= span.start && edit.span.end <= span.end)
            .collect();
        edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
        let mut text = String::with_capacity(span.len() + 64);
        let mut map = vec![(0, span.start)];
        let mut at = span.start;
        for edit in edits {
            text.push_str(&self.sql[at..edit.span.start]);
            map.push((text.len(), edit.span.start));
            text.push_str(&edit.text);
            at = edit.span.end;
            map.push((text.len(), at));
        }
        text.push_str(&self.sql[at..span.end]);
        (text, map)
    }

    fn finish(&self, whole: Span) -> Rewritten {
        let (sql, map) = self.apply(&whole);
        Rewritten { sql, map }
    }
}

#[cfg(test)]
mod tests;
