//! A tolerant reading of SELECT, INSERT, UPDATE and DELETE, in the grammar that PostgreSQL and SQLite share plus PostgreSQL's extras.
//!
//! It serves two purposes only: to rewrite what SQLite does not understand ([`super::rewrite`]) and to guess types
//! ([`super::infer`]). It validates nothing: SQLite does. What it cannot read is `None`, and the statement goes as it is.
//! Nodes carry spans of the text, so that rewriting edits the client's words instead of printing a tree.

mod call;
mod expression;
mod operator;
mod query;
mod statement;
mod visit;

use std::ops::Range;

pub(super) use self::expression::{read as expression, read_type as type_name};
pub(super) use self::statement::parse;
pub(super) use self::visit::{Node, walk_statement};

/// Bytes of the text.
pub(super) type Span = Range<usize>;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expr {
    pub kind: Kind,
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    Default,
    Bool,
    /// Whole digits.
    Integer,
    /// With a point or an exponent.
    Decimal,
    /// A string of any quoting.
    Text(String),
    Blob,
    /// `$n`, from 1.
    Parameter(usize),
    Column {
        qualifier: Option<String>,
        name: String,
    },
    /// `*` or `t.*`.
    Star {
        qualifier: Option<String>,
    },
    /// The operator stands in front.
    Prefix {
        operator: String,
        operand: Box<Expr>,
    },
    Binary {
        operator: String,
        operator_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `CAST(x AS t)` and `x::t`; `after` is everything behind the operand.
    Cast {
        operand: Box<Expr>,
        ty: String,
        colons: bool,
        after: Span,
    },
    /// `DATE '2024-01-01'`.
    Typed {
        ty: String,
        text: String,
    },
    Call(Box<Call>),
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    InList {
        operand: Box<Expr>,
        list: Vec<Expr>,
    },
    InQuery {
        operand: Box<Expr>,
        query: Box<Query>,
    },
    /// `pattern ESCAPE escape`.
    Escaped {
        pattern: Box<Expr>,
        escape: Box<Expr>,
    },
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
    },
    /// `IS NULL`, `IS TRUE`, `ISNULL` …: a test with no other operand. `test` is its words.
    Test {
        operand: Box<Expr>,
        test: String,
        after: Span,
    },
    Exists(Box<Query>),
    Subquery(Box<Query>),
    /// `ARRAY[a, b]`; brackets are the span's ends.
    Array(Vec<Expr>),
    /// `ARRAY(SELECT …)`.
    ArrayQuery(Box<Query>),
    /// `left operator ANY|ALL (right)`; `middle` goes from the operator to the opening parenthesis.
    Quantified {
        left: Box<Expr>,
        operator: String,
        all: bool,
        right: Box<Expr>,
        middle: Span,
    },
    /// `left = ANY (ARRAY[a, b])`.
    AnyOf {
        left: Box<Expr>,
        elements: Vec<Expr>,
    },
    Row(Vec<Expr>),
    /// Parenthesised.
    Nested(Box<Expr>),
    Collate {
        operand: Box<Expr>,
        collation: String,
        after: Span,
    },
    AtTimeZone {
        operand: Box<Expr>,
        zone: Box<Expr>,
        middle: Span,
    },
    /// `a[1]`; `after` is the bracket.
    Index {
        operand: Box<Expr>,
        index: Box<Expr>,
    },
    /// `(row).field`.
    Field {
        operand: Box<Expr>,
        name: String,
    },
}

/// A function call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// In lower case, without schema.
    pub name: String,
    /// Schema and name as written.
    pub name_span: Span,
    pub arguments: Vec<Expr>,
    pub star: bool,
    /// Words instead of commas (`EXTRACT(x FROM y)`): the part between the parentheses is to be written anew.
    pub form: Option<Form>,
    pub order_by: Vec<Expr>,
    pub filter: Option<Box<Expr>>,
    pub over: Vec<Expr>,
    /// Between the parentheses.
    pub inside: Span,
    /// Written without parentheses (`CURRENT_DATE`).
    pub bare: bool,
}

