//! Types of parameters and of computed columns, from the words of a statement.
//!
//! SQLite knows types only of plain columns. Drivers want to know more before a statement runs: what to send for `$1` and
//! what comes back from `count(*)`. This is a guess by PostgreSQL's rules over a tolerant reading ([`super::sql`]); where it has
//! no answer the type is text. It also gives computed columns the names that PostgreSQL gives them.

mod call;
mod expression;
mod name;
mod query;
mod scope;

use wire::oid;

use std::collections::HashMap;

pub(super) use self::call::makes_json;
pub(super) use self::name::of as name_of;
use self::scope::Scope;
use super::sql::{Assignment, Conflict, Insert, Item, Span, Statement};
use super::types::Type;

/// Names and types of tables' columns.
pub(super) trait Tables {
    /// All columns of a table or view, in order; `None` when there is no such thing.
    fn columns(&self, table: &str) -> Option<Vec<OutColumn>>;

    /// As [`columns`](Self::columns), of a table whose schema is given.
    fn columns_in(&self, schema: &str, table: &str) -> Option<Vec<OutColumn>>;
}

/// A column as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OutColumn {
    pub name: String,
    pub ty: Option<Type>,
    /// Not a plain column: SQLite has no good name for it.
    pub computed: bool,
}

/// What could be found out.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Inferred {
    /// Of the statement's result.
    pub columns: Vec<OutColumn>,
    /// By number; `None` where nothing is known.
    pub parameters: Vec<Option<Type>>,
    /// Operands of sums and products that are dates, times or intervals, for which SQLite has no arithmetic, and booleans that go into
    /// JSON.
    pub moments: Moments,
}

/// Types by place in the text.
pub(super) type Moments = HashMap<Span, wire::Oid>;

/// Most parameters that are followed.
const PARAMETERS_MAX: usize = 65_535;

struct Inference<'a> {
    tables: &'a dyn Tables,
    parameters: Vec<Option<Type>>,
    moments: Moments,
}

/// Guesses types of a statement; `declared` are parameter types that the client insists on.
pub(super) fn infer(statement: &Statement, tables: &dyn Tables, declared: &[Type]) -> Inferred {
    let parameters = declared.iter().map(|ty| ty.oid.is_specified().then_some(*ty)).collect();
    let mut inference = Inference { tables, parameters, moments: Moments::new() };
    let columns = inference.statement(statement, &Scope::default());
    Inferred { columns, parameters: inference.parameters, moments: inference.moments }
}

impl Inference<'_> {
    /// Makes room for a parameter, and gives it a type if it has none yet.
    fn parameter(&mut self, number: usize, expected: Option<Type>) -> Option<Type> {
        if number == 0 || number > PARAMETERS_MAX {
            return None;
        }
        if self.parameters.len() < number {
            self.parameters.resize(number, None);
        }
        let known = &mut self.parameters[number - 1];
        *known = known.or(expected);
        *known
    }

    fn statement(&mut self, statement: &Statement, outer: &Scope<'_>) -> Vec<OutColumn> {
        match statement {
            Statement::Query(query) => self.query(query, outer),
            Statement::Insert(insert) => self.insert(insert, outer),
            Statement::Update(update) => {
                let scope = self.with_ctes(&update.ctes, outer);
                let mut scope = scope.inside();
                self.add_table(&mut scope, &update.table.name, update.table.alias.as_deref());
                self.sources(&update.from, &mut scope);
                self.assignments(&update.sets, &update.table.name, &scope);
                self.conditions(&update.conditions, &scope);
                self.conditions(update.filter.as_slice(), &scope);
                self.items(&update.returning, &scope)
            }
            Statement::Delete(delete) => {
                let scope = self.with_ctes(&delete.ctes, outer);
                let mut scope = scope.inside();
                self.add_table(&mut scope, &delete.table.name, delete.table.alias.as_deref());
                self.sources(&delete.using, &mut scope);
                self.conditions(&delete.conditions, &scope);
                self.conditions(delete.filter.as_slice(), &scope);
                self.items(&delete.returning, &scope)
            }
        }
    }

    fn insert(&mut self, insert: &Insert, outer: &Scope<'_>) -> Vec<OutColumn> {
        let scope = self.with_ctes(&insert.ctes, outer);
        let columns = self.tables.columns(&insert.table.name).unwrap_or_default();
        let type_of = |name: &String| {
            columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)).and_then(|column| column.ty)
        };
        let types: Vec<Option<Type>> = if insert.columns.is_empty() {
            columns.iter().map(|column| column.ty).collect()
        } else {
            insert.columns.iter().map(type_of).collect()
        };
        if let Some(query) = &insert.query {
            self.query_into(query, &types, &scope);
        }
        let mut inside = scope.inside();
        self.add_table(&mut inside, &insert.table.name, insert.table.alias.as_deref());
        if let Some(conflict) = &insert.conflict {
            self.conflict(conflict, &insert.table.name, &inside);
        }
        self.items(&insert.returning, &inside)
    }

    fn conflict(&mut self, conflict: &Conflict, table: &str, scope: &Scope<'_>) {
        let mut inside = scope.inside();
        self.add_table(&mut inside, table, Some("excluded"));
        self.assignments(&conflict.sets, table, &inside);
        self.conditions(&conflict.filters, &inside);
    }

    fn assignments(&mut self, sets: &[Assignment], table: &str, scope: &Scope<'_>) {
        let columns = self.tables.columns(table).unwrap_or_default();
        for set in sets {
            let type_of = |name: &String| {
                columns
                    .iter()
                    .find(|column| column.name.eq_ignore_ascii_case(name))
                    .and_then(|column| column.ty)
            };
            let types: Vec<Option<Type>> = set.columns.iter().map(type_of).collect();
            self.assigned(&set.value, &types, scope);
        }
    }

    fn conditions(&mut self, conditions: &[super::sql::Expr], scope: &Scope<'_>) {
        for condition in conditions {
            self.expr(condition, Some(Type::BOOL), scope);
        }
    }

    fn items(&mut self, items: &[Item], scope: &Scope<'_>) -> Vec<OutColumn> {
        items.iter().flat_map(|item| self.item(item, scope)).collect()
    }
}

/// The wider of two types of a sum, a CASE or a UNION.
fn wider(left: Option<Type>, right: Option<Type>) -> Option<Type> {
    const RANKS: &[wire::Oid] = &[oid::INT2, oid::INT4, oid::INT8, oid::NUMERIC, oid::FLOAT4, oid::FLOAT8];
    let (Some(l), Some(r)) = (left, right) else { return left.or(right) };
    let rank = |ty: Type| RANKS.iter().position(|oid| *oid == ty.oid);
    let plain = |ty: Type| Some(Type::new(ty.oid));
    match (rank(l), rank(r)) {
        (Some(a), Some(b)) if a == b => plain(l),
        (Some(a), Some(b)) => plain(if a > b { l } else { r }),
        _different if l.oid == r.oid => {
            if l == r {
                Some(l)
            } else {
                plain(l)
            }
        }
        _different if l.oid == oid::TIMESTAMPTZ || r.oid == oid::TIMESTAMPTZ => {
            Some(Type::new(oid::TIMESTAMPTZ))
        }
        _different if l.oid == oid::TIMESTAMP || r.oid == oid::TIMESTAMP => Some(Type::new(oid::TIMESTAMP)),
        _different => Some(if rank(l).is_some() { r } else { l }),
    }
}

#[cfg(test)]
mod tests;
