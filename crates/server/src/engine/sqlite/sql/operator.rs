//! What may follow an operand: operators by their level, tests, patterns, casts, subscripts.

use super::super::lexer::{self, Token};
use super::expression::Parser;
use super::{Expr, Kind, Span, query};

/// PostgreSQL's levels, loosest first.
pub(super) mod level {
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const IS: u8 = 4;
    pub const COMPARISON: u8 = 5;
    pub const PATTERN: u8 = 6;
    pub const OTHER: u8 = 7;
    pub const SUM: u8 = 8;
    pub const PRODUCT: u8 = 9;
    pub const POWER: u8 = 10;
    pub const ZONE: u8 = 11;
    pub const COLLATE: u8 = 12;
    pub const SIGN: u8 = 13;
    pub const POSTFIX: u8 = 14;
}

impl Parser<'_> {
    /// What follows an operand, if it binds at least as tightly as `least`; the outer `None` is a failure.
    pub(super) fn infix(&mut self, left: Expr, least: u8) -> Option<Result<Expr, Expr>> {
        let Some(token) = self.tokens.peek() else { return Some(Err(left)) };
        let start = left.span.start;
        let word = if token.kind == lexer::Kind::Word {
            token.text(self.sql()).to_ascii_lowercase()
        } else {
            String::new()
        };
        let negated = word == "not";
        let verb = if negated {
            self.tokens.peek_at(1).map_or(String::new(), |next| next.text(self.sql()).to_ascii_lowercase())
        } else {
            word.clone()
        };
        let kind = match verb.as_str() {
            "or" if least < level::OR => return self.binary(left, level::OR),
            "and" if least < level::AND => return self.binary(left, level::AND),
            "is" if least < level::IS && !negated => self.is(left)?,
            "isnull" | "notnull" if least < level::IS && !negated => {
                self.tokens.advance();
                Kind::Test { operand: Box::new(left), test: verb, after: token.range() }
            }
            "between" if least < level::PATTERN => {
                self.skip(1 + usize::from(negated));
                let _symmetric = self.tokens.eat("symmetric") || self.tokens.eat("asymmetric");
                let low = Box::new(self.climb(level::PATTERN)?);
                self.need_word("and")?;
                let high = Box::new(self.climb(level::PATTERN)?);
                Kind::Between { operand: Box::new(left), low, high }
            }
            "in" if least < level::PATTERN => {
                self.skip(1 + usize::from(negated));
                self.in_set(left)?
            }
            "like" | "ilike" | "similar" | "glob" | "regexp" | "match" if least < level::PATTERN => {
                self.skip(1 + usize::from(negated));
                if verb == "similar" {
                    self.need_word("to")?;
                }
                self.pattern(left, verb, negated, token.start)?
            }
            "collate" if least < level::COLLATE && !negated => {
                self.tokens.advance();
                let (_, collation) = self.tokens.qualified_name().ok()?;
                Kind::Collate { operand: Box::new(left), collation, after: self.span_from(token.start) }
            }
            "at" if least < level::ZONE && self.tokens.are_words(&["at", "time", "zone"]) => {
                self.skip(3);
                let middle = self.span_from(token.start);
                let zone = Box::new(self.climb(level::ZONE)?);
                Kind::AtTimeZone { operand: Box::new(left), zone, middle }
            }
            "operator" if least < level::OTHER => return self.qualified_operator(left, token.start),
            _symbol => return self.symbol(left, least, token),
        };
        Some(Ok(Expr { kind, span: self.span_from(start) }))
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.tokens.advance();
        }
    }

    /// An operator made of characters.
    fn symbol(&mut self, left: Expr, least: u8, token: Token) -> Option<Result<Expr, Expr>> {
        let text = token.text(self.sql());
        let start = left.span.start;
        match (token.kind, text) {
            (lexer::Kind::Punctuation, "::") if least < level::POSTFIX => {
                self.tokens.advance();
                let ty = self.type_name()?;
                let kind = Kind::Cast {
                    operand: Box::new(left),
                    ty,
                    colons: true,
                    after: self.span_from(token.start),
                };
                Some(Ok(Expr { kind, span: self.span_from(start) }))
            }
            (lexer::Kind::Punctuation, "[") if least < level::POSTFIX => {
                self.tokens.advance();
                let index = Box::new(self.expr()?);
                self.need("]")?;
                Some(Ok(Expr {
                    kind: Kind::Index { operand: Box::new(left), index },
                    span: self.span_from(start),
                }))
            }
            (lexer::Kind::Punctuation, ".")
                if least < level::POSTFIX && matches!(left.kind, Kind::Nested(_)) =>
            {
                self.tokens.advance();
                let name = self.tokens.name().ok()?;
                Some(Ok(Expr {
                    kind: Kind::Field { operand: Box::new(left), name },
                    span: self.span_from(start),
                }))
            }
            (lexer::Kind::Operator, operator) if least < operator_level(operator) => {
                self.binary(left, operator_level(operator))
            }
            _end => Some(Err(left)),
        }
    }

    /// The operator is the next token.
    fn binary(&mut self, left: Expr, level: u8) -> Option<Result<Expr, Expr>> {
        let token = self.tokens.advance()?;
        let operator = token.text(self.sql()).to_ascii_lowercase();
        self.after_operator(left, level, operator, token.range())
    }

    fn after_operator(
        &mut self,
        left: Expr,
        level: u8,
        operator: String,
        operator_span: Span,
    ) -> Option<Result<Expr, Expr>> {
        let start = left.span.start;
        let all = self.tokens.is_word("all");
        let quantified = all || self.tokens.is_word("any") || self.tokens.is_word("some");
        if quantified && self.tokens.peek_at(1).is_some_and(|next| next.is(self.sql(), "(")) {
            self.skip(2);
            let middle = operator_span.start..self.tokens.taken_to();
            let right = if query::starts_here(&self.tokens) {
                let query = self.query()?;
                let span = query.span.clone();
                Expr { kind: Kind::Subquery(Box::new(query)), span }
            } else {
                self.expr()?
            };
            self.need(")")?;
            let left = Box::new(left);
            let written_out = operator == "=" && !all && elements(&right).is_some();
            let kind = if written_out {
                Kind::AnyOf { left, elements: into_elements(right) }
            } else {
                Kind::Quantified { left, operator, all, right: Box::new(right), middle }
            };
            return Some(Ok(Expr { kind, span: self.span_from(start) }));
        }
        let right = Box::new(self.climb(level)?);
        let kind = Kind::Binary { operator, operator_span, left: Box::new(left), right };
        Some(Ok(Expr { kind, span: self.span_from(start) }))
    }

    /// `OPERATOR(pg_catalog.~)`.
    fn qualified_operator(&mut self, left: Expr, start: usize) -> Option<Result<Expr, Expr>> {
        self.tokens.advance();
        self.need("(")?;
        while self.tokens.peek().is_some_and(|token| token.kind == lexer::Kind::Word) {
            self.tokens.advance();
            self.need(".")?;
        }
        let operator = self.tokens.advance()?.text(self.sql()).to_owned();
        self.need(")")?;
        let span = self.span_from(start);
        self.after_operator(left, level::OTHER, operator, span)
    }

    fn in_set(&mut self, left: Expr) -> Option<Kind> {
        let operand = Box::new(left);
        if !self.tokens.is("(") {
            // SQLite's `x IN table`.
            self.tokens.qualified_name().ok()?;
            return Some(Kind::InList { operand, list: Vec::new() });
        }
        self.need("(")?;
        if query::starts(&self.tokens) {
            let query = Box::new(self.query()?);
            self.need(")")?;
            return Some(Kind::InQuery { operand, query });
        }
        let list = if self.tokens.is(")") { Vec::new() } else { self.exprs()? };
        self.need(")")?;
        Some(Kind::InList { operand, list })
    }

    /// LIKE and its kin are operators named by their word, `not` in front where it stands there.
    fn pattern(&mut self, left: Expr, verb: String, negated: bool, start: usize) -> Option<Kind> {
        let operator_span = self.span_from(start);
        let operator = if negated { format!("not {verb}") } else { verb };
        let all = self.tokens.is_word("all");
        if (all || self.tokens.is_word("any"))
            && self.tokens.peek_at(1).is_some_and(|next| next.is(self.sql(), "("))
        {
            self.skip(2);
            let middle = start..self.tokens.taken_to();
            let right = Box::new(self.expr()?);
            self.need(")")?;
            return Some(Kind::Quantified { left: Box::new(left), operator, all, right, middle });
        }
        let mut right = Box::new(self.climb(level::PATTERN)?);
        if self.tokens.eat("escape") {
            let escape = self.climb(level::PATTERN)?;
            // What a rewritten operator takes as one more argument.
            right = Box::new(Expr {
                span: right.span.start..escape.span.end,
                kind: Kind::Escaped { pattern: right, escape: Box::new(escape) },
            });
        }
        Some(Kind::Binary { operator, operator_span, left: Box::new(left), right })
    }

    /// `IS [NOT] {NULL | TRUE | FALSE | UNKNOWN | DISTINCT FROM x | x}`.
    fn is(&mut self, left: Expr) -> Option<Kind> {
        let start = self.tokens.offset();
        self.tokens.advance();
        let negated = self.tokens.eat("not");
        for test in ["null", "true", "false", "unknown"] {
            if self.tokens.eat(test) {
                let test = if negated { format!("not {test}") } else { test.to_owned() };
                return Some(Kind::Test { operand: Box::new(left), test, after: self.span_from(start) });
            }
        }
        self.tokens.eat_all(&["distinct", "from"]);
        let operator_span = self.span_from(start);
        let right = Box::new(self.climb(level::IS)?);
        Some(Kind::Binary { operator: "is".to_owned(), operator_span, left: Box::new(left), right })
    }
}

fn operator_level(operator: &str) -> u8 {
    match operator {
        "<" | ">" | "=" | "<=" | ">=" | "<>" | "!=" | "==" => level::COMPARISON,
        "+" | "-" => level::SUM,
        "*" | "/" | "%" => level::PRODUCT,
        "^" => level::POWER,
        _other => level::OTHER,
    }
}

/// The elements of an array that is written out, whatever it is cast to.
fn elements(expr: &Expr) -> Option<&[Expr]> {
    match &expr.kind {
        Kind::Array(elements) if !elements.is_empty() => Some(elements),
        Kind::Nested(inner) | Kind::Cast { operand: inner, .. } => elements(inner),
        _other => None,
    }
}

fn into_elements(expr: Expr) -> Vec<Expr> {
    match expr.kind {
        Kind::Array(elements) => elements,
        Kind::Nested(inner) | Kind::Cast { operand: inner, .. } => into_elements(*inner),
        _other => Vec::new(),
    }
}
