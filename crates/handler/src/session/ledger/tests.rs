//! Conversations and the account that is kept of them.

use TransactionStatus::{Failed, Idle, InTransaction};

use super::*;

fn prepared(name: &str) -> Prepared {
    Prepared { name: name.into(), frame: Box::default(), commits: false }
}

#[test]
fn each_query_is_owed_one_ready() {
    let mut ledger = Ledger::default();
    for _ in 0..3 {
        ledger.sent_request(Request::Single);
    }
    assert_eq!((ledger.requests(), ledger.is_quiet()), (3, false));
    ledger.ready(InTransaction);
    ledger.ready(InTransaction);
    ledger.ready(Idle);
    assert_eq!((ledger.requests(), ledger.is_quiet(), ledger.status()), (0, true, Idle));
}

#[test]
fn a_series_is_under_way_until_its_sync_is_answered() {
    let mut ledger = Ledger::default();
    ledger.sent_parse(prepared("a"));
    ledger.sent_extended();
    assert!(!ledger.is_quiet() && ledger.series_open());
    ledger.sent_request(Request::Sync);
    assert!(!ledger.series_open());
    assert_eq!(ledger.parse_complete(), Settled::Prepared(prepared("a")));
    ledger.ready(Idle);
    assert!(ledger.is_quiet());
}

#[test]
fn what_an_error_skipped_is_not_prepared_and_the_next_series_is() {
    let mut ledger = Ledger::default();
    ledger.sent_parse(prepared("a"));
    ledger.sent_parse(prepared("b"));
    ledger.sent_request(Request::Sync);
    ledger.sent_close(Some("c"));
    ledger.sent_close(None);
    ledger.sent_parse(prepared("c"));
    ledger.sent_request(Request::Sync);
    assert_eq!(ledger.parse_complete(), Settled::Prepared(prepared("a")));
    ledger.failed();
    ledger.ready(Failed);
    assert_eq!(ledger.close_complete(), Settled::Closed("c".into()));
    assert_eq!(ledger.close_complete(), Settled::Nothing);
    assert_eq!(ledger.parse_complete(), Settled::Prepared(prepared("c")));
    ledger.ready(Idle);
    assert!(ledger.is_quiet());
}

#[test]
fn copy_by_simple_query_is_one_request() {
    let mut ledger = Ledger::default();
    ledger.sent_request(Request::Single);
    ledger.copy_in();
    assert!(ledger.copying_in());
    ledger.sent_copy_end();
    assert!(!ledger.copying_in() && !ledger.series_open());
    ledger.ready(Idle);
    assert!(ledger.is_quiet());
}

#[test]
fn copy_in_a_series_swallows_the_sync_before_its_data() {
    let mut ledger = Ledger::default();
    ledger.sent_parse(prepared(""));
    ledger.sent_extended();
    ledger.sent_request(Request::Sync);
    ledger.parse_complete();
    ledger.copy_in();
    ledger.sent_request(Request::Sync);
    ledger.sent_copy_end();
    assert!(!ledger.is_quiet());
    ledger.sent_request(Request::Sync);
    ledger.ready(Idle);
    assert!(ledger.is_quiet(), "{ledger:?}");
}

#[test]
fn a_copy_that_the_server_ends_waits_for_its_sync() {
    let mut ledger = Ledger::default();
    ledger.sent_extended();
    ledger.copy_in();
    ledger.failed();
    assert!(!ledger.is_quiet() && !ledger.copying_in());
    ledger.sent_copy_end();
    ledger.sent_request(Request::Sync);
    ledger.ready(Idle);
    assert!(ledger.is_quiet(), "{ledger:?}");
}

#[test]
fn a_pipeline_too_long_to_follow_is_still_counted() {
    let mut ledger = Ledger::default();
    for _ in 0..OWED_MAX {
        ledger.sent_parse(prepared("a"));
        ledger.sent_request(Request::Sync);
    }
    assert!(ledger.lost_count() && ledger.owed.len() <= OWED_MAX);
    for _ in 0..OWED_MAX {
        ledger.ready(Idle);
    }
    assert_eq!(ledger.requests(), 0);
}
