//! The bytes of log entries, votes and places in the log, on disk and between controllers.
//!
//! ```text
//! entry  version:u8 kind:u8 term:u64 node:u64 index:u64 body     (big-endian)
//! body   nothing (empty), the model's own entry (normal), or bincode of MembersV1 (membership)
//! place  term:u64 node:u64 index:u64
//! vote   term:u64 node:u64 committed:u8
//! ```

use std::collections::{BTreeMap, BTreeSet};

use openraft::{BasicNode, EntryPayload, vote::RaftLeaderId};
use serde::{Deserialize, Serialize};

use crate::raft::{LogEntry, LogId, Membership, Proposal, Vote};

/// The version of entries that is written, and the newest that is read.
const ENTRY_VERSION: u8 = 1;
const HEAD_BYTES: usize = 2 + PLACE_BYTES;
const PLACE_BYTES: usize = 24;

const EMPTY: u8 = 0;
const NORMAL: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// Why bytes could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Written by a later release.
    #[error("a log entry has version {version}, this release reads up to {ENTRY_VERSION}")]
    Newer {
        /// What was found.
        version: u8,
    },
    /// Not what it should be.
    #[error("{what} is damaged")]
    Damaged {
        /// What.
        what: &'static str,
    },
    /// The entry's content cannot be read.
    #[error("the content of a log entry cannot be read")]
    Content(#[from] model::codec::Error),
}

impl Error {
    /// Whether a later release could read it.
    pub fn is_newer(&self) -> bool {
        match self {
            Self::Newer { .. }
            | Self::Content(
                model::codec::Error::VersionUnknown { .. } | model::codec::Error::LevelUnknown { .. },
            ) => true,
            Self::Damaged { .. } | Self::Content(_) => false,
        }
    }
}

/// Who the controllers are, without openraft's types.
#[derive(Serialize, Deserialize)]
struct MembersV1 {
    configs: Vec<BTreeSet<u64>>,
    nodes: BTreeMap<u64, String>,
}

/// Makes a place in the log.
pub fn log_id(term: u64, node: u64, index: u64) -> LogId {
    LogId::new(openraft::impls::leader_id_adv::LeaderId::new(term, node), index)
}

/// Makes a vote.
pub fn vote(term: u64, node: u64, committed: bool) -> Vote {
    Vote { leader_id: openraft::impls::leader_id_adv::LeaderId::new(term, node), committed }
}

/// Encodes a log entry.
pub fn encode_entry(entry: &LogEntry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entry_len(entry));
    encode_entry_into(entry, &mut bytes);
    bytes
}

/// Appends an encoded log entry.
pub fn encode_entry_into(entry: &LogEntry, bytes: &mut Vec<u8>) {
    let (kind, body): (u8, &[u8]) = match &entry.payload {
        EntryPayload::Blank => (EMPTY, &[]),
        EntryPayload::Normal(proposal) => (NORMAL, proposal.bytes()),
        EntryPayload::Membership(members) => (MEMBERSHIP, &encode_members(members)),
    };
    bytes.extend_from_slice(&[ENTRY_VERSION, kind]);
    bytes.extend_from_slice(&encode_log_id(&entry.log_id));
    bytes.extend_from_slice(body);
}

/// How long an encoded log entry is.
pub fn entry_len(entry: &LogEntry) -> usize {
    HEAD_BYTES
        + match &entry.payload {
            EntryPayload::Blank => 0,
            EntryPayload::Normal(proposal) => proposal.bytes().len(),
            EntryPayload::Membership(members) => encode_members(members).len(),
        }
}

/// Decodes a log entry of any version ever written.
///
/// # Errors
/// [`Error`].
pub fn decode_entry(bytes: &[u8]) -> Result<LogEntry, Error> {
    let damaged = Error::Damaged { what: "a log entry" };
    let version = *bytes.first().ok_or(Error::Damaged { what: "a log entry" })?;
    if version > ENTRY_VERSION {
        return Err(Error::Newer { version });
    }
    if version == 0 || bytes.len() < HEAD_BYTES {
        return Err(damaged);
    }
    let log_id = decode_log_id(&bytes[2..HEAD_BYTES])?;
    let body = &bytes[HEAD_BYTES..];
    let payload = match bytes[1] {
        EMPTY if body.is_empty() => EntryPayload::Blank,
        NORMAL => EntryPayload::Normal(Proposal::from_bytes(body.to_vec())?),
        MEMBERSHIP => EntryPayload::Membership(decode_members(body)?),
        _ => return Err(damaged),
    };
    Ok(LogEntry { log_id, payload })
}

/// Encodes who the controllers are.
pub fn encode_members(members: &Membership) -> Vec<u8> {
    let plain = MembersV1 {
        configs: members.get_joint_config().clone(),
        nodes: members.nodes().map(|(id, node)| (*id, node.addr.clone())).collect(),
    };
    bincode::serialize(&plain).expect("BUG: writing to memory cannot fail")
}

