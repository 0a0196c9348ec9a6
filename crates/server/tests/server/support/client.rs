//! A handler of a few lines: logs in at a server as handlers do, then is a plain connection for a client.

use bytes::{Buf, BytesMut};
use model::{DatabaseId, Epoch};
use rpc::{ByteStream, Secret, session};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wire::{
    Frame,
    backend::{Message, authentication::Authentication},
    frontend::sasl,
    scram::{Channel, Client, Mechanism, Nonce, Secret as Password},
    startup,
};

/// What a login came to.
#[derive(Debug)]
pub enum Login {
    /// Logged in; the next bytes are what follows AuthenticationOk.
    Welcome(BytesMut),
    /// SQLSTATE, text and detail.
    Refused(String, String, Option<String>),
    /// The connection was closed without a word.
    Closed,
}

/// Who logs in.
pub struct Asking<'a> {
    pub login: &'a str,
    pub secret: &'a Secret,
    pub parameters: Vec<(&'a str, String)>,
}

impl<'a> Asking<'a> {
    pub fn new(secret: &'a Secret, database: DatabaseId, epoch: Epoch) -> Self {
        let parameters = vec![
            ("database", database.to_string()),
            (session::PARAM_USER, "alice".into()),
            (session::PARAM_EPOCH, epoch.to_string()),
            (session::PARAM_NAME, "shop".into()),
            (session::PARAM_REQUEST, "00000000000000aa".into()),
            ("application_name", "tests".into()),
        ];
        Self { login: session::USER, secret, parameters }
    }
}

/// Logs in.
pub async fn log_in(stream: &mut Box<dyn ByteStream>, asking: &Asking<'_>) -> Login {
    let mut out = BytesMut::new();
    let user = [("user", asking.login)];
    let rest = asking.parameters.iter().map(|(name, value)| (*name, value.as_str()));
    startup::start(&mut out, 0, user.into_iter().chain(rest)).expect("fits");
    let password = Password::password(&asking.secret.data_port_password());
    let nonce = Nonce::random(&mut rand::rng());
    let mut first = Some(Client::new(password, nonce, Mechanism::Sha256, Channel::Unbound));
    let mut last = None;
    let mut input = BytesMut::new();
    loop {
        if stream.write_all(&out.split()).await.is_err() {
            return Login::Closed;
        }
        let Some(body) = frame(stream, &mut input).await else { return Login::Closed };
        match Message::decode(Frame { tag: body.0, body: &body.1 }).expect("a message") {
            Message::Authentication(Authentication::Sasl(_)) => {
                let first = first.as_ref().expect("once").message();
                sasl::initial_response(&mut out, Mechanism::Sha256.as_str(), Some(first.as_bytes()))
                    .expect("fits");
            }
            Message::Authentication(Authentication::SaslContinue(challenge)) => {
                let answer = first.take().expect("once").answer(challenge).expect("sound");
                sasl::response(&mut out, answer.message().as_bytes()).expect("fits");
                last = Some(answer);
            }
            Message::Authentication(Authentication::SaslFinal(proof)) => {
                last.take().expect("once").verify(proof).expect("the server knows the secret, too");
            }
            Message::Authentication(Authentication::Ok) => {
                while input.is_empty() {
                    if !matches!(stream.read_buf(&mut input).await, Ok(1..)) {
                        return Login::Closed;
                    }
                }
                // A refusal follows the proof, as in PostgreSQL.
                if input[0] != wire::backend::tag::ERROR_RESPONSE {
                    return Login::Welcome(input);
                }
            }
            Message::ErrorResponse(fields) => {
                let detail = fields.detail.map(str::to_owned);
                return Login::Refused(fields.code.to_string(), fields.message.to_owned(), detail);
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
}

/// The next message; nothing at the end of the stream.
pub async fn frame(stream: &mut Box<dyn ByteStream>, input: &mut BytesMut) -> Option<(u8, BytesMut)> {
    loop {
        if let Some(header) = wire::Header::peek(input, 1 << 30).expect("sound")
            && input.len() >= header.len
        {
            let mut frame = input.split_to(header.len);
            frame.advance(5);
            return Some((header.tag, frame));
        }
        if !matches!(stream.read_buf(input).await, Ok(1..)) {
            return None;
        }
    }
}

/// A client's end of a connection that is logged in at the server already.
pub fn relay(mut server: Box<dyn ByteStream>, greeting: BytesMut) -> DuplexStream {
    let (client, mut near) = tokio::io::duplex(16 << 10);
    tokio::spawn(async move {
        let mut packet = BytesMut::new();
        while matches!(startup::Startup::split(&packet), Ok(None)) {
            if !matches!(near.read_buf(&mut packet).await, Ok(1..)) {
                return;
            }
        }
        let mut out = BytesMut::new();
        wire::backend::authentication::ok(&mut out);
        out.unsplit(greeting);
        if near.write_all(&out).await.is_ok() {
            // How it ends is seen by both ends.
            let _ = tokio::io::copy_bidirectional(&mut near, &mut server).await;
        }
    });
    client
}
