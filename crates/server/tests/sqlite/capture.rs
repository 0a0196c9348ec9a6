//! The commit side: what it takes, applied to a copy, is the database, byte for byte.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use server::engine::{Capture, Checkpoint, CommitSeq, Limits, Step, WriterPermit};
use wire::frontend;

use crate::client::{Client, TestDatabase};

/// A copy of the database that only captures feed.
struct Copy {
    path: PathBuf,
    page_size: usize,
    through: CommitSeq,
}

impl Copy {
    fn of(database: &TestDatabase) -> Self {
        let path = database.directory.path().join("copy");
        let through = database.database.write_image(&path).expect("an image");
        Self { path, page_size: 4096, through }
    }

    fn apply(&mut self, capture: &Capture) {
        assert_eq!(capture.first, CommitSeq(self.through.0 + 1), "captures follow each other");
        assert_eq!(capture.page_size as usize, self.page_size);
        assert!(capture.pages.is_sorted_by(|a, b| a.0 < b.0), "pages ascend and are there once");
        let mut bytes = std::fs::read(&self.path).expect("the copy");
        bytes.resize(capture.db_pages as usize * self.page_size, 0);
        for (number, page) in &capture.pages {
            let at = (*number as usize - 1) * self.page_size;
            bytes[at..at + self.page_size].copy_from_slice(page);
        }
        std::fs::write(&self.path, bytes).expect("the copy can be written");
        self.through = capture.through;
    }

    fn follow(&mut self, database: &TestDatabase) {
        if let Some(capture) = database.database.take().expect("the log can be read") {
            self.apply(&capture);
        }
        assert_eq!(self.through, database.database.committed());
    }

    fn assert_equal(&self, other: &Path) {
        let (copy, image) =
            (std::fs::read(&self.path).expect("the copy"), std::fs::read(other).expect("an image"));
        assert_eq!(copy.len(), image.len(), "sizes");
        let different =
            copy.chunks(self.page_size).zip(image.chunks(self.page_size)).position(|(a, b)| a != b);
        assert_eq!(different.map(|page| page + 1), None, "a page differs");
    }
}

fn image(database: &TestDatabase, name: &str) -> PathBuf {
    let path = database.directory.path().join(name);
    database.database.write_image(&path).expect("an image");
    path
}

fn ok(client: &mut Client, sql: &str) {
    let answer = client.query(sql);
    assert!(!answer.contains("ERROR"), "{sql}: {answer}");
}

/// Everything that changes a file in another way.
const WORK: &[&str] = &[
    "create table t (id serial primary key, a text, b bytea)",
    "insert into t (a) select 'row ' || n from generate_series(1, 2000) as g(n)",
    "create index t_a on t (a)",
    "insert into t (a, b) values ('large', zeroblob(3000000))",
    "update t set a = a || repeat('x', 300) where id % 3 = 0",
    "begin; delete from t where id < 1500; rollback",
    "begin; insert into t (a) values ('kept'); savepoint s; delete from t; rollback to s; commit",
    "delete from t where id > 50",
    "vacuum full",
    "create table u as select id, a from t",
    "drop table t",
    "create temp table only_here (x int); insert into only_here values (1)",
    "alter table u add column c int default 7",
    "insert into u (id, a) select n, repeat('y', 1000) from generate_series(1, 5000) as g(n)",
    "truncate u",
    "vacuum full",
];

#[test]
fn captures_applied_to_an_image_give_the_database_byte_for_byte() {
    let database = TestDatabase::new();
    let mut client = database.client();
    let mut copy = Copy::of(&database);
    for (at, sql) in WORK.iter().enumerate() {
        ok(&mut client, sql);
        if at % 2 == 0 {
            copy.follow(&database);
            copy.assert_equal(&image(&database, &format!("image {at}")));
        }
    }
    copy.follow(&database);
    assert_eq!(database.database.checkpoint().expect("checkpoints"), Checkpoint::Done);
    copy.assert_equal(&database.directory.path().join("image"));
}

