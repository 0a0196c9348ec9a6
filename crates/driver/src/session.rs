//! One connection to a server, from its start-up to its end.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use directive::{Acknowledgement, limits::ACKNOWLEDGEMENTS_MAX, postgres};
use futures::StreamExt;
use tokio::task::JoinHandle;

use crate::{
    driver::Shared,
    protocol::{Address, DialError, Messages, Watch},
    reader::{Reading, read},
    statement::{Prepared, Source, Statement},
    work::{Answer, Work},
};

/// Acknowledgements that wait for the session to be idle; of more, the oldest are dropped.
const OUTBOX_MAX: usize = 256;

/// A session.
pub(crate) struct Session {
    pub(crate) client: tokio_postgres::Client,
    pub(crate) address: Address,
    pub(crate) watch: Arc<Watch>,
    pub(crate) outbox: Arc<Outbox>,
    end: Arc<OnceLock<Option<String>>>,
    /// The application has heard that it ended, so it need not be told again.
    told: AtomicBool,
    statements: Mutex<HashMap<u64, (Weak<Prepared>, tokio_postgres::Statement)>>,
    reading: JoinHandle<()>,
}

/// What is to be said back in a session.
#[derive(Default)]
pub(crate) struct Outbox(Mutex<VecDeque<Acknowledgement>>);

impl Outbox {
    pub(crate) fn push(&self, acknowledgement: Acknowledgement) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() >= OUTBOX_MAX {
            queue.pop_front();
        }
        queue.push_back(acknowledgement);
    }

    fn take(&self) -> Vec<Acknowledgement> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.len().min(ACKNOWLEDGEMENTS_MAX);
        queue.drain(..count).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// A request that failed.
pub(crate) struct Failed {
    pub(crate) error: tokio_postgres::Error,
    /// Its statement was being prepared, so nothing had been executed.
    pub(crate) preparing: bool,
}

