//! The network: named hosts, connections as TCP gives them, and what can go wrong with them.
//!
//! Bytes arrive in order, late, or never; a cut lets nothing through in its direction and loses nothing, as TCP sends
//! again; a connection that breaks loses what was on its way. A killed process closes its connections, a host without power
//! says nothing any more. Nothing moves but by [`Net::deliver`].

mod stream;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use rpc::{ByteStream, Dial, Listen};
use tokio::{sync::mpsc, time::sleep};

use crate::{chance, time, trace};
use stream::Stream;

/// A host's name; its addresses begin with it.
pub type Name = Arc<str>;

/// How long a try to connect that nobody answers takes.
const SYN_AGAIN: Duration = Duration::from_millis(200);
/// Milliseconds that bytes take at most when nothing is wrong; at least 1.
const LATENCY_MS: u64 = 3;

/// All of it. Cheap to clone.
#[derive(Clone)]
pub struct Net(Arc<Mutex<Inner>>);

struct Inner {
    seed: u64,
    pipes: BTreeMap<u64, Pipe>,
    /// Connections made so far; each has two pipes.
    connections: u64,
    listeners: BTreeMap<String, mpsc::UnboundedSender<Arrival>>,
    cut: BTreeSet<(Name, Name)>,
    slow_ms: BTreeMap<(Name, Name), u64>,
    dark: BTreeSet<Name>,
}

type Arrival = (Box<dyn ByteStream>, String);

/// One direction of a connection.
struct Pipe {
    from: Name,
    to: Name,
    /// What is on its way, and when it arrives; nothing is the end.
    flight: VecDeque<(u64, Option<Bytes>)>,
    arrived: BytesMut,
    ended: bool,
    broken: bool,
    /// One end has no power: nobody will ever hear of the other.
    mute: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Ends that are still held: its reader's and its writer's.
    held: (bool, bool),
}

impl Pipe {
    fn new(from: &Name, to: &Name) -> Self {
        Self {
            from: from.clone(),
            to: to.clone(),
            flight: VecDeque::new(),
            arrived: BytesMut::new(),
            ended: false,
            broken: false,
            mute: false,
            reader: None,
            writer: None,
            held: (true, true),
        }
    }

    fn wake(&mut self) {
        for waker in self.reader.take().into_iter().chain(self.writer.take()) {
            waker.wake();
        }
    }

    fn break_off(&mut self) {
        self.flight.clear();
        self.broken = true;
        self.wake();
    }
}

