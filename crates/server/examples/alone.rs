//! One server without a fleet, for measuring: `cargo run --release -p server --example alone -- PORT DIR`.
//!
//! Whoever connects is logged in at once, to database 1, with nothing between the client's socket and the server:
//! what a handler says at the start goes through a pipe, and then the pipe is replaced by the socket.
//! A third argument `memory` keeps the journal in memory. A fourth is a number of further databases to load; what they
//! cost is printed.

// The tests' stand-ins for a handler and for controllers; not all of them is needed here.
#[allow(dead_code)]
#[path = "../tests/server/support/client.rs"]
mod client;
#[allow(dead_code)]
#[path = "../tests/server/support/controllers.rs"]
mod controllers;
#[path = "../tests/server/support/net.rs"]
mod net;

#[allow(unused_imports)]
mod support {
    pub(crate) use crate::net;
}

use std::{
    io::{self, Write},
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::BytesMut;
use model::{DatabaseId, Epoch, FleetId, Name, RequestId, SessionId, TimestampMs};
use rpc::{
    ByteStream, Host, Listen, Readiness, Secret, Service,
    handshake::Role,
    server::{LoadRequest, ServerApiClient},
    session::{PARAM_NUMBER, PARAM_SESSION},
};
use server::{
    Environment, Parts, Settings, Workers,
    engine::{Limits, SystemClock, sqlite::SqliteEngine},
    environment::Sensors,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::client::{Asking, Login, frame, log_in};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, dir, rest @ ..] = &arguments[..] else { panic!("usage: alone PORT DIR [memory]") };
    let (net, secret) = (net::Net::default(), Secret::new([1; 32]));
    controllers::Controllers::start(&net, secret.clone(), FleetId(1));
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("a free port");
    let (ready, mut readiness) = watch::channel(Readiness::NotReady("starting".into()));
    let host = Host {
        dial: Arc::new(net.clone()),
        secret: secret.clone(),
        clock: || TimestampMs(1),
        shutdown: CancellationToken::new(),
        ready,
    };
    let shutdown = host.shutdown.clone();
    let memory = rest.first().is_some_and(|word| word == "memory");
    let parts = Parts {
        engine: Arc::new(SqliteEngine::new(Arc::new(SystemClock::start()), 0)),
        workers: Workers::start().expect("threads"),
        objects: memory.then(|| Arc::new(journal::Memory::default()) as _),
        environment: Environment::new(conditions::Rules::built_in()),
        sensors: Sensors::default(),
    };
    let data = Direct { listener, secret: secret.clone() };
    let serving = tokio::spawn(server::run_with(parts, settings(dir), host, data, net.listen("control")));
    readiness.wait_for(|ready| *ready == Readiness::Ready).await.expect("it started");
    let control = control(&net, &secret).await;
    load(&control, 1).await;
    if let Some(more) = rest.get(1) {
        load_many(&control, more.parse().expect("a number")).await;
    }
    println!("psql -h 127.0.0.1 -p {port} -U alice shop");
    tokio::signal::ctrl_c().await.expect("signals");
    shutdown.cancel();
    serving.await.expect("no panic").expect("a clean end");
}

fn settings(dir: &str) -> Settings {
    let dir = PathBuf::from(dir);
    Settings {
        name: Name::new("alone").expect("a name"),
        data_address: "data".into(),
        control_address: "control".into(),
        location: String::new(),
        capacity: 1,
        cpu_cores: None,
        controllers: vec![controllers::Controllers::ADDRESS.into()],
        data_dir: dir.join("server"),
        journal: dir.join("journal").display().to_string(),
        history: Settings::DEFAULT_HISTORY,
        databases_loaded_max: 100_000,
        idle_put_away: Duration::ZERO,
        sessions_max: 1000,
        database: Limits::default(),
    }
}

async fn control(net: &net::Net, secret: &Secret) -> ServerApiClient {
    let transport =
        rpc::connect(net, "control", secret, Service::Server, Role::Operator).await.expect("there");
    ServerApiClient::new(Default::default(), transport).spawn()
}

