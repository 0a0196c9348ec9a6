//! Nanoseconds for what happens to every message: `cargo xtask bench wire`.
//!
//! The least of several rounds is printed, which is what the code costs on an undisturbed core.

use std::hint::black_box;
use std::time::Instant;

use bytes::{BufMut, BytesMut};
use wire::backend::{self, Column, DataRow, TransactionStatus};
use wire::frame::Scanner;
use wire::{Error, Format, Frame, Header, frontend, oid};

const ROUNDS: u32 = 20;
const TIMES: u32 = 50_000;

fn measure(name: &str, mut work: impl FnMut()) {
    let round = |_| {
        let start = Instant::now();
        (0..TIMES).for_each(|_| work());
        start.elapsed().as_nanos() as f64 / f64::from(TIMES)
    };
    let least = (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min);
    println!("{name:<44} {least:>8.1} ns");
}

fn encoded(write: impl FnOnce(&mut BytesMut) -> Result<(), Error>) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out).expect("it can be sent");
    out
}

fn decode_client(bytes: &[u8]) {
    let (frame, _) = Frame::split(black_box(bytes), 1 << 30).expect("valid").expect("whole");
    black_box(frontend::Message::decode(frame).expect("valid"));
}

fn row(out: &mut BytesMut) -> Result<(), Error> {
    let mut row = DataRow::begin(out);
    row.value_with::<Error>(|out| {
        out.put_slice(black_box(b"12345678"));
        Ok(())
    })?;
    row.value(black_box(&[b'x'; 84]))?;
    row.null();
    row.finish()
}

/// What a server answers to a prepared point select.
fn answer(out: &mut BytesMut) {
    backend::bind_complete(out);
    row(out).expect("short");
    backend::command_complete(out, format_args!("SELECT {}", black_box(1)));
    backend::ready_for_query(out, TransactionStatus::Idle);
}

fn main() {
    let sql = "SELECT abalance FROM pgbench_accounts WHERE aid = $1;";
    let bind = encoded(|out| frontend::bind(out, "", "P0_1", (&[], &[Some(b"12345")]), &[Format::Binary]));
    let parse = encoded(|out| frontend::parse(out, "P0_1", sql, &[oid::INT4]));
    let query = encoded(|out| frontend::query(out, sql));
    let mut out = BytesMut::with_capacity(1 << 16);

    measure("peek at a header", || {
        black_box(Header::peek(black_box(&bind), 1 << 30)).expect("valid");
    });
    measure("split and decode Query", || decode_client(&query));
    measure("split and decode Parse", || decode_client(&parse));
    measure("split and decode Bind of one value", || decode_client(&bind));
    measure("encode DataRow of three cells", || {
        out.clear();
        row(&mut out).expect("short");
    });
    measure("encode RowDescription of three columns", || {
        out.clear();
        let column = Column::new(black_box("abalance"), oid::INT4);
        backend::row_description(&mut out, [column; 3]).expect("short");
    });
    measure("encode BindComplete to ReadyForQuery (4)", || {
        out.clear();
        answer(&mut out);
    });

    let mut stream = BytesMut::new();
    (0..100).for_each(|_| answer(&mut stream));
    measure("follow 400 frames through one chunk", || {
        let (mut scanner, mut chunk) = (Scanner::default(), &stream[..]);
        while let Some(piece) = scanner.next(black_box(chunk), 1 << 30).expect("valid") {
            chunk = &chunk[piece.len..];
        }
    });
}
