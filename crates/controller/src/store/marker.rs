//! How much this controller has acknowledged, kept apart from the database: when the database comes back with less,
//! the loss is noticed.
//!
//! Two slots in one small file, written in turn, each with a number and a checksum, so that one of them is always
//! whole. A slot is written *after* what it speaks of is durable, and is not synced itself: after a power cut it may
//! say less than there is, never more. The one time that there is to be less than before, when entries that were never
//! committed are dropped, the lower mark is made durable first.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

use super::{StoreError, codec};
use crate::raft::{LogId, Vote};

const FILE: &str = "marker";
const MAGIC: &[u8; 4] = b"STMM";
const SLOT_BYTES: u64 = 4096;
/// magic, sequence, vote, place of the last entry, each optional part with a flag, checksum.
const RECORD_BYTES: usize = 4 + 8 + (1 + 17) + (1 + 24) + 4;

/// At least this much must be on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The last vote.
    pub vote: Option<Vote>,
    /// The last entry, purged ones included.
    pub last: Option<LogId>,
}

/// The open file.
pub struct Marker {
    file: File,
    sequence: u64,
    mark: Mark,
}

impl Marker {
    /// Makes the file for a new data directory.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn create(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let make = || {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
            let mut marker = Self { file, sequence: 0, mark: Mark::default() };
            marker.file.set_len(2 * SLOT_BYTES)?;
            marker.put(Mark::default())?;
            marker.put(Mark::default())?;
            marker.file.sync_all()?;
            Ok(marker)
        };
        make().map_err(StoreError::io("create", &path))
    }

    /// Opens an existing one; `None` when there is no such file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when neither slot is whole.
    pub fn open(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(FILE);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { doing: "open", path, source }),
        };
        let newest = [0, 1].into_iter().filter_map(|slot| read_slot(&file, slot)).max_by_key(|(seq, _)| *seq);
        let (sequence, mark) = newest.ok_or_else(|| StoreError::Damaged {
            what: "the marker file".into(),
            path: dir.into(),
            reason: "neither of its halves is whole".into(),
        })?;
        Ok(Some(Self { file, sequence, mark }))
    }

    /// What it says.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// Notes what is durable by now.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn put(&mut self, mark: Mark) -> io::Result<()> {
        self.sequence += 1;
        self.mark = mark;
        let bytes = encode(self.sequence, &mark);
        self.file.write_all_at(&bytes, (self.sequence % 2) * SLOT_BYTES)
    }

    /// Notes that there is going to be less, before it is so.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn lower(&mut self, mark: Mark) -> io::Result<()> {
        // Both slots: an older one must not speak up after the newer was torn.
        self.put(mark)?;
        self.put(mark)?;
        self.file.sync_data()
    }
}

fn read_slot(file: &File, slot: u64) -> Option<(u64, Mark)> {
    let mut bytes = [0; RECORD_BYTES];
    file.read_exact_at(&mut bytes, slot * SLOT_BYTES).ok()?;
    decode(&bytes)
}

fn encode(sequence: u64, mark: &Mark) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RECORD_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.push(mark.vote.is_some().into());
    bytes.extend_from_slice(&codec::encode_vote(&mark.vote.unwrap_or(codec::vote(0, 0, false))));
    bytes.push(mark.last.is_some().into());
    bytes.extend_from_slice(&codec::encode_log_id(&mark.last.unwrap_or(codec::log_id(0, 0, 0))));
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<(u64, Mark)> {
    let (body, sum) = bytes.split_at(RECORD_BYTES - 4);
    if !body.starts_with(MAGIC) || crc32fast::hash(body).to_be_bytes() != sum {
        return None;
    }
    let sequence = u64::from_be_bytes(body[4..12].try_into().ok()?);
    let vote = codec::decode_vote(&body[13..30]).ok()?;
    let last = codec::decode_log_id(&body[31..55]).ok()?;
    let mark = Mark { vote: (body[12] == 1).then_some(vote), last: (body[30] == 1).then_some(last) };
    Some((sequence, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(index: u64) -> Mark {
        Mark { vote: Some(codec::vote(2, 1, true)), last: Some(codec::log_id(2, 1, index)) }
    }

    fn reopen(dir: &Path) -> Mark {
        Marker::open(dir).expect("readable").expect("there").mark()
    }

    #[test]
    fn the_newest_mark_is_read_back() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(Marker::open(dir.path()).expect("readable").is_none());
        let mut marker = Marker::create(dir.path()).expect("writable");
        assert_eq!(reopen(dir.path()), Mark::default());
        for index in 1..4 {
            marker.put(mark(index)).expect("writable");
            assert_eq!(reopen(dir.path()), mark(index));
        }
        marker.lower(mark(1)).expect("writable");
        assert_eq!(reopen(dir.path()), mark(1));
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut marker = Marker::create(dir.path()).expect("writable");
        marker.put(mark(1)).expect("writable");
        marker.put(mark(2)).expect("writable");
        let at = (marker.sequence % 2) * SLOT_BYTES + 40;
        marker.file.write_all_at(&[0xff; 8], at).expect("writable");
        assert_eq!(reopen(dir.path()), mark(1));
    }

    #[test]
    fn an_overwritten_file_is_damage_and_not_a_new_one() {
        let dir = tempfile::tempdir().expect("a directory");
        Marker::create(dir.path()).expect("writable");
        std::fs::write(dir.path().join(FILE), b"short").expect("writable");
        assert!(Marker::open(dir.path()).is_err());
    }
}
