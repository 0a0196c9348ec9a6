//! The only way to write into a log: put the record at its position, and find out whose record is there.
//!
//! The bytes meant for a position never change once they were sent: an attempt may land at any time after its answer
//! was lost, and whatever lands must be what the owner believes to be there.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::{
    limits::{BACKOFF_MAX, BACKOFF_MIN},
    objects::{Action, Created, ErrorKind, Key, ObjectError, Objects},
    record::Encoded,
};

/// How long to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// One attempt. A slower answer is not waited for; the attempt may still land.
    pub attempt: Duration,
    /// All attempts together.
    pub total: Duration,
}

impl Default for Patience {
    /// 10 s for an attempt, 30 s in all.
    fn default() -> Self {
        Self { attempt: Duration::from_secs(10), total: Duration::from_secs(30) }
    }
}

/// Whose record stands at the position.
#[derive(Debug)]
pub(crate) enum Owned {
    Mine,
    Lost(Bytes),
}

/// It could not be found out whose record stands at the position.
#[derive(Debug)]
pub(crate) struct Unsettled {
    /// Every attempt was refused, so the record is not there and will not be.
    pub(crate) surely_absent: bool,
    pub(crate) source: ObjectError,
}

/// Puts `record` at `key` until it is known whose record stands there, or patience ends.
pub(crate) async fn put_own(
    objects: &dyn Objects,
    key: &Key,
    record: &Encoded,
    patience: Patience,
) -> Result<Owned, Unsettled> {
    let end = Instant::now() + patience.total;
    let mut pause = BACKOFF_MIN;
    let mut surely_absent = true;
    loop {
        let source = match attempt(objects, key, record, end.min(Instant::now() + patience.attempt)).await {
            Ok(Some(owned)) => return Ok(owned),
            // Taken a moment ago and gone now: the position is below a snapshot and was collected, or the store says
            // *taken* for *busy*. The same bytes again: whoever verifies later decides.
            Ok(None) => Action::Create.failed(key, ErrorKind::Unknown, "it was taken and then was not there"),
            Err(error) => error,
        };
        surely_absent &= source.kind == ErrorKind::Refused;
        if source.kind == ErrorKind::Broken || Instant::now() + pause >= end {
            return Err(Unsettled { surely_absent, source });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF_MAX);
    }
}

async fn attempt(
    objects: &dyn Objects,
    key: &Key,
    record: &Encoded,
    end: Instant,
) -> Result<Option<Owned>, ObjectError> {
    let created = timeout_at(end, objects.create(key, &record.parts)).await;
    match created
        .unwrap_or_else(|_| Err(Action::Create.failed(key, ErrorKind::Unknown, "no answer in time")))?
    {
        Created::Made => Ok(Some(Owned::Mine)),
        Created::Taken => {
            let read = timeout_at(end, objects.read(key, None)).await;
            let found = read
                .unwrap_or_else(|_| Err(Action::Read.failed(key, ErrorKind::Unknown, "no answer in time")))?;
            Ok(found.map(|bytes| if record.is(&bytes) { Owned::Mine } else { Owned::Lost(bytes) }))
        }
    }
}
