//! Random frames: the session never panics, answers every Query and Sync that it does not skip by exactly one ReadyForQuery,
//! and is in order afterwards.
//!
//! Frames come whole, as the shell delivers them; what is in them is anything from a proper message to noise.
//! The seed of a failing run is printed; `STATIONMASTER_SEED` runs one seed alone.

use bytes::{BufMut, Bytes, BytesMut};
use server::engine::Step;
use wire::backend::{Message, TransactionStatus};
use wire::frontend::{self, Target, tag};
use wire::{Format, Frame, Oid};

use crate::client::{Client, TestDatabase, transcript};

/// A small generator (xorshift64*, Vigna 2014): the same seed gives the same run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() >> 33) as usize % count
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

const TEXTS: &[&str] = &[
    "select 1",
    "",
    ";",
    "select * from t order by id",
    "insert into t (a) values ('x') returning id",
    "insert into t (id) values (1)",
    "update t set a = $1 where id = $2",
    "select $1::int + 1, $2",
    "begin",
    "commit",
    "rollback",
    "savepoint s",
    "rollback to s",
    "release s",
    "selec nonsense",
    "select 1; select 2; insert into t (a) values ('y')",
    "copy t (a) from stdin",
    "copy t to stdout",
    "copy (select 1, 'x') to stdout (format binary)",
    "declare c cursor for select * from t",
    "declare h cursor with hold for select * from t",
    "fetch 2 from c",
    "fetch all from h",
    "close c",
    "prepare p as select $1::text",
    "execute p('x')",
    "deallocate all",
    "discard all",
    "set application_name = 'random'",
    "show all",
    "select n from generate_series(1, 3000) as g(n)",
    "select pg_sleep(0.001)",
    "create table if not exists u (a int)",
    "drop table if exists u",
    "truncate t",
    "vacuum full",
    "begin isolation level serializable",
    "set transaction read only",
    "select 'a' ~ '(' ",
    "select 1/0, mod(1, 0)",
    "with r as (select 1) select * from r for update",
    "/* open",
    "select $$ open",
    "select * from pg_catalog.pg_class where relname = 't'",
];

const NAMES: &[&str] = &["", "a", "b", "c", "p", "h"];

fn name(random: &mut Random) -> &'static str {
    random.pick(NAMES)
}

fn text(random: &mut Random) -> String {
    let mut text = random.pick(TEXTS).to_owned();
    // Sometimes cut, doubled or disturbed.
    match random.below(12) {
        0 => text.truncate(random.below(text.len() + 1)),
        1 => text = format!("{text};{}", random.pick(TEXTS)),
        2 => {
            let noise = random.pick(&["'", "\"", "(", ")", "$1", "::", "--", "/*", "é", ",", "[", "\\", "%"]);
            let at = random.below(text.len() + 1);
            text.insert_str(at, noise);
        }
        _as_it_is => {}
    }
    text
}

/// One whole frame.
fn frame(random: &mut Random) -> BytesMut {
    let mut out = BytesMut::new();
    let done = match random.below(16) {
        0..=2 => frontend::query(&mut out, &text(random)),
        3 | 4 => {
            let types = [Oid(23), Oid(0), Oid(25), Oid(1184), Oid(999_999)];
            frontend::parse(&mut out, name(random), &text(random), &types[..random.below(3)])
        }
        5 | 6 => {
            let values: [Option<&[u8]>; 4] = [Some(b"1"), None, Some(b"\0\0\0\x02"), Some(b"{x}")];
            let formats = [Format::Text, Format::Binary];
            let given = &values[..random.below(4)];
            let count = random.below(3).min(given.len());
            let parameter_formats =
                if count == given.len() || count < 2 { &formats[..count] } else { &formats[..0] };
            frontend::bind(
                &mut out,
                name(random),
                name(random),
                (parameter_formats, given),
                &formats[..random.below(2)],
            )
        }
        7 | 8 => frontend::execute(&mut out, name(random), random.below(4) as u32),
        9 => {
            let target = name(random);
            frontend::describe(
                &mut out,
                if random.below(2) == 0 { Target::Portal(target) } else { Target::Statement(target) },
            )
        }
        10 => {
            let target = name(random);
            frontend::close(
                &mut out,
                if random.below(2) == 0 { Target::Portal(target) } else { Target::Statement(target) },
            )
        }
        11 | 12 => {
            frontend::sync(&mut out);
            Ok(())
        }
        13 => {
            match random.below(4) {
                0 => frontend::flush(&mut out),
                1 => frontend::copy_done(&mut out),
                _data => return copy_data(random),
            }
            Ok(())
        }
        14 => frontend::copy_fail(&mut out, "enough"),
        _noise => return noise(random),
    };
    done.expect("these texts can be sent");
    out
}

