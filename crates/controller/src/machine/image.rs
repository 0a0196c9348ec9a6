//! A snapshot in bytes: what a new controller is sent and what a restart begins with.
//!
//! ```text
//! "STMSNAP" version:u8 checksum:u32 of all that follows
//! level:u16 that it takes to read the map (since version 2; version 1 is of the first level)
//! flag:u8 place of the last entry
//! flag:u8 place of the entry that made the members, length:u32 members
//! the map, as the model's codec writes it
//! ```

use std::{
    io::{self, SeekFrom, Write},
    path::PathBuf,
    sync::Arc,
};

use model::{Fleet, Level};

use crate::{
    raft::{LogId, SnapshotMeta, StoredMembership},
    store::{Disk, StoreError, Target, codec},
};

const MAGIC: &[u8; 7] = b"STMSNAP";
/// The newest version. A map of the first level is written in the first.
const VERSION: u8 = 2;
/// Where the checksum stands.
const SUM_AT: usize = 8;
/// Magic, version and checksum.
pub const HEAD_BYTES: usize = 12;
const PLACE_BYTES: usize = 24;

/// Why a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Written by a later release.
    #[error("the snapshot has version {version}, this release reads up to {VERSION}")]
    Newer {
        /// What was found.
        version: u8,
    },
    /// Written by a later release.
    #[error("the snapshot is of {level}, this release knows up to {known}")]
    Level {
        /// What it takes to read it.
        level: Level,
        /// The newest that this release knows.
        known: Level,
    },
    /// Not what it should be.
    #[error("{reason}")]
    Damaged {
        /// How it shows.
        reason: String,
    },
    /// The map in it cannot be read.
    #[error("the map in it cannot be read: {0}")]
    Map(model::codec::Error),
}

impl ImageError {
    /// As a reason not to start.
    pub fn into_store_error(self, path: PathBuf) -> StoreError {
        let what = "the snapshot".to_string();
        match self {
            Self::Newer { .. }
            | Self::Level { .. }
            | Self::Map(
                model::codec::Error::VersionUnknown { .. } | model::codec::Error::LevelUnknown { .. },
            ) => StoreError::Newer { what, path },
            Self::Damaged { reason } => StoreError::Damaged { what, path, reason },
            Self::Map(error) => StoreError::Damaged { what, path, reason: error.to_string() },
        }
    }
}

/// A handle on a snapshot: its bytes, or where they are. Cheap to clone.
#[derive(Clone)]
pub struct Image {
    meta: SnapshotMeta,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Memory(Arc<Vec<u8>>),
    Disk(Arc<dyn Disk>),
}

impl Image {
    /// One that came over the network, to a controller that knows up to this level.
    ///
    /// # Errors
    /// [`ImageError`] when it is damaged or from a later release.
    pub fn received(bytes: Vec<u8>, known: Level) -> Result<Self, ImageError> {
        let (meta, _) = split(&bytes, known)?;
        Ok(Self { meta, source: Source::Memory(Arc::new(bytes)) })
    }

    /// The newest on a disk.
    pub(super) fn on_disk(meta: SnapshotMeta, disk: Arc<dyn Disk>) -> Self {
        Self { meta, source: Source::Disk(disk) }
    }

    /// What it is a snapshot of. The bytes may be of a newer one, if that took its place on the disk meanwhile.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// All of it.
    ///
    /// # Errors
    /// Whatever the system says.
    pub async fn bytes(&self) -> io::Result<Arc<Vec<u8>>> {
        match &self.source {
            Source::Memory(bytes) => Ok(bytes.clone()),
            Source::Disk(disk) => {
                let bytes = disk.image().await?;
                bytes.map(Arc::new).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no snapshot"))
            }
        }
    }
}

