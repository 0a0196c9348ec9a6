//! Programs of others against a database: each does what its users do every day (R1, R5, S9).

use std::process::Command;

use tests::{Cluster, PgEnv, Ran, java, program, python};

/// Runs a client program against a database of its own; gives what it printed.
async fn runs(database: &str, mut command: Command) -> String {
    let cluster = Cluster::shared().await;
    cluster.create(database).await;
    run(cluster, 0, database, &mut command).await
}

async fn run(cluster: &Cluster, handler: usize, database: &str, command: &mut Command) -> String {
    let env: PgEnv = cluster.env(handler, database);
    env.apply(command);
    let said = format!("{command:?}");
    let mut taken = std::mem::replace(command, Command::new("true"));
    let ran = tokio::task::spawn_blocking(move || Ran::of(&mut taken, said, "")).await.expect("no panic");
    if ran.code != Some(0) {
        panic!("{}\n{}{}\n{}", ran.command, ran.stdout, ran.stderr, cluster.tails(10));
    }
    ran.stdout
}

/// What a psql script prints, without titles and counts.
async fn psql(cluster: &Cluster, handler: usize, database: &str, script: &str) -> String {
    let mut command = program("psql");
    command.args(["-X", "-v", "ON_ERROR_STOP=1", "-A", "-t", "-c", script]);
    run(cluster, handler, database, &mut command).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psql_creates_a_database_and_finds_its_way_around_r1_r6() {
    let cluster = Cluster::shared().await;
    psql(cluster, 0, "stationmaster", "CREATE DATABASE p_shop;").await;
    let listed = psql(cluster, 1, "stationmaster", "\\l").await;
    assert!(listed.lines().any(|line| line.starts_with("p_shop|")), "{listed}");

    psql(
        cluster,
        0,
        "p_shop",
        "CREATE TABLE item (id integer PRIMARY KEY, name text NOT NULL, price numeric(10,2))",
    )
    .await;
    psql(cluster, 0, "p_shop", "CREATE INDEX item_name ON item (name)").await;
    psql(cluster, 0, "p_shop", "CREATE VIEW cheap AS SELECT * FROM item WHERE price < 5").await;
    psql(cluster, 0, "p_shop", "INSERT INTO item VALUES (1, 'nail', 0.10), (2, 'hammer', 12.5)").await;
    assert_eq!(
        psql(cluster, 1, "p_shop", "SELECT * FROM item ORDER BY id").await,
        "1|nail|0.10\n2|hammer|12.50\n"
    );

    let tables = psql(cluster, 0, "p_shop", "\\dt").await;
    assert_eq!(tables, "public|item|table|alice\n");
    let views = psql(cluster, 0, "p_shop", "\\dv").await;
    assert!(views.starts_with("public|cheap|view|"), "{views}");
    let item = psql(cluster, 0, "p_shop", "\\d item").await;
    for line in ["id|integer||not null|", "name|text||not null|", "price|numeric(10,2)|||"] {
        assert!(item.contains(line), "{line} is not in\n{item}");
    }
    let indexes = psql(cluster, 0, "p_shop", "\\di").await;
    assert_eq!(indexes, "public|item_name|index|alice|item\npublic|item_pkey|index|alice|item\n");
    let listed = psql(cluster, 0, "p_shop", "\\l").await;
    assert!(listed.lines().any(|line| line.starts_with("p_shop|")), "{listed}");
    assert_eq!(psql(cluster, 0, "p_shop", "SELECT current_database(), current_user").await, "p_shop|alice\n");
    assert!(
        psql(cluster, 0, "p_shop", "SELECT version()").await.contains("PostgreSQL"),
        "tools look for the word"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psql_copies_in_and_out_and_reports_errors_with_their_place_r5() {
    let cluster = Cluster::shared().await;
    cluster.create("p_copy").await;
    let script =
        "CREATE TABLE t (n int, x text);\nCOPY t FROM STDIN;\n1\tone\n2\t\\N\n\\.\nCOPY t TO STDOUT;\n";
    let mut command = program("psql");
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
    cluster.env(0, "p_copy").apply(&mut command);
    let script = script.to_owned();
    let ran = tokio::task::spawn_blocking(move || Ran::of(&mut command, "psql".into(), &script))
        .await
        .expect("no panic");
    assert_eq!(ran.ok(), "1\tone\n2\t\\N\n");

    let mut command = program("psql");
    command.args(["-X", "-v", "VERBOSITY=verbose", "-c", "SELECT 1 +\n  missing FROM t"]);
    cluster.env(0, "p_copy").apply(&mut command);
    let ran = tokio::task::spawn_blocking(move || Ran::of(&mut command, "psql".into(), ""))
        .await
        .expect("no panic");
    let said = ran.fails(1);
    assert!(said.contains("42703") && said.contains("missing"), "{said}");
    assert!(said.contains("LINE 2:"), "it points to the place: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pgbench_fills_its_tables_and_runs_in_every_mode_without_an_error() {
    let cluster = Cluster::shared().await;
    cluster.create("bench").await;
    let pgbench = async |arguments: &[&str]| {
        let mut command = program("pgbench");
        command.args(arguments);
        run(cluster, 0, "bench", &mut command).await
    };
    pgbench(&["-i", "-s", "1", "-q"]).await;
    let session = cluster.session(1, "bench").await;
    assert_eq!(session.one("SELECT count(*) FROM pgbench_accounts").await.expect("answered"), "100000");
    let mut transactions = 0;
    for mode in ["simple", "extended", "prepared"] {
        for script in [&["-S"][..], &[]] {
            let arguments = [&["-n", "-c", "4", "-j", "2", "-t", "50", "-M", mode], script].concat();
            let said = pgbench(&arguments).await;
            assert!(said.contains("number of transactions actually processed: 200/200"), "{said}");
            assert!(said.contains("number of failed transactions: 0 (0.000%)"), "{said}");
            transactions += if script.is_empty() { 200 } else { 0 };
        }
    }
    // Every transaction of the default script writes one line of history, and moves the same sum everywhere.
    let count = session.one("SELECT count(*) FROM pgbench_history").await.expect("answered");
    assert_eq!(count, transactions.to_string());
    let sums = "SELECT (SELECT sum(abalance) FROM pgbench_accounts) || ' ' || (SELECT sum(tbalance) FROM pgbench_tellers) \
                || ' ' || (SELECT sum(bbalance) FROM pgbench_branches) || ' ' || (SELECT sum(delta) FROM pgbench_history)";
    let sums = session.one(sums).await.expect("answered");
    let sums: Vec<&str> = sums.split(' ').collect();
    assert!(sums.len() == 4 && sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psycopg_3_works() {
    assert_eq!(runs("py_psycopg", python("psycopg_basics.py", &["psycopg"])).await, "psycopg works\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asyncpg_works() {
    assert_eq!(runs("py_asyncpg", python("asyncpg_basics.py", &["asyncpg"])).await, "asyncpg works\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlalchemys_orm_works() {
    let command = python("sqlalchemy_orm.py", &["sqlalchemy"]);
    assert_eq!(runs("py_sqlalchemy", command).await, "SQLAlchemy works\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pgjdbc_works_in_every_query_mode() {
    assert_eq!(runs("java_pgjdbc", java("Pgjdbc.java")).await, "pgjdbc works\n");
}
