//! The map is one: what many clients were answered while leaders were killed and cut off could have happened one after
//! the other. And the checker is to be trusted: without the read index it finds what is wrong.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use history::linearizable::{Model, Operation, Verdict, check};
use model::{IdempotencyKey, Rejection, RequestId, ServerId};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rpc::{
    Refusal, Secret, Service,
    controller::{Consistency, ControllerApiClient, DatabaseRef, LookUp, Operation as Change},
    handshake::Role,
};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    fleet::{Fleet, address, eventually},
    net::Net,
    server::Server,
};

const CLIENTS: u64 = 8;
const KEYS: u64 = 4;
const SERVERS: u32 = 3;
/// How long a client waits for an answer. Then nobody knows what became of its change.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1_000);

/// What was done with one database, and answered.
#[derive(Clone, Copy, Debug)]
enum Done {
    /// It was made; the leader chose an owner.
    Create,
    /// It was there already when it was to be made.
    CreateInVain,
    /// It was given to this server.
    Assign(ServerId),
    /// It was looked up: what was found.
    LookUp(Option<Found>),
}

/// A database in the map: how many owners it has had, and the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Found {
    epoch: u64,
    owner: Option<ServerId>,
}

impl Model for Done {
    type State = Option<Found>;

    fn after(&self, state: &Option<Found>) -> Vec<Option<Found>> {
        match (*self, *state) {
            (Self::Create, None) => {
                let owners = (1..=SERVERS).map(|server| Some(ServerId(server)));
                owners.map(|owner| Some(Found { epoch: 1, owner })).collect()
            }
            (Self::CreateInVain, Some(found)) => vec![Some(found)],
            (Self::Assign(to), Some(found)) if found.owner == Some(to) => vec![Some(found)],
            (Self::Assign(to), Some(found)) => vec![Some(Found { epoch: found.epoch + 1, owner: Some(to) })],
            (Self::LookUp(seen), state) if seen == state => vec![state],
            (Self::Create, Some(_)) | (Self::CreateInVain | Self::Assign(_), None) | (Self::LookUp(_), _) => {
                Vec::new()
            }
        }
    }

    fn is_read(&self) -> bool {
        matches!(self, Self::LookUp(_))
    }
}

/// What all clients share.
#[derive(Default)]
struct Record {
    clock: AtomicU64,
    stop: AtomicBool,
    history: Mutex<BTreeMap<String, Vec<Operation<Done>>>>,
    /// Changes that were answered.
    changed: AtomicU64,
    keys: AtomicU64,
}

/// What became of one call.
enum Fate {
    Answered(Done),
    /// It changed nothing and says nothing.
    Nothing,
    Unknown(Done),
}

/// One client: asks any controller, one thing at a time, and repeats nothing.
struct Client {
    net: Net,
    secret: Secret,
    record: Arc<Record>,
    random: StdRng,
    connections: HashMap<u64, ControllerApiClient>,
}

impl Client {
    fn new(fleet: &Fleet, record: &Arc<Record>, number: u64) -> Self {
        Self {
            net: fleet.net.clone(),
            secret: fleet.secret.clone(),
            record: record.clone(),
            random: StdRng::seed_from_u64(number),
            connections: HashMap::new(),
        }
    }

    async fn work(mut self, round: u64) {
        while !self.record.stop.load(Ordering::Relaxed) {
            let name = format!("round{round}_{}", self.random.random_range(0..KEYS));
            let controller = self.random.random_range(1..=3);
            let invoked = self.record.clock.fetch_add(1, Ordering::SeqCst);
            let fate = self.once(controller, &name).await;
            let returned = self.record.clock.fetch_add(1, Ordering::SeqCst);
            let operation = match fate {
                Fate::Answered(what) => Operation { invoked, returned: Some(returned), what },
                Fate::Unknown(what) => Operation { invoked, returned: None, what },
                Fate::Nothing => continue,
            };
            if operation.returned.is_some() && !matches!(operation.what, Done::LookUp(_)) {
                self.record.changed.fetch_add(1, Ordering::Relaxed);
            }
            self.record.history.lock().expect("nobody panics").entry(name).or_default().push(operation);
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    }

    async fn once(&mut self, controller: u64, name: &str) -> Fate {
        let Some(client) = self.connection(controller).await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            return Fate::Nothing;
        };
        let fate = match self.random.random_range(0..10) {
            0 => self.create(&client, name).await,
            1..4 => self.assign(&client, name).await,
            _ => look_up(&client, name).await,
        };
        if matches!(fate, Fate::Unknown(_)) {
            self.connections.remove(&controller);
        }
        fate
    }

    async fn connection(&mut self, controller: u64) -> Option<ControllerApiClient> {
        if let Some(client) = self.connections.get(&controller) {
            return Some(client.clone());
        }
        let (dial, address) = (self.net.from("client:1"), address(controller));
        let connecting = rpc::connect(&*dial, &address, &self.secret, Service::Controller, Role::Operator);
        let transport = timeout(ANSWER_TIMEOUT, connecting).await.ok()?.ok()?;
        let client = ControllerApiClient::new(rpc::tarpc::client::Config::default(), transport).spawn();
        self.connections.insert(controller, client.clone());
        Some(client)
    }

    async fn create(&mut self, client: &ControllerApiClient, name: &str) -> Fate {
        let key = IdempotencyKey(self.record.keys.fetch_add(1, Ordering::Relaxed).into());
        change(client, Change::CreateDatabase { name: name.into(), key }, Done::Create).await
    }

