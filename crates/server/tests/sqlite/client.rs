//! A database in a temporary directory and clients that speak frames to its sessions.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use server::engine::sqlite::SqliteEngine;
use server::engine::{Clock, Database, Engine, Identity, Limits, Session, SessionStart, Step};
use wire::backend::{Fields, Message, TransactionStatus};
use wire::{Format, Frame, Oid, frontend};

/// A clock that moves only when it is told to.
#[derive(Default)]
pub struct TestClock(AtomicU64);

impl TestClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_micros() as u64, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn unix_micros(&self) -> i64 {
        1_700_000_000_000_000 + self.0.load(Ordering::SeqCst) as i64
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// An open database.
pub struct TestDatabase {
    pub directory: tempfile::TempDir,
    pub database: Arc<dyn Database>,
    pub clock: Arc<TestClock>,
}

impl TestDatabase {
    pub fn new() -> Self {
        Self::with_limits(&Limits::default())
    }

    pub fn with_limits(limits: &Limits) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(TestClock::default());
        let engine = SqliteEngine::new(clock.clone(), 0);
        let path = directory.path().join("image");
        engine.create_image(&path).expect("an image");
        let database = engine.open(&path, limits).expect("opens");
        Self { directory, database, clock }
    }

    /// A database that goes on from an image.
    pub fn from_image(image: &std::path::Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(TestClock::default());
        let path = directory.path().join("image");
        std::fs::copy(image, &path).expect("a copy");
        let engine = SqliteEngine::new(clock.clone(), 0);
        let database = engine.open(&path, &Limits::default()).expect("opens");
        Self { directory, database, clock }
    }

    pub fn client(&self) -> Client {
        self.client_as(None)
    }

    /// One whose requests' outcomes are kept.
    pub fn client_as(&self, identity: Option<Identity>) -> Client {
        let start = SessionStart {
            user: "ada".to_owned(),
            database: "shop".to_owned(),
            parameters: vec![("application_name".to_owned(), "test".to_owned())],
            process_id: 7,
            databases: Arc::new(|| vec!["shop".to_owned(), "other".to_owned()]),
            failed: Arc::new(|_| ()),
            identity,
        };
        let session = self.database.session(start).expect("a session");
        Client { session, clock: Arc::clone(&self.clock), out: BytesMut::new() }
    }
}

/// The client's end of a session.
pub struct Client {
    pub session: Box<dyn Session>,
    pub clock: Arc<TestClock>,
    pub out: BytesMut,
}

impl Client {
    /// Queues whole frames.
    pub fn send(&mut self, frames: &[u8]) {
        let mut rest = frames;
        while !rest.is_empty() {
            let (frame, after) = Frame::split(rest, usize::MAX).expect("a frame").expect("a whole frame");
            self.session.push(frame.tag, Bytes::copy_from_slice(frame.body)).expect("the session lives");
            rest = after;
        }
    }

    /// Steps until the session wants something that only another session can give, or is idle.
    pub fn drive(&mut self) -> Step {
        loop {
            match self.session.step(&mut self.out) {
                Step::Output => {
                    // As a shell would: the bytes go, the next step starts with an empty buffer.
                    let sent = self.out.split();
                    let mut rest = BytesMut::new();
                    std::mem::swap(&mut rest, &mut self.out);
                    let step = self.drive();
                    let mut all = sent;
                    all.extend_from_slice(&self.out);
                    self.out = all;
                    return step;
                }
                Step::Sleep(duration) => self.clock.advance(duration),
                step => return step,
            }
        }
    }

    /// What the session has sent, in words.
    pub fn transcript(&mut self) -> String {
        transcript(&self.out.split())
    }

    /// A simple query and its answer.
    pub fn query(&mut self, sql: &str) -> String {
        let mut frames = BytesMut::new();
        frontend::query(&mut frames, sql).expect("sql");
        self.send(&frames);
        self.drive();
        self.transcript()
    }

    /// Parse, Bind, Describe, Execute and Sync with parameters as text.
    pub fn extended(&mut self, sql: &str, parameters: &[Option<&str>], format: Format) -> String {
        let mut frames = BytesMut::new();
        let values: Vec<Option<&[u8]>> = parameters.iter().map(|value| value.map(str::as_bytes)).collect();
        frontend::parse(&mut frames, "", sql, &[]).expect("parse");
        frontend::describe(&mut frames, frontend::Target::Statement("")).expect("describe");
        frontend::bind(&mut frames, "", "", (&[], &values), &[format]).expect("bind");
        frontend::execute(&mut frames, "", 0).expect("execute");
        frontend::sync(&mut frames);
        self.send(&frames);
        self.drive();
        self.transcript()
    }

    /// The only cell of the only row.
    pub fn value(&mut self, sql: &str) -> String {
        let answer = self.query(sql);
        answer.lines().nth(1).unwrap_or_default().to_owned()
    }
}

