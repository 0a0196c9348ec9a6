//! The admin console, and statements about databases in ordinary sessions (R6, R7).

use tokio_postgres::SimpleQueryMessage;
use wire::{
    Format,
    frontend::{self, Target},
};

use super::{
    Fleet, Raw, Until,
    client::{ask, code, connect_as, fails},
    connect,
    fleet::until,
};

/// All first columns.
async fn list(client: &tokio_postgres::Client, sql: &str) -> Vec<String> {
    let messages =
        client.simple_query(sql).within(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
        _ => None,
    });
    rows.collect()
}

#[tokio::test]
async fn databases_are_created_renamed_listed_and_dropped() {
    let fleet = Fleet::start(1).await;
    let admin = connect(&fleet, "h1:1", "stationmaster").await.expect("connected");
    let run = async |sql: &str| {
        admin.simple_query(sql).within(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    };
    run("CREATE DATABASE Plain;").await;
    run(
        "create database \"With Space\" owner = ann encoding 'UTF8' template template0 connection limit = -1",
    )
    .await;
    assert_eq!(list(&admin, "show databases").await, ["With Space", "plain", "shop"]);
    run("alter database plain rename to renamed").await;
    run("drop database \"With Space\"").await;
    run("drop database if exists nothing").await;
    assert_eq!(list(&admin, "select datname from pg_database").await, ["renamed", "shop"]);
    let client = connect(&fleet, "h1:1", "renamed").await.expect("a new database works at once");
    assert_eq!(ask(&client, "select server").await, "s1");
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_the_sqlstate_that_tools_expect() {
    let fleet = Fleet::start(1).await;
    let admin = connect(&fleet, "h1:1", "stationmaster").await.expect("connected");
    for (sql, code) in [
        ("create database shop", "42P04"),
        ("drop database nothing", "3D000"),
        ("alter database nothing rename to x", "3D000"),
        ("create database x encoding latin1", "0A000"),
        ("create database shop template shop", "42P04"),
        ("create database x template nothing", "3D000"),
        ("create database x; create database y", "25001"),
        ("create database", "42601"),
        ("create database 'x'", "42601"),
        ("alter database shop set a = 1", "0A000"),
        ("create table t (a int)", "0A000"),
        ("select * from t", "0A000"),
        ("frobnicate", "42601"),
        ("select 'a", "42601"),
        ("show nothing", "42704"),
        ("alter user nobody password 'x'", "42704"),
        ("drop user nobody", "42704"),
        ("create user ann password 'x'", "42710"),
        ("drop database stationmaster", "55006"),
    ] {
        assert_eq!(fails(&admin, sql).await, code, "{sql}");
    }
    assert_eq!(ask(&admin, "select 1").await, "1", "the session goes on");
}

#[tokio::test]
async fn an_ordinary_session_creates_databases_too_by_either_protocol() {
    let fleet = Fleet::start(1).await;
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    client.simple_query("create database one").within("created").await.expect("created");
    client
        .execute("create database two", &[])
        .within("created")
        .await
        .expect("created, by a prepared statement");
    let statement = client.prepare("drop database one").within("prepared").await.expect("prepared");
    client.execute(&statement, &[]).within("dropped").await.expect("dropped");
    assert_eq!(fails(&client, "create database two").await, "42P04");
    assert_eq!(fails(&client, "drop database shop").await, "55006");
    assert_eq!(ask(&client, "select server").await, "s1");
    assert!(!fleet.servers[0].log().iter().any(|sql| sql.contains("database")), "the server saw none of it");
    let databases = fleet.controller.with(|table| table.databases.keys().cloned().collect::<Vec<_>>());
    assert_eq!(databases, ["shop", "two"]);
}

#[tokio::test]
async fn in_a_transaction_or_a_series_the_server_is_left_to_refuse() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    raw.ask("begin").await;
    raw.ask("create database x").await;
    assert_eq!(fleet.servers[0].log(), ["begin", "create database x"]);
    raw.ask("rollback").await;
    frontend::parse(raw.out(), "", "select 1", &[]).expect("short");
    frontend::parse(raw.out(), "", "create database x", &[]).expect("short");
    frontend::sync(raw.out());
    raw.answer().await;
    assert_eq!(fleet.servers[0].log().last().map(String::as_str), Some("parse : create database x"));
    assert_eq!(fleet.controller.with(|table| table.databases.len()), 1);
}

#[tokio::test]
async fn a_pipelined_create_waits_for_its_turn() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    raw.query("select a").query("create database x").query("select b").query("create database x");
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.extend(raw.answer().await);
    }
    let expected = [
        "T",
        "select a",
        "SELECT 1",
        "Z I",
        "CREATE DATABASE",
        "Z I",
        "T",
        "select b",
        "SELECT 1",
        "Z I",
        "ERROR 42P04",
        "Z I",
    ];
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn the_console_has_transactions_so_that_drivers_can_have_them() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::connect(&fleet, "h1:1", &[("database", "stationmaster")]).await;
    assert_eq!(raw.ask("begin").await, ["BEGIN", "Z T"]);
    assert_eq!(raw.ask("create database x").await, ["ERROR 25001", "Z E"]);
    assert_eq!(raw.ask("select 1").await, ["ERROR 25P02", "Z E"]);
    assert_eq!(raw.ask("nonsense").await, ["ERROR 25P02", "Z E"]);
    assert_eq!(raw.ask("commit").await, ["ROLLBACK", "Z I"]);
    assert_eq!(raw.ask("").await, ["I", "Z I"]);
    assert_eq!(
        raw.ask("select 1; select 'a' as b").await,
        ["T", "1", "SELECT 1", "T", "a", "SELECT 1", "Z I"]
    );
    assert_eq!(raw.ask("select 1; nonsense; select 2").await, ["ERROR 42601", "Z I"]);
}

