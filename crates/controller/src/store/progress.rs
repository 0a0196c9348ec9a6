//! How the disk gets on with the log: what it has, and since when it has been busy with one batch.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

use super::Write;

/// Shared between the log's writer and whoever watches it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Doing>>);

#[derive(Debug, Default)]
struct Doing {
    /// Since when the present batch is on its way to the disk.
    since: Option<Instant>,
    /// The last entry that the disk has.
    durable: Option<u64>,
}

/// A batch that is on its way to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// For how long.
    pub lasts: Duration,
    /// The last entry that the disk had before.
    pub durable: Option<u64>,
}

impl Progress {
    /// Of a disk that has entries up to this one.
    pub fn new(durable: Option<u64>) -> Self {
        Self(Arc::new(Mutex::new(Doing { since: None, durable })))
    }

    /// A batch goes to the disk now. The last entry that the disk has once it is done.
    pub fn begin(&self, batch: &[Write]) -> Option<u64> {
        self.doing(|doing| {
            doing.since = Some(Instant::now());
            batch.iter().fold(doing.durable, |durable, write| match write {
                Write::Append(entries) => entries.last().map(|last| last.log_id.index).or(durable),
                Write::Truncate { after } => after.map(|after| after.index),
                Write::Vote(_) | Write::Purge { .. } | Write::Committed(_) => durable,
            })
        })
    }

    /// It is done.
    pub fn end(&self, durable: Option<u64>) {
        self.doing(|doing| *doing = Doing { since: None, durable });
    }

    /// What the disk is busy with, if anything.
    pub fn stall(&self) -> Option<Stall> {
        self.doing(|doing| doing.since.map(|since| Stall { lasts: since.elapsed(), durable: doing.durable }))
    }

    fn doing<T>(&self, with: impl FnOnce(&mut Doing) -> T) -> T {
        with(&mut self.0.lock().expect("BUG: nothing panics while holding this lock"))
    }
}
