//! Opening a log: fence it, verify that the fence stands where it must, and read what is before it.
//!
//! 1. List: the newest snapshot, and the last record that follows it without a gap. 2. Read that record; an owner of our
//!    epoch or a higher one ends the attempt. 3. Put the fence after it. 4. List again: if the log has moved past the
//!    fence meanwhile, the fence stands in a hole that garbage collection made, and fences nothing. 5. Read the snapshot
//!    and the records up to the fence, and check that each follows the one before.
//!
//! Whenever the log turns out to have moved, start over. Steps 2 and 4 look superfluous and are not: see the model in
//! this crate's tests, which loses acknowledged writes without them.

use model::{DatabaseId, Epoch, TimestampMs};

use crate::{
    Nonce, Position, Recovery, State, Store, Writer,
    damage::{Damage, Damaged, Object},
    limits::{BACKOFF_MAX, BACKOFF_MIN, OPEN_ATTEMPTS},
    log::{Log, ReadError},
    names::{Extent, Name},
    objects::ObjectError,
    own::{Owned, put_own},
    record::{Body, Encoded, Encoding, Header, Kind, Record},
    replay::Replayed,
};

/// A log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody opened it with the same or a higher epoch: this server is not, or no longer, the owner.
    #[error("{database}: epoch {found} has fenced position {position}, so epoch {epoch} may not open it")]
    Superseded {
        /// The database.
        database: DatabaseId,
        /// Our epoch.
        epoch: Epoch,
        /// Theirs.
        found: Epoch,
        /// Where.
        position: Position,
    },
    /// The database was dropped; its id is never used again.
    #[error("{database} was dropped")]
    Dropped {
        /// The database.
        database: DatabaseId,
    },
    /// The journal is damaged. Nothing was given up: what is there is untouched.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The store failed. Opening again with the same epoch is right.
    #[error("{database}: the store failed while its journal was opened")]
    Store {
        /// The database.
        database: DatabaseId,
        /// Why.
        #[source]
        source: ObjectError,
    },
}

/// Why one attempt ended.
enum Stop {
    /// It will not get better.
    For(OpenError),
    /// The log moved, or looks damaged, which a log that moves may; the last attempt reports it.
    Retry(OpenError),
}

/// Who opens what.
struct Opening {
    log: Log,
    epoch: Epoch,
    nonce: Nonce,
    at: TimestampMs,
}

impl Store {
    /// Opens the log of a database for its owner of `epoch`: from its return on, no older owner's commit can succeed.
    ///
    /// The same process may open with the same epoch again, which fences its own earlier [`Writer`].
    /// A database that was never opened is empty: there is no making it first.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        &self,
        database: DatabaseId,
        epoch: Epoch,
        at: TimestampMs,
    ) -> Result<(Writer, Recovery), OpenError> {
        let opening = Opening { log: self.log(database), epoch, nonce: self.next_nonce(), at };
        let mut pause = BACKOFF_MIN;
        let mut attempt = 1;
        loop {
            match opening.attempt().await {
                Ok(opened) => return Ok(opened),
                Err(Stop::For(error)) => return Err(error),
                Err(Stop::Retry(error)) if attempt == OPEN_ATTEMPTS => return Err(error),
                Err(Stop::Retry(error)) => {
                    tracing::info!(%database, %epoch, attempt, %error, "the log moved while it was opened");
                    tokio::time::sleep(pause).await;
                    (pause, attempt) = ((pause * 2).min(BACKOFF_MAX), attempt + 1);
                }
            }
        }
    }
}

impl Opening {
    async fn attempt(&self) -> Result<(Writer, Recovery), Stop> {
        let before = self.extent().await?;
        let last = self.last_record(before).await?;
        let fence = self.fence(before.tail.next(), last.as_ref());
        self.put(&fence).await?;
        let after = self.extent().await?;
        if after.base() >= fence.header.position || after.tail != fence.header.position {
            return Err(Stop::Retry(self.missing(fence.header.position)));
        }
        self.read(after).await
    }

