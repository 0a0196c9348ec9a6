//! The handler's own end of the protocol: simple and extended queries that it answers itself.
//!
//! A state machine without IO. It serves the admin console for a whole session, and in an ordinary session whatever
//! the server must not see: statements about databases, requests that have failed, a transaction whose server is gone.

mod portal;
mod series;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::BytesMut;
use wire::{
    Error, Frame,
    backend::{self, Severity, TransactionStatus},
    frontend::Message,
    sqlstate,
};

use crate::{
    admin::{self, Answer, Statement},
    failure,
    failure::Failure,
    limits::LOCAL_SQL_BYTES_MAX,
    metrics,
};
use portal::Portal;

/// Whose statements are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The admin console: all that are known.
    Console,
    /// An ordinary session: those about databases, and ends of transactions.
    Session,
}

/// The state of one conversation.
#[derive(Debug)]
pub(crate) struct Local {
    scope: Scope,
    status: TransactionStatus,
    statements: BTreeMap<String, Arc<Statement>>,
    portals: BTreeMap<String, Portal>,
    /// An error has happened in a series: everything up to its Sync is skipped.
    skipping: bool,
    /// A series of extended queries has begun.
    series_open: bool,
    /// Statements of one Query that are still to be run.
    queue: VecDeque<Statement>,
    /// So many requests fail with this before anything else is answered.
    refusing: Option<(u64, Failure)>,
    /// Told instead of 25P02, once.
    first_failure: Option<Failure>,
}

/// What the shell is to do.
#[derive(Debug)]
pub(crate) enum Todo {
    /// Take the next frame.
    Next,
    /// Run this and call [`Local::ran`] with the result.
    Run(Job),
    /// The client has said good-bye.
    Close,
}

/// A statement to be run.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) statement: Arc<Statement>,
    pub(crate) parameters: Vec<Option<String>>,
    reply: Reply,
}

#[derive(Debug)]
enum Reply {
    Simple,
    Portal { name: String, rows_max: u32 },
}

impl Local {
    pub(crate) fn new(scope: Scope) -> Self {
        Self {
            scope,
            status: TransactionStatus::Idle,
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
            skipping: false,
            series_open: false,
            queue: VecDeque::new(),
            refusing: None,
            first_failure: None,
        }
    }

    /// The next `requests` fail; then the session stands outside a transaction.
    pub(crate) fn refuse(&mut self, requests: u64, failure: Failure) {
        self.status = TransactionStatus::Idle;
        self.refusing = (requests > 0).then_some((requests, failure));
    }

