//! What controllers say to each other, in bytes: a version, then bincode of the shapes below.
//!
//! The shapes are ours, not openraft's: its next release may look different inside and still has to be understood by
//! a controller that runs this one. Fields are only ever added with a new version.

use std::fmt;

use bincode::Options;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Visitor};

use super::{LogEntry, LogId, TypeConfig, Vote};
use crate::store::codec;

/// The version that is written, and the newest that is read.
const VERSION: u8 = 1;

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// From a later release.
    #[error("the message has version {version}, this controller reads up to {VERSION}")]
    Version {
        /// What was found.
        version: u8,
    },
    /// Not what it should be.
    #[error("the message is damaged")]
    Damaged(#[source] bincode::Error),
    /// No bytes.
    #[error("the message is empty")]
    Empty,
    /// A log entry in it cannot be read.
    #[error("a log entry in the message cannot be read")]
    Entry(#[from] codec::Error),
}

/// Bytes that bincode copies as a whole instead of one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    term: u64,
    node: u64,
    index: u64,
}

/// A vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    term: u64,
    node: u64,
    committed: bool,
}

/// Entries to append; none is a heartbeat.
#[derive(Serialize, Deserialize)]
pub struct Append {
    vote: Ballot,
    previous: Option<Place>,
    commit: Option<Place>,
    entries: Vec<Blob>,
}

/// What became of them.
#[derive(Serialize, Deserialize)]
pub enum Appended {
    /// All are durable.
    Success,
    /// Those up to here are.
    Partial(Option<PlaceOnWire>),
    /// The entry before them differs.
    Conflict,
    /// There is a newer leader or candidate.
    HigherVote(Ballot),
}

/// A place in the log inside an answer.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct PlaceOnWire(Place);

/// Asks for a vote.
#[derive(Serialize, Deserialize)]
pub struct Ask {
    vote: Ballot,
    last: Option<Place>,
    transfer: bool,
}

/// A vote, given or not.
#[derive(Serialize, Deserialize)]
pub struct Answer {
    vote: Ballot,
    granted: bool,
    last: Option<Place>,
}

/// Leadership is handed over.
#[derive(Serialize, Deserialize)]
pub struct HandOver {
    from: Ballot,
    to: u64,
    last: Option<Place>,
}

/// Encodes any of the shapes above.
pub fn encode(message: &impl Serialize) -> Blob {
    let mut bytes = vec![VERSION];
    options().serialize_into(&mut bytes, message).expect("BUG: writing to memory cannot fail");
    Blob(bytes)
}

/// Decodes any of the shapes above.
///
/// # Errors
/// [`Error`]; never takes more memory than the message itself holds.
pub fn decode<T: DeserializeOwned>(blob: &Blob) -> Result<T, Error> {
    let (version, body) = blob.0.split_first().ok_or(Error::Empty)?;
    if *version != VERSION {
        return Err(Error::Version { version: *version });
    }
    options().with_limit(body.len() as u64).deserialize(body).map_err(Error::Damaged)
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().reject_trailing_bytes()
}

impl From<LogId> for Place {
    fn from(id: LogId) -> Self {
        Self { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
    }
}

impl From<Place> for LogId {
    fn from(place: Place) -> Self {
        codec::log_id(place.term, place.node, place.index)
    }
}

impl From<Vote> for Ballot {
    fn from(vote: Vote) -> Self {
        Self { term: vote.leader_id.term, node: vote.leader_id.node_id, committed: vote.committed }
    }
}

impl From<Ballot> for Vote {
    fn from(ballot: Ballot) -> Self {
        codec::vote(ballot.term, ballot.node, ballot.committed)
    }
}

impl Append {
    /// From openraft's form.
    pub fn new(request: &AppendEntriesRequest<TypeConfig>) -> Self {
        Self {
            vote: request.vote.into(),
            previous: request.prev_log_id.map(Into::into),
            commit: request.leader_commit.map(Into::into),
            entries: request.entries.iter().map(|entry| Blob(codec::encode_entry(entry))).collect(),
        }
    }

