//! What a call asks of a session, and what comes back. As data, so that it can be asked again elsewhere.

use tokio_postgres::{
    Row, SimpleQueryMessage,
    types::{ToSql, Type},
};

use crate::statement::{Source, Statement};

/// A request.
#[derive(Clone, Copy)]
pub(crate) enum Work<'a> {
    /// Rows.
    Query(Source<'a>, &'a [&'a (dyn ToSql + Sync)]),
    /// The number of rows that were touched.
    Execute(Source<'a>, &'a [&'a (dyn ToSql + Sync)]),
    /// Any number of statements, in the simple protocol.
    Simple(&'a str),
    /// The same, without their rows.
    Batch(&'a str),
    /// A prepared statement.
    Prepare(&'a str, &'a [Type]),
}

/// Its answer.
pub(crate) enum Answer {
    Rows(Vec<Row>),
    Count(u64),
    Messages(Vec<SimpleQueryMessage>),
    Done,
    Prepared(Statement),
}

impl<'a> Work<'a> {
    pub(crate) fn text(&self) -> &'a str {
        match self {
            Work::Query(source, _) | Work::Execute(source, _) => source.text,
            Work::Simple(text) | Work::Batch(text) | Work::Prepare(text, _) => text,
        }
    }

    /// Whether doing it twice is the same as doing it once.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self, Work::Prepare(..)) || sql::only_reads(self.text())
    }
}

/// What a text does to transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Control {
    /// One of its statements begins or ends a transaction.
    pub(crate) any: bool,
    /// One of them may keep work.
    pub(crate) commits: bool,
}

/// Reads that.
pub(crate) fn control(text: &str) -> Control {
    let (mut lexer, mut first) = (sql::Lexer::new(text), true);
    let mut control = Control { any: false, commits: false };
    while let Ok(Some((token, _))) = lexer.next() {
        if let sql::Token::Word(word) = &token
            && first
        {
            let is = |words: &[&str]| words.iter().any(|one| word.eq_ignore_ascii_case(one));
            control.commits |= is(&["commit", "end", "call", "do", "prepare"]);
            control.any |=
                control.commits || is(&["begin", "start", "rollback", "abort", "savepoint", "release"]);
        }
        first = token == sql::Token::Symbol(';');
    }
    control
}

impl Answer {
    /// How many rows it is about.
    pub(crate) fn rows_count(&self) -> u64 {
        match self {
            Answer::Rows(rows) => rows.len() as u64,
            Answer::Count(count) => *count,
            Answer::Messages(messages) => messages.len() as u64,
            Answer::Done | Answer::Prepared(_) => 0,
        }
    }

    pub(crate) fn rows(self) -> Vec<Row> {
        let Answer::Rows(rows) = self else { unreachable!("BUG: a query is answered by rows") };
        rows
    }

    pub(crate) fn count(self) -> u64 {
        let Answer::Count(count) = self else { unreachable!("BUG: an execution is answered by a count") };
        count
    }

    pub(crate) fn messages(self) -> Vec<SimpleQueryMessage> {
        let Answer::Messages(messages) = self else { unreachable!("BUG: simple queries have messages") };
        messages
    }

    pub(crate) fn prepared(self) -> Statement {
        let Answer::Prepared(statement) = self else { unreachable!("BUG: a statement was prepared") };
        statement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r72_a_text_that_controls_transactions_is_told_from_others() {
        for (text, any, commits) in [
            ("select 'commit'", false, false),
            ("insert into t values (1); select 1", false, false),
            ("begin; insert into t values (1)", true, false),
            ("insert into t values (1); COMMIT", true, true),
            ("call p()", true, true),
            ("rollback", true, false),
        ] {
            assert_eq!(control(text), Control { any, commits }, "{text}");
        }
    }
}
