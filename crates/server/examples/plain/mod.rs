//! The other side of measures of durable commits: plain SQLite on the same disk, and what both sides do.

use std::{
    io::Write as _,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use rusqlite::Connection;

pub const DATABASES: usize = 100;
pub const TABLE: &str = "CREATE TABLE t (n integer PRIMARY KEY, text text)";
pub const INSERT: &str = "INSERT INTO t (text) VALUES ('a row of about a hundred bytes, as those of many applications are, \
                      with a few numbers 1234567890')";

/// How the work is spread.
pub struct Shape {
    pub name: &'static str,
    pub databases: usize,
    pub sessions: usize,
    /// The goal of the ratio.
    pub reach: f64,
}

pub const SHAPES: [Shape; 3] = [
    Shape { name: "1 session", databases: 1, sessions: 1, reach: 0.5 },
    Shape { name: "32 sessions, 1 database", databases: 1, sessions: 32, reach: 4.0 },
    Shape { name: "100 databases x 1 session", databases: DATABASES, sessions: DATABASES, reach: 0.5 },
];

/// A database of its own.
pub fn open(folder: &Path, number: usize) -> Connection {
    let connection = Connection::open(folder.join(format!("{number}.db"))).expect("opened");
    connection.busy_timeout(Duration::from_secs(60)).expect("set");
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").expect("set");
    connection
}

/// Commits per second of plain SQLite, each session a thread with a connection of its own.
pub fn rate(folder: &Path, shape: &Shape, length: Duration) -> f64 {
    let (done, over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for number in 0..shape.sessions {
            let (done, over) = (&done, &over);
            scope.spawn(move || {
                let connection = open(folder, number % shape.databases);
                let mut insert = connection.prepare(INSERT).expect("prepared");
                while !over.load(Ordering::Relaxed) {
                    insert.execute(()).expect("committed");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(length);
        over.store(true, Ordering::Relaxed);
    });
    done.into_inner() as f64 / length.as_secs_f64()
}

/// How long the disk takes to make a hundred bytes durable at the end of a file.
pub fn sync_ms(folder: &Path) -> f64 {
    let file = folder.join("sync");
    let mut file = std::fs::File::options().create(true).append(true).open(file).expect("made");
    median((0..200).map(|_| {
        let began = Instant::now();
        file.write_all(&[7; 100]).expect("written");
        file.sync_data().expect("synced");
        began.elapsed().as_secs_f64() * 1e3
    }))
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
