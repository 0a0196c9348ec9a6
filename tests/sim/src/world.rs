//! All hosts, what is between them, and what is wrong with them now. Everything moves here, a millisecond at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

use crate::{
    chance,
    clients::HANDLERS,
    disk::SimDisk,
    host::{Host, Process},
    invariant::Records,
    net::{Counts, Loss, Name, Net},
    plan::{Fault, Plan, Step, hosts},
    roles::{self, CONTROLLERS},
    run::SERVERS,
    store::{STORE, Store, Trouble},
    time, trace,
};

/// The host that all clients are on. Nothing ever happens to it.
pub const CLIENTS: &str = "clients";
/// When a process that ended by itself is started again.
const AGAIN_MS: u64 = 1_000;
/// How long syncs take on the disk of a controller that is to lose power in one.
const UNSYNCED_MS: u64 = 200;
/// How often a connection breaks while they do.
const BREAKS_MS: u64 = 300;

/// All of it.
pub struct World {
    /// The network.
    pub net: Net,
    hosts: BTreeMap<Name, Host>,
    disks: BTreeMap<u64, SimDisk>,
    store: Store,
    records: Records,
    random: StdRng,
    active: Vec<Active>,
    /// Processes that ended by themselves, and when they are started again.
    again: Vec<(u64, Name)>,
    /// What those said.
    pub ended: Vec<String>,
    /// Servers that ended with a write that had landed and was not answered.
    unanswered: u64,
}

/// A fault, as it hits.
struct Active {
    to_ms: u64,
    what: What,
}

enum What {
    Down(Name),
    Paused(Name),
    Cut(BTreeSet<(Name, Name)>),
    Slow(Name, Name, u64),
    Breaking(Name),
    Store(Trouble),
    Disk(u64, u64),
    /// A controller that loses power with its next write.
    Unsynced(u64),
    /// A server that is killed once its next put has landed.
    Unanswered(Name),
    Lossy(Name, Loss),
}

