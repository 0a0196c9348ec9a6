//! What becomes of a request is published together with what it committed (S2, R18): never one without the other.

use bytes::BytesMut;
use journal::{Outcome, Response};
use model::SessionId;
use server::engine::{Capture, Identity, OUTPUT_BYTES, Step};
use wire::{Frame, Oid, frontend};

use crate::client::{Client, TestDatabase};

const SESSION: SessionId = SessionId(0xa11ce);

fn numbered(database: &TestDatabase) -> Client {
    database.client_as(Some(Identity { session: SESSION, next: 1 }))
}

/// A database with a table, and everything taken.
fn with_table() -> TestDatabase {
    let database = TestDatabase::new();
    database.client().query("create table t (id integer primary key, a text)");
    assert!(taken(&database).expect("made").outcomes.is_empty(), "the session has no id");
    database
}

fn taken(database: &TestDatabase) -> Option<Capture> {
    database.database.take().expect("the log can be read")
}

fn outcomes(database: &TestDatabase) -> Vec<Outcome> {
    taken(database).map(|capture| capture.outcomes).unwrap_or_default()
}

fn numbers(outcomes: &[Outcome]) -> Vec<u64> {
    assert!(outcomes.iter().all(|outcome| outcome.session == SESSION));
    outcomes.iter().map(|outcome| outcome.number).collect()
}

fn send(client: &mut Client, sql: &str) {
    let mut frames = BytesMut::new();
    frontend::query(&mut frames, sql).expect("sql");
    client.send(&frames);
}

/// Parse, Bind, Describe and Execute, without the end of the series.
fn series(frames: &mut BytesMut, sql: &str) {
    frontend::parse(frames, "", sql, &[] as &[Oid]).expect("parse");
    frontend::bind(frames, "", "", (&[], &[]), &[]).expect("bind");
    frontend::describe(frames, frontend::Target::Portal("")).expect("describe");
    frontend::execute(frames, "", 0).expect("execute");
}

/// What the client was answered, request by request.
fn answers(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut answers = vec![Vec::new()];
    while !bytes.is_empty() {
        let (frame, rest) = Frame::split(bytes, usize::MAX).expect("a frame").expect("a whole frame");
        let len = bytes.len() - rest.len();
        answers.last_mut().expect("one").extend_from_slice(&bytes[..len]);
        if frame.tag == wire::backend::tag::READY_FOR_QUERY {
            answers.push(Vec::new());
        }
        bytes = rest;
    }
    assert_eq!(answers.pop(), Some(Vec::new()), "whole answers");
    answers
}

/// Whether outcomes hold these requests with the very bytes of their answers.
#[track_caller]
fn assert_kept(outcomes: &[Outcome], answers: &[(u64, &Vec<u8>)]) {
    let kept: Vec<_> = outcomes.iter().map(|outcome| (outcome.number, outcome.response.clone())).collect();
    let wanted: Vec<_> =
        answers.iter().map(|(number, bytes)| (*number, Response::new(bytes.to_vec().into()))).collect();
    assert_eq!(kept, wanted);
}

#[test]
fn an_outcome_is_the_whole_answer_simple_and_extended() {
    let database = with_table();
    let mut client = numbered(&database);
    for (number, sql) in [
        (1, "insert into t (a) values ('x')"),
        (2, "insert into t (a) values ('y'), ('z') returning id, a"),
        (3, "begin; insert into t (a) values ('v'); commit; select count(*) from t"),
        (4, "insert into t (a) values ('v'); update t set a = 'w'"),
        (5, "create table u (x int)"),
    ] {
        send(&mut client, sql);
        assert_eq!(client.drive(), Step::Idle);
        let answers = answers(&client.out.split());
        assert_kept(&outcomes(&database), &[(number, &answers[0])]);
    }
    let mut frames = BytesMut::new();
    series(&mut frames, "insert into t (a) values ('e') returning id");
    frontend::sync(&mut frames);
    client.send(&frames);
    client.drive();
    let answers = answers(&client.out.split());
    assert_kept(&outcomes(&database), &[(6, &answers[0])]);
}

