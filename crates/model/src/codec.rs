//! The bytes of log entries and snapshots.
//!
//! bincode does not describe itself, so every value starts with a version byte, and golden-byte tests keep every
//! version that was ever written readable. A snapshot, which may have lain in somebody's backup, also ends with a
//! checksum; entries leave that to the log they stand in. This is the only place that knows about bincode in this crate.

mod snapshot;

use std::io::{self, BufWriter, Write};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use crate::{Entry, Fleet, Level};

/// The newest version of log entries. 1 is a time and a command; 2, not written any more, has between them why; 3 begins
/// with the [`Level`] that it takes to read the rest: that, why if it is said, and the command.
const ENTRY_VERSION: u8 = 3;
/// The newest version of snapshots. Each is written in the oldest that can say it: a map that uses nothing new has the
/// bytes that it always had, and earlier releases read it.
const SNAPSHOT_VERSION: u8 = 3;
/// Length of the checksum at a snapshot's end: xxh3-64 of everything before, little-endian.
const CHECKSUM_BYTES: usize = 8;
/// How much of a snapshot is gathered before it is passed on.
const PIECE_BYTES: usize = 64 << 10;

/// Why bytes could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No bytes at all.
    #[error("{what} is empty")]
    Empty {
        /// Entry or snapshot.
        what: &'static str,
    },
    /// Written by a later release.
    #[error("{what} has version {version}, this release reads up to {known}; upgrade before starting")]
    VersionUnknown {
        /// Entry or snapshot.
        what: &'static str,
        /// What was found.
        version: u8,
        /// The newest that can be read.
        known: u8,
    },
    /// Written by a later release, once all controllers were of that.
    #[error("{what} is of {level}, this release knows up to {known}; upgrade before starting")]
    LevelUnknown {
        /// Entry or snapshot.
        what: &'static str,
        /// What it takes to read it.
        level: Level,
        /// The newest that this release knows.
        known: Level,
    },
    /// Cut short, or not the bytes that were written.
    #[error("{what} is damaged: its checksum does not fit its {bytes} bytes")]
    Checksum {
        /// Entry or snapshot.
        what: &'static str,
        /// How many bytes there are.
        bytes: usize,
    },
    /// Damaged.
    #[error("{what} is damaged")]
    Damaged {
        /// Entry or snapshot.
        what: &'static str,
        /// What the decoder said.
        #[source]
        source: bincode::Error,
    },
    /// A part of a snapshot that a later release added.
    #[error("snapshot has a part of kind {kind}, which this release does not know; upgrade before starting")]
    PartUnknown {
        /// Its number.
        kind: u8,
    },
    /// Decodes, but cannot be a map.
    #[error("snapshot contradicts itself: {reason}")]
    Contradiction {
        /// What does not fit.
        reason: String,
    },
}

/// Encodes a log entry.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    match entry.level() {
        Level::FIRST => encode(1, &(entry.at, &entry.command)),
        level => encode(3, &(level, entry.at, &entry.why, &entry.command)),
    }
}

/// Decodes a log entry of any version ever written.
///
/// # Errors
/// [`Error`] when it is damaged or from a later release.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, Error> {
    const WHAT: &str = "log entry";
    match body(WHAT, ENTRY_VERSION, bytes)? {
        (1, body) => {
            let (at, command) = decode(WHAT, body)?;
            Ok(Entry { at, command, why: None })
        }
        (2, body) => {
            let (at, why, command) = decode(WHAT, body)?;
            Ok(Entry { at, command, why: Some(why) })
        }
        (_, body) => {
            let (level, rest) =
                body.split_at_checked(size_of::<Level>()).ok_or(Error::Empty { what: WHAT })?;
            let level = decode(WHAT, level)?;
            known(WHAT, level)?;
            let (at, why, command) = decode(WHAT, rest)?;
            Ok(Entry { at, command, why })
        }
    }
}

/// Encodes the whole map.
pub fn encode_snapshot(fleet: &Fleet) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_snapshot(fleet, &mut bytes).expect("BUG: writing to memory cannot fail");
    bytes
}

