//! From server to client: which bytes may go on, and what they mean.
//!
//! Rows stream through by their headers. Bodies are read only of ReadyForQuery, ParameterStatus and ErrorResponse;
//! an error that ends the server's side of the session is kept back, for the client need not know.

use bytes::Bytes;
use rpc::session;
use wire::{
    Error, Frame, Header, SqlState,
    backend::{Message, Severity, TransactionStatus, tag},
    frame::HEADER_LEN,
    sqlstate,
};

use super::tracker::Tracker;
use crate::limits::INSPECT_BYTES_MAX;

/// Follows the frames of one direction.
#[derive(Debug)]
pub(super) struct Down {
    left: usize,
    len_max: usize,
    ending: Ending,
}

/// How far the server is with ending a request, as it was told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It was not.
    No,
    /// It was: an error that says that the request was canceled is kept back, as the client need not know.
    Told,
    /// It has: ReadyForQuery is kept back as well.
    Canceled,
}

/// Why reading stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing more to read, or a frame that is not all there.
    End,
    /// A request is answered, and nothing is under way.
    Quiet,
    /// The server ends the session: SQLSTATE, and the frame as it came.
    Fatal(SqlState, Bytes),
    /// The last frame was for this handler only.
    Private,
    /// The server has ended the request that it was told to end, and then things stand like this.
    Ended(TransactionStatus),
    /// The server breaks the protocol.
    Broken(Error),
}

/// How much was read: this many bytes may go on, and this many are used up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) forward: usize,
    pub(super) used: usize,
    /// Requests that are answered by it.
    pub(super) answered: u64,
    /// Where the last of them ends.
    pub(super) since: usize,
    pub(super) heard: Heard,
}

impl Down {
    pub(super) fn new(len_max: usize) -> Self {
        Self { left: 0, len_max, ending: Ending::No }
    }

    /// Another server speaks.
    pub(super) fn reset(&mut self) {
        self.left = 0;
        self.ending = Ending::No;
    }

    /// The server was told to end the request in front.
    pub(super) fn ending(&mut self) {
        self.ending = Ending::Told;
    }

    /// Reads `bytes`. Stops after a ReadyForQuery that leaves nothing under way only when `at_quiet` asks for it.
    pub(super) fn scan(&mut self, bytes: &[u8], tracker: &mut Tracker, at_quiet: bool) -> Read {
        let mut at = 0;
        let (mut answered, mut since) = (0, 0);
        loop {
            if self.left > 0 {
                let len = self.left.min(bytes.len() - at);
                self.left -= len;
                at += len;
                tracker.mid_answer = self.left > 0;
            }
            let unread = &bytes[at..];
            let end = |heard| Read { forward: at, used: at, answered, since, heard };
            let header = match Header::peek(unread, self.len_max) {
                Ok(Some(header)) => header,
                Ok(None) => return end(Heard::End),
                Err(error) => return end(Heard::Broken(error)),
            };
            if is_read(header, tracker) && unread.len() < header.len {
                return end(Heard::End);
            }
            let len = header.len.min(unread.len());
            if let Some(heard) = self.end_of_request(header, &unread[HEADER_LEN..len]) {
                return Read { forward: at, used: at + len, answered, since, heard };
            }
            if header.tag == tag::READY_FOR_QUERY {
                answered += 1;
                since = at + len;
            }
            let kept_back = |heard| Read { forward: at, used: at + len, answered, since, heard };
            match frame(header, &unread[HEADER_LEN..len], tracker) {
                Heard::End => {}
                Heard::Quiet if !at_quiet => {}
                Heard::Quiet => return Read { forward: at + len, ..kept_back(Heard::Quiet) },
                Heard::Fatal(code, _) => {
                    return kept_back(Heard::Fatal(code, Bytes::copy_from_slice(&unread[..len])));
                }
                heard @ (Heard::Private | Heard::Ended(_) | Heard::Broken(_)) => return kept_back(heard),
            }
            self.left = header.len - len;
            tracker.mid_answer = self.left > 0;
            at += len;
        }
    }

