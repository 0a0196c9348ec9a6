//! A handler's connection for a client session that has an id: raw requests and raw answers.

use bytes::{BufMut, BytesMut};
use model::{DatabaseId, Epoch, SessionId};
use rpc::{
    ByteStream,
    session::{
        PARAM_BEGUN, PARAM_NUMBER, PARAM_SESSION, PARAM_SETTLE, STATUS_POSITION, STATUS_SETTLED, Settled,
        Settlement,
    },
};
use tokio::io::AsyncWriteExt as _;
use wire::{Frame, Oid, backend::Message, frontend};

use super::{
    client::{Asking, Login, frame, log_in},
    fleet::Running,
};

/// What to say at the start.
#[derive(Clone, Debug)]
pub struct Attach {
    pub session: SessionId,
    pub number: u64,
    pub settle: Option<(u64, u64)>,
    pub begun: Option<u64>,
}

impl Attach {
    pub fn new(session: u128, number: u64) -> Self {
        Self { session: SessionId(session), number, settle: None, begun: None }
    }

    /// Asks about requests, and goes on after them or with the first that is absent.
    pub fn settle(session: u128, first: u64, last: u64) -> Self {
        Self { settle: Some((first, last)), ..Self::new(session, last + 1) }
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        let settle = self.settle.map(|(first, last)| (PARAM_SETTLE, format!("{first}-{last}")));
        let begun = self.begun.map(|begun| (PARAM_BEGUN, begun.to_string()));
        let always = [(PARAM_SESSION, self.session.to_string()), (PARAM_NUMBER, self.number.to_string())];
        always.into_iter().chain(settle).chain(begun).collect()
    }
}

/// Such a connection.
pub struct Numbered {
    stream: Box<dyn ByteStream>,
    input: BytesMut,
    /// As the server reported it.
    pub position: u64,
    /// What it said of the requests that were asked about, which came in order.
    pub settled: Vec<Settled>,
}

impl Running {
    /// Goes on with a client's session, or fails with SQLSTATE and text.
    pub async fn try_attach(
        &self,
        database: u64,
        epoch: u64,
        attach: &Attach,
    ) -> Result<Numbered, (String, String)> {
        let mut asking = Asking::new(&self.secret, DatabaseId(database), Epoch(epoch));
        asking.parameters.extend(attach.parameters());
        let mut stream = self.dial().await;
        match log_in(&mut stream, &asking).await {
            Login::Welcome(input) => {
                let mut numbered = Numbered { stream, input, position: 0, settled: Vec::new() };
                numbered.greeted(attach.settle.map_or(attach.number, |(first, _)| first)).await;
                Ok(numbered)
            }
            Login::Refused(code, text, _) => Err((code, text)),
            Login::Closed => Err(("closed".into(), String::new())),
        }
    }

    pub async fn attach(&self, database: u64, epoch: u64, attach: &Attach) -> Numbered {
        self.try_attach(database, epoch, attach)
            .await
            .map_err(|error| format!("{error:?}"))
            .expect("attached")
    }
}

impl Numbered {
    async fn greeted(&mut self, first: u64) {
        loop {
            let (tag, body) = frame(&mut self.stream, &mut self.input).await.expect("a greeting");
            match Message::decode(Frame { tag, body: &body }).expect("a message") {
                Message::ParameterStatus { name: STATUS_POSITION, value } => {
                    self.position = value.parse().expect("a position");
                }
                Message::ParameterStatus { name: STATUS_SETTLED, value } => {
                    let settlement: Settlement = value.parse().expect("a settlement");
                    assert_eq!(settlement.number, first + self.settled.len() as u64, "in order");
                    self.settled.push(settlement.settled);
                }
                Message::ReadyForQuery(_) => return,
                _other => {}
            }
        }
    }

    pub async fn send(&mut self, frames: &[u8]) {
        self.stream.write_all(frames).await.expect("it takes requests");
    }

    /// The bytes of one whole answer; what came of it, if the connection ended first.
    pub async fn answer(&mut self) -> Result<Vec<u8>, Vec<u8>> {
        let mut answer = BytesMut::new();
        loop {
            let Some((tag, body)) = frame(&mut self.stream, &mut self.input).await else {
                return Err(answer.to_vec());
            };
            if let Ok(Message::ParameterStatus { name: STATUS_POSITION, value }) =
                Message::decode(Frame { tag, body: &body })
            {
                self.position = value.parse().expect("a position");
                continue;
            }
            answer.put_u8(tag);
            answer.put_u32(body.len() as u32 + 4);
            answer.extend_from_slice(&body);
            if tag == wire::backend::tag::READY_FOR_QUERY {
                return Ok(answer.to_vec());
            }
        }
    }

    /// Sends requests one by one and gets their answers.
    pub async fn ask(&mut self, requests: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        for request in requests {
            self.send(request).await;
            answers.push(self.answer().await.expect("answered"));
        }
        answers
    }

    /// The first value of the first row that a Query returns.
    pub async fn value(&mut self, sql: &str) -> String {
        self.send(&simple(sql)).await;
        let answer = self.answer().await.expect("answered");
        let mut rest = &answer[..];
        while let Some((found, after)) = Frame::split(rest, usize::MAX).expect("sound") {
            if let Message::DataRow(values) = Message::decode(found).expect("a message") {
                let value = values.iter().next().expect("a column").expect("not null");
                return String::from_utf8_lossy(value).into_owned();
            }
            rest = after;
        }
        panic!("no row: {}", String::from_utf8_lossy(&answer));
    }
}

/// A Query.
pub fn simple(sql: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    frontend::query(&mut out, sql).expect("sql");
    out.to_vec()
}

/// Parse to Sync.
pub fn extended(sql: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    frontend::parse(&mut out, "", sql, &[] as &[Oid]).expect("parse");
    frontend::bind(&mut out, "", "", (&[], &[]), &[]).expect("bind");
    frontend::describe(&mut out, frontend::Target::Portal("")).expect("describe");
    frontend::execute(&mut out, "", 0).expect("execute");
    frontend::sync(&mut out);
    out.to_vec()
}
