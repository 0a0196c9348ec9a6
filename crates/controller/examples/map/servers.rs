//! A thousand servers that stay in touch with the leader, and answer what it asks.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::FutureExt as _;
use model::{Incarnation, Name, ServerId};
use rpc::{
    Controllers, Service, TcpDial,
    controller::{ControllerApiClient, Heartbeat, ServerLoad},
    handshake::Role,
    server::*,
    tarpc::context::Context as Call,
};
use tokio::{net::TcpListener, task::JoinSet, time::Instant};

use crate::{load::Latencies, process};

/// How many there are.
pub const COUNT: u32 = 1_000;
/// The port of each.
const PORT: u16 = 7201;

/// Where one listens.
pub fn address(number: u32) -> String {
    format!("127.77.{}.{}:{PORT}", number / 250, number % 250 + 1)
}

/// The one life of it.
pub fn incarnation(number: u32) -> Incarnation {
    Incarnation(u64::from(number) + 1_000)
}

/// All of them.
pub struct Servers {
    _tasks: JoinSet<()>,
    seen: Arc<Mutex<Seen>>,
}

/// What became of heartbeats.
#[derive(Default)]
pub struct Seen {
    /// How long those took that were acknowledged.
    pub took: Latencies,
    /// How many were not.
    pub failed: u64,
}

impl Servers {
    /// Starts them.
    pub async fn start() -> anyhow::Result<Self> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut tasks = JoinSet::new();
        for number in 1..=COUNT {
            let address: SocketAddr = address(number).parse()?;
            let listener = TcpListener::bind(address).await?;
            tasks.spawn(answer(number, listener));
            tasks.spawn(live(number, seen.clone()));
        }
        Ok(Self { _tasks: tasks, seen })
    }

    /// What became of the heartbeats since this was last asked.
    pub fn seen(&self) -> Seen {
        std::mem::take(&mut self.seen.lock().expect("BUG: nothing panics while holding this lock"))
    }
}

/// Sends heartbeats for ever, as a server does.
async fn live(number: u32, seen: Arc<Mutex<Seen>>) {
    let controllers = (1..=process::CONTROLLERS).map(process::address).collect();
    let controllers = Controllers::new(controllers, Arc::new(TcpDial), process::secret(), Role::Server);
    let every = Duration::from_millis(500);
    // Spread, as those of real servers are.
    tokio::time::sleep(every * number / COUNT).await;
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        let heartbeat = Heartbeat {
            server: ServerId(number),
            incarnation: incarnation(number),
            load: ServerLoad { sessions: 3, ..ServerLoad::default() },
            put_away: Vec::new(),
        };
        let began = Instant::now();
        let call = move |client: ControllerApiClient, context| {
            let heartbeat = heartbeat.clone();
            async move { client.heartbeat(context, heartbeat).await }.boxed()
        };
        let answered = controllers.leader(call).await;
        let mut seen = seen.lock().expect("BUG: nothing panics while holding this lock");
        match answered {
            Ok(_) => seen.took.add(process::now(), began.elapsed()),
            Err(_) => seen.failed += 1,
        }
    }
}

/// Answers the leader.
async fn answer(number: u32, listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(async move {
            let mut stream: Box<dyn rpc::ByteStream> = Box::new(stream);
            if rpc::accept(&mut stream, &process::secret(), &[Service::Server]).await.is_ok() {
                rpc::serve!(stream, Api(number).serve());
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A server with nothing loaded.
#[derive(Clone)]
struct Api(u32);

impl ServerApi for Api {
    async fn load(self, _: Call, _: LoadRequest) -> Result<Loaded, ServerRefusal> {
        Ok(Loaded { already: false, took_us: 1 })
    }

    async fn release(self, _: Call, _: ReleaseRequest) -> Result<(), ServerRefusal> {
        Ok(())
    }

    async fn fork(self, _: Call, _: ForkRequest) -> Result<Forked, ServerRefusal> {
        Err(ServerRefusal::CannotFork { reason: "this server is made of a few lines".into() })
    }

    async fn purge(self, _: Call, _: PurgeRequest) -> Result<(), ServerRefusal> {
        Ok(())
    }

    async fn status(self, _: Call) -> ServerStatus {
        let name = Name::new(&format!("server-{}", self.0)).expect("BUG: a good name");
        ServerStatus { name, incarnation: incarnation(self.0), databases: Vec::new() }
    }
}
