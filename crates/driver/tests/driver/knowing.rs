//! What a client knows and says.

use directive::{
    Action, Outcome, Scope, Values,
    action::{DataSource, Information, SourceChange},
};
use driver::{Config, Driver};

use super::{LONG, Reply, Server, ask, config, connect, until};

#[tokio::test]
async fn s9_a_client_announces_itself_unless_its_owner_says_otherwise() {
    let server = Server::plain().await;
    let mut config = config(&server);
    config.postgres.options("-c app.x=1");
    config.location = Some("zone-b".into());
    let _client = Driver::new(config.clone()).expect("a driver").connect().await.expect("connected");
    let options = server.started().remove(0).remove("options").expect("options");
    assert!(options.starts_with("-c app.x=1 -c stationmaster.directives=1;session="), "{options}");
    assert!(options.contains(";location=zone-b"), "{options}");
    config.directives = false;
    let _client = Driver::new(config.clone()).expect("a driver").connect().await.expect("connected");
    assert_eq!(server.started()[1]["options"], "-c app.x=1");
    config.location = Some("no name".into());
    let error = Driver::new(config).err().expect("refused");
    assert!(error.to_string().starts_with("configuration: location"), "{error}");
}

#[tokio::test]
async fn r74_information_is_there_to_be_read_and_changes_nothing() {
    let server = Server::plain().await;
    let (driver, client) = connect(&server).await;
    let values = Values::from([("at".to_owned(), "noon".to_owned())]);
    let information = Information { topic: "maintenance".into(), text: "s2 restarts".into(), values };
    let id = server.direct(Scope::everything(), 60_000, Action::Information(information.clone()));
    let applied = server.acknowledgement(&id, |_| true).await;
    assert_eq!(applied.outcome, Outcome::Applied { lifetime_ms: 60_000 });
    assert_eq!(driver.information(), [information]);
    ask(&client, "SELECT 1").await.expect("as ever");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn r66_the_state_before_and_after_is_readable_and_acknowledged() {
    let server = Server::plain().await;
    let (driver, _client) = connect(&server).await;
    assert!(driver.status().directives.in_force.is_empty());
    let information = Information { topic: "x".into(), text: "y".into(), values: Values::new() };
    let id = server.direct(Scope::everything(), 500, Action::Information(information));
    server.acknowledgement(&id, |one| matches!(one.outcome, Outcome::Applied { .. })).await;
    server.acknowledgement(&id, |one| one.outcome == Outcome::Expired).await;
    assert!(driver.status().directives.in_force.is_empty());
    let shown = serde_json::to_value(driver.status()).expect("it serializes");
    assert_eq!(shown["directives"]["expired"], 1);
}

#[tokio::test]
async fn r87_r88_a_logical_name_leads_where_a_directive_says_and_back() {
    let answer = |name: &'static str| move |_: &str| Reply::Rows(vec![name.into()]);
    let (first, second) = (Server::start(answer("first")).await, Server::start(answer("second")).await);
    let mut config = Config { call_timeout: LONG, ..first.config().parse().expect("a connection string") };
    config
        .sources
        .insert("orders".into(), "host=127.0.0.1 dbname=orders".parse().expect("a connection string"));
    config.sources.get_mut("orders").expect("it is there").port(first.address.port());
    config.policy.addresses.0.insert("127.0.0.1".into());
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect_to("orders").await.expect("connected");
    assert_eq!(ask(&client, "SELECT 1").await.expect("answered"), "first");
    assert_eq!(first.started()[0]["database"], "orders");
    let change = |version, change| Action::DataSource(DataSource { name: "orders".into(), version, change });
    let port = ("port".to_owned(), second.address.port().to_string());
    let there = Values::from([("host".to_owned(), "127.0.0.1".to_owned()), port]);
    let id = first.direct(Scope::everything(), 60_000, change(1, SourceChange::Set(there)));
    first.acknowledgement(&id, |_| true).await;
    let next = driver.connect_to("orders").await.expect("connected");
    assert_eq!(ask(&next, "SELECT 1").await.expect("answered"), "second");
    assert_eq!(second.started()[0]["database"], "orders");
    assert_eq!(ask(&client, "SELECT 1").await.expect("the old one goes on"), "first");
    assert_eq!(driver.status().directives.sources["orders"], [1]);
    let id = first.direct(Scope::everything(), 60_000, change(2, SourceChange::Remove));
    first.acknowledgement(&id, |_| true).await;
    let back = driver.connect_to("orders").await.expect("connected");
    assert_eq!(ask(&back, "SELECT 1").await.expect("answered"), "first");
    until(|| driver.status().clients.len() == 3, || format!("{:?}", driver.status())).await;
}