/// Writes a snapshot from the beginning of a file, piece by piece.
///
/// # Errors
/// What the file says.
pub fn write(meta: &SnapshotMeta, fleet: &Fleet, file: &mut dyn Target) -> io::Result<()> {
    let first = fleet.level() == Level::FIRST;
    file.write_all(MAGIC)?;
    file.write_all(&[if first { 1 } else { VERSION }, 0, 0, 0, 0])?;
    let mut content = Summed { file: &mut *file, sum: crc32fast::Hasher::new() };
    content.write_all(&description(meta, (!first).then(|| fleet.level())))?;
    model::codec::write_snapshot(fleet, &mut content)?;
    let sum = content.sum.finalize();
    file.seek(SeekFrom::Start(SUM_AT as u64))?;
    file.write_all(&sum.to_be_bytes())
}

/// The same, in memory.
pub fn encode(meta: &SnapshotMeta, fleet: &Fleet) -> Vec<u8> {
    let mut file = io::Cursor::new(Vec::new());
    write(meta, fleet, &mut file).expect("BUG: writing to memory cannot fail");
    file.into_inner()
}

/// What stands before the map.
fn description(meta: &SnapshotMeta, level: Option<Level>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(level) = level {
        bytes.extend_from_slice(&level.0.to_be_bytes());
    }
    put_place(&mut bytes, meta.last_log_id.as_ref());
    put_place(&mut bytes, meta.last_membership.log_id().as_ref());
    let members = codec::encode_members(meta.last_membership.membership());
    let len = u32::try_from(members.len()).expect("BUG: a membership of 4 GiB");
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(&members);
    bytes
}

/// Sums up what goes to the file.
struct Summed<'a> {
    file: &'a mut dyn Target,
    sum: crc32fast::Hasher,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Puts the checksum of all that follows the head into it.
#[cfg(any(test, feature = "fuzzing"))]
pub fn seal(bytes: &mut [u8]) {
    let sum = crc32fast::hash(&bytes[HEAD_BYTES..]);
    bytes[SUM_AT..HEAD_BYTES].copy_from_slice(&sum.to_be_bytes());
}

/// Reads a snapshot of any version ever written.
///
/// # Errors
/// [`ImageError`] when it is damaged or from a later release.
pub fn decode(bytes: &[u8]) -> Result<(SnapshotMeta, Fleet), ImageError> {
    let (meta, map) = split(bytes, Level::NEWEST)?;
    let fleet = model::codec::decode_snapshot(map).map_err(ImageError::Map)?;
    Ok((meta, fleet))
}

/// Checks the whole and tells the description from the map.
fn split(bytes: &[u8], known: Level) -> Result<(SnapshotMeta, &[u8]), ImageError> {
    let head = bytes.get(..HEAD_BYTES).ok_or_else(|| damaged("it is cut off"))?;
    if !head.starts_with(MAGIC) {
        return Err(damaged("it does not begin like one"));
    }
    if head[7] == 0 {
        return Err(damaged("it has version 0"));
    }
    if head[7] > VERSION {
        return Err(ImageError::Newer { version: head[7] });
    }
    let mut rest = &bytes[HEAD_BYTES..];
    if crc32fast::hash(rest).to_be_bytes() != head[SUM_AT..] {
        return Err(damaged("its checksum does not fit"));
    }
    let level = if head[7] == 1 { Level::FIRST } else { take_level(&mut rest)? };
    if level > known {
        return Err(ImageError::Level { level, known });
    }
    let last_log_id = take_place(&mut rest)?;
    let members_at = take_place(&mut rest)?;
    let len = take(&mut rest, 4)?.try_into().expect("BUG: four bytes were taken");
    let members = take(&mut rest, u32::from_be_bytes(len) as usize)?;
    let members = codec::decode_members(members).map_err(|error| damaged(&error.to_string()))?;
    let last_membership = StoredMembership::new(members_at, members);
    Ok((SnapshotMeta { last_log_id, last_membership }, rest))
}

fn put_place(bytes: &mut Vec<u8>, place: Option<&LogId>) {
    bytes.push(place.is_some().into());
    bytes.extend_from_slice(&place.map_or([0; PLACE_BYTES], codec::encode_log_id));
}

fn take_place(rest: &mut &[u8]) -> Result<Option<LogId>, ImageError> {
    let flag = take(rest, 1)?[0];
    let place =
        codec::decode_log_id(take(rest, PLACE_BYTES)?).map_err(|error| damaged(&error.to_string()))?;
    Ok((flag == 1).then_some(place))
}

