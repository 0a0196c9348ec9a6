//! Requests that take longer than their database allows, on real processes (R20, R21, claims 6 and 17).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tests::{Cluster, Process, code, until};

async fn limited(cluster: &Cluster, name: &str, options: &[&str]) -> usize {
    cluster.create(name).await;
    let set: Vec<&str> = ["databases", "set", name].iter().chain(options).copied().collect();
    cluster.cli().run(&set).ok();
    cluster.session(0, name).await.one("select 1").await.expect("answered");
    cluster.owner(name).await.expect("somebody serves it")
}

/// Waits until the servers work on nothing.
async fn nothing_runs(cluster: &Cluster) {
    until("the statement is gone from the servers", async || {
        let running = cluster.metric(&cluster.servers, "stationmaster_server_requests_running").await;
        if running == 0.0 { Ok(()) } else { Err(format!("{running} requests run")) }
    })
    .await;
}

fn text(error: &tokio_postgres::Error) -> String {
    format!("{error:?}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_query_is_gone_from_its_server_and_fails_with_57014_r20_claim_6() {
    let cluster = Cluster::builder().start().await;
    let owner = limited(&cluster, "limited", &["time_limit=2s"]).await;
    let before = cluster.info("limited").await.epoch;
    let session = cluster.session(0, "limited").await;
    let sorts = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
                 SELECT count(*) FROM (SELECT i FROM n ORDER BY -i) AS sorted";
    for slow in ["select pg_sleep(60)", sorts] {
        let error = session.batch_execute(slow).await.expect_err("it takes too long");
        assert_eq!(code(&error), "57014", "{slow}: {error:?}");
        assert!(text(&error).contains("the database's time limit"), "{error:?}");
        assert!(text(&error).contains("the query is to blame"), "{error:?}");
        nothing_runs(&cluster).await;
        assert_eq!(session.one("select 1").await.expect("the session goes on"), "1");
    }
    // As a prepared statement as well.
    let error = session.query_one("select pg_sleep(60)", &[]).await.expect_err("it takes too long");
    assert_eq!(code(&error), "57014", "{error:?}");
    nothing_runs(&cluster).await;
    session.batch_execute("begin").await.expect("begun");
    let error = session.batch_execute("select pg_sleep(60)").await.expect_err("it takes too long");
    assert_eq!(code(&error), "57014", "{error:?}");
    let error = session.batch_execute("select 1").await.expect_err("the transaction has failed");
    assert_eq!(code(&error), "25P02", "{error:?}");
    session.batch_execute("rollback").await.expect("rolled back");
    until("the verdict and its evidence are among the events", async || {
        let shown = cluster.cli().run(&["databases", "show", "limited", "--events", "--json"]).json();
        let events = shown["events"].as_array().expect("a list");
        let verdict = events.iter().find(|event| event["what"] == "time limit verdict");
        let evidence = verdict.and_then(|event| event["evidence"].as_str()).unwrap_or_default();
        if evidence.contains("the query is to blame") { Ok(()) } else { Err(format!("{shown:#}")) }
    })
    .await;
    assert_eq!(cluster.info("limited").await.epoch, before, "it stays where it is");
    assert_eq!(cluster.owner("limited").await, Some(owner));
    let blamed = cluster
        .metric_with(
            &cluster.controllers,
            "stationmaster_controller_time_limit_overruns_total",
            &[("blame", "query")],
        )
        .await;
    assert!(blamed >= 4.0, "{blamed}");
}

/// Lets a process run for a small part of the time only, until dropped.
struct Throttled(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Throttled {
    fn new(process: &Process) -> Self {
        let on = Arc::new(AtomicBool::new(true));
        let pid = rustix::process::Pid::from_raw(process.pid()).expect("a process");
        let signal = move |signal| rustix::process::kill_process(pid, signal).expect("it runs");
        let goes_on = Arc::clone(&on);
        let thread = std::thread::spawn(move || {
            while goes_on.load(Ordering::Relaxed) {
                signal(rustix::process::Signal::STOP);
                std::thread::sleep(Duration::from_millis(900));
                signal(rustix::process::Signal::CONT);
                std::thread::sleep(Duration::from_millis(60));
            }
        });
        Self(on, Some(thread))
    }
}

impl Drop for Throttled {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
        if let Some(thread) = self.1.take() {
            thread.join().expect("it ends");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_throttled_server_does_not_do_in_time_is_answered_by_another_r21_claim_17() {
    let cluster = Cluster::builder().start().await;
    let owner = limited(&cluster, "throttled", &["time_limit=3s"]).await;
    let session = cluster.session(0, "throttled").await;
    session.batch_execute("CREATE TABLE t (n int)").await.expect("made");
    let throttled = Throttled::new(&cluster.servers[owner]);
    until("the server notices that it is slow", async || {
        let servers = cluster.cli().run(&["servers", "list", "--json"]).json();
        let lag = |server: &serde_json::Value| server["timers_us"].as_u64().unwrap_or(0);
        let slow = servers.as_array().expect("a list").iter().map(lag).max().unwrap_or(0);
        if slow >= 300_000 { Ok(()) } else { Err(format!("{servers}")) }
    })
    .await;
    // Some tenths of a second of computing, of which the server gets a few hundredths in a second: mostly, for who
    // throttles it waits for the machine as well.
    until("another one answers", async || {
        let counted = session
            .one("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) FROM n")
            .await
            .expect("answered");
        assert_eq!(counted, "1000000");
        let now = cluster.owner("throttled").await;
        if now == Some(owner) { Err("it was in time") } else { Ok(()) }
    })
    .await;
    session.batch_execute("INSERT INTO t VALUES (1)").await.expect("it goes on there");
    drop(throttled);
    assert_eq!(session.one("SELECT count(*) FROM t").await.expect("answered"), "1");
    nothing_runs(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_frozen_server_does_not_answer_is_answered_by_another_once_r21() {
    let cluster = Cluster::builder().start().await;
    let owner = limited(&cluster, "stopped", &["time_limit=2s"]).await;
    let session = cluster.session(0, "stopped").await;
    session.batch_execute("CREATE TABLE t (n int)").await.expect("made");
    cluster.servers[owner].pause();
    session.batch_execute("INSERT INTO t VALUES (1)").await.expect("done by another one");
    cluster.servers[owner].resume();
    assert_eq!(session.one("SELECT count(*) FROM t").await.expect("answered"), "1");
    assert_ne!(cluster.owner("stopped").await, Some(owner));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_time_limit_is_kept_and_a_poison_query_walks_no_further_than_two_servers_r21() {
    let cluster = Cluster::builder().servers(4).start().await;
    limited(&cluster, "poisoned", &["time_limit=1s", "on_time_limit=always"]).await;
    let before = cluster.info("poisoned").await.epoch;
    let session = cluster.session(0, "poisoned").await;
    let error = session.batch_execute("select pg_sleep(60)").await.expect_err("it takes too long everywhere");
    assert_eq!(code(&error), "57014", "{error:?}");
    assert!(text(&error).contains("provided again often enough"), "{error:?}");
    let after = cluster.info("poisoned").await.epoch;
    assert_eq!(after.0, before.0 + 2, "it went to two other servers");
    nothing_runs(&cluster).await;

    cluster.cli().run(&["databases", "set", "poisoned", "on_time_limit=never"]).ok();
    let owner = cluster.owner("poisoned").await.expect("somebody serves it");
    let throttled = Throttled::new(&cluster.servers[owner]);
    let error = session.batch_execute("select pg_sleep(60)").await.expect_err("it takes too long");
    drop(throttled);
    assert!(["57014", "40003"].contains(&code(&error).as_str()), "{error:?}");
    assert_eq!(cluster.info("poisoned").await.epoch, after, "it stays where it is");
}
