//! Cancel requests: keys of our own that work through any handler.
//!
//! A key is the handler's id (16 bits) and 48 random ones. A handler that gets another's key passes it on once.
//! Nothing is ever answered, so a wrong key learns nothing; guesses are limited by source.

mod key;
mod rate;

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use rpc::Dial;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};
use wire::startup::{self, CancelKey};

pub(crate) use key::{Key, Reached};
pub(crate) use rate::Rate;

use crate::{handler::Handler, limits::CANCEL_TIMEOUT, metrics};

/// A server's own key for a session, and where that server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) address: Arc<str>,
    pub(crate) process_id: u32,
    pub(crate) secret: Box<[u8]>,
}

/// Handles one cancel request from `source`.
pub(crate) async fn handle(handler: &Handler, source: &str, key: CancelKey<'_>) {
    let result = match Reached::read(key) {
        _ if !handler.allows_cancel(source, Instant::now()) => "limited",
        // Its id may have been another one when the session began.
        Some(reached) if handler.sessions.find(reached.key).is_some() => own(handler, reached.key).await,
        Some(reached) if reached.key.handler() == handler.own.id() => "unknown",
        Some(reached) if !reached.forwarded => foreign(handler, reached.key).await,
        Some(_) | None => "unknown",
    };
    tracing::debug!(source, result, "cancel request");
    metrics::cancel(result);
}

async fn own(handler: &Handler, key: Key) -> &'static str {
    let Some(session) = handler.sessions.find(key) else { return "unknown" };
    let Some(target) = session.target() else {
        return if session.cancel_waiting() { "held" } else { "idle" };
    };
    let key = CancelKey { process_id: target.process_id, secret: &target.secret };
    deliver(&*handler.host.dial, &target.address, key).await
}

/// Has a server end what a session of its own is running; whether it has taken note.
pub(crate) async fn terminate(handler: &Handler, target: &Target) -> bool {
    let key = CancelKey { process_id: target.process_id, secret: &target.secret };
    deliver(&*handler.host.dial, &target.address, key).await == "delivered"
}

async fn foreign(handler: &Handler, key: Key) -> &'static str {
    match handler.peers.address(key.handler()) {
        // The map is behind, or this handler has a new id: there is nobody else to ask.
        Some(address) if address == handler.settings.address => "unknown",
        Some(address) => {
            let (process_id, secret) = key.forwarded();
            deliver(&*handler.host.dial, &address, CancelKey { process_id, secret: &secret }).await
        }
        None => "unknown",
    }
}

/// Sends a cancel request and waits until the other end closes, which it does once the request has been dealt with.
async fn deliver(dial: &dyn Dial, address: &str, key: CancelKey<'_>) -> &'static str {
    let mut packet = BytesMut::new();
    if startup::cancel(&mut packet, key).is_err() {
        return "unknown";
    }
    let send = async {
        let mut stream = dial.dial(address).await?;
        stream.write_all(&packet).await?;
        stream.flush().await?;
        // The other end says nothing; its closing may look like a reset.
        let _closed = stream.read_u8().await;
        std::io::Result::Ok(())
    };
    match timeout(CANCEL_TIMEOUT, send).await {
        Ok(Ok(())) => "delivered",
        Ok(Err(error)) => {
            tracing::warn!(address, %error, "cannot deliver a cancel request");
            "undelivered"
        }
        Err(_) => {
            tracing::warn!(
                address,
                "a cancel request was not taken within {:?}",
                Duration::as_secs(&CANCEL_TIMEOUT)
            );
            "undelivered"
        }
    }
}
