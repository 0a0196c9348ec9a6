//! Writers, and how long each write took.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use model::{DatabaseId, RequestId};
use rpc::{
    Controllers, TcpDial,
    controller::{DatabaseRef, Operation},
    handshake::Role,
};
use tokio::{task::JoinSet, time::Instant};

use crate::process;

/// Writers, each with a connection of its own and one write on its way.
const WRITERS: u64 = 16;

/// No snapshot is to stall a write for longer.
const STALL: Duration = Duration::from_millis(20);

/// When each call ended, since the UNIX epoch, and how long it took.
#[derive(Default)]
pub struct Latencies(Vec<(Duration, Duration)>);

/// Writers that write until they are stopped.
pub struct Load {
    tasks: JoinSet<anyhow::Result<Latencies>>,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
}

impl Load {
    /// Starts them on databases of this many.
    pub fn start(databases: u64) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = JoinSet::new();
        for _ in 0..WRITERS {
            tasks.spawn(write(databases, stop.clone(), done.clone()));
        }
        Self { tasks, stop, done }
    }

    /// How many writes were acknowledged.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Stops them; what they measured.
    ///
    /// # Errors
    /// A write failed.
    pub async fn stop(mut self) -> anyhow::Result<Latencies> {
        self.stop.store(true, Relaxed);
        let mut all = Latencies::default();
        while let Some(one) = self.tasks.join_next().await {
            all.0.extend(one??.0);
        }
        Ok(all)
    }
}

/// Renames databases, which changes more of the map than an assignment does.
async fn write(databases: u64, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) -> anyhow::Result<Latencies> {
    let controllers = (1..=process::CONTROLLERS).map(process::address).collect();
    let controllers = Controllers::new(controllers, Arc::new(TcpDial), process::secret(), Role::Operator);
    let mut took = Latencies::default();
    while !stop.load(Relaxed) {
        let database = DatabaseRef::Id(DatabaseId(rand::random_range(1..=databases)));
        let name = format!("renamed-{:016x}", rand::random::<u64>());
        let began = Instant::now();
        controllers.operate(RequestId(1), Operation::RenameDatabase { database, name }).await?;
        took.add(process::now(), began.elapsed());
        done.fetch_add(1, Relaxed);
    }
    Ok(took)
}

impl Latencies {
    /// One more.
    pub fn add(&mut self, end: Duration, took: Duration) {
        self.0.push((end, took));
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that were on their way in one of these spans, and the others.
    pub fn split(&self, spans: &[(Duration, Duration)]) -> (Self, Self) {
        let meets = |(end, took): &(Duration, Duration)| {
            spans.iter().any(|(from, to)| end >= from && end.saturating_sub(*took) <= *to)
        };
        let (within, without) = self.0.iter().partition(|one| meets(one));
        (Self(within), Self(without))
    }
}

impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted: Vec<Duration> = self.0.iter().map(|(_, took)| *took).collect();
        sorted.sort_unstable();
        let Some(last) = sorted.len().checked_sub(1) else { return f.write_str("none") };
        let at = |share: f64| sorted[(last as f64 * share) as usize].as_secs_f64() * 1e3;
        let stalled = sorted.len() - sorted.partition_point(|took| *took <= STALL);
        write!(f, "p50 {:.2} p99 {:.2} p99.9 {:.2} max {:.1} ms, ", at(0.5), at(0.99), at(0.999), at(1.0))?;
        write!(f, "{:.3} % above {STALL:?}", stalled as f64 * 100.0 / sorted.len() as f64)
    }
}
