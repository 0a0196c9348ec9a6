//! From client to server: which bytes may go on, and what they mean.
//!
//! Everything goes on as it came, but for what the handler answers itself. Bodies are read only of Query and Parse
//! (what kind of statement?), and of Bind, Describe and Close where a name matters.

use directive::postgres::Statement;
use wire::{Error, Header, frame::HEADER_LEN, frontend::tag};

use super::{
    ledger::{Prepared, Request},
    tracker::Tracker,
};
use crate::{
    limits::{INSPECT_BYTES_MAX, SQL_PREFIX_BYTES},
    sql::{Effects, Reading, read},
};

/// Follows the frames of one direction.
#[derive(Debug)]
pub(super) struct Up {
    /// Bytes of the frame under way that are still to come.
    left: usize,
    /// What the frame under way is when it is a request, which counts once it is complete.
    request: Option<Request>,
    len_max: usize,
    /// The next frame goes on even if it is one that the handler answers.
    pub(super) let_through: bool,
}

/// Why reading stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Nothing more to read, or a frame that is not all there.
    End,
    /// A frame that the handler answers itself comes next.
    Own,
    /// The client says good-bye. The frame has been used.
    Terminate,
    /// The client breaks the protocol.
    Broken(Error),
}

/// What a frame wants.
enum Verdict {
    /// It may go on.
    Pass,
    /// Its bytes so far do not tell.
    More,
    /// It stops here.
    Stop(Stop),
}

impl Up {
    pub(super) fn new(len_max: usize) -> Self {
        Self { left: 0, request: None, len_max, let_through: false }
    }

    /// What was cut will come again from its beginning.
    pub(super) fn reset(&mut self) {
        self.left = 0;
        self.request = None;
    }

    /// Bytes of the frame under way that are still to come.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// The rest of the frame under way has come, and was thrown away.
    pub(super) fn thrown_away(&mut self, tracker: &mut Tracker) {
        self.left = 0;
        self.frame_ends(tracker);
    }

    /// Reads `bytes`; tells how many of them may go on to the server. `is_own` knows the statements that the handler
    /// has prepared.
    pub(super) fn scan(
        &mut self,
        bytes: &[u8],
        tracker: &mut Tracker,
        is_own: &dyn Fn(&str) -> bool,
    ) -> (usize, Stop) {
        let mut at = 0;
        loop {
            if self.left > 0 {
                let len = self.left.min(bytes.len() - at);
                tracker.replay.sent(&bytes[at..at + len]);
                self.left -= len;
                at += len;
                self.frame_ends(tracker);
            }
            let unread = &bytes[at..];
            let header = match Header::peek(unread, self.len_max) {
                Ok(Some(header)) => header,
                Ok(None) => return (at, Stop::End),
                Err(error) => return (at, Stop::Broken(error)),
            };
            match self.frame(header, unread, tracker, is_own) {
                Verdict::Pass => {}
                Verdict::More => return (at, Stop::End),
                Verdict::Stop(stop) => return (at, stop),
            }
            self.let_through = false;
            self.request = match header.tag {
                tag::QUERY | tag::FUNCTION_CALL => Some(Request::Single),
                tag::SYNC => Some(Request::Sync),
                _ => None,
            };
            let len = header.len.min(unread.len());
            tracker.replay.sent(&unread[..len]);
            self.left = header.len - len;
            at += len;
            self.frame_ends(tracker);
        }
    }

    /// Counts the frame if its last byte has been seen.
    fn frame_ends(&mut self, tracker: &mut Tracker) {
        tracker.mid_request = self.left > 0;
        if self.left == 0
            && let Some(request) = self.request.take()
            && tracker.ledger.sent_request(request)
        {
            tracker.replay.request_ends();
        }
    }

    fn frame(
        &self,
        header: Header,
        unread: &[u8],
        tracker: &mut Tracker,
        is_own: &dyn Fn(&str) -> bool,
    ) -> Verdict {
        let visible = header.len.min(unread.len());
        let body = &unread[HEADER_LEN..visible];
        let whole = visible == header.len;
        match header.tag {
            tag::QUERY | tag::PARSE if !whole && body.len() < wanted(header) => Verdict::More,
            tag::QUERY => self.query(body, whole, tracker),
            tag::PARSE => self.parse(&unread[..visible], whole, tracker),
            tag::BIND | tag::DESCRIBE | tag::CLOSE => self.named(header, body, whole, tracker, is_own),
            tag::EXECUTE | tag::FLUSH => {
                tracker.ledger.sent_extended();
                Verdict::Pass
            }
            tag::SYNC | tag::FUNCTION_CALL => Verdict::Pass,
            tag::COPY_DONE | tag::COPY_FAIL => {
                tracker.ledger.sent_copy_end();
                Verdict::Pass
            }
            tag::COPY_DATA => Verdict::Pass,
            tag::TERMINATE => Verdict::Stop(Stop::Terminate),
            tag => Verdict::Stop(Stop::Broken(Error::UnknownMessage { tag })),
        }
    }