impl World {
    /// Boots all hosts.
    pub fn boot(seed: u64, plan: &Plan, dir: &Path, records: &Records) -> Self {
        let net = Net::new(seed);
        let store = Store::new(&net, chance::stream(seed, 2));
        let disks = (1..=CONTROLLERS).map(|id| (id, SimDisk::new(chance::stream(seed, 10 + id))));
        let disks: BTreeMap<u64, SimDisk> = disks.collect();
        let clock = |name: &str| {
            let found = plan.clocks.iter().find(|(host, ..)| host == name);
            found.map_or((0, 0), |(_, rate, off)| (*rate, *off))
        };
        let mut all = Vec::new();
        for id in 1..=CONTROLLERS {
            all.push((format!("c{id}"), roles::controller(&net, id, &disks[&id])));
        }
        for id in 1..=SERVERS {
            all.push((format!("s{id}"), roles::server(&net, id, &store, dir, &records.answers)));
        }
        for id in 1..=HANDLERS {
            all.push((format!("h{id}"), roles::handler(&net, id)));
        }
        all.push((CLIENTS.into(), Arc::new(idle)));
        let hosts = all.into_iter().map(|(name, start)| {
            let (rate, off) = clock(&name);
            let mut host = Host::new(&name, rate, off, start);
            host.boot();
            (host.name.clone(), host)
        });
        let (hosts, random) = (hosts.collect(), chance::stream(seed, 3));
        let (active, again, ended) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            net,
            hosts,
            disks,
            store,
            records: records.clone(),
            random,
            active,
            again,
            ended,
            unanswered: 0,
        }
    }

    /// The host that all clients are on.
    pub fn clients(&self) -> &Host {
        &self.hosts[CLIENTS]
    }

    /// A millisecond passes.
    pub fn step(&mut self) {
        time::pass();
        self.net.deliver();
        self.store.deliver();
        let mut ended = Vec::new();
        for host in self.hosts.values_mut() {
            if let Some(why) = host.step() {
                ended.push((host.name.clone(), why));
            }
        }
        for (name, why) in ended {
            trace::note(format_args!("{name} ended by itself: {why}"));
            self.ended.push(format!("{name}: {why}"));
            self.crash(&name);
            self.again.push((time::now() + AGAIN_MS, name));
        }
        let due: Vec<Name>;
        (due, self.again) = {
            let (due, later): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.again).into_iter().partition(|(at, _)| *at <= time::now());
            (due.into_iter().map(|(_, name)| name).collect(), later)
        };
        for name in due {
            self.start(&name);
        }
        self.break_some();
        self.strike();
    }

    /// Ends controllers and servers that were waited for to write.
    fn strike(&mut self) {
        for at in 0..self.active.len() {
            let (name, power): (Name, bool) = match &self.active[at].what {
                What::Unsynced(id) if self.disks[id].is_writing() => (format!("c{id}").into(), true),
                What::Unanswered(server) if self.store.keeps_waiting(server) => (server.clone(), false),
                _ => continue,
            };
            self.unanswered += u64::from(!power);
            if let Some(down) = self.down(name, power) {
                self.active[at].what = down;
                self.set();
            }
        }
    }

    fn host(&mut self, name: &Name) -> &mut Host {
        self.hosts.get_mut(name).expect("BUG: plans name hosts that there are")
    }

    fn crash(&mut self, name: &Name) {
        self.host(name).kill();
        if let Some(disk) =
            name.strip_prefix('c').and_then(|id| id.parse().ok()).and_then(|id: u64| self.disks.get(&id))
        {
            disk.crash();
        }
    }

    /// Starts a process, unless it runs or is to stay down.
    fn start(&mut self, name: &Name) {
        let down = self.active.iter().any(|active| matches!(&active.what, What::Down(host) if host == name));
        if !down && !self.host(name).is_up() {
            self.net.lighten(name);
            self.host(name).boot();
        }
    }

    /// A fault begins.
    pub fn begin(&mut self, step: &Step, base_ms: u64) {
        let what = self.hit(&step.fault);
        trace::note(format_args!("fault: {:?}, hits: {}", step.fault, what.is_some()));
        if let Some(what) = what {
            self.active.push(Active { to_ms: base_ms + step.to_ms, what });
            self.set();
        }
    }

    fn hit(&mut self, fault: &Fault) -> Option<What> {
        match fault {
            Fault::Kill(host) => self.down(host.as_str().into(), false),
            Fault::KillOwner(database) => {
                self.records.owner(database).and_then(|owner| self.down(owner.as_str().into(), false))
            }
            Fault::Unanswered(database) => {
                self.records.owner(database).map(|owner| What::Unanswered(owner.as_str().into()))
            }
            Fault::Power(host) => self.down(host.as_str().into(), true),
            Fault::Pause(host) => {
                let name: Name = host.as_str().into();
                let runs = self.host(&name).is_up() && !self.host(&name).is_paused();
                self.host(&name).pause(runs);
                runs.then_some(What::Paused(name))
            }
            Fault::Cut { from, to, both } => Some(What::Cut(pairs(from, to, *both))),
            Fault::Stale { database, handler, store } => {
                let part = vec![self.records.owner(database)?, handler.clone()];
                let mut rest: Vec<String> = hosts().into_iter().filter(|host| !part.contains(host)).collect();
                rest.extend(store.then(|| STORE.to_owned()));
                Some(What::Cut(pairs(&part, &rest, true)))
            }
            Fault::Slow(one, other, ms) => Some(What::Slow(one.as_str().into(), other.as_str().into(), *ms)),
            Fault::Breaking(host) => Some(What::Breaking(host.as_str().into())),
            Fault::Lossy(host, loss) => Some(What::Lossy(host.as_str().into(), *loss)),
            Fault::Store(trouble) => Some(What::Store(*trouble)),
            Fault::Disk(id, ms) => Some(What::Disk(*id, *ms)),
            Fault::Unsynced(id) => Some(What::Unsynced(*id)),
            Fault::Deposed => {
                let leader = format!("c{}", self.records.leader());
                let (leader, others): (Vec<String>, Vec<String>) =
                    (1..=CONTROLLERS).map(|id| format!("c{id}")).partition(|name| *name == leader);
                Some(What::Cut(pairs(&leader, &others, true)))
            }
            Fault::Wall(host, off_ms) => {
                self.host(&host.as_str().into()).wall_off_ms = *off_ms;
                None
            }
        }
    }

    fn down(&mut self, name: Name, power: bool) -> Option<What> {
        if !self.host(&name).is_up() {
            return None;
        }
        if power {
            self.net.darken(&name);
        }
        self.crash(&name);
        Some(What::Down(name))
    }

    /// Ends the faults whose time has come.
    pub fn end_due(&mut self) {
        let (due, active) =
            std::mem::take(&mut self.active).into_iter().partition(|active| active.to_ms <= time::now());
        self.active = active;
        self.end(due);
    }

    /// Ends all faults.
    pub fn heal(&mut self) {
        trace::note(format_args!("all faults end"));
        let due = std::mem::take(&mut self.active);
        self.end(due);
    }

    fn end(&mut self, due: Vec<Active>) {
        if due.is_empty() {
            return;
        }
        self.set();
        for Active { what, .. } in due {
            match what {
                What::Down(name) => self.start(&name),
                What::Paused(name) => self.host(&name).pause(false),
                What::Cut(_)
                | What::Slow(..)
                | What::Breaking(_)
                | What::Store(_)
                | What::Disk(..)
                | What::Unsynced(_)
                | What::Unanswered(_)
                | What::Lossy(..) => {}
            }
        }
    }

    /// Makes network, store and disks as the present faults have them.
    fn set(&mut self) {
        let (mut cut, mut slow, mut trouble) = (BTreeSet::new(), BTreeMap::new(), Trouble::default());
        let mut disks: BTreeMap<u64, u64> = BTreeMap::new();
        let (mut unanswered, mut loss) = (BTreeSet::new(), BTreeMap::new());
        for active in &self.active {
            match &active.what {
                What::Cut(pairs) => cut.extend(pairs.iter().cloned()),
                What::Slow(one, other, ms) => {
                    slow.insert((one.clone(), other.clone()), *ms);
                    slow.insert((other.clone(), one.clone()), *ms);
                }
                What::Store(worse) => trouble = *worse,
                What::Disk(id, ms) => drop(disks.insert(*id, *ms)),
                What::Unanswered(server) => drop(unanswered.insert(server.clone())),
                What::Lossy(host, worse) => drop(loss.insert(host.clone(), *worse)),
                What::Unsynced(id) => drop(disks.insert(*id, UNSYNCED_MS)),
                What::Down(_) | What::Paused(_) | What::Breaking(_) => {}
            }
        }
        self.net.set(cut, slow);
        self.net.lose(loss);
        self.store.trouble(trouble);
        self.store.leave_unanswered(unanswered);
        for (id, disk) in &self.disks {
            disk.slow(disks.get(id).copied().unwrap_or(0));
        }
    }

    fn break_some(&mut self) {
        for at in 0..self.active.len() {
            let What::Breaking(host) = &self.active[at].what else { continue };
            if self.random.random_range(0..BREAKS_MS) > 0 {
                continue;
            }
            let names: Vec<&Name> = self.hosts.keys().collect();
            if let Some(other) = names.choose(&mut self.random) {
                trace::note(format_args!("connections break between {host} and {other}"));
                self.net.reset(host, other);
            }
        }
    }

    /// How many servers ended with a write that had landed and was not answered.
    pub fn unanswered(&self) -> u64 {
        self.unanswered
    }

    /// What has happened to messages.
    pub fn messages(&self) -> Counts {
        self.net.counts()
    }

    /// How many crashes of controllers lost what had not been acknowledged.
    pub fn losses(&self) -> u64 {
        self.disks.values().map(SimDisk::losses).sum()
    }
}

/// The process of the host that clients are on: they run beside it.
fn idle() -> Process {
    Box::pin(std::future::pending())
}

fn pairs(from: &[String], to: &[String], both: bool) -> BTreeSet<(Name, Name)> {
    let pair = |one: &String, other: &String| (one.as_str().into(), other.as_str().into());
    let there = from.iter().flat_map(|one| to.iter().map(move |other| pair(one, other)));
    let back = to.iter().flat_map(|one| from.iter().map(move |other| pair(one, other)));
    if both { there.chain(back).collect() } else { there.collect() }
}
