//! Every decision is explained: what was done, why, on what evidence, the epochs before and after (S10).

use rpc::controller::{DatabaseRef, Operation};
use serde_json::Value;
use tests::{Cluster, Running, until};

const FROM_THE_BEGINNING: [&str; 2] = ["--since", "1970-01-01T00:00:00Z"];

fn told(cluster: &Cluster, database: &str) -> Vec<Value> {
    let command = ["events", "--json", "--limit", "10000", "--database", database];
    let events = cluster.cli().run(&[&command[..], &FROM_THE_BEGINNING].concat()).json();
    events.as_array().expect("a list").clone()
}

fn followed(following: &Running) -> Vec<Value> {
    let lines = following.lines();
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

fn is(event: &Value, what: &str, causes: &[&str]) -> bool {
    event["what"] == what && (causes.is_empty() || causes.iter().any(|cause| event["cause"] == *cause))
}

/// Waits until something was told after `after` events.
async fn wait_for(cluster: &Cluster, after: usize, what: &str, causes: &[&str]) -> Value {
    until(&format!("{what} because of {causes:?} is told"), async || {
        let events = told(cluster, "chronicle");
        let found = events.iter().skip(after).find(|event| is(event, what, causes)).cloned();
        found.ok_or_else(|| format!("{events:#?}"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_to_a_database_is_told_with_causes_through_every_failure_s10_c17() {
    let cluster = Cluster::builder().start().await;
    let cli = cluster.cli();
    cli.run(&["databases", "create", "chronicle"]).ok();
    let command = [&["events", "--follow", "--json", "--database", "chronicle"][..], &FROM_THE_BEGINNING];
    let following = cli.spawn(&command.concat());
    let session = cluster.session(0, "chronicle").await;
    session.batch_execute("CREATE TABLE t (n int)").await.expect("written");
    wait_for(&cluster, 0, "created", &["operator"]).await;
    wait_for(&cluster, 0, "load finished", &[]).await;

    // It is moved: the owner let go, and the epoch rose by one.
    let first = cluster.owner("chronicle").await.expect("it is served");
    let second = (first + 1) % cluster.servers.len();
    cli.run(&["databases", "move", "chronicle", "--to", cluster.servers[second].name()]).ok();
    let moved = wait_for(&cluster, 0, "moved", &["move"]).await;
    assert_eq!(moved["from"], cluster.servers[first].name());
    assert_eq!(moved["to"], cluster.servers[second].name());
    assert_eq!(moved["epoch_after"].as_u64(), moved["epoch_before"].as_u64().map(|epoch| epoch + 1));

    // Its server dies: that is told among what is about the database, and what was done links to it.
    let before = told(&cluster, "chronicle").len();
    cluster.servers[second].kill();
    let expired =
        wait_for(&cluster, before, "server expired", &["connection refused", "heartbeat silent"]).await;
    assert_eq!(expired["from"], cluster.servers[second].name());
    let session = cluster.session(1, "chronicle").await;
    session.batch_execute("INSERT INTO t VALUES (1)").await.expect("written");
    let assigned = wait_for(&cluster, before, "assigned", &["server expired", "background failover"]).await;
    let link = format!("expired by event {}", expired["id"].as_str().expect("an id"));
    assert!(assigned["evidence"].as_str().is_some_and(|text| text.contains(&link)), "{assigned:#} {link}");

    // Its new server is drained.
    let third = cluster.owner("chronicle").await.expect("it is served");
    let before = told(&cluster, "chronicle").len();
    cli.run(&["servers", "drain", cluster.servers[third].name()]).ok();
    wait_for(&cluster, before, "moved", &["drain"]).await;

    // Whoever follows goes on after the death of the leading controller, with no gap and nothing twice.
    let leader = cluster.leader().await;
    cluster.controllers[leader].kill();
    let database = DatabaseRef::parse("chronicle");
    cluster.operate(Operation::RenameDatabase { database, name: "annals".into() }).await;
    let events = until("the rename is told", async || {
        let events = told(&cluster, "annals");
        let renamed = events.iter().any(|event| event["what"] == "renamed");
        if renamed { Ok(events) } else { Err(format!("{events:#?}")) }
    })
    .await;
    until("everything is followed", async || {
        let seen = followed(&following);
        let ids = |events: &[Value]| events.iter().map(|event| event["id"].clone()).collect::<Vec<_>>();
        if ids(&seen).starts_with(&ids(&events)) {
            Ok(())
        } else {
            Err(format!("{seen:#?}, not {events:#?}"))
        }
    })
    .await;

    // The chain is whole: every change of owner begins at the epoch that the one before it ended with.
    let changes = ["created", "assigned", "moved", "unassigned"];
    let mut epoch = Value::Null;
    for event in events.iter().filter(|event| changes.iter().any(|what| event["what"] == *what)) {
        assert_eq!(event["epoch_before"], epoch, "{events:#?}");
        assert!(event["cause"].is_string(), "{event:#}");
        epoch = event["epoch_after"].clone();
    }
    assert_eq!(epoch.as_u64(), Some(cluster.info("annals").await.epoch.0));

    // The same from elsewhere; what its servers had to tell may still arrive.
    let console = cluster.session(1, "stationmaster").await;
    until("the same is told everywhere", async || {
        let events = told(&cluster, "annals");
        let shown = cli.run(&["databases", "show", "annals", "--events", "--json"]).json();
        let rows = console.query("SHOW EVENTS FOR DATABASE annals", &[]).await.expect("shown");
        let shown_last = shown["events"].as_array().and_then(|shown| shown.last());
        if shown_last == events.last() && rows.len() == events.len() {
            Ok(())
        } else {
            Err(format!("{events:#?}, but {shown:#} and {} rows", rows.len()))
        }
    })
    .await;
    let table = cli.run(&["events", "--server", cluster.servers[second].name()]);
    assert!(table.ok().contains("server expired"), "{}", table.stdout);
    cli.run(&["events", "--database", "never_there"]).fails(1);
    cli.run(&["events", "--since", "soon"]).fails(64);
}
