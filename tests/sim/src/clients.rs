//! Clients: what they ask handlers and controllers for, and what they take the answers for. They repeat nothing.

mod look_ups;
mod maps;
mod moves;
mod registers;
mod sql;
mod tokens;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use model::{DatabaseId, IdempotencyKey, RequestId};
use rand::{Rng, rngs::StdRng};
use rpc::{
    Controllers,
    controller::{Consistency, DatabaseRef, LookUp, Operation},
    handshake::Role,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use wire::scram::Verifier;

use crate::{
    chance,
    invariant::Records,
    net::At,
    roles::{CONTROLLERS, controller_addresses, secret},
    trace,
};
use sql::Session;

/// Handlers.
pub const HANDLERS: u64 = 2;
/// The databases that clients work on.
pub const DATABASES: usize = 3;
/// How long a client waits for an answer. Then nobody knows what became of its request.
const PATIENCE: Duration = Duration::from_secs(15);

/// The name of a database.
pub fn name(database: usize) -> String {
    format!("shop{database}")
}

/// What went wrong with a request.
pub enum Trouble {
    /// It surely had no effect.
    None(String),
    /// Nobody knows.
    Unknown(String),
}

/// What one client works with.
pub struct Client {
    at: At,
    random: StdRng,
    records: Records,
    stop: watch::Receiver<bool>,
    /// Numbers that no two clients share.
    numbers: Arc<AtomicI64>,
    /// The database it works on.
    database: usize,
    /// The handler it goes to; any, when there is none.
    handler: Option<u64>,
    session: Option<Session>,
}

impl Client {
    /// Waits a moment; false when it is time to stop.
    async fn pause(&mut self, mean_ms: u64) -> bool {
        sleep(Duration::from_millis(self.random.random_range(mean_ms / 2..=mean_ms * 3 / 2))).await;
        !*self.stop.borrow()
    }

    fn number(&self) -> i64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The first column of the rows of one statement, and how many rows it concerned.
    async fn ask(&mut self, statement: &str) -> Result<(Vec<String>, u64), Trouble> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let handler = self.handler.unwrap_or_else(|| self.random.random_range(1..=HANDLERS));
                let opened = timeout(PATIENCE, Session::open(&self.at, handler, &name(self.database))).await;
                opened.unwrap_or_else(|_| Err("no session".into())).map_err(Trouble::None)?
            }
        };
        let told = timeout(PATIENCE, session.ask(statement)).await;
        let told = told.unwrap_or_else(|_| Err(Trouble::Unknown("no answer".into())));
        // After any trouble the session is not trusted any more.
        match &told {
            Ok(_) => self.session = Some(session),
            Err(Trouble::None(why) | Trouble::Unknown(why)) => trace::note(format_args!("trouble: {why}")),
        }
        told
    }
}

fn controllers(at: &At) -> Controllers {
    Controllers::new(controller_addresses(), Arc::new(at.clone()), secret(), Role::Operator)
}

/// Waits until there is a fleet, and makes what clients need: the user, databases with tables; the databases' ids.
pub async fn prepare(at: At) -> Vec<DatabaseId> {
    let controllers = controllers(&at);
    // One iteration: what a password costs is not the question here.
    let verifier = Verifier::new(sql::PASSWORD, b"simulated", 1).expect("BUG: within bounds").to_string();
    insist(&controllers, || Operation::PutUser { name: sql::USER.into(), verifier: verifier.clone() }).await;
    let mut ids = Vec::new();
    for database in 0..DATABASES {
        let key = IdempotencyKey(rand::random());
        insist(&controllers, || Operation::CreateDatabase { name: name(database), key }).await;
        for statement in [registers::SCHEMA, tokens::SCHEMA] {
            while !has(&at, 1, database, statement).await {
                sleep(Duration::from_millis(100)).await;
            }
        }
        let database = DatabaseRef::parse(&name(database));
        let request = LookUp { database, consistency: Consistency::Linearizable };
        let call = |client: rpc::controller::ControllerApiClient, context| {
            let request = request.clone();
            async move { client.look_up(context, request).await }.boxed()
        };
        ids.extend(controllers.leader(call).await.map(|found| found.database));
    }
    ids
}

/// Repeats a change until it is made.
async fn insist(controllers: &Controllers, operation: impl Fn() -> Operation) {
    while controllers.operate(RequestId(rand::random()), operation()).await.is_err() {
        sleep(Duration::from_millis(200)).await;
    }
}

/// Whether a statement succeeds in a session of its own.
async fn has(at: &At, handler: u64, database: usize, statement: &str) -> bool {
    let asked = async {
        match Session::open(at, handler, &name(database)).await {
            Ok(session) => session.ask(statement).await.is_ok(),
            Err(_) => false,
        }
    };
    timeout(PATIENCE, asked).await.unwrap_or(false)
}

/// Lets all clients work until told to stop.
pub async fn work(at: At, seed: u64, records: Records, ids: Vec<DatabaseId>, stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    let numbers = Arc::new(AtomicI64::new(1));
    let mut begun = 0;
    let mut client = |database: usize, handler: Option<u64>| Client {
        at: at.clone(),
        random: {
            begun += 1;
            chance::stream(seed, 1_000 + begun)
        },
        records: records.clone(),
        stop: stop.clone(),
        numbers: numbers.clone(),
        database,
        handler,
        session: None,
    };
    for database in 0..DATABASES {
        // The last one is written through the last handler alone: see `registers`.
        let writers = if database + 1 == DATABASES { HANDLERS..=HANDLERS } else { 1..=HANDLERS };
        for handler in 1..=HANDLERS {
            tasks.spawn(registers::read(client(database, Some(handler))));
        }
        for handler in writers {
            tasks.spawn(tokens::add(client(database, Some(handler))));
            tasks.spawn(registers::change(client(database, Some(handler))));
        }
    }
    for controller in 1..=CONTROLLERS {
        tasks.spawn(look_ups::look_up(client(0, None), controller, ids.clone()));
        tasks.spawn(maps::compare(client(0, None), controller));
        tasks.spawn(moves::move_about(client(0, None), controller));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("BUG: clients do not panic");
    }
}

/// Whether everything is well: what is not, otherwise.
pub async fn recovered(at: At) -> Result<(), String> {
    for database in 0..DATABASES {
        for handler in 1..=HANDLERS {
            // A write, and one that can be repeated.
            let statement = "DELETE FROM tokens WHERE token < 0";
            if !has(&at, handler, database, statement).await {
                return Err(format!("{} is not served through h{handler}", name(database)));
            }
        }
    }
    maps::agree(&at).await
}

/// Reads everything once more, now that all is well.
pub async fn read_all(at: At, records: Records) {
    tokens::read_all(&at, &records).await;
    registers::read_all(&at, &records).await;
}
