//! The owner's end of a log: appends groups, one at a time, and tells what is durable.
//!
//! A group is durable when [`Writer::append`] returns its position, and not before. When it returns an error, ask
//! [`AppendError::effect`] whether the group may yet be in the log.

mod group;

use model::{DatabaseId, Epoch, TimestampMs};
use sabotage::Sabotage;

use crate::{
    Nonce, Position, RecordHash, SnapshotDraft, SnapshotError, State, Taken,
    damage::{Damaged, Object},
    gc::Collection,
    limits::INLINE_MAX,
    log::Log,
    names::Name,
    objects::{Created, ErrorKind, ObjectError},
    open::header,
    own::{Owned, Unsettled, put_own},
    policy::{Debt, snapshot_due, snapshot_due_at_unload},
    record::{Body, Encoded, Kind, Record},
};

pub use group::{BadGroup, Group};

/// The owner's end of a log. Only from [`crate::Store::open`].
#[derive(Debug)]
pub struct Writer {
    log: Log,
    epoch: Epoch,
    nonce: Nonce,
    state: State,
    /// Sent and not known to be there, or to have lost.
    pending: Option<Pending>,
    /// Who took the log from us, if anybody.
    fenced_by: Option<Epoch>,
    /// What was in the log after the snapshot that it was opened with, and all that was appended since.
    debt: Debt,
    /// How much of that the newest snapshot includes.
    debt_at_snapshot: Debt,
    snapshot: Option<(Position, u64)>,
}

#[derive(Debug)]
struct Pending {
    record: Encoded,
    outcomes: Vec<crate::Outcome>,
}

/// A record was not appended, or not known to be.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A newer owner has fenced the log. This writer will never append again.
    #[error(
        "{database}: epoch {by} has fenced the journal at position {position}, against our epoch {epoch}"
    )]
    Fenced {
        /// The database.
        database: DatabaseId,
        /// The position that we wanted.
        position: Position,
        /// Our epoch.
        epoch: Epoch,
        /// Theirs.
        by: Epoch,
        /// The record is surely not in the log. Otherwise it may be: it may have landed, been followed by the newer
        /// owner's and collected with them, before something late took its old position.
        surely_absent: bool,
    },
    /// The store did not answer, or not well, for as long as patience lasts. [`Writer::resume`] goes on trying.
    #[error("{database}: could not store position {position}")]
    Stalled {
        /// The database.
        database: DatabaseId,
        /// The position.
        position: Position,
        /// Every attempt was refused: it is surely not there now.
        surely_absent: bool,
        /// Why.
        #[source]
        source: ObjectError,
    },
    /// What stands at the position is no record of this log.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The group cannot be a record. The writer is as it was.
    #[error("{database}: the group is not appended")]
    Refused {
        /// The database.
        database: DatabaseId,
        /// Why.
        #[source]
        source: BadGroup,
    },
    /// An earlier record is still stalled: [`Writer::resume`] first.
    #[error("{database}: position {position} is not settled yet")]
    Unsettled {
        /// The database.
        database: DatabaseId,
        /// The stalled position.
        position: Position,
    },
    /// The log was sealed or dropped by this writer.
    #[error("{database}: the journal is closed")]
    Closed {
        /// The database.
        database: DatabaseId,
    },
}

/// Whether a failed append may yet turn out to be in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is not, and never will be.
    None,
    /// Nobody knows before the next opening.
    Unknown,
}

impl AppendError {
    /// Whether the group may yet turn out to be in the log.
    pub fn effect(&self) -> Effect {
        match self {
            // What cannot be read may be our own record, damaged.
            Self::Stalled { surely_absent: false, .. }
            | Self::Fenced { surely_absent: false, .. }
            | Self::Damaged(_) => Effect::Unknown,
            Self::Stalled { surely_absent: true, .. }
            | Self::Fenced { surely_absent: true, .. }
            | Self::Refused { .. }
            | Self::Unsettled { .. }
            | Self::Closed { .. } => Effect::None,
        }
    }

    /// Whether [`Writer::resume`] may yet settle it: not when the store itself must not be trusted any more.
    pub fn may_resume(&self) -> bool {
        matches!(self, Self::Stalled { source, .. } if source.kind != ErrorKind::Broken)
    }

    /// The same after a [`Writer::resume`] that was not waited for: what it sent may land at any time.
    #[must_use]
    pub fn given_up(self) -> Self {
        match self {
            Self::Stalled { database, position, source, surely_absent: _ } => {
                Self::Stalled { database, position, source, surely_absent: false }
            }
            other => other,
        }
    }
}

/// Where a sealed log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The position of the seal.
    pub position: Position,
    /// Its hash.
    pub hash: RecordHash,
}

