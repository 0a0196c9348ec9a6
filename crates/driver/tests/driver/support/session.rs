//! One session of the scripted server: logs in, keeps settings, and asks the script for everything else.

use std::{collections::HashMap, sync::Arc};

use bytes::BytesMut;
use directive::postgres::{Announcement, Statement, split_options, statement};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};
use wire::{
    Frame, SqlState,
    backend::{self, Column, DataRow, Fields, Severity, TransactionStatus, authentication},
    frontend::{Message, Target},
    oid,
    startup::Startup,
};

use super::{Inner, Open, Reply, lock};

const LEN_MAX: usize = 1 << 20;

/// What ends a session.
enum End {
    Break,
    Stall,
}

struct Session {
    server: Arc<Inner>,
    out: BytesMut,
    status: TransactionStatus,
    settings: HashMap<String, String>,
    statements: HashMap<String, String>,
    portal: String,
    failed: bool,
}

pub async fn serve(server: Arc<Inner>, mut socket: impl AsyncRead + AsyncWrite + Unpin) {
    let mut broken = server.broken.subscribe();
    tokio::select! {
        _ = run(&server, &mut socket) => {}
        _ = broken.changed() => {}
    }
}

async fn run(server: &Arc<Inner>, socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<()> {
    let mut input = BytesMut::new();
    let parameters = loop {
        socket.read_buf(&mut input).await?;
        match Startup::split(&input) {
            Ok(Some((Startup::Start(start), rest))) => {
                let parameters: HashMap<String, String> = start
                    .parameters
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                input = BytesMut::from(rest);
                break parameters;
            }
            Ok(Some(_)) | Err(_) => return Ok(()),
            Ok(None) => {}
        }
    };
    let mut out = BytesMut::new();
    let refusing = *lock(&server.refusing);
    if let Some(code) = refusing {
        error(&mut out, Severity::Fatal, code);
        return socket.write_all(&out).await;
    }
    let announced = parameters.get("options").and_then(|options| split_options(options).0);
    let token = announced.and_then(|value| Announcement::parse(&value).ok()?.session);
    lock(&server.started).push(parameters);
    let (push, mut pushed) = mpsc::unbounded_channel();
    lock(&server.sessions).push(Open { token, push });
    authentication::ok(&mut out);
    backend::ready_for_query(&mut out, TransactionStatus::Idle);
    let mut session = Session {
        server: server.clone(),
        out,
        status: TransactionStatus::Idle,
        settings: HashMap::new(),
        statements: HashMap::new(),
        portal: String::new(),
        failed: false,
    };
    loop {
        socket.write_all(&session.out).await?;
        session.out.clear();
        tokio::select! {
            read = socket.read_buf(&mut input) => {
                if read? == 0 {
                    return Ok(());
                }
            }
            Some(bytes) = pushed.recv() => {
                session.out.extend_from_slice(&bytes);
                continue;
            }
        }
        loop {
            let taken = match Frame::split(&input, LEN_MAX) {
                Ok(Some((frame, rest))) => {
                    let taken = input.len() - rest.len();
                    match session.on(Message::decode(frame).expect("a message of a driver")) {
                        Ok(()) => taken,
                        Err(End::Break) => {
                            socket.write_all(&session.out).await?;
                            return Ok(());
                        }
                        Err(End::Stall) => std::future::pending().await,
                    }
                }
                Ok(None) => break,
                Err(error) => panic!("a driver sent {error}"),
            };
            let _ = input.split_to(taken);
        }
    }
}

impl Session {
    fn on(&mut self, message: Message<'_>) -> Result<(), End> {
        match message {
            Message::Query { sql: text } => {
                for sql in text.split(';').map(str::trim).filter(|sql| !sql.is_empty()) {
                    self.answer(sql, true)?;
                    if self.failed {
                        break;
                    }
                }
                self.ready();
            }
            Message::Parse { name, sql, .. } if !self.failed => {
                self.statements.insert(name.to_owned(), sql.to_owned());
                lock(&self.server.log).push(format!("PARSE {sql}"));
                backend::parse_complete(&mut self.out);
            }
            Message::Describe(Target::Statement(name)) if !self.failed => {
                let sql = self.statements.get(name).cloned().unwrap_or_default();
                let count = (1..10).take_while(|number| sql.contains(&format!("${number}"))).count();
                backend::parameter_description(&mut self.out, &vec![oid::TEXT; count]).expect("few");
                if is_query(&sql) { columns(&mut self.out) } else { backend::no_data(&mut self.out) }
            }
            Message::Bind(bind) if !self.failed => {
                self.portal = self.statements.get(bind.statement).cloned().unwrap_or_default();
                backend::bind_complete(&mut self.out);
            }
            Message::Execute { .. } if !self.failed => {
                let sql = self.portal.clone();
                self.answer(&sql, false)?;
            }
            Message::Close(_) if !self.failed => backend::close_complete(&mut self.out),
            Message::Sync => self.ready(),
            Message::Terminate => return Err(End::Break),
            _ => {}
        }
        Ok(())
    }

    fn ready(&mut self) {
        self.failed = false;
        backend::ready_for_query(&mut self.out, self.status);
    }

    fn answer(&mut self, sql: &str, simple: bool) -> Result<(), End> {
        if let Some(Ok(Statement::Acknowledge(list))) = statement(sql) {
            lock(&self.server.acknowledged).extend(list);
            backend::command_complete(&mut self.out, "SET");
            return Ok(());
        }
        lock(&self.server.log).push(sql.to_owned());
        let words: Vec<_> = sql.split_whitespace().collect();
        let reply = match words.as_slice() {
            ["SET", name, "=", value] => {
                self.settings.insert((*name).to_owned(), value.trim_matches('\'').to_owned());
                Reply::Done("SET")
            }
            ["SHOW", name] => match self.settings.get(*name) {
                Some(value) => Reply::Rows(vec![value.clone()]),
                None => Reply::Rows(vec!["default".into()]),
            },
            _ => (lock(&self.server.script))(sql),
        };
        match words.first().copied() {
            Some("BEGIN") => self.status = TransactionStatus::InTransaction,
            Some("COMMIT" | "ROLLBACK") => self.status = TransactionStatus::Idle,
            _ => {}
        }
        self.reply(reply, sql, simple)
    }

    fn reply(&mut self, reply: Reply, sql: &str, simple: bool) -> Result<(), End> {
        match reply {
            Reply::Rows(_) if !is_query(sql) => backend::command_complete(&mut self.out, tag(sql)),
            Reply::Rows(rows) => {
                if simple {
                    columns(&mut self.out);
                }
                for row in &rows {
                    let mut out = DataRow::begin(&mut self.out);
                    out.value(row.as_bytes()).expect("short");
                    out.finish().expect("short");
                }
                backend::command_complete(&mut self.out, format!("SELECT {}", rows.len()));
            }
            Reply::Done(tag) => backend::command_complete(&mut self.out, tag),
            Reply::Error(code) => {
                error(&mut self.out, Severity::Error, code);
                self.failed = true;
                if self.status == TransactionStatus::InTransaction {
                    self.status = TransactionStatus::Failed;
                }
            }
            Reply::Fatal(code) => {
                error(&mut self.out, Severity::Fatal, code);
                return Err(End::Break);
            }
            Reply::Break => return Err(End::Break),
            Reply::Stall => return Err(End::Stall),
            Reply::After(frames, reply) => {
                self.out.extend_from_slice(&frames);
                return self.reply(*reply, sql, simple);
            }
        }
        Ok(())
    }
}

fn is_query(sql: &str) -> bool {
    sql.starts_with("SELECT") || sql.starts_with("SHOW")
}

fn tag(sql: &str) -> &str {
    match sql.split_whitespace().next() {
        Some("INSERT") => "INSERT 0 1",
        Some("UPDATE") => "UPDATE 1",
        Some(word) => word,
        None => "",
    }
}

fn columns(out: &mut BytesMut) {
    backend::row_description(out, [Column::new("v", oid::TEXT)]).expect("one");
}

fn error(out: &mut BytesMut, severity: Severity, code: &str) {
    let code = SqlState::new(code).expect("five characters");
    backend::error_response(out, &Fields::new(severity, code, "as the test says"));
}
