//! Cancel requests through any handler.

use model::{HandlerId, Name};
use wire::startup::{self, CancelKey};

use super::{Fleet, Raw, fleet::until};

async fn send_cancel(fleet: &Fleet, handler: &str, process_id: u32, secret: &[u8]) {
    let mut raw = Raw::open(fleet, handler);
    startup::cancel(raw.out(), CancelKey { process_id, secret }).expect("4 bytes");
    assert_eq!(raw.frame().await, None, "a cancel request is never answered");
}

/// A session with a request under way, and its key.
async fn waiting(fleet: &Fleet) -> (Raw, u32, Vec<u8>) {
    let mut raw = Raw::connect(fleet, "h1:1", &[("database", "shop")]).await;
    let (process_id, secret) = raw.key.clone().expect("given in the greeting");
    raw.query("wait");
    raw.link.flush().await.expect("sent");
    until("it waits", || fleet.servers[0].log().last().is_some_and(|sql| sql == "wait")).await;
    (raw, process_id, secret)
}

#[tokio::test]
async fn a_request_is_canceled_through_its_own_handler_and_through_any_other() {
    let mut fleet = Fleet::start(1).await;
    fleet.add_handler(|settings| settings).await;
    for handler in ["h1:1", "h2:1"] {
        let (mut raw, process_id, secret) = waiting(&fleet).await;
        send_cancel(&fleet, handler, process_id, &secret).await;
        assert_eq!(raw.answer().await, ["ERROR 57014", "Z I"], "through {handler}");
    }
}

/// A restored map gives the ids of handlers that it does not know to others.
#[tokio::test]
async fn handlers_that_a_restored_map_does_not_know_register_again_and_keys_go_on_working() {
    let mut fleet = Fleet::start(1).await;
    fleet.add_handler(|settings| settings).await;
    let before = waiting(&fleet).await;
    fleet.controller.with(|table| {
        table.restore();
        table.add_handler(Name::new("h9").expect("a name"), "h9:1".into(), String::new());
    });
    until("both are known again", || {
        fleet.controller.with(|table| {
            ["h1:1", "h2:1"].iter().all(|address| table.handlers.iter().any(|info| info.address == *address))
        })
    })
    .await;
    let ids =
        fleet.controller.with(|table| table.handlers.iter().map(|info| info.handler).collect::<Vec<_>>());
    assert_eq!(ids, [1, 2, 3].map(HandlerId));
    let after = waiting(&fleet).await;
    for (mut raw, process_id, secret) in [before, after] {
        send_cancel(&fleet, "h1:1", process_id, &secret).await;
        assert_eq!(raw.answer().await, ["ERROR 57014", "Z I"]);
    }
}

#[tokio::test]
async fn a_wrong_key_cancels_nothing() {
    let fleet = Fleet::start(1).await;
    let (mut raw, process_id, mut secret) = waiting(&fleet).await;
    secret[0] ^= 1;
    send_cancel(&fleet, "h1:1", process_id, &secret).await;
    send_cancel(&fleet, "h1:1", process_id ^ 0x7fff_0000, &secret).await;
    send_cancel(&fleet, "h1:1", process_id, &[0; 7]).await;
    fleet.servers[0].go.notify_one();
    assert_eq!(raw.answer().await, ["WAIT", "Z I"]);
}

#[tokio::test]
async fn after_a_move_the_key_reaches_the_new_server() {
    let fleet = Fleet::start(2).await;
    let mut raw = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    let (process_id, secret) = raw.key.clone().expect("given in the greeting");
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    fleet.servers[0].say(super::server::Say::Moved);
    raw.ask("select 1").await;
    raw.query("wait");
    raw.link.flush().await.expect("sent");
    until("it waits", || fleet.servers[1].log().last().is_some_and(|sql| sql == "wait")).await;
    send_cancel(&fleet, "h1:1", process_id, &secret).await;
    assert_eq!(raw.answer().await, ["ERROR 57014", "Z I"]);
}
