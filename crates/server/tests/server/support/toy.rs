//! An engine of a few lines behind the real seam: keys and values, and commands that misbehave on purpose.
//!
//! `put k v`, `get k`, `begin`, `commit`, `rows n bytes` (a long answer), `spin` (computes until interrupted),
//! `sleep ms`, `panic`. Each simple query is one command.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use server::engine::*;
use wire::{
    SqlState,
    backend::{self, Column, DataRow, Fields, Severity, row_description},
    oid,
};

const PAGE: u32 = 512;

type Map = BTreeMap<String, String>;

pub struct Toy;

struct ToyDatabase {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    state: Mutex<State>,
    queue: WriterQueue,
    sessions: AtomicUsize,
}

#[derive(Default)]
struct State {
    map: Map,
    committed: u64,
    taken: u64,
    /// The image at `taken`.
    image: Vec<u8>,
    closed: bool,
}

impl Engine for Toy {
    fn create_image(&self, path: &Path) -> Result<(), EngineError> {
        write(path, &encode(&Map::new()))
    }

    fn open(&self, path: &Path, _: &Limits) -> Result<Arc<dyn Database>, EngineError> {
        let failed = |source| EngineError::File { action: "read", path: path.into(), source };
        let image = std::fs::read(path).map_err(failed)?;
        let state = Mutex::new(State { map: decode(&image), image, ..State::default() });
        let shared =
            Shared { path: path.into(), state, queue: WriterQueue::new(), sessions: AtomicUsize::new(0) };
        Ok(Arc::new(ToyDatabase { shared: Arc::new(shared) }))
    }
}

fn write(path: &Path, image: &[u8]) -> Result<(), EngineError> {
    std::fs::write(path, image).map_err(|source| EngineError::File {
        action: "write",
        path: path.into(),
        source,
    })
}

fn encode(map: &Map) -> Vec<u8> {
    let mut image = Vec::new();
    image.put_u32(map.len() as u32);
    for text in map.iter().flat_map(|(key, value)| [key, value]) {
        image.put_u32(text.len() as u32);
        image.put_slice(text.as_bytes());
    }
    image.resize(image.len().next_multiple_of(PAGE as usize), 0);
    image
}

fn decode(mut image: &[u8]) -> Map {
    let text = |image: &mut &[u8]| {
        let len = image.get_u32() as usize;
        String::from_utf8(image.copy_to_bytes(len).to_vec()).expect("text")
    };
    let count = image.get_u32();
    (0..count).map(|_| (text(&mut image), text(&mut image))).collect()
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Database for ToyDatabase {
    fn session(&self, start: SessionStart) -> Result<Box<dyn Session>, EngineError> {
        assert!(!self.shared.state().closed, "no session enters a closed database");
        self.shared.sessions.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(ToySession {
            shared: Arc::clone(&self.shared),
            user: start.user,
            input: VecDeque::new(),
            interrupt: InterruptHandle::default(),
            permit: None,
            gate: CommitSeq::default(),
            doing: None,
            transaction: None,
        }))
    }

    fn writer_queue(&self) -> &WriterQueue {
        &self.shared.queue
    }

    fn committed(&self) -> CommitSeq {
        CommitSeq(self.shared.state().committed)
    }

    fn untaken_bytes(&self) -> u64 {
        let state = self.shared.state();
        (state.committed - state.taken) * u64::from(PAGE)
    }

    fn take(&self) -> Result<Option<Capture>, EngineError> {
        let mut state = self.shared.state();
        if state.taken == state.committed {
            return Ok(None);
        }
        let image = encode(&state.map);
        let pages = image.chunks(PAGE as usize).map(Bytes::copy_from_slice);
        let pages: Vec<_> = (1..).zip(pages).collect();
        let first = CommitSeq(state.taken + 1);
        state.taken = state.committed;
        state.image.clone_from(&image);
        let db_pages = pages.len() as u32;
        let (through, outcomes) = (CommitSeq(state.committed), Vec::new());
        Ok(Some(Capture { through, first, page_size: PAGE, db_pages, pages, outcomes }))
    }

    fn checkpoint(&self) -> Result<Checkpoint, EngineError> {
        let state = self.shared.state();
        if state.taken < state.committed {
            return Ok(Checkpoint::Busy);
        }
        write(&self.shared.path, &state.image)?;
        Ok(Checkpoint::Done)
    }

    fn log_bytes(&self) -> u64 {
        0
    }

    fn write_image(&self, path: &Path) -> Result<CommitSeq, EngineError> {
        let state = self.shared.state();
        write(path, &state.image)?;
        Ok(CommitSeq(state.taken))
    }

    fn close(&self) -> Result<(), EngineError> {
        let sessions = self.shared.sessions.load(Ordering::SeqCst);
        assert_eq!(sessions, 0, "sessions are dropped before their database");
        self.shared.state().closed = true;
        Ok(())
    }
}

