//! Queries: scopes, select lists, compounds.

use wire::oid;

use super::super::sql::{Core, Cte, Expr, Item, Kind, Query, Select, Source, SourceKind};
use super::super::types::Type;
use super::expression::element_of;
use super::scope::Scope;
use super::{Inference, OutColumn, name, wider};

impl Inference<'_> {
    /// The result's columns.
    pub(super) fn query(&mut self, query: &Query, outer: &Scope<'_>) -> Vec<OutColumn> {
        self.query_into(query, &[], outer)
    }

    /// As [`query`](Self::query), when the rows go into columns of these types.
    pub(super) fn query_into(
        &mut self,
        query: &Query,
        types: &[Option<Type>],
        outer: &Scope<'_>,
    ) -> Vec<OutColumn> {
        let scope = self.with_ctes(&query.ctes, outer);
        let mut columns: Vec<OutColumn> = Vec::new();
        for core in &query.cores {
            let more = self.core(core, types, &scope);
            if columns.is_empty() {
                columns = more;
            } else {
                columns.iter_mut().zip(more).for_each(|(column, more)| column.ty = wider(column.ty, more.ty));
            }
        }
        let mut sorting = scope.inside();
        sorting.add("", columns.clone());
        for expr in &query.order_by {
            self.expr(expr, None, &sorting);
        }
        for bound in query.limit.iter().chain(&query.offset) {
            self.expr(bound, Some(Type::INT8), &scope);
        }
        columns
    }

    pub(super) fn with_ctes<'s>(&mut self, ctes: &[Cte], outer: &'s Scope<'s>) -> Scope<'s> {
        let mut scope = outer.inside();
        for cte in ctes {
            if cte.recursive {
                // Its own name means its first part, whose types count.
                let first = self.first_part(cte, &scope);
                scope.add_cte(&cte.name, renamed(first, &cte.columns));
            }
            let columns = self.statement(&cte.statement, &scope);
            scope.add_cte(&cte.name, renamed(columns, &cte.columns));
        }
        scope
    }

    fn first_part(&mut self, cte: &Cte, scope: &Scope<'_>) -> Vec<OutColumn> {
        match &*cte.statement {
            super::super::sql::Statement::Query(query) => {
                let inner = self.with_ctes(&query.ctes, scope);
                query.cores.first().map(|core| self.core(core, &[], &inner)).unwrap_or_default()
            }
            _writing => Vec::new(),
        }
    }

    fn core(&mut self, core: &Core, types: &[Option<Type>], outer: &Scope<'_>) -> Vec<OutColumn> {
        match core {
            Core::Nested(query, _) => self.query_into(query, types, outer),
            Core::Values(rows) => self.values(rows, types, outer),
            Core::Select(select) => self.select(select, types, outer),
        }
    }

    fn values(&mut self, rows: &[Vec<Expr>], types: &[Option<Type>], scope: &Scope<'_>) -> Vec<OutColumn> {
        let mut columns: Vec<OutColumn> = Vec::new();
        for row in rows {
            for (at, value) in row.iter().enumerate() {
                let ty = self.expr(value, types.get(at).copied().flatten(), scope);
                match columns.get_mut(at) {
                    Some(column) => column.ty = wider(column.ty, ty),
                    None => {
                        columns.push(OutColumn { name: format!("column{}", at + 1), ty, computed: false })
                    }
                }
            }
        }
        columns
    }

    fn select(&mut self, select: &Select, types: &[Option<Type>], outer: &Scope<'_>) -> Vec<OutColumn> {
        let mut scope = outer.inside();
        self.sources(&select.from, &mut scope);
        let mut columns = Vec::new();
        for item in &select.items {
            if let (Kind::Parameter(number), Some(Some(ty))) = (&item.expr.kind, types.get(columns.len())) {
                self.parameter(*number, Some(*ty));
            }
            columns.extend(self.item(item, &scope));
        }
        self.conditions(&select.conditions, &scope);
        self.conditions(select.filter.as_slice(), &scope);
        for expr in &select.group_by {
            self.expr(expr, None, &scope);
        }
        self.conditions(select.having.as_slice(), &scope);
        columns
    }

    pub(super) fn item(&mut self, item: &Item, scope: &Scope<'_>) -> Vec<OutColumn> {
        if let Kind::Star { qualifier } = &item.expr.kind {
            return scope.star(qualifier.as_deref());
        }
        let ty = self.expr(&item.expr, None, scope);
        let computed = item.alias.is_none() && !matches!(item.expr.kind, Kind::Column { .. });
        let name = item.alias.clone().unwrap_or_else(|| name::of(&item.expr));
        vec![OutColumn { name, ty, computed }]
    }

    pub(super) fn sources(&mut self, sources: &[Source], scope: &mut Scope<'_>) {
        for source in sources {
            let (alias, columns) = match &source.kind {
                SourceKind::Table { schema: None, name } => (name.clone(), self.table_columns(name, scope)),
                SourceKind::Table { schema: Some(schema), name } => {
                    (name.clone(), self.tables.columns_in(schema, name).unwrap_or_default())
                }
                SourceKind::Query(query) => (String::new(), self.query(query, scope)),
                SourceKind::Function { call, ordinality } => {
                    self.function_columns(source, call, ordinality.is_some(), scope)
                }
            };
            let alias = source.alias.clone().unwrap_or(alias);
            scope.add(&alias, renamed(columns, &source.columns));
        }
    }

    fn function_columns(
        &mut self,
        source: &Source,
        call: &Expr,
        ordinality: bool,
        scope: &Scope<'_>,
    ) -> (String, Vec<OutColumn>) {
        let ty = self.expr(call, None, scope);
        let name = name::of(call);
        let column = source.alias.clone().unwrap_or_else(|| name.clone());
        let mut columns = self
            .rows_of(call, scope)
            .unwrap_or_else(|| vec![OutColumn { name: column, ty, computed: false }]);
        if ordinality {
            columns.push(OutColumn {
                name: "ordinality".to_owned(),
                ty: Some(Type::new(oid::INT8)),
                computed: false,
            });
        }
        (name, columns)
    }

    /// Columns of functions that return several.
    fn rows_of(&mut self, call: &Expr, scope: &Scope<'_>) -> Option<Vec<OutColumn>> {
        let Kind::Call(call) = &call.kind else { return None };
        let column = |name: &str, ty| OutColumn { name: name.to_owned(), ty, computed: false };
        match (call.name.as_str(), call.arguments.as_slice()) {
            ("unnest", arrays @ [_, _, ..]) => {
                let element = |array: &Expr| self.expr(array, None, scope).and_then(element_of);
                let types: Vec<Option<Type>> = arrays.iter().map(element).collect();
                Some(types.into_iter().map(|ty| column("unnest", ty.or(Some(Type::TEXT)))).collect())
            }
            ("_pg_expandarray", [array]) => {
                let ty = self.expr(array, None, scope).and_then(element_of);
                Some(vec![column("x", ty), column("n", Some(Type::INT4))])
            }
            ("json_each" | "jsonb_each", [_]) => {
                Some(vec![column("key", Some(Type::TEXT)), column("value", Some(Type::new(oid::JSON)))])
            }
            ("json_each_text" | "jsonb_each_text", [_]) => {
                Some(vec![column("key", Some(Type::TEXT)), column("value", Some(Type::TEXT))])
            }
            (name, []) => self.tables.columns_in("pg_catalog", name),
            _single => None,
        }
    }

    pub(super) fn add_table(&mut self, scope: &mut Scope<'_>, name: &str, alias: Option<&str>) {
        let columns = self.table_columns(name, scope);
        scope.add(alias.unwrap_or(name), columns);
    }

    fn table_columns(&self, name: &str, scope: &Scope<'_>) -> Vec<OutColumn> {
        match scope.cte(name) {
            Some(columns) => columns.to_vec(),
            None => self.tables.columns(name).unwrap_or_default(),
        }
    }
}

fn renamed(mut columns: Vec<OutColumn>, names: &[String]) -> Vec<OutColumn> {
    for (column, name) in columns.iter_mut().zip(names) {
        column.name.clone_from(name);
    }
    columns.iter_mut().for_each(|column| column.computed = false);
    columns
}
