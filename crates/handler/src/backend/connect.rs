//! Opening a session on a server: dial, login as a handler, greeting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use bytes::{BufMut, Bytes, BytesMut};
use rpc::{
    Dial, Secret,
    controller::Route,
    session::{self, Settlement},
};
use tokio::time::timeout;
use wire::{
    Frame,
    backend::{Fields, Message, authentication::Authentication},
    frontend::sasl,
    scram::{Channel, Client, Nonce, SaltedKeys, Secret as ScramSecret},
    sqlstate, startup,
};

use super::{Backend, Told};
use crate::{
    cancel::Target,
    failure::Failure,
    limits::{CONNECT_TIMEOUT, INSPECT_BYTES_MAX, SERVER_KEYS_MAX},
    link::{Link, LinkError},
};

/// Who opens sessions, and for whom.
pub(super) struct Opening<'a> {
    pub(super) dial: &'a dyn Dial,
    pub(super) secret: &'a Secret,
    pub(super) keys: &'a LoginKeys,
    /// Everything but user and database.
    pub(super) parameters: Vec<(&'a str, &'a str)>,
}

/// Why no session was opened.
pub(super) enum Closed {
    /// The server does not serve the database at that epoch, or not now: ask for a new route. With what it said.
    NotNow(String),
    /// There is no talking to it.
    Unreachable(String),
    /// It has something against this session: its ErrorResponse as it came.
    Told(Bytes),
    /// The session cannot be asked for.
    Impossible(Failure),
}

