//! The operator's commands: tables for people, JSON for programs, and exit codes for scripts.

use serde_json::Value;
use tests::{Cli, Cluster, until};

/// The rows of a listing, in whichever form of JSON it has them.
fn rows(json: &Value) -> &Vec<Value> {
    json.as_array()
        .or_else(|| json.as_object()?.values().find_map(Value::as_array))
        .unwrap_or_else(|| panic!("{json:#}"))
}

fn row<'a>(json: &'a Value, key: &str, value: &str) -> &'a Value {
    rows(json).iter().find(|row| row[key] == value).unwrap_or_else(|| panic!("no {key} {value} in {json:#}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_listing_is_a_table_and_the_same_as_json() {
    let cluster = Cluster::shared().await;
    let made = cluster.create("listed").await;
    let cli = cluster.cli();
    let listings: [(&[&str], &str, &str); 5] = [
        (&["databases", "list"], "name", "listed"),
        (&["servers", "list"], "name", "server-2"),
        (&["handlers", "list"], "name", "handler-1"),
        (&["users", "list"], "name", tests::USER),
        (&["controllers", "list"], "address", &cluster.controller_address(2).to_string()),
    ];
    for (command, key, value) in listings {
        let table = cli.run(command);
        let (head, body) = table.ok().split_once('\n').expect("a head and rows");
        assert!(head.split_whitespace().any(|column| column == key.to_uppercase()), "{command:?}\n{head}");
        assert!(body.contains(value), "{command:?}\n{body}");
        let json = cli.run(&[command, &["--json"]].concat()).json();
        assert!(row(&json, key, value).is_object());
    }
    let shown = cli.run(&["databases", "show", "listed", "--json"]).json();
    assert_eq!(shown["name"], "listed");
    assert_eq!(shown["id"], made.database.to_string());
    let by_id = cli.run(&["databases", "show", &made.database.to_string(), "--json"]).json();
    assert_eq!(by_id, shown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_are_managed_from_the_command_line_r6_r27() {
    let cluster = Cluster::shared().await;
    let cli = cluster.cli();
    let created = cli.run(&["databases", "create", "by_hand", "--json"]).json();
    let id = created["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("db-"), "{created:#}");
    cli.run(&["databases", "rename", "by_hand", "by_foot"]).ok();
    cli.run(&["databases", "assign", &id, "--server", "server-3"]).ok();
    let server =
        |database: &str| cli.run(&["databases", "show", database, "--json"]).json()["server"].clone();
    assert_eq!(server("by_foot"), "server-3");
    cli.run(&["databases", "unassign", "by_foot"]).ok();
    assert_eq!(server("by_foot"), Value::Null);
    let session = cluster.session(0, "by_foot").await;
    assert_eq!(session.one("select 1").await.expect("answered"), "1");
    drop(session);
    cli.run(&["databases", "drop", "by_foot"]).ok();
    let said = cli.run(&["databases", "show", "by_foot"]);
    assert!(said.fails(1).contains("by_foot"), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_end_with_1_and_wrong_usage_with_64() {
    let cluster = Cluster::shared().await;
    cluster.create("there_already").await;
    let cli = cluster.cli();
    assert!(cli.run(&["databases", "create", "there_already"]).fails(1).contains("there_already"));
    assert!(cli.run(&["databases", "drop", "not_there"]).fails(1).contains("not_there"));
    cli.run(&["databases", "rename", "not_there", "x"]).fails(1);
    cli.run(&["databases", "assign", "there_already", "--server", "server-99"]).fails(1);
    for wrong in
        [&["databases"][..], &["databases", "make"], &["nonsense"], &["databases", "list", "--jason"], &[]]
    {
        cli.run(wrong).fails(64);
    }
    cli.run(&["--help"]).ok();
    cli.run(&["--version"]).ok();
    // Nobody is there: said so, with the address, in a bounded time.
    let alone = Cli { controllers: vec!["127.0.0.1:1".into()], ..cli.clone() };
    assert!(alone.run(&["status"]).fails(1).contains("127.0.0.1:1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_controller_is_a_way_in_and_status_names_the_leader_c1_c14() {
    let cluster = Cluster::shared().await;
    for controller in 0..3 {
        let one = vec![cluster.controller_address(controller).to_string()];
        let cli = Cli { controllers: one, ..cluster.cli() };
        cli.run(&["status"]).ok();
        let status = cli.run(&["status", "--json"]).json();
        assert!(status.is_object() || status.is_array(), "{status:#}");
        cli.run(&["databases", "create", &format!("way_in_{controller}")]).ok();
    }
    until("all controllers have one map", async || {
        let digest = cluster.cli().run(&["map", "digest", "--json"]).json();
        if digest["equal"] == true { Ok(()) } else { Err(format!("{digest:#}")) }
    })
    .await;
}
