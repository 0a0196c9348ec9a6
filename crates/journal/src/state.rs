//! What a log says up to a position, without the image: the pure core that openings, owners and checkers share.
//!
//! [`State::apply`] is the only way forward, and refuses whatever does not follow.

use model::{Epoch, TimestampMs};

use crate::{
    Nonce, OutcomeTable, Position, RecordHash,
    damage::Damage,
    limits::FENCE_LIFE,
    record::{Header, Kind, Record},
};

/// Fences that are kept whatever their age. A clock that ran wild cannot make an owner forget them.
const FENCES_KEPT: usize = 64;

/// What a log says up to [`State::position`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The last record.
    pub position: Position,
    /// Its hash.
    pub hash: RecordHash,
    /// Its owner's epoch.
    pub epoch: Epoch,
    /// Its owner.
    pub writer: Nonce,
    /// Whether that owner has promised to write nothing more.
    pub sealed: bool,
    /// Whether the database was dropped.
    pub dropped: bool,
    /// The latest time in any record.
    pub at: TimestampMs,
    /// Transactions so far.
    pub transactions: u64,
    /// Bytes of a page; 0 as long as the image is empty.
    pub page_size: u32,
    /// Pages of the image.
    pub image_pages: u32,
    /// Requests committed.
    pub outcomes: OutcomeTable,
    /// Fences that garbage collection must keep, by rising position.
    pub fences: Vec<KeptFence>,
}

/// A fence that followed no seal: a late put of the owner that it fenced off aims exactly there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptFence {
    /// Where it stands.
    pub position: Position,
    /// The log's time then.
    pub at: TimestampMs,
}

impl State {
    /// Goes on to the next record.
    ///
    /// # Errors
    /// What about the record does not follow; the state is unchanged then.
    pub fn apply(&mut self, record: &Record) -> Result<(), Damage> {
        self.check(&record.header)?;
        self.advance(&record.header, record.hash);
        self.outcomes.apply(self.position, &record.outcomes);
        Ok(())
    }

    /// Goes on to a record that the caller has made to follow, without its outcomes.
    pub(crate) fn advance(&mut self, header: &Header, hash: RecordHash) {
        self.at = self.at.max(header.at);
        match header.kind {
            Kind::Fence => self.fenced(header.position),
            Kind::Data => self.transactions += u64::from(header.transactions),
            Kind::Seal => self.sealed = true,
            Kind::Drop => self.dropped = true,
            Kind::Base => self.sealed = true,
            Kind::Snapshot | Kind::Tombstone | Kind::Pin => unreachable!("BUG: no record of a log"),
        }
        (self.position, self.hash) = (header.position, hash);
        (self.epoch, self.writer) = (header.epoch, header.nonce);
        (self.page_size, self.image_pages) = (header.page_size, header.image_pages);
    }

    fn fenced(&mut self, position: Position) {
        // Before the very first fence nobody can have written.
        if !self.sealed && self.position > Position::START {
            self.fences.push(KeptFence { position, at: self.at });
        }
        let (now, life) = (self.at.0, FENCE_LIFE.as_millis() as u64);
        let old = self.fences.iter().take_while(|f| f.at.0.saturating_add(life) < now).count();
        self.fences.drain(..old.min(self.fences.len().saturating_sub(FENCES_KEPT)));
        self.sealed = false;
    }

    fn check(&self, header: &Header) -> Result<(), Damage> {
        if header.previous != self.hash {
            return Err(Damage::Chain { named: header.previous, found: self.hash });
        }
        if header.epoch < self.epoch {
            return Err(Damage::EpochWentBack { found: header.epoch, before: self.epoch });
        }
        self.check_kind(header).map_err(Damage::Nonsense)?;
        self.check_image(header).map_err(Damage::Nonsense)
    }

    fn check_kind(&self, header: &Header) -> Result<(), &'static str> {
        if self.dropped {
            return Err("it follows the record that dropped the database");
        }
        match header.kind {
            Kind::Fence => Ok(()),
            Kind::Data | Kind::Seal | Kind::Drop if self.sealed => Err("it follows a seal and is no fence"),
            Kind::Data | Kind::Seal | Kind::Drop
                if (header.epoch, header.nonce) != (self.epoch, self.writer) =>
            {
                Err("its writer had not fenced the log")
            }
            Kind::Data if header.first_transaction != self.transactions + 1 => {
                Err("its transactions do not go on where those before it ended")
            }
            Kind::Data | Kind::Seal | Kind::Drop => Ok(()),
            Kind::Base if self.position == Position::START => Ok(()),
            Kind::Base => Err("it is the base of a copy and not the first record"),
            Kind::Snapshot | Kind::Tombstone | Kind::Pin => Err("it is not a record of a log"),
        }
    }

    fn check_image(&self, header: &Header) -> Result<(), &'static str> {
        let same = (header.page_size, header.image_pages) == (self.page_size, self.image_pages);
        match header.kind {
            Kind::Data if self.page_size != 0 && header.page_size != self.page_size => {
                Err("its page size is another")
            }
            Kind::Data | Kind::Base => Ok(()),
            Kind::Fence | Kind::Seal | Kind::Drop if same => Ok(()),
            Kind::Fence | Kind::Seal | Kind::Drop => Err("it changes the image and has no pages"),
            Kind::Snapshot | Kind::Tombstone | Kind::Pin => Err("it is not a record of a log"),
        }
    }
}

#[cfg(test)]
mod tests;
