//! SQLite files become databases with every row, and journals that the map does not know come back (R16).

use std::{fs, path::Path};

use rpc::controller::{DatabaseRef, Operation};
use rusqlite::Connection;
use tests::{Cli, Cluster, Ran, until};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn made(path: &Path, rows: u32) {
    let connection = Connection::open(path).expect("opened");
    connection
        .execute_batch(&format!(
            "CREATE TABLE t (n INTEGER PRIMARY KEY, name TEXT); CREATE INDEX i ON t (name);
             WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {rows})
             INSERT INTO t SELECT n, 'row ' || n FROM g;"
        ))
        .expect("filled");
}

/// `databases adopt` of this, into the journals of this cluster.
fn adopt(cluster: &Cluster, arguments: &[&str]) -> Ran {
    let journal = cluster.directory().join("journal");
    let cli: Cli = cluster.cli();
    cli.run(&[&["databases", "adopt", "--journal", text(&journal)], arguments].concat())
}

async fn sum(cluster: &Cluster, database: &str) -> String {
    let session = cluster.session(0, database).await;
    session.one("SELECT count(*) || ' ' || sum(n) || ' ' || max(name) FROM t").await.expect("counted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_become_databases_once_and_what_is_no_database_is_told_r16() {
    let cluster = Cluster::shared().await;
    cluster.create("adopters_neighbour").await;
    drop(cluster.session(0, "adopters_neighbour").await);
    let files = tempfile::tempdir().expect("a directory");
    let path = |name: &str| files.path().join(name);
    made(&path("adopted_small.db"), 3);
    made(&path("adopted_large.sqlite"), 50_000);
    fs::write(path("adopted_text.db"), "no database at all, however long this text is made to be")
        .expect("written");
    fs::write(path("readme.txt"), "not looked at").expect("written");

    let dry = adopt(cluster, &["--dry-run", text(&path("adopted_small.db"))]);
    assert!(dry.ok().contains("would be adopted"), "{}", dry.stdout);
    assert!(cluster.look_up("adopted_small").await.is_err(), "a dry run does nothing");

    let first = adopt(cluster, &[text(files.path()), "--json"]);
    assert!(
        first.fails(1).contains("adopted_text.db: ") && first.stderr.contains("no SQLite database"),
        "{first:?}"
    );
    assert_eq!(sum(cluster, "adopted_small").await, "3 6 row 3");
    assert_eq!(sum(cluster, "adopted_large").await, "50000 1250025000 row 9999");
    let session = cluster.session(1, "adopted_large").await;
    session
        .batch_execute("INSERT INTO t VALUES (60000, 'new')")
        .await
        .expect("it is a database like any other");
    cluster.unassign("adopted_large").await;
    assert_eq!(session.one("SELECT name FROM t WHERE n = 60000").await.expect("kept"), "new");

    // Again: what is there stays, and keeps what was written since.
    let (small, large) = (cluster.info("adopted_small").await, cluster.info("adopted_large").await);
    fs::remove_file(path("adopted_text.db")).expect("removed");
    let again = adopt(cluster, &[text(files.path())]);
    assert_eq!(again.ok().matches("was there already").count(), 2, "{}", again.stdout);
    assert_eq!(cluster.info("adopted_small").await.database, small.database);
    assert_eq!(cluster.info("adopted_large").await.database, large.database);
    assert_eq!(session.one("SELECT count(*) FROM t").await.expect("counted"), "50001");

    // Another file under a name that is taken, and the same file under another name.
    made(&path("other.db"), 9);
    let taken = adopt(cluster, &[text(&path("other.db")), "--name", "adopted_small"]);
    assert!(taken.fails(1).contains("already exists"), "{}", taken.stderr);
    adopt(cluster, &[text(&path("other.db")), "--name", "adopted_other"]).ok();
    assert_eq!(sum(cluster, "adopted_other").await, "9 45 row 9");

    // Dropped and adopted again, it is another database.
    cluster.operate(Operation::DropDatabase { database: DatabaseRef::parse("adopted_small") }).await;
    until("it can be adopted again", async || {
        let again = adopt(cluster, &[text(&path("adopted_small.db"))]);
        if again.code == Some(0) { Ok(()) } else { Err(again.stderr) }
    })
    .await;
    assert_ne!(cluster.info("adopted_small").await.database, small.database);
    assert_eq!(sum(cluster, "adopted_small").await, "3 6 row 3");

    let nowhere = files.path().join("elsewhere");
    fs::create_dir(&nowhere).expect("made");
    let mistyped = cluster.cli().run(&[
        "databases",
        "adopt",
        "--journal",
        text(&nowhere),
        text(&path("other.db")),
        "--name",
        "x",
    ]);
    assert!(mistyped.fails(1).contains("no journals of fleet"), "{}", mistyped.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_that_a_restored_map_does_not_know_come_back_under_their_ids_r7_r16() {
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(1).start().await;
    cluster.create("before").await;
    drop(cluster.session(0, "before").await);
    let file = cluster.directory().join("map.backup");
    cluster.cli().run(&["map", "backup", text(&file)]).ok();
    for name in ["later", "latest"] {
        cluster.create(name).await;
        let session = cluster.session(0, name).await;
        let sql = "CREATE TABLE t (n int, name text); INSERT INTO t VALUES (1, 'a'), (2, 'b')";
        session.batch_execute(sql).await.expect("written");
    }
    let later = cluster.info("later").await.database.to_string();
    cluster.controllers[0].kill();
    fs::remove_dir_all(cluster.directory().join("controller-1")).expect("removed");
    let config = text(cluster.controllers[0].config()).to_owned();
    Cli::default().run(&["map", "restore", text(&file), "--config", &config]).ok();
    cluster.controllers[0].start();
    cluster.controllers[0].ready().await;
    cluster.servers[0].ready().await;

    let unknown = adopt(&cluster, &["--orphans", "--dry-run"]);
    assert_eq!(unknown.ok().matches("would be adopted").count(), 2, "{}", unknown.stdout);
    adopt(&cluster, &[&later, "--name", "later"]).ok();
    assert!(adopt(&cluster, &[&later, "--name", "later"]).ok().contains("was there already"));
    let known = adopt(&cluster, &[&later, "--name", "another"]);
    assert!(known.fails(1).contains("its name is \"later\""), "{}", known.stderr);
    adopt(&cluster, &["--orphans"]).ok();
    assert_eq!(cluster.info("later").await.database.to_string(), later);
    let listed = cluster.cli().run(&["databases", "list"]);
    let recovered = listed.ok().lines().find(|line| line.starts_with("recovered-")).expect("it is back");
    let name = recovered.split_whitespace().next().expect("a name").to_owned();
    for name in ["later", &name] {
        let counted = until("its rows are there", async || {
            let session = cluster.connect(0, name).await.map_err(|error| error.to_string())?;
            session.one("SELECT count(*) FROM t").await.map_err(|error| error.to_string())
        });
        assert_eq!(counted.await, "2", "{name}");
    }
    let never = adopt(&cluster, &["db-zzzz"]);
    assert!(never.fails(1).contains("no journal"), "{}", never.stderr);
}
