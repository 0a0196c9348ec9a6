//! Packets that come late. The kernels that this is for have no netem; so a filter hands every packet that comes to a
//! process to a queue (`NFQUEUE`), and a thread of ours lets it go some time later.
//!
//! The thread holds no packet itself, only the number under which the kernel does. When it has given its queue back, packets
//! that come go through at once (`--queue-bypass`).

use std::{
    collections::VecDeque,
    fs::File,
    io::ErrorKind,
    os::fd::AsFd,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use nfq::{Message, Queue, Verdict};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{Fault, Made, Network, Stage};
use crate::{Step, random::Random};

/// The queue of each namespace.
pub const QUEUE: u16 = 7;
/// Packets that one queue takes; those beyond go through at once.
const PACKETS_MAX: u32 = 100_000;
/// Between two looks at the queues.
const PAUSE: Duration = Duration::from_millis(1);
/// How late packets come, in milliseconds: at least by one of these, and by up to half of that more.
const LATE_MS: [u64; 3] = [10, 30, 60];

/// See the catalogue.
#[derive(Default)]
pub struct Delay {
    holder: Option<Holder>,
}

/// The thread that lets packets go.
struct Holder {
    /// It ends when this is dropped.
    stop: Sender<()>,
    /// How many packets came late.
    thread: JoinHandle<anyhow::Result<u64>>,
}

/// What this machine lacks, if anything.
pub fn missing() -> Option<String> {
    // There once the kernel's part is.
    let there = std::path::Path::new("/proc/net/netfilter/nfnetlink_queue").exists();
    (!there).then(|| "nfnetlink_queue in the kernel".into())
}

/// The queue of another network namespace. What a thread opens there stays there, so one of its own goes and opens it.
fn open(space: &str) -> anyhow::Result<Queue> {
    let space = File::open(format!("/run/netns/{space}")).context("no such network namespace")?;
    let open = move || -> anyhow::Result<Queue> {
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
        let mut queue = Queue::open()?;
        queue.bind(QUEUE)?;
        // What is in a packet is nothing to us.
        queue.set_copy_range(QUEUE, 0)?;
        queue.set_queue_max_len(QUEUE, PACKETS_MAX)?;
        queue.set_fail_open(QUEUE, true)?;
        queue.set_nonblocking(true);
        Ok(queue)
    };
    let opened = std::thread::spawn(open).join();
    opened.map_err(|_| anyhow::anyhow!("it panicked"))?.context("no queue for packets")
}

/// Packets of one namespace, in the order in which they came.
struct Line {
    queue: Queue,
    waiting: VecDeque<(Instant, Message)>,
}

impl Drop for Line {
    /// Processes that were started meanwhile inherited the socket: closing ours would leave them the queue, which nobody
    /// else could have then, and where packets would stay.
    fn drop(&mut self) {
        if let Err(error) = self.queue.unbind(QUEUE) {
            eprintln!("a queue of packets stays: {error}");
        }
    }
}

impl Line {
    /// Takes in what has come, and lets go what has waited long enough. How many came.
    fn turn(&mut self, mut late: impl FnMut() -> Duration) -> anyhow::Result<u64> {
        let mut came = 0;
        let mut last = self.waiting.back().map(|(due, _)| *due);
        loop {
            match self.queue.recv() {
                Ok(message) => {
                    // None overtakes another: TCP would take that for a loss.
                    let due = last.into_iter().fold(Instant::now() + late(), Instant::max);
                    last = Some(due);
                    self.waiting.push_back((due, message));
                    came += 1;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the queue cannot be read"),
            }
        }
        let now = Instant::now();
        let due = self.waiting.iter().take_while(|(due, _)| *due <= now).count();
        for (_, mut message) in self.waiting.drain(..due) {
            message.set_verdict(Verdict::Accept);
            self.queue.verdict(message).context("a packet cannot be let go")?;
        }
        Ok(came)
    }
}

/// Holds packets until told to stop, and lets go all that are held then. How many came.
fn hold(
    mut lines: Vec<Line>,
    late: Duration,
    mut random: Random,
    stop: &Receiver<()>,
) -> anyhow::Result<u64> {
    let mut came = 0;
    let most = u64::try_from(late.as_micros()).unwrap_or(u64::MAX) / 2;
    while stop.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
        for line in &mut lines {
            came += line.turn(|| late + Duration::from_micros(random.below(most)))?;
        }
    }
    for line in &mut lines {
        line.waiting.iter_mut().for_each(|(due, _)| *due = Instant::now());
        came += line.turn(|| Duration::ZERO)?;
    }
    Ok(came)
}

impl Delay {
    fn begin(&mut self, network: &Network, names: &[&str], late: Duration, pick: u64) -> anyhow::Result<()> {
        let open =
            |name: &&str| Ok(Line { queue: open(&network.space_of(name)?)?, waiting: VecDeque::new() });
        let lines = names.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
        let (stop, stopped) = channel();
        let random = Random::new(pick);
        let thread = std::thread::Builder::new().name("packets".into());
        let thread = thread.spawn(move || hold(lines, late, random, &stopped))?;
        self.holder = Some(Holder { stop, thread });
        // Only now is there somebody who lets packets go.
        names.iter().try_for_each(|name| network.queue(name, QUEUE))
    }
}

#[async_trait(?Send)]
impl Fault for Delay {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let network = stage.network()?;
        if let Some(missing) = missing() {
            return Ok(Made::Skipped(missing));
        }
        let names: Vec<&str> = stage.victims(step).await?.iter().map(|process| process.name()).collect();
        let late_ms = LATE_MS[(step.pick % 3) as usize];
        self.begin(network, &names, Duration::from_millis(late_ms), step.pick)?;
        let whom = if names.len() == 1 { names[0] } else { "everybody" };
        Ok(Made::Installed(format!("{late_ms} to {} ms, to {whom}", late_ms * 3 / 2)))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let healed = stage.network.as_ref().map_or(Ok(()), Network::heal);
        if let Some(Holder { stop, thread }) = self.holder.take() {
            drop(stop);
            let ended =
                thread.join().map_err(|_| anyhow::anyhow!("the thread that holds packets panicked"))?;
            ensure!(ended.context("packets")? > 0, "no packet came that could have been late");
        }
        healed
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// How long an echo takes between two processes of a network, in milliseconds, the fastest of some. A network that is
    /// only just there may lose the first.
    fn echo(network: &Network, from: &str, to: &str) -> f64 {
        let address = network.hosts().find(|(name, _)| *name == to).expect("it is there").1.address;
        let script = format!(
            "import socket,time\n\
             s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(5)\n\
             def echo(n):\n\
             \x20   t=time.monotonic(); s.sendto(b'%d'%n,('{address}',9999))\n\
             \x20   try:\n\
             \x20       while s.recv(9)!=b'%d'%n: pass\n\
             \x20       return time.monotonic()-t\n\
             \x20   except TimeoutError: return 99\n\
             print(min(echo(n) for n in range(5))*1000)"
        );
        let said = Command::new("ip")
            .args(["netns", "exec", &network.space_of(from).expect("it is there"), "python3", "-c", &script])
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        text.parse().unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&said.stderr)))
    }

    /// Is killed at the end.
    struct Running(std::process::Child);

    impl Drop for Running {
        fn drop(&mut self) {
            // It may have ended.
            drop(self.0.kill().and_then(|()| self.0.wait()));
        }
    }

    /// Answers what it is sent.
    fn echoes(network: &Network, at: &str) -> Running {
        let script = "import socket\n\
                      s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('',9999)); print('!',flush=True)\n\
                      while True:\n\
                      \x20   d,a=s.recvfrom(9); s.sendto(d,a)";
        let mut child = Command::new("ip")
            .args(["netns", "exec", &network.space_of(at).expect("it is there"), "python3", "-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("it runs");
        // The pipe stays open: what else it has to say must not end it.
        let said = child.stdout.as_mut().expect("it is piped");
        std::io::Read::read_exact(said, &mut [0]).expect("it begins");
        Running(child)
    }

    #[test]
    fn packets_come_late_and_in_time_again_afterwards_c21() {
        let names = ["a", "b"].map(str::to_owned);
        let network = match (Network::new(&names), missing()) {
            (Ok(network), None) => network,
            // Not root, or no such filter: runs skip this fault, too.
            (Err(error), _) => return eprintln!("skipped: {error:#}"),
            (Ok(_), Some(missing)) => return eprintln!("skipped: {missing}"),
        };
        let _echo = echoes(&network, "b");
        let mut children = Vec::new();
        for _ in 0..2 {
            let mut delay = Delay::default();
            delay.begin(&network, &["b"], Duration::from_millis(300), 1).expect("it begins");
            // It has what we have open, and lives on.
            let child = Command::new("sleep").arg("30").spawn().expect("it runs");
            children.push(Running(child));
            let late = echo(&network, "a", "b");
            assert!((300.0..10_000.0).contains(&late), "{late}");
            network.heal().expect("the rules go");
            let Holder { stop, thread } = delay.holder.take().expect("it is there");
            drop(stop);
            assert!(thread.join().expect("no panic").expect("no error") >= 5);
            // On a machine however busy: the fastest of five.
            assert!(echo(&network, "a", "b") < 300.0);
        }
    }

    #[test]
    fn without_its_reader_a_queue_cuts_nobody_off_c21() {
        let network = match (Network::new(&["a", "b"].map(str::to_owned)), missing()) {
            (Ok(network), None) => network,
            (Err(error), _) => return eprintln!("skipped: {error:#}"),
            (Ok(_), Some(missing)) => return eprintln!("skipped: {missing}"),
        };
        let _echo = echoes(&network, "b");
        network.queue("b", QUEUE).expect("a rule");
        assert!(echo(&network, "a", "b") < 10_000.0);
    }
}
