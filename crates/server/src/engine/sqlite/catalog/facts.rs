//! What the database holds, in PostgreSQL's terms: the source of every catalog table and function.
//!
//! Read from SQLite's schema and pragmas ([`read()`]); what those do not tell (names of constraints, CHECK, deferrable, generated
//! columns) comes from the text of CREATE TABLE ([`definition`]). Nothing of it is kept in the file.

mod definition;
mod names;
pub(super) mod oids;
mod read;

pub(super) use self::read::read;
use super::super::types::Type;

/// Everything of one state of the schema.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// In the order in which they were created.
    pub relations: Vec<Relation>,
    pub indexes: Vec<Index>,
    pub constraints: Vec<Constraint>,
    pub triggers: Vec<Trigger>,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelationKind {
    Table,
    View,
}

/// A table or a view.
#[derive(Debug)]
pub(super) struct Relation {
    pub oid: u32,
    pub name: String,
    pub kind: RelationKind,
    /// In the session's own schema.
    pub temporary: bool,
    pub columns: Vec<Column>,
    /// As SQLite keeps it.
    pub sql: String,
    /// Rows, when ANALYZE has counted them.
    pub rows: Option<i64>,
}

/// A column of a relation; its number is its position from 1.
#[derive(Debug)]
pub(super) struct Column {
    pub name: String,
    pub ty: Type,
    pub not_null: bool,
    /// As written.
    pub default: Option<String>,
    /// The expression of a generated column.
    pub generated: Option<String>,
    /// SQLite numbers rows by it when no value is given.
    pub identity: bool,
    /// `NOCASE` or `RTRIM`.
    pub collation: Option<String>,
}

/// An index, or the key that a table is sorted by.
#[derive(Debug)]
pub(super) struct Index {
    pub oid: u32,
    pub name: String,
    /// SQLite's name of it; empty where the table itself is sorted by it.
    pub stored: String,
    pub table: u32,
    pub unique: bool,
    pub primary: bool,
    pub keys: Vec<Key>,
    pub predicate: Option<String>,
}

/// One column of an index.
#[derive(Debug)]
pub(super) struct Key {
    /// 0 for an expression.
    pub column: i16,
    /// The column's name, or the expression as written.
    pub text: String,
    pub descending: bool,
    pub collation: Option<String>,
}

/// A constraint of a table.
#[derive(Debug)]
pub(super) struct Constraint {
    pub oid: u32,
    pub name: String,
    pub table: u32,
    /// Numbers of its columns.
    pub columns: Vec<i16>,
    pub kind: ConstraintKind,
    pub deferrable: bool,
    pub deferred: bool,
}

/// What a constraint demands.
#[derive(Debug)]
pub(super) enum ConstraintKind {
    Primary { index: u32 },
    Unique { index: u32 },
    Check { expression: String },
    Foreign(Foreign),
}

/// The other side of a foreign key.
#[derive(Debug)]
pub(super) struct Foreign {
    /// 0 when there is no such table.
    pub table: u32,
    pub table_name: String,
    pub columns: Vec<i16>,
    pub column_names: Vec<String>,
    /// The unique index that it relies on; 0 when there is none.
    pub index: u32,
    pub on_update: Action,
    pub on_delete: Action,
}

/// What a foreign key does when the other side changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

/// A trigger.
#[derive(Debug)]
pub(super) struct Trigger {
    pub oid: u32,
    pub name: String,
    /// 0 when its table is gone.
    pub table: u32,
    pub sql: String,
}

impl Facts {
    pub fn relation(&self, oid: u32) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.oid == oid)
    }

    pub fn named(&self, name: &str) -> Option<&Relation> {
        let named = |temporary| {
            self.relations.iter().find(move |relation| {
                relation.temporary == temporary && relation.name.eq_ignore_ascii_case(name)
            })
        };
        named(true).or_else(|| named(false))
    }

    pub fn index(&self, oid: u32) -> Option<&Index> {
        self.indexes.iter().find(|index| index.oid == oid)
    }

    pub fn constraint(&self, oid: u32) -> Option<&Constraint> {
        self.constraints.iter().find(|constraint| constraint.oid == oid)
    }

    pub fn indexes_of(&self, table: u32) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(move |index| index.table == table)
    }

    pub fn constraints_of(&self, table: u32) -> impl Iterator<Item = &Constraint> {
        self.constraints.iter().filter(move |constraint| constraint.table == table)
    }

    /// Columns with a sequence of their own, as identity columns have in PostgreSQL: table, number and column.
    pub fn identities(&self) -> impl Iterator<Item = (&Relation, i16, &Column)> {
        self.relations.iter().flat_map(|relation| {
            let numbered = relation.columns.iter().zip(1..);
            numbered
                .filter(|(column, _)| column.identity)
                .map(move |(column, number)| (relation, number, column))
        })
    }
}

impl Relation {
    pub fn column(&self, number: i16) -> Option<&Column> {
        usize::try_from(number).ok()?.checked_sub(1).and_then(|at| self.columns.get(at))
    }

    /// A column's number; names in SQLite ignore case.
    pub fn number(&self, name: &str) -> Option<i16> {
        let at = self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))?;
        i16::try_from(at + 1).ok()
    }

    pub fn schema(&self) -> &'static str {
        if self.temporary { "pg_temp" } else { "public" }
    }

    /// What a view selects.
    pub fn query(&self) -> &str {
        definition::view_query(&self.sql)
    }

    pub fn column_names(&self, numbers: &[i16]) -> Vec<String> {
        numbers.iter().filter_map(|number| self.column(*number)).map(|column| column.name.clone()).collect()
    }
}

impl Index {
    /// The name of its b-tree, if it has one of its own.
    pub fn stored_name(&self) -> Option<&str> {
        (!self.stored.is_empty()).then_some(self.stored.as_str())
    }
}

impl Constraint {
    /// The index that upholds it, or that the other side has; 0 for none.
    pub fn index(&self) -> u32 {
        match &self.kind {
            ConstraintKind::Primary { index } | ConstraintKind::Unique { index } => *index,
            ConstraintKind::Foreign(foreign) => foreign.index,
            ConstraintKind::Check { .. } => 0,
        }
    }
}

impl Action {
    /// As `pg_constraint` codes it.
    pub fn code(self) -> &'static str {
        match self {
            Action::Nothing => "a",
            Action::Restrict => "r",
            Action::Cascade => "c",
            Action::SetNull => "n",
            Action::SetDefault => "d",
        }
    }

    /// In SQL.
    pub fn words(self) -> &'static str {
        match self {
            Action::Nothing => "NO ACTION",
            Action::Restrict => "RESTRICT",
            Action::Cascade => "CASCADE",
            Action::SetNull => "SET NULL",
            Action::SetDefault => "SET DEFAULT",
        }
    }

    fn parse(words: &str) -> Self {
        match words {
            "RESTRICT" => Action::Restrict,
            "CASCADE" => Action::Cascade,
            "SET NULL" => Action::SetNull,
            "SET DEFAULT" => Action::SetDefault,
            _nothing => Action::Nothing,
        }
    }
}
