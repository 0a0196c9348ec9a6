//! A database server made of a few words: it logs in handlers, checks epochs, and answers statements that tests use.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use rpc::{ByteStream, Listen, Secret, session};
use tokio::sync::{Notify, watch};
use wire::{
    Frame,
    backend::{self, Fields, Severity, TransactionStatus, authentication},
    frontend::{Message, Target, sasl::InitialResponse},
    oid,
    scram::{Channel, Mechanism, Nonce, Server as ScramServer, Verifier},
    sqlstate,
    startup::{CancelKey, Startup},
};

use super::{
    controller::{Fake, Table},
    net::Listener,
};
use crate::link::{Link, LinkError};

/// What sessions are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    /// Go on.
    Nothing,
    /// Idle ones: the database has moved.
    Moved,
    /// Idle ones: the server shuts down.
    Shutdown,
    /// Break all connections without a word.
    Break,
}

/// One server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

pub(crate) struct Inner {
    number: u32,
    secret: Secret,
    controller: Fake,
    say: watch::Sender<(u64, Say)>,
    next_key: AtomicU32,
    canceled: Mutex<HashMap<u32, Arc<Notify>>>,
    /// Everything that was asked for, in order.
    pub(crate) log: Mutex<Vec<String>>,
    /// Start-up parameters of every session.
    pub(crate) started: Mutex<Vec<HashMap<String, String>>>,
    pub(crate) sessions: watch::Sender<u64>,
    /// Lets statements that wait go on.
    pub(crate) go: Notify,
    /// Takes connections and says nothing while set.
    pub(crate) mute: AtomicBool,
    /// Connections that it has said nothing on.
    pub(crate) muted: AtomicU32,
}

impl std::ops::Deref for Server {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Server {
    pub(crate) fn start(number: u32, secret: Secret, controller: Fake, mut listener: Listener) -> Self {
        let server = Self(Arc::new(Inner {
            number,
            secret,
            controller,
            say: watch::Sender::new((0, Say::Nothing)),
            next_key: AtomicU32::new(1),
            canceled: Mutex::default(),
            log: Mutex::default(),
            started: Mutex::default(),
            sessions: watch::Sender::new(0),
            go: Notify::new(),
            mute: AtomicBool::new(false),
            muted: AtomicU32::new(0),
        }));
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = accepting.clone();
                tokio::spawn(async move {
                    let said = server.say.subscribe();
                    let ended = serve(server.clone(), stream, said).await;
                    tracing::debug!(?ended, "fake session ended");
                });
            }
        });
        server
    }

    /// Tells every session that there is now.
    pub(crate) fn say(&self, say: Say) {
        self.say.send_modify(|(round, said)| {
            *round += 1;
            *said = say;
        });
    }

    /// Ends what every session is running.
    pub(crate) fn cancel_all(&self) {
        self.canceled.lock().expect("no panics").values().for_each(|canceled| canceled.notify_one());
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("no panics").clone()
    }

    pub(crate) fn sessions_started(&self) -> usize {
        self.started.lock().expect("no panics").len()
    }

    fn note(&self, what: &str) {
        self.log.lock().expect("no panics").push(what.to_owned());
    }
}

/// Counts a session.
struct Counted(Server);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sessions.send_modify(|count| *count -= 1);
    }
}

