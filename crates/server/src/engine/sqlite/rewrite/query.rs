//! LIMIT and its kin, locking, parenthesised parts of a compound.

use super::super::sql::{Core, Query, Select};
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
        let outermost = self.outermost.as_ref() == Some(&query.span);
        for core in &query.cores {
            match core {
                Core::Select(select) => self.select(select, outermost),
                Core::Values(_) => {}
                Core::Nested(inner, span) => {
                    let inner = self.render(&inner.span);
                    self.replace(span.clone(), format!("SELECT * FROM ({inner})"));
                }
            }
        }
    }

    fn select(&mut self, select: &Select, outermost: bool) {
        if let Some(keyword) = &select.table_keyword {
            self.replace(keyword.clone(), "SELECT * FROM".to_owned());
        }
        if let Some(on) = &select.distinct_on {
            self.refuse(SqlError::unsupported("SELECT DISTINCT ON").at(on.start));
        }
        if outermost {
            self.show_names(select);
        } else {
            self.name_columns(select);
        }
        self.quote_aliases(select);
        self.set_returning(select);
    }
}
