//! Making a session again on another server: settings and prepared statements.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use model::SessionId;
use rpc::session;
use tokio::time::timeout;
use wire::{
    Frame,
    backend::{self, Message},
    frontend,
};

use super::{Backend, Begin};
use crate::{
    limits::{CONNECT_TIMEOUT, INSPECT_BYTES_MAX},
    link::{Link, LinkError},
};

/// Bytes sent before answers are waited for: less than any socket's buffer, so that neither side blocks the other.
const BATCH_BYTES: usize = 4 << 10;

/// Reported parameters that a client can set.
const SETTABLE: [&str; 8] = [
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "application_name",
    "client_encoding",
    "default_transaction_read_only",
    "search_path",
    "standard_conforming_strings",
];

/// What is to be made again.
pub(crate) struct Lost<'a> {
    /// `SET` statements.
    pub(crate) settings: Vec<&'a str>,
    /// Parse messages.
    pub(crate) statements: Vec<&'a [u8]>,
    /// Reported parameters, by what the client knows of them.
    pub(crate) known: &'a BTreeMap<Box<str>, Box<str>>,
}

/// What was made again.
pub(crate) struct Restored {
    /// ParameterStatus for the parameters that are now others than the client knows.
    pub(crate) news: BytesMut,
    /// The number of the client's first request.
    pub(crate) number: u64,
}

/// Makes a session again. What the server refuses now, it would have refused before: it is left out.
///
/// # Errors
/// The server went away again.
pub(crate) async fn restore(
    backend: &mut Backend,
    lost: &Lost<'_>,
    id: SessionId,
    begin: Begin,
) -> Result<Restored, LinkError> {
    let mut restoring =
        Restoring { reported: reports(&backend.greeting)?, awaited: 0, requests: 0, link: &mut backend.link };
    let renumber = begin.renumber.map(|number| (id, number));
    timeout(CONNECT_TIMEOUT, restoring.run(lost, renumber)).await.unwrap_or(Err(LinkError::Closed))?;
    let mut news = BytesMut::new();
    for (name, value) in &restoring.reported {
        if lost.known.get(name.as_str()).is_none_or(|known| **known != **value) {
            backend::parameter_status(&mut news, name, value)?;
        }
    }
    let number = begin.renumber.unwrap_or(begin.number + restoring.requests);
    Ok(Restored { news, number })
}

struct Restoring<'a> {
    link: &'a mut Link,
    /// Parameters as the new server reports them.
    reported: BTreeMap<String, String>,
    /// Requests not answered yet.
    awaited: usize,
    /// Requests sent.
    requests: u64,
}

impl Restoring<'_> {
    async fn run(&mut self, lost: &Lost<'_>, renumber: Option<(SessionId, u64)>) -> Result<(), LinkError> {
        for sql in &lost.settings {
            self.query(sql).await?;
        }
        self.settle().await?;
        for (name, value) in different(&self.reported, lost) {
            self.query(&format!("SET {name} TO '{}'", value.replace('\'', "''"))).await?;
        }
        for parse in &lost.statements {
            // Each is a series of its own: one that fails does not keep the others from being prepared.
            self.link.outbox.extend_from_slice(parse);
            frontend::sync(&mut self.link.outbox);
            self.sent().await?;
        }
        if let Some((id, number)) = renumber {
            self.query(&format!("SET {} TO '{id} {number}'", session::PARAM_NUMBER)).await?;
        }
        self.settle().await
    }

    async fn query(&mut self, sql: &str) -> Result<(), LinkError> {
        frontend::query(&mut self.link.outbox, sql)?;
        self.sent().await
    }

    async fn sent(&mut self) -> Result<(), LinkError> {
        self.awaited += 1;
        self.requests += 1;
        if self.link.outbox.len() >= BATCH_BYTES { self.settle().await } else { Ok(()) }
    }

    /// Waits for all answers.
    async fn settle(&mut self) -> Result<(), LinkError> {
        self.link.flush().await?;
        while self.awaited > 0 {
            let (tag, body) = self.link.frame(INSPECT_BYTES_MAX).await?.ok_or(LinkError::Closed)?;
            match Message::decode(Frame { tag, body: &body })? {
                Message::ReadyForQuery(_) => self.awaited -= 1,
                Message::ParameterStatus { name, .. } if name.starts_with(session::PARAM_PREFIX) => {}
                Message::ParameterStatus { name, value } => {
                    self.reported.insert(name.to_owned(), value.to_owned());
                }
                Message::ErrorResponse(fields) => {
                    tracing::debug!(%fields, "a setting or a statement could not be made again");
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Parameters that the client has set to something else than the new server has.
fn different(reported: &BTreeMap<String, String>, lost: &Lost<'_>) -> Vec<(&'static str, String)> {
    let differs = |name: &&str| {
        let known = lost.known.get(*name)?;
        (reported.get(*name).map(String::as_str) != Some(known)).then(|| known.to_string())
    };
    SETTABLE.iter().filter_map(|name| differs(name).map(|value| (*name, value))).collect()
}

/// The parameters in a greeting.
fn reports(greeting: &Bytes) -> Result<BTreeMap<String, String>, LinkError> {
    let mut reports = BTreeMap::new();
    let mut rest: &[u8] = greeting;
    while let Some((frame, after)) = Frame::split(rest, INSPECT_BYTES_MAX)? {
        if let Message::ParameterStatus { name, value } = Message::decode(frame)? {
            reports.insert(name.to_owned(), value.to_owned());
        }
        rest = after;
    }
    Ok(reports)
}