/// Decodes who the controllers are.
///
/// # Errors
/// [`Error::Damaged`].
pub fn decode_members(bytes: &[u8]) -> Result<Membership, Error> {
    use bincode::Options;
    let damaged = Error::Damaged { what: "the membership" };
    // The limit keeps a damaged length from allocating more than the bytes that are there could hold.
    let plain: Result<MembersV1, _> = bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_limit(bytes.len() as u64)
        .deserialize(bytes);
    let Ok(plain) = plain else { return Err(damaged) };
    let nodes: BTreeMap<u64, BasicNode> =
        plain.nodes.into_iter().map(|(id, addr)| (id, BasicNode { addr })).collect();
    if plain.configs.is_empty() && nodes.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(plain.configs, nodes).map_err(|_| damaged)
}

/// Encodes a place in the log.
pub fn encode_log_id(id: &LogId) -> [u8; PLACE_BYTES] {
    let mut bytes = [0; PLACE_BYTES];
    bytes[..8].copy_from_slice(&id.leader_id.term.to_be_bytes());
    bytes[8..16].copy_from_slice(&id.leader_id.node_id.to_be_bytes());
    bytes[16..].copy_from_slice(&id.index.to_be_bytes());
    bytes
}

/// Decodes a place in the log.
///
/// # Errors
/// [`Error::Damaged`].
pub fn decode_log_id(bytes: &[u8]) -> Result<LogId, Error> {
    let [term, node, index] = numbers(bytes).ok_or(Error::Damaged { what: "a place in the log" })?;
    Ok(log_id(term, node, index))
}

/// Encodes a vote.
pub fn encode_vote(vote: &Vote) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(17);
    bytes.extend_from_slice(&vote.leader_id.term.to_be_bytes());
    bytes.extend_from_slice(&vote.leader_id.node_id.to_be_bytes());
    bytes.push(vote.committed.into());
    bytes
}

/// Decodes a vote.
///
/// # Errors
/// [`Error::Damaged`].
pub fn decode_vote(bytes: &[u8]) -> Result<Vote, Error> {
    let damaged = Error::Damaged { what: "the vote" };
    let Some((flag @ (0 | 1), rest)) = bytes.split_last() else { return Err(damaged) };
    let Some([term, node]) = numbers(rest) else { return Err(damaged) };
    Ok(vote(term, node, *flag == 1))
}

fn numbers<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    if bytes.len() != N * 8 {
        return None;
    }
    let mut numbers = [0; N];
    for (number, part) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        *number = u64::from_be_bytes(part.try_into().expect("BUG: chunks are of 8 bytes"));
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use model::{Command, FleetId, TimestampMs};

    use super::*;

    fn entries() -> Vec<LogEntry> {
        let command = Command::Found { fleet: FleetId(7) };
        let members =
            BTreeMap::from([(1, BasicNode { addr: "a:1".into() }), (2, BasicNode { addr: "b:1".into() })]);
        let members = Membership::new(vec![BTreeSet::from([1, 2])], members).expect("two nodes");
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Normal(Proposal::new(model::Entry::new(TimestampMs(5), command))),
            EntryPayload::Membership(members),
        ];
        (1..)
            .zip(payloads)
            .map(|(index, payload)| LogEntry { log_id: log_id(3, 2, index), payload })
            .collect()
    }

    #[test]
    fn entries_of_every_kind_read_back() {
        for entry in entries() {
            assert_eq!(decode_entry(&encode_entry(&entry)).expect("its own bytes"), entry);
        }
    }

    /// Golden bytes: what version 1 looks like on every disk that has it.
    #[test]
    fn entries_written_by_version_1_still_read() {
        let golden = [
            "0100000000000000000300000000000000020000000000000001",
            "0101000000000000000300000000000000020000000000000002010500000000000000000000000700000000000000\
             0000000000000000",
            "01020000000000000003000000000000000200000000000000030100000000000000020000000000000001000000000000\
             0002000000000000000200000000000000010000000000000003000000000000\
             00613a3102000000000000000300000000000000623a31",
        ];
        for (text, entry) in golden.iter().zip(entries()) {
            let digits: String = text.split_whitespace().collect();
            let bytes = unhex(&digits);
            assert_eq!(hex(&encode_entry(&entry)), digits);
            assert_eq!(decode_entry(&bytes).expect("version 1"), entry);
        }
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut bytes = encode_entry(&entries()[1]);
        bytes[0] = 9;
        assert!(decode_entry(&bytes).expect_err("from the future").is_newer());
        bytes[0] = 1;
        bytes[1] = 9;
        assert!(!decode_entry(&bytes).expect_err("no such kind").is_newer());
    }

    #[test]
    fn no_cut_of_an_entry_reads_as_one() {
        for entry in entries() {
            let bytes = encode_entry(&entry);
            for len in 0..bytes.len() {
                assert!(decode_entry(&bytes[..len]).is_err(), "{len} bytes of {entry}");
            }
        }
    }

    #[test]
    fn votes_and_places_read_back() {
        let vote = vote(4, 5, true);
        assert_eq!(decode_vote(&encode_vote(&vote)).expect("its own bytes"), vote);
        let id = log_id(1, 2, 3);
        assert_eq!(decode_log_id(&encode_log_id(&id)).expect("its own bytes"), id);
        assert!(decode_vote(&[0; 16]).is_err());
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
    }
}