    fn query(&self, body: &[u8], whole: bool, tracker: &mut Tracker) -> Verdict {
        let about = if whole { about_directives(body) } else { About::Other };
        if about != About::Other && !self.let_through {
            return Verdict::Stop(Stop::Own);
        }
        match reading(body, whole) {
            // Nothing to be made again on another server.
            _ if about == About::Acknowledging => {}
            Reading::Database if !self.let_through => return Verdict::Stop(Stop::Own),
            Reading::Plain | Reading::Database => {}
            Reading::Notable(effects) => tracker.effects(*effects),
        }
        if !whole {
            // Nobody has read how it ends.
            tracker.commits();
        }
        tracker.memory.closed("");
        Verdict::Pass
    }

    fn parse(&self, frame: &[u8], whole: bool, tracker: &mut Tracker) -> Verdict {
        let body = &frame[HEADER_LEN..];
        let (name, rest) = c_string(body).unwrap_or((body, &[]));
        let (sql, complete) = c_string(rest).map_or((rest, false), |(sql, _)| (sql, true));
        let about = if complete { about_directives(sql) } else { About::Other };
        if about != About::Other && !self.let_through {
            return Verdict::Stop(Stop::Own);
        }
        let mut commits = false;
        match reading(sql, complete) {
            _ if about == About::Acknowledging => {}
            Reading::Database if !self.let_through => return Verdict::Stop(Stop::Own),
            Reading::Plain | Reading::Database => {}
            Reading::Notable(effects) => {
                commits = effects.commits;
                // Only running it ends the transaction: a named one is seen again in Bind.
                let commits_now = commits && name.is_empty();
                tracker.effects(Effects { commits: commits_now, ..*effects });
            }
        }
        let name = String::from_utf8_lossy(name).into();
        // Too long to be kept: remembered as such.
        let frame = if whole { frame.into() } else { Box::default() };
        tracker.ledger.sent_parse(Prepared { name, frame, commits });
        Verdict::Pass
    }

    /// Bind (portal, statement), Describe and Close (kind and name).
    fn named(
        &self,
        header: Header,
        body: &[u8],
        whole: bool,
        tracker: &mut Tracker,
        is_own: &dyn Fn(&str) -> bool,
    ) -> Verdict {
        let Some(statement) = statement_name(header.tag, body) else {
            if !whole && body.len() < wanted(header) {
                return Verdict::More;
            }
            // A name longer than anybody's: the server may say so.
            tracker.ledger.sent_extended();
            return Verdict::Pass;
        };
        let name = statement.and_then(|name| std::str::from_utf8(name).ok());
        if name.is_some_and(is_own) && !self.let_through {
            return Verdict::Stop(Stop::Own);
        }
        if header.tag == tag::CLOSE {
            tracker.ledger.sent_close(name);
            return Verdict::Pass;
        }
        if header.tag == tag::BIND && name.is_none_or(|name| tracker.may_commit_by(name)) {
            tracker.commits();
        }
        tracker.ledger.sent_extended();
        Verdict::Pass
    }
}

/// How many bytes of a body are waited for before it is read.
fn wanted(header: Header) -> usize {
    if header.len <= INSPECT_BYTES_MAX { header.body_len() } else { SQL_PREFIX_BYTES }
}

/// Whether and how a client speaks of directives to whoever sends them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Other,
    Announcing,
    Acknowledging,
}

fn about_directives(sql: &[u8]) -> About {
    let text = sql.strip_suffix(&[0]).unwrap_or(sql);
    match std::str::from_utf8(text).ok().and_then(directive::postgres::statement) {
        None => About::Other,
        Some(Ok(Statement::Announce(_))) => About::Announcing,
        Some(Ok(Statement::Acknowledge(_)) | Err(_)) => About::Acknowledging,
    }
}

/// Reads SQL as far as it is text and not too long.
fn reading(sql: &[u8], whole: bool) -> Reading {
    let text = sql.strip_suffix(&[0]).unwrap_or(sql);
    match std::str::from_utf8(text) {
        Ok(text) => read(text, whole),
        Err(error) => read(std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default(), false),
    }
}

/// The string at the start, without its NUL, and what follows.
fn c_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..len], &bytes[len + 1..]))
}

/// The statement that a Bind, Describe or Close is about; `Some(None)` for a portal; `None` when it cannot be seen.
fn statement_name(tag: u8, body: &[u8]) -> Option<Option<&[u8]>> {
    if tag == tag::BIND {
        let (_portal, rest) = c_string(body)?;
        return c_string(rest).map(|(statement, _)| Some(statement));
    }
    let (kind, rest) = body.split_first()?;
    let (name, _) = c_string(rest)?;
    Some((*kind == b'S').then_some(name))
}

#[cfg(test)]
mod tests;
