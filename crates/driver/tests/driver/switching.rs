//! Moving a session to another server without the application noticing.

use directive::{
    Action, Outcome, Scope,
    action::{Pinned, Switch, SwitchTo},
};
use driver::{Config, Driver};

use super::{LONG, Reply, Server, ask, config, until};

struct Pair {
    old: Server,
    new: Server,
    driver: Driver,
    client: driver::Client,
}

fn named(name: &'static str) -> impl FnMut(&str) -> Reply + Send + 'static {
    move |_| Reply::Rows(vec![name.into()])
}

async fn pair() -> Pair {
    let (old, new) = (Server::start(named("old")).await, Server::start(named("new")).await);
    let mut config = config(&old);
    config.policy.addresses.0.insert(new.address.to_string());
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    Pair { old, new, driver, client }
}

impl Pair {
    fn switch(&self, pinned: Pinned) -> String {
        let to = SwitchTo::Address(self.new.address.to_string());
        let scope = Scope::server(self.old.address.to_string());
        self.old.direct(scope, 60_000, Action::Switch(Switch { to, pinned }))
    }

    async fn outcome(&self, id: &str) -> Outcome {
        let end = |one: &directive::Acknowledgement| !matches!(one.outcome, Outcome::Applied { .. });
        self.old.acknowledgement(id, end).await.outcome
    }

    async fn where_is(&self) -> String {
        ask(&self.client, "SELECT name").await.expect("answered")
    }
}

#[tokio::test]
async fn r75_a_session_moves_between_calls_with_its_settings_and_statements() {
    let pair = pair().await;
    pair.client.batch_execute("SET app.zone = 'b'").await.expect("set");
    let statement = pair.client.prepare("SELECT $1").await.expect("prepared");
    let id = pair.switch(Pinned::Wait);
    assert_eq!(pair.outcome(&id).await, Outcome::Done);
    assert_eq!(pair.where_is().await, "new");
    assert_eq!(ask(&pair.client, "SHOW app.zone").await.expect("shown"), "b");
    let row = pair.client.query_one(&statement, &[&"x"]).await.expect("prepared again");
    assert_eq!(row.get::<_, String>(0), "new");
    let status = pair.driver.status();
    assert_eq!((status.counts.switches, status.counts.failed), (1, 0));
    assert_eq!(status.clients[0].last_switch.as_deref(), Some(format!("{id}: done").as_str()));
    assert_eq!(pair.old.accepted() + pair.new.accepted(), 2);
}

#[tokio::test]
async fn r75_a_transaction_is_never_moved_and_the_move_waits_for_it() {
    let mut pair = pair().await;
    let client = pair.client.clone();
    let transaction = pair.client.transaction().await.expect("begun");
    let id = {
        let to = SwitchTo::Address(pair.new.address.to_string());
        let scope = Scope::server(pair.old.address.to_string());
        pair.old.direct(scope, 60_000, Action::Switch(Switch { to, pinned: Pinned::Wait }))
    };
    until(|| !pair.driver.status().directives.in_force.is_empty(), || format!("{:?}", pair.driver.status()))
        .await;
    for _ in 0..20 {
        let row = transaction.query_one("SELECT name", &[]).await.expect("answered");
        assert_eq!(row.get::<_, String>(0), "old");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    transaction.commit().await.expect("kept");
    assert_eq!(pair.old.count("COMMIT"), 1);
    let end = |one: &directive::Acknowledgement| one.outcome == Outcome::Done;
    pair.old.acknowledgement(&id, end).await;
    assert_eq!(ask(&client, "SELECT name").await.expect("answered"), "new");
}

#[tokio::test]
async fn r75_what_cannot_be_moved_is_waited_for_or_left_as_the_directive_says() {
    let pair = pair().await;
    pair.client.batch_execute("CREATE TEMP TABLE x (a int)").await.expect("made");
    let id = pair.switch(Pinned::Stay);
    assert!(matches!(pair.outcome(&id).await, Outcome::Failed { .. }));
    assert_eq!(pair.where_is().await, "old");
    let id = pair.switch(Pinned::Wait);
    until(|| pair.driver.status().directives.applied == 2, || format!("{:?}", pair.driver.status())).await;
    assert_eq!(pair.where_is().await, "old");
    pair.client.batch_execute("DISCARD ALL").await.expect("dropped");
    assert_eq!(pair.outcome(&id).await, Outcome::Done);
    assert_eq!(pair.where_is().await, "new");
}

#[tokio::test]
async fn r75_a_server_that_cannot_be_made_the_same_is_not_moved_to() {
    let old = Server::start(named("old")).await;
    let new =
        Server::start(|sql| if sql.starts_with("SET") { Reply::Error("42704") } else { Reply::Done("OK") })
            .await;
    let mut config = config(&old);
    config.policy.addresses.0.insert(new.address.to_string());
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    // The scripted server keeps only settings in its own words, and asks its script about others.
    client.batch_execute("SET SESSION app.zone TO 'b'").await.expect("set");
    let pair = Pair { old, new, driver, client };
    let id = pair.switch(Pinned::Wait);
    assert!(matches!(pair.outcome(&id).await, Outcome::Failed { .. }));
    assert_eq!(pair.where_is().await, "old");
}

#[tokio::test]
async fn r13_r89_only_to_addresses_that_the_owner_named() {
    let pair = pair().await;
    let to = SwitchTo::Address("127.0.0.1:1".into());
    let switch = Action::Switch(Switch { to, pinned: Pinned::Wait });
    let id = pair.old.direct(Scope::everything(), 60_000, switch);
    assert!(matches!(pair.outcome(&id).await, Outcome::Refused { .. }));
    assert_eq!(pair.where_is().await, "old");
}

#[tokio::test]
async fn r75_no_call_fails_while_clients_are_moved_to_and_fro() {
    let (one, two) = (Server::start(named("one")).await, Server::start(named("two")).await);
    let mut config: Config = one.config().parse().expect("a connection string");
    config.call_timeout = LONG;
    config.policy.addresses.0.insert(two.address.to_string());
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    client.batch_execute("SET app.zone = 'b'").await.expect("set");
    let load = tokio::spawn({
        let client = client.clone();
        let driver = driver.clone();
        async move {
            let mut calls = 0;
            while driver.status().counts.switches < 6 {
                assert_eq!(ask(&client, "SHOW app.zone").await.expect("no error"), "b");
                client.execute("INSERT INTO t VALUES (1)", &[]).await.expect("no error");
                calls += 1;
            }
            calls
        }
    });
    for round in 0..6 {
        let (from, to) = if round % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let switch = Switch { to: SwitchTo::Address(to.address.to_string()), pinned: Pinned::Wait };
        let scope = Scope::server(from.address.to_string());
        from.direct_as(&format!("round-{round}"), round + 1, scope, 60_000, Action::Switch(switch));
        let moved = || client.address() == to.address.to_string();
        until(moved, || format!("round {round}: {:?}", driver.status())).await;
    }
    let calls: usize = load.await.expect("no call failed");
    let written = one.count("INSERT INTO t VALUES (1)") + two.count("INSERT INTO t VALUES (1)");
    assert_eq!(written, calls, "each write once");
}