fn copy_data(random: &mut Random) -> BytesMut {
    let mut out = BytesMut::new();
    let data = random.pick(&["one\ntwo\n", "cut", "\\N\n", "a\tb\n", "\\.\n", "PGCOPY\n"]);
    frontend::copy_data(&mut out, data.as_bytes()).expect("data");
    out
}

/// A proper frame of a known kind with a random body.
fn noise(random: &mut Random) -> BytesMut {
    let kinds = [
        tag::QUERY,
        tag::PARSE,
        tag::BIND,
        tag::DESCRIBE,
        tag::EXECUTE,
        tag::CLOSE,
        tag::SYNC,
        tag::FUNCTION_CALL,
        tag::FLUSH,
    ];
    let kind = kinds[random.below(kinds.len())];
    let body: Vec<u8> = (0..random.below(24))
        .map(|_| [0, 0, 1, b'a', b'S', b'P', 255, b';', random.next() as u8][random.below(9)])
        .collect();
    let mut out = BytesMut::new();
    out.put_u8(kind);
    out.put_u32(body.len() as u32 + 4);
    out.put_slice(&body);
    out
}

/// Steps as a shell would, granting the permit at once: there is no other writer. Output goes to `sent`.
fn drive(client: &mut Client, database: &TestDatabase, sent: &mut BytesMut) -> Step {
    loop {
        let step = client.session.step(&mut client.out);
        sent.extend_from_slice(&client.out.split());
        match step {
            Step::Output => {}
            Step::Sleep(duration) => client.clock.advance(duration),
            Step::Writer(_) => {
                let permit = database.database.writer_queue().try_acquire().expect("nobody else writes");
                client.session.grant_writer(permit);
            }
            Step::Idle | Step::Closed => return step,
        }
    }
}

fn ready_count(sent: &[u8]) -> (usize, Option<TransactionStatus>) {
    let (mut count, mut last, mut rest) = (0, None, sent);
    while !rest.is_empty() {
        let (frame, after) = Frame::split(rest, usize::MAX).expect("a frame").expect("a whole frame");
        if let Message::ReadyForQuery(status) = Message::decode(frame).expect("a message") {
            (count, last) = (count + 1, Some(status));
        }
        rest = after;
    }
    (count, last)
}

/// What a client may expect: one answer for each Query, FunctionCall and Sync, but for those skipped after an error in a
/// pipeline, and for a Sync inside a COPY, which PostgreSQL ignores too.
fn run(seed: u64) {
    let database = TestDatabase::new();
    let mut client = database.client();
    assert!(client.query("create table t (id serial primary key, a text)").contains("CREATE"));
    client.query("insert into t (a) select 'row ' || n from generate_series(1, 5) as g(n)");
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut log = Vec::new();
    for _ in 0..60 {
        let mut frames = BytesMut::new();
        for _ in 0..=random.below(4) {
            frames.extend_from_slice(&frame(&mut random));
        }
        log.push(frames.clone());
        client.send(&frames);
        let mut sent = BytesMut::new();
        if drive(&mut client, &database, &mut sent) == Step::Closed {
            // Only bad kinds of messages end a session, and then it says why.
            assert!(transcript(&sent).contains("FATAL"), "seed {seed}: closed without a reason");
            return;
        }
        settle(&mut client, &database, seed, &log);
    }
}