#[tokio::test]
async fn extended_queries_work_on_the_console_with_formats_limits_and_parameters() {
    let fleet = Fleet::start(1).await;
    fleet.controller.with(|table| ["a", "b", "c"].map(|name| table.create(name)));
    let client = connect(&fleet, "h1:1", "stationmaster").await.expect("connected");
    let sql = "select oid, datname, datallowconn from pg_database where datname = $1";
    let row = client.query_one(sql, &[&"b"]).within("queried").await.expect("one row");
    assert_eq!((row.get::<_, u32>(0), row.get::<_, &str>(1), row.get::<_, bool>(2)), (3, "b", true));
    let row =
        client.query_one("select count(*) from pg_database", &[]).within("counted").await.expect("one row");
    assert_eq!(row.get::<_, i64>(0), 4);

    let mut raw = Raw::connect(&fleet, "h1:1", &[("database", "stationmaster")]).await;
    frontend::parse(raw.out(), "p", "select datname from pg_database", &[]).expect("short");
    frontend::bind(raw.out(), "", "p", (&[], &[]), &[Format::Text]).expect("short");
    frontend::describe(raw.out(), Target::Portal("")).expect("short");
    frontend::execute(raw.out(), "", 3).expect("short");
    frontend::execute(raw.out(), "", 3).expect("short");
    frontend::sync(raw.out());
    assert_eq!(raw.answer().await, ["1", "2", "T", "a", "b", "c", "s", "shop", "SELECT 4", "Z I"]);
    frontend::parse(raw.out(), "p", "select 1", &[]).expect("short");
    frontend::execute(raw.out(), "", 0).expect("short");
    frontend::sync(raw.out());
    assert_eq!(raw.answer().await, ["ERROR 42P05", "Z I"]);
    frontend::execute(raw.out(), "gone", 0).expect("short");
    frontend::sync(raw.out());
    assert_eq!(raw.answer().await, ["ERROR 34000", "Z I"]);
}

