//! Statements that a handler can answer.

use std::fmt;

use directive::Draft;
use model::{DatabaseOption, SenderRole, Targets};

use super::{Cell, Column, Kind, scalar::Scalar, show::Show};

/// One parsed statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// `CREATE DATABASE name`, a copy of another if there is a template, and options that are taken note of and change
    /// nothing.
    CreateDatabase { name: String, template: Option<String>, ignored: Vec<String> },
    /// `DROP DATABASE name`
    DropDatabase { name: String, if_exists: bool },
    /// `ALTER DATABASE name RENAME TO to`
    RenameDatabase { name: String, to: String },
    /// `ALTER DATABASE name SET stationmaster.option = value`, `… RESET …`
    SetDatabaseOptions { name: String, options: Vec<DatabaseOption> },
    /// `MOVE DATABASE name TO server`
    MoveDatabase { name: String, server: String },
    /// `CREATE USER` and `ALTER USER` with a password.
    PutUser { name: String, password: Password, exists: bool },
    /// `DROP USER name`
    DropUser { name: String, if_exists: bool },
    /// `SEND DIRECTIVE action FOR time …`
    SendDirective { draft: Draft, targets: Targets, dry_run: bool },
    /// `APPROVE DIRECTIVE id`, `APPROVE GRANT id`: the second person does.
    ApproveDirective { id: String },
    /// `REVOKE DIRECTIVE id`, `REVOKE ALL DIRECTIVES`
    RevokeDirectives { id: Option<String> },
    /// `GRANT sender TO user`, `REVOKE sender FROM user`; sender or approver.
    PutSender { user: String, role: Option<SenderRole> },
    /// `SHOW …`
    Show(Show),
    /// `SELECT … FROM pg_database …`
    Databases(DatabaseQuery),
    /// `SELECT` of single values.
    Values(Vec<(Column, Scalar)>),
    /// `BEGIN`, `START TRANSACTION`
    Begin { tag: &'static str },
    /// `COMMIT`, `END`
    Commit,
    /// `ROLLBACK`, `ABORT`
    Rollback,
    /// By which a client speaks of directives: who hears the message has taken it in already.
    Directive,
    /// A statement that is accepted and does nothing here, such as `SET`.
    Nothing { tag: &'static str },
}

impl Statement {
    /// What it is called in messages.
    pub(crate) fn title(&self) -> &'static str {
        match self {
            Self::CreateDatabase { .. } => "CREATE DATABASE",
            Self::DropDatabase { .. } => "DROP DATABASE",
            Self::RenameDatabase { .. } | Self::SetDatabaseOptions { .. } => "ALTER DATABASE",
            // libpq takes a tag that begins with MOVE for a cursor's, and misses a number in it.
            Self::MoveDatabase { .. } => "ALTER DATABASE",
            Self::PutUser { exists: false, .. } => "CREATE ROLE",
            Self::PutUser { exists: true, .. } => "ALTER ROLE",
            Self::DropUser { .. } => "DROP ROLE",
            Self::SendDirective { .. } | Self::ApproveDirective { .. } => "SEND DIRECTIVE",
            Self::RevokeDirectives { .. } | Self::PutSender { role: None, .. } => "REVOKE",
            Self::PutSender { role: Some(_), .. } => "GRANT",
            Self::Show(_) => "SHOW",
            Self::Databases(_) | Self::Values(_) => "SELECT",
            Self::Begin { tag } | Self::Nothing { tag } => tag,
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Directive => "SET",
        }
    }

    /// Whether it is about databases of the fleet: answered in every session, and never in a transaction.
    pub(crate) fn is_about_databases(&self) -> bool {
        matches!(
            self,
            Self::CreateDatabase { .. }
                | Self::DropDatabase { .. }
                | Self::RenameDatabase { .. }
                | Self::SetDatabaseOptions { .. }
        )
    }

    /// The columns of its rows; `None` when it has no rows.
    pub(crate) fn columns(&self) -> Option<Vec<Column>> {
        match self {
            Self::Show(show) => Some(show.columns()),
            Self::Databases(query) => Some(query.columns()),
            Self::Values(values) => Some(values.iter().map(|(column, _)| column.clone()).collect()),
            Self::SendDirective { .. } | Self::ApproveDirective { .. } | Self::PutSender { .. } => {
                Some(["id", "state"].map(|name| Column::new(name, Kind::Text)).into())
            }
            Self::RevokeDirectives { .. }
            | Self::CreateDatabase { .. }
            | Self::DropDatabase { .. }
            | Self::RenameDatabase { .. }
            | Self::SetDatabaseOptions { .. }
            | Self::MoveDatabase { .. }
            | Self::PutUser { .. }
            | Self::DropUser { .. }
            | Self::Begin { .. }
            | Self::Commit
            | Self::Rollback
            | Self::Directive
            | Self::Nothing { .. } => None,
        }
    }

    /// How many parameters it takes, all of them text.
    pub(crate) fn parameters(&self) -> usize {
        match self {
            Self::Databases(query) => query.parameters(),
            _ => 0,
        }
    }
}

/// A password in a statement. Not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(pub(crate) String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// A query on `pg_database`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DatabaseQuery {
    /// Output columns: name, and what of a database.
    pub(crate) select: Vec<(String, Attribute)>,
    /// All must hold.
    pub(crate) conditions: Vec<Condition>,
}

/// What can be asked of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Name,
    Oid,
    Owner,
    Encoding,
    EncodingNumber,
    Locale,
    Provider,
    IsTemplate,
    AllowsConnections,
    ConnectionLimit,
    /// Not known of any of them: access privileges, sizes, comments.
    Null,
    /// How many there are; the only column of its query.
    Count,
    Constant(Column, Cell),
}

/// What a database must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Has this name.
    Named(String),
    /// Has the name given as parameter, counted from 1.
    NamedBy(u32),
    /// Has a name that matches a pattern in which only `.*` has a meaning, as psql makes it of `\l a*`.
    Matches(String),
    /// Always so, or never.
    Constant(bool),
}

impl DatabaseQuery {
    fn columns(&self) -> Vec<Column> {
        let kind = |attribute: &Attribute| match attribute {
            Attribute::Oid => Kind::Oid,
            Attribute::EncodingNumber | Attribute::ConnectionLimit => Kind::Int4,
            Attribute::IsTemplate | Attribute::AllowsConnections => Kind::Bool,
            Attribute::Count => Kind::Int8,
            Attribute::Constant(column, _) => column.kind,
            Attribute::Name
            | Attribute::Owner
            | Attribute::Encoding
            | Attribute::Locale
            | Attribute::Provider
            | Attribute::Null => Kind::Text,
        };
        self.select.iter().map(|(name, attribute)| Column::new(name, kind(attribute))).collect()
    }

    fn parameters(&self) -> usize {
        let number = |condition: &Condition| match condition {
            Condition::NamedBy(number) => *number as usize,
            Condition::Named(_) | Condition::Matches(_) | Condition::Constant(_) => 0,
        };
        self.conditions.iter().map(number).max().unwrap_or(0)
    }
}
