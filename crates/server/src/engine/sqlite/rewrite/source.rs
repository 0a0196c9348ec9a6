//! Tables of a FROM clause: functions that return rows, aliases with column names, LATERAL.

use super::super::catalog::rewrite as catalog;
use super::super::lexer::quote_name;
use super::super::sql::{Call, Kind, Query, Source, SourceKind};
use super::{Rewriter, rows};

impl Rewriter<'_> {
    pub(super) fn source(&mut self, source: &Source) {
        if let Some(lateral) = &source.lateral {
            self.remove(lateral);
        }
        match &source.kind {
            SourceKind::Table { schema: Some(_), name } if self.stored => {
                self.replace(source.span.start..source.after.start, quote_name(name));
            }
            SourceKind::Table { schema, name } => self.table(source, schema.as_deref(), name),
            SourceKind::Query(query) if !source.columns.is_empty() => self.named_columns(source, query),
            SourceKind::Query(_) => {}
            SourceKind::Function { call, ordinality } => {
                if let Kind::Call(call) = &call.kind {
                    self.function(source, call, ordinality.is_some());
                }
            }
        }
    }

    /// A table that SQLite knows under another name keeps its own as an alias.
    fn table(&mut self, source: &Source, schema: Option<&str>, name: &str) {
        let Some(table) = catalog::table(schema, name) else { return };
        let alias = if source.alias.is_none() { format!(" AS {}", quote_name(name)) } else { String::new() };
        self.replace(source.span.start..source.after.start, format!("{table}{alias}"));
    }

    /// `(query) AS t(a, b)`: only common table expressions can name columns in SQLite.
    fn named_columns(&mut self, source: &Source, query: &Query) {
        let alias = quote_name(source.alias.as_deref().unwrap_or_default());
        let columns: Vec<String> = source.columns.iter().map(|name| quote_name(name)).collect();
        let text = format!(
            "(WITH {alias}({}) AS ({}) SELECT * FROM {alias}) AS {alias}",
            columns.join(", "),
            self.render(&query.span)
        );
        self.replace(source.span.clone(), text);
    }

    /// A function in FROM: its column is called like the table, unless named.
    fn function(&mut self, source: &Source, call: &Call, ordinality: bool) {
        let alias = source.alias.clone().unwrap_or_else(|| call.name.clone());
        let quoted = quote_name(&alias);
        let column = source.columns.first().unwrap_or(&alias);
        let lateral = self.places.is_lateral(&source.span);
        if let Some(table) = self.table_of(call, column).filter(|_| !ordinality && !lateral) {
            return self.replace(source.span.clone(), format!("{table} AS {quoted}"));
        }
        let Some(elements) = self.elements_of(call) else { return };
        if lateral {
            return self.replace(source.span.clone(), format!("{elements} AS {quoted}"));
        }
        let mut columns = rows::named_columns(call, "_f", &source.columns);
        if let ([(name, _)], true) = (columns.as_mut_slice(), source.columns.is_empty()) {
            // A column without a name of its own is called like the table.
            *name = if name == "_f" { alias } else { std::mem::take(name) };
        }
        if ordinality {
            let name = source.columns.get(columns.len()).map_or("ordinality", String::as_str);
            columns.push((name.to_owned(), rows::ordinal("_f")));
        }
        let columns: Vec<String> =
            columns.iter().map(|(name, value)| format!("{value} AS {}", quote_name(name))).collect();
        let text = format!("(SELECT {} FROM {elements} AS \"_f\") AS {quoted}", columns.join(", "));
        self.replace(source.span.clone(), text);
    }
}