    async fn extent(&self) -> Result<Extent, Stop> {
        let listing = self.log.list().await.map_err(|source| self.store_failed(source))?;
        for name in &listing.foreign {
            tracing::warn!(database = %self.log.database(), name, "a foreign object lies in the journal");
        }
        if listing.tombstone.is_some() {
            return Err(Stop::For(OpenError::Dropped { database: self.log.database() }));
        }
        listing.extent(self.log.database()).map_err(|damaged| Stop::Retry(damaged.into()))
    }

    /// The record that the fence will follow.
    async fn last_record(&self, extent: Extent) -> Result<Option<Record>, Stop> {
        if extent.tail == Position::START {
            return Ok(None);
        }
        let record = self.log.record(extent.tail).await.map_err(|error| self.unreadable(error))?;
        let record = record.ok_or_else(|| Stop::Retry(self.missing(extent.tail)))?;
        self.check_owner(&record.header)?;
        Ok(Some(record))
    }

    /// Whether the writer of a record may be followed by us.
    fn check_owner(&self, header: &Header) -> Result<(), Stop> {
        let database = self.log.database();
        let ours = header.nonce.process == self.log.store().process();
        if header.epoch > self.epoch || (header.epoch == self.epoch && !ours) {
            return Err(Stop::For(OpenError::Superseded {
                database,
                epoch: self.epoch,
                found: header.epoch,
                position: header.position,
            }));
        }
        if header.kind == Kind::Drop {
            return Err(Stop::For(OpenError::Dropped { database }));
        }
        Ok(())
    }

    fn fence(&self, position: Position, last: Option<&Record>) -> Encoded {
        let mut state = State::default();
        if let Some(last) = last {
            state.hash = last.hash;
            (state.page_size, state.image_pages) = (last.header.page_size, last.header.image_pages);
        }
        let mut header = header(&self.log, Kind::Fence, self.epoch, self.nonce, &state);
        (header.position, header.at) = (position, self.at);
        Encoded::new(header, &Body::default())
    }

    async fn put(&self, fence: &Encoded) -> Result<(), Stop> {
        let store = self.log.store();
        let position = fence.header.position;
        let key = self.log.key(&Name::Record(position));
        match put_own(store.objects(), &key, fence, store.patience()).await {
            Ok(Owned::Mine) => Ok(()),
            Ok(Owned::Lost(bytes)) => {
                let database = self.log.database();
                let there = Record::decode(&bytes, self.log.place(), position)
                    .map_err(|damage| Stop::For(damage.of(Object::Record, database, position).into()))?;
                self.check_owner(&there.header)?;
                Err(Stop::Retry(OpenError::Superseded {
                    database,
                    epoch: self.epoch,
                    found: there.header.epoch,
                    position,
                }))
            }
            Err(unsettled) => Err(self.store_failed(unsettled.source)),
        }
    }

    /// Reads and checks everything from the newest snapshot up to our fence.
    async fn read(&self, extent: Extent) -> Result<(Writer, Recovery), Stop> {
        let replayed =
            self.log.replay(extent, TimestampMs(u64::MAX)).await.map_err(|e| self.unreadable(e))?;
        let Replayed { recovery, debt } = replayed;
        let writer = Writer::new(self.log.clone(), recovery.state().clone(), debt, extent.snapshot);
        Ok((writer, recovery))
    }

    fn missing(&self, position: Position) -> OpenError {
        Damage::Missing.of(Object::Record, self.log.database(), position).into()
    }

    fn store_failed(&self, source: ObjectError) -> Stop {
        Stop::For(OpenError::Store { database: self.log.database(), source })
    }

    fn unreadable(&self, error: ReadError) -> Stop {
        match error {
            ReadError::Store(source) => self.store_failed(source),
            ReadError::Damaged(damaged) => Stop::Retry(damaged.into()),
        }
    }
}

/// The header of a record that follows `state`.
pub(crate) fn header(log: &Log, kind: Kind, epoch: Epoch, nonce: Nonce, state: &State) -> Header {
    Header {
        kind,
        encoding: Encoding::Raw,
        fleet: log.place().fleet,
        database: log.database(),
        epoch,
        position: state.position.next(),
        nonce,
        previous: state.hash,
        at: state.at,
        first_transaction: 0,
        transactions: 0,
        page_size: state.page_size,
        image_pages: state.image_pages,
        page_count: 0,
        outcome_count: 0,
        raw_len: 0,
        body_len: 0,
    }
}
