//! Expressions, by precedence climbing with PostgreSQL's levels
//! (<https://www.postgresql.org/docs/15/sql-syntax-lexical.html#SQL-PRECEDENCE>).

use super::super::lexer::{self, Token};
use super::super::tokens::Tokens;
use super::operator::level;
use super::{Expr, Kind, Span, call, query};

/// Nesting that is still read; deeper statements go as they are.
const DEPTH_MAX: usize = 150;

/// Words that end an expression or an alias.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "as",
    "asc",
    "at",
    "between",
    "by",
    "case",
    "collate",
    "cross",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "escape",
    "except",
    "false",
    "fetch",
    "filter",
    "for",
    "from",
    "full",
    "glob",
    "group",
    "having",
    "ilike",
    "in",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "left",
    "like",
    "limit",
    "natural",
    "not",
    "notnull",
    "null",
    "nulls",
    "offset",
    "on",
    "operator",
    "or",
    "order",
    "over",
    "overriding",
    "regexp",
    "returning",
    "right",
    "select",
    "set",
    "similar",
    "some",
    "then",
    "true",
    "union",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
    "within",
];

pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word.to_ascii_lowercase().as_str())
}

/// A parser with a bound on its depth.
pub(super) struct Parser<'a> {
    pub tokens: Tokens<'a>,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub fn new(tokens: Tokens<'a>) -> Self {
        Self { tokens, depth: 0 }
    }

    pub fn sql(&self) -> &'a str {
        self.tokens.sql
    }

    /// Runs a part one level deeper.
    pub fn deeper<T>(&mut self, part: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let read = part(self);
        self.depth -= 1;
        read
    }

    pub fn expr(&mut self) -> Option<Expr> {
        self.deeper(|parser| parser.climb(0))
    }

    /// An expression that stops in front of IN, LIKE and weaker operators.
    pub fn operand(&mut self) -> Option<Expr> {
        self.deeper(|parser| parser.climb(level::PATTERN))
    }

    pub fn exprs(&mut self) -> Option<Vec<Expr>> {
        let mut exprs = vec![self.expr()?];
        while self.tokens.take(",") {
            exprs.push(self.expr()?);
        }
        Some(exprs)
    }

    pub fn need(&mut self, punctuation: &str) -> Option<()> {
        self.tokens.take(punctuation).then_some(())
    }

    pub fn need_word(&mut self, word: &str) -> Option<()> {
        self.tokens.eat(word).then_some(())
    }

    /// From `start` to the last token taken.
    pub fn span_from(&self, start: usize) -> Span {
        start..self.tokens.taken_to()
    }

    pub(super) fn climb(&mut self, least: u8) -> Option<Expr> {
        let mut left = self.deeper(Self::prefix)?;
        loop {
            left = match self.infix(left, least)? {
                Ok(more) => more,
                Err(done) => return Some(done),
            };
        }
    }

    fn prefix(&mut self) -> Option<Expr> {
        let token = self.tokens.peek()?;
        let start = token.start;
        let sql = self.sql();
        let kind = match token.kind {
            lexer::Kind::Number => {
                self.tokens.advance();
                let text = token.text(sql);
                if text.contains(['.', 'e', 'E']) && !text.starts_with("0x") {
                    Kind::Decimal
                } else {
                    Kind::Integer
                }
            }
            lexer::Kind::String | lexer::Kind::Escaped | lexer::Kind::Dollar => {
                Kind::Text(self.tokens.string()?)
            }
            lexer::Kind::Blob | lexer::Kind::Bits => {
                self.tokens.advance();
                Kind::Blob
            }
            lexer::Kind::Parameter => {
                self.tokens.advance();
                Kind::Parameter(token.text(sql)[1..].parse().ok()?)
            }
            lexer::Kind::Operator => return self.prefix_operator(token),
            lexer::Kind::Punctuation if self.tokens.is("(") => return self.parenthesis(),
            lexer::Kind::Punctuation | lexer::Kind::Broken => return None,
            lexer::Kind::Quoted => return self.column_or_call(),
            lexer::Kind::Word => return self.word(token),
        };
        Some(Expr { kind, span: self.span_from(start) })
    }

    fn prefix_operator(&mut self, token: Token) -> Option<Expr> {
        self.tokens.advance();
        let operator = token.text(self.sql()).to_owned();
        if operator == "*" {
            return Some(Expr { kind: Kind::Star { qualifier: None }, span: token.range() });
        }
        let operand = Box::new(self.climb(if operator == "-" || operator == "+" {
            level::SIGN
        } else {
            level::OTHER
        })?);
        Some(Expr { kind: Kind::Prefix { operator, operand }, span: self.span_from(token.start) })
    }

    fn parenthesis(&mut self) -> Option<Expr> {
        let start = self.tokens.offset();
        self.need("(")?;
        let kind = if query::starts(&self.tokens) {
            Kind::Subquery(Box::new(self.query()?))
        } else {
            let mut exprs = self.exprs()?;
            if exprs.len() == 1 { Kind::Nested(Box::new(exprs.remove(0))) } else { Kind::Row(exprs) }
        };
        self.need(")")?;
        Some(Expr { kind, span: self.span_from(start) })
    }

    fn word(&mut self, token: Token) -> Option<Expr> {
        let start = token.start;
        let word = token.text(self.sql()).to_ascii_lowercase();
        let kind = match word.as_str() {
            "null" => self.constant(Kind::Null),
            "default" => self.constant(Kind::Default),
            "true" | "false" => self.constant(Kind::Bool),
            "not" => {
                self.tokens.advance();
                let operand = Box::new(self.climb(level::NOT)?);
                Kind::Prefix { operator: "not".to_owned(), operand }
            }
            "case" => self.case()?,
            "exists" => {
                self.tokens.advance();
                self.need("(")?;
                let query = Box::new(self.query()?);
                self.need(")")?;
                Kind::Exists(query)
            }
            "cast" => self.cast()?,
            "array"
                if self
                    .tokens
                    .peek_at(1)
                    .is_some_and(|next| next.is(self.sql(), "[") || next.is(self.sql(), "(")) =>
            {
                self.array()?
            }
            "row" if self.tokens.peek_at(1).is_some_and(|next| next.is(self.sql(), "(")) => {
                self.tokens.advance();
                self.need("(")?;
                let exprs = if self.tokens.is(")") { Vec::new() } else { self.exprs()? };
                self.need(")")?;
                Kind::Row(exprs)
            }
            "left" | "right" | "glob" | "like"
                if self.tokens.peek_at(1).is_some_and(|next| next.is(self.sql(), "(")) =>
            {
                return self.column_or_call();
            }
            word if is_reserved(word) => return None,
            _name => return self.typed_literal().or_else(|| self.column_or_call()),
        };
        Some(Expr { kind, span: self.span_from(start) })
    }

    fn constant(&mut self, kind: Kind) -> Kind {
        self.tokens.advance();
        kind
    }

    fn case(&mut self) -> Option<Kind> {
        self.tokens.advance();
        let operand = if self.tokens.is_word("when") { None } else { Some(Box::new(self.expr()?)) };
        let mut branches = Vec::new();
        while self.tokens.eat("when") {
            let condition = self.expr()?;
            self.need_word("then")?;
            branches.push((condition, self.expr()?));
        }
        let otherwise = if self.tokens.eat("else") { Some(Box::new(self.expr()?)) } else { None };
        self.need_word("end")?;
        Some(Kind::Case { operand, branches, otherwise })
    }

    fn cast(&mut self) -> Option<Kind> {
        self.tokens.advance();
        self.need("(")?;
        let operand = Box::new(self.expr()?);
        let after = self.tokens.offset();
        self.need_word("as")?;
        let ty = self.type_name()?;
        self.need(")")?;
        Some(Kind::Cast { operand, ty, colons: false, after: self.span_from(after) })
    }

    /// The words of a type, its modifiers and brackets.
    pub fn type_name(&mut self) -> Option<String> {
        const SECOND: &[&[&str]] =
            &[&["precision"], &["varying"], &["with", "time", "zone"], &["without", "time", "zone"]];
        let start = self.tokens.offset();
        self.tokens.qualified_name().ok()?;
        let second = |parser: &mut Self| SECOND.iter().any(|words| parser.tokens.eat_all(words));
        second(self);
        if self.tokens.is("(") {
            self.tokens.skip_group().ok()?;
            second(self);
        }
        while self.tokens.take("[") {
            let _size = self.tokens.integer();
            self.need("]")?;
        }
        self.tokens.eat("array");
        Some(self.sql()[self.span_from(start)].to_owned())
    }

    /// `DATE '…'`, `INTERVAL '…' DAY`, `timestamp with time zone '…'`.
    fn typed_literal(&mut self) -> Option<Expr> {
        let begin = self.tokens.position();
        let start = self.tokens.offset();
        let literal = self.type_name().and_then(|ty| {
            let text = self.tokens.string()?;
            Some((ty, text))
        });
        let Some((ty, mut text)) = literal else {
            self.tokens.rewind(begin);
            return None;
        };
        if ty.eq_ignore_ascii_case("interval") {
            for unit in ["year", "month", "day", "hour", "minute", "second"] {
                if self.tokens.eat(unit) && text.trim().parse::<f64>().is_ok() {
                    text = format!("{text} {unit}");
                }
            }
        }
        Some(Expr { kind: Kind::Typed { ty, text }, span: self.span_from(start) })
    }

    fn array(&mut self) -> Option<Kind> {
        self.tokens.advance();
        if self.tokens.take("(") {
            let query = Box::new(self.query()?);
            self.need(")")?;
            return Some(Kind::ArrayQuery(query));
        }
        self.need("[")?;
        let elements = if self.tokens.is("]") { Vec::new() } else { self.exprs()? };
        self.need("]")?;
        Some(Kind::Array(elements))
    }

    /// `a`, `t.a`, `s.t.a`, `t.*`, `f(…)`, `s.f(…)`.
    fn column_or_call(&mut self) -> Option<Expr> {
        let start = self.tokens.offset();
        let mut parts = vec![self.tokens.name().ok()?];
        while self.tokens.take(".") {
            if self.tokens.take("*") {
                let kind = Kind::Star { qualifier: parts.pop() };
                return Some(Expr { kind, span: self.span_from(start) });
            }
            parts.push(self.tokens.name().ok()?);
        }
        let name = parts.pop()?;
        let name_span = self.span_from(start);
        if self.tokens.is("(") {
            return call::parse(self, name, name_span);
        }
        if parts.is_empty() && call::is_bare(&name) && !self.sql()[name_span.clone()].starts_with('"') {
            return Some(call::bare(name, name_span));
        }
        Some(Expr { kind: Kind::Column { qualifier: parts.pop(), name }, span: name_span })
    }
}

/// The expression that is next, taken from `tokens`.
pub(in super::super) fn read(tokens: &mut Tokens<'_>) -> Option<Expr> {
    let mut parser = Parser::new(tokens.clone());
    let expr = parser.expr()?;
    tokens.rewind(parser.tokens.position());
    Some(expr)
}

/// The type that is next, taken from `tokens`, as written.
pub(in super::super) fn read_type(tokens: &mut Tokens<'_>) -> Option<String> {
    let mut parser = Parser::new(tokens.clone());
    let ty = parser.type_name()?;
    tokens.rewind(parser.tokens.position());
    Some(ty)
}
