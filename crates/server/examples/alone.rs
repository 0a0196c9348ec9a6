//! One server without a fleet, for measuring: `cargo run --release -p server --example alone -- PORT DIR`.
//!
//! Whoever connects is logged in at once, to database 1, with nothing between the client's socket and the server:
//! what a handler says at the start goes through a pipe, and then the pipe is replaced by the socket.
//! A third argument `memory` keeps the journal in memory. A fourth is a number of further databases to load; what they
//! cost is printed.

#[path = "lone/mod.rs"]
mod lone;

use std::{
    io::{self, Write},
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::BytesMut;
use model::{DatabaseId, Epoch, SessionId};
use rpc::{
    ByteStream, Listen, Secret,
    session::{PARAM_NUMBER, PARAM_SESSION},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    net::{TcpListener, TcpStream},
};

use crate::lone::{
    Lone,
    client::{Asking, Login, frame, log_in},
    net::Net,
};

/// What is measured.
const DATABASE: DatabaseId = DatabaseId(1);
/// Its epoch.
static EPOCH: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, dir, rest @ ..] = &arguments[..] else { panic!("usage: alone PORT DIR [memory]") };
    let (net, secret) = (Net::default(), Secret::new([1; 32]));
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("a free port");
    let data = Direct { listener, secret: secret.clone() };
    let memory = rest.first().is_some_and(|word| word == "memory");
    let lone = Lone::start(&net, &secret, Path::new(dir), memory, data).await;
    EPOCH.store(lone.load(DATABASE).await.0, Ordering::Relaxed);
    if let Some(more) = rest.get(1) {
        load_many(&lone, more.parse().expect("a number")).await;
    }
    println!("psql -h 127.0.0.1 -p {port} -U alice shop");
    tokio::signal::ctrl_c().await.expect("signals");
    lone.stop().await;
}

async fn load_many(lone: &Lone, count: u64) {
    let (started, before) = (tokio::time::Instant::now(), resident_kib());
    for from in (0..count).step_by(100) {
        let some = from..count.min(from + 100);
        futures::future::join_all(some.map(|n| lone.load(DatabaseId(DATABASE.0 + n + 1)))).await;
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
    let mut asking = Asking::new(&secret, DATABASE, Epoch(EPOCH.load(Ordering::Relaxed)));
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
