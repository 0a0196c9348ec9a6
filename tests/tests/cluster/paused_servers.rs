//! A server that is stopped past its lease and goes on as if nothing had been: it shows nothing stale and its writes are
//! refused, whatever waits in its sockets (R29, S1, S2).

use bytes::BytesMut;
use model::Epoch;
use rpc::session as added;
use tests::{Cluster, Raw, until};
use wire::{backend::tag, frontend};

/// A connection to a server itself, as handlers have it, of a client session that has an id.
struct Direct(Raw);

impl Direct {
    async fn open(cluster: &Cluster, at: &At, session: u128, settle: Option<&str>) -> Self {
        let (session, epoch) = (format!("{session:032x}"), at.epoch.to_string());
        let mut parameters = vec![
            ("user", added::USER),
            ("database", &at.database),
            (added::PARAM_USER, "alice"),
            (added::PARAM_EPOCH, &epoch),
            (added::PARAM_NAME, "paused"),
            (added::PARAM_REQUEST, "0000000000000001"),
            (added::PARAM_SESSION, &session),
            (added::PARAM_NUMBER, "1"),
        ];
        parameters.extend(settle.map(|numbers| (added::PARAM_SETTLE, numbers)));
        let mut raw = Raw::connect(at.address.parse().expect("an address")).await.expect("it listens");
        raw.send(&Raw::startup(&parameters)).await;
        let password = cluster.secret().data_port_password();
        let (tag, body) = raw.log_in(&password).await;
        assert_eq!(tag, tag::READY_FOR_QUERY, "{:?}", Raw::fields(&body));
        Self(raw)
    }

    async fn send(&mut self, sql: &str) {
        let mut query = BytesMut::new();
        frontend::query(&mut query, sql).expect("sql");
        self.0.send(&query).await;
    }

    async fn done(&mut self, sql: &str) {
        self.send(sql).await;
        loop {
            let (tag, body) = self.0.message().await.expect("it answers");
            if tag == tag::READY_FOR_QUERY {
                return;
            }
            assert_ne!(tag, tag::ERROR_RESPONSE, "{sql}: {:?}", Raw::fields(&body));
        }
    }

    /// The SQLSTATE with which the connection ends; panics if any row or success is shown before.
    async fn refusal(&mut self) -> String {
        let (tag, body) = self.0.message().await.expect("it is told why");
        assert_eq!(tag, tag::ERROR_RESPONSE, "shown by who owns nothing: {}", String::from_utf8_lossy(&body));
        assert!(self.0.rest().await.is_empty(), "and nothing after it");
        Raw::fields(&body)[&'C'].clone()
    }
}

/// Where a database is.
struct At {
    database: String,
    address: String,
    epoch: Epoch,
}

async fn at(cluster: &Cluster) -> At {
    let info = cluster.info("paused").await;
    let address = info.owner.clone().expect("somebody serves it").address;
    At { database: info.database.to_string(), address, epoch: info.epoch }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stopped_past_its_lease_shows_nothing_stale_and_commits_nothing_r29_s1_s2() {
    let cluster = Cluster::builder().start().await;
    cluster.create("paused").await;
    let session = cluster.session(0, "paused").await;
    session.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.expect("written");
    let (old, owner) = (at(&cluster).await, cluster.owner("paused").await.expect("somebody serves it"));
    let mut reader = Direct::open(&cluster, &old, 0xa, None).await;
    let mut second_reader = Direct::open(&cluster, &old, 0xb, None).await;
    let mut committer = Direct::open(&cluster, &old, 0xc, None).await;
    reader.done("SELECT n FROM t").await;
    committer.done("BEGIN").await;
    committer.done("INSERT INTO t VALUES (100)").await;

    cluster.servers[owner].pause();
    // What comes now waits in its sockets.
    reader.send("SELECT n FROM t").await;
    committer.send("COMMIT").await;
    let elsewhere = until("the database answers again", async || {
        cluster.connect(1, "paused").await.map_err(|error| format!("{error:?}"))
    })
    .await;
    elsewhere.batch_execute("UPDATE t SET n = 2").await.expect("written by the new owner");
    cluster.servers[owner].resume();

    let gone = [added::NOT_OWNER, "40003"];
    let refused = reader.refusal().await;
    assert!(gone.contains(&refused.as_str()), "the read: {refused}");
    let refused = committer.refusal().await;
    assert!(gone.contains(&refused.as_str()), "the commit: {refused}");
    second_reader.send("SELECT n FROM t").await;
    let refused = second_reader.refusal().await;
    assert!(gone.contains(&refused.as_str()), "a read that is sent only now: {refused}");

    assert_eq!(elsewhere.one("SELECT sum(n) FROM t").await.expect("answered"), "2");
    let new = at(&cluster).await;
    assert!(new.epoch > old.epoch);
    let asked = Direct::open(&cluster, &new, 0xc, Some("3-3")).await;
    let told = format!("{}=3 absent", added::STATUS_SETTLED);
    assert!(asked.0.reports.contains(&told), "the commit is absent for good: {:?}", asked.0.reports);
}
