//! Not connecting, waiting or failing, and keeping to a rate.

use std::time::{Duration, Instant};

use directive::{
    Action, Outcome, Scope,
    action::{Excess, Hold, Operations, Rate, Resume},
};
use driver::{Advice, Config, Driver, Error};

use super::{LONG, Server, ask, config, connect, until};

fn hold() -> Action {
    Action::Hold(Hold { spread_ms: 0 })
}

fn here(server: &Server) -> Scope {
    Scope::server(server.address.to_string())
}

#[tokio::test]
async fn r70_nothing_is_connected_to_during_a_hold_and_a_call_waits_it_out() {
    let server = Server::plain().await;
    let (driver, client) = connect(&server).await;
    let began = Instant::now();
    let id = server.direct(here(&server), 2_000, hold());
    server.acknowledgement(&id, |one| matches!(one.outcome, Outcome::Applied { lifetime_ms: 2_000 })).await;
    server.break_all();
    assert_eq!(ask(&client, "SELECT 1").await.expect("it waited"), "ok");
    // The hold began after `began`, so the second connection came no earlier than that.
    assert!(began.elapsed() >= Duration::from_millis(1_900), "after {:?}", began.elapsed());
    assert_eq!(server.accepted(), 2);
    assert!(driver.status().directives.in_force.is_empty());
}

#[tokio::test]
async fn r70_a_hold_ends_early_when_the_server_says_so() {
    let held = Server::plain().await;
    let mut config = config(&held);
    config.policy.wait_ms_max = 60_000;
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    held.direct(here(&held), 60_000, hold());
    until(|| driver.status().directives.in_force.len() == 1, || format!("{:?}", driver.status())).await;
    let waiting = tokio::spawn({
        let driver = driver.clone();
        async move { driver.connect().await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    assert_eq!(held.accepted(), 1);
    held.direct(here(&held), 60_000, Action::Resume(Resume { spread_ms: 0 }));
    waiting.await.expect("no panic").expect("connected");
    assert_eq!(held.accepted(), 2);
    drop(client);
}

#[tokio::test]
async fn r69_r71_a_call_that_is_forbidden_fails_at_once_when_the_hold_outlasts_its_deadline() {
    let server = Server::plain().await;
    let (driver, client) = connect(&server).await;
    server.direct(here(&server), 60_000, hold());
    until(|| driver.status().directives.in_force.len() == 1, || format!("{:?}", driver.status())).await;
    assert_eq!(ask(&client, "SELECT 1").await.expect("an open session goes on"), "ok");
    server.break_all();
    let began = Instant::now();
    let error = ask(&client.within(Duration::from_secs(20)), "SELECT 1").await.expect_err("held");
    assert!(began.elapsed() < Duration::from_secs(15), "it did not wait: {:?}", began.elapsed());
    let Error::Held { reason, retry_in, .. } = &error else { panic!("{error:?}") };
    assert_eq!(reason, "a test");
    assert!(*retry_in > Duration::from_secs(30));
    assert!(matches!(error.advice(), Advice::RetryIn(_)));
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn r70_a_hold_of_one_server_leaves_the_others() {
    let (held, other) = (Server::plain().await, Server::plain().await);
    let hosts = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} user=alice dbname=shop",
        held.address.port(),
        other.address.port()
    );
    let config = Config { call_timeout: LONG, ..hosts.parse().expect("a connection string") };
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    assert_eq!(client.address(), held.address.to_string());
    held.direct(here(&held), 60_000, hold());
    until(|| driver.status().directives.in_force.len() == 1, || format!("{:?}", driver.status())).await;
    held.break_all();
    ask(&client, "SELECT 1").await.expect("the other one answers");
    assert_eq!(client.address(), other.address.to_string());
    assert_eq!(held.accepted(), 1);
}

#[tokio::test]
async fn r89_the_owner_of_the_client_has_the_last_word() {
    let server = Server::plain().await;
    let mut config = config(&server);
    config.policy.allow = config.policy.allow.without(directive::Kind::Hold);
    config.policy.hold_ms_max = 10;
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    let id = server.direct(here(&server), 60_000, hold());
    let refused = server.acknowledgement(&id, |_| true).await;
    assert!(matches!(refused.outcome, Outcome::Refused { .. }), "{refused:?}");
    assert_eq!(driver.status().directives.refused.values().sum::<u64>(), 1);
    let started = server.started().remove(0);
    assert!(!started["options"].contains("hold"), "what is not allowed is not announced: {started:?}");
    server.break_all();
    ask(&client, "SELECT 1").await.expect("it is not held");
}

#[tokio::test]
async fn r69_r81_operations_above_the_rate_wait_or_fail_as_the_directive_says() {
    let server = Server::plain().await;
    let (driver, client) = connect(&server).await;
    let rate = |excess, burst| {
        Action::Rate(Rate { per_second: Some(20), burst: Some(burst), excess, of: Operations::All })
    };
    let id = server.direct(here(&server), 600_000, rate(Excess::Wait, 1));
    server.acknowledgement(&id, |_| true).await;
    let began = Instant::now();
    for _ in 0..11 {
        ask(&client, "SELECT 1").await.expect("it waits for its turn");
    }
    assert!(began.elapsed() >= Duration::from_millis(450), "ten pauses of 50 ms: {:?}", began.elapsed());
    let id = server.direct(here(&server), 600_000, rate(Excess::Fail, 1));
    server.acknowledgement(&id, |_| true).await;
    let mut refused = 0;
    for _ in 0..50 {
        if let Err(error) = ask(&client, "SELECT 1").await {
            let Error::Limited { reason, retry_in } = &error else { panic!("{error:?}") };
            assert_eq!(reason, "a test");
            assert!(*retry_in <= Duration::from_millis(50), "{retry_in:?}");
            refused += 1;
        }
    }
    assert!(refused > 0);
    let lifted = Rate { per_second: None, burst: None, excess: Excess::Wait, of: Operations::All };
    let id = server.direct(here(&server), 600_000, Action::Rate(lifted));
    server.acknowledgement(&id, |_| true).await;
    for _ in 0..50 {
        ask(&client, "SELECT 1").await.expect("no limit any more");
    }
    assert_eq!(driver.status().counts.calls, 111);
}
