//! Server messages cut in every way, and what is read out of them.

use bytes::{Buf, BytesMut};
use wire::{
    Format,
    backend::{self, DataRow, Fields, TransactionStatus},
    sqlstate,
};

use super::{super::ledger::Request, *};

const LEN_MAX: usize = 1 << 24;

/// Reads chunk by chunk like the relay does; gives what went on, and why it stopped.
fn relay(bytes: &[u8], chunk: usize, tracker: &mut Tracker, at_quiet: bool) -> (Vec<u8>, Heard) {
    let mut down = Down::new(LEN_MAX);
    let mut forwarded = Vec::new();
    let mut unused = BytesMut::new();
    for part in bytes.chunks(chunk) {
        unused.extend_from_slice(part);
        let read = down.scan(&unused, tracker, at_quiet);
        forwarded.extend_from_slice(&unused[..read.forward]);
        unused.advance(read.used);
        if read.heard != Heard::End {
            return (forwarded, read.heard);
        }
    }
    (forwarded, Heard::End)
}

fn asked() -> Tracker {
    let mut tracker = Tracker::default();
    tracker.ledger.sent_request(Request::Single);
    tracker
}

fn row(out: &mut BytesMut, bytes: usize) {
    let mut row = DataRow::begin(out);
    row.value(&vec![b'x'; bytes]).expect("short");
    row.finish().expect("short");
}

fn error(out: &mut BytesMut, severity: Severity, code: SqlState) {
    backend::error_response(out, &Fields::new(severity, code, "text"));
}

#[test]
fn answers_go_on_unchanged_however_they_are_cut() {
    let mut bytes = BytesMut::new();
    backend::parameter_status(&mut bytes, "TimeZone", "UTC").expect("short");
    row(&mut bytes, 10);
    row(&mut bytes, 100_000);
    error(&mut bytes, Severity::Error, sqlstate::SYNTAX_ERROR);
    backend::command_complete(&mut bytes, "SELECT 2");
    backend::ready_for_query(&mut bytes, TransactionStatus::InTransaction);
    for chunk in [1, 2, 3, 7, 1_000, bytes.len()] {
        let mut tracker = asked();
        let (forwarded, heard) = relay(&bytes, chunk, &mut tracker, false);
        assert!(forwarded == bytes && heard == Heard::End, "in chunks of {chunk}");
        assert_eq!(
            (tracker.ledger.requests(), tracker.ledger.status()),
            (0, TransactionStatus::InTransaction)
        );
        assert!(!tracker.mid_answer && !tracker.ledger.answering());
    }
}

#[test]
fn half_an_answer_is_known_as_such() {
    let mut bytes = BytesMut::new();
    row(&mut bytes, 100);
    let mut tracker = asked();
    relay(&bytes[..50], 50, &mut tracker, false);
    assert!(tracker.mid_answer && tracker.ledger.answering());
    let mut tracker = asked();
    relay(&bytes[..3], 3, &mut tracker, false);
    assert!(!tracker.mid_answer, "nothing of it has gone on yet");
}

#[test]
fn an_error_that_ends_the_servers_side_is_kept_back() {
    let mut bytes = BytesMut::new();
    row(&mut bytes, 10);
    let before = bytes.len();
    error(&mut bytes, Severity::Fatal, sqlstate::ADMIN_SHUTDOWN);
    for chunk in [1, 20, bytes.len()] {
        let (forwarded, heard) = relay(&bytes, chunk, &mut asked(), false);
        assert_eq!(forwarded.len(), before);
        let Heard::Fatal(code, frame) = heard else { panic!("{heard:?}") };
        assert_eq!((code, &frame[..]), (sqlstate::ADMIN_SHUTDOWN, &bytes[before..]));
    }
}

#[test]
fn the_moment_of_quiet_is_told_when_it_is_waited_for() {
    let mut bytes = BytesMut::new();
    for _ in 0..2 {
        backend::command_complete(&mut bytes, "OK");
        backend::ready_for_query(&mut bytes, TransactionStatus::Idle);
    }
    let mut tracker = asked();
    tracker.ledger.sent_request(Request::Single);
    assert_eq!(
        relay(&bytes, 4, &mut tracker, true),
        (bytes.to_vec(), Heard::Quiet),
        "not before all is answered"
    );
}

#[test]
fn a_copy_is_followed() {
    let mut bytes = BytesMut::new();
    backend::copy_in_response(&mut bytes, Format::Text, 1).expect("short");
    let mut tracker = asked();
    relay(&bytes, 2, &mut tracker, false);
    assert!(tracker.ledger.copying_in() && !tracker.scene().replayable);
}

#[test]
fn nonsense_stops_the_relay() {
    for bytes in [&b"Z\0\0\0\x05x"[..], b"Z\0\0\0\x04", b"D\0\0\0\x01"] {
        assert!(matches!(relay(bytes, 1, &mut asked(), false).1, Heard::Broken(_)), "{bytes:?}");
    }
}
