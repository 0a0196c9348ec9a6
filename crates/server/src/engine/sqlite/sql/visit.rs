//! Walking a statement in the order of its text, parents after their children.

use super::{Conflict, Core, Cte, Expr, Item, Kind, Query, Source, SourceKind, Statement};

/// What a walk meets.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Node<'a> {
    /// After its parts.
    Expr(&'a Expr),
    /// After its parts.
    Query(&'a Query),
    /// After its parts.
    Source(&'a Source),
}

/// Shows every query, source and expression to `see`.
pub(in super::super) fn walk_statement<'a>(statement: &'a Statement, see: &mut dyn FnMut(Node<'a>)) {
    match statement {
        Statement::Query(query) => walk_query(query, see),
        Statement::Insert(insert) => {
            ctes(&insert.ctes, see);
            insert.query.iter().for_each(|query| walk_query(query, see));
            insert.conflict.iter().for_each(|clause| conflict(clause, see));
            items(&insert.returning, see);
        }
        Statement::Update(update) => {
            ctes(&update.ctes, see);
            update.sets.iter().for_each(|set| walk(&set.value, see));
            update.from.iter().for_each(|from| source(from, see));
            walk_all(&update.conditions, see);
            update.filter.iter().for_each(|filter| walk(filter, see));
            items(&update.returning, see);
        }
        Statement::Delete(delete) => {
            ctes(&delete.ctes, see);
            delete.using.iter().for_each(|using| source(using, see));
            walk_all(&delete.conditions, see);
            delete.filter.iter().for_each(|filter| walk(filter, see));
            items(&delete.returning, see);
        }
    }
}

fn ctes<'a>(ctes: &'a [Cte], see: &mut dyn FnMut(Node<'a>)) {
    ctes.iter().for_each(|cte| walk_statement(&cte.statement, see));
}

fn conflict<'a>(conflict: &'a Conflict, see: &mut dyn FnMut(Node<'a>)) {
    walk_all(&conflict.target, see);
    conflict.sets.iter().for_each(|set| walk(&set.value, see));
    walk_all(&conflict.filters, see);
}

fn items<'a>(items: &'a [Item], see: &mut dyn FnMut(Node<'a>)) {
    items.iter().for_each(|item| walk(&item.expr, see));
}

fn source<'a>(source: &'a Source, see: &mut dyn FnMut(Node<'a>)) {
    match &source.kind {
        SourceKind::Table { .. } => {}
        SourceKind::Query(query) => walk_query(query, see),
        SourceKind::Function { call, .. } => walk(call, see),
    }
    see(Node::Source(source));
}

fn walk_query<'a>(query: &'a Query, see: &mut dyn FnMut(Node<'a>)) {
    ctes(&query.ctes, see);
    for core in &query.cores {
        match core {
            Core::Nested(query, _) => walk_query(query, see),
            Core::Values(rows) => rows.iter().for_each(|row| walk_all(row, see)),
            Core::Select(select) => {
                items(&select.items, see);
                select.from.iter().for_each(|from| source(from, see));
                walk_all(&select.conditions, see);
                select.filter.iter().for_each(|filter| walk(filter, see));
                walk_all(&select.group_by, see);
                select.having.iter().for_each(|having| walk(having, see));
            }
        }
    }
    walk_all(&query.order_by, see);
    query.limit.iter().for_each(|limit| walk(limit, see));
    query.offset.iter().for_each(|offset| walk(offset, see));
    see(Node::Query(query));
}

fn walk_all<'a>(exprs: &'a [Expr], see: &mut dyn FnMut(Node<'a>)) {
    exprs.iter().for_each(|expr| walk(expr, see));
}

fn walk<'a>(expr: &'a Expr, see: &mut dyn FnMut(Node<'a>)) {
    match &expr.kind {
        Kind::Null
        | Kind::Default
        | Kind::Bool
        | Kind::Integer
        | Kind::Decimal
        | Kind::Text(_)
        | Kind::Blob => {}
        Kind::Parameter(_) | Kind::Column { .. } | Kind::Star { .. } | Kind::Typed { .. } => {}
        Kind::Prefix { operand, .. }
        | Kind::Cast { operand, .. }
        | Kind::Test { operand, .. }
        | Kind::Collate { operand, .. }
        | Kind::Field { operand, .. }
        | Kind::Nested(operand) => walk(operand, see),
        Kind::Binary { left, right, .. } | Kind::Quantified { left, right, .. } => {
            walk(left, see);
            walk(right, see);
        }
        Kind::Escaped { pattern, escape } => {
            walk(pattern, see);
            walk(escape, see);
        }
        Kind::AtTimeZone { operand, zone, .. } => {
            walk(operand, see);
            walk(zone, see);
        }
        Kind::Index { operand, index } => {
            walk(operand, see);
            walk(index, see);
        }
        Kind::Call(call) => {
            walk_all(&call.arguments, see);
            walk_all(&call.order_by, see);
            call.filter.iter().for_each(|filter| walk(filter, see));
            walk_all(&call.over, see);
        }
        Kind::Case { operand, branches, otherwise } => {
            operand.iter().for_each(|operand| walk(operand, see));
            for (condition, value) in branches {
                walk(condition, see);
                walk(value, see);
            }
            otherwise.iter().for_each(|otherwise| walk(otherwise, see));
        }
        Kind::AnyOf { left: operand, elements: list } | Kind::InList { operand, list } => {
            walk(operand, see);
            walk_all(list, see);
        }
        Kind::InQuery { operand, query } => {
            walk(operand, see);
            walk_query(query, see);
        }
        Kind::Between { operand, low, high } => {
            walk(operand, see);
            walk(low, see);
            walk(high, see);
        }
        Kind::Exists(query) | Kind::Subquery(query) | Kind::ArrayQuery(query) => walk_query(query, see),
        Kind::Array(elements) | Kind::Row(elements) => walk_all(elements, see),
    }
    see(Node::Expr(expr));
}
