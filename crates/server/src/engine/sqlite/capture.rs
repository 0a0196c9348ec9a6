//! From commits in SQLite's log to pages for the journal.
//!
//! SQLite's commit hook announces a commit before anybody can see it, its log hook says how many frames are committed after
//! it. The session publishes its commits when the request is answered that they belong to, and holds the writer permit
//! until then: so what is announced and not published is always one session's, and the journal gets it with its outcome.
//! [`LogReader`] reads published frames through SQLite's own file handle and keeps the newest copy of each page.
//! The log starts afresh only after a checkpoint, and a checkpoint runs only when every commit has been taken and nobody
//! writes: so all commits since the last [`LogReader::take`] stand in one log, and a changed salt says that it is a new one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use journal::Outcome;

use super::connect;
use super::ffi::{Connection, Failure};
use crate::engine::{Capture, CommitSeq, EngineError};

/// Bytes of the log's header.
const LOG_HEADER: u64 = 32;
/// Bytes of a frame's header.
const FRAME_HEADER: u64 = 24;
/// Pages that are copied at once where they follow each other in the image.
const IMAGE_PAGES_AT_ONCE: u32 = 64;

/// Counts commits. Written by whoever holds the writer permit, read by all.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// The highest number that may already be visible to others.
    announced: AtomicU64,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    /// Published.
    committed: u64,
    /// How many of the published commits wrote frames.
    with_frames: u64,
    /// Published frames in the log.
    frames: u64,
    /// Committed frames in the log, when not all of them are published.
    waiting: Option<u64>,
    /// What was published and not taken yet.
    outcomes: Vec<Outcome>,
}

impl Commits {
    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit begins: whoever reads from now on may see it.
    pub fn announce(&self) {
        let log = self.log();
        self.announced.store(log.committed + 1, Ordering::SeqCst);
    }

    /// The commit is in the log, which now has this many committed frames. It waits to be published.
    pub fn commit(&self, frames: u64) {
        let mut log = self.log();
        log.waiting = Some(frames);
        // VACUUM commits without an announcement.
        self.announced.store(log.committed + 1, Ordering::SeqCst);
    }

    /// Whether the writer has commits that wait to be published.
    pub fn waiting(&self) -> bool {
        self.log().waiting.is_some()
    }

    /// Publishes what the writer has committed, as one, with the outcomes of the requests it belongs to.
    /// A commit that was announced but wrote nothing (or failed) counts as an empty one, so that nobody waits for it, and
    /// has no outcomes.
    pub fn publish(&self, outcomes: impl FnOnce() -> Vec<Outcome>) {
        let mut log = self.log();
        if let Some(frames) = log.waiting.take() {
            log.frames = frames;
            log.with_frames += 1;
            log.outcomes.append(&mut outcomes());
        }
        log.committed = log.committed.max(self.announced.load(Ordering::SeqCst));
    }

    /// What is published, and the outcomes since the last call.
    fn take(&self) -> Published {
        let mut log = self.log();
        let outcomes = std::mem::take(&mut log.outcomes);
        Published { committed: log.committed, with_frames: log.with_frames, frames: log.frames, outcomes }
    }

    pub fn committed(&self) -> CommitSeq {
        CommitSeq(self.log().committed)
    }

    /// What a reader may have seen.
    pub fn visible(&self) -> CommitSeq {
        CommitSeq(self.announced.load(Ordering::SeqCst))
    }
}

/// What may go to the journal.
struct Published {
    committed: u64,
    with_frames: u64,
    frames: u64,
    outcomes: Vec<Outcome>,
}

/// The commit side's connection and how far it has read.
pub(super) struct LogReader {
    connection: Connection,
    page_bytes: u64,
    taken: u64,
    taken_with_frames: u64,
    frames: u64,
    /// The last frame of each page in the log so far.
    newest: BTreeMap<u32, u64>,
    salt: [u8; 8],
    db_pages: u32,
}