    /// What is kept back of the end of a request that the server was told to end.
    fn end_of_request(&mut self, header: Header, body: &[u8]) -> Option<Heard> {
        match (self.ending, header.tag) {
            (Ending::No, _) => None,
            (Ending::Told, tag::ERROR_RESPONSE) if is_canceled(body) => {
                self.ending = Ending::Canceled;
                Some(Heard::Private)
            }
            (Ending::Told, tag::READY_FOR_QUERY) => {
                // It was answered before.
                self.ending = Ending::No;
                None
            }
            (Ending::Canceled, tag::READY_FOR_QUERY) => {
                self.ending = Ending::No;
                match Message::decode(Frame { tag: header.tag, body }) {
                    Ok(Message::ReadyForQuery(status)) => Some(Heard::Ended(status)),
                    Ok(_) => unreachable!("BUG: the tag says ReadyForQuery"),
                    Err(error) => Some(Heard::Broken(error)),
                }
            }
            (Ending::Told | Ending::Canceled, _) => None,
        }
    }
}

/// Whether an error says that its request was canceled.
fn is_canceled(body: &[u8]) -> bool {
    match Message::decode(Frame { tag: tag::ERROR_RESPONSE, body }) {
        Ok(Message::ErrorResponse(fields)) => {
            fields.code == sqlstate::QUERY_CANCELED && fields.severity == Severity::Error
        }
        Ok(_) | Err(_) => false,
    }
}

/// Whether the body is read, so that it must be there as a whole. Longer ones than any of ours are not.
fn is_read(header: Header, tracker: &Tracker) -> bool {
    let tags = match header.tag {
        tag::READY_FOR_QUERY | tag::PARAMETER_STATUS | tag::ERROR_RESPONSE => true,
        tag::COMMAND_COMPLETE => tracker.memory.is_staging(),
        _ => false,
    };
    tags && header.len <= INSPECT_BYTES_MAX
}

fn frame(header: Header, body: &[u8], tracker: &mut Tracker) -> Heard {
    match header.tag {
        tag::READY_FOR_QUERY => return ready(body, tracker),
        tag::ERROR_RESPONSE => {
            if let Some(code) = fatal(body) {
                return Heard::Fatal(code, Bytes::new());
            }
            tracker.failed();
        }
        tag::PARAMETER_STATUS => {
            if let Ok(Message::ParameterStatus { name, value }) =
                Message::decode(Frame { tag: header.tag, body })
            {
                if name.starts_with(session::PARAM_PREFIX) {
                    if let (session::STATUS_POSITION, Ok(position)) = (name, value.parse()) {
                        tracker.told_position(position);
                    }
                    return Heard::Private;
                }
                tracker.memory.reported(name, value);
            }
            return Heard::End;
        }
        tag::NOTICE_RESPONSE | tag::NOTIFICATION_RESPONSE => return Heard::End,
        tag::PARSE_COMPLETE => {
            let settled = tracker.ledger.parse_complete();
            tracker.settled(settled);
        }
        tag::CLOSE_COMPLETE => {
            let settled = tracker.ledger.close_complete();
            tracker.settled(settled);
        }
        tag::COPY_IN_RESPONSE => tracker.copy_in(),
        tag::COMMAND_COMPLETE if tracker.memory.is_staging() => tracker.command_complete(body),
        _ => {}
    }
    tracker.ledger.answered_some();
    Heard::End
}

fn ready(body: &[u8], tracker: &mut Tracker) -> Heard {
    match Message::decode(Frame { tag: tag::READY_FOR_QUERY, body }) {
        Ok(Message::ReadyForQuery(status)) => {
            tracker.ready(status);
            if tracker.ledger.is_quiet() { Heard::Quiet } else { Heard::End }
        }
        Ok(_) => unreachable!("BUG: the tag says ReadyForQuery"),
        Err(error) => Heard::Broken(error),
    }
}

/// The SQLSTATE of an error after which the server closes.
fn fatal(body: &[u8]) -> Option<SqlState> {
    // The first field is the severity; only one worth a closer look costs more than this.
    if body.starts_with(b"SERROR\0") {
        return None;
    }
    match Message::decode(Frame { tag: tag::ERROR_RESPONSE, body }) {
        Ok(Message::ErrorResponse(fields))
            if matches!(fields.severity, Severity::Fatal | Severity::Panic) =>
        {
            Some(fields.code)
        }
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