impl Session {
    /// Opens one, and announces this driver.
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        address: &Address,
        config: &tokio_postgres::Config,
    ) -> Result<Session, DialError> {
        let token = format!("{:032x}", rand::random::<u128>());
        let mut config = config.clone();
        if let Some(option) = shared.announcement(&token) {
            let options = config.get_options().map(|options| format!("{options} ")).unwrap_or_default();
            config.options(options + option.as_str());
        }
        let watch = Arc::<Watch>::default();
        let (client, messages) = shared.dial.dial(address, &config, watch.clone()).await?;
        let (outbox, end) = (Arc::<Outbox>::default(), Arc::<OnceLock<_>>::default());
        let reading = tokio::spawn(reading(
            Arc::downgrade(shared),
            messages,
            (token, address.to_string()),
            outbox.clone(),
            end.clone(),
        ));
        Ok(Session {
            client,
            address: address.clone(),
            watch,
            outbox,
            end,
            told: AtomicBool::new(false),
            statements: Mutex::default(),
            reading,
        })
    }

    /// Whether it is at its end.
    pub(crate) fn is_ended(&self) -> bool {
        self.client.is_closed() || self.end.get().is_some()
    }

    /// The SQLSTATE with which the server ended it, if it gave one.
    pub(crate) fn end_code(&self) -> Option<&str> {
        self.end.get()?.as_deref()
    }

    /// Ends it from this side, at once.
    pub(crate) fn abandon(&self) {
        self.end.get_or_init(|| None);
        self.reading.abort();
    }

    /// The application is told that it ended.
    pub(crate) fn tell(&self) {
        self.told.store(true, Ordering::SeqCst);
    }

    /// Whether an open transaction went with it, of which the application has not heard.
    pub(crate) fn lost_transaction(&self) -> bool {
        self.watch.in_transaction() && !self.told.load(Ordering::SeqCst)
    }

    /// Does what a call asks for.
    pub(crate) async fn run(&self, work: Work<'_>) -> Result<Answer, Failed> {
        let prepared = match work {
            Work::Query(source, _) | Work::Execute(source, _) => {
                let known = self.prepared(source).await;
                Some(known.map_err(|error| Failed { error, preparing: true })?)
            }
            Work::Simple(_) | Work::Batch(_) | Work::Prepare(..) => None,
        };
        self.run_prepared(work, prepared).await.map_err(|error| Failed { error, preparing: false })
    }

    async fn run_prepared(
        &self,
        work: Work<'_>,
        prepared: Option<tokio_postgres::Statement>,
    ) -> Result<Answer, tokio_postgres::Error> {
        let statement = || prepared.as_ref().expect("BUG: it was prepared");
        match work {
            Work::Query(_, params) => self.client.query(statement(), params).await.map(Answer::Rows),
            Work::Execute(_, params) => self.client.execute(statement(), params).await.map(Answer::Count),
            Work::Simple(text) => self.client.simple_query(text).await.map(Answer::Messages),
            Work::Batch(text) => self.client.batch_execute(text).await.map(|()| Answer::Done),
            Work::Prepare(text, types) => {
                let known = self.client.prepare_typed(text, types).await?;
                let statement = Statement::new(text, types, known.clone());
                self.learn(&statement, known);
                Ok(Answer::Prepared(statement))
            }
        }
    }

    async fn prepared(&self, source: Source<'_>) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
        match source.prepared {
            None => self.client.prepare(source.text).await,
            Some(statement) => self.known(statement).await,
        }
    }

    /// The statement as this session knows it; prepared now if it does not.
    pub(crate) async fn known(
        &self,
        statement: &Statement,
    ) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
        let Prepared { id, text, types, .. } = &*statement.0;
        if let Some((_, known)) = self.statements().get(id) {
            return Ok(known.clone());
        }
        let known = self.client.prepare_typed(text, types).await?;
        self.learn(statement, known.clone());
        Ok(known)
    }

    /// A statement was prepared here.
    fn learn(&self, statement: &Statement, known: tokio_postgres::Statement) {
        let mut statements = self.statements();
        statements.retain(|_, (alive, _)| alive.strong_count() > 0);
        statements.insert(statement.0.id, (Arc::downgrade(&statement.0), known));
    }

    /// The statements that are in use.
    pub(crate) fn in_use(&self) -> Vec<Statement> {
        self.statements().values().filter_map(|(alive, _)| alive.upgrade().map(Statement)).collect()
    }

    fn statements(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<u64, (Weak<Prepared>, tokio_postgres::Statement)>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says back what is to be said, if nothing is under way. Whether there is more.
    pub(crate) async fn acknowledge(&self) -> bool {
        if self.watch.is_under_way() || self.watch.in_transaction() || self.is_ended() {
            return !self.outbox.is_empty();
        }
        let acknowledgements = self.outbox.take();
        if acknowledgements.is_empty() {
            return false;
        }
        match postgres::acknowledge(&acknowledgements) {
            Ok(sql) => {
                // Whoever does not understand it has no harm from it, and an ended session says so to the next call.
                if let Err(error) = self.client.batch_execute(&sql).await {
                    tracing::debug!(%error, "acknowledgements were not taken");
                }
            }
            Err(refusal) => tracing::debug!(%refusal, "acknowledgements that nobody would read"),
        }
        !self.outbox.is_empty()
    }
}

impl Drop for Session {
    /// The connection says goodbye by itself once its client is gone; one that cannot is left to its socket's end.
    fn drop(&mut self) {
        if self.end.get().is_some() {
            self.reading.abort();
        }
    }
}

/// Reads what the server says on its own until the session ends.
async fn reading(
    shared: Weak<Shared>,
    mut messages: Messages,
    (token, address): (String, String),
    outbox: Arc<Outbox>,
    end: Arc<OnceLock<Option<String>>>,
) {
    let mut code = None;
    while let Some(message) = messages.next().await {
        let Some(shared) = shared.upgrade() else { break };
        match message {
            Ok(message) => match read(message) {
                Reading::Directive(bytes) => shared.obey(&bytes, &token, &outbox),
                Reading::Ignored => {}
                Reading::Notice(notice) => tracing::info!("{}: {}", notice.severity(), notice.message()),
                Reading::Notification(notification) => shared.notified(notification),
            },
            Err(error) => {
                code = error.code().map(|code| code.code().to_owned());
                shared.meter.broken(&error);
                shared.trouble(class(&error), code.as_deref(), &address);
                break;
            }
        }
    }
    // Before the stream goes, and with it whoever waits for an answer.
    end.get_or_init(|| code);
    drop(messages);
}

/// What kind of end it was, without any of its words.
fn class(error: &tokio_postgres::Error) -> &'static str {
    use std::{error::Error as _, io::ErrorKind};
    if error.code().is_some() {
        return "ended by the server";
    }
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    match io.map(std::io::Error::kind) {
        Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted) => "reset",
        Some(ErrorKind::InvalidData | ErrorKind::InvalidInput) => "a reply that makes no sense",
        Some(ErrorKind::TimedOut) => "time-out",
        Some(_) => "broken",
        None if error.is_closed() => "closed without a word",
        None => "a reply that makes no sense",
    }
}
