//! Functions that return rows, in a select list: `SELECT generate_series(1, 3)`, `SELECT (f(x)).n`.
//!
//! They move into FROM, where SQLite has tables that depend on the ones before them. Several in one list go in step by the
//! numbers of their rows, as in PostgreSQL; unlike there, the shorter ones are not filled up with NULLs.

use super::super::lexer::quote_name;
use super::super::sql::{Call, Select, Span};
use super::Rewriter;
use super::rows;

/// A call that has become a column of a table yet to be added to FROM.
#[derive(Debug)]
pub(super) struct Moved {
    /// Of the call.
    span: Span,
    alias: String,
    /// The table, in step with `json_each`; without its alias.
    elements: String,
    /// The table where it stands alone and nothing has to be in step.
    alone: Option<String>,
}

impl Moved {
    /// Where the call stands.
    pub fn at(&self) -> usize {
        self.span.start
    }
}

impl Rewriter<'_> {
    /// What stands for a call that returns rows; its table waits for the select list that the call is in.
    pub(super) fn moved_call(&mut self, call: &Call, span: &Span) -> Option<String> {
        if !rows::is_set_returning(&call.name) || self.places.is_table(span) {
            return None;
        }
        let elements = self.elements_of(call)?;
        let alias = format!("_rows{}", span.start);
        let value = rows::value(call, &alias);
        let alone = self.table_of(call, "value");
        self.moved.push(Moved { span: span.clone(), alias, elements, alone });
        Some(value)
    }

    /// Takes the calls inside a part off the waiting list.
    pub(super) fn take_moved(&mut self, part: &Span) -> Vec<Moved> {
        let inside = |moved: &Moved| part.start <= moved.span.start && moved.span.end <= part.end;
        let (taken, left) = std::mem::take(&mut self.moved).into_iter().partition(inside);
        self.moved = left;
        taken
    }

    /// Adds the tables of the list's functions to FROM.
    pub(super) fn set_returning(&mut self, select: &Select) {
        let mut moved = Vec::new();
        for item in &select.items {
            moved.extend(self.take_moved(&item.expr.span));
        }
        let Some((first, others)) = moved.split_first() else { return };
        let alias = quote_name(&first.alias);
        let mut text = match &first.alone {
            Some(table) if others.is_empty() => format!("{table} AS {alias}"),
            Some(_) | None => format!("{} AS {alias}", first.elements),
        };
        for other in others {
            let other_alias = quote_name(&other.alias);
            text += &format!(" JOIN {} AS {other_alias} ON {other_alias}.key = {alias}.key", other.elements);
        }
        match select.from_end {
            Some(end) => self.insert(end, format!(", {text}")),
            None => self.insert(select.items_end, format!(" FROM {text}")),
        }
    }
}