async fn serve(
    server: Server,
    stream: Box<dyn ByteStream>,
    said: watch::Receiver<(u64, Say)>,
) -> Result<(), LinkError> {
    let mut link = Link::new(stream);
    if server.mute.load(Ordering::SeqCst) {
        server.muted.fetch_add(1, Ordering::SeqCst);
        while link.fill().await? {}
        server.muted.fetch_sub(1, Ordering::SeqCst);
        return Ok(());
    }
    let packet = loop {
        if let Some((_, rest)) = Startup::split(&link.inbox)? {
            let len = link.inbox.len() - rest.len();
            break link.inbox.split_to(len).freeze();
        }
        if !link.fill().await? {
            return Ok(());
        }
    };
    let Some((startup, _)) = Startup::split(&packet)? else { unreachable!("complete") };
    let start = match startup {
        Startup::Start(start) => start,
        Startup::Cancel(key) => {
            let canceled = server.canceled.lock().expect("no panics").get(&key.process_id).cloned();
            if let Some(canceled) = canceled.filter(|_| key.secret == [9; 4]) {
                canceled.notify_one();
            }
            return Ok(());
        }
        // Only whether anybody is there.
        Startup::Ssl => {
            link.outbox.extend_from_slice(b"N");
            return link.flush().await.map_err(LinkError::Io);
        }
        other => panic!("a handler never sends {other:?}"),
    };
    log_in(&server, &mut link).await?;
    let parameters: HashMap<String, String> =
        start.parameters.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let database: model::DatabaseId = start.database()?.parse().expect("an id");
    let epoch: u64 = parameters[session::PARAM_EPOCH].parse().expect("a number");
    let owns = server.controller.with(|table| {
        table
            .databases
            .values()
            .any(|entry| entry.id == database.0 && entry.epoch == epoch && entry.owner == Some(server.number))
    });
    if !owns {
        fatal(&mut link, session::NOT_OWNER, "not mine").await?;
        return Ok(());
    }
    server.sessions.send_modify(|count| *count += 1);
    let _counted = Counted(server.clone());
    let process_id = server.next_key.fetch_add(1, Ordering::SeqCst);
    let canceled = Arc::new(Notify::new());
    server.canceled.lock().expect("no panics").insert(process_id, canceled.clone());
    let mut identity = Numbers::of(&parameters);
    server.started.lock().expect("no panics").push(parameters);
    for (name, value) in server.controller.with(|table| identity.reports(table)) {
        backend::parameter_status(&mut link.outbox, name, &value)?;
    }
    backend::parameter_status(&mut link.outbox, "TimeZone", "UTC")?;
    backend::parameter_status(&mut link.outbox, "server_name", &format!("s{}", server.number))?;
    backend::backend_key_data(&mut link.outbox, 0, CancelKey { process_id, secret: &[9; 4] })?;
    backend::ready_for_query(&mut link.outbox, TransactionStatus::Idle);
    let mut talk = Talk {
        server,
        link,
        said,
        canceled,
        status: TransactionStatus::Idle,
        statements: HashMap::new(),
        bound: String::new(),
        settings: HashMap::new(),
        skipping: false,
        identity,
        rows: Vec::new(),
        end: End::Answered,
        flushed: Vec::new(),
        begins: 0,
    };
    talk.begins = talk.link.outbox.len();
    talk.run().await
}

async fn log_in(server: &Server, link: &mut Link) -> Result<(), LinkError> {
    let verifier = Verifier::new(&server.secret.data_port_password(), &[3; 16], 2)?;
    authentication::sasl(&mut link.outbox, ["SCRAM-SHA-256"])?;
    let body = answer(link).await?;
    let first = InitialResponse::decode(&body)?.data.unwrap_or_default();
    let challenge = ScramServer::new(verifier, Nonce::new("fake")?, Channel::Unbound)
        .challenge(Mechanism::Sha256, first)?;
    authentication::sasl_continue(&mut link.outbox, challenge.message().as_bytes())?;
    let body = answer(link).await?;
    authentication::sasl_final(&mut link.outbox, challenge.finish(&body)?.message().as_bytes())?;
    authentication::ok(&mut link.outbox);
    Ok(())
}

async fn answer(link: &mut Link) -> Result<bytes::Bytes, LinkError> {
    link.flush().await?;
    link.frame(1 << 20).await?.map(|(_, body)| body).ok_or(LinkError::Closed)
}

async fn fatal(link: &mut Link, code: &str, text: &str) -> Result<(), LinkError> {
    let code = wire::SqlState::new(code).expect("a SQLSTATE");
    backend::error_response(&mut link.outbox, &Fields::new(Severity::Fatal, code, text));
    Ok(link.flush().await?)
}

