//! Their side: three members of Debian's etcd, with its defaults.

use std::{
    fs::File,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tests::{Cluster, Reaper, until};
use tokio::net::TcpStream;

use crate::{
    CLIENTS_A_CONNECTION, KEYS, Kind,
    grpc::{Connection, Field, fields, put_bytes, put_number},
    load::Work,
    map::name,
};

/// What our side keeps of a database is about as long.
const VALUE: &[u8] = b"owner=server-1/7e50adf7be7de0bc epoch=1 address=127.0.0.1:7201 id=db-0001";

/// Three members that run.
pub struct Etcd {
    members: Vec<Child>,
    addresses: Vec<String>,
    leader: usize,
    next: Arc<AtomicU64>,
}

/// One client.
pub struct Client {
    connection: Connection,
    kind: Kind,
    next: Arc<AtomicU64>,
}

/// What `etcd --version` says first.
pub fn version() -> String {
    let output = Command::new("etcd").arg("--version").output().expect("etcd is installed");
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().into()
}

impl Etcd {
    /// Starts them beside the cluster's files, and waits until one leads.
    pub async fn start(cluster: &Cluster) -> Self {
        let addresses: Vec<String> = (0..3).map(|_| cluster.spare_address().to_string()).collect();
        let peers: Vec<String> = (0..3).map(|_| format!("http://{}", cluster.spare_address())).collect();
        let all: Vec<String> =
            peers.iter().enumerate().map(|(at, peer)| format!("etcd-{at}={peer}")).collect();
        let start = |at: usize| {
            use std::os::unix::process::CommandExt as _;
            let directory = cluster.directory().join(format!("etcd-{at}"));
            let log = File::create(directory.with_extension("log")).expect("a file of our own");
            let client = format!("http://{}", addresses[at]);
            let mut command = Command::new("etcd");
            for (name, _) in
                std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ETCD"))
            {
                command.env_remove(name);
            }
            command
                .args(["--name", &format!("etcd-{at}"), "--data-dir"])
                .arg(directory)
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peers[at], "--initial-advertise-peer-urls", &peers[at]])
                .args(["--initial-cluster", &all.join(","), "--initial-cluster-state", "new"])
                .process_group(Reaper::get().group())
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("a second handle"))
                .stderr(log)
                .spawn()
                .expect("etcd starts")
        };
        let members = (0..3).map(start).collect();
        for address in &addresses {
            until("etcd listens", || TcpStream::connect(address)).await;
        }
        let leader = until("etcd has a leader", async || leader(&addresses).await.ok_or("none")).await;
        Self { members, addresses, leader, next: Arc::new(AtomicU64::new(KEYS)) }
    }

    /// The members' processes.
    pub fn pids(&self) -> Vec<i32> {
        self.members.iter().map(|member| i32::try_from(member.id()).expect("a process id")).collect()
    }

    /// How many keys there are.
    pub fn len(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// A key that reads will find.
    pub async fn prepare(&self, key: u64) {
        put(&Connection::open(&self.addresses[self.leader]).await, key).await;
    }

    /// As many clients, on as many connections as ours.
    pub async fn workers(&self, kind: Kind, clients: usize) -> Vec<Client> {
        let mut connections = Vec::new();
        let spread = if kind == Kind::Serializable { self.addresses.len().min(clients) } else { 1 };
        for number in 0..clients.div_ceil(CLIENTS_A_CONNECTION).max(spread) {
            let others = if kind == Kind::Serializable { number } else { 0 };
            connections.push(self.connect(self.leader + others).await);
        }
        let client = |number: usize| Client {
            connection: connections[number % connections.len()].clone(),
            kind,
            next: self.next.clone(),
        };
        (0..clients).map(client).collect()
    }

    /// A connection to one of the members.
    pub async fn connect(&self, member: usize) -> Connection {
        Connection::open(&self.addresses[member % self.addresses.len()]).await
    }

    /// A client that writes.
    pub async fn writer(&self) -> Client {
        self.workers(Kind::Write, 1).await.pop().expect("one client")
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for member in &mut self.members {
            // It may have died by itself.
            drop(member.kill());
            member.wait().expect("it is our child");
        }
    }
}

impl Work for Client {
    async fn once(&mut self) {
        match self.kind {
            Kind::Write => put(&self.connection, self.next.fetch_add(1, Ordering::Relaxed)).await,
            Kind::Linearizable | Kind::Serializable => {
                let mut message = Vec::with_capacity(64);
                put_bytes(&mut message, 1, name(rand::random_range(0..KEYS)).as_bytes());
                if self.kind == Kind::Serializable {
                    put_number(&mut message, 7, 1);
                }
                let answer = self.connection.call("KV/Range", &message).await;
                assert!(fields(&answer).any(|(field, _)| field == 2), "the key is there");
            }
        }
    }
}

async fn put(connection: &Connection, key: u64) {
    let mut message = Vec::with_capacity(128);
    put_bytes(&mut message, 1, name(key).as_bytes());
    put_bytes(&mut message, 2, VALUE);
    connection.call("KV/Put", &message).await;
}

/// Which member leads, if one does.
async fn leader(addresses: &[String]) -> Option<usize> {
    for (at, address) in addresses.iter().enumerate() {
        let status = Connection::open(address).await.call("Maintenance/Status", &[]).await;
        let number = |message: &[u8], wanted: u64| {
            fields(message).find_map(|(field, value)| match value {
                Field::Number(number) if field == wanted => Some(number),
                Field::Number(_) | Field::Bytes(_) => None,
            })
        };
        let header = fields(&status).find_map(|(field, value)| match value {
            Field::Bytes(bytes) if field == 1 => Some(bytes),
            Field::Number(_) | Field::Bytes(_) => None,
        })?;
        if number(&status, 4).is_some_and(|leader| number(header, 2) == Some(leader)) {
            return Some(at);
        }
    }
    None
}
