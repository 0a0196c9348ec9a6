//! Operators, casts and literals.

use wire::{Format, oid};

use super::super::catalog::rewrite as catalog;
use super::super::catalog::rewrite::is_identifier_type as is_reg;
use super::super::lexer::{quote_name, quote_text};
use super::super::sql::{Expr, Kind};
use super::super::types::{Type, Value, input};
use super::Rewriter;
use super::names::is_reserved;

impl Rewriter<'_> {
    /// The rule for an expression whose parts are done.
    pub(super) fn expression(&mut self, expr: &Expr) {
        let text = match &expr.kind {
            Kind::Text(text) if self.moments.get(&expr.span) == Some(&oid::BOOL) => {
                input::boolean(text.as_bytes()).map(|truth| u8::from(truth).to_string())
            }
            Kind::Text(text) if !self.sql[expr.span.clone()].starts_with('\'') => Some(quote_text(text)),
            Kind::Cast { operand, ty, .. } => self.cast(operand, ty),
            Kind::Typed { ty, text } => self.typed(ty, text, expr.span.start),
            Kind::Binary { operator, left, right, .. } => self.binary(operator, left, right),
            Kind::Quantified { left, operator, all, right, .. } => {
                self.quantified(left, operator, *all, right)
            }
            Kind::AnyOf { left, elements } => {
                let elements: Vec<String> =
                    elements.iter().map(|element| self.render(&element.span)).collect();
                Some(format!("{} IN ({})", self.render(&left.span), elements.join(", ")))
            }
            Kind::Array(elements) => {
                let elements: Vec<String> =
                    elements.iter().map(|element| self.render(&element.span)).collect();
                Some(format!("pg_array({})", elements.join(", ")))
            }
            Kind::ArrayQuery(query) => {
                let query = self.render(&query.span);
                Some(format!(
                    "(WITH \"_a\"(\"v\") AS ({query}) SELECT coalesce(array_agg(\"v\"), '{{}}') FROM \"_a\")"
                ))
            }
            Kind::Index { operand, index } => {
                Some(format!("pg_array_get({}, {})", self.render(&operand.span), self.render(&index.span)))
            }
            Kind::Row(parts) if self.sql[expr.span.clone()].starts_with(['r', 'R']) => {
                let parts: Vec<String> = parts.iter().map(|part| self.render(&part.span)).collect();
                Some(format!("({})", parts.join(", ")))
            }
            Kind::Collate { operand, collation, .. } => self.collate(operand, collation),
            Kind::AtTimeZone { operand, zone, .. } => {
                Some(format!("pg_at_time_zone({}, {})", self.render(&operand.span), self.render(&zone.span)))
            }
            Kind::Test { operand, test, .. } if test.ends_with("unknown") => {
                let not = if test.starts_with("not") { "NOT " } else { "" };
                Some(format!("{} IS {not}NULL", self.render(&operand.span)))
            }
            Kind::Call(call) => self.call(call, &expr.span),
            Kind::Field { operand, name } => Some(format!(
                "json_extract({}, {})",
                self.render(&operand.span),
                quote_text(&format!("$.{name}"))
            )),
            Kind::Star { qualifier } => self.places.star(&expr.span, qualifier.as_deref()),
            Kind::Column { qualifier, name } => self.column(expr, qualifier.as_deref(), name),
            _as_it_is => None,
        };
        if let Some(text) = text {
            self.replace(expr.span.clone(), text);
        }
    }

    /// A column whose name SQLite would take for something else.
    fn column(&mut self, expr: &Expr, qualifier: Option<&str>, name: &str) -> Option<String> {
        if let Some(value) = self.places.column(&expr.span, qualifier, name) {
            return Some(value);
        }
        let written = &self.sql[expr.span.clone()];
        match qualifier {
            Some(table)
                if catalog::hides_schema(written) || (is_reserved(name) && !written.ends_with('"')) =>
            {
                Some(format!("{}.{}", quote_name(table), quote_name(name)))
            }
            None if is_reserved(name) && !written.starts_with('"') => Some(quote_name(name)),
            Some(_) | None => None,
        }
    }

    fn cast(&mut self, operand: &Expr, ty: &str) -> Option<String> {
        let value = self.render(&operand.span);
        if let (Some(identifier), false) = (catalog::identifier_type(ty), self.stored) {
            return Some(catalog::to_identifier(identifier, &value));
        }
        let Some(ty) = Type::declared(ty) else { return Some(value) };
        if self.stored {
            return Some(stored_cast(ty, value));
        }
        let from = cast_type(operand).or_else(|| self.moments.get(&operand.span).copied());
        Some(match ty.oid {
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR if from.is_some_and(is_reg) => {
                catalog::to_name(from.unwrap_or_default(), &value)
            }
            oid::VARCHAR | oid::BPCHAR if ty.modifier > 4 => {
                format!("substr(CAST({value} AS TEXT), 1, {})", ty.modifier - 4)
            }
            oid::TEXT | oid::VARCHAR | oid::NAME | oid::CSTRING => format!("CAST({value} AS TEXT)"),
            oid::CHAR => format!("substr(CAST({value} AS TEXT), 1, 1)"),
            oid::OID | oid::INT4 | oid::INT8 if from.is_some_and(is_reg) => value,
            _other => format!("pg_cast({}, {}, {value})", ty.oid.0, ty.modifier),
        })
    }

    /// A typed literal is its stored form at once.
    fn typed(&mut self, ty: &str, text: &str, at: usize) -> Option<String> {
        let ty = Type::declared(ty)?;
        match input::decode(ty, Format::Text, text.as_bytes()) {
            Ok(Value::Text(text)) => Some(quote_text(&text)),
            Ok(Value::Integer(value)) => Some(value.to_string()),
            Ok(Value::Null | Value::Real(_) | Value::Blob(_)) => {
                Some(format!("pg_cast({}, {}, {})", ty.oid.0, ty.modifier, quote_text(text)))
            }
            Err(error) => {
                self.refuse(error.at(at));
                None
            }
        }
    }

    fn binary(&mut self, operator: &str, left: &Expr, right: &Expr) -> Option<String> {
        let (l, r) = (self.render(&left.span), self.pattern(right, operator));
        Some(match operator {
            "~" => format!("pg_regex({l}, {r}, 0)"),
            "~*" => format!("pg_regex({l}, {r}, 1)"),
            "!~" => format!("(NOT pg_regex({l}, {r}, 0))"),
            "!~*" => format!("(NOT pg_regex({l}, {r}, 1))"),
            "ilike" | "~~*" => format!("pg_ilike({l}, {r})"),
            "not ilike" | "!~~*" => format!("(NOT pg_ilike({l}, {r}))"),
            "like" | "not like" if !may_escape(right) => return None,
            "like" | "~~" => format!(r"({l} LIKE {r} ESCAPE '\')"),
            "not like" | "!~~" => format!(r"({l} NOT LIKE {r} ESCAPE '\')"),
            "similar" => format!("pg_similar({l}, {r})"),
            "not similar" => format!("(NOT pg_similar({l}, {r}))"),
            "^" => format!("power({l}, {r})"),
            "^@" => format!("starts_with({l}, {r})"),
            "@>" => format!("pg_contains({l}, {r})"),
            "<@" => format!("pg_contains({r}, {l})"),
            "&&" => format!("pg_overlaps({l}, {r})"),
            "+" | "-" | "*" | "/" => return self.arithmetic(operator, left, right),
            _sqlite_knows => return None,
        })
    }

    /// The right side of an operator; an escape character becomes an argument where the operator becomes a function.
    fn pattern(&self, right: &Expr, operator: &str) -> String {
        match &right.kind {
            Kind::Escaped { pattern, escape } if operator.ends_with("ilike") => {
                format!("{}, {}", self.render(&pattern.span), self.render(&escape.span))
            }
            _plain => self.render(&right.span),
        }
    }

    /// Dates, times and intervals are text to SQLite.
    fn arithmetic(&self, operator: &str, left: &Expr, right: &Expr) -> Option<String> {
        let (l, r) = (self.render(&left.span), self.render(&right.span));
        let moment = |expr: &Expr| self.moments.get(&expr.span).copied().filter(|ty| *ty != oid::INTERVAL);
        let interval =
            |expr: &Expr| is_interval(expr) || self.moments.get(&expr.span) == Some(&oid::INTERVAL);
        let sign = if operator == "-" { -1 } else { 1 };
        match (operator, moment(left), moment(right)) {
            ("+" | "-", Some(_), _) if interval(right) => Some(format!("pg_add_interval({l}, {r}, {sign})")),
            ("+", _, Some(_)) if interval(left) => Some(format!("pg_add_interval({r}, {l}, 1)")),
            ("+" | "-", None, None) if interval(right) => Some(format!("pg_add_interval({l}, {r}, {sign})")),
            ("+", None, None) if interval(left) => Some(format!("pg_add_interval({r}, {l}, 1)")),
            ("-", Some(oid::DATE), Some(oid::DATE)) => Some(format!("pg_days({l}, {r})")),
            ("-", Some(_), Some(_)) => Some(format!("pg_difference({l}, {r})")),
            ("+" | "-", Some(oid::DATE), None) => Some(format!("pg_add_days({l}, {r}, {sign})")),
            ("+", None, Some(oid::DATE)) => Some(format!("pg_add_days({r}, {l}, 1)")),
            ("*", ..) if interval(left) => Some(format!("pg_scale_interval({l}, {r})")),
            ("*", ..) if interval(right) => Some(format!("pg_scale_interval({r}, {l})")),
            ("/", ..) if interval(left) => Some(format!("pg_scale_interval({l}, 1.0 / ({r}))")),
            _numbers => None,
        }
    }

    /// ANY and ALL over an array or a query.
    fn quantified(&mut self, left: &Expr, operator: &str, all: bool, right: &Expr) -> Option<String> {
        let (l, r) = (self.render(&left.span), self.render(&right.span));
        let set = match &right.kind {
            Kind::Subquery(_) => r,
            _array => format!("SELECT value FROM json_each(pg_array_json({r}))"),
        };
        Some(match (operator, all) {
            ("=" | "==", false) => format!("{l} IN ({set})"),
            ("<>" | "!=", true) => format!("{l} NOT IN ({set})"),
            (operator, false) => format!(
                "EXISTS (WITH \"_a\"(\"v\") AS ({set}) SELECT 1 FROM \"_a\" WHERE {})",
                self.compare(&l, operator, "\"v\"")
            ),
            (operator, true) => {
                format!(
                    "NOT EXISTS (WITH \"_a\"(\"v\") AS ({set}) SELECT 1 FROM \"_a\" WHERE NOT ({}))",
                    self.compare(&l, operator, "\"v\"")
                )
            }
        })
    }

    /// An operator between two texts that are already SQLite's.
    fn compare(&self, left: &str, operator: &str, right: &str) -> String {
        match operator {
            "~" => format!("pg_regex({left}, {right}, 0)"),
            "~*" => format!("pg_regex({left}, {right}, 1)"),
            "ilike" | "~~*" => format!("pg_ilike({left}, {right})"),
            "not ilike" => format!("NOT pg_ilike({left}, {right})"),
            "like" | "not like" | "~~" => {
                let not = if operator == "not like" { "NOT " } else { "" };
                format!(r"{left} {not}LIKE {right} ESCAPE '\'")
            }
            operator => format!("{left} {operator} {right}"),
        }
    }

    /// SQLite's own three stay; PostgreSQL's byte order is SQLite's default, and locales do not exist.
    fn collate(&mut self, operand: &Expr, collation: &str) -> Option<String> {
        match collation.to_ascii_lowercase().as_str() {
            "binary" | "nocase" | "rtrim" => None,
            _default => Some(self.render(&operand.span)),
        }
    }
}

