//! Client messages cut in every way, and what is read out of them.

use bytes::BytesMut;
use wire::{
    backend::TransactionStatus,
    frontend::{self, Target},
};

use super::*;
use crate::sql::Pin;

const LEN_MAX: usize = 1 << 20;

/// Messages for a test.
fn messages(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out);
    out
}

/// Reads chunk by chunk like the relay does; gives what went on, and why it stopped.
fn relay(bytes: &[u8], chunk: usize, tracker: &mut Tracker) -> (Vec<u8>, Stop) {
    let mut up = Up::new(LEN_MAX);
    let mut forwarded = Vec::new();
    let mut unused = BytesMut::new();
    for part in bytes.chunks(chunk) {
        unused.extend_from_slice(part);
        let (used, stop) = up.scan(&unused, tracker, &|name| name == "own");
        forwarded.extend_from_slice(&unused[..used]);
        bytes::Buf::advance(&mut unused, used);
        if stop != Stop::End {
            return (forwarded, stop);
        }
    }
    (forwarded, Stop::End)
}

#[test]
fn everything_goes_on_unchanged_however_it_is_cut() {
    let bytes = messages(|out| {
        frontend::query(out, "select 1").expect("short");
        frontend::parse(out, "p", "select $1", &[]).expect("short");
        frontend::bind(out, "", "p", (&[], &[Some(b"x"), None]), &[]).expect("short");
        frontend::describe(out, Target::Portal("")).expect("short");
        frontend::execute(out, "", 5).expect("short");
        frontend::close(out, Target::Statement("p")).expect("short");
        frontend::flush(out);
        frontend::sync(out);
        frontend::query(out, &format!("select '{}'", "x".repeat(INSPECT_BYTES_MAX * 2))).expect("short");
        frontend::copy_data(out, b"data").expect("short");
        frontend::copy_done(out);
        frontend::copy_fail(out, "no").expect("short");
    });
    for chunk in [1, 2, 3, 7, 64, 1_000, bytes.len()] {
        let mut tracker = Tracker::default();
        let (forwarded, stop) = relay(&bytes, chunk, &mut tracker);
        assert_eq!((forwarded.len(), stop), (bytes.len(), Stop::End), "in chunks of {chunk}");
        assert!(forwarded == bytes, "in chunks of {chunk}");
        assert_eq!(tracker.ledger.requests(), 3, "in chunks of {chunk}");
    }
}

#[test]
fn a_statement_of_the_handlers_own_stays_here_with_all_that_follows() {
    for own in ["create database x", "  DROP DATABASE x;", "alter database x rename to y"] {
        let first = messages(|out| frontend::query(out, "select 1").expect("short"));
        let mut bytes = first.clone();
        frontend::query(&mut bytes, own).expect("short");
        frontend::query(&mut bytes, "select 2").expect("short");
        for chunk in [1, 5, bytes.len()] {
            let (forwarded, stop) = relay(&bytes, chunk, &mut Tracker::default());
            assert_eq!((&forwarded[..], stop), (&first[..], Stop::Own), "{own} in chunks of {chunk}");
        }
    }
    let own: [BytesMut; 4] = [
        messages(|out| frontend::parse(out, "", "create database x", &[]).expect("short")),
        messages(|out| frontend::bind(out, "", "own", (&[], &[]), &[]).expect("short")),
        messages(|out| frontend::describe(out, Target::Statement("own")).expect("short")),
        messages(|out| frontend::close(out, Target::Statement("own")).expect("short")),
    ];
    for bytes in own {
        assert_eq!(relay(&bytes, 1, &mut Tracker::default()), (Vec::new(), Stop::Own), "{bytes:?}");
    }
}

#[test]
fn it_goes_through_when_the_server_is_to_refuse_it() {
    let bytes = messages(|out| {
        frontend::query(out, "create database x").expect("short");
        frontend::query(out, "create database y").expect("short");
    });
    let mut up = Up { let_through: true, ..Up::new(LEN_MAX) };
    let (used, stop) = up.scan(&bytes, &mut Tracker::default(), &|_| false);
    assert_eq!((used, stop), (bytes.len() / 2, Stop::Own), "once");
}

