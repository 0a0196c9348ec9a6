//! Requests that wait for a server: bounded, and released when the map has news (S5, S6, R18).

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;
use wire::{backend::Message, startup};

use super::{Fleet, Raw, fleet::until, server::Say};
use crate::{Settings, limits::ATTACHES_PER_SERVER_MAX};

async fn session(fleet: &Fleet) -> Raw {
    Raw::connect(fleet, "h1:1", &[("database", "shop")]).await
}

/// The server is gone and no controller says where the database is now.
async fn nowhere(fleet: &Fleet) {
    fleet.controller.with(|table| {
        table.speechless = true;
        table.assign("shop", None);
    });
    fleet.servers[0].say(Say::Break);
    until("the sessions have ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
}

/// The next error, with all that it says.
async fn error(raw: &mut Raw) -> (String, String, String) {
    loop {
        let (tag, body) = raw.frame().await.expect("an answer");
        if let Message::ErrorResponse(fields) =
            Message::decode(wire::Frame { tag, body: &body }).expect("a message")
        {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            return (fields.code.to_string(), text(fields.detail), text(fields.hint));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_request_waits_so_long_and_not_longer() {
    let attach_timeout = Duration::from_secs(3);
    let fleet = Fleet::start_with(1, |settings| Settings { attach_timeout, ..settings }).await;
    let mut raw = session(&fleet).await;
    nowhere(&fleet).await;
    let begun = Instant::now();
    raw.query("select 1");
    let (code, detail, _) = error(&mut raw).await;
    assert_eq!(code, "57P03");
    assert!(detail.contains("attach_timeout_ms") && detail.contains("3s"), "{detail}");
    let took = begun.elapsed();
    assert!(took >= attach_timeout && took < attach_timeout + Duration::from_millis(100), "{took:?}");
    assert_eq!(raw.answer().await, ["Z I"]);
    fleet.controller.with(|table| table.speechless = false);
    assert!(raw.ask("select server").await.contains(&"s1".to_owned()), "the session goes on");
}

#[tokio::test]
async fn past_each_bound_a_request_fails_at_once_and_says_which_one_it_was() {
    type Adjust = fn(Settings) -> Settings;
    let more: [(&str, Adjust); 4] = [
        ("held_requests_max", |settings| Settings { held_requests_max: 1, ..settings }),
        ("held_requests_per_database_max", |settings| Settings {
            held_requests_per_database_max: 1,
            ..settings
        }),
        ("held_bytes_max", |settings| Settings { held_bytes_max: 60, ..settings }),
        ("held_bytes_per_database_max", |settings| Settings { held_bytes_per_database_max: 60, ..settings }),
    ];
    for (setting, adjust) in more {
        let fleet = Fleet::start_with(1, adjust).await;
        let (mut first, mut second) = (session(&fleet).await, session(&fleet).await);
        nowhere(&fleet).await;
        let sql = format!("select {}", "x".repeat(40));
        first.query(&sql);
        first.link.flush().await.expect("sent");
        until("it is held", || fleet.controller.with(|table| table.unheard > 0)).await;
        second.query(&sql);
        let (code, detail, hint) = error(&mut second).await;
        assert_eq!(code, "57P03");
        assert!(detail.contains(setting) && detail.contains("shop"), "{detail}");
        assert!(hint.contains("20s"), "{hint}");
        assert_eq!(second.answer().await, ["Z I"]);
        fleet.controller.with(|table| table.speechless = false);
        assert_eq!(first.answer().await.last().map(String::as_str), Some("Z I"), "what was held is served");
        assert!(second.ask("select 1").await.contains(&"select 1".into()), "and so is the next one");
    }
}

#[tokio::test]
async fn whoever_leaves_makes_room_and_whoever_cancels_goes_on() {
    let fleet = Fleet::start_with(1, |settings| Settings { held_requests_max: 1, ..settings }).await;
    let (mut first, mut second) = (session(&fleet).await, session(&fleet).await);
    nowhere(&fleet).await;
    first.query("select 1");
    first.link.flush().await.expect("sent");
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(first);
    // Refused as long as the first one has the place, and then held: nobody answers.
    loop {
        second.query("select 1");
        match tokio::time::timeout(Duration::from_millis(300), second.answer()).await {
            Ok(answer) => assert_eq!(answer, ["ERROR 57P03", "Z I"]),
            Err(_) => break,
        }
    }
    let (process_id, secret) = second.key.clone().expect("given in the greeting");
    let mut cancel = Raw::open(&fleet, "h1:1");
    startup::cancel(cancel.out(), startup::CancelKey { process_id, secret: &secret }).expect("4 bytes");
    assert_eq!(cancel.frame().await, None);
    assert_eq!(second.answer().await, ["ERROR 57014", "Z I"]);
    fleet.controller.with(|table| table.speechless = false);
    assert!(second.ask("select server").await.contains(&"s1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_new_owner_ends_every_wait_for_a_server_that_says_nothing() {
    let fleet = Fleet::start(2).await;
    let mut raws = Vec::new();
    for _ in 0..ATTACHES_PER_SERVER_MAX + 8 {
        raws.push(session(&fleet).await);
    }
    fleet.servers[0].mute.store(true, Ordering::SeqCst);
    fleet.servers[0].say(Say::Break);
    until("the sessions have ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
    for raw in &mut raws {
        raw.query("select server");
        raw.link.flush().await.expect("sent");
    }
    let muted = || fleet.servers[0].muted.load(Ordering::SeqCst) as usize;
    until("all who may are there", || muted() >= ATTACHES_PER_SERVER_MAX).await;
    assert_eq!(muted(), ATTACHES_PER_SERVER_MAX, "a server is not stampeded");
    let begun = Instant::now();
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    for raw in &mut raws {
        assert!(raw.answer().await.contains(&"s2".to_owned()));
    }
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    let routed = fleet.controller.with(|table| table.routed.len());
    assert!(routed < 5, "asked {routed} times");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_releases_those_who_have_none() {
    let fleet = Fleet::start(1).await;
    let mut raw = session(&fleet).await;
    fleet.kill(1);
    until("the session has ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
    raw.query("select server");
    raw.link.flush().await.expect("sent");
    // Long enough for its pauses to have become as long as they get.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let listener = fleet.net.listen("s2:1");
    super::server::Server::start(2, rpc::Secret::new([7; 32]), fleet.controller.clone(), listener);
    let begun = Instant::now();
    fleet.controller.with(|table| table.arrive(2));
    assert!(raw.answer().await.contains(&"s2".to_owned()));
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_handler_can_end_while_requests_are_held_and_settled() {
    let mut fleet =
        Fleet::start_with(1, |settings| Settings { drain_timeout: Duration::from_secs(1), ..settings }).await;
    let mut settling = session(&fleet).await;
    let mut waiting = session(&fleet).await;
    settling.query("wait");
    settling.link.flush().await.expect("sent");
    until("it waits", || fleet.servers[0].log().contains(&"wait".to_owned())).await;
    nowhere(&fleet).await;
    waiting.query("select 1");
    waiting.link.flush().await.expect("sent");
    tokio::time::sleep(Duration::from_millis(100)).await;
    fleet.shutdown.cancel();
    for raw in [&mut settling, &mut waiting] {
        assert_eq!(raw.answer().await, ["FATAL 57P01", "closed"]);
    }
    fleet.handlers.remove(0).await.expect("no panic").expect("no error");
}