impl LogReader {
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let connection = connect::for_commits(path)?;
        let page_bytes = connect::page_bytes(&connection)?;
        let db_pages = u32::try_from(connect::integer(&connection, "PRAGMA page_count")?).unwrap_or(u32::MAX);
        Ok(Self {
            connection,
            page_bytes,
            taken: 0,
            taken_with_frames: 0,
            frames: 0,
            newest: BTreeMap::new(),
            salt: [0; 8],
            db_pages,
        })
    }

    /// Bytes of the log that hold committed frames.
    pub fn log_bytes(&self, commits: &Commits) -> u64 {
        match commits.log().frames {
            0 => 0,
            frames => self.frame_offset(frames + 1),
        }
    }

    /// Bytes of the log that hold published frames that were not taken.
    pub fn untaken_bytes(&self, commits: &Commits) -> u64 {
        commits.log().frames.saturating_sub(self.frames) * (FRAME_HEADER + self.page_bytes)
    }

    /// The newest copies of the pages of all commits published since the last call.
    pub fn take(&mut self, commits: &Commits) -> Result<Option<Capture>, EngineError> {
        let Published { committed, with_frames, frames, outcomes } = commits.take();
        if committed == self.taken {
            return Ok(None);
        }
        let pages = if with_frames == self.taken_with_frames { Vec::new() } else { self.new_pages(frames)? };
        let (first, through) = (CommitSeq(self.taken + 1), CommitSeq(committed));
        (self.taken, self.taken_with_frames) = (committed, with_frames);
        let page_size = u32::try_from(self.page_bytes).expect("BUG: SQLite's pages have at most 64 KiB");
        Ok(Some(Capture { through, first, page_size, db_pages: self.db_pages, pages, outcomes }))
    }

    fn new_pages(&mut self, frames: u64) -> Result<Vec<(u32, Bytes)>, EngineError> {
        let mut header = [0; LOG_HEADER as usize];
        self.read(0, &mut header)?;
        let salt: [u8; 8] = header[16..24].try_into().expect("BUG: eight bytes");
        if salt != self.salt {
            (self.salt, self.frames) = (salt, 0);
            self.newest.clear();
        }
        let (newest, db_pages) = self.newest_frames(self.frames + 1, frames)?;
        let there = newest.range(..=db_pages);
        let pages = there.map(|(page, frame)| Ok((*page, self.page_of(*frame)?))).collect();
        self.db_pages = db_pages;
        self.frames = frames;
        self.newest.extend(newest);
        pages
    }

    /// The last frame of each page among frames `first..=last`, and the database's size after them.
    fn newest_frames(&self, first: u64, last: u64) -> Result<(BTreeMap<u32, u64>, u32), EngineError> {
        let mut newest = BTreeMap::new();
        let mut db_pages = self.db_pages;
        for frame in first..=last {
            let mut header = [0; FRAME_HEADER as usize];
            self.read(self.frame_offset(frame), &mut header)?;
            let word =
                |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("BUG: four bytes"));
            if header[8..16] != self.salt {
                let reason = format!("frame {frame} of {last} belongs to another log");
                return Err(EngineError::Storage { action: "read the log", reason });
            }
            newest.insert(word(0), frame);
            if word(4) != 0 {
                db_pages = word(4);
            } else if frame == last {
                let reason = format!("frame {last} should end a transaction");
                return Err(EngineError::Storage { action: "read the log", reason });
            }
        }
        Ok((newest, db_pages))
    }

    fn frame_offset(&self, frame: u64) -> u64 {
        LOG_HEADER + (frame - 1) * (FRAME_HEADER + self.page_bytes)
    }

    fn page_of(&self, frame: u64) -> Result<Bytes, EngineError> {
        let mut page = vec![0; self.page_bytes as usize];
        self.read(self.frame_offset(frame) + FRAME_HEADER, &mut page)?;
        Ok(Bytes::from(page))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), EngineError> {
        self.connection.read_log(offset, buffer).map_err(|failure| storage("read the log", &failure))
    }

    /// Empties the log into the image. The caller holds the writer permit.
    pub fn checkpoint(&mut self, commits: &Commits) -> Result<bool, EngineError> {
        if commits.log().committed != self.taken {
            return Ok(false);
        }
        let done = self.connection.checkpoint().map_err(|failure| storage("checkpoint the log", &failure))?;
        if done {
            (self.frames, self.salt) = (0, [0; 8]);
            self.newest.clear();
            commits.log().frames = 0;
        }
        Ok(done)
    }

    /// Writes the database as of the last [`take`](Self::take) to `path`, while others go on.
    pub fn write_image(&self, path: &Path) -> Result<CommitSeq, EngineError> {
        let file_error = |action| move |source| EngineError::File { action, path: path.to_owned(), source };
        let mut file = std::fs::File::create_new(path).map_err(file_error("create"))?;
        let mut next = 1;
        while next <= self.db_pages {
            let bytes = match self.newest.range(next..).next() {
                Some((page, frame)) if *page == next => self.page_of(*frame)?,
                logged => {
                    let end = logged.map_or(self.db_pages + 1, |(page, _)| *page).min(self.db_pages + 1);
                    self.read_image(next, (end - next).min(IMAGE_PAGES_AT_ONCE))?
                }
            };
            next += (bytes.len() as u64 / self.page_bytes) as u32;
            std::io::Write::write_all(&mut file, &bytes).map_err(file_error("write"))?;
        }
        Ok(CommitSeq(self.taken))
    }

    /// So many pages, none of which is in the log, from a page on.
    fn read_image(&self, first: u32, pages: u32) -> Result<Bytes, EngineError> {
        let mut bytes = vec![0; pages as usize * self.page_bytes as usize];
        let offset = u64::from(first - 1) * self.page_bytes;
        let read = self.connection.read_image(offset, &mut bytes);
        read.map(|()| bytes.into()).map_err(|failure| storage("read the image", &failure))
    }
}

fn storage(action: &'static str, failure: &Failure) -> EngineError {
    EngineError::Storage { action, reason: failure.to_string() }
}
