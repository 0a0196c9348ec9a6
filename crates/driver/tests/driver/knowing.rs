//! What a client knows and says.

use base64::{Engine, engine::general_purpose::STANDARD};
use directive::{
    Action, Outcome, Scope, Values,
    action::{Activate, DataSource, Deactivate, Information, SourceChange, Update, Urgency},
};
use driver::{Config, Driver};
use ed25519_dalek::{Signer, SigningKey};

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

#[tokio::test]
async fn r91_a_built_in_routine_is_switched_on_and_off_by_name() {
    let server = Server::start(breaking_reads()).await;
    let mut config = config(&server);
    config.policy.routines.insert("no_such".into());
    let error = Driver::new(config.clone()).err().expect("refused");
    assert!(error.to_string().contains("fail_fast"), "it says which there are: {error}");
    config.policy.routines = ["fail_fast".to_owned()].into();
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    assert_eq!(ask(&client, "SELECT 1").await.expect("sent again"), "ok");

    let activate =
        |routine: &str| Action::Activate(Activate { routine: routine.into(), parameters: Values::new() });
    for unknown in ["diagnostics", "no_such"] {
        let id = server.direct(Scope::everything(), 60_000, activate(unknown));
        let refused = server.acknowledgement(&id, |_| true).await;
        assert!(matches!(refused.outcome, Outcome::Refused { .. }), "{unknown}: {refused:?}");
    }
    let id = server.direct(Scope::everything(), 60_000, activate("fail_fast"));
    server.acknowledgement(&id, |one| matches!(one.outcome, Outcome::Applied { .. })).await;
    ask(&client, "SELECT 1").await.expect_err("it fails at once");
    assert_eq!(ask(&client, "SELECT 1").await.expect("on another session"), "ok");
    let off = Action::Deactivate(Deactivate { routine: "fail_fast".into() });
    let id = server.direct(Scope::everything(), 60_000, off);
    server.acknowledgement(&id, |one| matches!(one.outcome, Outcome::Applied { .. })).await;
    assert_eq!(ask(&client, "SELECT 1").await.expect("sent again, as before"), "ok");
}

#[tokio::test]
async fn r82_a_newer_driver_is_told_to_people_when_its_signature_is_right_and_never_installed() {
    let server = Server::plain().await;
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut config = config(&server);
    config.policy.keys.insert("ops".into(), key.verifying_key().to_bytes());
    let driver = Driver::new(config).expect("a driver");
    let _client = driver.connect().await.expect("connected");
    let sha256 = "ab".repeat(32);
    let signed = format!("stationmaster update 1\n9.1\nrecommended\n{sha256}");
    let update = |signature: [u8; 64]| {
        let signature = STANDARD.encode(signature);
        Action::Update(Update {
            version: "9.1".into(),
            urgency: Urgency::Recommended,
            sha256: sha256.clone(),
            key: "ops".into(),
            signature,
        })
    };
    let id = server.direct(Scope::everything(), 60_000, update([3; 64]));
    let refused = server.acknowledgement(&id, |_| true).await;
    assert!(matches!(refused.outcome, Outcome::Refused { .. }), "{refused:?}");
    assert!(driver.update().is_none());
    let right = key.sign(signed.as_bytes()).to_bytes();
    let id = server.direct(Scope::everything(), 60_000, update(right));
    server.acknowledgement(&id, |one| matches!(one.outcome, Outcome::Applied { .. })).await;
    assert_eq!(driver.update().expect("advised").version, "9.1");
}

/// Every other read meets a broken connection.
fn breaking_reads() -> impl FnMut(&str) -> Reply + Send + 'static {
    let mut count = 0;
    move |_| {
        count += 1;
        if count % 2 == 1 { Reply::Break } else { Reply::Rows(vec!["ok".into()]) }
    }
}
