//! Expressions, by precedence climbing with PostgreSQL's levels
//! (<https://www.postgresql.org/docs/15/sql-syntax-lexical.html#SQL-PRECEDENCE>).

use super::super::lexer::{self, Token};
use super::super::tokens::Tokens;
use super::{Expr, Kind, Span, call, query};

/// Nesting that is still read; deeper statements go as they are.
const DEPTH_MAX: usize = 150;

mod level {
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

    fn climb(&mut self, least: u8) -> Option<Expr> {
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

    /// What follows an operand, if it binds at least as tightly as `least`; the outer `None` is a failure.
    #[expect(clippy::too_many_lines, reason = "one table of operators")]
    fn infix(&mut self, left: Expr, least: u8) -> Option<Result<Expr, Expr>> {
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
            let right = if query::starts(&self.tokens) {
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
        let right = Box::new(self.climb(level::PATTERN)?);
        if self.tokens.eat("escape") {
            self.climb(level::PATTERN)?;
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
