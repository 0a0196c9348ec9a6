//! What clients of all kinds have in common: pace, connections, and what a failure is taken for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use history::{Edn, Kind};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{Target, random::Random, record::Record};

/// How long a client waits for an answer. Handlers wait 20 s for a server before they give up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long what must be done is tried, and the pause between two attempts.
const INSIST: Duration = Duration::from_secs(60);
const INSIST_PAUSE: Duration = Duration::from_millis(500);

/// The key in histories of why something failed that may fail where nothing is wrong.
pub const EXPECTED: &str = "expected";

/// What did not go well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It had no effect and never will, as happens where nothing is wrong: what was expected was not there, or somebody
    /// else was faster.
    Expected(String),
    /// It had no effect and never will.
    None(String),
    /// Nobody knows.
    Unknown(String),
}

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub f: &'static str,
    pub value: Edn,
}

/// What all clients of a workload share.
#[derive(Default)]
pub struct Shared {
    /// The last number that was given to an element, a value or a token.
    numbers: AtomicI64,
}

impl Shared {
    /// A number that nobody else gets.
    pub fn number(&self) -> i64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// One client's place.
pub struct Lane {
    pub number: u64,
    pub clients: u64,
    /// Between two operations, on average.
    pub pause_us: u64,
    pub target: Target,
    pub databases: Vec<String>,
    pub record: Arc<Record>,
    pub random: Random,
    pub shared: Arc<Shared>,
    pub stop: watch::Receiver<bool>,
}

/// A kind of client.
pub trait Worker: Send + 'static {
    /// A connection.
    type Link: Send;

    /// What to do next.
    fn next(&mut self, lane: &mut Lane) -> Ask;

    /// Connects, the `attempt`th time. Nothing of the operation has been sent then.
    fn connect(
        &mut self,
        lane: &Lane,
        attempt: u64,
    ) -> impl Future<Output = Result<Self::Link, String>> + Send;

    /// Does it; gives the value with which it ended.
    fn call(
        &mut self,
        lane: &Lane,
        link: &Self::Link,
        ask: &Ask,
    ) -> impl Future<Output = Result<Edn, Trouble>> + Send;
}

impl Lane {
    /// Works until told to stop.
    pub async fn work<W: Worker>(mut self, mut worker: W) {
        let (mut process, mut link, mut attempt) = (self.number as i64, None, self.number);
        let mut stop = self.stop.clone();
        while !*self.stop.borrow() {
            let pause =
                Duration::from_micros(self.random.between(self.pause_us / 2, self.pause_us * 3 / 2 + 1));
            tokio::select! {
                () = sleep(pause) => {}
                changed = stop.changed() => if changed.is_err() { return },
            }
            let ask = worker.next(&mut self);
            self.record.invoke(process, ask.f, ask.value.clone());
            let result = self.once(&mut worker, &mut link, &mut attempt, &ask).await;
            let (kind, value, why) = match result {
                Ok(value) => (Kind::Ok, value, None),
                Err(Trouble::Expected(why)) => (Kind::Fail, ask.value, Some((EXPECTED, why))),
                Err(Trouble::None(why)) => (Kind::Fail, ask.value, Some(("error", why))),
                Err(Trouble::Unknown(why)) => (Kind::Info, ask.value, Some(("error", why))),
            };
            let extra = why.into_iter().map(|(key, why)| (key.to_owned(), Edn::Text(why))).collect();
            self.record.complete(kind, process, ask.f, value, extra);
            if kind == Kind::Info {
                process += self.clients as i64;
            }
        }
    }

    async fn once<W: Worker>(
        &self,
        worker: &mut W,
        link: &mut Option<W::Link>,
        attempt: &mut u64,
        ask: &Ask,
    ) -> Result<Edn, Trouble> {
        // After any trouble the connection is not trusted any more.
        let with = match link.take() {
            Some(link) => link,
            None => {
                *attempt += 1;
                worker.connect(self, *attempt).await.map_err(Trouble::None)?
            }
        };
        let answer = timeout(ANSWER_TIMEOUT, worker.call(self, &with, ask)).await;
        let answer = answer.unwrap_or_else(|_| Err(Trouble::Unknown("no answer in 30 s".into())));
        if answer.is_ok() {
            *link = Some(with);
        }
        answer
    }

    /// The database that this client works on.
    pub fn database(&self) -> usize {
        self.number as usize % self.databases.len()
    }
}

/// The console, which every handler serves.
const CONSOLE: &str = "stationmaster";

/// Waits until a session can be had: the user must be known by then.
///
/// # Errors
/// What kept it from that for a minute.
pub async fn wait_for_console(target: &Target) -> anyhow::Result<()> {
    let again = async |_| target.connect(0, CONSOLE).await.map(drop);
    insist(again).await.map_err(|why| anyhow::anyhow!("no session at {}: {why}", target.handlers[0]))
}

/// Makes a database with these tables.
///
/// # Errors
/// What kept it from that for a minute.
pub async fn make(target: &Target, database: &str, schema: &[String]) -> anyhow::Result<()> {
    let again = async |attempt: usize| {
        let console = target.connect(attempt, CONSOLE).await?;
        match console.batch_execute(&format!("CREATE DATABASE {database}")).await {
            Err(error) if tests::code(&error) != "42P04" => return Err(tests::message(&error)),
            Ok(()) | Err(_) => {}
        }
        let session = target.connect(attempt, database).await?;
        for statement in schema {
            session.batch_execute(statement).await.map_err(|error| tests::message(&error))?;
        }
        Ok(())
    };
    insist(again).await.map_err(anyhow::Error::msg)
}

/// Tries for a minute, and once at least.
pub async fn insist<T>(mut attempt: impl AsyncFnMut(usize) -> Result<T, String>) -> Result<T, String> {
    let (end, mut tried) = (Instant::now() + INSIST, 0);
    loop {
        let done = timeout(ANSWER_TIMEOUT, attempt(tried)).await;
        match done.unwrap_or_else(|_| Err("no answer in 30 s".into())) {
            Err(_) if Instant::now() < end => sleep(INSIST_PAUSE).await,
            done => return done,
        }
        tried += 1;
    }
}