#[test]
fn what_changes_nothing_has_no_outcome() {
    let database = with_table();
    let mut client = numbered(&database);
    for sql in [
        "select 1",
        "insert into nothing values (1)",
        "update t set a = 'x' where id = 7",
        "begin; insert into t (a) values ('x'); rollback",
        "create temp table only_here (a int); insert into only_here values (1)",
        "insert into t (a) values ('x'); insert into nothing values (1)",
        "discard all",
    ] {
        client.query(sql);
        let taken = taken(&database);
        assert!(taken.is_none_or(|taken| taken.outcomes.is_empty() && taken.pages.is_empty()), "{sql}");
        assert!(client.session.gate() <= database.database.committed(), "{sql}: nobody waits for ever");
        assert!(database.database.writer_queue().try_acquire().is_some(), "{sql}: the next writer may come");
    }
    client.query("insert into t (a) values ('x')");
    assert_eq!(numbers(&outcomes(&database)), [8], "and still counts");
}

#[test]
fn a_transactions_outcome_is_that_of_its_commit() {
    let database = with_table();
    let mut client = numbered(&database);
    client.query("begin");
    client.query("insert into t (a) values ('x')");
    assert!(taken(&database).is_none());
    assert!(database.database.writer_queue().try_acquire().is_none(), "it is the writer");
    send(&mut client, "commit");
    client.drive();
    assert_kept(&outcomes(&database), &[(3, &answers(&client.out)[0])]);
}

#[test]
fn what_was_answered_just_before_goes_with_the_commit() {
    let database = with_table();
    let mut client = numbered(&database);
    client.query("select 'this answer has left'");
    for sql in ["select 1", "insert into nothing values (1)", "insert into t (a) values ('x')", "select 2"] {
        send(&mut client, sql);
    }
    client.drive();
    let answers = answers(&client.out);
    assert_kept(&outcomes(&database), &[(2, &answers[0]), (3, &answers[1]), (4, &answers[2])]);
}

#[test]
fn a_pipeline_that_comes_in_pieces_is_one_output() {
    let database = with_table();
    let mut client = numbered(&database);
    send(&mut client, "select 1");
    client.drive();
    send(&mut client, "insert into t (a) values ('x')");
    client.drive();
    // The shell has flushed nothing between.
    let answers = answers(&client.out);
    assert_kept(&outcomes(&database), &[(1, &answers[0]), (2, &answers[1])]);
}

#[test]
fn series_of_a_pipeline_are_requests_of_their_own() {
    let database = with_table();
    let mut client = numbered(&database);
    let mut frames = BytesMut::new();
    for sql in ["begin", "insert into t (a) values ('x') returning id", "commit", "select 1"] {
        series(&mut frames, sql);
        frontend::sync(&mut frames);
    }
    client.send(&frames);
    client.drive();
    let answers = answers(&client.out);
    assert_kept(&outcomes(&database), &[(1, &answers[0]), (2, &answers[1]), (3, &answers[2])]);
}

#[test]
fn nothing_is_published_between_commit_and_answer() {
    let database = with_table();
    let (mut client, mut reader) = (numbered(&database), database.client());
    let before = database.database.committed();
    // The database is looked at in the middle of the request, from the session's own thread.
    let looks =
        looking(&database, &mut client, "begin; insert into t (a) values ('x'); commit; select look()");
    assert_eq!(looks.committed, before, "committed for SQLite, not for the journal");
    assert!(looks.nothing_to_take);
    assert!(!looks.writer_is_free, "nobody may write between a commit and its outcome");
    assert_eq!(looks.rows_seen, "1", "others may see it");
    assert!(looks.readers_gate > before, "and then wait for it");
    let capture = taken(&database).expect("published with the answer");
    assert_eq!((capture.pages.is_empty(), numbers(&capture.outcomes)), (false, vec![1]));
    assert_eq!(capture.through, looks.readers_gate, "what the reader waits for");
    assert!(database.database.writer_queue().try_acquire().is_some(), "the next writer may come");
    assert_eq!(reader.value("select count(*) from t"), "1");
}

