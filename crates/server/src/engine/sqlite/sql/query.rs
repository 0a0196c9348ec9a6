//! Queries: common table expressions, compounds, FROM clauses, bounds.

use super::super::lexer;
use super::super::tokens::Tokens;
use super::expression::{Parser, is_reserved};
use super::{Core, Cte, Expr, Item, Query, Select, Source, SourceKind, Span, Statement};

/// Whether a query starts here, possibly inside more parentheses.
pub(super) fn starts(tokens: &Tokens<'_>) -> bool {
    let mut ahead = 0;
    while tokens.peek_at(ahead).is_some_and(|token| token.is(tokens.sql, "(")) {
        ahead += 1;
    }
    let word = tokens.peek_at(ahead);
    word.is_some_and(|token| {
        ["select", "values", "with", "table"].iter().any(|word| token.is_word(tokens.sql, word))
    })
}

/// Whether the next word begins a query.
pub(super) fn starts_here(tokens: &Tokens<'_>) -> bool {
    ["select", "values", "with"].iter().any(|word| tokens.is_word(word))
}

impl Parser<'_> {
    pub fn query(&mut self) -> Option<Query> {
        self.deeper(Self::query_inside)
    }

    fn query_inside(&mut self) -> Option<Query> {
        let start = self.tokens.offset();
        let ctes = self.ctes()?;
        self.query_after_with(ctes, start)
    }

    pub fn query_after_with(&mut self, ctes: Vec<Cte>, start: usize) -> Option<Query> {
        let mut query = Query { ctes, ..Query::default() };
        loop {
            query.cores.push(self.core()?);
            let set = self.tokens.eat("union") || self.tokens.eat("intersect") || self.tokens.eat("except");
            if !set {
                break;
            }
            let _quantifier = self.tokens.eat("all") || self.tokens.eat("distinct");
        }
        if self.tokens.eat_all(&["order", "by"]) {
            query.order_by = self.sort_list()?;
        }
        self.bounds(&mut query)?;
        query.span = self.span_from(start);
        Some(query)
    }

    /// The list after WITH, if there is one.
    pub fn ctes(&mut self) -> Option<Vec<Cte>> {
        let mut ctes = Vec::new();
        if !self.tokens.eat("with") {
            return Some(ctes);
        }
        let recursive = self.tokens.eat("recursive");
        loop {
            let name = self.tokens.name().ok()?;
            let columns = if self.tokens.is("(") { self.names()? } else { Vec::new() };
            self.need_word("as")?;
            self.tokens.eat("not");
            self.tokens.eat("materialized");
            self.need("(")?;
            let statement = Box::new(self.statement()?);
            self.need(")")?;
            ctes.push(Cte { name, columns, statement, recursive });
            if !self.tokens.take(",") {
                return Some(ctes);
            }
        }
    }

    /// `(a, b)`.
    pub fn names(&mut self) -> Option<Vec<String>> {
        self.need("(")?;
        let mut names = vec![self.tokens.name().ok()?];
        while self.tokens.take(",") {
            names.push(self.tokens.name().ok()?);
        }
        self.need(")")?;
        Some(names)
    }

    fn core(&mut self) -> Option<Core> {
        if self.tokens.is("(") {
            let start = self.tokens.offset();
            self.need("(")?;
            let query = self.query()?;
            self.need(")")?;
            return Some(Core::Nested(Box::new(query), self.span_from(start)));
        }
        if self.tokens.eat("values") {
            let mut rows = Vec::new();
            loop {
                self.need("(")?;
                rows.push(self.exprs()?);
                self.need(")")?;
                if !self.tokens.take(",") {
                    return Some(Core::Values(rows));
                }
            }
        }
        if self.tokens.is_word("table") {
            return self.whole_table();
        }
        self.need_word("select")?;
        self.select().map(|select| Core::Select(Box::new(select)))
    }

    /// `TABLE t` is `SELECT * FROM t`.
    fn whole_table(&mut self) -> Option<Core> {
        let start = self.tokens.offset();
        self.tokens.eat("table");
        let keyword = self.span_from(start);
        let at = self.tokens.taken_to();
        let item = Item {
            expr: Expr { kind: super::Kind::Star { qualifier: None }, span: at..at },
            alias: None,
            alias_span: None,
        };
        let mut select =
            Select { items: vec![item], table_keyword: Some(keyword), items_end: at, ..Select::default() };
        self.source(&mut select.from, &mut select.conditions)?;
        select.from_end = Some(self.tokens.taken_to());
        Some(Core::Select(Box::new(select)))
    }

    fn select(&mut self) -> Option<Select> {
        let mut select = Select::default();
        let start = self.tokens.offset();
        if self.tokens.eat("distinct") && self.tokens.eat("on") {
            self.tokens.skip_group().ok()?;
            select.distinct_on = Some(self.span_from(start));
        }
        self.tokens.eat("all");
        if !self.ends_items() {
            select.items = self.items()?;
        }
        select.items_end = self.tokens.taken_to();
        if self.tokens.eat("from") {
            self.from(&mut select.from, &mut select.conditions)?;
            select.from_end = Some(self.tokens.taken_to());
        }
        if self.tokens.eat("where") {
            select.filter = Some(self.expr()?);
        }
        if self.tokens.eat_all(&["group", "by"]) {
            select.group_by = self.exprs()?;
        }
        if self.tokens.eat("having") {
            select.having = Some(self.expr()?);
        }
        if self.tokens.eat("window") {
            self.windows()?;
        }
        select.span = self.span_from(start);
        Some(select)
    }

    fn windows(&mut self) -> Option<()> {
        loop {
            self.tokens.name().ok()?;
            self.need_word("as")?;
            self.tokens.skip_group().ok()?;
            if !self.tokens.take(",") {
                return Some(());
            }
        }
    }

    /// PostgreSQL allows an empty list.
    fn ends_items(&self) -> bool {
        self.tokens.is_empty()
            || self.tokens.is(")")
            || self.tokens.is_word("from")
            || self.tokens.is_word("where")
    }

    pub fn items(&mut self) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            let expr = self.expr()?;
            let alias = self.alias(true)?;
            let alias_span = alias.is_some().then(|| self.tokens.last_taken());
            items.push(Item { expr, alias, alias_span });
            if !self.tokens.take(",") {
                return Some(items);
            }
        }
    }

    /// `AS name` or a bare name; the outer `None` is a failure. Strings as names are SQLite's.
    fn alias(&mut self, strings: bool) -> Option<Option<String>> {
        let explicit = self.tokens.eat("as");
        let next = self.tokens.peek();
        let named = next.is_some_and(|token| match token.kind {
            lexer::Kind::Quoted => true,
            lexer::Kind::Word => explicit || !is_reserved(token.text(self.sql())),
            _other => false,
        });
        if named {
            return self.tokens.name().ok().map(Some);
        }
        if explicit {
            return if strings { self.tokens.string().map(Some) } else { None };
        }
        Some(None)
    }

    /// Tables and joins, flattened.
    pub fn from(&mut self, sources: &mut Vec<Source>, conditions: &mut Vec<Expr>) -> Option<()> {
        loop {
            self.source(sources, conditions)?;
            while self.join() {
                self.source(sources, conditions)?;
                if self.tokens.eat("on") {
                    conditions.push(self.expr()?);
                } else if self.tokens.eat("using") {
                    self.names()?;
                }
            }
            if !self.tokens.take(",") {
                return Some(());
            }
        }
    }

    fn join(&mut self) -> bool {
        let start = self.tokens.position();
        self.tokens.eat("natural");
        let outer = self.tokens.eat("left") || self.tokens.eat("right") || self.tokens.eat("full");
        let _kind =
            (outer && self.tokens.eat("outer")) || self.tokens.eat("inner") || self.tokens.eat("cross");
        let join = self.tokens.eat("join");
        if !join {
            self.tokens.rewind(start);
        }
        join
    }

    fn source(&mut self, sources: &mut Vec<Source>, conditions: &mut Vec<Expr>) -> Option<()> {
        let start = self.tokens.offset();
        let lateral = self.tokens.eat("lateral").then(|| self.span_from(start));
        let _only = self.tokens.eat("only");
        if self.tokens.is("(") && !starts(&self.tokens) {
            self.need("(")?;
            self.deeper(|parser| parser.from(sources, conditions))?;
            return self.need(")");
        }
        let begin = self.tokens.offset();
        let kind = self.source_kind()?;
        let after = self.tokens.taken_to();
        let alias = self.alias(false)?;
        let columns_start = self.tokens.offset();
        let has_columns = alias.is_some() && self.tokens.is("(");
        let columns = if has_columns { self.column_aliases()? } else { Vec::new() };
        let columns_span = has_columns.then(|| self.span_from(columns_start));
        self.tokens.eat_all(&["not", "indexed"]);
        if self.tokens.eat_all(&["indexed", "by"]) {
            self.tokens.name().ok()?;
        }
        let end = self.tokens.taken_to();
        sources.push(Source {
            kind,
            alias,
            columns,
            columns_span,
            lateral,
            span: begin..end,
            after: after..end,
        });
        Some(())
    }

    fn source_kind(&mut self) -> Option<SourceKind> {
        if self.tokens.take("(") {
            let query = Box::new(self.query()?);
            self.need(")")?;
            return Some(SourceKind::Query(query));
        }
        let position = self.tokens.position();
        let (schema, name) = self.tokens.qualified_name().ok()?;
        if !self.tokens.is("(") {
            self.tokens.take("*");
            return Some(SourceKind::Table { schema, name });
        }
        self.tokens.rewind(position);
        let call = self.expr()?;
        let start = self.tokens.offset();
        let ordinality = self.tokens.eat_all(&["with", "ordinality"]).then(|| self.span_from(start));
        Some(SourceKind::Function { call, ordinality })
    }

    /// `(a, b)` or, for functions, `(a int, b text)`.
    fn column_aliases(&mut self) -> Option<Vec<String>> {
        self.need("(")?;
        let mut names = Vec::new();
        loop {
            names.push(self.tokens.name().ok()?);
            if !self.tokens.is(",") && !self.tokens.is(")") {
                self.type_name()?;
            }
            if !self.tokens.take(",") {
                break;
            }
        }
        self.need(")")?;
        Some(names)
    }

    /// Expressions with ASC, DESC, NULLS FIRST and LAST.
    pub fn sort_list(&mut self) -> Option<Vec<Expr>> {
        let mut exprs = Vec::new();
        loop {
            exprs.push(self.expr()?);
            let _direction = self.tokens.eat("asc") || self.tokens.eat("desc");
            if self.tokens.eat("nulls") && !self.tokens.eat("first") {
                self.need_word("last")?;
            }
            if !self.tokens.take(",") {
                return Some(exprs);
            }
        }
    }

    /// LIMIT, OFFSET, FETCH FIRST and FOR UPDATE in any order.
    fn bounds(&mut self, query: &mut Query) -> Option<()> {
        let start = self.tokens.offset();
        let mut bounds: Option<Span> = None;
        loop {
            let clause = self.tokens.offset();
            if self.tokens.eat("limit") {
                query.limit = if self.tokens.eat("all") { None } else { Some(self.expr()?) };
                if self.tokens.take(",") {
                    query.offset = query.limit.take();
                    query.limit = Some(self.expr()?);
                }
            } else if self.tokens.eat("offset") {
                query.offset = Some(self.expr()?);
                let _noise = self.tokens.eat("row") || self.tokens.eat("rows");
            } else if self.tokens.eat("fetch") {
                self.fetch_first(query)?;
            } else if self.tokens.eat("for") {
                self.locking()?;
                let from = query.locking.as_ref().map_or(clause, |span| span.start);
                query.locking = Some(self.span_from(from));
                continue;
            } else {
                break;
            }
            bounds = Some(bounds.map_or(start, |span| span.start)..self.tokens.taken_to());
        }
        query.bounds = bounds;
        Some(())
    }

    /// `{FIRST | NEXT} [n] {ROW | ROWS} ONLY`; without a number, one.
    fn fetch_first(&mut self, query: &mut Query) -> Option<()> {
        if !self.tokens.eat("first") && !self.tokens.eat("next") {
            return None;
        }
        let at = self.tokens.offset();
        let one = self.tokens.is_word("row") || self.tokens.is_word("rows");
        query.limit =
            Some(if one { Expr { kind: super::Kind::Integer, span: at..at } } else { self.expr()? });
        if !self.tokens.eat("row") && !self.tokens.eat("rows") {
            return None;
        }
        self.need_word("only")
    }

    /// What follows FOR.
    fn locking(&mut self) -> Option<()> {
        let _no = self.tokens.eat("no");
        let _key = self.tokens.eat("key");
        if !self.tokens.eat("update") && !self.tokens.eat("share") {
            return None;
        }
        if self.tokens.eat("of") {
            self.tokens.name().ok()?;
            while self.tokens.take(",") {
                self.tokens.name().ok()?;
            }
        }
        let _wait = self.tokens.eat("nowait") || self.tokens.eat_all(&["skip", "locked"]);
        Some(())
    }

    /// A statement inside a common table expression, or a whole one.
    pub fn statement(&mut self) -> Option<Statement> {
        self.deeper(super::statement::parse_inside)
    }
}