#[test]
fn captures_go_on_across_checkpoints() {
    let database = TestDatabase::new();
    let mut client = database.client();
    let mut copy = Copy::of(&database);
    ok(&mut client, "create table t (id serial primary key, a text)");
    for round in 0..30 {
        ok(
            &mut client,
            &format!("insert into t (a) select 'round {round} ' || n from generate_series(1, 40) as g(n)"),
        );
        copy.follow(&database);
        if round % 3 == 0 {
            assert_eq!(database.database.checkpoint().expect("checkpoints"), Checkpoint::Done);
            assert_eq!(database.database.log_bytes(), 0);
            copy.assert_equal(&database.directory.path().join("image"));
        }
    }
    copy.assert_equal(&image(&database, "last"));
}

#[test]
fn a_transaction_that_spills_its_cache_is_taken_only_once_committed() {
    let limits = Limits { session_cache_bytes: 64 << 10, ..Limits::default() };
    let database = TestDatabase::with_limits(&limits);
    let mut client = database.client();
    let mut copy = Copy::of(&database);
    ok(&mut client, "create table t (id serial primary key, a text)");
    copy.follow(&database);
    ok(&mut client, "begin; insert into t (a) select repeat('z', 500) from generate_series(1, 3000) as g(n)");
    assert!(database.database.take().expect("the log can be read").is_none(), "nothing is committed");
    ok(&mut client, "rollback");
    ok(&mut client, "insert into t (a) values ('after')");
    copy.follow(&database);
    copy.assert_equal(&image(&database, "after"));
    ok(
        &mut client,
        "begin; insert into t (a) select repeat('z', 500) from generate_series(1, 3000) as g(n); commit",
    );
    copy.follow(&database);
    assert_eq!(database.database.checkpoint().expect("checkpoints"), Checkpoint::Done);
    copy.assert_equal(&database.directory.path().join("image"));
}

#[test]
fn an_open_reader_or_writer_only_delays_a_checkpoint() {
    let database = TestDatabase::new();
    let (mut writer, mut reader) = (database.client(), database.client());
    let mut copy = Copy::of(&database);
    ok(
        &mut writer,
        "create table t (id serial primary key, a text); insert into t (a) select 'x' || n from generate_series(1, 500) as g(n)",
    );
    ok(&mut reader, "begin; declare c cursor for select * from t; fetch 1 from c");
    ok(&mut writer, "insert into t (a) values ('later')");
    assert_eq!(
        database.database.checkpoint().expect("checkpoints"),
        Checkpoint::Busy,
        "not everything is taken"
    );
    copy.follow(&database);
    assert_eq!(
        database.database.checkpoint().expect("checkpoints"),
        Checkpoint::Busy,
        "a reader is on an old snapshot"
    );
    ok(&mut writer, "insert into t (a) values ('more')");
    copy.follow(&database);
    copy.assert_equal(&image(&database, "with a reader"));
    ok(&mut reader, "commit");
    // The log may now start afresh by itself, with the next writer.
    for _ in 0..3 {
        ok(&mut writer, "insert into t (a) select 'y' || n from generate_series(1, 200) as g(n)");
        copy.follow(&database);
    }
    ok(&mut writer, "begin; insert into t (a) values ('open')");
    assert_eq!(database.database.checkpoint().expect("checkpoints"), Checkpoint::Busy, "somebody writes");
    ok(&mut writer, "commit");
    copy.follow(&database);
    assert_eq!(database.database.checkpoint().expect("checkpoints"), Checkpoint::Done);
    copy.assert_equal(&database.directory.path().join("image"));
}

#[test]
fn an_image_that_followed_opens_and_answers() {
    let database = TestDatabase::new();
    let mut client = database.client();
    let mut copy = Copy::of(&database);
    for sql in &WORK[..5] {
        ok(&mut client, sql);
        copy.follow(&database);
    }
    let reopened = TestDatabase::from_image(&copy.path);
    let (mut there, sql) = (reopened.client(), "select count(*), sum(length(a)), max(length(b)) from t");
    assert_eq!(there.query(sql), client.query(sql));
    assert_eq!(there.value("select * from pragma_integrity_check"), "ok");
}

#[test]
fn the_same_image_is_created_every_time() {
    let (a, b) = (TestDatabase::new(), TestDatabase::new());
    let read = |database: &TestDatabase| std::fs::read(image(database, "new")).expect("an image");
    assert_eq!(read(&a), read(&b));
}

