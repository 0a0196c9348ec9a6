//! Outcomes: which client requests a log has committed, so that none is ever executed twice.
//!
//! The table is a function of the log alone: whoever replays the same records has the same table, evictions included.
//! What was evicted is answered *unknown*, never *absent*.

mod table;

use bytes::{Buf, BufMut, Bytes, TryGetError};
use model::SessionId;

pub use table::{OutcomeTable, Settled};

use crate::limits::RESPONSE_MAX;

/// One client request that a record's transactions contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The client's session.
    pub session: SessionId,
    /// The request's number in it. Requests that commit nothing leave gaps.
    pub number: u64,
    /// What the client was, or is to be, answered.
    pub response: Response,
}

/// The answer to a committed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The very bytes.
    Kept(Bytes),
    /// It had this many bytes, which is more than [`RESPONSE_MAX`], so it was not kept.
    TooLong(u64),
}

impl Response {
    /// Keeps `bytes`, or only their number if they are too many.
    pub fn new(bytes: Bytes) -> Self {
        if bytes.len() <= RESPONSE_MAX { Self::Kept(bytes) } else { Self::TooLong(bytes.len() as u64) }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Kept(bytes) => {
                out.put_u8(0);
                out.put_u64_le(bytes.len() as u64);
                out.put_slice(bytes);
            }
            Self::TooLong(len) => {
                out.put_u8(1);
                out.put_u64_le(*len);
            }
        }
    }

    pub(crate) fn decode(from: &mut Bytes) -> Result<Self, BadOutcome> {
        let (tag, len) = (from.try_get_u8()?, from.try_get_u64_le()?);
        match tag {
            0 if len <= RESPONSE_MAX.min(from.len()) as u64 => {
                Ok(Self::Kept(Bytes::copy_from_slice(&from.split_to(len as usize))))
            }
            1 => Ok(Self::TooLong(len)),
            0 | 2.. => Err(BadOutcome),
        }
    }
}

impl Outcome {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u128_le(self.session.0);
        out.put_u64_le(self.number);
        self.response.encode(out);
    }

    pub(crate) fn decode(from: &mut Bytes) -> Result<Self, BadOutcome> {
        let (session, number) = (SessionId(from.try_get_u128_le()?), from.try_get_u64_le()?);
        Ok(Self { session, number, response: Response::decode(from)? })
    }
}

/// Bytes that are no outcome.
pub(crate) struct BadOutcome;

impl From<TryGetError> for BadOutcome {
    fn from(_: TryGetError) -> Self {
        Self
    }
}
