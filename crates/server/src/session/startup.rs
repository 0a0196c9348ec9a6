//! From the first byte of a connection to the end of its authentication, as `rpc::session` says.
//!
//! Whoever is here may be anybody: everything is bounded in bytes and, by the caller, in time.

use bytes::BytesMut;
use model::{DatabaseId, Epoch, RequestId};
use rpc::{ByteStream, session as agreed};
use tokio::io::AsyncWriteExt;
use wire::{
    backend::{self, authentication},
    frontend::sasl::InitialResponse,
    limits::BEFORE_AUTH_LEN_MAX,
    scram::{Channel, Mechanism, Nonce, Server, Verifier},
    startup::{REFUSE, Start, Startup},
};

use super::{
    attach::Attach,
    input::{Input, Message},
};
use crate::{answers::Ending, cancel::Cancels, measures};

/// SSLRequest and GSSENCRequest may each come once before the start.
const PACKETS_MAX: usize = 3;
const PASSWORD: u8 = b'p';

/// What data ports accept: the handlers' login, and a decoy for everybody else.
pub struct Logins {
    handlers: Verifier,
    decoy: [u8; 32],
}

/// A handler asks for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The database.
    pub database: DatabaseId,
    /// The epoch that the handler believes in.
    pub epoch: Epoch,
    /// The client's user.
    pub user: String,
    /// The database's name.
    pub name: String,
    /// The handler's name; empty when it does not say.
    pub handler: String,
    /// For the logs.
    pub request: RequestId,
    /// Minor protocol version agreed on.
    pub minor: u16,
    /// The client's session, if its requests' outcomes are to be kept.
    pub attach: Option<Attach>,
    /// The client's own parameters.
    pub parameters: Vec<(String, String)>,
}

/// How a start-up went.
pub enum Opened {
    /// Authenticated; AuthenticationOk was not sent yet, it stands in the buffer.
    Session(Box<Asked>, BytesMut),
    /// It was a cancel request, which is never answered.
    Cancel,
    /// The client closed the connection.
    Closed,
}

impl Logins {
    /// Derives the verifier from the fleet's secret. Costs CPU time, see [`Verifier::random`].
    pub fn new(secret: &rpc::Secret) -> Self {
        let handlers = Verifier::random(&secret.data_port_password(), &mut rand::rng());
        Self { handlers, decoy: rand::random() }
    }

    fn verifier(&self, user: &str) -> Verifier {
        if user == agreed::USER { self.handlers.clone() } else { Verifier::decoy(user, &self.decoy) }
    }
}

/// Talks to whoever connected until it is a handler, or gone.
///
/// # Errors
/// What to tell the other end before closing.
pub async fn open(
    stream: &mut Box<dyn ByteStream>,
    input: &mut Input,
    logins: &Logins,
    cancels: &Cancels,
) -> Result<Opened, Ending> {
    for _ in 0..PACKETS_MAX {
        let answer = loop {
            let answered = match Startup::split(input.bytes())? {
                None => None,
                Some((packet, rest)) => {
                    Some((Answer::to(packet, cancels)?, input.bytes().len() - rest.len()))
                }
            };
            if let Some((answer, used)) = answered {
                input.consume(used);
                break answer;
            }
            if !matches!(input.fill(stream).await, Ok(1..)) {
                return Ok(Opened::Closed);
            }
        };
        match answer {
            Answer::Refuse => {
                if stream.write_all(&[REFUSE]).await.is_err() {
                    return Ok(Opened::Closed);
                }
            }
            Answer::Cancelled => return Ok(Opened::Cancel),
            Answer::Start { login, asked, negotiation } => {
                return authenticate(stream, input, logins.verifier(&login), asked, negotiation).await;
            }
        }
    }
    Err(Ending::NoHandler { what: "too many requests for encryption" })
}

enum Answer {
    Refuse,
    Cancelled,
    Start { login: String, asked: Result<Box<Asked>, Ending>, negotiation: BytesMut },
}