impl Net {
    /// A network that is well.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            seed,
            pipes: BTreeMap::new(),
            connections: 0,
            listeners: BTreeMap::new(),
            cut: BTreeSet::new(),
            slow_ms: BTreeMap::new(),
            dark: BTreeSet::new(),
        })))
    }

    /// The network as one host sees it.
    pub fn at(&self, host: &Name) -> At {
        At { net: self.clone(), host: host.clone() }
    }

    /// Whatever is due arrives.
    pub fn deliver(&self) {
        let mut inner = self.lock();
        let now = time::now();
        let Inner { pipes, cut, .. } = &mut *inner;
        for pipe in pipes.values_mut().filter(|pipe| !pipe.flight.is_empty() && !pipe.mute) {
            if cut.contains(&(pipe.from.clone(), pipe.to.clone())) {
                continue;
            }
            let mut woken = false;
            while pipe.flight.front().is_some_and(|(due, _)| *due <= now) {
                match pipe.flight.pop_front() {
                    Some((_, Some(bytes))) => pipe.arrived.extend_from_slice(&bytes),
                    Some((_, None)) => pipe.ended = true,
                    None => {}
                }
                woken = true;
            }
            if woken {
                pipe.wake();
            }
        }
        pipes.retain(|_, pipe| pipe.held != (false, false));
    }

    /// From now on nothing gets through from the one to the other of each of these pairs, and between others everything
    /// takes so many milliseconds longer.
    pub fn set(&self, cut: BTreeSet<(Name, Name)>, slow_ms: BTreeMap<(Name, Name), u64>) {
        let mut inner = self.lock();
        (inner.cut, inner.slow_ms) = (cut, slow_ms);
    }

    /// Whether nothing gets through.
    pub fn is_cut(&self, from: &Name, to: &Name) -> bool {
        self.lock().cut.contains(&(from.clone(), to.clone()))
    }

    /// Breaks all connections between two hosts, with what is on its way.
    pub fn reset(&self, one: &Name, other: &Name) {
        let between =
            |pipe: &Pipe| (&pipe.from, &pipe.to) == (one, other) || (&pipe.from, &pipe.to) == (other, one);
        self.lock().pipes.values_mut().filter(|pipe| between(pipe)).for_each(Pipe::break_off);
    }

    /// A host loses power: what it sent is gone, and nobody hears of it.
    pub fn darken(&self, host: &Name) {
        let mut inner = self.lock();
        inner.dark.insert(host.clone());
        for pipe in inner.pipes.values_mut().filter(|pipe| pipe.from == *host || pipe.to == *host) {
            pipe.flight.clear();
            pipe.mute = true;
        }
    }

    /// It has power again: whoever still waits for its last life learns that it is over.
    pub fn lighten(&self, host: &Name) {
        let mut inner = self.lock();
        if inner.dark.remove(host) {
            let its = inner.pipes.values_mut().filter(|pipe| pipe.mute);
            its.filter(|pipe| pipe.from == *host || pipe.to == *host).for_each(Pipe::break_off);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// How long bytes take from one to the other now: no matter how often anybody asks.
    fn latency(&self, from: &Name, to: &Name) -> u64 {
        let text =
            from.bytes().chain(to.bytes()).fold(self.seed, |sum, byte| chance::mixed(sum ^ u64::from(byte)));
        let more = self.slow_ms.get(&(from.clone(), to.clone())).copied().unwrap_or(0);
        1 + chance::mixed(text ^ time::now()) % LATENCY_MS + more
    }

    fn reaches(&self, from: &Name, to: &Name) -> bool {
        let open = |one: &Name, other: &Name| !self.cut.contains(&(one.clone(), other.clone()));
        open(from, to) && open(to, from) && !self.dark.contains(to)
    }
}

/// The network as one host sees it.
#[derive(Clone)]
pub struct At {
    net: Net,
    host: Name,
}

impl At {
    /// Takes connections at one of its addresses from now on.
    pub fn listen(&self, address: &str) -> Door {
        let (arrivals, queue) = mpsc::unbounded_channel();
        self.net.lock().listeners.insert(address.into(), arrivals);
        Door(queue)
    }

    /// One end of a new connection, if somebody listens there.
    fn connect(&self, address: &str) -> Option<Box<dyn ByteStream>> {
        let to = host_of(address);
        let mut inner = self.net.lock();
        let listener = inner.listeners.get(address)?.clone();
        let number = inner.connections;
        inner.connections += 1;
        let (there, back) = (number * 2, number * 2 + 1);
        inner.pipes.insert(there, Pipe::new(&self.host, &to));
        inner.pipes.insert(back, Pipe::new(&to, &self.host));
        drop(inner);
        let near = Stream::new(&self.net, back, there);
        let far = Stream::new(&self.net, there, back);
        listener.send((Box::new(far), format!("{} #{number}", self.host))).ok()?;
        trace::note(format_args!("{} connects to {address}, #{number}", self.host));
        Some(Box::new(near))
    }
}

/// The host of an address.
pub fn host_of(address: &str) -> Name {
    address.split_once(':').map_or(address, |(host, _)| host).into()
}

#[async_trait]
impl Dial for At {
    async fn dial(&self, address: &str) -> io::Result<Box<dyn ByteStream>> {
        let to = host_of(address);
        loop {
            let (there, back) = {
                let inner = self.net.lock();
                (inner.latency(&self.host, &to), inner.latency(&to, &self.host))
            };
            sleep(Duration::from_millis(there + back)).await;
            if self.net.lock().reaches(&self.host, &to) {
                break;
            }
            sleep(SYN_AGAIN).await;
        }
        self.connect(address).ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }
}

/// Takes connections; refuses them once dropped.
pub struct Door(mpsc::UnboundedReceiver<Arrival>);

#[async_trait]
impl Listen for Door {
    async fn accept(&mut self) -> io::Result<Arrival> {
        match self.0.recv().await {
            Some(arrival) => Ok(arrival),
            None => std::future::pending().await,
        }
    }
}
