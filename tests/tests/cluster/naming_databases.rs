//! A database is reached by its name and by its id, through every handler, and a rename breaks nothing (R9, R14).

use futures::future::join_all;
use model::DatabaseId;
use rpc::controller::{DatabaseRef, Operation};
use tests::{Cluster, code};

async fn rename(cluster: &Cluster, database: DatabaseId, name: &str) {
    cluster
        .operate(Operation::RenameDatabase { database: DatabaseRef::Id(database), name: name.into() })
        .await;
}

#[tokio::test]
async fn a_database_is_the_same_by_name_and_by_id_through_every_handler_r9_r14() {
    let cluster = Cluster::shared().await;
    let id = cluster.create("naming").await.database.to_string();
    let writer = cluster.session(0, "naming").await;
    writer.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (41)").await.expect("written");
    let read = join_all([(0, "naming"), (1, "naming"), (0, &id), (1, &id)].map(async |(handler, name)| {
        let session = cluster.session(handler, name).await;
        session.one("SELECT n + 1 FROM t").await.expect("read")
    }));
    assert_eq!(read.await, ["42"; 4]);
}

#[tokio::test]
async fn a_rename_breaks_no_session_and_frees_the_old_name_r14() {
    let cluster = Cluster::shared().await;
    let id = cluster.create("renaming").await.database;
    let session = cluster.session(0, "renaming").await;
    session
        .batch_execute("CREATE TEMP TABLE mine (n int); INSERT INTO mine VALUES (7)")
        .await
        .expect("written");
    rename(cluster, id, "renamed").await;
    // A temporary table lives as long as its session: the session has not been replaced in secret.
    assert_eq!(session.one("SELECT n FROM mine").await.expect("it goes on"), "7");
    for handler in 0..2 {
        let renamed = cluster.session(handler, "renamed").await;
        assert_eq!(renamed.one("SELECT 1").await.expect("answered"), "1");
        let gone = cluster.connect(handler, "renaming").await.err().expect("the old name is nobody's");
        assert_eq!(code(&gone), "3D000");
    }
    let again = cluster.create("renaming").await.database;
    assert_ne!(again, id);
    let other = cluster.session(1, "renaming").await;
    assert_eq!(
        other.one("SELECT count(*) FROM sqlite_master WHERE name = 'mine'").await.expect("answered"),
        "0"
    );
}

#[tokio::test]
async fn create_rename_and_drop_work_from_any_sql_session_r6() {
    let cluster = Cluster::shared().await;
    for database in ["stationmaster", "from_sql_1"] {
        if database != "stationmaster" {
            cluster.create(database).await;
        }
        let session = cluster.session(0, database).await;
        session.batch_execute("CREATE DATABASE from_sql_2").await.expect("created");
        let made = cluster.session(1, "from_sql_2").await;
        assert_eq!(made.one("SELECT 1").await.expect("answered"), "1");
        drop(made);
        session.batch_execute("ALTER DATABASE from_sql_2 RENAME TO from_sql_3").await.expect("renamed");
        drop(cluster.session(1, "from_sql_3").await);
        session.batch_execute("DROP DATABASE from_sql_3").await.expect("dropped");
        let gone = cluster.connect(1, "from_sql_3").await.err().expect("it is gone");
        assert_eq!(code(&gone), "3D000");
    }
}
