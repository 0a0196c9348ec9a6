//! A client's conversation with a SQLite database.
//!
//! Frames queue up in [`SqliteSession::push`]; [`SqliteSession::step`] works on one request at a time and can stop at any row, in
//! front of the writer's queue and in a `pg_sleep`, to go on where it stopped. Nothing here waits.

mod cache;
mod commands;
mod copying;
mod ending;
mod execute;
mod extended;
mod plan;
mod planner;
mod portal;
mod requests;
mod schema;
mod script;
pub(super) mod settings;
mod transaction;
mod writing;

pub(super) use self::execute::TimeLimit;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use wire::backend::{self, Severity};
use wire::frontend::Message;
use wire::{Frame, SqlState, sqlstate};

use self::cache::Cache;
use self::execute::Execution;
use self::extended::Prepared;
use self::plan::Generation;
use self::portal::Portal;
use self::requests::Requests;
use self::script::Script;
use self::settings::Settings;
use self::transaction::{Block, Transaction};
use super::catalog::{Catalog, Context, Mention};
use super::connect;
use super::database::{Seat, Shared};
use super::ffi::Connection;
use super::functions::{self, Facts};
use super::guard::Guard;
use super::sql_error::SqlError;
use super::translate::translate;
use crate::engine::{
    CommitSeq, EngineError, InterruptHandle, NextWriter, OUTPUT_BYTES, Session, SessionStart, Step,
    TransactionStatus, WriterPermit,
};

/// A session. Fields that hold statements come before the connection, though any order of dropping is sound.
pub(super) struct SqliteSession {
    work: Work,
    portals: HashMap<String, Portal>,
    statements: HashMap<String, Prepared>,
    cache: Cache,
    connection: Connection,
    transaction: Transaction,
    settings: Arc<Mutex<Settings>>,
    input: VecDeque<(u8, Bytes)>,
    /// After an error in a pipeline: everything is skipped up to Sync.
    skipping: bool,
    /// A request is under way: from its first frame to its ReadyForQuery.
    in_request: bool,
    requests: Requests,
    closed: bool,
    gate: CommitSeq,
    interrupt: InterruptHandle,
    /// Is told of every error.
    failed: Arc<dyn Fn(SqlState) + Send + Sync>,
    limit: Arc<execute::TimeLimit>,
    guard: Guard,
    facts: Facts,
    /// When the session began to wait for the writer permit.
    waiting_since: Option<Duration>,
    /// Plans of texts that clients parse again and again.
    plans: planner::Plans,
    known: RefCell<schema::Known>,
    catalog: Catalog,
    /// Changes of the schema by this session.
    local_schema: u64,
    shared: Arc<Shared>,
    _seat: Seat,
}

/// What the session is in the middle of.
enum Work {
    None,
    /// A simple Query.
    Script(Script),
    /// An Execute.
    Execute(Execution),
}

/// How a piece of work went.
enum Flow {
    /// On to the next.
    Done,
    /// The shell has to do something first; the work is kept.
    Yield(Step),
}