/// The type that a cast makes.
pub(super) fn cast_type(expr: &Expr) -> Option<wire::Oid> {
    match &expr.kind {
        Kind::Cast { ty, .. } => catalog::identifier_type(ty).or_else(|| Type::declared(ty).map(|ty| ty.oid)),
        Kind::Nested(inner) => cast_type(inner),
        _other => None,
    }
}

/// Casts that plain SQLite has; types that are text to it need none.
fn stored_cast(ty: Type, value: String) -> String {
    match ty.oid {
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => format!("CAST({value} AS INTEGER)"),
        oid::FLOAT4 | oid::FLOAT8 => format!("CAST({value} AS REAL)"),
        oid::NUMERIC => format!("CAST({value} AS NUMERIC)"),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME => format!("CAST({value} AS TEXT)"),
        _text => value,
    }
}

/// Whether a backslash in the pattern could protect what follows it, as it does in PostgreSQL and not in SQLite.
fn may_escape(pattern: &Expr) -> bool {
    match &pattern.kind {
        Kind::Text(text) => text.contains('\\'),
        // It says itself what protects.
        Kind::Escaped { .. } => false,
        _unknown_yet => true,
    }
}

/// Whether the words say that this is an interval.
pub(super) fn is_interval(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Typed { ty, .. } | Kind::Cast { ty, .. } => {
            Type::declared(ty).is_some_and(|ty| ty.oid == oid::INTERVAL)
        }
        Kind::Nested(inner) | Kind::Prefix { operand: inner, .. } => is_interval(inner),
        Kind::Binary { operator, left, right, .. } if operator == "*" => {
            is_interval(left) || is_interval(right)
        }
        Kind::Binary { operator, left, right, .. } if operator == "+" || operator == "-" => {
            is_interval(left) && is_interval(right)
        }
        Kind::Call(call) => {
            matches!(call.name.as_str(), "make_interval" | "age" | "justify_days" | "justify_hours")
        }
        _other => false,
    }
}
