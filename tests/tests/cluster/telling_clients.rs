//! Directives through handlers: to clients that announced themselves, and to nobody else (R45, R47, R48, S9).

use std::future::poll_fn;

use serde_json::Value;
use tests::{Cluster, PASSWORD, Role, USER, get, post, until};
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

const TOKEN: &str = "a-token-of-the-monitors";
const OPTIONS: &str = "-c stationmaster.directives=1;session=0123456789abcdef";

/// A client that keeps the notices it gets, by SQLSTATE and detail.
struct Listener {
    client: Client,
    notices: mpsc::UnboundedReceiver<(String, String)>,
}

impl Listener {
    async fn open(cluster: &Cluster, options: &str) -> Self {
        let address = cluster.handler_address(0);
        let mut config = Config::new();
        config.host(address.ip().to_string()).port(address.port()).user(USER).password(PASSWORD);
        config.dbname("told").options(options);
        let (client, mut connection) = config.connect(NoTls).await.expect("connected");
        let (heard, notices) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(notice) = message {
                    let detail = notice.detail().unwrap_or_default().to_owned();
                    drop(heard.send((notice.code().code().to_owned(), detail)));
                }
            }
        });
        Self { client, notices }
    }

    /// The next directive of a kind.
    async fn told(&mut self, kind: &str) -> Value {
        loop {
            let heard = tokio::time::timeout(std::time::Duration::from_secs(60), self.notices.recv()).await;
            let (code, detail) = heard.expect("it is told in time").expect("it is connected");
            assert_eq!(code, "SM001", "{detail}");
            let directive: Value = serde_json::from_str(&detail).expect("JSON");
            if directive["action"] == kind {
                return directive;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r47_r48_s9_announced_clients_are_told_through_the_handler_and_nobody_else() {
    let files = tempfile::tempdir().expect("a directory").keep();
    let token = files.join("token");
    std::fs::write(&token, TOKEN).expect("room");
    let cluster = Cluster::builder().handlers(1).servers(2);
    let quoted = format!("{:?}", token.display().to_string());
    let cluster = cluster.set(Role::Server, "monitor_token_file", quoted).start().await;
    cluster.create("told").await;
    let (mut announced, mut stranger) =
        (Listener::open(&cluster, OPTIONS).await, Listener::open(&cluster, "-c geqo=off").await);
    for one in [&announced, &stranger] {
        one.client.batch_execute("CREATE TABLE IF NOT EXISTS t (n int)").await.expect("served");
    }
    let owner = cluster.owner("told").await.expect("it has one");
    let server = &cluster.servers[owner];
    let maintenance = r#"{"condition": "maintenance", "reason": "new kernel"}"#;
    let posted = post(server.admin(), "/v1/conditions", &format!("Bearer {TOKEN}"), maintenance).await;
    assert_eq!(posted.expect("answered").0, 202);

    let told = announced.told("information").await;
    assert_eq!(
        (told["reason"].as_str(), told["session"].as_str()),
        (Some("new kernel"), Some("0123456789abcdef"))
    );
    let said = serde_json::json!({ "v": 1, "acknowledgements": [{ "id": told["id"], "outcome": "done" }] });
    let acknowledge = format!("SET stationmaster.acknowledge = '{said}'");
    announced.client.batch_execute(&acknowledge).await.expect("any parameter with a dot can be set");
    until("it is counted", async || {
        let (_, page) = get(server.admin(), "/metrics").await.map_err(|error| error.to_string())?;
        let line = "stationmaster_server_directive_acknowledgements_total{directive=\"information\",outcome=\"done\"} 1";
        if page.contains(line) { Ok(()) } else { Err(page) }
    })
    .await;

    // A planned move: it is told before the old server lets go, and its session goes on at the new one.
    let other = format!("server-{}", 2 - owner);
    cluster.cli().run(&["databases", "move", "told", "--to", &other]).ok();
    let told = announced.told("retry").await;
    assert!(told["reason"].as_str().is_some_and(|reason| reason.contains("leaving")), "{told}");
    for one in [&announced, &stranger] {
        one.client.batch_execute("INSERT INTO t VALUES (1)").await.expect("its session goes on");
    }
    assert_eq!(stranger.notices.try_recv().ok().filter(|(code, _)| code.starts_with("SM")), None);
}