#[test]
fn a_request_counts_once_its_last_byte_is_sent() {
    let long = format!("insert into t values ('{}')", "x".repeat(INSPECT_BYTES_MAX));
    let bytes = messages(|out| frontend::query(out, &long).expect("short"));
    let mut tracker = Tracker::default();
    let mut up = Up::new(LEN_MAX);
    let (used, _) = up.scan(&bytes[..bytes.len() - 1], &mut tracker, &|_| false);
    assert_eq!((used, tracker.ledger.requests(), tracker.mid_request), (bytes.len() - 1, 0, true));
    up.scan(&bytes[used..], &mut tracker, &|_| false);
    assert_eq!((tracker.ledger.requests(), tracker.mid_request), (1, false));
}

#[test]
fn ends_of_transactions_are_seen_where_they_run() {
    let may_commit = |write: &dyn Fn(&mut BytesMut)| {
        let mut tracker = Tracker::default();
        let prepare = messages(|out| {
            frontend::parse(out, "end", "COMMIT", &[]).expect("short");
            frontend::sync(out);
        });
        relay(&prepare, 1_000, &mut tracker);
        let settled = tracker.ledger.parse_complete();
        tracker.settled(settled);
        tracker.ready(TransactionStatus::InTransaction);
        relay(&messages(write), 1_000, &mut tracker);
        tracker.scene().may_commit
    };
    assert!(may_commit(&|out| frontend::query(out, "commit").expect("short")));
    assert!(may_commit(&|out| frontend::bind(out, "", "end", (&[], &[]), &[]).expect("short")));
    assert!(may_commit(&|out| frontend::parse(out, "", "end", &[]).expect("short")));
    assert!(!may_commit(&|out| frontend::query(out, "select 'commit'").expect("short")));
    assert!(!may_commit(&|out| frontend::bind(out, "", "other", (&[], &[]), &[]).expect("short")));
    assert!(!may_commit(&|out| frontend::parse(out, "later", "commit", &[]).expect("short")));
}

#[test]
fn what_pins_is_seen_in_both_protocols() {
    let sql = "create temp table t (a int)";
    let both: [&dyn Fn(&mut BytesMut); 2] = [&|out| frontend::query(out, sql).expect("short"), &|out| {
        frontend::parse(out, "", sql, &[]).expect("short")
    }];
    for write in both {
        let mut tracker = Tracker::default();
        relay(&messages(write), 10, &mut tracker);
        assert_eq!(tracker.memory.pin(), Some(Pin::Temporary));
    }
}

#[test]
fn good_bye_and_nonsense_stop_the_relay() {
    let bytes = messages(frontend::terminate);
    assert_eq!(relay(&bytes, 1, &mut Tracker::default()).1, Stop::Terminate);
    for bytes in [&b"y\0\0\0\x04"[..], b"Q\0\0\0\x03", b"Q\x7f\0\0\0"] {
        assert!(matches!(relay(bytes, 1, &mut Tracker::default()).1, Stop::Broken(_)), "{bytes:?}");
    }
}

#[test]
fn bodies_that_make_no_sense_are_the_servers_to_refuse() {
    let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(3);
    for _ in 0..20_000 {
        let mut body = vec![0_u8; rand::Rng::random_range(&mut random, 0..40)];
        rand::Rng::fill(&mut random, &mut body[..]);
        let tag = b"QPBDCEHSFdcf"[rand::Rng::random_range(&mut random, 0..12)];
        let mut bytes = vec![tag];
        bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        bytes.extend_from_slice(&body);
        let (forwarded, stop) = relay(&bytes, 3, &mut Tracker::default());
        assert_eq!((forwarded, stop), (bytes.clone(), Stop::End), "{bytes:?}");
    }
}