/// SQL's special argument syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// `EXTRACT(field FROM x)`.
    Extract(String),
    /// `SUBSTRING(x FROM a FOR b)`: order of the arguments as given.
    Substring { from: bool, length: bool },
    /// `POSITION(a IN b)`.
    Position,
    /// `TRIM(LEADING a FROM b)`: the function it becomes; arguments are text and, if given, characters.
    Trim(&'static str),
    /// `OVERLAY(x PLACING y FROM a FOR b)`.
    Overlay,
}

/// A query with everything that may surround it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Query {
    pub ctes: Vec<Cte>,
    /// Cores of a compound, in order.
    pub cores: Vec<Core>,
    pub order_by: Vec<Expr>,
    pub limit: Option<Expr>,
    pub offset: Option<Expr>,
    /// Of all LIMIT, OFFSET and FETCH clauses together.
    pub bounds: Option<Span>,
    /// `FOR UPDATE …`.
    pub locking: Option<Span>,
    pub span: Span,
}

/// `name (columns) AS (statement)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cte {
    pub name: String,
    pub columns: Vec<String>,
    pub statement: Box<Statement>,
    /// `MATERIALIZED` and the like stay as they are.
    pub recursive: bool,
}

/// One part of a compound query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Core {
    Select(Box<Select>),
    Values(Vec<Vec<Expr>>),
    /// In parentheses, which SQLite does not allow here.
    Nested(Box<Query>, Span),
}

/// SELECT without what surrounds it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Select {
    /// From what follows SELECT to the end of its clauses.
    pub span: Span,
    /// Where the list of items ends.
    pub items_end: usize,
    /// Where the FROM clause ends, if there is one.
    pub from_end: Option<usize>,
    /// `TABLE` in place of `SELECT * FROM`.
    pub table_keyword: Option<Span>,
    /// `DISTINCT ON (…)`.
    pub distinct_on: Option<Span>,
    pub items: Vec<Item>,
    pub from: Vec<Source>,
    /// ON conditions of joins.
    pub conditions: Vec<Expr>,
    pub filter: Option<Expr>,
    pub group_by: Vec<Expr>,
    pub having: Option<Expr>,
}

/// One item of a select list or RETURNING.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub expr: Expr,
    pub alias: Option<String>,
    /// The alias as written.
    pub alias_span: Option<Span>,
}

/// One table of a FROM clause, joins flattened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    pub kind: SourceKind,
    pub alias: Option<String>,
    /// `AS t(a, b)`.
    pub columns: Vec<String>,
    /// From the alias's parenthesis on.
    pub columns_span: Option<Span>,
    /// `LATERAL` in front.
    pub lateral: Option<Span>,
    pub span: Span,
    /// What follows the table itself: alias and all.
    pub after: Span,
}

/// What a source is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SourceKind {
    Table { schema: Option<String>, name: String },
    Query(Box<Query>),
    Function { call: Expr, ordinality: Option<Span> },
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Statement {
    Query(Box<Query>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
}

/// INSERT.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Insert {
    pub ctes: Vec<Cte>,
    pub table: Target,
    pub columns: Vec<String>,
    pub query: Option<Query>,
    /// `OVERRIDING SYSTEM VALUE`.
    pub overriding: Option<Span>,
    pub conflict: Option<Conflict>,
    pub returning: Vec<Item>,
}

/// ON CONFLICT.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Conflict {
    pub target: Vec<Expr>,
    /// `ON CONSTRAINT name`, with its span.
    pub constraint: Option<(String, Span)>,
    pub sets: Vec<Assignment>,
    pub filters: Vec<Expr>,
}

/// UPDATE.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Update {
    pub ctes: Vec<Cte>,
    pub table: Target,
    pub sets: Vec<Assignment>,
    pub from: Vec<Source>,
    pub conditions: Vec<Expr>,
    pub filter: Option<Expr>,
    pub returning: Vec<Item>,
}

/// DELETE.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Delete {
    pub ctes: Vec<Cte>,
    pub table: Target,
    pub using: Vec<Source>,
    /// The USING clause.
    pub using_span: Option<Span>,
    pub conditions: Vec<Expr>,
    pub filter: Option<Expr>,
    /// The WHERE keyword.
    pub filter_keyword: Option<Span>,
    pub returning: Vec<Item>,
}

/// The table that a statement changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Target {
    pub name: String,
    pub alias: Option<String>,
    pub span: Span,
}

/// `a = x` or `(a, b) = (x, y)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Assignment {
    pub columns: Vec<String>,
    pub value: Expr,
}
