//! LIMIT and its kin, locking, parenthesised parts of a compound.

use super::super::sql::{Core, Item, Query, Select};
use super::super::sql_error::SqlError;
use super::Rewriter;

impl Rewriter<'_> {
    pub(super) fn query(&mut self, query: &Query) {
        if let Some(bounds) = &query.bounds {
            let limit =
                query.limit.as_ref().map_or("-1".to_owned(), |limit| match self.render(&limit.span) {
                    one if one.is_empty() => "1".to_owned(),
                    limit => limit,
                });
            let offset = query
                .offset
                .as_ref()
                .map_or(String::new(), |offset| format!(" OFFSET {}", self.render(&offset.span)));
            let text = format!("LIMIT {limit}{offset}");
            if !self.render(bounds).eq_ignore_ascii_case(&text) {
                self.replace(bounds.clone(), text);
            }
        }
        if let Some(locking) = &query.locking {
            self.remove(locking);
        }
        for core in &query.cores {
            match core {
                Core::Select(select) => self.select(select),
                Core::Values(_) => {}
                Core::Nested(inner, span) => {
                    let inner = self.render(&inner.span);
                    self.replace(span.clone(), format!("SELECT * FROM ({inner})"));
                }
            }
        }
    }

    /// An identifier that is shown is shown as the name behind it.
    fn shown_name(&mut self, item: &Item) {
        if let Some(ty) = super::expression::reg_type(&item.expr) {
            let value = self.render(&item.expr.span);
            self.replace(item.expr.span.clone(), super::expression::reg_name(ty, &value));
        }
    }

    fn select(&mut self, select: &Select) {
        if let Some(on) = &select.distinct_on {
            self.refuse(SqlError::unsupported("SELECT DISTINCT ON").at(on.start));
        }
        for item in &select.items {
            self.shown_name(item);
        }
        self.set_returning(select);
    }
}