struct ToySession {
    shared: Arc<Shared>,
    user: String,
    input: VecDeque<(u8, Bytes)>,
    interrupt: InterruptHandle,
    permit: Option<WriterPermit>,
    gate: CommitSeq,
    /// What the command at hand still has to do.
    doing: Option<Doing>,
    /// What an open transaction wants to put.
    transaction: Option<Vec<(String, String)>>,
}

enum Doing {
    Begun(String),
    Rows { left: u64, bytes: usize },
    Slept,
}

/// What came of working on a command.
enum Outcome {
    Done(String),
    Failed(&'static str, &'static str),
    Wait(Step),
}

impl Drop for ToySession {
    fn drop(&mut self) {
        self.shared.sessions.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Session for ToySession {
    fn greet(&mut self, out: &mut BytesMut) {
        backend::parameter_status(out, "session_authorization", &self.user).expect("fits");
    }

    fn push(&mut self, tag: u8, body: Bytes) -> Result<(), EngineError> {
        if !matches!(tag, b'Q' | b'X') {
            let reason = "the toy speaks simple queries only".into();
            return Err(EngineError::Protocol { sqlstate: "08P01", reason });
        }
        self.input.push_back((tag, body));
        Ok(())
    }

    fn step(&mut self, out: &mut BytesMut) -> Step {
        loop {
            let doing = match self.doing.take() {
                Some(doing) => doing,
                None => match self.input.pop_front() {
                    None => return Step::Idle,
                    Some((b'X', _)) => return Step::Closed,
                    Some((_, body)) => {
                        self.interrupt.request_started();
                        let text = String::from_utf8_lossy(&body).trim_end_matches('\0').to_owned();
                        Doing::Begun(text)
                    }
                },
            };
            match self.go_on(doing, out) {
                Outcome::Wait(step) => return step,
                Outcome::Done(tag) => backend::command_complete(out, tag),
                Outcome::Failed(code, text) => {
                    let code = SqlState::new(code).expect("a code");
                    backend::error_response(out, &Fields::new(Severity::Error, code, text));
                }
            }
            self.interrupt.request_ended();
            if self.transaction.is_none() {
                self.permit = None;
            }
            self.gate = CommitSeq(self.shared.state().committed);
            let status = match self.transaction {
                None => backend::TransactionStatus::Idle,
                Some(_) => backend::TransactionStatus::InTransaction,
            };
            backend::ready_for_query(out, status);
        }
    }

    fn gate(&self) -> CommitSeq {
        self.gate
    }

    fn foresee_wait(&mut self, _out: &BytesMut) -> Option<Option<Duration>> {
        None
    }

    fn next_writer(&mut self) -> Option<NextWriter> {
        None
    }

    fn grant_writer(&mut self, permit: WriterPermit) {
        self.permit = Some(permit);
    }

    fn interrupt(&self) -> InterruptHandle {
        self.interrupt.clone()
    }

    fn transaction_status(&self) -> TransactionStatus {
        if self.transaction.is_some() { TransactionStatus::InTransaction } else { TransactionStatus::Idle }
    }

    fn busy(&self) -> bool {
        self.doing.is_some() || !self.input.is_empty()
    }

    fn pinned(&self) -> bool {
        false
    }
}

impl ToySession {
    fn go_on(&mut self, doing: Doing, out: &mut BytesMut) -> Outcome {
        if let Some(reason) = self.interrupt.pending() {
            return interrupted(reason);
        }
        match doing {
            Doing::Begun(text) => self.begin(text, out),
            Doing::Slept => Outcome::Done("SLEEP".into()),
            Doing::Rows { left: 0, .. } => Outcome::Done("SELECT".into()),
            Doing::Rows { left, bytes } => {
                self.doing = Some(Doing::Rows { left: left - 1, bytes });
                row(out, &vec![b'x'; bytes]);
                if out.len() >= OUTPUT_BYTES { Outcome::Wait(Step::Output) } else { self.again(out) }
            }
        }
    }

    fn again(&mut self, out: &mut BytesMut) -> Outcome {
        let doing = self.doing.take().expect("something to do");
        self.go_on(doing, out)
    }

    fn begin(&mut self, text: String, out: &mut BytesMut) -> Outcome {
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["get", key] => {
                describe(out);
                let state = self.shared.state();
                let value = state.map.get(key);
                value.iter().for_each(|value| row(out, value.as_bytes()));
                Outcome::Done(format!("SELECT {}", value.iter().len()))
            }
            ["put", key, value] => self.put(key.into(), value.into(), &text),
            ["begin"] => {
                self.transaction = Some(Vec::new());
                Outcome::Done("BEGIN".into())
            }
            ["commit"] => {
                let puts = self.transaction.take().unwrap_or_default();
                self.commit(puts);
                Outcome::Done("COMMIT".into())
            }
            ["rows", count, bytes] => {
                describe(out);
                let (left, bytes) = (count.parse().expect("a number"), bytes.parse().expect("a number"));
                self.doing = Some(Doing::Rows { left, bytes });
                self.again(out)
            }
            ["sleep", ms] => {
                self.doing = Some(Doing::Slept);
                Outcome::Wait(Step::Sleep(Duration::from_millis(ms.parse().expect("a number"))))
            }
            ["spin"] => loop {
                if let Some(reason) = self.interrupt.pending() {
                    return interrupted(reason);
                }
                std::thread::yield_now();
            },
            ["panic"] => panic!("as asked"),
            _ => Outcome::Failed("42601", "the toy does not know this command"),
        }
    }

    fn put(&mut self, key: String, value: String, text: &str) -> Outcome {
        self.permit = self.permit.take().or_else(|| self.shared.queue.try_acquire());
        if self.permit.is_none() {
            self.doing = Some(Doing::Begun(text.into()));
            return Outcome::Wait(Step::Writer(None));
        }
        match &mut self.transaction {
            Some(puts) => puts.push((key, value)),
            None => self.commit(vec![(key, value)]),
        }
        Outcome::Done("PUT 1".into())
    }

    fn commit(&mut self, puts: Vec<(String, String)>) {
        let mut state = self.shared.state();
        state.map.extend(puts);
        state.committed += 1;
    }
}

fn interrupted(reason: InterruptReason) -> Outcome {
    match reason {
        InterruptReason::User | InterruptReason::Timeout => Outcome::Failed("57014", "cancelled"),
        InterruptReason::Protection => Outcome::Failed("53000", "the server is short of something"),
        InterruptReason::Shutdown => Outcome::Failed("57P01", "the session ends"),
    }
}

fn describe(out: &mut BytesMut) {
    row_description(out, [Column::new("value", oid::TEXT)]).expect("fits");
}

fn row(out: &mut BytesMut, value: &[u8]) {
    let mut row = DataRow::begin(out);
    row.value(value).expect("fits");
    row.finish().expect("fits");
}
