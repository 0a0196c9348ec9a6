//! Options of a single database: set and reset from the command line and from SQL, seen by everybody (R20, R21).

use serde_json::Value;
use tests::{Cluster, code};

fn shown(cluster: &Cluster, database: &str) -> [Value; 2] {
    let shown = cluster.cli().run(&["databases", "show", database, "--json"]).json();
    ["time_limit", "on_time_limit"].map(|key| shown[key].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_are_set_and_reset_from_the_command_line_r20_r21() {
    let cluster = Cluster::shared().await;
    cluster.create("limited").await;
    let cli = cluster.cli();
    assert_eq!(shown(cluster, "limited"), ["none", "auto"]);
    cli.run(&["databases", "set", "limited", "time_limit=2s", "on_time_limit=never"]).ok();
    assert_eq!(shown(cluster, "limited"), ["2s", "never"]);
    cli.run(&["databases", "unassign", "limited"]).ok();
    assert_eq!(shown(cluster, "limited"), ["2s", "never"], "they outlive an owner");
    cli.run(&["databases", "reset", "limited", "on_time_limit"]).ok();
    assert_eq!(shown(cluster, "limited"), ["2s", "auto"]);
    cli.run(&["databases", "reset", "limited"]).ok();
    assert_eq!(shown(cluster, "limited"), ["none", "auto"]);
    for wrong in ["time_limit", "time_limit=soon", "speed=1", "on_time_limit=maybe"] {
        cli.run(&["databases", "set", "limited", wrong]).fails(64);
    }
    cli.run(&["databases", "set", "limited"]).fails(64);
    assert!(cli.run(&["databases", "set", "not_there", "time_limit=2s"]).fails(1).contains("not_there"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_are_set_and_reset_from_any_sql_session_r20_r21() {
    let cluster = Cluster::shared().await;
    cluster.create("limited_by_sql").await;
    for database in ["stationmaster", "limited_by_sql"] {
        let session = cluster.session(0, database).await;
        let set = "ALTER DATABASE limited_by_sql SET stationmaster.time_limit = '1500ms'";
        session.batch_execute(set).await.expect("set");
        session
            .batch_execute("ALTER DATABASE limited_by_sql SET stationmaster.on_time_limit TO always")
            .await
            .expect("set");
        assert_eq!(shown(cluster, "limited_by_sql"), ["1500ms", "always"]);
        let wrong =
            session.batch_execute("ALTER DATABASE limited_by_sql SET stationmaster.time_limit = 'x'").await;
        assert_eq!(code(&wrong.expect_err("no duration")), "22023");
        session.batch_execute("ALTER DATABASE limited_by_sql RESET ALL").await.expect("reset");
        assert_eq!(shown(cluster, "limited_by_sql"), ["none", "auto"]);
    }
}
