//! What PostgreSQL calls a computed column (`FigureColname` in parse_target.c).

use super::super::sql::{Core, Expr, Kind};
use super::super::types::{Type, names};

/// The column's name.
pub(in super::super) fn of(expr: &Expr) -> String {
    find(expr).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

/// A name, and whether it is strong: a weak one comes from a type only.
fn find(expr: &Expr) -> Option<(String, bool)> {
    let strong = |name: &str| Some((name.to_owned(), true));
    match &expr.kind {
        Kind::Column { name, .. } => strong(name),
        Kind::Field { name, .. } => strong(name),
        Kind::Call(call) => strong(&call.name),
        Kind::Exists(_) => strong("exists"),
        Kind::Array(_) | Kind::ArrayQuery(_) => strong("array"),
        Kind::Row(_) => strong("row"),
        Kind::Cast { operand, ty, .. } => find(operand).filter(|(_, strong)| *strong).or_else(|| weak(ty)),
        Kind::Typed { ty, .. } => weak(ty),
        Kind::Bool => Some(("bool".to_owned(), false)),
        Kind::Case { otherwise, .. } => otherwise
            .as_ref()
            .and_then(|otherwise| find(otherwise))
            .filter(|(_, strong)| *strong)
            .or_else(|| Some(("case".to_owned(), false))),
        Kind::Nested(inner) | Kind::Collate { operand: inner, .. } | Kind::Index { operand: inner, .. } => {
            find(inner)
        }
        Kind::AtTimeZone { .. } => strong("timezone"),
        Kind::Subquery(query) => match query.cores.first()? {
            Core::Select(select) => {
                let item = select.items.first()?;
                item.alias.clone().map(|alias| (alias, true)).or_else(|| find(&item.expr))
            }
            Core::Values(_) | Core::Nested(..) => None,
        },
        _nameless => None,
    }
}

fn weak(ty: &str) -> Option<(String, bool)> {
    let name = Type::declared(ty).and_then(|ty| names::internal_name(ty.oid))?;
    Some((name.trim_start_matches('_').to_owned(), false))
}
