//! Copies of databases: they begin with every acknowledged row, and go their own way from there (PITR by time as well).

use std::time::{SystemTime, UNIX_EPOCH};

use rpc::controller::{DatabaseRef, Operation};
use tests::{Cluster, code, until};

async fn count(cluster: &Cluster, database: &str) -> String {
    let session = cluster.session(0, database).await;
    session.one("SELECT count(*) || ' ' || sum(n) FROM t").await.expect("counted")
}

/// Now, as the command line takes it.
fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let days = now.as_secs() / 86_400;
    // Days from civil, the other way round (Hinnant).
    let z = days as i64 + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let (mp, seconds) = ((5 * doy + 2) / 153, now.as_secs() % 86_400);
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", now.subsec_millis())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_has_the_rows_and_goes_its_own_way_while_the_parent_moves_and_is_collected() {
    let cluster = Cluster::shared().await;
    let cli = cluster.cli();
    cluster.create("forked").await;
    let parent = cluster.session(0, "forked").await;
    parent.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)").await.expect("written");
    let before = now();
    // Times are kept to the millisecond.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    parent.batch_execute("INSERT INTO t VALUES (3)").await.expect("written");

    let made = cli.run(&["databases", "fork", "forked", "forked_now"]);
    assert!(made.ok().starts_with("copied forked to forked_now: db-"), "{}", made.stdout);
    cli.run(&["databases", "fork", "forked", "forked_before", "--time", &before]).ok();
    let console = cluster.session(1, "stationmaster").await;
    console.batch_execute("CREATE DATABASE forked_by_sql TEMPLATE forked").await.expect("copied");

    parent.batch_execute("INSERT INTO t VALUES (100)").await.expect("written");
    let copy = cluster.session(1, "forked_now").await;
    copy.batch_execute("INSERT INTO t VALUES (1000)").await.expect("written");
    // Enough to be put away with snapshots of its own, one after the other, and collected.
    for (round, server) in ["server-1", "server-2", "server-3"].into_iter().cycle().take(6).enumerate() {
        parent.batch_execute(&format!("UPDATE t SET n = n WHERE {round} = {round}")).await.expect("written");
        cli.run(&["databases", "move", "forked", "--to", server]).ok();
    }
    for (name, expected) in
        [("forked", "4 106"), ("forked_now", "4 1006"), ("forked_before", "2 3"), ("forked_by_sql", "3 6")]
    {
        assert_eq!(count(cluster, name).await, expected, "{name}");
        cluster.unassign(name).await;
        assert_eq!(count(cluster, name).await, expected, "{name}, loaded anew");
    }

    let drop = Operation::DropDatabase { database: DatabaseRef::parse("forked") };
    cluster.operate(drop).await;
    for (name, expected) in [("forked_by_sql", "3 6"), ("forked_now", "4 1006")] {
        cluster.unassign(name).await;
        assert_eq!(count(cluster, name).await, expected, "{name}, its parent is dropped");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_copied_is_refused_in_words() {
    let cluster = Cluster::shared().await;
    let cli = cluster.cli();
    cluster.create("not_forked").await;
    let session = cluster.session(0, "not_forked").await;
    session.batch_execute("CREATE TABLE t (n int)").await.expect("written");
    for (arguments, exit, said) in [
        (&["nothing", "x"][..], 1, "\"nothing\" does not exist"),
        (&["not_forked", "not_forked"], 1, "already exists"),
        (&["not_forked", "stationmaster"], 1, "reserved"),
        (&["not_forked", "x", "--position", "0"], 64, "count from 1"),
        (&["not_forked", "x", "--position", "9999"], 1, "cannot be restored to position 9999"),
        (&["not_forked", "x", "--time", "1999-01-01T00:00:00Z"], 1, "cannot be restored"),
        (&["not_forked", "x", "--time", "yesterday"], 64, "RFC 3339"),
    ] {
        let ran = cli.run(&[&["databases", "fork"], arguments].concat());
        assert!(ran.fails(exit).contains(said), "{arguments:?}: {}", ran.stderr);
    }
    let console = cluster.session(0, "stationmaster").await;
    for (sql, expected) in [
        ("CREATE DATABASE x TEMPLATE nothing", "3D000"),
        ("CREATE DATABASE not_forked TEMPLATE not_forked", "42P04"),
    ] {
        let refused = console.batch_execute(sql).await.expect_err(sql);
        assert_eq!(code(&refused), expected, "{sql}");
    }
    cluster.create("x").await;
    assert_eq!(session.one("SELECT count(*) FROM t").await.expect("undisturbed"), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_asked_for_while_servers_and_leaders_die_is_made_once_c17() {
    let cluster = Cluster::builder().servers(2).start().await;
    cluster.create("shop").await;
    let session = cluster.session(0, "shop").await;
    session.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").await.expect("written");
    let names: Vec<String> = (0..6).map(|number| format!("copy_{number}")).collect();
    let killer = async {
        for round in 0..3 {
            let leader = cluster.leader().await;
            cluster.controllers[leader].kill();
            cluster.servers[round % 2].kill();
            cluster.controllers[leader].start();
            cluster.servers[round % 2].start();
            cluster.controllers[leader].ready().await;
            cluster.servers[round % 2].ready().await;
        }
    };
    let forks = futures::future::join_all(names.iter().map(async |name| {
        let console = cluster.session(1, "stationmaster").await;
        let sql = format!("CREATE DATABASE {name} TEMPLATE shop");
        until("it is copied", async || match console.batch_execute(&sql).await {
            Ok(()) => Ok(()),
            // Asked before, and made although nobody could say so.
            Err(error) if code(&error) == "42P04" => Ok(()),
            Err(error) => Err(format!("{error:?}")),
        })
        .await;
    }));
    futures::future::join(killer, forks).await;
    for name in &names {
        until("the copy is served", async || {
            let session = cluster.connect(0, name).await.map_err(|error| error.to_string())?;
            let sum = session.one("SELECT sum(n) FROM t").await.map_err(|error| error.to_string())?;
            if sum == "7" { Ok(()) } else { Err(sum) }
        })
        .await;
    }
    cluster.agreed().await;
}
