//! Which columns a name can mean.

use super::OutColumn;

/// Tables in sight, innermost first.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    tables: Vec<(String, Vec<OutColumn>)>,
    ctes: Vec<(String, Vec<OutColumn>)>,
    outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    /// An empty scope from which this one is seen.
    pub fn inside(&self) -> Scope<'_> {
        Scope { tables: Vec::new(), ctes: Vec::new(), outer: Some(self) }
    }

    pub fn add(&mut self, alias: &str, columns: Vec<OutColumn>) {
        self.tables.push((alias.to_owned(), columns));
    }

    pub fn add_cte(&mut self, name: &str, columns: Vec<OutColumn>) {
        self.ctes.push((name.to_owned(), columns));
    }

    pub fn cte(&self, name: &str) -> Option<&[OutColumn]> {
        let here = self.ctes.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name));
        here.map(|(_, columns)| columns.as_slice()).or_else(|| self.outer?.cte(name))
    }

    pub fn column(&self, qualifier: Option<&str>, name: &str) -> Option<&OutColumn> {
        let wanted = |alias: &str| qualifier.is_none_or(|qualifier| alias.eq_ignore_ascii_case(qualifier));
        let tables = self.tables.iter().filter(|(alias, _)| wanted(alias));
        let here =
            tables.flat_map(|(_, columns)| columns).find(|column| column.name.eq_ignore_ascii_case(name));
        here.or_else(|| self.outer?.column(qualifier, name))
    }

    /// What `*` or `t.*` stands for.
    pub fn star(&self, qualifier: Option<&str>) -> Vec<OutColumn> {
        let wanted = |alias: &str| qualifier.is_none_or(|qualifier| alias.eq_ignore_ascii_case(qualifier));
        self.tables
            .iter()
            .filter(|(alias, _)| wanted(alias))
            .flat_map(|(_, columns)| columns.iter().cloned())
            .collect()
    }
}