/// What another session finds in the middle of a request.
struct Looks {
    committed: server::engine::CommitSeq,
    nothing_to_take: bool,
    writer_is_free: bool,
    rows_seen: String,
    readers_gate: server::engine::CommitSeq,
}

/// Runs a Query whose `look()` is a long computation, and looks at the database from another thread meanwhile.
fn looking(database: &TestDatabase, client: &mut Client, sql: &str) -> Looks {
    let forever = "(with recursive g(i) as (select 1 union all select i + 1 from g) select count(*) from g)";
    let sql = sql.replace("look()", forever);
    let interrupt = client.session.interrupt();
    let mut reader = database.client();
    std::thread::scope(|scope| {
        let running = scope.spawn(move || {
            send(client, &sql);
            client.drive()
        });
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let mut rows_seen = reader.value("select count(*) from t");
        while rows_seen == "0" && std::time::Instant::now() < end {
            std::thread::yield_now();
            rows_seen = reader.value("select count(*) from t");
        }
        let looks = Looks {
            committed: database.database.committed(),
            nothing_to_take: taken(database).is_none(),
            writer_is_free: database.database.writer_queue().try_acquire().is_some(),
            rows_seen,
            readers_gate: reader.session.gate(),
        };
        interrupt.interrupt(server::engine::InterruptReason::User);
        running.join().expect("no panic");
        looks
    })
}

#[test]
fn several_commits_of_one_request_are_one_publication() {
    let database = with_table();
    let mut client = numbered(&database);
    let before = database.database.committed();
    let one = "begin; insert into t (a) values ('x'); commit;";
    client.query(&one.repeat(3));
    assert_eq!(database.database.committed().0, before.0 + 1);
    assert_eq!(numbers(&outcomes(&database)), [1]);
}

#[test]
fn a_request_that_is_not_answered_yet_is_published_without_its_answer() {
    let database = with_table();
    let mut client = numbered(&database);
    let sql =
        "begin; insert into t (a) values ('x'); commit; select pg_sleep(1); insert into t (a) values ('y')";
    send(&mut client, sql);
    assert!(matches!(client.session.step(&mut client.out), Step::Sleep(_)));
    let published = outcomes(&database);
    assert_eq!(numbers(&published), [1]);
    assert!(matches!(published[0].response, Response::TooLong(_)), "done, whatever the answer will be");
    assert!(database.database.writer_queue().try_acquire().is_some(), "nobody waits for the sleeper");
    client.drive();
    let capture = taken(&database).expect("the second insert");
    assert!(!capture.pages.is_empty());
    assert!(capture.outcomes.is_empty(), "no second outcome contradicts the first");
    client.query("insert into t (a) values ('z')");
    assert_eq!(numbers(&outcomes(&database)), [2]);
}

#[test]
fn an_answer_whose_beginning_has_left_is_kept_whole() {
    let database = with_table();
    let mut client = numbered(&database);
    let mut frames = BytesMut::new();
    frontend::parse(&mut frames, "", "insert into t (a) values ('x') returning id", &[] as &[Oid])
        .expect("parse");
    frontend::describe(&mut frames, frontend::Target::Statement("")).expect("describe");
    frontend::flush(&mut frames);
    client.send(&frames);
    client.drive();
    let mut whole = client.out.split().to_vec();
    assert!(!whole.is_empty(), "drivers that prepare like that wait for it");
    let mut frames = BytesMut::new();
    frontend::bind(&mut frames, "", "", (&[], &[]), &[]).expect("bind");
    frontend::flush(&mut frames);
    client.send(&frames);
    client.drive();
    whole.extend_from_slice(&client.out.split());
    let mut frames = BytesMut::new();
    frontend::execute(&mut frames, "", 0).expect("execute");
    frontend::sync(&mut frames);
    client.send(&frames);
    client.drive();
    whole.extend_from_slice(&client.out);
    assert_kept(&outcomes(&database), &[(1, &answers(&whole)[0])]);
}

