//! The log as openraft sees it.

use std::{
    fmt::Debug,
    future::Future,
    io,
    ops::RangeBounds,
    sync::{Arc, Mutex},
};

use model::Level;
use openraft::{
    EntryPayload, LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Disk, Progress, StoreError, Write,
    tail::Tail,
    writer::{self, Op, Tell},
};
use crate::raft::{LogEntry, LogId, TypeConfig, Vote};

/// Appends, and tells when it is durable. One owner: openraft.
pub struct Log {
    tail: Arc<Mutex<Tail>>,
    ops: mpsc::UnboundedSender<Op>,
    progress: Progress,
}

/// Reads what was appended, durable or not.
#[derive(Clone)]
pub struct Reader {
    tail: Arc<Mutex<Tail>>,
}

impl Log {
    /// Reads the log from its disk. The future writes, until the log is dropped and everything is written.
    ///
    /// # Errors
    /// [`StoreError`]: this disk must not be used.
    pub async fn open(disk: Arc<dyn Disk>) -> Result<(Self, impl Future<Output = ()> + Send), StoreError> {
        let loaded = disk.load().await?;
        let tail = Tail::new(loaded.vote, loaded.committed, loaded.purged, loaded.entries);
        let progress = Progress::new(tail.last().map(|last| last.index));
        // Unbounded, because openraft bounds what it appends: by its callers' writes and by the appends in flight.
        let (ops, queue) = mpsc::unbounded_channel();
        let writing = writer::run(disk, progress.clone(), queue);
        Ok((Self { tail: Arc::new(Mutex::new(tail)), ops, progress }, writing))
    }

    /// The last purged entry: a snapshot must hold it.
    pub fn purged(&self) -> Option<LogId> {
        self.tail(|tail| tail.purged())
    }

    /// What it takes to read all of it.
    pub fn level(&self) -> Level {
        let levels = self.tail(|tail| tail.get(&..)).into_iter().filter_map(|entry| match entry.payload {
            EntryPayload::Normal(proposal) => Some(proposal.entry().level()),
            EntryPayload::Blank | EntryPayload::Membership(_) => None,
        });
        levels.max().unwrap_or_default()
    }

    /// How its disk gets on.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// The last entry.
    pub fn last(&self) -> Option<LogId> {
        self.tail(|tail| tail.last())
    }

    fn tail<T>(&self, with: impl FnOnce(&mut Tail) -> T) -> T {
        with(&mut self.tail.lock().expect("BUG: nothing panics while holding this lock"))
    }

    fn queue(&self, write: Write, tell: Tell) -> io::Result<()> {
        self.ops.send(Op { write, tell }).map_err(|_| io::Error::other("the log has been closed"))
    }
}

impl Reader {
    fn tail<T>(&self, with: impl FnOnce(&mut Tail) -> T) -> T {
        with(&mut self.tail.lock().expect("BUG: nothing panics while holding this lock"))
    }
}

impl RaftLogReader<TypeConfig> for Reader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<LogEntry>, io::Error> {
        Ok(self.tail(|tail| tail.get(&range)))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.tail(|tail| tail.vote))
    }
}

impl RaftLogStorage<TypeConfig> for Log {
    type LogReader = Reader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        Ok(self.tail(|tail| LogState { last_purged_log_id: tail.purged(), last_log_id: tail.last() }))
    }

    async fn get_log_reader(&mut self) -> Reader {
        Reader { tail: self.tail.clone() }
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (answer, answered) = oneshot::channel();
        self.queue(Write::Vote(*vote), Tell::Caller(answer))?;
        answered.await.map_err(|_| io::Error::other("the log has been closed"))??;
        self.tail(|tail| tail.vote = Some(*vote));
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let Some(committed) = committed else { return Ok(()) };
        self.tail(|tail| tail.committed = Some(committed));
        self.queue(Write::Committed(committed), Tell::Nobody)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.tail(|tail| tail.committed))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<LogEntry> = entries.into_iter().collect();
        if entries.is_empty() {
            callback.io_completed(Ok(()));
            return Ok(());
        }
        // Cheap: entries share their bytes when cloned. They are encoded where they are written.
        let write = Write::Append(entries.clone());
        self.tail(|tail| tail.append(entries)).map_err(io::Error::other)?;
        self.queue(write, Tell::Engine(callback))
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        self.tail(|tail| tail.truncate(last_log_id));
        self.queue(Write::Truncate { after: last_log_id }, Tell::Nobody)
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        self.tail(|tail| tail.purge(log_id));
        self.queue(Write::Purge { upto: log_id }, Tell::Nobody)
    }
}
