//! What strangers and broken clients send.

use bytes::BufMut;
use rand::{Rng, SeedableRng, rngs::StdRng};
use wire::startup;

use super::{Fleet, Raw, client::ask, connect, fleet::until};

#[tokio::test]
async fn broken_starts_are_refused_with_a_reason_or_closed() {
    let fleet = Fleet::start(1).await;
    let cases: [(&[u8], &[&str]); 6] = [
        (b"\x40\0\0\0\0\x03\0\0", &["FATAL 08P01", "closed"]),
        (b"\0\0\0\x04\0\x03\0\0", &["FATAL 08P01", "closed"]),
        (b"GET / HTTP/1.1\r\n\r\n", &["FATAL 08P01", "closed"]),
        (b"\0\0\0\x09\0\x02\0\0\0", &["FATAL 0A000", "closed"]),
        (b"\0\0\0\x0d\0\x03\0\0user\0", &["FATAL 08P01", "closed"]),
        (b"\x16\x03\x01\0\x05hello", &["closed"]),
    ];
    for (bytes, expected) in cases {
        let mut raw = Raw::open(&fleet, "h1:1");
        raw.out().put_slice(bytes);
        assert_eq!(raw.answer().await, expected, "{bytes:?}");
    }
}

#[tokio::test]
async fn half_a_start_and_a_hang_up_leave_nothing_behind() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::open(&fleet, "h1:1");
    raw.out().put_slice(b"\0\0\0\x20\0\x03");
    raw.link.flush().await.expect("sent");
    drop(raw);
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    assert_eq!(ask(&client, "select server").await, "s1");
}

#[tokio::test]
async fn an_oversized_password_is_refused_unread() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::open(&fleet, "h1:1");
    startup::start(raw.out(), 0, [("user", "ann")]).expect("short");
    raw.frame().await.expect("the question");
    raw.out().put_slice(b"p\x3f\xff\xff\xff");
    assert_eq!(raw.answer().await, ["FATAL 08P01", "closed"]);
}

#[tokio::test]
async fn unknown_messages_and_impossible_lengths_end_the_session_with_a_reason() {
    let fleet =
        Fleet::start_with(1, |settings| crate::Settings { frame_bytes_max: 1 << 20, ..settings }).await;
    for database in ["shop", "stationmaster"] {
        for bytes in [&b"y\0\0\0\x04"[..], b"Q\0\0\0\0", b"Q\x7f\xff\xff\xff", b"p\0\0\0\x05x"] {
            let mut raw = Raw::connect(&fleet, "h1:1", &[("database", database)]).await;
            raw.out().put_slice(bytes);
            assert_eq!(raw.answer().await, ["FATAL 08P01", "closed"], "{database}: {bytes:?}");
        }
    }
    until("all sessions have ended", || *fleet.servers[0].sessions.borrow() == 0).await;
}

#[tokio::test]
async fn random_bytes_never_end_the_handler() {
    let fleet = Fleet::start(1).await;
    let mut random = StdRng::seed_from_u64(7);
    for round in 0..300 {
        let mut bytes = vec![0; random.random_range(1..200)];
        random.fill(&mut bytes[..]);
        let mut raw = if round % 3 == 0 {
            Raw::open(&fleet, "h1:1")
        } else {
            let database = if round % 3 == 1 { "shop" } else { "stationmaster" };
            let mut raw = Raw::connect(&fleet, "h1:1", &[("database", database)]).await;
            // Like real messages as far as the header.
            let tags = b"QPBDECHSFdcfX";
            raw.out().put_u8(tags[random.random_range(0..tags.len())]);
            raw.out().put_u32(u32::try_from(bytes.len()).expect("short") + 4);
            raw
        };
        raw.out().put_slice(&bytes);
        // The other side may have closed already.
        let _sent = raw.link.flush().await;
    }
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    assert_eq!(ask(&client, "select server").await, "s1");
    assert!(!fleet.handlers[0].is_finished());
}
