//! Several log entries in one value of the database, whose work is for each value and hardly for its bytes.
//!
//! ```text
//! value  entry                           one entry as it is: its version comes first, which was never 2
//!        2:u8 (len:u32 entry)...         several that follow each other, big-endian
//! ```
//! The key of a value is the index of its first entry.

use super::codec::{self, Error};
use crate::{limits::FRAME_BYTES_MAX, raft::LogEntry};

/// The first byte of a value with several entries. Releases before there were any take it for a later one's entry.
const SEVERAL: u8 = 2;
/// The length of an entry.
const LEN_BYTES: usize = 4;

/// Puts entries into values, oldest first.
#[derive(Default)]
pub struct Framer {
    /// The index of the first entry, and how many there are.
    span: Option<(u64, u64)>,
    bytes: Vec<u8>,
}

impl Framer {
    /// Adds an entry. Gives the value that is complete, and its key, when the entry begins another.
    pub fn push(&mut self, entry: &LogEntry) -> Option<(u64, Vec<u8>)> {
        let index = entry.log_id.index;
        let full = self.bytes.len() + codec::entry_len(entry) > FRAME_BYTES_MAX;
        let follows = self.span.is_some_and(|(first, count)| first + count == index);
        let complete = if follows && !full { None } else { self.finish() };
        let (first, count) = self.span.unwrap_or((index, 0));
        if count == 0 {
            self.bytes.push(SEVERAL);
        }
        self.span = Some((first, count + 1));
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LEN_BYTES]);
        codec::encode_entry_into(entry, &mut self.bytes);
        let len =
            u32::try_from(self.bytes.len() - at - LEN_BYTES).expect("BUG: a message is never that long");
        self.bytes[at..at + LEN_BYTES].copy_from_slice(&len.to_be_bytes());
        complete
    }

    /// The last value, and its key; `None` when there is no entry in it.
    pub fn finish(&mut self) -> Option<(u64, Vec<u8>)> {
        let (first, count) = self.span.take()?;
        let bytes = std::mem::take(&mut self.bytes);
        let value = if count == 1 { bytes[1 + LEN_BYTES..].to_vec() } else { bytes };
        Some((first, value))
    }
}

/// The entries of a value, oldest first.
///
/// # Errors
/// [`Error`].
pub fn entries(value: &[u8]) -> Result<Vec<LogEntry>, Error> {
    let Some((&SEVERAL, mut rest)) = value.split_first() else {
        return Ok(vec![codec::decode_entry(value)?]);
    };
    let damaged = || Error::Damaged { what: "a value of several log entries" };
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (len, behind) = rest.split_first_chunk::<LEN_BYTES>().ok_or_else(damaged)?;
        let (entry, behind) =
            behind.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or_else(damaged)?;
        entries.push(codec::decode_entry(entry)?);
        rest = behind;
    }
    if entries.is_empty() { Err(damaged()) } else { Ok(entries) }
}

#[cfg(test)]
mod tests {
    use model::{Command, Entry, FleetId, TimestampMs};
    use openraft::EntryPayload;

    use super::*;
    use crate::raft::Proposal;

    fn entry(index: u64) -> LogEntry {
        let command = Command::Found { fleet: FleetId(index.into()) };
        let proposal = Proposal::new(Entry::new(TimestampMs(5), command));
        LogEntry { log_id: codec::log_id(3, 2, index), payload: EntryPayload::Normal(proposal) }
    }

    fn framed(indices: impl IntoIterator<Item = u64>) -> Vec<(u64, Vec<u8>)> {
        let mut framer = Framer::default();
        let mut values: Vec<_> = indices.into_iter().filter_map(|index| framer.push(&entry(index))).collect();
        values.extend(framer.finish());
        assert!(framer.finish().is_none());
        values
    }

    #[test]
    fn entries_that_follow_each_other_share_a_value_and_read_back() {
        let values = framed([5, 6, 7, 9]);
        assert_eq!(values.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [5, 9]);
        assert_eq!(entries(&values[0].1).expect("its own bytes"), [entry(5), entry(6), entry(7)]);
        assert_eq!(values[1].1, codec::encode_entry(&entry(9)), "one alone is as it always was");
        assert_eq!(entries(&values[1].1).expect("its own bytes"), [entry(9)]);
    }

    #[test]
    fn a_full_value_is_followed_by_another() {
        let values = framed(0..1_000);
        assert!(
            values.len() > 2
                && values.iter().all(|(_, value)| value.len() <= FRAME_BYTES_MAX + LEN_BYTES + 1)
        );
        let all: Vec<LogEntry> =
            values.iter().flat_map(|(_, value)| entries(value).expect("its own bytes")).collect();
        assert_eq!(all, (0..1_000).map(entry).collect::<Vec<_>>());
    }

    /// Golden bytes: what a value of two entries looks like on every disk that has one.
    #[test]
    fn a_value_of_two_entries_has_these_bytes() {
        let mut framer = Framer::default();
        for index in [1, 2] {
            let log_id = codec::log_id(3, 2, index);
            assert!(framer.push(&LogEntry { log_id, payload: EntryPayload::Blank }).is_none());
        }
        let (_, value) = framer.finish().expect("two entries");
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        let first = "0000001a0100000000000000000300000000000000020000000000000001";
        let second = "0000001a0100000000000000000300000000000000020000000000000002";
        assert_eq!(hex, format!("02{first}{second}"));
    }

    #[test]
    fn no_cut_of_a_value_reads_as_one_but_at_its_joints() {
        let (_, value) = framed([1, 2]).remove(0);
        let joint = 1 + LEN_BYTES + codec::entry_len(&entry(1));
        for len in (0..value.len()).filter(|len| *len != joint) {
            assert!(entries(&value[..len]).is_err(), "{len} bytes");
        }
    }
}
