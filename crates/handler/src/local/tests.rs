//! Conversations with the machine itself, without anybody to run statements.

use bytes::BytesMut;
use wire::{
    backend::Message as Answered,
    frontend::{self, Target},
    sqlstate,
};

use super::*;
use crate::limits::LOCAL_STATEMENTS_MAX;

/// Sends messages and gives the answers in short; every job is done with an empty answer.
fn talk(local: &mut Local, write: impl FnOnce(&mut BytesMut)) -> Vec<String> {
    let (mut sent, mut out) = (BytesMut::new(), BytesMut::new());
    write(&mut sent);
    let mut rest: &[u8] = &sent;
    while let Some((frame, after)) = Frame::split(rest, 1 << 20).expect("frames") {
        let mut todo = local.take(frame, &mut out).expect("no nonsense");
        while let Todo::Run(job) = todo {
            let answer = Answer::done(job.statement.title());
            todo = local.ran(job, Ok(answer), &mut out);
        }
        rest = after;
    }
    let mut answers = Vec::new();
    let mut rest: &[u8] = &out;
    while let Some((frame, after)) = Frame::split(rest, 1 << 20).expect("frames") {
        answers.push(match Answered::decode(frame).expect("messages") {
            Answered::ErrorResponse(fields) => fields.code.to_string(),
            Answered::CommandComplete { command } => command.to_owned(),
            Answered::ReadyForQuery(status) => format!("Z {}", char::from(status.code())),
            _ => char::from(frame.tag).to_string(),
        });
        rest = after;
    }
    answers
}

fn query(sql: &str) -> impl FnOnce(&mut BytesMut) {
    move |out| frontend::query(out, sql).expect("short")
}

fn run_prepared(name: &str) -> impl FnOnce(&mut BytesMut) {
    move |out| {
        frontend::bind(out, "", name, (&[], &[]), &[]).expect("short");
        frontend::execute(out, "", 0).expect("short");
        frontend::sync(out);
    }
}

fn failure() -> Failure {
    Failure::new(sqlstate::STATEMENT_COMPLETION_UNKNOWN, "unknown")
}

#[test]
fn refused_requests_fail_one_by_one_and_then_all_is_well() {
    let mut local = Local::new(Scope::Session);
    local.refuse(3, failure());
    assert_eq!(talk(&mut local, query("select 1")), ["40003", "Z I"]);
    assert!(!local.is_over());
    assert_eq!(talk(&mut local, run_prepared("p")), ["40003", "Z I"], "once for a series");
    assert_eq!(talk(&mut local, query("insert")), ["40003", "Z I"]);
    assert!(local.is_over());
}

#[test]
fn a_failed_transaction_fails_until_the_client_ends_it() {
    let endings: [(&str, &[&str]); 4] = [
        ("rollback", &["ROLLBACK", "Z I"]),
        ("COMMIT;", &["ROLLBACK", "Z I"]),
        ("end", &["ROLLBACK", "Z I"]),
        ("abort work", &["ROLLBACK", "Z I"]),
    ];
    for (ending, expected) in endings {
        let mut local = Local::new(Scope::Session);
        local.fail_transaction(failure(), ["c"].into_iter());
        assert_eq!(talk(&mut local, query("insert into t")), ["40003", "Z E"]);
        for sql in ["insert into t", "create database x", "begin", "rollback to savepoint a", "'"] {
            assert_eq!(talk(&mut local, query(sql)), ["25P02", "Z E"], "{sql}");
        }
        assert_eq!(talk(&mut local, run_prepared("other")), ["25P02", "Z E"]);
        assert!(!local.is_over());
        assert_eq!(talk(&mut local, query(ending)), expected);
        assert!(local.is_over(), "{ending}");
    }
}

#[test]
fn a_prepared_commit_ends_a_failed_transaction() {
    let mut local = Local::new(Scope::Session);
    local.fail_transaction(failure(), ["c"].into_iter());
    assert_eq!(talk(&mut local, query("select 1")), ["40003", "Z E"]);
    assert_eq!(talk(&mut local, run_prepared("c")), ["2", "ROLLBACK", "Z I"]);
    assert!(local.is_over());
}

#[test]
fn whoever_asks_for_a_commit_first_is_told_that_there_is_none() {
    for commit in [query("commit"), query("END;")] {
        let mut local = Local::new(Scope::Session);
        local.fail_transaction(failure(), std::iter::empty());
        assert_eq!(talk(&mut local, commit), ["40003", "Z I"]);
        assert!(local.is_over());
    }
    let mut local = Local::new(Scope::Session);
    local.fail_transaction(failure(), ["c"].into_iter());
    assert_eq!(talk(&mut local, run_prepared("c")), ["2", "40003", "Z I"]);
    assert!(local.is_over());
    local.fail_transaction(failure(), std::iter::empty());
    assert_eq!(talk(&mut local, query("rollback")), ["ROLLBACK", "Z I"], "who asks for none need not be");
}