    /// The transaction that was open has failed; `committing` are prepared statements that would have ended it.
    pub(crate) fn fail_transaction<'a>(
        &mut self,
        failure: Failure,
        committing: impl Iterator<Item = &'a str>,
    ) {
        self.status = TransactionStatus::Failed;
        self.first_failure = Some(failure);
        let commit = Arc::new(Statement::Commit);
        self.statements.extend(committing.map(|name| (name.to_owned(), commit.clone())));
    }

    /// As [`Local::fail_transaction`], when the client has been told already.
    pub(crate) fn transaction_has_failed<'a>(&mut self, committing: impl Iterator<Item = &'a str>) {
        self.fail_transaction(failure::transaction_failed(), committing);
        self.first_failure = None;
    }

    /// The series that is open fails; whatever the client sends up to its Sync is skipped.
    pub(crate) fn fail_open_series(
        &mut self,
        failure: &Failure,
        then: TransactionStatus,
        out: &mut BytesMut,
    ) {
        self.status = then;
        self.series_open = true;
        self.fail_series(failure, None, out);
    }

    /// Whether the session can go back to its server: nothing begun, no transaction.
    pub(crate) fn is_over(&self) -> bool {
        !self.series_open
            && !self.skipping
            && self.queue.is_empty()
            && self.refusing.is_none()
            && self.status == TransactionStatus::Idle
    }

    /// Whether a statement of this name was prepared here.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.statements.contains_key(name)
    }

    /// Takes one frame.
    ///
    /// # Errors
    /// The client breaks the protocol: tell it and close.
    pub(crate) fn take(&mut self, frame: Frame<'_>, out: &mut BytesMut) -> Result<Todo, Error> {
        let message = match Message::decode(frame) {
            Ok(message) => message,
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => {
                self.fail(&Failure::from(&error), None, out);
                return Ok(self.end_of_query(frame.tag, out));
            }
        };
        match message {
            Message::Terminate => return Ok(Todo::Close),
            Message::Sync => {
                self.sync(out);
                return Ok(Todo::Next);
            }
            _ if self.skipping => return Ok(Todo::Next),
            Message::Query { sql } => return Ok(self.query(sql, out)),
            Message::Flush | Message::CopyData(_) | Message::CopyDone | Message::CopyFail { .. } => {
                return Ok(Todo::Next);
            }
            Message::Authentication(_) => return Err(Error::UnknownMessage { tag: frame.tag }),
            Message::FunctionCall(_) => {
                let failure =
                    Failure::new(sqlstate::FEATURE_NOT_SUPPORTED, "function calls are not supported");
                self.fail(&failure, None, out);
                return Ok(self.end_of_query(frame.tag, out));
            }
            Message::Parse { .. }
            | Message::Bind(_)
            | Message::Describe(_)
            | Message::Execute { .. }
            | Message::Close(_) => {}
        }
        self.series_open = true;
        let done = match (self.refused(), message) {
            (Some(failure), _) => Err(failure),
            (None, Message::Parse { name, sql, .. }) => return Ok(self.parse(name, sql, out)),
            (None, Message::Bind(bind)) => self.bind(&bind, out),
            (None, Message::Describe(target)) => self.describe(target, out),
            (None, Message::Close(target)) => {
                self.close(target, out);
                Ok(Todo::Next)
            }
            (None, Message::Execute { portal, rows_max }) => self.execute(portal, rows_max, out),
            (None, _) => Ok(Todo::Next),
        };
        Ok(done.unwrap_or_else(|failure| {
            self.fail_series(&failure, None, out);
            Todo::Next
        }))
    }

    /// A frame that was too long to be taken came and was thrown away.
    ///
    /// # Errors
    /// There is no such message.
    pub(crate) fn too_long(&mut self, tag: u8, out: &mut BytesMut) -> Result<(), Error> {
        use wire::frontend::tag;
        match tag {
            tag::COPY_DATA => return Ok(()),
            tag::QUERY | tag::FUNCTION_CALL | tag::PARSE | tag::BIND if self.skipping => return Ok(()),
            tag::QUERY | tag::FUNCTION_CALL | tag::PARSE | tag::BIND => {}
            tag => return Err(Error::UnknownMessage { tag }),
        }
        let failure = self.refused().unwrap_or_else(|| match self.status {
            TransactionStatus::Failed => self.transaction_failed(),
            TransactionStatus::Idle | TransactionStatus::InTransaction => too_long(),
        });
        self.fail(&failure, None, out);
        self.end_of_query(tag, out);
        Ok(())
    }

    /// The failure that every request has for now.
    fn refused(&self) -> Option<Failure> {
        self.refusing.as_ref().map(|(_, failure)| failure.clone())
    }

    fn query(&mut self, sql: &str, out: &mut BytesMut) -> Todo {
        self.series_open = false;
        if let Some(failure) = self.refused() {
            self.fail(&failure, None, out);
            return self.ready(out);
        }
        match self.statements_of(sql) {
            Ok(statements) if statements.is_empty() => {
                backend::empty_query_response(out);
                self.ready(out)
            }
            Ok(statements) => {
                self.queue = statements.into();
                self.next_of_query(out)
            }
            Err(failure) => {
                self.fail(&failure, Some(sql), out);
                self.ready(out)
            }
        }
    }

    fn statements_of(&self, sql: &str) -> Result<Vec<Statement>, Failure> {
        if sql.len() > LOCAL_SQL_BYTES_MAX {
            return Err(too_long());
        }
        let statements = match admin::parse(sql) {
            // In a failed transaction whatever is no end of it is refused for that reason.
            Err(_) if self.status == TransactionStatus::Failed => return Err(self.transaction_failed()),
            parsed => parsed?,
        };
        let about_databases = statements.iter().find(|statement| statement.is_about_databases());
        if let (Some(statement), true) = (about_databases, statements.len() > 1) {
            return Err(failure::in_transaction(statement.title()));
        }
        Ok(statements)
    }

    fn next_of_query(&mut self, out: &mut BytesMut) -> Todo {
        while let Some(statement) = self.queue.pop_front() {
            match self.begin(&statement, out) {
                Ok(true) => {}
                Ok(false) => {
                    let statement = Arc::new(statement);
                    return Todo::Run(Job { statement, parameters: Vec::new(), reply: Reply::Simple });
                }
                Err(failure) => {
                    self.fail(&failure, None, out);
                    self.queue.clear();
                }
            }
        }
        self.ready(out)
    }

    /// Does what needs nobody else: true when the statement is complete.
    fn begin(&mut self, statement: &Statement, out: &mut BytesMut) -> Result<bool, Failure> {
        use TransactionStatus::{Failed, Idle, InTransaction};
        let tag = match (statement, self.status) {
            (Statement::Commit, Failed) if self.first_failure.is_some() => {
                // Who asks for a commit must be told that there is none: drivers do not look at the tag.
                self.status = Idle;
                return Err(self.take_transaction_failed());
            }
            (Statement::Commit, Failed) | (Statement::Rollback, _) => {
                self.status = Idle;
                self.first_failure = None;
                "ROLLBACK"
            }
            (Statement::Commit, Idle | InTransaction) => {
                self.status = Idle;
                "COMMIT"
            }
            (_, Failed) => return Err(self.take_transaction_failed()),
            (Statement::Begin { tag }, Idle | InTransaction) => {
                self.status = InTransaction;
                tag
            }
            (statement, InTransaction) if statement.is_about_databases() => {
                return Err(failure::in_transaction(statement.title()));
            }
            (statement, Idle | InTransaction) => {
                let answered = statement.is_about_databases() || *statement == Statement::Directive;
                if self.scope == Scope::Session && !answered {
                    return Err(failure::in_pipeline("a statement about databases"));
                }
                return Ok(false);
            }
        };
        backend::command_complete(out, tag);
        Ok(true)
    }

    fn transaction_failed(&self) -> Failure {
        self.first_failure.clone().unwrap_or_else(failure::transaction_failed)
    }

    fn take_transaction_failed(&mut self) -> Failure {
        self.first_failure.take().unwrap_or_else(failure::transaction_failed)
    }

    /// The result of a job.
    pub(crate) fn ran(&mut self, job: Job, result: Result<Answer, Failure>, out: &mut BytesMut) -> Todo {
        metrics::answered_here(job.statement.title());
        let answer = match result {
            Ok(answer) => answer,
            Err(failure) => {
                let simple = matches!(job.reply, Reply::Simple);
                if simple {
                    self.fail(&failure, None, out);
                    self.queue.clear();
                    return self.ready(out);
                }
                self.fail_series(&failure, None, out);
                return Todo::Next;
            }
        };
        for notice in &answer.notices {
            let severity =
                if notice.code == sqlstate::WARNING { Severity::Warning } else { Severity::Notice };
            notice.notice(out, severity);
        }
        let columns = job.statement.columns();
        let mut portal = Portal::new(job.statement, Vec::new());
        match job.reply {
            Reply::Simple => {
                if let Some(columns) = &columns
                    && let Err(error) = admin::write_columns(out, columns, &[])
                {
                    self.fail(&Failure::from(&error), None, out);
                    self.queue.clear();
                    return self.ready(out);
                }
                portal.fill(answer);
                if let Err(error) = portal.write(0, out) {
                    self.fail(&Failure::from(&error), None, out);
                    self.queue.clear();
                }
                self.next_of_query(out)
            }
            Reply::Portal { name, rows_max } => {
                if let Some(portal) = self.portals.get_mut(&name) {
                    portal.fill(answer);
                    if let Err(error) = portal.write(rows_max, out) {
                        self.fail_series(&Failure::from(&error), None, out);
                    }
                }
                Todo::Next
            }
        }
    }

    fn sync(&mut self, out: &mut BytesMut) {
        self.skipping = false;
        self.series_open = false;
        self.ready(out);
    }

    /// Ends a request.
    fn ready(&mut self, out: &mut BytesMut) -> Todo {
        if let Some((requests, _)) = &mut self.refusing {
            *requests -= 1;
            if *requests == 0 {
                self.refusing = None;
            }
        }
        if self.status == TransactionStatus::Idle {
            self.portals.clear();
        }
        backend::ready_for_query(out, self.status);
        Todo::Next
    }

    /// An error outside of a series ends its Query; within one, the rest is skipped.
    fn end_of_query(&mut self, tag: u8, out: &mut BytesMut) -> Todo {
        use wire::frontend::tag;
        if matches!(tag, tag::QUERY | tag::FUNCTION_CALL) {
            return self.ready(out);
        }
        self.series_open = true;
        self.skipping = true;
        Todo::Next
    }

    fn fail(&mut self, failure: &Failure, sql: Option<&str>, out: &mut BytesMut) {
        if self.first_failure.as_ref() == Some(failure) {
            self.first_failure = None;
        }
        if self.status == TransactionStatus::InTransaction {
            self.status = TransactionStatus::Failed;
        }
        metrics::refused(failure.code);
        failure.error(out, sql);
    }

    fn fail_series(&mut self, failure: &Failure, sql: Option<&str>, out: &mut BytesMut) {
        self.fail(failure, sql, out);
        self.skipping = true;
    }
}

fn too_long() -> Failure {
    let text = format!("a statement for the handler has at most {LOCAL_SQL_BYTES_MAX} bytes");
    Failure::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, text)
}

#[cfg(test)]
mod tests;
