//! What a handler adds to the PostgreSQL wire when it opens a client's session on a server.
//!
//! The handler logs in as [`USER`] by SCRAM-SHA-256 with [`Secret::data_port_password`](crate::Secret::data_port_password),
//! names the database by id, and asserts the client's own user, whom it has authenticated, in a start-up parameter.
//! The client's other start-up parameters follow unchanged.
//!
//! A server that does not serve that database at that epoch answers with an ErrorResponse of SQLSTATE
//! [`NOT_OWNER`]; its detail, if any, is the epoch that the server knows, in decimal. The handler asks a
//! controller again and the client notices nothing. The same error, FATAL, ends a session whose database moves.
//! With it the server promises that nothing which it has not answered was done, so handlers give unanswered requests
//! to the next owner. Where it cannot promise that, it ends the session with SQLSTATE 40003 instead.

//!
//! # Exactly once
//!
//! A client's session has a random id, [`PARAM_SESSION`], under which servers keep the outcomes of its requests in the
//! database's journal. A request is what ends in one ReadyForQuery, and its number is how many of them came before it in
//! the client's session, plus one: handler and server count alike without talking about it. A connection begins with
//! request [`PARAM_NUMBER`], or with the first of those that it is told are absent, if that comes earlier: so a handler that
//! gives the number after the last one it asks about can go on with whatever has to be sent again.
//!
//! What a handler itself sends to make a session again is counted too; it has the last word on the count by
//! `SET _stationmaster.number TO 'SESSION N'`, in a Query of its own: the request after that one is number N. No client
//! knows its session's id, so none can miscount its own requests.
//!
//! After a cut the handler asks the owner about the requests that have no answer, [`PARAM_SETTLE`]. Before it answers, the
//! owner has fenced the journal and has ended any older connection of the session, so what it calls absent stays absent.
//! It answers each number by a ParameterStatus [`STATUS_SETTLED`] before its first ReadyForQuery; a number without an
//! answer is unknown. It also reports [`STATUS_POSITION`], which the handler gives back as [`PARAM_BEGUN`] next time.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use model::Epoch;

/// The role that handlers log in to servers as.
pub const USER: &str = "_stationmaster_handler";

/// Start-up parameter: the client's user.
pub const PARAM_USER: &str = "_stationmaster.user";
/// Start-up parameter: the handler's own name.
pub const PARAM_HANDLER: &str = "_stationmaster.handler";
/// Start-up parameter: the epoch the handler believes in, in decimal.
pub const PARAM_EPOCH: &str = "_stationmaster.epoch";
/// Start-up parameter: the database's name, as `current_database()` shows it.
pub const PARAM_NAME: &str = "_stationmaster.name";
/// Start-up parameter: the request id, for the logs.
pub const PARAM_REQUEST: &str = "_stationmaster.request";
/// Start-up parameter: the client session's id, 32 hexadecimal digits.
pub const PARAM_SESSION: &str = "_stationmaster.session";
/// Start-up parameter: the number of the first request on this connection, in decimal; 1 for a session's first. Where an
/// earlier number is settled as absent, the connection begins with the first such number instead.
pub const PARAM_NUMBER: &str = "_stationmaster.number";
/// Start-up parameter: the numbers of the requests to be settled, `FIRST-LAST` in decimal, both included.
pub const PARAM_SETTLE: &str = "_stationmaster.settle";
/// Start-up parameter: a [`STATUS_POSITION`] that the session was told before it sent the requests to be settled.
pub const PARAM_BEGUN: &str = "_stationmaster.begun";
/// ParameterStatus of a server: a position up to which its journal is durable now, in decimal.
pub const STATUS_POSITION: &str = "_stationmaster.position";
/// ParameterStatus of a server: a [`Settlement`].
pub const STATUS_SETTLED: &str = "_stationmaster.settled";
/// Requests that one connection may ask about; more are unknown.
pub const SETTLE_MAX: u64 = 1024;
/// Start-up parameters with this prefix are between handler and server; a client's are refused.
pub const PARAM_PREFIX: &str = "_stationmaster.";

/// SQLSTATE: this server does not serve that database at that epoch.
pub const NOT_OWNER: &str = "SM001";

/// The detail of a [`NOT_OWNER`] error.
pub fn not_owner_detail(epoch: Epoch) -> String {
    epoch.to_string()
}

/// Reads the detail of a [`NOT_OWNER`] error.
pub fn epoch_of(detail: &str) -> Option<Epoch> {
    detail.parse().ok().map(Epoch)
}

/// What became of one request: the value of [`STATUS_SETTLED`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The request's number in its session.
    pub number: u64,
    /// What became of it.
    pub settled: Settled,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was done, and this is the whole answer, ReadyForQuery included.
    Answered(Bytes),
    /// It was done; its answer was too long to be kept, or only part of it was made.
    Done,
    /// It was not done and never will be, unless it is sent again.
    Absent,
    /// Nobody can tell.
    Unknown,
}

impl fmt::Display for Settlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.number)?;
        match &self.settled {
            Settled::Answered(bytes) => {
                f.write_str("answered ")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Settled::Done => f.write_str("done"),
            Settled::Absent => f.write_str("absent"),
            Settled::Unknown => f.write_str("unknown"),
        }
    }
}

/// A text that is no [`Settlement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a settlement")]
pub struct BadSettlement;

impl FromStr for Settlement {
    type Err = BadSettlement;

    fn from_str(text: &str) -> Result<Self, BadSettlement> {
        let mut words = text.split(' ');
        let number = words.next().and_then(|word| word.parse().ok()).ok_or(BadSettlement)?;
        let settled = match (words.next(), words.next()) {
            (Some("answered"), Some(hex)) => Settled::Answered(bytes_of(hex).ok_or(BadSettlement)?),
            (Some("done"), None) => Settled::Done,
            (Some("absent"), None) => Settled::Absent,
            (Some("unknown"), None) => Settled::Unknown,
            _ => return Err(BadSettlement),
        };
        words.next().is_none().then_some(Self { number, settled }).ok_or(BadSettlement)
    }
}

fn bytes_of(hex: &str) -> Option<Bytes> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settlement_survives_its_text() {
        for settled in [
            Settled::Answered(Bytes::from_static(b"C\0\x7f\xff")),
            Settled::Answered(Bytes::new()),
            Settled::Done,
            Settled::Absent,
            Settled::Unknown,
        ] {
            let settlement = Settlement { number: 7, settled };
            assert_eq!(settlement.to_string().parse(), Ok(settlement));
        }
    }

    #[test]
    fn what_is_no_settlement_is_refused() {
        for text in
            ["", "7", "x done", "7 answered 4", "7 answered 4g", "7 answered", "7 done done", "7 absent "]
        {
            assert_eq!(text.parse::<Settlement>(), Err(BadSettlement), "{text}");
        }
    }
}
