//! A PostgreSQL server of a few words: tests say what it answers, break it, and have it send directives.

mod session;
pub mod wan;

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use directive::{Acknowledgement, Action, Directive, Order, Scope, postgres};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use wire::{
    SqlState,
    backend::{self, Fields, Severity},
};

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Rows of one text.
    Rows(Vec<String>),
    /// A command's tag.
    Done(&'static str),
    /// An error.
    Error(&'static str),
    /// An error that ends the session.
    Fatal(&'static str),
    /// The connection breaks.
    Break,
    /// No answer, for ever.
    Stall,
    /// These frames, then another reply.
    After(BytesMut, Box<Reply>),
}

type Script = Box<dyn FnMut(&str) -> Reply + Send>;

/// A server. Ends with its last handle.
pub struct Server {
    pub address: SocketAddr,
    pub inner: Arc<Inner>,
    accepting: JoinHandle<()>,
}

pub struct Inner {
    script: Mutex<Script>,
    /// Everything that was asked for, in order.
    log: Mutex<Vec<String>>,
    accepted: AtomicUsize,
    /// Start-up parameters of every session.
    started: Mutex<Vec<HashMap<String, String>>>,
    acknowledged: Mutex<Vec<Acknowledgement>>,
    sessions: Mutex<Vec<Open>>,
    sequence: AtomicU64,
    /// Refuses logins with this SQLSTATE.
    pub refusing: Mutex<Option<&'static str>>,
    broken: watch::Sender<u64>,
}

/// A session's end in the server's hands.
struct Open {
    token: Option<String>,
    push: mpsc::UnboundedSender<BytesMut>,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds this")
}

impl Server {
    /// A server on a free port that says `script`.
    pub async fn start(script: impl FnMut(&str) -> Reply + Send + 'static) -> Server {
        Server::start_at("127.0.0.1:0".parse().expect("an address"), script).await
    }

    /// The same on the port of one that has stopped.
    pub async fn start_at(address: SocketAddr, script: impl FnMut(&str) -> Reply + Send + 'static) -> Server {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind(address).expect("a free port");
        let listener: TcpListener = socket.listen(128).expect("a listener");
        let inner = Arc::new(Inner {
            script: Mutex::new(Box::new(script)),
            log: Mutex::default(),
            accepted: AtomicUsize::new(0),
            started: Mutex::default(),
            acknowledged: Mutex::default(),
            sessions: Mutex::default(),
            sequence: AtomicU64::new(0),
            refusing: Mutex::default(),
            broken: watch::Sender::new(0),
        });
        let address = listener.local_addr().expect("an address");
        let serving = inner.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                serving.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(session::serve(serving.clone(), socket));
            }
        });
        Server { address, inner, accepting }
    }

    /// The same server at a socket in the file system, too.
    pub fn also_at(&self, path: &Path) {
        let listener = UnixListener::bind(path).expect("a path of our own");
        let serving = self.inner.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                serving.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(session::serve(serving.clone(), socket));
            }
        });
    }

    /// A server that answers every query with `ok`.
    pub async fn plain() -> Server {
        Server::start(|_| Reply::Rows(vec!["ok".into()])).await
    }

    /// A connection string.
    pub fn config(&self) -> String {
        format!("host=127.0.0.1 port={} user=alice dbname=shop", self.address.port())
    }

    /// How many connections there were.
    pub fn accepted(&self) -> usize {
        self.inner.accepted.load(Ordering::SeqCst)
    }

    pub fn log(&self) -> Vec<String> {
        lock(&self.inner.log).clone()
    }

    /// How often `sql` was asked for.
    pub fn count(&self, sql: &str) -> usize {
        lock(&self.inner.log).iter().filter(|one| *one == sql).count()
    }

    pub fn started(&self) -> Vec<HashMap<String, String>> {
        lock(&self.inner.started).clone()
    }

    pub fn acknowledged(&self) -> Vec<Acknowledgement> {
        lock(&self.inner.acknowledged).clone()
    }

    /// Breaks every connection.
    pub fn break_all(&self) {
        lock(&self.inner.sessions).clear();
        self.inner.broken.send_modify(|count| *count += 1);
    }

    /// Takes no more connections, and breaks those that there are.
    pub async fn stop(&mut self) {
        self.accepting.abort();
        // It says that it was aborted.
        let _ = (&mut self.accepting).await;
        self.break_all();
    }

    /// Sends bytes to every session.
    pub fn push(&self, bytes: &[u8]) {
        for session in lock(&self.inner.sessions).iter() {
            // One that has ended listens to nothing.
            let _ = session.push.send(BytesMut::from(bytes));
        }
    }

    /// Sends a directive to every session that announced itself; its id.
    pub fn direct(&self, scope: Scope, lifetime_ms: u64, action: Action) -> String {
        let sequence = self.inner.sequence.fetch_add(1, Ordering::SeqCst) + 1;
        let id = format!("d-{sequence}");
        self.direct_as(&id, sequence, scope, lifetime_ms, action);
        id
    }

    /// The same with an id and a place in the order of one's own.
    pub fn direct_as(&self, id: &str, sequence: u64, scope: Scope, lifetime_ms: u64, action: Action) {
        for session in lock(&self.inner.sessions).iter().filter(|session| session.token.is_some()) {
            let directive = Directive {
                id: id.to_owned(),
                order: Order { epoch: 1, sequence },
                lifetime_ms,
                reason: "a test".to_owned(),
                session: session.token.clone(),
                scope: scope.clone(),
                action: action.clone(),
            };
            let notice = postgres::notice(&directive).expect("a directive");
            // One that has ended listens to nothing.
            let _ = session.push.send(frame(&notice.detail));
        }
    }

    /// Waits for an acknowledgement of that directive that `wanted` accepts.
    pub async fn acknowledgement(
        &self,
        id: &str,
        wanted: impl Fn(&Acknowledgement) -> bool,
    ) -> Acknowledgement {
        let found = || self.acknowledged().into_iter().find(|one| one.id == id && wanted(one));
        until(|| found().is_some(), || format!("{:?}", self.acknowledged())).await;
        found().expect("it was there")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.break_all();
    }
}

/// A notice with that detail.
pub fn frame(detail: &str) -> BytesMut {
    let code = SqlState::new(postgres::SQLSTATE).expect("five characters");
    let mut out = BytesMut::new();
    let fields = Fields { detail: Some(detail), ..Fields::new(Severity::Notice, code, "directive") };
    backend::notice_response(&mut out, &fields);
    out
}

/// Waits for a condition; far longer than it takes.
pub async fn until(done: impl Fn() -> bool, state: impl Fn() -> String) {
    for _ in 0..6_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come about: {}", state());
}
