//! Names whose meaning depends on what stands in FROM: columns of functions that take columns of their neighbours, and PostgreSQL's
//! hidden columns of catalog tables.

use super::super::catalog::rewrite as catalog;
use super::super::lexer::quote_name;
use super::super::sql::{
    Core, Expr, Kind, Node, Select, Source, SourceKind, Span, Statement, walk_statement,
};
use super::rows;

/// What FROM clauses put in place, each for the span of its SELECT.
#[derive(Debug, Default)]
pub(super) struct Places {
    laterals: Vec<Lateral>,
    catalogs: Vec<Catalog>,
    /// Calls that are tables of a FROM clause.
    calls: Vec<Span>,
    /// The tables that each SELECT sees.
    selects: Vec<(Span, Vec<String>)>,
}

/// A function in FROM that depends on the tables before it.
#[derive(Debug)]
struct Lateral {
    within: Span,
    source: Span,
    alias: String,
    /// Names, and what they stand for.
    columns: Vec<(String, String)>,
    /// How many of them `*` shows.
    shown: usize,
}

/// A catalog table under a name.
#[derive(Debug)]
struct Catalog {
    within: Span,
    alias: String,
    oid: u32,
}

impl Places {
    /// Looks through a statement; `is_users` tells which unqualified names are tables of the user.
    pub fn of(statement: &Statement, is_users: &dyn Fn(&str) -> bool) -> Self {
        let mut places = Self::default();
        walk_statement(statement, &mut |node| {
            let Node::Query(query) = node else { return };
            for core in &query.cores {
                if let Core::Select(select) = core {
                    places.select(select, is_users);
                }
            }
        });
        places
    }

    fn select(&mut self, select: &Select, is_users: &dyn Fn(&str) -> bool) {
        self.selects.push((select.span.clone(), select.from.iter().filter_map(alias_of).collect()));
        for (at, source) in select.from.iter().enumerate() {
            match &source.kind {
                SourceKind::Table { schema, name } => {
                    let users = schema.is_none() && is_users(name);
                    let oid = catalog::oid(schema.as_deref(), name).filter(|_| !users);
                    let alias = source.alias.clone().unwrap_or_else(|| name.clone());
                    self.catalogs.extend(oid.map(|oid| Catalog { within: select.span.clone(), alias, oid }));
                }
                SourceKind::Query(_) => {}
                SourceKind::Function { call, ordinality } => {
                    self.function(select, source, call, (at > 0, ordinality.is_some()));
                }
            }
        }
    }

    fn function(
        &mut self,
        select: &Select,
        source: &Source,
        call: &Expr,
        (follows, ordinality): (bool, bool),
    ) {
        let Kind::Call(called) = &call.kind else { return };
        self.calls.push(call.span.clone());
        let depends = called.arguments.iter().any(|argument| names_column(argument, &select.from));
        if !follows || !rows::is_set_returning(&called.name) || !(depends || source.lateral.is_some()) {
            return;
        }
        let alias = source.alias.clone().unwrap_or_else(|| called.name.clone());
        let mut columns = rows::named_columns(called, &alias, &source.columns);
        let shown = columns.len() + usize::from(ordinality);
        let counted = source.columns.get(columns.len()).map_or("ordinality", String::as_str);
        columns.push((counted.to_owned(), rows::ordinal(&alias)));
        let (within, source) = (select.span.clone(), source.span.clone());
        self.laterals.push(Lateral { within, source, alias, columns, shown });
    }

    /// Whether a call is a table of a FROM clause.
    pub fn is_table(&self, call: &Span) -> bool {
        self.calls.contains(call)
    }

    /// Whether the function at this place depends on its neighbours.
    pub fn is_lateral(&self, source: &Span) -> bool {
        self.laterals.iter().any(|lateral| lateral.source == *source)
    }

    /// The innermost meaning of a column's name that is not SQLite's own.
    pub fn column(&self, span: &Span, qualifier: Option<&str>, name: &str) -> Option<String> {
        self.lateral_column(span, qualifier, name).or_else(|| self.hidden_column(span, qualifier, name))
    }

    /// What `*` or `t.*` has to become where a table shows other columns than SQLite's.
    pub fn star(&self, span: &Span, qualifier: Option<&str>) -> Option<String> {
        let within = |whole: &Span| inside(span, whole);
        let (whole, tables) =
            self.selects.iter().filter(|(whole, _)| within(whole)).min_by_key(|(whole, _)| whole.len())?;
        let mut changed = false;
        let mut parts = Vec::new();
        for table in
            tables.iter().filter(|table| qualifier.is_none_or(|qualifier| qualifier == table.as_str()))
        {
            let lateral =
                self.laterals.iter().find(|lateral| lateral.within == *whole && lateral.alias == *table);
            changed |= lateral.is_some();
            match lateral {
                Some(lateral) => parts.extend(
                    lateral
                        .columns
                        .iter()
                        .take(lateral.shown)
                        .map(|(name, value)| format!("{value} AS {}", quote_name(name))),
                ),
                None => parts.push(format!("{}.*", quote_name(table))),
            }
        }
        changed.then(|| parts.join(", "))
    }

    fn lateral_column(&self, span: &Span, qualifier: Option<&str>, name: &str) -> Option<String> {
        let fits = |lateral: &&Lateral| {
            inside(span, &lateral.within) && qualifier.is_none_or(|qualifier| lateral.alias == qualifier)
        };
        let mut columns = self.laterals.iter().filter(fits).flat_map(|lateral| &lateral.columns);
        columns.find(|(column, _)| column == name).map(|(_, value)| value.clone())
    }

    fn hidden_column(&self, span: &Span, qualifier: Option<&str>, name: &str) -> Option<String> {
        if !catalog::is_hidden(name) {
            return None;
        }
        let fits = |table: &&Catalog| {
            inside(span, &table.within) && qualifier.is_none_or(|qualifier| table.alias == qualifier)
        };
        let innermost = self.catalogs.iter().filter(fits).min_by_key(|table| table.within.len())?;
        Some(catalog::hidden(name, innermost.oid))
    }
}

fn inside(span: &Span, whole: &Span) -> bool {
    whole.start <= span.start && span.end <= whole.end
}

/// Whether an argument names a column of one of these tables, or one without saying of which.
fn names_column(argument: &Expr, from: &[Source]) -> bool {
    match &argument.kind {
        Kind::Column { qualifier: None, .. } => true,
        Kind::Column { qualifier: Some(qualifier), .. } => from.iter().any(|source| names(source, qualifier)),
        Kind::Cast { operand, .. } | Kind::Nested(operand) | Kind::Prefix { operand, .. } => {
            names_column(operand, from)
        }
        Kind::Binary { left, right, .. } => names_column(left, from) || names_column(right, from),
        Kind::Index { operand, index } => names_column(operand, from) || names_column(index, from),
        Kind::Call(call) => call.arguments.iter().any(|argument| names_column(argument, from)),
        _plain => false,
    }
}

fn names(source: &Source, qualifier: &str) -> bool {
    alias_of(source).is_some_and(|alias| alias == qualifier)
}

/// What a table is called in its SELECT.
fn alias_of(source: &Source) -> Option<String> {
    match (&source.alias, &source.kind) {
        (Some(alias), _) => Some(alias.clone()),
        (None, SourceKind::Table { name, .. }) => Some(name.clone()),
        (None, SourceKind::Function { call, .. }) => match &call.kind {
            Kind::Call(call) => Some(call.name.clone()),
            _other => None,
        },
        (None, SourceKind::Query(_)) => None,
    }
}
