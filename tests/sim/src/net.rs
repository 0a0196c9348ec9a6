//! The network: named hosts, connections as TCP gives them, and what can go wrong with them.
//!
//! Bytes arrive in order, late, or never; a cut lets nothing through in its direction and loses nothing, as TCP sends
//! again; a connection that breaks loses what was on its way. A killed process closes its connections, a host without power
//! says nothing any more. Nothing moves but by [`Net::deliver`]. Beyond what TCP does, single messages may be lost and
//! doubled ([`messages`]).

mod messages;
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
use rand::{Rng, rngs::StdRng};
use rpc::{ByteStream, Dial, Listen};
use tokio::{sync::mpsc, time::sleep};

use crate::{chance, roles::speaks_tarpc, time, trace};
pub use messages::{Counts, Loss};
use messages::{LATE_MS, Message, Reader};
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
    /// Hosts whose messages get lost and doubled, in both directions.
    loss: BTreeMap<Name, Loss>,
    random: StdRng,
    counts: Counts,
}

type Arrival = (Box<dyn ByteStream>, String);

/// One direction of a connection.
struct Pipe {
    from: Name,
    to: Name,
    /// What is on its way, and when it arrives; nothing is the end.
    flight: VecDeque<(u64, Option<Bytes>)>,
    /// Doubles, and when they arrive: between any others.
    late: Vec<(u64, Bytes)>,
    /// Where messages end, if it is tarpc that is spoken.
    messages: Option<Reader>,
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
    fn new(from: &Name, to: &Name, messages: Option<Reader>) -> Self {
        Self {
            from: from.clone(),
            to: to.clone(),
            flight: VecDeque::new(),
            late: Vec::new(),
            messages,
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
        self.lose_all();
        self.broken = true;
        self.wake();
    }

    /// Nothing of what is on its way will arrive.
    fn lose_all(&mut self) {
        self.flight.clear();
        self.late.clear();
    }

    /// What is due by now arrives; whether anything was.
    fn arrive(&mut self, now: u64) -> bool {
        let before = self.flight.len() + self.late.len();
        while self.flight.front().is_some_and(|(due, _)| *due <= now) {
            match self.flight.pop_front() {
                Some((_, Some(bytes))) => self.arrived.extend_from_slice(&bytes),
                Some((_, None)) => self.ended = true,
                None => {}
            }
        }
        let (arrived, ended) = (&mut self.arrived, self.ended);
        self.late.retain(|(due, bytes)| {
            if *due <= now && !ended {
                arrived.extend_from_slice(bytes);
            }
            *due > now
        });
        self.flight.len() + self.late.len() < before
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
            loss: BTreeMap::new(),
            random: chance::stream(seed, 4),
            counts: Counts::default(),
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
        let still = |pipe: &Pipe| pipe.mute || (pipe.flight.is_empty() && pipe.late.is_empty());
        for pipe in pipes.values_mut().filter(|pipe| !still(pipe)) {
            if !cut.contains(&(pipe.from.clone(), pipe.to.clone())) && pipe.arrive(now) {
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

    /// From now on these hosts' messages get lost and doubled.
    pub fn lose(&self, loss: BTreeMap<Name, Loss>) {
        self.lock().loss = loss;
    }

    /// What has happened to messages.
    pub fn counts(&self) -> Counts {
        self.lock().counts
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
            pipe.lose_all();
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

    /// How messages fare between two hosts now.
    fn loss(&self, from: &Name, to: &Name) -> Loss {
        let worst = |one: Loss, other: Loss| Loss {
            lost: one.lost.max(other.lost),
            twice: one.twice.max(other.twice),
        };
        [from, to].into_iter().filter_map(|host| self.loss.get(host)).copied().fold(Loss::default(), worst)
    }

    /// A message is sent: whether it gets there, and how late its double does, if it has one.
    fn fate(&mut self, number: u64, message: Message) -> (bool, Option<u64>) {
        if let Message::Answer(request) = message {
            self.answered(number, request);
        }
        let (from, to) = self.ends(number);
        let Loss { lost, twice } = self.loss(&from, &to);
        let draw = if lost + twice > 0 { self.random.random_range(0..100) } else { 100 };
        if draw < lost {
            match message {
                Message::Request(_) => self.counts.requests_lost += 1,
                Message::Answer(_) => self.counts.answers_lost += 1,
                Message::Cancel => {}
            }
            trace::note(format_args!("lost: {message} of #{} from {from} to {to}", number / 2));
            return (false, None);
        }
        if draw >= lost + twice {
            return (true, None);
        }
        if let Message::Request(request) = message {
            self.counts.requests_doubled += 1;
            let reader = self.pipe(number).messages.as_mut();
            reader.expect("BUG: it read a message").doubled.insert(request, 0);
        }
        trace::note(format_args!("doubled: {message} of #{} from {from} to {to}", number / 2));
        (true, Some(self.random.random_range(1..=LATE_MS)))
    }

    /// An answer is sent: perhaps the second one to a doubled request.
    fn answered(&mut self, number: u64, request: u64) {
        // The other direction of the same connection.
        let asked = self.pipes.get_mut(&(number ^ 1)).and_then(|pipe| pipe.messages.as_mut());
        if let Some(answers) = asked.and_then(|asked| asked.doubled.get_mut(&request)) {
            *answers += 1;
            self.counts.worked_twice += u64::from(*answers == 2);
        }
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
        let reader = |asks| speaks_tarpc(address).then(|| Reader::new(asks));
        inner.pipes.insert(there, Pipe::new(&self.host, &to, reader(true)));
        inner.pipes.insert(back, Pipe::new(&to, &self.host, reader(false)));
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
