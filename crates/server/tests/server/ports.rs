//! Strangers at the data port: refused with a reason, in bounded time and memory, and the process lives on.

use std::time::Duration;

use bytes::BufMut;
use model::{DatabaseId, Epoch};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rpc::{Secret, session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    client::{Asking, Login, log_in},
    fleet::{Fleet, Running},
};

async fn refused(server: &Running, asking: &Asking<'_>) -> (String, String) {
    match log_in(&mut server.dial().await, asking).await {
        Login::Refused(code, text, _) => (code, text),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn only_who_knows_the_secret_gets_in() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let stranger = Secret::new([6; 32]);
    let wrong = refused(&server, &Asking::new(&stranger, DatabaseId(1), Epoch(1))).await;
    let mut asking = Asking::new(&fleet.secret, DatabaseId(1), Epoch(1));
    asking.login = "postgres";
    let unknown = refused(&server, &asking).await;
    assert_eq!(wrong, unknown, "nobody learns which of the two was wrong");
    assert_eq!(wrong.0, "28P01");
}

#[tokio::test]
async fn a_database_that_is_not_here_is_not_owned() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    let (code, _) = refused(&server, &Asking::new(&fleet.secret, DatabaseId(9), Epoch(1))).await;
    assert_eq!(code, session::NOT_OWNER);
}

#[tokio::test]
async fn a_start_without_what_handlers_send_is_refused_in_words() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    let cases = [(session::PARAM_EPOCH, "epoch"), (session::PARAM_USER, "user"), ("database", "id")];
    for (missing, word) in cases {
        let mut asking = Asking::new(&fleet.secret, DatabaseId(1), Epoch(1));
        asking.parameters.retain(|(name, _)| *name != missing);
        let (code, text) = refused(&server, &asking).await;
        assert!(code == "08P01" && text.contains(word), "{code} {text}");
    }
}

#[tokio::test]
async fn encryption_is_declined_and_the_start_goes_on() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let mut stream = server.dial().await;
    let mut out = bytes::BytesMut::new();
    wire::startup::ssl(&mut out);
    stream.write_all(&out).await.expect("sent");
    assert_eq!(stream.read_u8().await.expect("an answer"), b'N');
    let login = log_in(&mut stream, &Asking::new(&fleet.secret, DatabaseId(1), Epoch(1))).await;
    assert!(matches!(login, Login::Welcome(_)));
}

#[tokio::test]
async fn half_a_start_is_closed_in_time() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    tokio::time::pause();
    let mut stream = server.dial().await;
    stream.write_all(&[0, 0, 0, 50, 0]).await.expect("sent");
    let mut answer = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
    end.expect("closed in time").expect("closed in order");
    assert!(String::from_utf8_lossy(&answer).contains("took too long"));
}

#[tokio::test]
async fn impossible_lengths_are_refused_at_once() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    for length in [0u32, 7, 10_001, 1 << 30, u32::MAX] {
        let mut stream = server.dial().await;
        stream.write_u32(length).await.expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("closed");
        assert!(String::from_utf8_lossy(&answer).contains("08P01"), "{length}");
    }
    let (mut stream, _) = server.raw(1, 1).await;
    stream.write_all(&[b'Q', 0x3f, 0xff, 0xff, 0xff]).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("closed");
    assert!(String::from_utf8_lossy(&answer).contains("08P01"));
}

#[tokio::test]
async fn random_bytes_never_harm_the_server() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let mut random = StdRng::seed_from_u64(20_261_122);
    for round in 0..300 {
        let mut stream = if round % 2 == 0 { server.dial().await } else { server.raw(1, 1).await.0 };
        let mut bytes = vec![0; random.random_range(1..200)];
        random.fill(&mut bytes[..]);
        if round % 4 < 2 {
            // A plausible length, so that what follows is looked at, too.
            let at = usize::from(round % 2 == 1);
            let length = random.random_range(4..bytes.len().max(5) as u32);
            bytes.splice(at..at, length.to_be_bytes());
        }
        // It may be closed before it has taken everything.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    server.connect(1, 1).await.simple_query("get a").await.expect("it lives");
}

#[tokio::test]
async fn a_cancel_request_with_a_wrong_key_is_closed_without_a_word() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    let mut stream = server.dial().await;
    let mut out = bytes::BytesMut::new();
    out.put_slice(&[0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 1, 2, 3, 4]);
    stream.write_all(&out).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("closed");
    assert!(answer.is_empty());
}