impl Writer {
    pub(crate) fn new(log: Log, state: State, debt: Debt, snapshot: Option<(Position, u64)>) -> Self {
        let (epoch, nonce) = (state.epoch, state.writer);
        Self {
            log,
            epoch,
            nonce,
            state,
            pending: None,
            fenced_by: None,
            debt,
            debt_at_snapshot: Debt::default(),
            snapshot,
        }
    }

    /// Appends a group and returns when it is durable, at the position that it returns.
    ///
    /// One at a time: whoever has more to commit meanwhile makes it the next group. Dropping the future leaves the
    /// record unsettled, as [`AppendError::Stalled`] does.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn append(&mut self, group: Group) -> Result<Position, AppendError> {
        let large = group.raw_len() > INLINE_MAX;
        let encode = self.encoding(group)?;
        self.pending = Some(if large { self.log.store().threads().run(encode).await } else { encode() });
        self.settle().await
    }

    /// Begins a group, which counts as stalled until [`Writer::put_here`] or [`Writer::resume`] has put it.
    ///
    /// # Errors
    /// As [`Writer::append`] before it puts anything.
    pub fn begin(&mut self, group: Group) -> Result<(), AppendError> {
        self.pending = Some(self.encoding(group)?());
        Ok(())
    }

    /// Whether [`Writer::put_here`] is of use with this store.
    pub fn puts_here(&self) -> bool {
        self.log.store().objects().blocking().is_some()
    }

    /// Tries once to put what was begun, on the calling thread, which waits for the disk. Gives its position once it is
    /// durable; nothing when that did not come of it, and then [`Writer::resume`] goes on.
    pub fn put_here(&mut self) -> Option<Position> {
        let Pending { record, .. } = self.pending.as_ref()?;
        let key = self.log.key(&Name::Record(record.header.position));
        match self.log.store().objects().blocking()?.create_here(&key, &record.parts) {
            Ok(Created::Made) => Some(self.appended()),
            Ok(Created::Taken) => None,
            Err(error) => {
                tracing::warn!(%key, reason = %error.source, "a record was not put at the first attempt");
                None
            }
        }
    }

    /// Makes the next record of a group.
    fn encoding(
        &self,
        group: Group,
    ) -> Result<impl FnOnce() -> Pending + Send + 'static + use<>, AppendError> {
        self.check_open()?;
        let group = group.checked(&self.state).map_err(|source| self.refused(source))?;
        let mut header = header(&self.log, Kind::Data, self.epoch, self.nonce, &self.state);
        header.at = group.at;
        header.first_transaction = self.state.transactions + 1;
        header.transactions = group.transactions;
        (header.page_size, header.image_pages) = (group.page_size, group.image_pages);
        Ok(move || {
            let body = Body { outcomes: &group.outcomes, pages: &group.pages, base: None };
            Pending { record: Encoded::new(header, &body), outcomes: group.outcomes }
        })
    }

    /// Goes on with a stalled record; returns its position once it is durable, nothing if none is stalled.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub async fn resume(&mut self) -> Result<Option<Position>, AppendError> {
        match self.pending {
            Some(_) => self.settle().await.map(Some),
            None => Ok(None),
        }
    }

    /// Promises that this writer will never append again, so that the next owner's fence need not be kept.
    ///
    /// # Errors
    /// As [`Writer::append`]. An unsealed log is as safe; its next fence is kept for some time.
    pub async fn seal(&mut self, at: TimestampMs) -> Result<Sealed, AppendError> {
        self.append_bare(Kind::Seal, at).await?;
        Ok(Sealed { position: self.state.position, hash: self.state.hash })
    }

    /// Writes the record after which there can be none.
    pub(crate) async fn append_drop(&mut self, at: TimestampMs) -> Result<Position, AppendError> {
        self.append_bare(Kind::Drop, at).await
    }

    async fn append_bare(&mut self, kind: Kind, at: TimestampMs) -> Result<Position, AppendError> {
        self.check_open()?;
        let mut header = header(&self.log, kind, self.epoch, self.nonce, &self.state);
        header.at = at;
        self.pending = Some(Pending { record: Encoded::new(header, &Body::default()), outcomes: Vec::new() });
        self.settle().await
    }

    /// Finds out whose record stands at the pending one's position.
    async fn settle(&mut self) -> Result<Position, AppendError> {
        let pending = self.pending.as_ref().expect("BUG: only called with a pending record");
        let (store, position) = (self.log.store(), pending.record.header.position);
        let key = self.log.key(&Name::Record(position));
        let owned = put_own(store.objects(), &key, &pending.record, store.patience()).await;
        match owned {
            Ok(Owned::Mine) => Ok(self.appended()),
            Ok(Owned::Lost(_)) if sabotage::is(Sabotage::Fence) => Ok(self.appended()),
            Ok(Owned::Lost(bytes)) => Err(self.lost(position, &bytes).await),
            Err(Unsettled { surely_absent, source }) => {
                Err(AppendError::Stalled { database: self.database(), position, surely_absent, source })
            }
        }
    }

    fn appended(&mut self) -> Position {
        let Pending { record, outcomes } = self.pending.take().expect("BUG: it was just settled");
        self.state.advance(&record.header, record.hash);
        self.state.outcomes.apply(self.state.position, &outcomes);
        self.debt.records += 1;
        self.debt.data_records += u64::from(record.header.kind == Kind::Data);
        self.debt.bytes += record.size();
        self.state.position
    }

    async fn lost(&mut self, position: Position, bytes: &bytes::Bytes) -> AppendError {
        let database = self.database();
        match Record::decode(bytes, self.log.place(), position) {
            Ok(theirs) => {
                let (epoch, by) = (self.epoch, theirs.header.epoch);
                self.pending = None;
                self.fenced_by = Some(by);
                let surely_absent = self.was_never_garbage(position).await;
                AppendError::Fenced { database, position, epoch, by, surely_absent }
            }
            Err(damage) => damage.of(Object::Record, database, position).into(),
        }
    }

    /// Whether what stands at a position is all that ever stood there: no snapshot has gone past it.
    async fn was_never_garbage(&self, position: Position) -> bool {
        self.log.list().await.is_ok_and(|listing| {
            let newest = listing.snapshots.last().map_or(Position::START, |(at, _)| *at);
            listing.tombstone.is_none() && newest < position
        })
    }

    fn check_open(&self) -> Result<(), AppendError> {
        let (database, position) = (self.database(), self.state.position.next());
        if let Some(by) = self.fenced_by {
            let (epoch, surely_absent) = (self.epoch, true);
            return Err(AppendError::Fenced { database, position, epoch, by, surely_absent });
        }
        if self.pending.is_some() {
            return Err(AppendError::Unsettled { database, position });
        }
        if self.state.sealed || self.state.dropped {
            return Err(AppendError::Closed { database });
        }
        Ok(())
    }

    fn refused(&self, source: BadGroup) -> AppendError {
        AppendError::Refused { database: self.database(), source }
    }

    /// Whether nobody had fenced the log when this was asked: nothing that a later owner acknowledged before then can
    /// be missing here. One small read, no clock.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn probe(&self) -> Result<bool, ObjectError> {
        if sabotage::is(Sabotage::Fence) {
            return Ok(true);
        }
        let key = self.log.key(&Name::Record(self.state.position.next()));
        let next = self.log.patiently(|| self.log.store().objects().read(&key, Some(0..1))).await?;
        Ok(next.is_none() && self.fenced_by.is_none())
    }

    /// The database.
    pub fn database(&self) -> DatabaseId {
        self.log.database()
    }

    /// What the log says up to the last durable record.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether a snapshot is due now, by [`crate::policy::snapshot_due`].
    pub fn snapshot_due(&self) -> bool {
        snapshot_due(self.debt(), self.snapshot_size())
    }

    /// Whether a snapshot is due before the database is put away, by [`crate::policy::snapshot_due_at_unload`].
    pub fn snapshot_due_at_unload(&self) -> bool {
        let image = u64::from(self.state.page_size) * u64::from(self.state.image_pages);
        snapshot_due_at_unload(self.debt(), self.snapshot_size(), image)
    }

    /// What a load would have to replay now.
    pub fn debt(&self) -> Debt {
        self.debt - self.debt_at_snapshot
    }

    fn snapshot_size(&self) -> u64 {
        self.snapshot.map_or(0, |(_, size)| size)
    }

    /// The description of a snapshot of everything durable now, to be packed while commits go on.
    /// The image given to it must be of exactly this position.
    pub fn snapshot_draft(&self) -> SnapshotDraft {
        SnapshotDraft { log: self.log.clone(), state: self.state.clone(), debt: self.debt }
    }

    /// Takes note of a snapshot that was taken from a draft.
    pub fn snapshot_taken(&mut self, taken: Taken) {
        if self.snapshot.is_none_or(|(at, _)| at < taken.position) {
            self.snapshot = Some((taken.position, taken.size));
            self.debt_at_snapshot = taken.debt;
        }
    }

    /// A garbage collection, to be run beside commits; of use after a snapshot.
    pub fn collection(&self) -> Collection {
        Collection { log: self.log.clone(), known: self.state.position, fences: self.state.fences.clone() }
    }

    /// Takes a snapshot of the image in a file, which must be of exactly the last durable position, while no commit
    /// goes on.
    ///
    /// # Errors
    /// See [`SnapshotError`].
    pub async fn snapshot(&mut self, image: &std::path::Path) -> Result<Taken, SnapshotError> {
        let taken = self.snapshot_draft().take(image).await?;
        self.snapshot_taken(taken);
        Ok(taken)
    }
}