/// A session.
struct Talk {
    server: Server,
    link: Link,
    said: watch::Receiver<(u64, Say)>,
    canceled: Arc<Notify>,
    status: TransactionStatus,
    statements: HashMap<String, String>,
    bound: String,
    settings: HashMap<String, String>,
    skipping: bool,
    identity: Numbers,
    /// Not committed yet.
    rows: Vec<String>,
    end: End,
    /// The part of the request's answer that is on its way.
    flushed: Vec<u8>,
    /// Where the request's answer begins in the outbox.
    begins: usize,
}

/// How a request that has committed ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Answered,
    /// The connection breaks; the answer is kept.
    Lost,
    /// The connection breaks; the answer is not kept.
    Long,
    /// The connection breaks; nobody remembers.
    Forgotten,
}

/// Who asks, and what about.
struct Numbers {
    session: String,
    number: u64,
    settle: Option<(u64, u64)>,
}

impl Numbers {
    fn of(parameters: &HashMap<String, String>) -> Self {
        let number = |text: &str| text.parse().expect("a number");
        let settle = parameters.get(session::PARAM_SETTLE).map(|range| {
            let (first, last) = range.split_once('-').expect("a range");
            (number(first), number(last))
        });
        Self {
            session: parameters[session::PARAM_SESSION].clone(),
            number: number(&parameters[session::PARAM_NUMBER]),
            settle,
        }
    }

    /// What a server tells the handler first.
    fn reports(&mut self, table: &Table) -> Vec<(&'static str, String)> {
        if table.forgetful {
            return Vec::new();
        }
        let mut reports = vec![(session::STATUS_POSITION, table.rows.len().to_string())];
        let numbers = self.settle.map_or(0..=0, |(first, last)| first..=last);
        for number in numbers.filter(|number| *number > 0) {
            let settled = table.outcomes.get(&(self.session.clone(), number)).cloned();
            let settled = settled.unwrap_or(session::Settled::Absent);
            if settled == session::Settled::Absent {
                self.number = self.number.min(number);
            }
            reports.push((session::STATUS_SETTLED, session::Settlement { number, settled }.to_string()));
        }
        reports
    }
}

impl Talk {
    /// Writes ReadyForQuery, commits what is to be committed; false when the connection is to break.
    fn ready(&mut self) -> bool {
        backend::ready_for_query(&mut self.link.outbox, self.status);
        let end = std::mem::replace(&mut self.end, End::Answered);
        if self.status == TransactionStatus::Idle && !self.rows.is_empty() {
            let answer = [&self.flushed, &self.link.outbox[self.begins..]].concat().into();
            let settled = match end {
                End::Long => session::Settled::Done,
                End::Forgotten => session::Settled::Unknown,
                End::Answered | End::Lost => session::Settled::Answered(answer),
            };
            let rows = std::mem::take(&mut self.rows);
            let key = (self.identity.session.clone(), self.identity.number);
            self.server.controller.with(|table| {
                table.rows.extend(rows);
                let before = table.outcomes.insert(key, settled);
                assert_eq!(before, None, "a number is used once");
            });
        }
        self.identity.number += 1;
        self.begins = self.link.outbox.len();
        self.flushed.clear();
        end == End::Answered
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        self.flushed.extend_from_slice(&self.link.outbox[self.begins..]);
        self.begins = 0;
        Ok(self.link.flush().await?)
    }

    async fn run(&mut self) -> Result<(), LinkError> {
        loop {
            if !self.link.has_frame(1 << 24) {
                self.flush().await?;
            }
            let frame = tokio::select! {
                biased;
                _ = self.said.changed() => {
                    let (_, say) = *self.said.borrow_and_update();
                    match say {
                        Say::Nothing => continue,
                        Say::Moved => return fatal(&mut self.link, session::NOT_OWNER, "it moved").await,
                        Say::Shutdown => return fatal(&mut self.link, "57P01", "shutting down").await,
                        Say::Break => return Ok(()),
                    }
                }
                frame = self.link.frame(1 << 24) => frame?,
            };
            let Some((tag, body)) = frame else { return Ok(()) };
            let message = Message::decode(Frame { tag, body: &body })?;
            if matches!(message, Message::Terminate) {
                return Ok(());
            }
            if !self.take(message).await? {
                return Ok(());
            }
        }
    }