impl SqliteSession {
    pub fn open(shared: Arc<Shared>, seat: Seat, start: SessionStart) -> Result<Self, EngineError> {
        let failed = |reason: String| EngineError::Open { path: shared.path.clone(), reason };
        let mut connection = connect::for_session(&shared.path, &shared.limits)
            .map_err(|failure| failed(failure.to_string()))?;
        let settings = Settings::start(&start.user, &start.parameters)
            .map_err(|error| EngineError::Refused { sqlstate: "22023", reason: error.message })?;
        let settings = Arc::new(Mutex::new(settings));
        let interrupt = InterruptHandle::default();
        let limit = Arc::new(execute::TimeLimit::new(interrupt.clone(), Arc::clone(&shared.clock)));
        let facts =
            Facts::new(start.clone(), Arc::clone(&settings), Arc::clone(&limit), Arc::clone(&shared.clock));
        functions::register(&mut connection, &facts).map_err(|error| failed(error.to_string()))?;
        let catalog = Catalog::new(Context {
            user: start.user.clone(),
            database: start.database.clone(),
            databases: Arc::clone(&start.databases),
            settings: Arc::clone(&settings),
            process_id: start.process_id,
        });
        let guard = Guard::default();
        install_hooks(&mut connection, &shared, &limit, &guard).map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            work: Work::None,
            portals: HashMap::new(),
            statements: HashMap::new(),
            cache: Cache::new(shared.limits.cached_statements_max),
            connection,
            transaction: Transaction::new(),
            settings,
            input: VecDeque::new(),
            skipping: false,
            in_request: false,
            requests: Requests::new(start.identity),
            failed: start.failed,
            closed: false,
            gate: CommitSeq(0),
            interrupt,
            limit,
            guard,
            facts,
            waiting_since: None,
            plans: planner::Plans::default(),
            known: RefCell::default(),
            catalog,
            local_schema: 0,
            shared,
            _seat: seat,
        })
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn generation(&self) -> Generation {
        let committed = self.shared.schema.load(std::sync::atomic::Ordering::SeqCst);
        Generation { committed, local: self.local_schema }
    }

    /// Makes the catalogs right for a statement that mentions them.
    fn prepare_catalog(&mut self, mention: &Mention) -> Result<(), SqlError> {
        let prepared = self.catalog.prepare(&mut self.connection, &self.guard, mention, self.local_schema);
        prepared.map_err(|failure| translate(&failure, &self.connection, ""))
    }

    /// From now on answers depend on everything that may be visible.
    fn note_reading(&mut self) {
        self.gate = self.gate.max(self.shared.commits.visible());
    }

    /// Works on what is under way, or on the next frame.
    fn advance(&mut self, out: &mut BytesMut) -> Option<Flow> {
        match mem::replace(&mut self.work, Work::None) {
            Work::Script(script) => Some(self.run_script(script, out)),
            Work::Execute(execution) => Some(self.run_execute(execution, out)),
            Work::None => {
                if self.input.len() == 1 && self.commits_next() {
                    return None;
                }
                let (tag, body) = self.input.pop_front()?;
                // Called now: this session goes on with something else, which may take long.
                drop(self.transaction.next_writer());
                self.begin_request(out.len());
                Some(self.frame(tag, &body, out))
            }
        }
    }

    fn begin_request(&mut self, at: usize) {
        if !mem::replace(&mut self.in_request, true) {
            self.interrupt.request_started();
            self.requests.began(at);
        }
    }

    /// Whether the next message commits in the middle of a series, so that it would have to be published before the
    /// series is answered. The client has to send more in any case, and it mostly is the Sync that ends the series.
    fn commits_next(&self) -> bool {
        let Some((tag @ wire::frontend::tag::EXECUTE, body)) = self.input.front() else { return false };
        match Message::decode(Frame { tag: *tag, body }) {
            Ok(Message::Execute { portal, .. }) if !self.skipping => {
                self.portals.get(portal).is_some_and(|portal| portal.plan.commits_at_once())
            }
            _other => false,
        }
    }

    fn frame(&mut self, tag: u8, body: &[u8], out: &mut BytesMut) -> Flow {
        use wire::frontend::tag;
        if self.skipping && !matches!(tag, tag::SYNC | tag::TERMINATE) {
            return Flow::Done;
        }
        match Message::decode(Frame { tag, body }) {
            Ok(message) => self.message(message, out),
            Err(error) if error.is_fatal() => self.die(&error.into(), out),
            Err(error) => {
                self.fail(&error.into(), "", out);
                match tag {
                    tag::QUERY | tag::FUNCTION_CALL | tag::SYNC => self.ready(out),
                    _extended => self.skipping = true,
                }
                Flow::Done
            }
        }
    }

    fn message(&mut self, message: Message<'_>, out: &mut BytesMut) -> Flow {
        let done = match message {
            Message::Query { sql } => return self.query(sql, out),
            Message::Execute { portal, rows_max } => return self.execute(portal, rows_max, out),
            Message::Sync => return self.sync(out),
            Message::Parse { name, sql, parameter_types } => self.parse(name, sql, parameter_types, out),
            Message::Bind(bind) => self.bind(&bind, out),
            Message::Describe(target) => self.describe(target, out),
            Message::Close(target) => self.close(target, out),
            // The shell flushes whenever the session is idle.
            Message::Flush => Ok(()),
            // What is left of a COPY that failed.
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail { .. } => Ok(()),
            Message::FunctionCall(_) => {
                self.fail(&SqlError::unsupported("the function call protocol"), "", out);
                self.ready(out);
                Ok(())
            }
            Message::Authentication(_) => {
                let error = SqlError::new(sqlstate::PROTOCOL_VIOLATION, "unexpected authentication message");
                return self.die(&error, out);
            }
            Message::Terminate => {
                self.closed = true;
                return Flow::Yield(Step::Closed);
            }
        };
        if let Err((error, text)) = done {
            self.fail(&error, &text, out);
            self.skipping = true;
        }
        Flow::Done
    }

    /// Answers a failed statement and puts the transaction where PostgreSQL would.
    fn fail(&mut self, error: &SqlError, text: &str, out: &mut BytesMut) {
        self.note_reading();
        error.write(out, text);
        (self.failed)(error.state);
        self.waiting_since = None;
        self.closed |= error.severity == Severity::Fatal;
        self.drop_portals();
        self.transaction.notice_lost(&self.connection);
        match self.transaction.block {
            Block::None => self.abandon(),
            Block::Implicit => {
                self.abandon();
                self.transaction.end();
            }
            Block::Explicit | Block::Failed => {
                self.transaction.block = Block::Failed;
                // Without a savepoint nothing can be saved: let the next writer in at once.
                if !self.transaction.has_savepoints() {
                    self.abandon();
                }
            }
        }
    }

    /// Undoes what is open in SQLite and gives the permit back.
    fn abandon(&mut self) {
        if let Err(failure) = self.transaction.undo(&self.connection) {
            tracing::error!(%failure, "a transaction cannot be rolled back");
        }
        if mem::take(&mut self.transaction.schema_changed) {
            self.schema_changed();
        }
        self.transaction.release_writer(&self.shared.commits);
        if self.transaction.block != Block::Failed {
            self.settings().transaction_ended(false);
        }
    }

    fn schema_changed(&mut self) {
        self.local_schema += 1;
        self.cache.clear();
    }

    /// The session cannot go on.
    fn die(&mut self, error: &SqlError, out: &mut BytesMut) -> Flow {
        error.clone().fatal().write(out, "");
        (self.failed)(error.state);
        self.closed = true;
        Flow::Yield(Step::Closed)
    }

    fn work(&mut self, out: &mut BytesMut) -> Step {
        loop {
            if self.closed {
                return Step::Closed;
            }
            if out.len() >= OUTPUT_BYTES || self.requests.are_many() {
                return Step::Output;
            }
            match self.advance(out) {
                None => return Step::Idle,
                Some(Flow::Done) => {}
                Some(Flow::Yield(step)) => return step,
            }
        }
    }

    /// Ends the request.
    fn ready(&mut self, out: &mut BytesMut) {
        if self.closed {
            return;
        }
        self.settings().report_changes(out);
        backend::ready_for_query(out, self.transaction.status());
        self.in_request = false;
        self.requests.ended(out.len());
        self.publish(out);
        self.interrupt.request_ended();
    }
}

