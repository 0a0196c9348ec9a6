//! Databases that nobody asks for are put away, and come back with the next request.

use tests::{Cluster, Role, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_database_is_put_away_and_loaded_again_when_somebody_asks_r3() {
    let cluster = Cluster::builder().set(Role::Server, "idle_put_away_ms", 300).start().await;
    cluster.create("sleepy").await;
    let session = cluster.session(0, "sleepy").await;
    session.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.expect("written");
    drop(session);
    until("it is put away and nobody's", async || {
        let info = cluster.info("sleepy").await;
        let away = cluster.metric(&cluster.servers, "stationmaster_server_put_aways_total").await;
        if info.owner.is_none() && away >= 1.0 { Ok(()) } else { Err(format!("{info:?}, {away} put away")) }
    })
    .await;
    let session = cluster.session(1, "sleepy").await;
    assert_eq!(session.one("SELECT n FROM t").await.expect("answered"), "1");
}