fn take_level(rest: &mut &[u8]) -> Result<Level, ImageError> {
    let bytes = take(rest, 2)?.try_into().expect("BUG: two bytes were taken");
    Ok(Level(u16::from_be_bytes(bytes)))
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], ImageError> {
    let (taken, after) = rest.split_at_checked(len).ok_or_else(|| damaged("it is cut off"))?;
    *rest = after;
    Ok(taken)
}

fn damaged(reason: &str) -> ImageError {
    ImageError::Damaged { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use model::{Command, Entry, Name, Revision, TimestampMs};
    use openraft::BasicNode;

    use super::*;
    use crate::{raft::Membership, store::codec::log_id};

    fn sample() -> (SnapshotMeta, Fleet) {
        let mut fleet = Fleet::default();
        let name = Name::new("shop").expect("a name");
        let command = Command::CreateDatabase { name, owner: None, key: None };
        fleet.apply(Revision(4), &Entry::new(TimestampMs(1), command)).expect("a free name");
        let nodes = BTreeMap::from([(1, BasicNode { addr: "a:1".into() })]);
        let members = Membership::new(vec![BTreeSet::from([1])], nodes).expect("one node");
        let meta = SnapshotMeta {
            last_log_id: Some(log_id(2, 1, 4)),
            last_membership: StoredMembership::new(Some(log_id(0, 0, 0)), members),
        };
        (meta, fleet)
    }

    #[test]
    fn a_snapshot_reads_back() {
        let (meta, fleet) = sample();
        let (again, map) = decode(&encode(&meta, &fleet)).expect("its own bytes");
        assert_eq!(again, meta);
        assert_eq!(map.digest(), fleet.digest());
    }

    #[test]
    fn a_snapshot_of_a_later_level_is_refused_before_it_is_read() {
        let (meta, mut fleet) = sample();
        let raise = Command::RaiseLevel { level: Level::EVENTS };
        fleet.apply(Revision(5), &Entry::new(TimestampMs(2), raise)).expect("raised");
        let bytes = encode(&meta, &fleet);
        assert_eq!(&bytes[..8], b"STMSNAP\x02");
        assert_eq!(decode(&bytes).expect("its own bytes").1.digest(), fleet.digest());
        let refused = Image::received(bytes, Level::FIRST).err().expect("too new").to_string();
        assert_eq!(refused, "the snapshot is of level 2, this release knows up to level 1");
    }

    #[test]
    fn an_empty_snapshot_reads_back() {
        let meta = SnapshotMeta::default();
        let (again, _) = decode(&encode(&meta, &Fleet::default())).expect("its own bytes");
        assert_eq!(again, meta);
    }

    /// Golden bytes: what a snapshot of version 1 looks like before the map, whose bytes the model keeps.
    #[test]
    fn a_snapshot_written_by_version_1_still_reads() {
        let (meta, fleet) = sample();
        let bytes = encode(&meta, &fleet);
        let head: String =
            bytes[HEAD_BYTES..HEAD_BYTES + 50].iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = "01000000000000000200000000000000010000000000000004\
                        01000000000000000000000000000000000000000000000000";
        assert_eq!((&bytes[..8], head.as_str()), (b"STMSNAP\x01".as_slice(), expected));
        let map = model::codec::encode_snapshot(&fleet);
        assert!(bytes.ends_with(&map), "the map comes last, as it is");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (meta, fleet) = sample();
        let good = encode(&meta, &fleet);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(decode(&bad).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_cut_snapshot_is_damage() {
        let (meta, fleet) = sample();
        let good = encode(&meta, &fleet);
        for len in 0..good.len() {
            assert!(matches!(decode(&good[..len]), Err(ImageError::Damaged { .. })), "{len} bytes");
        }
    }

    #[test]
    fn a_later_version_asks_for_a_later_release() {
        let (meta, fleet) = sample();
        let mut bytes = encode(&meta, &fleet);
        bytes[7] = VERSION + 1;
        let error = decode(&bytes).expect_err("from the future").into_store_error("/data".into());
        assert!(error.to_string().contains("later release"), "{error}");
    }
}
