use bytes::BytesMut;
use proptest::prelude::*;
use wire::backend::{self, TransactionStatus};

use super::*;
use crate::protocol::Ended;

fn tap() -> (Tap<()>, Arc<Watch>) {
    let watch = Arc::new(Watch::default());
    (Tap::new((), watch.clone()), watch)
}

fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
    [&[tag][..], &length, body].concat()
}

fn start_up() -> Vec<u8> {
    [&13_u32.to_be_bytes()[..], &196_608_u32.to_be_bytes(), b"user\0"].concat()
}

#[test]
fn r72_a_request_is_under_way_from_its_last_byte_to_the_last_byte_of_its_answer() {
    let (mut tap, watch) = tap();
    tap.sent(&start_up());
    let mut ready = BytesMut::new();
    backend::ready_for_query(&mut ready, TransactionStatus::Idle);
    tap.received(&ready).expect("in bounds");
    assert!(!watch.is_under_way() && !watch.in_transaction());
    let query = frame(b'Q', b"COMMIT\0");
    tap.sent(&query[..query.len() - 1]);
    assert!(!watch.is_under_way(), "a server does not act on half a frame");
    tap.sent(&query[query.len() - 1..]);
    assert!(watch.is_under_way());
    let mut answer = BytesMut::new();
    backend::command_complete(&mut answer, "ROLLBACK");
    backend::ready_for_query(&mut answer, TransactionStatus::InTransaction);
    for byte in &answer[..answer.len() - 1] {
        tap.received(&[*byte]).expect("in bounds");
    }
    assert!(watch.is_under_way());
    tap.received(&answer[answer.len() - 1..]).expect("in bounds");
    assert!(!watch.is_under_way() && watch.in_transaction());
    assert_eq!(watch.ended(), Ended::Undone);
}

#[test]
fn the_answer_to_a_request_for_tls_is_no_frame() {
    let (mut tap, watch) = tap();
    tap.sent(&[&8_u32.to_be_bytes()[..], &SSL_REQUEST.to_be_bytes()].concat());
    tap.received(b"N").expect("in bounds");
    tap.sent(&start_up());
    tap.received(&frame(b'Z', b"I")).expect("in bounds");
    assert!(!watch.is_under_way());
}

#[test]
fn a_notice_without_measure_ends_the_session_before_it_fills_the_memory() {
    let (mut tap, _) = tap();
    let mut head = vec![b'N'];
    head.extend((NOTICE_BYTES_MAX as u32 + 100).to_be_bytes());
    assert_eq!(tap.received(&head).expect_err("too long").kind(), io::ErrorKind::InvalidData);
}

proptest! {
    #[test]
    fn r65_no_bytes_make_it_panic_and_cuts_change_nothing(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..400) {
        let at = at.min(bytes.len());
        let ((mut whole, one), (mut cut, two)) = (tap(), tap());
        for tap in [&mut whole, &mut cut] {
            tap.sent(&start_up());
        }
        let first = whole.received(&bytes).is_ok();
        let second = cut.received(&bytes[..at]).is_ok() && cut.received(&bytes[at..]).is_ok();
        prop_assert_eq!(first, second);
        if first {
            prop_assert_eq!((one.is_under_way(), one.in_transaction()), (two.is_under_way(), two.in_transaction()));
        }
    }
}
