//! Group commit: gathers the writes that came while the disk was busy, and gives them to it as one batch.

use std::{io, sync::Arc};

use openraft::storage::IOFlushed;
use tokio::sync::{mpsc, oneshot};

use super::{
    Progress, codec,
    disk::{Disk, Write},
};
use crate::{
    limits::{BATCH_BYTES_MAX, BATCH_WRITES_MAX},
    meter,
    raft::TypeConfig,
};

/// A write, and who wants to know that it is durable.
pub struct Op {
    /// What to write.
    pub write: Write,
    /// Whom to tell.
    pub tell: Tell,
}

/// Who wants to know.
pub enum Tell {
    /// Nobody.
    Nobody,
    /// openraft, which goes on meanwhile.
    Engine(IOFlushed<TypeConfig>),
    /// A caller that waits.
    Caller(oneshot::Sender<io::Result<()>>),
}

/// Works until every sender is gone and everything is written. After a failure nothing is written any more, and
/// everybody is told.
pub async fn run(disk: Arc<dyn Disk>, progress: Progress, mut ops: mpsc::UnboundedReceiver<Op>) {
    let mut broken: Option<io::Error> = None;
    while let Some(first) = ops.recv().await {
        let (batch, listeners) = gather(first, &mut ops);
        if broken.is_none() {
            let began = tokio::time::Instant::now();
            let writes = batch.len();
            let durable = progress.begin(&batch);
            if let Err(error) = disk.write(batch).await {
                tracing::error!(%error, "cannot write the log; this controller stops");
                broken = Some(error);
            }
            progress.end(durable);
            meter::log_written(began.elapsed(), writes);
        }
        for listener in listeners {
            listener.tell(broken.as_ref());
        }
    }
}

/// What is queued, up to the limits of one batch.
fn gather(first: Op, ops: &mut mpsc::UnboundedReceiver<Op>) -> (Vec<Write>, Vec<Tell>) {
    let mut bytes = size(&first.write);
    let mut batch = vec![first.write];
    let mut listeners = vec![first.tell];
    while batch.len() < BATCH_WRITES_MAX && bytes < BATCH_BYTES_MAX {
        let Ok(op) = ops.try_recv() else { break };
        bytes += size(&op.write);
        batch.push(op.write);
        listeners.push(op.tell);
    }
    (batch, listeners)
}

fn size(write: &Write) -> usize {
    match write {
        Write::Append(entries) => entries.iter().map(codec::entry_len).sum(),
        Write::Vote(_) | Write::Truncate { .. } | Write::Purge { .. } | Write::Committed(_) => 0,
    }
}

impl Tell {
    fn tell(self, broken: Option<&io::Error>) {
        let result = match broken {
            None => Ok(()),
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        match self {
            Self::Nobody => {}
            Self::Engine(flushed) => flushed.io_completed(result),
            // A caller that stopped waiting does not need the answer.
            Self::Caller(answer) => drop(answer.send(result)),
        }
    }
}