async fn load(control: &ServerApiClient, database: u64) {
    let status = control.status(rpc::context()).await.expect("answers");
    for epoch in 1.. {
        let request = LoadRequest {
            request: RequestId(1),
            incarnation: status.incarnation,
            database: DatabaseId(database),
            name: Name::new("shop").expect("a name"),
            epoch: Epoch(epoch),
        };
        if control.load(rpc::context(), request).await.expect("answers").is_ok() {
            EPOCH.fetch_max(epoch, Ordering::Relaxed);
            return;
        }
    }
}

async fn load_many(control: &ServerApiClient, count: u64) {
    let (started, before) = (tokio::time::Instant::now(), resident_kib());
    for from in (0..count).step_by(100) {
        futures::future::join_all((from..count.min(from + 100)).map(|n| load(control, n + 2))).await;
    }
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let each = (resident_kib() - before) / count.max(1);
    println!("{count} more databases in {:?}, {each} KiB each, {files} open files in all", started.elapsed());
}

/// Memory of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
}

static EPOCH: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Sockets that become sessions.
struct Direct {
    listener: TcpListener,
    secret: Secret,
}

#[async_trait]
impl Listen for Direct {
    async fn accept(&mut self) -> io::Result<(Box<dyn ByteStream>, String)> {
        let (socket, peer) = self.listener.accept().await?;
        socket.set_nodelay(true)?;
        let (pipe, far) = tokio::io::duplex(16 << 10);
        let std = socket.into_std()?;
        let client = std.try_clone()?;
        let socket = TcpStream::from_std(std)?;
        let over = Arc::new(AtomicBool::new(false));
        tokio::spawn(introduce(client, Box::new(far), self.secret.clone(), Arc::clone(&over)));
        Ok((Box::new(Switched { pipe, socket, over }), peer.to_string()))
    }
}

/// Talks to the client and to the server until both are logged in.
async fn introduce(
    client: std::net::TcpStream,
    mut server: Box<dyn ByteStream>,
    secret: Secret,
    over: Arc<AtomicBool>,
) {
    let again = client.try_clone().expect("a handle");
    let mut client_read = TcpStream::from_std(again).expect("a socket");
    let mut packet = BytesMut::new();
    loop {
        match wire::startup::Startup::split(&packet).expect("a client") {
            None => {
                if client_read.read_buf(&mut packet).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            Some((wire::startup::Startup::Start(_), _)) => break,
            Some((wire::startup::Startup::Cancel(_), _)) => {
                // To the server as it is.
                server.write_all(&packet).await.expect("room");
                return;
            }
            Some((wire::startup::Startup::Ssl | wire::startup::Startup::GssEncryption, _)) => {
                packet.clear();
                (&client).write_all(b"N").expect("room");
            }
        }
    }
    let mut asking = Asking::new(&secret, DatabaseId(1), Epoch(EPOCH.load(Ordering::Relaxed)));
    // As handlers do: what becomes of requests is kept.
    let session = SessionId(u128::from_le_bytes(rand::random())).to_string();
    asking.parameters.extend([(PARAM_SESSION, session), (PARAM_NUMBER, "1".into())]);
    let Login::Welcome(mut input) = log_in(&mut server, &asking).await else { panic!("refused") };
    let mut out = BytesMut::new();
    wire::backend::authentication::ok(&mut out);
    loop {
        let (tag, body) = frame(&mut server, &mut input).await.expect("a greeting");
        out.extend_from_slice(&[tag]);
        out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        out.extend_from_slice(&body);
        if tag == b'Z' {
            break;
        }
    }
    over.store(true, Ordering::SeqCst);
    drop(server);
    (&client).write_all(&out).expect("room");
}

/// A pipe that becomes a socket.
struct Switched {
    pipe: DuplexStream,
    socket: TcpStream,
    over: Arc<AtomicBool>,
}

impl AsyncRead for Switched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.over.load(Ordering::Relaxed) {
            let before = buf.filled().len();
            let read = Pin::new(&mut self.pipe).poll_read(cx, buf);
            if read.is_pending() || buf.filled().len() > before || !self.over.load(Ordering::SeqCst) {
                return read;
            }
        }
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Switched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.over.load(Ordering::Relaxed) {
            Pin::new(&mut self.socket).poll_write(cx, buf)
        } else {
            Pin::new(&mut self.pipe).poll_write(cx, buf)
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
