//! Prepared statements that outlive the session in which they were prepared.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio_postgres::{Column, types::Type};

/// A prepared statement. It is prepared again by itself wherever its client goes on.
#[derive(Clone)]
pub struct Statement(pub(crate) Arc<Prepared>);

/// What is needed to prepare a statement again.
pub(crate) struct Prepared {
    pub(crate) id: u64,
    pub(crate) text: String,
    pub(crate) types: Vec<Type>,
    /// As it was prepared first: what it takes and gives.
    first: tokio_postgres::Statement,
}

impl Statement {
    pub(crate) fn new(text: &str, types: &[Type], first: tokio_postgres::Statement) -> Statement {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Statement(Arc::new(Prepared { id, text: text.to_owned(), types: types.to_vec(), first }))
    }

    /// The types of its parameters.
    pub fn params(&self) -> &[Type] {
        self.0.first.params()
    }

    /// The columns of its rows.
    pub fn columns(&self) -> &[Column] {
        self.0.first.columns()
    }

    /// Whether a server prepared the same elsewhere.
    pub(crate) fn is_like(&self, other: &tokio_postgres::Statement) -> bool {
        let names = |columns: &[Column]| -> Vec<_> {
            columns.iter().map(|column| (column.name().to_owned(), column.type_().clone())).collect()
        };
        self.params() == other.params() && names(self.columns()) == names(other.columns())
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Statement").field(&self.0.text).finish()
    }
}

/// SQL as text, or prepared.
pub trait Sql: sealed::Sealed + Sync {
    /// Both.
    #[doc(hidden)]
    fn source(&self) -> Source<'_>;
}

/// A text, and the statement that was prepared for it, if one was.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub(crate) text: &'a str,
    pub(crate) prepared: Option<&'a Statement>,
}

impl Sql for str {
    fn source(&self) -> Source<'_> {
        Source { text: self, prepared: None }
    }
}

impl Sql for String {
    fn source(&self) -> Source<'_> {
        Source { text: self, prepared: None }
    }
}

impl Sql for Statement {
    fn source(&self) -> Source<'_> {
        Source { text: &self.0.text, prepared: Some(self) }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for str {}
    impl Sealed for String {}
    impl Sealed for super::Statement {}
}