#[test]
fn reads_are_gated_by_what_they_may_have_seen() {
    let database = TestDatabase::new();
    let (mut writer, mut reader) = (database.client(), database.client());
    ok(&mut reader, "select 1");
    assert_eq!(reader.session.gate(), CommitSeq(0));
    ok(&mut writer, "create table t (a int)");
    let made = database.database.committed();
    assert_eq!(writer.session.gate(), made);
    ok(&mut reader, "select * from t");
    assert_eq!(reader.session.gate(), made);
    // A failed statement has looked as well, and a rolled back one commits nothing.
    ok(&mut writer, "begin; insert into t values (1)");
    assert_eq!(database.database.committed(), made);
    ok(&mut writer, "rollback");
    assert_eq!(database.database.committed(), made);
    ok(&mut writer, "insert into t values (1)");
    assert!(database.database.committed() > made);
    assert!(reader.query("select nothing at all").contains("ERROR"));
    assert_eq!(reader.session.gate(), database.database.committed());
}

#[test]
fn a_commit_that_changes_no_page_holds_nobody_up() {
    let database = TestDatabase::new();
    let mut client = database.client();
    ok(&mut client, "create temp table only_here (a int); insert into only_here values (1)");
    let committed = database.database.committed();
    assert!(client.session.gate() <= committed, "the gate can be reached");
    while let Some(capture) = database.database.take().expect("the log can be read") {
        assert!(capture.through <= committed);
    }
}

#[test]
fn writers_wait_in_order_and_give_way_when_interrupted() {
    let database = TestDatabase::new();
    let (mut first, mut second) = (database.client(), database.client());
    ok(&mut first, "create table t (a int)");
    ok(&mut first, "begin; insert into t values (1)");
    let mut frames = BytesMut::new();
    frontend::query(&mut frames, "insert into t values (2)").expect("sql");
    second.send(&frames);
    assert!(matches!(second.drive(), Step::Writer(None)), "it waits outside, without a thread");
    assert_eq!(second.transcript(), "");
    second.session.interrupt().interrupt(server::engine::InterruptReason::User);
    second.drive();
    assert!(second.transcript().starts_with("ERROR 57014"));
    second.send(&frames);
    assert!(matches!(second.drive(), Step::Writer(None)));
    ok(&mut first, "commit");
    let permit = database.database.writer_queue().try_acquire().expect("the first has let go");
    second.session.grant_writer(permit);
    second.drive();
    assert_eq!(second.transcript(), "-> INSERT 0 1\n");
    assert!(database.database.writer_queue().try_acquire().is_some(), "and so has the second");
}

/// These frames, and whether it is foreseen that they wait for the writer; the wait's bound then.
fn foreseen(client: &mut Client, frames: &[u8]) -> Option<Option<Duration>> {
    client.send(frames);
    client.session.foresee_wait(&client.out)
}

fn query(sql: &str) -> BytesMut {
    let mut frames = BytesMut::new();
    frontend::query(&mut frames, sql).expect("sql");
    frames
}

#[test]
fn a_write_that_would_wait_is_foreseen_and_nothing_else() {
    let database = TestDatabase::new();
    let (mut first, mut second) = (database.client(), database.client());
    ok(&mut first, "create table t (a int)");
    let parse = |frames: &mut BytesMut, name, sql| frontend::parse(frames, name, sql, &[]).expect("fits");
    let run = |frames: &mut BytesMut, name| {
        frontend::bind(frames, "", name, (&[], &[]), &[]).expect("fits");
        frontend::execute(frames, "", 0).expect("fits");
        frontend::sync(frames);
    };
    let (mut later, mut beside, mut insert, mut at_once) =
        (BytesMut::new(), BytesMut::new(), BytesMut::new(), BytesMut::new());
    parse(&mut later, "insert", "insert into t values (3)");
    frontend::sync(&mut later);
    parse(&mut later, "read", "select count(*) from t");
    run(&mut later, "read");
    parse(&mut beside, "other", "insert into t values (4)");
    run(&mut beside, "read");
    run(&mut insert, "insert");
    parse(&mut at_once, "", "insert into t values (5)");
    run(&mut at_once, "");
    assert_eq!(foreseen(&mut second, &query("insert into t values (1)")), None, "nobody writes");
    second.drive();
    ok(&mut first, "begin; insert into t values (1)");
    for (frames, sql) in [
        (query("select count(*) from t"), "a read"),
        (query("begin; rollback"), "no write"),
        (later, "prepared to be run later, before a series that reads"),
        (beside, "prepared to be run later, in a series that reads"),
        (query(""), "nothing"),
    ] {
        assert_eq!(foreseen(&mut second, &frames), None, "{sql}");
        assert_eq!(second.drive(), Step::Idle, "{sql}");
    }
    second.transcript();
    let queries = [query("  Update t set a = 2 where a = 9"), query("insert into t values (2)")];
    for frames in queries.into_iter().chain([insert, at_once]) {
        assert_eq!(foreseen(&mut second, &frames), Some(None));
        assert_eq!(second.drive(), Step::Writer(None), "it was right");
        second.session.interrupt().interrupt(server::engine::InterruptReason::User);
        assert_eq!(second.drive(), Step::Idle);
        let said = second.transcript();
        assert!(said.contains("ERROR 57014"), "{said}");
    }
    ok(&mut first, "rollback");
}

