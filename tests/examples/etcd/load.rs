//! The generator: clients in a closed loop, each sending the next request when the last was answered.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// A client's work.
pub trait Work: Send + 'static {
    /// Does one operation. It must succeed.
    fn once(&mut self) -> impl Future<Output = ()> + Send;
}

/// What one round of one system gave.
pub struct Round {
    /// How long each operation took, sorted.
    pub took: Vec<Duration>,
    /// How long the round took.
    pub elapsed: Duration,
    /// CPU time of the system's processes, without the generator's.
    pub cpu: Duration,
}

impl Round {
    /// Operations for each second.
    pub fn rate(&self) -> f64 {
        self.took.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this share of all operations did not exceed, in milliseconds.
    pub fn latency(&self, share: f64) -> f64 {
        let at = (self.took.len() as f64 * share) as usize;
        self.took.get(at).or(self.took.last()).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    }

    /// CPU time for each operation, in microseconds.
    pub fn cpu_each(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.took.len() as f64
    }
}

/// Lets all of them work for that long; how long each operation took.
pub async fn run<W: Work>(workers: Vec<W>, length: Duration) -> Vec<Duration> {
    let until = Instant::now() + length;
    let clients = workers.into_iter().map(|mut worker| {
        tokio::spawn(async move {
            let mut took = Vec::new();
            let mut began = Instant::now();
            while began < until {
                worker.once().await;
                let ended = Instant::now();
                took.push(ended - began);
                began = ended;
            }
            took
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await.expect("no operation fails"));
    }
    all
}