#[test]
fn a_series_that_has_failed_is_skipped_up_to_its_sync() {
    for (status, then) in [(TransactionStatus::Idle, "Z I"), (TransactionStatus::Failed, "Z E")] {
        let mut local = Local::new(Scope::Session);
        let mut out = BytesMut::new();
        local.fail_open_series(&failure(), status, &mut out);
        assert!(!out.is_empty() && !local.is_over());
        assert_eq!(talk(&mut local, |out| frontend::execute(out, "", 0).expect("short")), [""; 0]);
        assert_eq!(talk(&mut local, frontend::sync), [then]);
        assert_eq!(local.is_over(), status == TransactionStatus::Idle);
    }
}

#[test]
fn the_first_failure_is_told_wherever_the_client_asks_first() {
    let first: [&dyn Fn(&mut BytesMut); 3] = [
        &|out| frontend::query(out, "anything at all").expect("short"),
        &|out| frontend::parse(out, "", "select 1", &[]).expect("short"),
        &|out| frontend::bind(out, "", "p", (&[], &[]), &[]).expect("short"),
    ];
    for ask in first {
        let mut local = Local::new(Scope::Session);
        local.fail_transaction(failure(), std::iter::empty());
        assert_eq!(talk(&mut local, ask)[0], "40003");
        assert_eq!(talk(&mut local, frontend::sync), ["Z E"]);
        assert_eq!(talk(&mut local, query("select 1")), ["25P02", "Z E"]);
    }
}

#[test]
fn after_an_error_everything_up_to_sync_is_skipped() {
    let mut local = Local::new(Scope::Console);
    let answers = talk(&mut local, |out| {
        frontend::parse(out, "", "nonsense", &[]).expect("short");
        frontend::bind(out, "", "", (&[], &[]), &[]).expect("short");
        frontend::query(out, "select 1").expect("short");
        frontend::flush(out);
    });
    assert_eq!(answers, ["42601"]);
    assert!(!local.is_over());
    assert_eq!(talk(&mut local, frontend::sync), ["Z I"]);
    assert!(local.is_over());
}

#[test]
fn in_an_ordinary_session_only_statements_about_databases_are_answered() {
    let mut local = Local::new(Scope::Session);
    assert_eq!(talk(&mut local, query("create database x")), ["CREATE DATABASE", "Z I"]);
    let series = talk(&mut local, |out| {
        frontend::parse(out, "s", "drop database x", &[]).expect("short");
        frontend::describe(out, Target::Statement("s")).expect("short");
        frontend::sync(out);
    });
    assert_eq!(series, ["1", "t", "n", "Z I"]);
    assert!(local.knows("s") && local.is_over());
    assert_eq!(talk(&mut local, run_prepared("s")), ["2", "DROP DATABASE", "Z I"]);
    let mixed = talk(&mut local, |out| {
        frontend::bind(out, "", "s", (&[], &[]), &[]).expect("short");
        frontend::parse(out, "", "show databases", &[]).expect("short");
        frontend::bind(out, "", "", (&[], &[]), &[]).expect("short");
        frontend::execute(out, "", 0).expect("short");
        frontend::sync(out);
    });
    assert_eq!(mixed, ["2", "1", "2", "25001", "Z I"]);
}

#[test]
fn statements_and_portals_are_bounded() {
    let mut local = Local::new(Scope::Console);
    for n in 0..=LOCAL_STATEMENTS_MAX {
        let answers = talk(&mut local, |out| {
            frontend::parse(out, &n.to_string(), "select 1", &[]).expect("short");
            frontend::sync(out);
        });
        assert_eq!(answers[0] == "1", n < LOCAL_STATEMENTS_MAX, "{n}: {answers:?}");
    }
}

#[test]
fn too_many_parameters_and_unknown_names_are_refused() {
    let mut local = Local::new(Scope::Console);
    let refused = |local: &mut Local, write: &dyn Fn(&mut BytesMut)| {
        let answers = talk(local, |out| {
            write(out);
            frontend::sync(out);
        });
        answers[answers.len() - 2].clone()
    };
    assert_eq!(
        refused(&mut local, &|out| frontend::bind(out, "", "x", (&[], &[]), &[]).expect("short")),
        "26000"
    );
    assert_eq!(refused(&mut local, &|out| frontend::execute(out, "x", 0).expect("short")), "34000");
    let extra = |out: &mut BytesMut| {
        frontend::parse(out, "", "select 1", &[]).expect("short");
        frontend::bind(out, "", "", (&[], &[Some(b"1")]), &[]).expect("short");
    };
    assert_eq!(refused(&mut local, &extra), "08P01");
    let many = |out: &mut BytesMut| frontend::parse(out, "", "select 1; select 2", &[]).expect("short");
    assert_eq!(refused(&mut local, &many), "42601");
}
