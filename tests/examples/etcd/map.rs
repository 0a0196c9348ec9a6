//! Our side: three controllers, and one server to assign databases to.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use model::{IdempotencyKey, RequestId, Revision};
use rpc::{
    Service, TcpDial,
    controller::{Consistency, ControllerApiClient, DatabaseRef, LookUp, Operation},
    handshake::Role,
    tarpc::client::Config,
};
use tests::Cluster;

use crate::{CLIENTS_A_CONNECTION, KEYS, Kind, load::Work};

/// The cluster under test.
pub struct Map<'a> {
    cluster: &'a Cluster,
    leader: usize,
    /// The next name for a new database.
    next: Arc<AtomicU64>,
}

/// One client.
pub struct Client {
    connection: ControllerApiClient,
    kind: Kind,
    next: Arc<AtomicU64>,
}

impl<'a> Map<'a> {
    /// Finds out who leads.
    pub async fn of(cluster: &'a Cluster) -> Self {
        Self { cluster, leader: cluster.leader().await, next: Arc::new(AtomicU64::new(KEYS)) }
    }

    /// The controllers' processes.
    pub fn pids(&self) -> Vec<i32> {
        self.cluster.controllers.iter().map(tests::Process::pid).collect()
    }

    /// How many databases there are.
    pub fn len(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// A database that reads will find.
    pub async fn prepare(&self, key: u64) {
        self.cluster.create(&name(key)).await;
    }

    /// As many clients, on as many connections as theirs.
    pub async fn workers(&self, kind: Kind, clients: usize) -> Vec<Client> {
        let mut connections = Vec::new();
        for number in 0..clients.div_ceil(CLIENTS_A_CONNECTION).max(self.spread(kind, clients)) {
            connections.push(self.connect(self.member(kind, number)).await);
        }
        let client = |number: usize| Client {
            connection: connections[number % connections.len()].clone(),
            kind,
            next: self.next.clone(),
        };
        (0..clients).map(client).collect()
    }

    /// A connection to one of the controllers.
    pub async fn connect(&self, member: usize) -> ControllerApiClient {
        let address = self.cluster.controller_address(member).to_string();
        let secret = self.cluster.secret();
        let connecting = rpc::connect(&TcpDial, &address, secret, Service::Controller, Role::Operator);
        ControllerApiClient::new(Config::default(), connecting.await.expect("it answers")).spawn()
    }

    /// A client that writes.
    pub async fn writer(&self) -> Client {
        self.workers(Kind::Write, 1).await.pop().expect("one client")
    }

    /// The newest revision.
    pub async fn revision(&self) -> Revision {
        self.cluster.status(self.leader).await.expect("it answers").revision
    }

    fn spread(&self, kind: Kind, clients: usize) -> usize {
        if kind == Kind::Serializable { self.cluster.controllers.len().min(clients) } else { 1 }
    }

    fn member(&self, kind: Kind, number: usize) -> usize {
        let others = if kind == Kind::Serializable { number } else { 0 };
        (self.leader + others) % self.cluster.controllers.len()
    }
}

impl Work for Client {
    async fn once(&mut self) {
        let context = rpc::context();
        let consistency = match self.kind {
            Kind::Write => {
                let name = name(self.next.fetch_add(1, Ordering::Relaxed));
                let operation = Operation::CreateDatabase { name, key: IdempotencyKey(rand::random()) };
                let made = self.connection.operate(context, RequestId(rand::random()), operation).await;
                let database = made.expect("it answers").expect("it is made").database;
                assert!(
                    database.is_some_and(|database| database.owner.is_some()),
                    "assigned with its creation"
                );
                return;
            }
            Kind::Linearizable => Consistency::Linearizable,
            Kind::Serializable => Consistency::AtLeast(Revision(0)),
        };
        let database = DatabaseRef::Name(name(rand::random_range(0..KEYS)));
        let found = self.connection.look_up(context, LookUp { database, consistency }).await;
        found.expect("it answers").expect("it is there");
    }
}

/// The name of a database, and the key of etcd's entry. They come in no order of their own.
pub fn name(number: u64) -> String {
    format!("customer-{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