#[test]
fn a_long_answer_of_which_a_part_has_left_is_not_kept() {
    let database = with_table();
    let mut client = numbered(&database);
    send(&mut client, &format!("select repeat('x', {}); insert into t (a) values ('x')", 2 * OUTPUT_BYTES));
    assert_eq!(client.session.step(&mut client.out), Step::Output);
    client.out.clear();
    client.drive();
    let published = outcomes(&database);
    assert_eq!(numbers(&published), [1]);
    assert!(matches!(published[0].response, Response::TooLong(_)));
}

#[test]
fn a_commit_in_a_series_waits_for_what_follows_it() {
    let database = with_table();
    let mut client = numbered(&database);
    client.query("begin; insert into t (a) values ('x')");
    let mut frames = BytesMut::new();
    series(&mut frames, "commit");
    client.send(&frames);
    assert_eq!(client.drive(), Step::Idle);
    assert!(client.session.busy());
    assert!(taken(&database).is_none(), "not before it is known how the series goes on");
    let mut frames = BytesMut::new();
    frontend::sync(&mut frames);
    client.send(&frames);
    client.drive();
    assert_kept(&outcomes(&database), &[(2, &answers(&client.out)[0])]);
}

#[test]
fn a_commit_before_a_flush_is_published_at_once() {
    let database = with_table();
    let mut client = numbered(&database);
    client.query("begin; insert into t (a) values ('x')");
    let mut frames = BytesMut::new();
    series(&mut frames, "commit");
    frontend::flush(&mut frames);
    client.send(&frames);
    client.drive();
    assert!(client.transcript().contains("COMMIT"), "the client may wait for it before it says Sync");
    let published = outcomes(&database);
    assert_eq!(numbers(&published), [2]);
    assert!(matches!(published[0].response, Response::TooLong(_)));
}

#[test]
fn a_long_pipeline_leaves_before_outcomes_could_be_evicted() {
    let database = with_table();
    let mut client = numbered(&database);
    for _ in 0..100 {
        send(&mut client, "insert into t (a) values ('x')");
    }
    assert_eq!(client.session.step(&mut client.out), Step::Output);
    let first = outcomes(&database).len();
    assert_eq!(first, journal::limits::OUTCOMES_PER_SESSION);
    client.out.clear();
    client.drive();
    assert_eq!(outcomes(&database).len(), 100 - first);
}

#[test]
fn handlers_say_where_counting_goes_on_and_nobody_else_can() {
    let database = with_table();
    let mut client = numbered(&database);
    client.query("set timezone to 'UTC'");
    client.query("insert into t (a) values ('made by the handler')");
    assert_eq!(numbers(&outcomes(&database)), [2]);
    let handlers =
        |session: SessionId, number: &str| format!("set _stationmaster.number to '{session} {number}'");
    assert!(client.query(&handlers(SESSION, "41")).contains("SET"));
    client.query("insert into t (a) values ('x')");
    assert_eq!(numbers(&outcomes(&database)), [41]);
    for refused in ["set _stationmaster.number to 7", "set _stationmaster.number to default"] {
        assert!(client.query(refused).starts_with("ERROR 42501"), "{refused}");
    }
    for refused in [handlers(SESSION, "0"), handlers(SESSION, "x"), handlers(SessionId(1), "7")] {
        assert!(client.query(&refused).starts_with("ERROR 42501"), "{refused}");
    }
    client.query("insert into t (a) values ('y')");
    assert_eq!(numbers(&outcomes(&database)), [47], "what was refused is counted, too");
    let mut other = database.client();
    assert!(other.query(&handlers(SESSION, "5")).starts_with("ERROR 42501"), "it has no id");
}

#[test]
fn a_session_that_ends_in_a_request_leaves_nothing_behind() {
    let database = with_table();
    let mut client = numbered(&database);
    client.query("begin; insert into t (a) values ('x')");
    drop(client);
    assert!(taken(&database).is_none());
    assert!(database.database.writer_queue().try_acquire().is_some());
    let mut client = numbered(&database);
    send(&mut client, "begin; insert into t (a) values ('x'); commit; select pg_sleep(5)");
    client.session.step(&mut client.out);
    drop(client);
    assert_eq!(numbers(&outcomes(&database)), [1]);
    assert!(database.database.writer_queue().try_acquire().is_some());
    assert_eq!(database.client().value("select count(*) from t"), "1");
}