    async fn assign(&mut self, client: &ControllerApiClient, name: &str) -> Fate {
        let server = self.random.random_range(1..=SERVERS);
        let (database, to) = (DatabaseRef::Name(name.into()), Some(format!("s{server}")));
        let assign = Change::AssignDatabase { database, server: to };
        change(client, assign, Done::Assign(ServerId(server))).await
    }
}

async fn change(client: &ControllerApiClient, change: Change, done: Done) -> Fate {
    match timeout(ANSWER_TIMEOUT, client.operate(rpc::context(), RequestId(1), change)).await {
        Ok(Ok(Ok(_))) => Fate::Answered(done),
        Ok(Ok(Err(Refusal::Rejected(Rejection::NameTaken { .. })))) => Fate::Answered(Done::CreateInVain),
        Ok(Ok(Err(refusal))) if refusal.effect() == rpc::Effect::None => Fate::Nothing,
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => Fate::Unknown(done),
    }
}

async fn look_up(client: &ControllerApiClient, name: &str) -> Fate {
    let database = DatabaseRef::Name(name.into());
    let request = LookUp { database, consistency: Consistency::Linearizable };
    match timeout(ANSWER_TIMEOUT, client.look_up(rpc::context(), request)).await {
        Ok(Ok(Ok(info))) => {
            let owner = info.owner.map(|owner| owner.tenure.server);
            Fate::Answered(Done::LookUp(Some(Found { epoch: info.epoch.0, owner })))
        }
        Ok(Ok(Err(Refusal::DatabaseNameUnknown { .. }))) => Fate::Answered(Done::LookUp(None)),
        // What was not seen says nothing.
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => Fate::Nothing,
    }
}

/// What happens to the leader in the midst of it.
#[derive(Clone, Copy, Debug)]
enum Nemesis {
    /// It dies, and is started again.
    Kill,
    /// The other controllers do not reach it any more; clients and servers do.
    Isolate,
}

/// Clients at work, a leader in trouble, and what they were answered.
async fn round(fleet: &mut Fleet, number: u64, nemesis: Nemesis) -> Arc<Record> {
    let record = Arc::new(Record::default());
    record.keys.store(number * 1_000_000, Ordering::Relaxed);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(Client::new(fleet, &record, number * CLIENTS + client).work(number));
    }
    let leader = fleet.leader().await;
    goes_on(&record).await;
    match nemesis {
        Nemesis::Kill => {
            fleet.kill(leader);
            goes_on(&record).await;
            fleet.run(leader);
        }
        Nemesis::Isolate => {
            for other in fleet.ids().into_iter().filter(|other| *other != leader) {
                fleet.net.sever(&address(leader), &address(other));
            }
            goes_on(&record).await;
            fleet.net.mend();
        }
    }
    goes_on(&record).await;
    record.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.expect("no client panics");
    }
    fleet.agreed().await;
    record
}

/// Waits until more changes are answered.
async fn goes_on(record: &Record) {
    let before = record.changed.load(Ordering::Relaxed);
    eventually("changes to go on", || async {
        (record.changed.load(Ordering::Relaxed) > before + 30).then_some(())
    })
    .await;
}

/// Three controllers with long leases, so that nothing but the clients changes owners; and three servers.
async fn fleet() -> (Fleet, Vec<Server>) {
    let fleet = Fleet::tuned(3, |settings| settings.lease = Duration::from_secs(600));
    fleet.leader().await;
    let mut servers = Vec::new();
    for number in 1..=SERVERS {
        let server = Server::start(&fleet, &format!("s{number}"), number.into()).await;
        assert_eq!(server.registered.server, ServerId(number));
        server.shared.forgive();
        servers.push(server);
    }
    (fleet, servers)
}

/// What is wrong with a record, by database; the number of operations.
fn judge(record: &Record) -> (Vec<String>, usize) {
    let history = record.history.lock().expect("nobody panics");
    let mut wrong = Vec::new();
    for (name, operations) in history.iter() {
        match check(operations) {
            Verdict::Linearizable => {}
            Verdict::Violated(how) => wrong.push(format!("{name}: {how}")),
            Verdict::Unknown => wrong.push(format!("{name}: no verdict on {} operations", operations.len())),
        }
    }
    (wrong, history.values().map(Vec::len).sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_ups_and_assignments_are_linearizable_while_leaders_are_killed_and_cut_off_c16_c17() {
    let (mut fleet, _servers) = fleet().await;
    for (number, nemesis) in (1..).zip([Nemesis::Isolate, Nemesis::Kill, Nemesis::Isolate, Nemesis::Kill]) {
        let record = round(&mut fleet, number, nemesis).await;
        let (wrong, operations) = judge(&record);
        assert!(operations > 200, "{operations} operations say little");
        assert!(wrong.is_empty(), "round {number}, {nemesis:?}:\n{}", wrong.join("\n"));
    }
}

/// The planted bug: a leader that answers without asking a quorum. One that is cut off shows what is long gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_read_index_the_checker_finds_stale_look_ups() {
    let (mut fleet, _servers) = fleet().await;
    for id in fleet.ids() {
        fs::write(fleet.settings(id).data_dir.join("planted-bug"), "no read index").expect("written");
    }
    for number in 1..=3 {
        let (wrong, _) = judge(&*round(&mut fleet, number, Nemesis::Isolate).await);
        if wrong.iter().any(|wrong| wrong.contains("none of these can follow")) {
            return;
        }
    }
    panic!("three leaders were cut off, and nobody noticed that they went on answering");
}
