//! The first words of a connection: encryption begun or refused, protocol agreed, password proven.
//!
//! Until the proof nothing is believed, and no more than one start-up packet or SASL message is held.

use bytes::{Buf, Bytes};
use wire::{
    backend::{self, authentication},
    frontend::{sasl::InitialResponse, tag},
    scram::{Channel, Mechanism, Nonce, Server},
    startup::{self, CancelKey, Parameters, Startup},
};

use crate::{
    cancel,
    connection::CONSOLE,
    console,
    failure::{self, Failure},
    handler::Handler,
    link::{Link, LinkError},
    metrics,
};

/// Requests for encryption before the start: one of each kind.
const ENCRYPTION_REQUESTS_MAX: usize = 2;

/// A client that has proven who it is.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    /// As the client named it.
    pub(crate) database: String,
    /// Minor version of the protocol.
    pub(crate) minor: u16,
    /// By which the console says to the controllers what its user wants; for no other session.
    pub(crate) key: Option<ClientKey>,
    /// The start-up packet, for its parameters.
    packet: Bytes,
}

/// SCRAM's key of a client, as secret as its password. Not shown.
#[derive(Clone, Copy)]
pub(crate) struct ClientKey(pub(crate) [u8; 32]);

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientKey(..)")
    }
}

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was a cancel request, or the client went away.
    Silently,
    /// The client is to be told.
    Because(Failure),
}

impl From<LinkError> for Ended {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Closed | LinkError::Io(_) => Self::Silently,
            LinkError::Wire(error) => error.into(),
        }
    }
}

impl From<wire::Error> for Ended {
    fn from(error: wire::Error) -> Self {
        Self::Because(Failure::from(&error))
    }
}

impl From<std::io::Error> for Ended {
    fn from(_: std::io::Error) -> Self {
        Self::Silently
    }
}

impl Login {
    /// The client's `application_name`.
    pub(crate) fn application(&self) -> &str {
        let parameters = self.parameters();
        parameters
            .into_iter()
            .rev()
            .find(|(name, _)| *name == "application_name")
            .map_or("", |(_, value)| value)
    }

    /// Start-up parameters for the server: without user, database and what is between the client and us.
    pub(crate) fn parameters(&self) -> Vec<(&str, &str)> {
        let Ok(Some((Startup::Start(start), _))) = Startup::split(&self.packet) else {
            unreachable!("BUG: the packet was read before")
        };
        let ours = |name: &str| matches!(name, "user" | "database") || name.starts_with("_pq_.");
        start.parameters.iter().filter(|(name, _)| !ours(name)).collect()
    }
}

/// Takes a connection to the point where its user is known. AuthenticationOk is in the outbox, not yet sent.
pub(crate) async fn log_in(handler: &Handler, link: &mut Link, peer: &str) -> Result<Login, Ended> {
    let mut login = start(handler, link, peer).await?;
    let mut synced = handler.synced.clone();
    if synced.wait_for(|synced| *synced).await.is_err() {
        return Err(Ended::Because(failure::not_ready()));
    }
    match prove(handler, link, &login.user).await {
        Err(Ended::Because(reason)) => {
            tracing::info!(user = login.user, peer, reason = reason.message, "login refused");
            metrics::login(false);
            Err(Ended::Because(reason))
        }
        Err(Ended::Silently) => Err(Ended::Silently),
        Ok(key) => {
            metrics::login(true);
            login.key = (login.database == CONSOLE).then_some(key);
            Ok(login)
        }
    }
}