#[tokio::test]
async fn users_are_made_changed_and_dropped() {
    let fleet = Fleet::start(1).await;
    let admin = connect(&fleet, "h1:1", "stationmaster").await.expect("connected");
    let login = async |password: &str| connect_as(&fleet, "h1:1", "shop", "bob", password).await;
    for (sql, password) in [
        ("create user bob with login password 'first'", "first"),
        ("alter role bob encrypted password 'second'", "second"),
    ] {
        admin.simple_query(sql).within(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        async { while login(password).await.is_err() {} }.within("the password works").await;
    }
    assert_eq!(code(&login("first").await.expect_err("void")), "28P01");
    assert_eq!(list(&admin, "show users").await, ["ann", "bob"]);
    admin.simple_query("drop user bob").within("dropped").await.expect("dropped");
    async { while login("second").await.is_ok() {} }.within("the user is gone").await;
    let stored = fleet.controller.with(|table| table.users.clone());
    assert!(stored.values().all(|verifier| verifier.starts_with("SCRAM-SHA-256$")));
}

#[tokio::test]
async fn the_fleet_is_shown() {
    let fleet = Fleet::start(2).await;
    let admin = connect(&fleet, "h1:1", "stationmaster").await.expect("connected");
    assert_eq!(list(&admin, "show servers").await, ["s1", "s2"]);
    assert_eq!(list(&admin, "show handlers").await, ["h1"]);
    assert_eq!(list(&admin, "show controllers").await, ["1"]);
    let column = async |sql: &str, column: &str| {
        let rows = admin.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows[0].get::<_, Option<String>>(column).unwrap_or_default()
    };
    assert_eq!(column("show events", "what").await, "moved");
    assert_eq!(column("show events", "evidence").await, "limit 100");
    assert_eq!(column("show events for server s2 limit 5", "server").await, "s1 -> s2");
    assert_eq!(column("show events for server s2 limit 5", "evidence").await, "limit 5");
    admin.query("show events for database nowhere", &[]).await.expect_err("no such database");
    assert!(ask(&admin, "show version").await.starts_with("PostgreSQL 15"));
    assert!(ask(&admin, "select version()").await.contains("Stationmaster"));
    assert_eq!(ask(&admin, "select current_user").await, "ann");
    assert_eq!(ask(&admin, "select current_database()").await, "stationmaster");
    assert_eq!(ask(&admin, "show transaction isolation level").await, "read committed");
}

#[tokio::test]
async fn psql_lists_databases() {
    let fleet = Fleet::start(1).await;
    fleet.controller.with(|table| table.create("shelf"));
    let admin = connect(&fleet, "h1:1", "stationmaster").await.expect("connected");
    let all = r#"SELECT d.datname as "Name", pg_catalog.pg_get_userbyid(d.datdba) as "Owner",
       pg_catalog.pg_encoding_to_char(d.encoding) as "Encoding", d.datcollate as "Collate", d.datctype as "Ctype",
       d.daticulocale as "ICU Locale",
       CASE d.datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' END AS "Locale Provider",
       pg_catalog.array_to_string(d.datacl, E'\n') AS "Access privileges"
FROM pg_catalog.pg_database d
ORDER BY 1;"#;
    assert_eq!(list(&admin, all).await, ["shelf", "shop"]);
    let some = all.replace(
        "ORDER",
        "WHERE d.datname OPERATOR(pg_catalog.~) '^(she.*)$' COLLATE pg_catalog.default ORDER",
    );
    assert_eq!(list(&admin, &some).await, ["shelf"]);
}

#[tokio::test]
async fn a_lost_answer_to_create_makes_one_database() {
    let fleet = Fleet::start(1).await;
    let admin = connect(&fleet, "h1:1", "stationmaster").await.expect("connected");
    let keys = |fleet: &Fleet| fleet.controller.with(|table| table.keys_used());
    admin.simple_query("create database x").within("created").await.expect("created");
    admin.simple_query("create database y").within("created").await.expect("created");
    assert_eq!(keys(&fleet), 2, "each statement has a key of its own");
    until("the map shows both", || fleet.controller.with(|table| table.databases.len()) == 3).await;
}

#[tokio::test]
async fn a_statement_too_long_for_the_console_is_refused_and_the_session_goes_on() {
    let fleet = Fleet::start(1).await;
    let mut raw = Raw::connect(&fleet, "h1:1", &[("database", "stationmaster")]).await;
    for bytes in [100_000, 1_000_000] {
        assert_eq!(
            raw.ask(&format!("select '{}'", "x".repeat(bytes))).await,
            ["ERROR 54000", "Z I"],
            "{bytes}"
        );
    }
    assert_eq!(raw.ask("select 1").await, ["T", "1", "SELECT 1", "Z I"]);
}
