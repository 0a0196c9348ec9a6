//! Directives: what is told to those clients that have said that they understand it, and to nobody else (S9).
//!
//! The [`Board`] holds what stands: what the controllers say, and what this handler finds out itself. Each session that
//! has announced itself has a [`Mailbox`], which knows what that session was given. Nothing is queued: a session that
//! is told to look goes to the board and takes what stands, is for it, and is new to it.
//!
//! Where in the stream a directive may stand is the session's business: within a response, before its end, or between
//! responses. What a client acknowledges is counted here and reported to the controllers.

mod board;
mod gateway;
mod mailbox;
mod post;
mod probing;
mod report;
mod silence;

pub(crate) use board::Board;
pub(crate) use mailbox::{Mailbox, Urgency};
pub(crate) use probing::probe;
pub(crate) use report::report;

use std::sync::Arc;

use directive::{
    Refusal,
    postgres::{ANNOUNCE, Announcement, Statement, split_options, statement},
};
use wire::{Frame, frontend::Message};

use crate::{admin::Asker, handler::Handler, metrics, sessions::Handle};

/// In an announcement: the connection is for directives alone, beside the one that the session works on (R50).
const ALONE: &str = "only=directives";

/// What a client says of itself in the parameters of its start-up packet, as `options` or by name, and whether the
/// connection is for nothing else.
pub(crate) fn announced(parameters: &[(&str, &str)]) -> Option<Result<(Announcement, bool), Refusal>> {
    let named = |wanted: &str| {
        let mut found = parameters.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.next_back().map(|(_, value)| *value)
    };
    let value = named(ANNOUNCE).map(str::to_owned).or_else(|| split_options(named("options")?).0)?;
    let alone = value.split(';').any(|part| part == ALONE);
    Some(Announcement::parse(&value).map(|announcement| (announcement, alone)))
}

/// Who said something.
pub(crate) struct Heard<'a> {
    pub(crate) handle: &'a Arc<Handle>,
    pub(crate) asker: Asker<'a>,
}

/// Takes in what a message says about directives. Whether the server is to hear it, too: it may be what the server
/// asked for. Anything wrong is counted, and answered like what is right: it must not fail the application's
/// transaction.
pub(crate) fn hear(handler: &Handler, Heard { handle, asker }: &Heard<'_>, frame: Frame<'_>) -> bool {
    match said(frame) {
        None => false,
        Some(Ok(Statement::Acknowledge(all))) => match handle.mailbox() {
            Some(mailbox) => !handler.board.acknowledged(mailbox, &all),
            None => true,
        },
        Some(Ok(Statement::Announce(announcement))) => {
            let mailbox = Mailbox::new(announcement, asker.database, asker.user, asker.application);
            handler.board.announce(handle, mailbox);
            true
        }
        Some(Err(refusal)) => {
            tracing::debug!(%refusal, "what a client says of directives breaks a rule");
            metrics::directive_misread(&refusal);
            false
        }
    }
}

/// Whether a message is about directives.
pub(crate) fn speaks(frame: Frame<'_>) -> bool {
    said(frame).is_some()
}

/// What a message says about directives, if that is what it is about.
fn said(frame: Frame<'_>) -> Option<Result<Statement, Refusal>> {
    match Message::decode(frame) {
        Ok(Message::Query { sql } | Message::Parse { sql, .. }) => statement(sql),
        Ok(_) | Err(_) => None,
    }
}