async fn start(handler: &Handler, link: &mut Link, peer: &str) -> Result<Login, Ended> {
    // By a socket of this machine nobody listens in.
    let mut secret = peer == rpc::LOCAL_PEER;
    for _ in 0..=ENCRYPTION_REQUESTS_MAX {
        let packet = packet(link).await?;
        let Some((startup, _)) = Startup::split(&packet)? else {
            unreachable!("BUG: the packet is complete")
        };
        match startup {
            Startup::Ssl => match handler.settings.tls.as_ref().filter(|_| !secret) {
                Some(tls) => {
                    link.outbox.extend_from_slice(&[startup::ACCEPT_SSL]);
                    link.flush().await?;
                    link.begin_tls(tls).await.map_err(|error| {
                        tracing::info!(%peer, %error, "a client's TLS was refused");
                        metrics::login(false);
                        Ended::Silently
                    })?;
                    secret = true;
                }
                None => refuse_encryption(link).await?,
            },
            Startup::GssEncryption => refuse_encryption(link).await?,
            Startup::Cancel(CancelKey { process_id, secret }) => {
                cancel::handle(handler, peer, CancelKey { process_id, secret }).await;
                return Err(Ended::Silently);
            }
            Startup::Start(_) if !secret && handler.settings.tls.as_ref().is_some_and(|tls| tls.required) => {
                return Err(Ended::Because(failure::encryption_required()));
            }
            Startup::Start(start) => {
                check(&start.parameters)?;
                if start.must_negotiate() {
                    backend::negotiate_protocol_version(
                        &mut link.outbox,
                        start.minor_agreed(),
                        start.protocol_options(),
                    )?;
                }
                return Ok(Login {
                    user: start.user()?.to_owned(),
                    database: start.database()?.to_owned(),
                    minor: start.minor_agreed(),
                    key: None,
                    packet: packet.clone(),
                });
            }
        }
    }
    Err(wire::Error::StartupLayout.into())
}

async fn refuse_encryption(link: &mut Link) -> Result<(), Ended> {
    link.outbox.extend_from_slice(&[startup::REFUSE]);
    link.flush().await?;
    Ok(())
}

/// One whole start-up packet.
async fn packet(link: &mut Link) -> Result<Bytes, Ended> {
    loop {
        if link.inbox.first().is_some_and(|first| startup::is_tls_handshake(*first)) {
            // Nothing that we could say would be understood.
            return Err(Ended::Silently);
        }
        if let Some((_, rest)) = Startup::split(&link.inbox)? {
            let len = link.inbox.len() - rest.len();
            let packet = Bytes::copy_from_slice(&link.inbox[..len]);
            link.inbox.advance(len);
            return Ok(packet);
        }
        if !link.fill().await? {
            return Err(Ended::Silently);
        }
    }
}

fn check(parameters: &Parameters<'_>) -> Result<(), Ended> {
    let private = |name: &str| name.to_ascii_lowercase().starts_with(rpc::session::PARAM_PREFIX);
    for (name, value) in parameters.iter() {
        if private(name) {
            return Err(Ended::Because(failure::private_parameter(name)));
        }
        let off = ["", "off", "false", "no", "0"].iter().any(|off| value.eq_ignore_ascii_case(off));
        if name == "replication" && !off {
            return Err(Ended::Because(failure::replication()));
        }
        if name == "options" {
            for setting in startup::settings(value)? {
                if private(&setting.name) {
                    return Err(Ended::Because(failure::private_parameter(&setting.name)));
                }
            }
        }
    }
    Ok(())
}

/// SCRAM-SHA-256, the same way for users that do not exist.
async fn prove(handler: &Handler, link: &mut Link, user: &str) -> Result<ClientKey, Ended> {
    let channel = Channel::Unbound;
    authentication::sasl(&mut link.outbox, channel.offered().iter().map(|mechanism| mechanism.as_str()))?;
    let body = answer(link).await?;
    let initial = InitialResponse::decode(&body)?;
    let mechanism = Mechanism::parse(initial.mechanism)?;
    let first = initial.data.unwrap_or_default();
    let verifier = console::verifier(handler, user).await.map_err(Ended::Because)?;
    let server = Server::new(verifier, Nonce::random(&mut rand::rng()), channel);
    let challenge = server.challenge(mechanism, first)?;
    authentication::sasl_continue(&mut link.outbox, challenge.message().as_bytes())?;
    let body = answer(link).await?;
    let accepted = challenge.finish(&body).map_err(|error| match error {
        wire::Error::AuthenticationFailed => Ended::Because(failure::authentication_failed(user)),
        other => other.into(),
    })?;
    authentication::sasl_final(&mut link.outbox, accepted.message().as_bytes())?;
    authentication::ok(&mut link.outbox);
    Ok(ClientKey(accepted.client_key()))
}

/// What the client says to what was asked.
async fn answer(link: &mut Link) -> Result<Bytes, Ended> {
    link.flush().await?;
    match link.frame(wire::limits::BEFORE_AUTH_LEN_MAX).await? {
        Some((tag::AUTHENTICATION, body)) => Ok(body),
        Some((tag::TERMINATE, _)) | None => Err(Ended::Silently),
        Some((tag, _)) => Err(wire::Error::UnknownMessage { tag }.into()),
    }
}
