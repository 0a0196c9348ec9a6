//! Checking a whole journal: every byte of every object, and that all of it fits together.

use model::DatabaseId;

use super::OfflineError;
use crate::{
    Position, State, Store,
    damage::{Damage, Damaged, Object},
    log::{Log, ReadError},
    names::Listing,
    snapshot::Snapshot,
};

/// What a verification has found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Records checked, kept fences before the oldest snapshot included.
    pub records: u64,
    /// Snapshots checked.
    pub snapshots: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// The oldest position that can be restored, and the newest.
    pub restorable: Option<(Position, Position)>,
    /// Whether the database was dropped.
    pub dropped: bool,
    /// What is wrong. Empty: all is well.
    pub damaged: Vec<Damaged>,
    /// Names in the folder that no journal gives.
    pub foreign: Vec<String>,
}

impl Store {
    /// Checks every object of a database's journal: checksums, that each record follows the one before, and that each
    /// snapshot says what the records up to it say. Goes on past damage, to report all of it.
    ///
    /// # Errors
    /// [`OfflineError::Store`], or [`OfflineError::NoJournal`]. Damage is in the result.
    pub async fn verify(&self, database: DatabaseId) -> Result<Verified, OfflineError> {
        let log = self.log(database);
        let failed = |source| OfflineError::Store { database, source };
        let listing = log.list().await.map_err(failed)?;
        if listing.records.is_empty() && listing.snapshots.is_empty() && listing.tombstone.is_none() {
            return Err(OfflineError::NoJournal { database });
        }
        let dropped = listing.tombstone.is_some();
        let verified = Verified { dropped, foreign: listing.foreign.clone(), ..Verified::default() };
        let mut check = Check { log, verified, state: None };
        check.run(&listing).await.map_err(failed)?;
        Ok(check.verified)
    }
}

struct Check {
    log: Log,
    verified: Verified,
    /// What the log says so far; nothing before the oldest snapshot or after damage.
    state: Option<State>,
}

impl Check {
    async fn run(&mut self, listing: &Listing) -> Result<(), crate::ObjectError> {
        if listing.has_first() {
            self.state = Some(State::default());
        }
        let mut snapshots = listing.snapshots.iter().copied().peekable();
        for (at, _) in &listing.records {
            self.record(*at).await?;
            while let Some((snapshot, size)) = snapshots.next_if(|(snapshot, _)| snapshot <= at) {
                self.snapshot(snapshot, size).await?;
            }
        }
        for (at, size) in snapshots {
            // A snapshot past the log: its own record is never deleted.
            self.found(Damage::Missing.of(Object::Record, self.log.database(), at));
            self.snapshot(at, size).await?;
        }
        match listing.extent(self.log.database()) {
            Ok(_) => self.verified.restorable = listing.reach(),
            Err(damaged) => self.found(damaged),
        }
        Ok(())
    }

    async fn record(&mut self, at: Position) -> Result<(), crate::ObjectError> {
        let record = match self.log.record(at).await {
            Ok(Some(record)) => record,
            // Collected since it was listed.
            Ok(None) => return Ok(()),
            Err(ReadError::Store(error)) => return Err(error),
            Err(ReadError::Damaged(damaged)) => {
                self.state = None;
                self.found(damaged);
                return Ok(());
            }
        };
        self.verified.records += 1;
        self.verified.bytes += record.size;
        if let Some(state) = &mut self.state {
            if at == state.position.next() {
                if let Err(damage) = state.apply(&record) {
                    self.state = None;
                    self.found(damage.of(Object::Record, self.log.database(), at));
                }
            } else if at > state.position {
                // A gap; if it matters, the extent of the log says so.
                self.state = None;
            }
        }
        Ok(())
    }

    async fn snapshot(&mut self, at: Position, size: u64) -> Result<(), crate::ObjectError> {
        let snapshot = match self.read_snapshot(at, size).await {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return Ok(()),
            Err(ReadError::Store(error)) => return Err(error),
            Err(ReadError::Damaged(damaged)) => {
                self.found(damaged);
                return Ok(());
            }
        };
        self.verified.snapshots += 1;
        self.verified.bytes += size;
        match &self.state {
            Some(state) if state.position == at && *state != snapshot.state => {
                let damage = Damage::Nonsense("it does not say what the records up to it say");
                self.found(damage.of(Object::Snapshot, self.log.database(), at));
            }
            Some(_) | None => self.state = Some(snapshot.state),
        }
        Ok(())
    }

    /// Reads all of a snapshot.
    async fn read_snapshot(&self, at: Position, size: u64) -> Result<Option<Snapshot>, ReadError> {
        let Some(snapshot) = self.log.snapshot_of(at, size).await? else {
            return Ok(None);
        };
        for (range, _, chunk) in snapshot.places() {
            let Some(packed) = self.log.chunk(&snapshot, range).await? else {
                return Ok(None);
            };
            let unpacked = self.log.store().threads().run(move || chunk.unpack(packed)).await;
            unpacked.map_err(|damage| damage.of(Object::Snapshot, self.log.database(), at))?;
        }
        Ok(Some(snapshot))
    }

    fn found(&mut self, damaged: Damaged) {
        let known = |d: &Damaged| (d.position, d.object) == (damaged.position, damaged.object);
        if !self.verified.damaged.iter().any(known) {
            self.verified.damaged.push(damaged);
        }
    }
}
