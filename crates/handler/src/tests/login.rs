//! Start-up and authentication.

use wire::{
    backend::Message,
    frontend::{self, sasl},
    startup,
};

use super::{
    Fleet, Raw,
    client::{ask, code, connect_as},
    fleet::until,
};

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let fleet = Fleet::start(1).await;
    for user in ["ann", "nobody"] {
        let error = connect_as(&fleet, "h1:1", "shop", user, "wrong").await.expect_err("refused");
        assert_eq!(code(&error), "28P01");
        let told = error.as_db_error().expect("told");
        assert_eq!(told.message(), format!("password authentication failed for user \"{user}\""));
    }
    assert_eq!(fleet.servers[0].sessions_started(), 0, "no server was asked for");
}

#[tokio::test]
async fn a_changed_password_counts_from_the_next_login_on() {
    let fleet = Fleet::start(1).await;
    let verifier = wire::scram::Verifier::new("new", &[2; 16], 4).expect("in bounds").to_string();
    fleet.controller.with(|table| table.put_user("ann", Some(&verifier)));
    let mut accepted = false;
    while !accepted {
        accepted = connect_as(&fleet, "h1:1", "shop", "ann", "new").await.is_ok();
    }
    connect_as(&fleet, "h1:1", "shop", "ann", "secret").await.expect_err("the old one is void");
    fleet.controller.with(|table| table.put_user("ann", None));
    while connect_as(&fleet, "h1:1", "shop", "ann", "new").await.is_ok() {}
}

#[tokio::test]
async fn encryption_is_refused_politely() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::open(&fleet, "h1:1");
    for ask in [startup::gss_encryption, startup::ssl] {
        ask(raw.out());
        raw.link.flush().await.expect("sent");
        assert!(raw.link.fill().await.expect("open"));
        assert_eq!(raw.link.inbox.split().as_ref(), b"N");
    }
    startup::start(raw.out(), 0, [("user", "ann"), ("database", "shop")]).expect("short");
    raw.log_in("secret").await;
    assert_eq!(raw.answer().await.last().map(String::as_str), Some("Z I"));
}

#[tokio::test]
async fn a_newer_protocol_and_unknown_options_are_negotiated() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::open(&fleet, "h1:1");
    let parameters = [("user", "ann"), ("database", "shop"), ("_pq_.thing", "1")];
    startup::start(raw.out(), 9, parameters).expect("short");
    let (tag, body) = raw.frame().await.expect("an answer");
    match Message::decode(wire::Frame { tag, body: &body }) {
        Ok(Message::NegotiateProtocolVersion(negotiation)) => {
            assert_eq!(negotiation.minor, 2);
            assert_eq!(negotiation.refused().collect::<Vec<_>>(), ["_pq_.thing"]);
        }
        other => panic!("{other:?}"),
    }
    raw.log_in("secret").await;
    assert_eq!(raw.answer().await.last().map(String::as_str), Some("Z I"));
    let started = fleet.servers[0].started.lock().expect("no panics").clone();
    assert!(!started[0].contains_key("_pq_.thing"));
}

#[tokio::test]
async fn private_parameters_and_replication_are_refused() {
    let fleet = Fleet::start(1).await;
    for (parameter, code) in [
        (("_stationmaster.user", "root"), "FATAL 42501"),
        (("_Stationmaster.epoch", "9"), "FATAL 42501"),
        (("options", "-c _stationmaster.epoch=9"), "FATAL 42501"),
        (("options", "-x"), "FATAL 42601"),
        (("replication", "database"), "FATAL 0A000"),
    ] {
        let mut raw = Raw::open(&fleet, "h1:1");
        startup::start(raw.out(), 0, [("user", "ann"), parameter]).expect("short");
        assert_eq!(raw.answer().await, [code, "closed"], "{parameter:?}");
    }
}

#[tokio::test]
async fn the_database_is_the_one_named_like_the_user_by_default() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::open(&fleet, "h1:1");
    startup::start(raw.out(), 0, [("user", "ann")]).expect("short");
    raw.log_in("secret").await;
    assert_eq!(raw.answer().await, ["FATAL 3D000", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_authenticate_in_time_is_told_and_cut_off() {
    let fleet = Fleet::start(1).await;
    let mut silent = Raw::open(&fleet, "h1:1");
    let mut stuck = Raw::open(&fleet, "h1:1");
    startup::start(stuck.out(), 0, [("user", "ann")]).expect("short");
    assert_eq!(stuck.frame().await.expect("the question").0, b'R');
    let begun = tokio::time::Instant::now();
    // The harness waits as long as the handler does.
    tokio::time::sleep(std::time::Duration::from_secs(9)).await;
    for raw in [&mut silent, &mut stuck] {
        assert_eq!(raw.answer().await, ["FATAL 08000", "closed"]);
    }
    assert!(begun.elapsed() >= std::time::Duration::from_secs(10));
}

#[tokio::test]
async fn strangers_are_bounded_and_do_not_take_the_room_of_users() {
    let fleet = Fleet::start_with(1, |settings| crate::Settings { unauthenticated_max: 3, ..settings }).await;
    let user = connect_as(&fleet, "h1:1", "shop", "ann", "secret").await.expect("connected");
    let strangers: Vec<Raw> = (0..3).map(|_| Raw::open(&fleet, "h1:1")).collect();
    let mut refused = Raw::open(&fleet, "h1:1");
    assert_eq!(refused.answer().await, ["FATAL 53300", "closed"]);
    assert_eq!(ask(&user, "select server").await, "s1");
    drop(strangers);
    let mut tries = 0;
    while connect_as(&fleet, "h1:1", "shop", "ann", "secret").await.is_err() {
        tries += 1;
        assert!(tries < 1_000, "the places of those who left are never free again");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn sessions_are_bounded() {
    let fleet = Fleet::start_with(1, |settings| crate::Settings { sessions_max: 2, ..settings }).await;
    let one = connect_as(&fleet, "h1:1", "shop", "ann", "secret").await.expect("connected");
    let _two = connect_as(&fleet, "h1:1", "stationmaster", "ann", "secret").await.expect("connected");
    let error = connect_as(&fleet, "h1:1", "shop", "ann", "secret").await.expect_err("full");
    assert_eq!(code(&error), "53300");
    drop(one);
    until("the session ends", || *fleet.servers[0].sessions.borrow() == 0).await;
    while connect_as(&fleet, "h1:1", "shop", "ann", "secret").await.is_err() {}
}

#[tokio::test]
async fn other_mechanisms_and_other_messages_are_refused() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::open(&fleet, "h1:1");
    startup::start(raw.out(), 0, [("user", "ann")]).expect("short");
    raw.frame().await.expect("the question");
    sasl::initial_response(raw.out(), "SCRAM-SHA-256-PLUS", Some(b"p=x,,n=,r=a")).expect("short");
    assert_eq!(raw.answer().await, ["FATAL 0A000", "closed"]);

    let mut raw = Raw::open(&fleet, "h1:1");
    startup::start(raw.out(), 0, [("user", "ann")]).expect("short");
    raw.frame().await.expect("the question");
    frontend::query(raw.out(), "select 1").expect("short");
    assert_eq!(raw.answer().await, ["FATAL 08P01", "closed"]);
}
