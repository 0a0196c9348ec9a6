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
    // How far the log is committed is a hint. It travels with what has to be written anyway: each batch is followed by
    // one, and would otherwise be followed by another batch.
    let mut hint: Option<Write> = None;
    loop {
        let (batch, listeners) = match ops.recv().await {
            Some(Op { write: write @ Write::Committed(_), tell: Tell::Nobody }) => {
                hint = Some(write);
                continue;
            }
            Some(first) => gather(hint.take(), first, &mut ops),
            None => match hint.take() {
                Some(last) => (vec![last], Vec::new()),
                None => break,
            },
        };
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

/// What is queued, up to the limits of one batch, behind the hint.
fn gather(hint: Option<Write>, first: Op, ops: &mut mpsc::UnboundedReceiver<Op>) -> (Vec<Write>, Vec<Tell>) {
    let mut bytes = size(&first.write);
    let mut batch: Vec<Write> = hint.into_iter().chain([first.write]).collect();
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

#[cfg(test)]
mod tests {
    use std::{
        path::Path,
        sync::{Mutex, MutexGuard},
    };

    use async_trait::async_trait;
    use model::FleetId;

    use super::{
        super::{Encode, Loaded, StoreError},
        *,
    };

    /// Remembers what it was given, as text.
    #[derive(Default)]
    struct Noting(Mutex<Vec<String>>);

    impl Noting {
        fn batches(&self) -> MutexGuard<'_, Vec<String>> {
            self.0.lock().expect("nobody panics")
        }
    }

    #[async_trait]
    impl Disk for Noting {
        async fn load(&self) -> Result<Loaded, StoreError> {
            Ok(Loaded::default())
        }

        async fn write(&self, batch: Vec<Write>) -> io::Result<()> {
            let kind = |write: &Write| match write {
                Write::Vote(_) => "vote".into(),
                Write::Append(_) => "append".into(),
                Write::Truncate { .. } => "truncate".into(),
                Write::Purge { .. } => "purge".into(),
                Write::Committed(upto) => format!("committed {}", upto.index),
            };
            self.batches().push(batch.iter().map(kind).collect::<Vec<String>>().join(", "));
            Ok(())
        }

        async fn put_image(&self, _: Encode) -> io::Result<()> {
            Ok(())
        }

        async fn image(&self) -> io::Result<Option<Vec<u8>>> {
            Ok(None)
        }

        async fn belong_to(&self, _: FleetId) -> Result<(), StoreError> {
            Ok(())
        }

        async fn is_joining(&self) -> bool {
            false
        }

        async fn admit(&self) -> Result<(), StoreError> {
            Ok(())
        }

        fn path(&self) -> &Path {
            Path::new("")
        }
    }

    #[tokio::test]
    async fn how_far_the_log_is_committed_is_written_with_the_next_batch_or_at_the_end() {
        let (disk, (ops, queue)) = (Arc::new(Noting::default()), mpsc::unbounded_channel());
        let writing = tokio::spawn(run(disk.clone(), Progress::default(), queue));
        let send = async |write: Write| {
            assert!(ops.send(Op { write, tell: Tell::Nobody }).is_ok());
            // One thread: whatever the writer can do, it has done then.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        };
        let committed = |index| Write::Committed(codec::log_id(1, 1, index));
        send(committed(1)).await;
        send(committed(2)).await;
        assert!(disk.batches().is_empty(), "{:?}", disk.batches());
        send(Write::Vote(codec::vote(1, 1, true))).await;
        assert_eq!(*disk.batches(), ["committed 2, vote"]);
        send(committed(3)).await;
        drop(ops);
        writing.await.expect("it ends");
        assert_eq!(*disk.batches(), ["committed 2, vote", "committed 3"]);
    }
}