/// What SQLite calls while it works for this session.
fn install_hooks(
    connection: &mut Connection,
    shared: &Shared,
    limit: &Arc<execute::TimeLimit>,
    guard: &Guard,
) -> rusqlite::Result<()> {
    /// Instructions between two looks at the clock: some 30 microseconds.
    const INSTRUCTIONS: i32 = 1000;
    let binding = connection.binding();
    let hook = Arc::clone(limit);
    binding.progress_handler(INSTRUCTIONS, Some(move || hook.exceeded()))?;
    let (commits, quiet) = (Arc::clone(&shared.commits), guard.clone());
    binding.commit_hook(Some(move || {
        if !quiet.is_trusted() {
            commits.announce();
        }
        false
    }))?;
    let commits = Arc::clone(&shared.commits);
    binding.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, frames| {
        commits.commit(u64::try_from(frames).unwrap_or(0));
        Ok(())
    }))?;
    let guard = guard.clone();
    binding.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| guard.decide(&context)))
}

impl Session for SqliteSession {
    fn greet(&mut self, out: &mut BytesMut) {
        self.settings().report_all(out);
    }

    fn push(&mut self, tag: u8, body: Bytes) -> Result<(), EngineError> {
        if self.closed {
            let reason = "the session is over".to_owned();
            return Err(EngineError::Protocol { sqlstate: "08P01", reason });
        }
        self.input.push_back((tag, body));
        Ok(())
    }

    fn step(&mut self, out: &mut BytesMut) -> Step {
        self.requests.resume(out.len());
        let step = self.work(out);
        self.publish(out);
        if let Work::None = self.work
            && !self.transaction.is_open()
        {
            // Foreseen, and then not needed.
            self.transaction.release_writer(&self.shared.commits);
        }
        self.requests.pause(out);
        step
    }

    fn foresee_wait(&mut self, out: &BytesMut) -> Option<Option<Duration>> {
        if !self.shared.queue.is_taken() || !self.writes_next() {
            return None;
        }
        self.requests.resume(out.len());
        self.begin_request(out.len());
        self.requests.pause(out);
        match self.ask_to_write() {
            Ok(Some(Step::Writer(bound))) => Some(bound),
            // The permit is free after all; an error is found again.
            Ok(_) | Err(_) => None,
        }
    }

    fn next_writer(&mut self) -> Option<NextWriter> {
        self.transaction.next_writer()
    }

    fn gate(&self) -> CommitSeq {
        self.gate
    }

    fn grant_writer(&mut self, permit: WriterPermit) {
        // A permit that comes after the wait was given up goes back to the queue.
        if self.waiting_since.take().is_some() {
            self.transaction.grant(permit);
        }
    }

    fn interrupt(&self) -> InterruptHandle {
        self.interrupt.clone()
    }

    fn transaction_status(&self) -> TransactionStatus {
        self.transaction.status()
    }

    fn busy(&self) -> bool {
        self.in_request || !self.input.is_empty()
    }

    fn pinned(&self) -> bool {
        self.transaction.block != Block::None || !self.portals.is_empty() || self.busy()
    }
}

impl Drop for SqliteSession {
    fn drop(&mut self) {
        self.drop_all_portals();
        self.abandon();
        self.requests.lose();
        self.publish(&[]);
    }
}

/// How long the shell may wait for the writer permit; zero in a setting means no limit.
fn shortest(limits: impl IntoIterator<Item = Duration>) -> Option<Duration> {
    limits.into_iter().filter(|limit| !limit.is_zero()).min()
}
