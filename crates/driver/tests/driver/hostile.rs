//! A server that means ill: the client goes on, and is not held up.

use bytes::BytesMut;
use directive::{Action, Outcome, Scope, action::Hold};
use wire::{
    SqlState, backend,
    backend::{Fields, Severity},
};

use super::{Reply, Server, ask, connect, frame, until};

fn vectors() -> Vec<Vec<u8>> {
    let text = include_str!("../../../directive/vectors/invalid.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(text).expect("vectors");
    let bytes = |case: &serde_json::Value| -> Option<Vec<u8>> {
        let mut bytes = match (case.get("text"), case.get("json")) {
            (Some(text), _) => text.as_str()?.as_bytes().to_vec(),
            (None, Some(json)) => json.to_string().into_bytes(),
            (None, None) => return None,
        };
        let spaces = case.get("spaces").and_then(serde_json::Value::as_u64).unwrap_or(0);
        bytes.resize(bytes.len() + usize::try_from(spaces).ok()?, b' ');
        Some(bytes)
    };
    cases.iter().filter_map(bytes).filter(|bytes| !bytes.contains(&0)).collect()
}

#[tokio::test]
async fn s4_bad_directives_of_every_sort_are_counted_and_change_nothing() {
    let server = Server::plain().await;
    let (driver, client) = connect(&server).await;
    let vectors = vectors();
    assert!(vectors.len() > 50, "{} vectors", vectors.len());
    for bytes in &vectors {
        server.push(&frame(&String::from_utf8_lossy(bytes)));
    }
    let count = vectors.len() as u64;
    until(|| driver.status().directives.received == count, || format!("{:?}", driver.status())).await;
    assert!(driver.status().directives.in_force.is_empty());
    server.break_all();
    ask(&client, "SELECT 1").await.expect("not held");
}

#[tokio::test]
async fn s4_a_directive_of_another_session_is_refused() {
    let server = Server::plain().await;
    let (driver, client) = connect(&server).await;
    let text = r#"{"v":1,"id":"x","epoch":1,"sequence":1,"lifetime_ms":60000,"session":"SOMEBODYELSES_TOKEN","action":"hold"}"#;
    server.push(&frame(text));
    let refused = server.acknowledgement("x", |_| true).await;
    assert!(matches!(refused.outcome, Outcome::Refused { .. }));
    assert_eq!(driver.status().directives.applied, 0);
    server.break_all();
    ask(&client, "SELECT 1").await.expect("not held");
}

#[tokio::test]
async fn s4_a_repeated_directive_acts_once() {
    let server = Server::plain().await;
    let (driver, _client) = connect(&server).await;
    for _ in 0..5 {
        server.direct_as("same", 1, Scope::everything(), 1_000, Action::Hold(Hold { spread_ms: 0 }));
    }
    until(|| driver.status().directives.received == 5, || format!("{:?}", driver.status())).await;
    let directives = driver.status().directives;
    assert_eq!((directives.applied, directives.repeated), (1, 4));
}

#[tokio::test]
async fn r65_directives_within_an_answer_never_get_into_rows_or_to_the_application() {
    let mut inside = frame("not json");
    let (mut later, code) = (BytesMut::new(), SqlState::new("SM099").expect("five characters"));
    backend::notice_response(&mut later, &Fields::new(Severity::Notice, code, "of a later version"));
    inside.extend_from_slice(&later);
    let server = Server::start(move |_| {
        Reply::After(inside.clone(), Box::new(Reply::Rows(vec!["a".into(), "b".into()])))
    })
    .await;
    let (driver, client) = connect(&server).await;
    let rows = client.query("SELECT v", &[]).await.expect("rows");
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows, ["a", "b"]);
    assert_eq!(driver.status().directives.received, 1);
}

#[tokio::test]
async fn s4_a_flood_does_not_stop_the_client() {
    let server = Server::plain().await;
    let (driver, client) = connect(&server).await;
    let one = frame(r#"{"v":1,"id":"x","epoch":1}"#);
    let many = one.repeat(2_000);
    server.push(&many);
    for _ in 0..20 {
        ask(&client, "SELECT 1").await.expect("answered");
    }
    until(|| driver.status().directives.received == 2_000, || format!("{:?}", driver.status().directives))
        .await;
}

#[tokio::test]
async fn r65_a_notice_without_measure_costs_the_session_only() {
    let server = Server::plain().await;
    let (_, client) = connect(&server).await;
    let mut bytes = vec![b'N'];
    bytes.extend((1_u32 << 30).to_be_bytes());
    server.push(&bytes);
    until(|| !client.is_connected(), || "still connected".into()).await;
    ask(&client, "SELECT 1").await.expect("on a new session");
}
