//! The way of commits into the journal: what was taken from the engine, and what of it is durable.
//!
//! Whoever holds the line appends. Mostly that is the owner, for everybody who committed meanwhile; on a local disk a
//! worker does it for the owner, group after group. A session that commits alone finds the line free, and its thread
//! appends by itself. The ways to the owner, to a thread for the disk and back would cost more than the sync.
//! Whatever goes wrong on these threads is left to the owner, who finds it in the line.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use journal::{Group, Writer};
use model::TimestampMs;
use sabotage::Sabotage;
use tokio::time::Instant;

use super::{World, commit::CommitError, gathering::Gathering, resident::Resident};
use crate::{
    engine::{Capture, CommitSeq, Database},
    limits::{COMMITS_UNSEEN_MAX, GROUPS_UNSEEN_MAX, TAKE_INLINE_BYTES},
    measures,
};

/// See the module.
pub struct Line {
    pub world: Arc<World>,
    pub writer: Writer,
    /// Everything up to here is in the journal. Counts from the opening of the copy.
    pub through: CommitSeq,
    /// Whom to wait for.
    pub gathering: Gathering,
    /// The image as the engine made it, while the journal is empty: the first group carries all of it, so that the
    /// journal alone, whatever engine wrote it, gives the whole image.
    pub genesis: Option<Vec<u8>>,
    /// A thread has begun it, and whether it is in the journal is not known: [`Writer::resume`] is next.
    pub begun: Option<Begun>,
    /// What a thread could not do. Nothing more becomes durable.
    pub failed: Option<CommitError>,
    /// Commits since the owner looked.
    unseen: u32,
}

/// A group on its way.
pub struct Begun {
    through: CommitSeq,
    transactions: u64,
    /// Of its pages; none if the commits changed nothing, and then nothing was put.
    bytes: u64,
    at: Instant,
}

impl Line {
    /// Into a journal that was just opened.
    pub fn new(world: Arc<World>, writer: Writer, genesis: Option<Vec<u8>>) -> Self {
        Self {
            world,
            writer,
            through: CommitSeq::default(),
            gathering: Gathering::default(),
            genesis,
            begun: None,
            failed: None,
            unseen: 0,
        }
    }

    /// What is to be appended of a capture. Commits that changed nothing have nothing to be replayed, and their requests
    /// can be done again.
    pub fn group(&mut self, mut capture: Capture, now: TimestampMs) -> (Begun, Option<Group>) {
        let transactions = capture.through.0 + 1 - capture.first.0;
        let mut begun = Begun { through: capture.through, transactions, bytes: 0, at: Instant::now() };
        if capture.pages.is_empty() {
            return (begun, None);
        }
        if let Some(image) = &self.genesis {
            complete(&mut capture, image);
        }
        begun.bytes = capture.pages.iter().map(|(_, page)| page.len() as u64).sum();
        let group = Group {
            page_size: capture.page_size,
            image_pages: capture.db_pages,
            pages: capture.pages,
            transactions: u32::try_from(transactions).unwrap_or(u32::MAX),
            outcomes: capture.outcomes,
            at: now,
        };
        (begun, Some(group))
    }

    /// A group is in the journal, if it had to be.
    pub fn landed(&mut self, begun: Begun, resident: &Resident) {
        let Begun { through, transactions, bytes, at } = begun;
        if bytes > 0 {
            self.genesis = None;
            let took = at.elapsed();
            self.gathering.put(transactions, took);
            self.world.vitals.appended(took);
            measures::appended(took, transactions, bytes);
        }
        self.through = through;
        resident.raise(through, self.writer.state().position);
    }

    /// Commits that are not in the journal.
    pub fn pending(&self, database: &dyn Database) -> u64 {
        database.committed().0 - self.through.0
    }

    /// Whether a thread may append by itself, if it can wait for the disk.
    pub fn appends_here(&self) -> bool {
        let free = self.begun.is_none() && self.failed.is_none() && self.genesis.is_none();
        free && self.writer.puts_here() && !sabotage::is(Sabotage::Flush)
    }

    /// Appends what one has committed who commits alone, on the calling thread. Whether the owner has nothing to do.
    pub fn commit_here(&mut self, database: &dyn Database, resident: &Resident) -> bool {
        let fit = self.gathering.alone()
            && self.unseen < COMMITS_UNSEEN_MAX
            && database.untaken_bytes() <= TAKE_INLINE_BYTES;
        if !fit || !self.appends_here() {
            self.unseen = 0;
            return false;
        }
        self.unseen += 1;
        self.append_here(database, resident)
    }

    /// Appends group after group on the calling thread, for the owner: until nothing is left, or there is something that
    /// only the owner can do.
    pub fn drain(&mut self, database: &dyn Database, resident: &Resident) {
        for _ in 0..GROUPS_UNSEEN_MAX {
            let pending = self.pending(database);
            if pending == 0 || resident.is_lost() || self.gathering.wait(pending).is_some() {
                return;
            }
            if !self.append_here(database, resident) {
                return;
            }
            resident.questions.answer(&self.writer.state().outcomes);
        }
    }

    /// Appends one group. If it did not come to that, the owner finds in the line how far it came.
    fn append_here(&mut self, database: &dyn Database, resident: &Resident) -> bool {
        let begun = match self.begin(database) {
            Ok(None) => return true,
            Ok(Some(begun)) => begun,
            Err(error) => {
                self.failed = Some(error);
                return false;
            }
        };
        let world = Arc::clone(&self.world);
        if begun.bytes > 0 && world.workers.while_blocking(|| self.writer.put_here()).is_none() {
            self.begun = Some(begun);
            return false;
        }
        self.landed(begun, resident);
        true
    }

    fn begin(&mut self, database: &dyn Database) -> Result<Option<Begun>, CommitError> {
        let Some(capture) = database.take()? else { return Ok(None) };
        let (begun, group) = self.group(capture, (self.world.clock)());
        if let Some(group) = group {
            self.writer.begin(group)?;
        }
        Ok(Some(begun))
    }
}

/// Adds the pages of `image` that the capture does not have.
fn complete(capture: &mut Capture, image: &[u8]) {
    let size = capture.page_size as usize;
    let old = (1..=capture.db_pages).zip(image.chunks_exact(size));
    let changed: BTreeSet<u32> = capture.pages.iter().map(|(number, _)| *number).collect();
    let missing = old.filter(|(number, _)| !changed.contains(number));
    capture.pages.extend(missing.map(|(number, page)| (number, Bytes::copy_from_slice(page))));
    capture.pages.sort_by_key(|(number, _)| *number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_carries_the_whole_image() {
        let page = |byte: u8| Bytes::from(vec![byte; 4]);
        let mut capture = Capture {
            through: CommitSeq(1),
            first: CommitSeq(1),
            page_size: 4,
            db_pages: 3,
            pages: vec![(2, page(9)), (3, page(8))],
            outcomes: Vec::new(),
        };
        complete(&mut capture, &[1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(capture.pages, [(1, page(1)), (2, page(9)), (3, page(8))]);
    }
}
