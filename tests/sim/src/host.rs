//! A host: a machine with one process, a clock of its own rate, and a runtime that does nothing unless it is its turn.
//!
//! Tokio's clock is paused in it and moved from outside, so that all its timers are simulated. To end a process is to drop
//! its runtime with everything that runs in it, which is what a kill leaves of a process.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::{Instant, advance, sleep_until},
};

use crate::{net::Name, time, trace};

/// What a process runs, and how it ended when it did by itself.
pub type Process = Pin<Box<dyn Future<Output = String> + Send>>;
/// Starts the process of a host anew.
pub type Start = Arc<dyn Fn() -> Process + Send + Sync>;

/// One host.
pub struct Host {
    /// Its name.
    pub name: Name,
    start: Start,
    /// How much faster its clock runs, in millionths.
    rate_ppm: i64,
    /// How far its wall clock is off.
    pub wall_off_ms: i64,
    life: Option<Life>,
    paused: bool,
}

/// A process that runs.
struct Life {
    runtime: Runtime,
    task: JoinHandle<String>,
    /// When it began, on its own clock and on the true one.
    began: Instant,
    began_ms: u64,
    /// Milliseconds that its clock went on since.
    done_ms: u64,
}

impl Host {
    /// A host that does not run yet.
    pub fn new(name: &str, rate_ppm: i64, wall_off_ms: i64, start: Start) -> Self {
        Self { name: name.into(), start, rate_ppm, wall_off_ms, life: None, paused: false }
    }

    /// Starts its process.
    pub fn boot(&mut self) {
        time::enter(self.wall_off_ms);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("BUG: a runtime without IO needs nothing of the system");
        let (began, task) = runtime.block_on(async { (Instant::now(), tokio::spawn((self.start)())) });
        trace::note(format_args!("{} starts", self.name));
        self.paused = false;
        self.life = Some(Life { runtime, task, began, began_ms: time::now(), done_ms: 0 });
    }

    /// Ends its process where it stands.
    pub fn kill(&mut self) {
        if let Some(life) = self.life.take() {
            trace::note(format_args!("{} ends", self.name));
            drop(life);
        }
    }

    /// Whether its process runs.
    pub fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// Lets nothing in it go on, while time does; or lets it go on.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Runs it up to now. What its process ended with, if it did.
    pub fn step(&mut self) -> Option<String> {
        let rate = u64::try_from(1_000_000 + self.rate_ppm).unwrap_or(1_000_000);
        let life = self.life.as_mut().filter(|_| !self.paused)?;
        let target = (time::now() - life.began_ms) * rate / 1_000_000;
        let behind = target - life.done_ms;
        if behind == 0 {
            return None;
        }
        time::enter(self.wall_off_ms);
        let until = life.began + Duration::from_millis(target);
        life.runtime.block_on(async {
            // It was paused: for its process the time has passed at once.
            if behind > 2 {
                advance(Duration::from_millis(behind - 1)).await;
            }
            sleep_until(until).await;
        });
        life.done_ms = target;
        if !life.task.is_finished() {
            return None;
        }
        let ended = life.runtime.block_on(&mut life.task);
        Some(ended.unwrap_or_else(|error| format!("a panic: {error}")))
    }

    /// Runs something beside its process.
    pub fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.life.as_ref().expect("BUG: it runs").runtime.spawn(future)
    }

    /// What a task of its came to, once it has ended.
    pub fn result<T>(&self, task: JoinHandle<T>) -> T {
        let ended = self.life.as_ref().expect("BUG: it runs").runtime.block_on(task);
        ended.expect("BUG: the simulation's own tasks do not panic")
    }
}
