//! Names of columns: PostgreSQL's for computed ones, quotes for those that are keywords of SQLite, and the names behind identifiers.

use super::super::catalog::rewrite as catalog;
use super::super::infer;
use super::super::lexer::quote_name;
use super::super::sql::{Kind, Select};
use super::Rewriter;

/// Words that SQLite takes for names only in quotes (<https://www.sqlite.org/lang_keywords.html>, those without fallback).
const RESERVED: &[&str] = &[
    "add",
    "all",
    "alter",
    "and",
    "as",
    "autoincrement",
    "between",
    "case",
    "check",
    "collate",
    "commit",
    "constraint",
    "create",
    "default",
    "deferrable",
    "delete",
    "distinct",
    "drop",
    "else",
    "escape",
    "except",
    "exists",
    "foreign",
    "from",
    "group",
    "having",
    "in",
    "index",
    "insert",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "limit",
    "not",
    "nothing",
    "notnull",
    "null",
    "on",
    "or",
    "order",
    "primary",
    "references",
    "returning",
    "select",
    "set",
    "table",
    "then",
    "to",
    "transaction",
    "union",
    "unique",
    "update",
    "using",
    "values",
    "when",
    "where",
];

pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

impl Rewriter<'_> {
    /// An identifier that goes to the client goes as the name behind it.
    pub(super) fn show_names(&mut self, select: &Select) {
        // With a star among the items, positions do not tell which column is whose.
        let known = if self.shown.len() == select.items.len() { self.shown } else { &[] };
        for (at, item) in select.items.iter().enumerate() {
            let inferred = known.get(at).and_then(|column| column.ty).map(|ty| ty.oid);
            let ty = super::expression::cast_type(&item.expr).or(inferred);
            let Some(ty) = ty.filter(|ty| catalog::is_identifier_type(*ty)) else { continue };
            let value = self.render(&item.expr.span);
            let name = catalog::to_name(ty, &value);
            let written = &self.sql[item.expr.span.clone()];
            let plain = item.alias.is_none() && matches!(item.expr.kind, Kind::Column { .. });
            let text = match plain.then(|| infer::name_of(&item.expr)) {
                Some(column) if name != *written => format!("{name} AS {}", quote_name(&column)),
                Some(_) | None => name,
            };
            self.replace(item.expr.span.clone(), text);
        }
    }

    /// Inside a statement, others may use PostgreSQL's name of a computed column.
    pub(super) fn name_columns(&mut self, select: &Select) {
        for item in select.items.iter().filter(|item| item.alias.is_none()) {
            let plain = match &item.expr.kind {
                Kind::Column { .. } => self.render(&item.expr.span) == self.sql[item.expr.span.clone()],
                Kind::Star { .. } => true,
                _computed => false,
            };
            let name = infer::name_of(&item.expr);
            if !plain && name != "?column?" {
                self.insert(item.expr.span.end, format!(" AS {}", quote_name(&name)));
            }
        }
    }

    pub(super) fn quote_aliases(&mut self, select: &Select) {
        for item in &select.items {
            if let (Some(alias), Some(span)) = (&item.alias, &item.alias_span)
                && is_reserved(alias)
                && !self.sql[span.clone()].starts_with('"')
            {
                self.replace(span.clone(), quote_name(alias));
            }
        }
    }
}