    /// Drops the entries that would make the message too long, but never the first; how many are left when any were
    /// dropped.
    pub fn cut(&mut self, bytes_max: usize) -> Option<usize> {
        let mut bytes = 0;
        let fits = |entry: &Blob| {
            bytes += entry.0.len();
            bytes <= bytes_max
        };
        let left = self.entries.iter().map(fits).take_while(|fits| *fits).count().max(1);
        let cut = left < self.entries.len();
        self.entries.truncate(left);
        cut.then_some(left)
    }

    /// To openraft's form.
    ///
    /// # Errors
    /// [`Error::Entry`] when an entry cannot be read.
    pub fn into_request(self) -> Result<AppendEntriesRequest<TypeConfig>, Error> {
        let entries: Result<Vec<LogEntry>, codec::Error> =
            self.entries.iter().map(|blob| codec::decode_entry(&blob.0)).collect();
        Ok(AppendEntriesRequest {
            vote: self.vote.into(),
            prev_log_id: self.previous.map(Into::into),
            leader_commit: self.commit.map(Into::into),
            entries: entries?,
        })
    }
}

impl From<AppendEntriesResponse<TypeConfig>> for Appended {
    fn from(response: AppendEntriesResponse<TypeConfig>) -> Self {
        match response {
            AppendEntriesResponse::Success => Self::Success,
            AppendEntriesResponse::PartialSuccess(upto) => {
                Self::Partial(upto.map(|id| PlaceOnWire(id.into())))
            }
            AppendEntriesResponse::Conflict => Self::Conflict,
            AppendEntriesResponse::HigherVote(vote) => Self::HigherVote(vote.into()),
        }
    }
}

impl From<Appended> for AppendEntriesResponse<TypeConfig> {
    fn from(appended: Appended) -> Self {
        match appended {
            Appended::Success => Self::Success,
            Appended::Partial(upto) => Self::PartialSuccess(upto.map(|place| place.0.into())),
            Appended::Conflict => Self::Conflict,
            Appended::HigherVote(ballot) => Self::HigherVote(ballot.into()),
        }
    }
}

impl From<VoteRequest<TypeConfig>> for Ask {
    fn from(request: VoteRequest<TypeConfig>) -> Self {
        Self {
            vote: request.vote.into(),
            last: request.last_log_id.map(Into::into),
            transfer: request.leadership_transfer,
        }
    }
}

impl From<Ask> for VoteRequest<TypeConfig> {
    fn from(ask: Ask) -> Self {
        let mut request = Self::new(ask.vote.into(), ask.last.map(Into::into));
        request.leadership_transfer = ask.transfer;
        request
    }
}

impl From<VoteResponse<TypeConfig>> for Answer {
    fn from(response: VoteResponse<TypeConfig>) -> Self {
        Self {
            vote: response.vote.into(),
            granted: response.vote_granted,
            last: response.last_log_id.map(Into::into),
        }
    }
}

impl From<Answer> for VoteResponse<TypeConfig> {
    fn from(answer: Answer) -> Self {
        Self {
            vote: answer.vote.into(),
            vote_granted: answer.granted,
            last_log_id: answer.last.map(Into::into),
        }
    }
}

impl HandOver {
    /// From openraft's form.
    pub fn new(request: &openraft::raft::TransferLeaderRequest<TypeConfig>) -> Self {
        Self {
            from: (*request.from_leader()).into(),
            to: *request.to_node_id(),
            last: request.last_log_id().copied().map(Into::into),
        }
    }

    /// To openraft's form.
    pub fn into_request(self) -> openraft::raft::TransferLeaderRequest<TypeConfig> {
        openraft::raft::TransferLeaderRequest::new(self.from.into(), self.to, self.last.map(Into::into))
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(bytes))
            }
        }

        deserializer.deserialize_byte_buf(Bytes)
    }
}

#[cfg(test)]
mod tests;