impl Answer {
    fn to(packet: Startup<'_>, cancels: &Cancels) -> Result<Self, Ending> {
        match packet {
            Startup::Ssl | Startup::GssEncryption => Ok(Self::Refuse),
            Startup::Cancel(key) => {
                measures::cancel(cancels.cancel(key));
                Ok(Self::Cancelled)
            }
            Startup::Start(start) => {
                let mut negotiation = BytesMut::new();
                if start.must_negotiate() {
                    let options = start.protocol_options();
                    backend::negotiate_protocol_version(&mut negotiation, start.minor_agreed(), options)?;
                }
                // What is wrong with it is said only to those who prove that they are handlers.
                Ok(Self::Start { login: start.user()?.to_owned(), asked: asked(&start), negotiation })
            }
        }
    }
}

fn asked(start: &Start<'_>) -> Result<Box<Asked>, Ending> {
    let no = |what| Ending::NoHandler { what };
    let parameter = |name| start.parameters.get(name);
    let database = start.database()?.parse().map_err(|_| no("the database must be given by its id"))?;
    let epoch = parameter(agreed::PARAM_EPOCH).and_then(|text| text.parse().ok());
    let request = parameter(agreed::PARAM_REQUEST).and_then(|text| text.parse().ok());
    let plain = start.parameters.iter().filter(|(name, _)| {
        !name.starts_with(agreed::PARAM_PREFIX)
            && !name.starts_with("_pq_.")
            && !["user", "database"].contains(name)
    });
    Ok(Box::new(Asked {
        database,
        epoch: Epoch(epoch.ok_or(no("no epoch was given"))?),
        user: parameter(agreed::PARAM_USER).ok_or(no("no user was given"))?.to_owned(),
        name: parameter(agreed::PARAM_NAME).ok_or(no("no database name was given"))?.to_owned(),
        handler: parameter(agreed::PARAM_HANDLER).unwrap_or_default().to_owned(),
        request: request.unwrap_or(RequestId(0)),
        minor: start.minor_agreed(),
        attach: Attach::read(|name| start.parameters.get(name)).map_err(no)?,
        parameters: plain.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }))
}

async fn authenticate(
    stream: &mut Box<dyn ByteStream>,
    input: &mut Input,
    verifier: Verifier,
    asked: Result<Box<Asked>, Ending>,
    mut out: BytesMut,
) -> Result<Opened, Ending> {
    authentication::sasl(&mut out, [Mechanism::Sha256.as_str()])?;
    let Some(first) = exchange(stream, input, &mut out).await? else { return Ok(Opened::Closed) };
    let first = InitialResponse::decode(&first)?;
    let server = Server::new(verifier, Nonce::random(&mut rand::rng()), Channel::Unbound);
    let challenge = server.challenge(Mechanism::parse(first.mechanism)?, first.data.unwrap_or_default())?;
    authentication::sasl_continue(&mut out, challenge.message().as_bytes())?;
    let Some(last) = exchange(stream, input, &mut out).await? else { return Ok(Opened::Closed) };
    let accepted = challenge.finish(&last)?;
    authentication::sasl_final(&mut out, accepted.message().as_bytes())?;
    authentication::ok(&mut out);
    Ok(Opened::Session(asked?, out))
}

/// Sends and gets the answer; nothing when the other end is gone.
async fn exchange(
    stream: &mut Box<dyn ByteStream>,
    input: &mut Input,
    out: &mut BytesMut,
) -> Result<Option<bytes::Bytes>, Ending> {
    if stream.write_all(&out.split()).await.is_err() || stream.flush().await.is_err() {
        return Ok(None);
    }
    loop {
        match input.next(BEFORE_AUTH_LEN_MAX)? {
            Some(Message { tag: PASSWORD, body }) => return Ok(Some(body)),
            Some(Message { tag, .. }) => return Err(wire::Error::UnknownMessage { tag }.into()),
            None if matches!(input.fill(stream).await, Ok(1..)) => {}
            None => return Ok(None),
        }
    }
}
