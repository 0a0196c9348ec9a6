//! Types of expressions. `expected` is what the surroundings would like; it decides parameters and nothing else.

use wire::oid;

use super::super::catalog::rewrite as catalog;
use super::super::sql::{Expr, Kind};
use super::super::types::Type;
use super::scope::Scope;
use super::{Inference, wider};

impl Inference<'_> {
    pub(super) fn expr(&mut self, expr: &Expr, expected: Option<Type>, scope: &Scope<'_>) -> Option<Type> {
        match &expr.kind {
            Kind::Null | Kind::Default | Kind::Star { .. } | Kind::Text(_) => None,
            Kind::Bool => Some(Type::BOOL),
            Kind::Integer => Some(Type::INT4),
            Kind::Decimal => Some(Type::NUMERIC),
            Kind::Blob => Some(Type::BYTEA),
            Kind::Parameter(number) => self.parameter(*number, expected),
            Kind::Column { qualifier, name } => {
                scope.column(qualifier.as_deref(), name).and_then(|column| column.ty)
            }
            Kind::Prefix { operator, operand } => self.prefix(operator, operand, expected, scope),
            Kind::Binary { operator, left, right, .. } => self.binary(operator, left, right, expected, scope),
            Kind::Cast { operand, ty, .. } => {
                let ty = Type::declared(ty);
                let from = self.expr(operand, ty.map(|ty| Type::new(ty.oid)), scope);
                if let Some(from) = from.filter(|from| catalog::is_identifier_type(from.oid)) {
                    self.moments.insert(operand.span.clone(), from.oid);
                }
                ty
            }
            Kind::Typed { ty, .. } => Type::declared(ty),
            Kind::Call(call) => self.call(call, expected, scope),
            Kind::Case { operand, branches, otherwise } => {
                let tested = operand.as_ref().map(|operand| self.expr(operand, None, scope));
                let conditions = tested.unwrap_or(Some(Type::BOOL));
                branches.iter().for_each(|(condition, _)| {
                    self.expr(condition, conditions, scope);
                });
                let values: Vec<&Expr> =
                    branches.iter().map(|(_, value)| value).chain(otherwise.as_deref()).collect();
                self.common(&values, expected, scope)
            }
            Kind::AnyOf { left: operand, elements: list } | Kind::InList { operand, list } => {
                let parts: Vec<&Expr> = std::iter::once(&**operand).chain(list).collect();
                let ty = self.common(&parts, None, scope);
                self.note_truth(&parts, ty);
                Some(Type::BOOL)
            }
            Kind::InQuery { operand, query } => {
                let columns = self.query(query, scope);
                self.expr(operand, columns.first().and_then(|column| column.ty), scope);
                Some(Type::BOOL)
            }
            Kind::Between { operand, low, high } => {
                self.common(&[operand, low, high], None, scope);
                Some(Type::BOOL)
            }
            Kind::Test { operand, .. } => {
                self.expr(operand, None, scope);
                Some(Type::BOOL)
            }
            Kind::Exists(query) => {
                self.query(query, scope);
                Some(Type::BOOL)
            }
            Kind::Subquery(query) => self.query(query, scope).first().and_then(|column| column.ty),
            Kind::Array(elements) => {
                let elements: Vec<&Expr> = elements.iter().collect();
                let element = expected.and_then(|ty| ty.oid.element()).map(Type::new);
                array_of(self.common(&elements, element, scope))
            }
            Kind::ArrayQuery(query) => {
                array_of(self.query(query, scope).first().and_then(|column| column.ty))
            }
            Kind::Quantified { left, right, .. } => {
                let element = self.expr(left, None, scope);
                match &right.kind {
                    Kind::Subquery(_) => self.expr(right, element, scope),
                    _array => self.expr(right, array_of(element), scope),
                };
                Some(Type::BOOL)
            }
            Kind::Row(parts) => {
                parts.iter().for_each(|part| {
                    self.expr(part, None, scope);
                });
                None
            }
            Kind::Escaped { pattern, escape } => {
                self.expr(escape, Some(Type::TEXT), scope);
                self.expr(pattern, expected, scope)
            }
            Kind::Nested(inner) => self.expr(inner, expected, scope),
            Kind::Collate { operand, .. } => self.expr(operand, expected, scope),
            Kind::AtTimeZone { operand, zone, .. } => {
                self.expr(zone, Some(Type::TEXT), scope);
                match self.expr(operand, None, scope)?.oid {
                    oid::TIMESTAMPTZ => Some(Type::new(oid::TIMESTAMP)),
                    _without => Some(Type::new(oid::TIMESTAMPTZ)),
                }
            }
            Kind::Index { operand, index } => {
                self.expr(index, Some(Type::INT4), scope);
                element_of(self.expr(operand, None, scope)?)
            }
            Kind::Field { operand, name } => {
                self.expr(operand, None, scope);
                // The only records there are: numbered elements of an array.
                matches!(name.as_str(), "x" | "n").then_some(Type::INT4)
            }
        }
    }

    /// Expressions that must agree: what is known of some goes to the parameters among the others.
    pub(super) fn common(
        &mut self,
        parts: &[&Expr],
        expected: Option<Type>,
        scope: &Scope<'_>,
    ) -> Option<Type> {
        let is_parameter = |part: &&&Expr| matches!(part.kind, Kind::Parameter(_));
        let known = parts
            .iter()
            .filter(|part| !is_parameter(part))
            .fold(None, |ty, part| wider(ty, self.expr(part, expected, scope)));
        let known = parts
            .iter()
            .filter(is_parameter)
            .fold(known, |ty, part| wider(ty, self.expr(part, ty.or(expected), scope)));
        // A second look helps where the first part was a parameter without a clue.
        parts.iter().filter(is_parameter).for_each(|part| {
            self.expr(part, known, scope);
        });
        known.or(expected)
    }

    /// The value of `SET column = …`; a row or a query fits several columns.
    pub(super) fn assigned(&mut self, value: &Expr, types: &[Option<Type>], scope: &Scope<'_>) {
        match &value.kind {
            Kind::Row(parts) => parts.iter().zip(types).for_each(|(part, ty)| {
                self.expr(part, *ty, scope);
            }),
            Kind::Subquery(query) => {
                self.query_into(query, types, scope);
            }
            _single => {
                self.expr(value, types.first().copied().flatten(), scope);
            }
        }
    }

    fn prefix(
        &mut self,
        operator: &str,
        operand: &Expr,
        expected: Option<Type>,
        scope: &Scope<'_>,
    ) -> Option<Type> {
        if operator == "not" {
            self.expr(operand, Some(Type::BOOL), scope);
            return Some(Type::BOOL);
        }
        self.expr(operand, expected, scope)
    }

    fn binary(
        &mut self,
        operator: &str,
        left: &Expr,
        right: &Expr,
        expected: Option<Type>,
        scope: &Scope<'_>,
    ) -> Option<Type> {
        match operator {
            "and" | "or" => {
                self.expr(left, Some(Type::BOOL), scope);
                self.expr(right, Some(Type::BOOL), scope);
                Some(Type::BOOL)
            }
            "=" | "==" | "<>" | "!=" | "<" | ">" | "<=" | ">=" | "is" => {
                self.compared(left, right, scope);
                Some(Type::BOOL)
            }
            "||" => self.joined(left, right, scope),
            "->" | "->>" | "#>" | "#>>" => {
                let document = self.expr(left, Some(Type::new(oid::JSONB)), scope);
                self.expr(right, None, scope);
                if operator.ends_with(">>") {
                    Some(Type::TEXT)
                } else {
                    document.or(Some(Type::new(oid::JSON)))
                }
            }
            "+" | "-" | "*" | "/" | "%" => self.arithmetic(operator, left, right, expected, scope),
            "^" => {
                self.common(&[left, right], Some(Type::FLOAT8), scope);
                Some(Type::FLOAT8)
            }
            "&" | "|" | "#" | "<<" | ">>" => {
                self.common(&[left, right], expected, scope).or(Some(Type::INT4))
            }
            "@>" | "<@" | "&&" => {
                self.common(&[left, right], None, scope);
                Some(Type::BOOL)
            }
            _pattern => {
                self.expr(left, Some(Type::TEXT), scope);
                self.expr(right, Some(Type::TEXT), scope);
                Some(Type::BOOL)
            }
        }
    }

    fn compared(&mut self, left: &Expr, right: &Expr, scope: &Scope<'_>) {
        if let (Kind::Row(lefts), Kind::Row(rights)) = (&left.kind, &right.kind) {
            lefts.iter().zip(rights).for_each(|(left, right)| self.compared(left, right, scope));
            return;
        }
        let ty = self.common(&[left, right], None, scope);
        self.note_truth(&[left, right], ty);
    }

    /// SQLite compares a boolean with `'t'` as a number with a text.
    fn note_truth(&mut self, parts: &[&Expr], ty: Option<Type>) {
        if ty == Some(Type::BOOL) {
            for part in parts.iter().filter(|part| matches!(part.kind, Kind::Text(_))) {
                self.moments.insert(part.span.clone(), oid::BOOL);
            }
        }
    }

    /// `||` joins text, arrays and JSON.
    fn joined(&mut self, left: &Expr, right: &Expr, scope: &Scope<'_>) -> Option<Type> {
        let special = |ty: &Type| ty.oid.element().is_some() || ty.oid == oid::JSONB || ty.oid == oid::BYTEA;
        let l = self.expr(left, None, scope).filter(special);
        let r = self.expr(right, l, scope).filter(special);
        let ty = l.or(r).unwrap_or(Type::TEXT);
        self.expr(left, Some(ty), scope);
        self.expr(right, Some(ty), scope);
        Some(ty)
    }

    fn arithmetic(
        &mut self,
        operator: &str,
        left: &Expr,
        right: &Expr,
        expected: Option<Type>,
        scope: &Scope<'_>,
    ) -> Option<Type> {
        let expected = expected.filter(|ty| is_number(*ty));
        let (l, r) = self.operands(operator, left, right, expected, scope);
        for (operand, ty) in [(left, l), (right, r)] {
            if let Some(ty) = ty.filter(|ty| is_moment(*ty) || ty.oid == oid::INTERVAL) {
                self.moments.insert(operand.span.clone(), ty.oid);
            }
        }
        let moment = |ty: Option<Type>| ty.filter(|ty| is_moment(*ty));
        let interval = |ty: Option<Type>| ty.is_some_and(|ty| ty.oid == oid::INTERVAL);
        match (moment(l), moment(r)) {
            (Some(l), Some(r)) if operator == "-" => {
                let days = l.oid == oid::DATE && r.oid == oid::DATE;
                Some(if days { Type::INT4 } else { Type::new(oid::INTERVAL) })
            }
            (Some(moment), None) | (None, Some(moment)) if interval(l) || interval(r) => {
                Some(if moment.oid == oid::DATE { Type::new(oid::TIMESTAMP) } else { moment })
            }
            (Some(moment), None) | (None, Some(moment)) => Some(moment),
            _numbers if interval(l) || interval(r) => Some(Type::new(oid::INTERVAL)),
            _numbers => wider(l, r).or(expected).map(|ty| Type::new(ty.oid)),
        }
    }

    /// The types of both sides. A parameter beside a moment is what PostgreSQL's operators make of it.
    fn operands(
        &mut self,
        operator: &str,
        left: &Expr,
        right: &Expr,
        expected: Option<Type>,
        scope: &Scope<'_>,
    ) -> (Option<Type>, Option<Type>) {
        let open = |expr: &Expr| matches!(expr.kind, Kind::Parameter(_));
        let l = if open(left) { None } else { self.expr(left, expected, scope) };
        let r = if open(right) { None } else { self.expr(right, expected, scope) };
        let beside = |other: Option<Type>| match other {
            Some(ty) if ty.oid == oid::DATE && operator == "+" => Some(Type::INT4),
            Some(ty) if is_moment(ty) && operator == "+" => Some(Type::new(oid::INTERVAL)),
            Some(ty) if ty.oid == oid::INTERVAL && operator != "+" && operator != "-" => Some(Type::FLOAT8),
            other => other.or(expected),
        };
        let l = if open(left) { self.expr(left, beside(r), scope) } else { l };
        let r = if open(right) { self.expr(right, beside(l), scope) } else { r };
        (l, r)
    }
}

fn is_number(ty: Type) -> bool {
    matches!(ty.oid, oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC)
}

fn is_moment(ty: Type) -> bool {
    matches!(ty.oid, oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::TIME)
}

/// The type of an array's elements, or of a catalog's vector's.
pub(super) fn element_of(ty: Type) -> Option<Type> {
    match ty.oid {
        oid::INT2VECTOR => Some(Type::new(oid::INT2)),
        oid::OIDVECTOR => Some(Type::new(oid::OID)),
        array => array.element().map(Type::new),
    }
}

fn array_of(element: Option<Type>) -> Option<Type> {
    match element {
        Some(element) => element.oid.array().map(Type::new),
        None => Some(Type::new(oid::TEXT_ARRAY)),
    }
}