/// Frames in words, one message a line.
pub fn transcript(frames: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = frames;
    while !rest.is_empty() {
        let (frame, after) = Frame::split(rest, usize::MAX).expect("a frame").expect("a whole frame");
        let message = Message::decode(frame).expect("a message");
        if let Some(line) = line(&message) {
            writeln!(text, "{line}").expect("text");
        }
        rest = after;
    }
    text
}

fn line(message: &Message<'_>) -> Option<String> {
    Some(match message {
        Message::RowDescription(columns) => {
            let columns = columns.iter().map(|column| {
                format!("{}:{}", column.name, type_name(column.type_oid, column.type_modifier))
            });
            columns.collect::<Vec<_>>().join("|")
        }
        Message::DataRow(values) => values.iter().map(cell).collect::<Vec<_>>().join("|"),
        Message::CommandComplete { command } => format!("-> {command}"),
        Message::ErrorResponse(fields) | Message::NoticeResponse(fields) => report(fields),
        Message::ReadyForQuery(TransactionStatus::Idle) => return None,
        Message::ReadyForQuery(status) => format!("[{}]", char::from(status.code())),
        Message::ParameterDescription(types) if types.is_empty() => return None,
        Message::ParameterDescription(types) => {
            let types = types.iter().map(|oid| type_name(oid, -1));
            format!("parameters: {}", types.collect::<Vec<_>>().join(", "))
        }
        Message::ParseComplete | Message::BindComplete | Message::NoData | Message::CloseComplete => {
            return None;
        }
        Message::EmptyQueryResponse => "-> (empty)".to_owned(),
        Message::PortalSuspended => "-> (suspended)".to_owned(),
        Message::ParameterStatus { name, value } => format!("{name} = {value}"),
        Message::CopyInResponse(copy) => format!("copy in: {} columns", copy.columns.len()),
        Message::CopyOutResponse(copy) => format!("copy out: {} columns", copy.columns.len()),
        Message::CopyData(data) => format!("copy: {}", String::from_utf8_lossy(data).trim_end_matches('\n')),
        Message::CopyDone => "copy done".to_owned(),
        other => format!("{other:?}"),
    })
}

fn cell(value: Option<&[u8]>) -> String {
    match value {
        None => "<null>".to_owned(),
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') => text.to_owned(),
            _binary => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        },
    }
}

fn report(fields: &Fields<'_>) -> String {
    let mut text = format!("{} {}", fields.severity.as_str(), fields.code);
    if let Some(position) = fields.position {
        write!(text, " at {position}").expect("text");
    }
    write!(text, ": {}", fields.message).expect("text");
    let named = [
        ("table", fields.table),
        ("column", fields.column),
        ("constraint", fields.constraint),
        ("detail", fields.detail),
        ("hint", fields.hint),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            write!(text, "\n   {name}: {value}").expect("text");
        }
    }
    text
}

/// Short names of the types that the tests meet.
fn type_name(oid: Oid, modifier: i32) -> String {
    use wire::oid;
    let names = [
        (oid::BOOL, "bool"),
        (oid::BYTEA, "bytea"),
        (oid::INT2, "int2"),
        (oid::INT4, "int4"),
        (oid::INT8, "int8"),
        (oid::FLOAT4, "float4"),
        (oid::FLOAT8, "float8"),
        (oid::NUMERIC, "numeric"),
        (oid::TEXT, "text"),
        (oid::VARCHAR, "varchar"),
        (oid::BPCHAR, "bpchar"),
        (oid::DATE, "date"),
        (oid::TIME, "time"),
        (oid::TIMESTAMP, "timestamp"),
        (oid::TIMESTAMPTZ, "timestamptz"),
        (oid::UUID, "uuid"),
        (oid::JSON, "json"),
        (oid::JSONB, "jsonb"),
        (oid::INTERVAL, "interval"),
        (oid::INT4_ARRAY, "int4[]"),
        (oid::TEXT_ARRAY, "text[]"),
        (oid::INT8_ARRAY, "int8[]"),
        (oid::NAME, "name"),
        (oid::OID, "oid"),
        (oid::REGCLASS, "regclass"),
        (oid::VOID, "void"),
        (oid::CHAR, "char"),
        (oid::UNKNOWN, "unknown"),
    ];
    let name = names
        .iter()
        .find(|(known, _)| *known == oid)
        .map_or_else(|| format!("#{}", oid.0), |(_, name)| (*name).to_owned());
    match (oid, modifier) {
        (_, ..0) => name,
        (oid::NUMERIC, modifier) => format!("{name}({},{})", (modifier - 4) >> 16, (modifier - 4) & 0x7ff),
        (oid::VARCHAR | oid::BPCHAR, modifier) => format!("{name}({})", modifier - 4),
        (_, modifier) => format!("{name}({modifier})"),
    }
}