    /// False when the session is to break.
    async fn take(&mut self, message: Message<'_>) -> Result<bool, LinkError> {
        match message {
            Message::Sync => {
                self.skipping = false;
                return Ok(self.ready());
            }
            _ if self.skipping => {}
            Message::Query { sql } => {
                let went_on = self.execute(sql, true).await?;
                self.skipping = false;
                return Ok(went_on && self.ready());
            }
            Message::Parse { name, sql, .. } => {
                self.server.note(&format!("parse {name}: {sql}"));
                if sql == "bad" {
                    self.error(sqlstate::SYNTAX_ERROR, "bad");
                } else {
                    self.statements.insert(name.into(), sql.into());
                    backend::parse_complete(&mut self.link.outbox);
                }
            }
            Message::Bind(bind) => match self.statements.get(bind.statement).cloned() {
                Some(sql) => {
                    self.bound = sql;
                    backend::bind_complete(&mut self.link.outbox);
                }
                None => self.error(sqlstate::INVALID_SQL_STATEMENT_NAME, "no such statement"),
            },
            Message::Describe(Target::Statement(_)) => {
                backend::parameter_description(&mut self.link.outbox, &[])?;
                self.describe();
            }
            Message::Describe(Target::Portal(_)) => self.describe(),
            Message::Execute { .. } => {
                let sql = self.bound.clone();
                return self.execute(&sql, false).await;
            }
            Message::Close(Target::Statement(name)) => {
                self.statements.remove(name);
                backend::close_complete(&mut self.link.outbox);
            }
            Message::Close(Target::Portal(_)) => backend::close_complete(&mut self.link.outbox),
            _ => {}
        }
        Ok(true)
    }

    fn describe(&mut self) {
        if self.bound.starts_with("select") || self.statements.values().any(|sql| sql.starts_with("select")) {
            self.columns();
        } else {
            backend::no_data(&mut self.link.outbox);
        }
    }

    fn columns(&mut self) {
        let column = backend::Column::new("value", oid::TEXT);
        backend::row_description(&mut self.link.outbox, [column]).expect("short");
    }

    fn error(&mut self, code: wire::SqlState, text: &str) {
        if self.status == TransactionStatus::InTransaction {
            self.status = TransactionStatus::Failed;
        }
        self.skipping = true;
        self.rows.clear();
        backend::error_response(&mut self.link.outbox, &Fields::new(Severity::Error, code, text));
    }

    fn row(&mut self, text: &str, simple: bool) {
        if simple {
            self.columns();
        }
        let mut row = backend::DataRow::begin(&mut self.link.outbox);
        row.value(text.as_bytes()).expect("short");
        row.finish().expect("short");
        backend::command_complete(&mut self.link.outbox, "SELECT 1");
    }

