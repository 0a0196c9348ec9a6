//! Views, fan-out and pools.

use std::sync::{Arc, Mutex};

use directive::{
    Action, Outcome, Scope, Values,
    action::{DataSource, FanOut, Flush, KeyRange, Part, Partitioning, Refresh, SourceChange},
};
use driver::{
    Driver, Error,
    pool::{Manager, Pool},
};

use super::{Reply, Server, ask, config, connect};

#[tokio::test]
async fn r84_r85_a_view_is_read_again_as_a_whole_or_in_part() {
    let rows = Arc::new(Mutex::new(vec!["a".to_owned(), "b".into(), "c".into()]));
    let table = rows.clone();
    let server = Server::start(move |sql| {
        let rows = table.lock().expect("no panics").clone();
        Reply::Rows(rows.into_iter().filter(|key| sql == "SELECT all" || key.starts_with('b')).collect())
    })
    .await;
    let (driver, client) = connect(&server).await;
    let view = driver.view("items", &client, "SELECT all", "SELECT portion $1 $2");
    let refresh = async |portion| {
        let action = Action::Refresh(Refresh { view: "items".into(), portion });
        let id = server.direct(Scope::everything(), 60_000, action);
        server.acknowledgement(&id, |one| one.outcome == Outcome::Done).await;
    };
    assert_eq!(view.rows().await.expect("rows").len(), 3);
    assert!(view.get("b").await.expect("read").is_some() && view.get("x").await.expect("read").is_none());
    assert_eq!(view.rows_read(), 3, "what is cached is not read");
    rows.lock().expect("no panics").insert(2, "bb".into());
    refresh(Some(KeyRange { from: "b".into(), to: Some("c".into()) })).await;
    assert_eq!(view.rows().await.expect("rows").len(), 4);
    assert_eq!(view.rows_read(), 5, "the portion has two rows");
    rows.lock().expect("no panics").clear();
    refresh(None).await;
    assert!(view.rows().await.expect("rows").is_empty());
    let action = Action::Refresh(Refresh { view: "nobody".into(), portion: None });
    let id = server.direct(Scope::everything(), 60_000, action);
    server.acknowledgement(&id, |one| matches!(one.outcome, Outcome::Failed { .. })).await;
}

#[tokio::test]
async fn r83_a_flush_forgets_what_is_known_about_servers() {
    let server = Server::plain().await;
    let (driver, _client) = connect(&server).await;
    let id = server.direct(Scope::everything(), 60_000, Action::Flush(Flush { keys: None }));
    server.acknowledgement(&id, |one| one.outcome == Outcome::Done).await;
    assert!(driver.status().left_alone.is_empty());
}

fn map(version: u64, parts: &[(&str, &str)]) -> Action {
    let part = |(from, database): &(&str, &str)| Part { from: (*from).into(), database: (*database).into() };
    let parts = parts.iter().map(part).collect();
    Action::FanOut(FanOut { table: "items".into(), version, by: Partitioning::Range, parts })
}

#[tokio::test]
async fn r86_a_fan_out_query_follows_the_pushed_map_and_refuses_an_old_one() {
    let server = Server::plain().await;
    let (driver, _client) = connect(&server).await;
    let items = driver.fan_out("items");
    assert!(matches!(items.query("SELECT v", &[]).await, Err(Error::Unknown { .. })));
    for (version, parts) in [
        (1, &[("", "one"), ("m", "two")][..]),
        (2, &[("", "one"), ("f", "three"), ("m", "two"), ("t", "four")]),
    ] {
        let id = server.direct(Scope::everything(), 60_000, map(version, parts));
        server.acknowledgement(&id, |_| true).await;
        assert_eq!(items.version().expect("a map"), version);
        assert_eq!(items.query("SELECT v", &[]).await.expect("rows").len(), parts.len());
    }
    let stale = items.locate("zebra", 1).await.err().expect("refused");
    assert!(matches!(stale, Error::StaleMap { given: 1, present: 2, .. }), "{stale:?}");
    ask(&items.locate("zebra", 2).await.expect("found"), "SELECT 1").await.expect("answered");
    let databases: Vec<_> = server.started().iter().map(|one| one["database"].clone()).collect();
    assert_eq!(databases.len(), 5, "a session for each database and the first one: {databases:?}");
}

#[tokio::test]
async fn r64_r88_a_pool_reuses_clients_until_their_name_leads_elsewhere() {
    let server = Server::plain().await;
    let mut config = config(&server);
    config.policy.addresses.0.insert("127.0.0.1".into());
    let driver = Driver::new(config).expect("a driver");
    let pool = Pool::builder(Manager::of_source(driver, "orders")).max_size(2).build().expect("a pool");
    for _ in 0..5 {
        ask(&pool.get().await.expect("a client"), "SELECT 1").await.expect("answered");
    }
    assert_eq!(server.accepted(), 1);
    server.break_all();
    ask(&pool.get().await.expect("a client"), "SELECT 1").await.expect("it opens its session again");
    assert_eq!((server.accepted(), pool.status().size), (2, 1));
    let there = Values::from([("dbname".to_owned(), "elsewhere".to_owned())]);
    let change = DataSource { name: "orders".into(), version: 1, change: SourceChange::Set(there) };
    let id = server.direct(Scope::everything(), 60_000, Action::DataSource(change));
    server.acknowledgement(&id, |_| true).await;
    ask(&pool.get().await.expect("a client"), "SELECT 1").await.expect("answered");
    assert_eq!(server.started().last().expect("one")["database"], "elsewhere");
}