/// Writes the whole map, without ever having all of its bytes in memory.
///
/// # Errors
/// What the writer says.
pub fn write_snapshot(fleet: &Fleet, to: &mut impl Write) -> io::Result<()> {
    let mut content = Summed::over(&mut *to);
    snapshot::write::whole(fleet, &mut content)?;
    let checksum = content.finish()?.digest();
    to.write_all(&checksum.to_le_bytes())
}

/// Decodes a whole map of any version ever written.
///
/// # Errors
/// [`Error`] when it is damaged, contradicts itself, or is from a later release.
pub fn decode_snapshot(bytes: &[u8]) -> Result<Fleet, Error> {
    const WHAT: &str = "snapshot";
    body(WHAT, SNAPSHOT_VERSION, bytes)?;
    let (version, body) = body(WHAT, SNAPSHOT_VERSION, checked(WHAT, bytes)?)?;
    let fleet = match version {
        1 => snapshot::build(decode::<snapshot::V1>(WHAT, body)?.into()),
        2 => snapshot::build(decode(WHAT, body)?),
        _ => decode::<snapshot::V3>(WHAT, body)?.build(),
    }?;
    known(WHAT, fleet.level())?;
    Ok(fleet)
}

fn known(what: &'static str, level: Level) -> Result<(), Error> {
    let known = Level::NEWEST;
    if level <= known { Ok(()) } else { Err(Error::LevelUnknown { what, level, known }) }
}

/// Hash of everything replicated except the revision.
///
/// It begins with what earlier versions knew, in their bytes, so that a map which uses nothing newer keeps its digest.
pub(crate) fn fingerprint(fleet: &Fleet) -> u128 {
    let mut content = Summed::over(io::sink());
    let written = snapshot::write::lists(fleet, crate::Revision(0), &mut content).and_then(|()| {
        for part in snapshot::write::parts(fleet) {
            content.write_all(&[part.kind])?;
            content.write_all(&part.bytes)?;
        }
        Ok(())
    });
    let sum = written.and_then(|()| content.finish()).expect("BUG: writing to nowhere cannot fail");
    sum.digest128()
}

/// Passes on what is written, in larger pieces, and sums it up.
struct Summed<W: Write>(BufWriter<Tee<W>>);

struct Tee<W> {
    to: W,
    sum: Xxh3Default,
}

impl<W: Write> Summed<W> {
    fn over(to: W) -> Self {
        Self(BufWriter::with_capacity(PIECE_BYTES, Tee { to, sum: Xxh3Default::new() }))
    }

    /// Passes on the rest; the sum of all.
    fn finish(self) -> io::Result<Xxh3Default> {
        let tee = self.0.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(tee.sum)
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    // As often as there are fields: the usual one asks how much of each was taken.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn encode<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    let mut bytes = vec![version];
    bincode::serialize_into(&mut bytes, value).expect("BUG: writing to memory cannot fail");
    bytes
}

/// The version and what follows it. It is looked at first: nothing else of a later release can be trusted.
fn body<'a>(what: &'static str, known: u8, bytes: &'a [u8]) -> Result<(u8, &'a [u8]), Error> {
    let (version, body) = bytes.split_first().ok_or(Error::Empty { what })?;
    if !(1..=known).contains(version) {
        return Err(Error::VersionUnknown { what, version: *version, known });
    }
    Ok((*version, body))
}

/// What precedes the checksum, if it fits.
fn checked<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a [u8], Error> {
    bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .filter(|(content, checksum)| xxhash_rust::xxh3::xxh3_64(content) == u64::from_le_bytes(**checksum))
        .map(|(content, _)| content)
        .ok_or(Error::Checksum { what, bytes: bytes.len() })
}

fn decode<T: for<'de> Deserialize<'de>>(what: &'static str, body: &[u8]) -> Result<T, Error> {
    use bincode::Options;
    // The limit keeps a damaged length from allocating more than the bytes that are there could hold.
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_limit(body.len() as u64)
        .deserialize(body)
        .map_err(|source| Error::Damaged { what, source })
}
