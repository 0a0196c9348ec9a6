//! One SQLite image behind the PostgreSQL wire, without a cluster: for trying drivers and for measuring the engine alone.
//!
//! `cargo run -p server --example sqlite_alone -- [ADDRESS [DIRECTORY]]`. Everybody is let in, nothing is durable: the commit side
//! only takes pages and throws them away. A thread per session, as nothing here needs to scale.

use std::collections::HashMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use server::engine::sqlite::SqliteEngine;
use server::engine::{
    Database, Engine, InterruptHandle, InterruptReason, Limits, SessionStart, Step, SystemClock,
};
use wire::startup::{CancelKey, REFUSE, Startup};
use wire::{Frame, backend};

type Keys = Arc<Mutex<HashMap<u32, InterruptHandle>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let directory = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let engine = SqliteEngine::new(Arc::new(SystemClock::start()), 0);
    let path = directory.join(format!("sqlite_alone_{}", std::process::id()));
    engine.create_image(&path)?;
    let database = engine.open(&path, &Limits::default())?;
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let committing = Arc::clone(&database);
    std::thread::spawn(move || commit(&*committing));
    let keys = Keys::default();
    for stream in listener.incoming() {
        let (stream, database, keys) = (stream?, Arc::clone(&database), Arc::clone(&keys));
        std::thread::spawn(move || {
            if let Err(error) = serve(stream, &*database, &keys) {
                eprintln!("session: {error}");
            }
        });
    }
    Ok(())
}

/// What the server's commit task does, without a journal.
fn commit(database: &dyn Database) {
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let taken = database.take().and_then(|_| {
            if database.log_bytes() > 16 << 20 { database.checkpoint().map(|_| ()) } else { Ok(()) }
        });
        if let Err(error) = taken {
            eprintln!("commit: {error}");
        }
    }
}

fn serve(mut stream: TcpStream, database: &dyn Database, keys: &Keys) -> Result<(), Box<dyn Error>> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    stream.set_nodelay(true)?;
    let mut input = BytesMut::new();
    let process_id = NEXT.fetch_add(1, Ordering::Relaxed);
    let Some(start) = start(&mut stream, &mut input, keys, process_id)? else { return Ok(()) };
    let mut session = database.session(start)?;
    keys.lock().expect("no panics").insert(process_id, session.interrupt());
    let mut out = BytesMut::new();
    backend::authentication::ok(&mut out);
    session.greet(&mut out);
    backend::backend_key_data(&mut out, 0, CancelKey { process_id, secret: &[0; 4] })?;
    backend::ready_for_query(&mut out, session.transaction_status());
    loop {
        while let Some((frame, _)) = Frame::split(&input, usize::MAX)? {
            let (tag, length) = (frame.tag, frame.len());
            session.push(tag, input.split_to(length).freeze().slice(5..))?;
        }
        let step = session.step(&mut out);
        match step {
            Step::Idle | Step::Output | Step::Closed => {
                stream.write_all(&out)?;
                out.clear();
            }
            Step::Writer(bound) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
                let interrupt = session.interrupt();
                let queue = database.writer_queue().clone();
                let permit = runtime.block_on(async move {
                    tokio::select! {
                        permit = queue.acquire() => Some(permit),
                        () = interrupt.interrupted() => None,
                        () = tokio::time::sleep(bound.unwrap_or(Duration::MAX)), if bound.is_some() => None,
                    }
                });
                permit.into_iter().for_each(|permit| session.grant_writer(permit));
            }
            Step::Sleep(pause) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
                let interrupt = session.interrupt();
                // Either way the session finds out for itself.
                let _ = runtime
                    .block_on(async move { tokio::time::timeout(pause, interrupt.interrupted()).await });
            }
        }
        match step {
            Step::Closed => break,
            Step::Idle if read(&mut stream, &mut input)? == 0 => break,
            Step::Idle | Step::Output | Step::Writer(_) | Step::Sleep(_) => {}
        }
    }
    keys.lock().expect("no panics").remove(&process_id);
    Ok(())
}

fn start(
    stream: &mut TcpStream,
    input: &mut BytesMut,
    keys: &Keys,
    process_id: u32,
) -> Result<Option<SessionStart>, Box<dyn Error>> {
    loop {
        let Some((startup, rest)) = Startup::split(input)? else {
            if read(stream, input)? == 0 {
                return Ok(None);
            }
            continue;
        };
        let rest = BytesMut::from(rest);
        match startup {
            Startup::Ssl | Startup::GssEncryption => stream.write_all(&[REFUSE])?,
            Startup::Cancel(key) => {
                keys.lock()
                    .expect("no panics")
                    .get(&key.process_id)
                    .into_iter()
                    .for_each(|handle| handle.interrupt(InterruptReason::User));
                return Ok(None);
            }
            Startup::Start(start) => {
                let parameters = start
                    .parameters
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                let start = SessionStart {
                    user: start.user()?.to_owned(),
                    database: start.database()?.to_owned(),
                    parameters,
                    process_id: process_id as i32,
                    databases: Arc::new(Vec::new),
                };
                *input = rest;
                return Ok(Some(start));
            }
        }
        *input = rest;
    }
}

fn read(stream: &mut TcpStream, input: &mut BytesMut) -> std::io::Result<usize> {
    let mut chunk = [0; 16 * 1024];
    let length = stream.read(&mut chunk)?;
    input.extend_from_slice(&chunk[..length]);
    Ok(length)
}