/// Whatever state it is in, CopyFail, Sync and ROLLBACK bring it back to order.
fn settle(client: &mut Client, database: &TestDatabase, seed: u64, log: &[BytesMut]) {
    let mut end = BytesMut::new();
    frontend::copy_fail(&mut end, "settle").expect("reason");
    frontend::sync(&mut end);
    client.send(&end);
    let mut sent = BytesMut::new();
    drive(client, database, &mut sent);
    let (count, status) = ready_count(&sent);
    // A simple COPY answers the CopyFail by itself.
    assert!(
        (1..=2).contains(&count),
        "seed {seed}: {count} answers to a Sync\n{}\nafter {log:?}",
        transcript(&sent)
    );
    assert_eq!(status, Some(client.session.transaction_status()), "seed {seed}");
    assert!(!client.session.busy(), "seed {seed}: busy after\n{}\nafter {log:?}", transcript(&sent));
    if status == Some(TransactionStatus::Failed) {
        let answer = client.query("rollback");
        assert!(answer.contains("-> ROLLBACK"), "seed {seed}: {answer}\nafter {log:?}");
    }
    let answer = client.query("select 1");
    assert!(answer.contains("-> SELECT 1"), "seed {seed}: {answer}\nafter {log:?}");
    if client.session.transaction_status() == TransactionStatus::Idle {
        assert!(
            database.database.writer_queue().try_acquire().is_some(),
            "seed {seed}: an idle session keeps the permit"
        );
    }
}

/// Pipelines of proper messages only, without COPY, so that the count of answers is known exactly.
fn count_answers(seed: u64) {
    let database = TestDatabase::new();
    let mut client = database.client();
    client.query("create table t (id serial primary key, a text)");
    let mut random = Random(seed.wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1);
    for _ in 0..40 {
        let (mut frames, mut expected, mut failed_before) = (BytesMut::new(), 0, false);
        for _ in 0..1 + random.below(6) {
            match random.below(6) {
                0 => {
                    let sql = random.pick(&[
                        "select 1",
                        "insert into t (a) values ('x')",
                        "nonsense",
                        "select 1; nonsense",
                    ]);
                    frontend::query(&mut frames, sql).expect("sql");
                    expected += usize::from(!failed_before);
                }
                1 | 2 => {
                    frontend::parse(
                        &mut frames,
                        "",
                        random.pick(&["select 1", "insert into t (a) values ('x')"]),
                        &[],
                    )
                    .expect("sql");
                    frontend::bind(&mut frames, "", "", (&[], &[]), &[]).expect("bind");
                    frontend::execute(&mut frames, "", 0).expect("execute");
                }
                3 => {
                    frontend::execute(&mut frames, "no such portal", 0).expect("execute");
                    failed_before = true;
                }
                _sync => {
                    frontend::sync(&mut frames);
                    expected += 1;
                    failed_before = false;
                }
            }
        }
        frontend::sync(&mut frames);
        client.send(&frames);
        let mut sent = BytesMut::new();
        drive(&mut client, &database, &mut sent);
        assert_eq!(ready_count(&sent).0, expected + 1, "seed {seed}:\n{}", transcript(&sent));
    }
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    match std::env::var("STATIONMASTER_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..count,
    }
}

#[test]
fn random_frames_never_break_a_session() {
    seeds(120).for_each(run);
}

#[test]
fn every_query_and_sync_gets_exactly_one_answer() {
    seeds(60).for_each(count_answers);
}

#[test]
fn a_message_of_no_kind_ends_the_session_with_a_reason() {
    let database = TestDatabase::new();
    for tag in [b'y', 0, b'Z', b'p'] {
        let mut client = database.client();
        client.session.push(tag, Bytes::from_static(b"abc\0")).expect("the session lives");
        assert_eq!(client.drive(), Step::Closed);
        assert!(client.transcript().starts_with("FATAL 08P01"), "{tag}");
        assert!(client.session.push(tag::QUERY, Bytes::new()).is_err(), "nothing more is taken");
    }
}
