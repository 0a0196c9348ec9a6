//! Clients: a real driver, and one that can say anything.

use bytes::{Bytes, BytesMut};
use tokio_postgres::{Client, Config, NoTls};
use wire::{
    Frame,
    backend::Message,
    backend::authentication::Authentication,
    frontend::{self, sasl},
    scram::{Channel, Client as Scram, Mechanism, Nonce, Secret},
    startup,
};

use super::{Fleet, Until};
use crate::link::Link;

/// Connects to a database through a handler, as `ann`.
pub(crate) async fn connect(
    fleet: &Fleet,
    handler: &str,
    database: &str,
) -> Result<Client, tokio_postgres::Error> {
    connect_as(fleet, handler, database, "ann", "secret").await
}

/// Connects as somebody.
pub(crate) async fn connect_as(
    fleet: &Fleet,
    handler: &str,
    database: &str,
    user: &str,
    password: &str,
) -> Result<Client, tokio_postgres::Error> {
    let stream = fleet.net.dial_now(handler).expect("the handler listens");
    let mut config = Config::new();
    config.user(user).password(password).dbname(database);
    let (client, connection) = config.connect_raw(stream, NoTls).within("connected").await?;
    tokio::spawn(async move {
        let _ended = connection.await;
    });
    Ok(client)
}

/// The first column of the first row.
pub(crate) async fn ask(client: &Client, sql: &str) -> String {
    let messages =
        client.simple_query(sql).within(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let row = messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
        _ => None,
    });
    row.unwrap_or_else(|| panic!("{sql} gave no row"))
}

/// The SQLSTATE that a statement fails with.
pub(crate) async fn fails(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).within(sql).await {
        Ok(_) => panic!("{sql} does not fail"),
        Err(error) => code(&error),
    }
}

/// The SQLSTATE of an error, or its text.
pub(crate) fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned())
}

/// A client on the bare wire.
pub(crate) struct Raw {
    pub(crate) link: Link,
    /// What the handler gave in BackendKeyData.
    pub(crate) key: Option<(u32, Vec<u8>)>,
}

impl Raw {
    /// A connection that has said nothing yet.
    pub(crate) fn open(fleet: &Fleet, handler: &str) -> Self {
        let stream = fleet.net.dial_now(handler).expect("the handler listens");
        Self { link: Link::new(Box::new(stream)), key: None }
    }

    /// A session of `ann`, ready for queries.
    pub(crate) async fn connect(fleet: &Fleet, handler: &str, parameters: &[(&str, &str)]) -> Self {
        let mut raw = Self::open(fleet, handler);
        startup::start(
            &mut raw.link.outbox,
            0,
            [("user", "ann")].into_iter().chain(parameters.iter().copied()),
        )
        .expect("short");
        raw.log_in("secret").await;
        let greeting = raw.answer().await;
        assert!(greeting.ends_with(&["Z I".to_owned()]), "{greeting:?}");
        raw
    }

    /// Answers the questions for a password.
    pub(crate) async fn log_in(&mut self, password: &str) {
        let nonce = Nonce::new("client").expect("printable");
        let mut first =
            Some(Scram::new(Secret::password(password), nonce, Mechanism::Sha256, Channel::Unbound));
        let mut last = None;
        loop {
            let (tag, body) = self.frame().await.expect("not closed");
            let step = match Message::decode(Frame { tag, body: &body }).expect("a message") {
                Message::Authentication(step) => step,
                Message::NegotiateProtocolVersion(_) => continue,
                other => panic!("{other:?} instead of a question for the password"),
            };
            let out = &mut self.link.outbox;
            match step {
                Authentication::Sasl(_) => {
                    let client = first.as_ref().expect("once");
                    let name = Mechanism::Sha256.as_str();
                    sasl::initial_response(out, name, Some(client.message().as_bytes())).expect("short");
                }
                Authentication::SaslContinue(challenge) => {
                    let answered = first.take().expect("once").answer(challenge).expect("a challenge");
                    sasl::response(out, answered.message().as_bytes()).expect("short");
                    last = Some(answered);
                }
                Authentication::SaslFinal(proof) => {
                    last.take().expect("once").verify(proof).expect("the handler knows the verifier");
                }
                Authentication::Ok => return,
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    pub(crate) fn query(&mut self, sql: &str) -> &mut Self {
        frontend::query(&mut self.link.outbox, sql).expect("short");
        self
    }

    pub(crate) fn out(&mut self) -> &mut BytesMut {
        &mut self.link.outbox
    }

    /// The next frame; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Bytes)> {
        async {
            self.link.flush().await.ok()?;
            self.link.frame(1 << 24).await.ok().flatten()
        }
        .within("a frame")
        .await
    }

    /// Frames up to ReadyForQuery or the end, in short.
    pub(crate) async fn answer(&mut self) -> Vec<String> {
        let mut answer = Vec::new();
        loop {
            let Some((tag, body)) = self.frame().await else {
                answer.push("closed".into());
                return answer;
            };
            let short = match Message::decode(Frame { tag, body: &body }).expect("a message") {
                Message::ReadyForQuery(status) => format!("Z {}", char::from(status.code())),
                Message::ErrorResponse(fields) => format!("{} {}", fields.severity.as_str(), fields.code),
                Message::CommandComplete { command } => command.to_owned(),
                Message::DataRow(values) => {
                    let cell = |cell: Option<&[u8]>| {
                        cell.map_or("null".into(), |cell| String::from_utf8_lossy(cell).into_owned())
                    };
                    values.iter().map(cell).collect::<Vec<_>>().join("|")
                }
                Message::ParameterStatus { name, value } => format!("{name}={value}"),
                Message::BackendKeyData(key) => {
                    self.key = Some((key.process_id, key.secret.to_vec()));
                    "K".into()
                }
                Message::NoticeResponse(fields) => format!("{} {}", fields.severity.as_str(), fields.message),
                _ => char::from(tag).to_string(),
            };
            let ends = tag == wire::backend::tag::READY_FOR_QUERY;
            answer.push(short);
            if ends {
                return answer;
            }
        }
    }

    /// Asks and gives the answer in short.
    pub(crate) async fn ask(&mut self, sql: &str) -> Vec<String> {
        self.query(sql).answer().await
    }
}