    async fn execute(&mut self, sql: &str, simple: bool) -> Result<bool, LinkError> {
        use TransactionStatus::{Idle, InTransaction};
        self.server.note(sql);
        let words = sql.trim_end_matches(';').split_whitespace();
        // What a comment says is for this server, and for nobody who reads SQL.
        let words: Vec<&str> = words.filter(|word| *word != "--").collect();
        let done = |talk: &mut Self, tag: &str| backend::command_complete(&mut talk.link.outbox, tag);
        match words.as_slice() {
            ["begin", ..] => {
                self.status = InTransaction;
                done(self, "BEGIN");
            }
            ["break"] | ["commit", "break"] => return Ok(false),
            [.., "once"] if self.server.number == 1 => return Ok(false),
            // As a server that waits for its turn to write.
            [.., "late"] if self.server.number == 1 => {
                self.flush().await?;
                tokio::task::yield_now().await;
                return Ok(false);
            }
            ["insert", name, how @ ..] => {
                self.rows.push((*name).into());
                self.end = match how {
                    ["lost"] => End::Lost,
                    ["long"] => End::Long,
                    ["forgotten"] => End::Forgotten,
                    _ => End::Answered,
                };
                self.row(&format!("inserted {name}"), simple);
            }
            ["commit", how @ ..] => {
                if *how == ["lost"] {
                    self.end = End::Lost;
                }
                self.status = Idle;
                done(self, "COMMIT");
            }
            ["rollback", ..] => {
                self.rows.clear();
                self.status = Idle;
                done(self, "ROLLBACK");
            }
            ["set", "TimeZone" | "timezone", "=" | "to" | "TO", value] => {
                let value = value.trim_matches('\'');
                backend::parameter_status(&mut self.link.outbox, "TimeZone", value)?;
                done(self, "SET");
            }
            ["SET", session::PARAM_NUMBER, "TO", session, number] => {
                assert_eq!(session.trim_start_matches('\''), self.identity.session);
                let number = number.trim_end_matches('\'');
                self.identity.number = number.parse::<u64>().expect("a number") - 1;
                done(self, "SET");
            }
            ["set", name, "=", value] => {
                self.settings.insert((*name).into(), (*value).into());
                done(self, "SET");
            }
            ["select", "setting", name] => {
                let value = self.settings.get(*name).cloned().unwrap_or_else(|| "unset".into());
                self.row(&value, simple);
            }
            ["select", "server"] => self.row(&format!("s{}", self.server.number), simple),
            ["select", "big", bytes] => {
                let text = "x".repeat(bytes.parse().expect("a number"));
                self.row(&text, simple);
            }
            ["select", ..] => self.row(sql, simple),
            ["wait"] => {
                self.flush().await?;
                let server = self.server.clone();
                let mut said = self.said.clone();
                tokio::select! {
                    () = server.go.notified() => done(self, "WAIT"),
                    () = self.canceled.notified() => self.error(sqlstate::QUERY_CANCELED, "canceled"),
                    _ = said.wait_for(|(_, say)| *say == Say::Break) => return Ok(false),
                }
            }
            // Takes for ever: everywhere, or on the first server; which may not hear that it is to end either.
            [how @ ("poison" | "slow" | "deaf"), ..] if *how == "poison" || self.server.number == 1 => {
                let mut said = self.said.clone();
                tokio::select! {
                    () = self.canceled.notified(), if *how != "deaf" => {
                        self.server.note("ended");
                        self.error(sqlstate::QUERY_CANCELED, "canceled");
                    }
                    _ = said.wait_for(|(_, say)| *say == Say::Break) => return Ok(false),
                }
            }
            ["slow" | "deaf", ..] => self.row(&format!("s{}", self.server.number), simple),
            ["half"] => {
                self.row("half", simple);
                self.link.outbox.truncate(self.link.outbox.len() - 3);
                self.flush().await?;
                return Ok(false);
            }
            ["bounce"] => {
                fatal(&mut self.link, session::NOT_OWNER, "it moved").await?;
                return Ok(false);
            }
            ["move"] if self.server.number == 1 => {
                fatal(&mut self.link, session::NOT_OWNER, "it moved").await?;
                return Ok(false);
            }
            ["copy", how @ ..] => {
                self.end = if *how == ["lost"] { End::Lost } else { End::Answered };
                return self.copy().await;
            }
            ["bad", ..] => self.error(sqlstate::SYNTAX_ERROR, "bad"),
            _ => done(self, "OK"),
        }
        Ok(true)
    }

    async fn copy(&mut self) -> Result<bool, LinkError> {
        backend::copy_in_response(&mut self.link.outbox, wire::Format::Text, 1)?;
        self.flush().await?;
        let mut bytes = 0;
        loop {
            let mut said = self.said.clone();
            let frame = tokio::select! {
                biased;
                _ = said.wait_for(|(_, say)| *say == Say::Break) => return Ok(false),
                frame = self.link.frame(1 << 24) => frame?,
            };
            let Some((tag, body)) = frame else { return Ok(false) };
            match Message::decode(Frame { tag, body: &body })? {
                Message::CopyData(data) => bytes += data.len(),
                Message::CopyDone => break,
                Message::Sync | Message::Flush => {}
                other => panic!("not in a copy: {other:?}"),
            }
        }
        self.rows.push("copied".into());
        backend::command_complete(&mut self.link.outbox, format_args!("COPY {bytes}"));
        Ok(true)
    }
}
