//! Functions that return rows, as items of a select list: `SELECT generate_series(1, 3)`.

use super::super::sql::{Call, Item, Kind, Select};
use super::super::sql_error::SqlError;
use super::Rewriter;

/// Functions that return rows.
const FUNCTIONS: &[&str] = &[
    "generate_series",
    "unnest",
    "json_array_elements",
    "jsonb_array_elements",
    "json_array_elements_text",
    "jsonb_array_elements_text",
    "json_object_keys",
    "jsonb_object_keys",
    "regexp_split_to_table",
    "string_to_table",
    "generate_subscripts",
    "_pg_expandarray",
];

pub(super) fn is_set_returning(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

impl Rewriter<'_> {
    /// Moves the function into FROM. One per select list.
    pub(super) fn set_returning(&mut self, select: &Select) {
        let mut found =
            select.items.iter().filter_map(|item| set_returning_call(item).map(|call| (item, call)));
        let Some((item, call)) = found.next() else { return };
        if found.next().is_some() {
            return self.refuse(
                SqlError::unsupported("more than one set-returning function in a select list")
                    .at(item.expr.span.start),
            );
        }
        let Some(rows) = self.rows_of(call, None) else { return };
        let name = item.alias.is_none().then(|| format!(" AS \"{}\"", call.name)).unwrap_or_default();
        self.replace(item.expr.span.clone(), format!("\"_rows\".\"{}\"{name}", rows.column));
        let source = format!("{} AS \"_rows\"", rows.text);
        match select.from.last() {
            Some(last) => self.insert(last.span.end, format!(", {source}")),
            None => {
                let end = select.items.last().map_or(item.expr.span.end, |item| self.item_end(item));
                self.insert(end, format!(" FROM {source}"));
            }
        }
    }

    /// Past the alias of an item.
    fn item_end(&self, item: &Item) -> usize {
        let Some(alias) = &item.alias else { return item.expr.span.end };
        let after = &self.sql[item.expr.span.end..];
        let at = after.to_lowercase().find(&alias.to_lowercase()).unwrap_or(0);
        let quote = usize::from(after[at + alias.len()..].starts_with('"'));
        item.expr.span.end + at + alias.len() + quote
    }
}

fn set_returning_call(item: &Item) -> Option<&Call> {
    match &item.expr.kind {
        Kind::Call(call) if is_set_returning(&call.name) => Some(call),
        _other => None,
    }
}