#[test]
fn a_foreseen_writer_goes_on_with_its_permit_and_gives_it_back_even_unused() {
    let database = TestDatabase::new();
    let (mut first, mut second) = (database.client(), database.client());
    ok(&mut first, "create table t (a int)");
    for (sql, said) in [
        ("insert into t values (2)", "-> INSERT 0 1\n"),
        ("insert into nowhere values (2)", "ERROR 42P01"),
        ("insert", "ERROR 42601"),
        ("delete from t where a = 9", "-> DELETE 0\n"),
    ] {
        ok(&mut first, "begin; insert into t values (1)");
        assert_eq!(foreseen(&mut second, &query(sql)), Some(None), "{sql}");
        ok(&mut first, "rollback");
        let permit = database.database.writer_queue().try_acquire().expect("the first has let go");
        second.session.grant_writer(permit);
        assert_eq!(second.drive(), Step::Idle);
        let heard = second.transcript();
        assert!(heard.starts_with(said), "{sql}: {heard}");
        assert!(database.database.writer_queue().try_acquire().is_some(), "{sql}: free again");
    }
    ok(&mut second, "set lock_timeout = '2s'");
    ok(&mut first, "begin; insert into t values (1)");
    let bound = Duration::from_secs(2);
    assert_eq!(foreseen(&mut second, &query("insert into t values (2)")), Some(Some(bound)));
    database.clock.advance(bound);
    second.drive();
    assert!(second.transcript().starts_with("ERROR 55P03"), "the wait counts from when it was foreseen");
}

#[test]
fn the_next_writer_is_called_when_the_step_is_over_or_goes_on_with_something_else() {
    let database = TestDatabase::new();
    let mut client = database.client();
    ok(&mut client, "create table t (a int)");
    for (queries, within) in [
        (&["commit"][..], false),
        (&["rollback"], false),
        (&["insert into nowhere values (1)"], false),
        (&["rollback; select 1"], true),
        (&["commit", "select 1"], true),
    ] {
        ok(&mut client, "begin; insert into t values (1)");
        let called = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&called);
        let turn = move |permit: Option<WriterPermit>| tell.store(permit.is_some(), Ordering::SeqCst);
        let _place = database.database.writer_queue().enqueue(Box::new(turn));
        queries.iter().for_each(|sql| client.send(&query(sql)));
        client.drive();
        assert_eq!(called.load(Ordering::SeqCst), within, "{queries:?}");
        assert_eq!(client.session.next_writer().is_some(), !within, "{queries:?}");
        assert!(called.load(Ordering::SeqCst), "{queries:?}: called when that was dropped");
        client.query("rollback");
    }
}

#[test]
fn a_waiting_writer_bounds_its_wait() {
    let database = TestDatabase::new();
    let (mut first, mut second) = (database.client(), database.client());
    ok(&mut first, "create table t (a int)");
    ok(&mut first, "begin; insert into t values (1)");
    ok(&mut second, "set lock_timeout = '2s'");
    let mut frames = BytesMut::new();
    frontend::query(&mut frames, "insert into t values (2)").expect("sql");
    second.send(&frames);
    let Step::Writer(Some(bound)) = second.drive() else { panic!("it waits with a bound") };
    assert_eq!(bound, std::time::Duration::from_secs(2));
    database.clock.advance(bound);
    second.drive();
    assert!(second.transcript().starts_with("ERROR 55P03"));
}