impl From<LinkError> for Closed {
    fn from(error: LinkError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl From<wire::Error> for Closed {
    fn from(error: wire::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// Keys of earlier logins by server address: deriving them is most of a login's cost.
#[derive(Default)]
pub(crate) struct LoginKeys(Mutex<HashMap<String, SaltedKeys>>);

impl LoginKeys {
    fn get(&self, address: &str) -> Option<SaltedKeys> {
        self.0.lock().expect("BUG: nothing panics while holding this lock").get(address).cloned()
    }

    fn put(&self, address: &str, keys: SaltedKeys) {
        let mut known = self.0.lock().expect("BUG: nothing panics while holding this lock");
        if known.len() >= SERVER_KEYS_MAX && !known.contains_key(address) {
            known.clear();
        }
        known.insert(address.to_owned(), keys);
    }
}

/// Opens a session along a route.
pub(super) async fn open(opening: &Opening<'_>, route: &Arc<Route>) -> Result<Backend, Closed> {
    timeout(CONNECT_TIMEOUT, converse(opening, route)).await.unwrap_or_else(|_| {
        Err(Closed::Unreachable(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs())))
    })
}

async fn converse(opening: &Opening<'_>, route: &Arc<Route>) -> Result<Backend, Closed> {
    let stream = opening.dial.dial(&route.address).await.map_err(LinkError::from)?;
    let mut link = Link::new(stream);
    let database = route.database.to_string();
    let named = [("user", session::USER), ("database", database.as_str())];
    startup::start(&mut link.outbox, 0, named.into_iter().chain(opening.parameters.iter().copied()))
        .map_err(|error| Closed::Impossible(Failure::from(&error)))?;
    log_in(opening, &route.address, &mut link).await?;
    let (target, greeting, told) = greeting(&route.address, &mut link).await?;
    Ok(Backend { link, route: route.clone(), target, greeting, told })
}

async fn log_in(opening: &Opening<'_>, address: &str, link: &mut Link) -> Result<(), Closed> {
    let (_, body) = next(link).await?;
    let mechanism = match authentication(&body)? {
        Authentication::Sasl(offered) => Channel::Unbound.choose(offered.iter())?,
        other => return Err(unexpected(&other)),
    };
    let secret = ScramSecret::Password {
        password: opening.secret.data_port_password(),
        cached: opening.keys.get(address),
    };
    let client = Client::new(secret, Nonce::random(&mut rand::rng()), mechanism, Channel::Unbound);
    sasl::initial_response(&mut link.outbox, mechanism.as_str(), Some(client.message().as_bytes()))?;
    let (_, body) = next(link).await?;
    let last = match authentication(&body)? {
        Authentication::SaslContinue(challenge) => client.answer(challenge)?,
        other => return Err(unexpected(&other)),
    };
    sasl::response(&mut link.outbox, last.message().as_bytes())?;
    let (_, body) = next(link).await?;
    match authentication(&body)? {
        Authentication::SaslFinal(proof) => opening.keys.put(address, last.verify(proof)?),
        other => return Err(unexpected(&other)),
    }
    let (_, body) = next(link).await?;
    match authentication(&body)? {
        Authentication::Ok => Ok(()),
        other => Err(unexpected(&other)),
    }
}

/// Reads up to ReadyForQuery: the key for canceling, what concerns the client, and what concerns the handler.
async fn greeting(address: &str, link: &mut Link) -> Result<(Target, Bytes, Told), Closed> {
    let mut greeting = BytesMut::new();
    let mut told = Told::default();
    let mut target = None;
    loop {
        let (tag, body) = next(link).await?;
        match Message::decode(Frame { tag, body: &body })? {
            Message::BackendKeyData(key) => {
                let secret = key.secret.into();
                target = Some(Target { address: address.into(), process_id: key.process_id, secret });
            }
            Message::ParameterStatus { name, value } if name.starts_with(session::PARAM_PREFIX) => {
                told.take(name, value);
            }
            Message::ParameterStatus { .. } | Message::NoticeResponse(_) => {
                put_frame(&mut greeting, tag, &body)
            }
            Message::ReadyForQuery(_) => {
                let target =
                    target.ok_or_else(|| Closed::Unreachable("it gave no key for canceling".into()))?;
                return Ok((target, greeting.freeze(), told));
            }
            other => return Err(unexpected(&other)),
        }
    }
}

impl Told {
    /// Takes what a server says to handlers. What makes no sense is as good as not said: then nobody can tell.
    fn take(&mut self, name: &str, value: &str) {
        match name {
            session::STATUS_POSITION => self.position = value.parse().ok(),
            session::STATUS_SETTLED => match value.parse::<Settlement>() {
                Ok(Settlement { number, settled }) => {
                    self.settled.insert(number, settled);
                }
                Err(error) => tracing::warn!(%error, "a server settles a request in no known way"),
            },
            _ => {}
        }
    }
}

/// The next frame that is no error.
async fn next(link: &mut Link) -> Result<(u8, Bytes), Closed> {
    link.flush().await.map_err(LinkError::from)?;
    let (tag, body) = link.frame(INSPECT_BYTES_MAX).await?.ok_or(LinkError::Closed)?;
    match Message::decode(Frame { tag, body: &body })? {
        Message::ErrorResponse(fields) => Err(refused(&fields, &body)),
        _ => Ok((tag, body)),
    }
}

fn refused(fields: &Fields<'_>, body: &[u8]) -> Closed {
    let not_now = [sqlstate::ADMIN_SHUTDOWN, sqlstate::CRASH_SHUTDOWN, sqlstate::CANNOT_CONNECT_NOW];
    if fields.code.as_str() == session::NOT_OWNER || not_now.contains(&fields.code) {
        return Closed::NotNow(fields.to_string());
    }
    if fields.code.class() == "28" {
        // Between handler and server: none of the client's business.
        return Closed::Unreachable(format!("it refuses this handler's login: {fields}"));
    }
    let mut frame = BytesMut::new();
    put_frame(&mut frame, wire::backend::tag::ERROR_RESPONSE, body);
    Closed::Told(frame.freeze())
}

fn authentication(body: &[u8]) -> Result<Authentication<'_>, Closed> {
    match Message::decode(Frame { tag: wire::backend::tag::AUTHENTICATION, body })? {
        Message::Authentication(step) => Ok(step),
        other => Err(unexpected(&other)),
    }
}

fn unexpected(what: &dyn std::fmt::Debug) -> Closed {
    Closed::Unreachable(format!("it does not greet like a server: {what:?}"))
}

/// Writes a frame as it came.
fn put_frame(out: &mut BytesMut, tag: u8, body: &[u8]) {
    out.put_u8(tag);
    out.put_u32(u32::try_from(body.len() + 4).expect("BUG: frames are shorter than 1 GiB"));
    out.put_slice(body);
}
