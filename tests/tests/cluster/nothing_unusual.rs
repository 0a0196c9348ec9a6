//! Clients of others work beside sessions that are sent directives, and are told nothing (S9). The same clients are told once they
//! announce themselves: so this would show.

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use model::Targets;
use rpc::directives::Wish;
use tests::{Cluster, Listener, PASSWORD, USER, java, node, program, python, until};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command as Spawn},
};

const DATABASE: &str = "unasked";
/// What a client that announces itself says.
const ANNOUNCED: &str = "-c stationmaster.directives=1";
/// Directives that are sent while the clients work.
const SENT: usize = 12;

/// psql, which works by what it reads: a statement each time that it is given one.
fn psql() -> Command {
    let mut command = program("psql");
    command.args(["-X", "-q", "-A", "-t"]);
    command
}

/// A client program at work.
struct Working {
    name: &'static str,
    child: Child,
}

impl Working {
    fn begin(cluster: &Cluster, name: &'static str, mut command: Command, announced: bool) -> Self {
        cluster.env(0, DATABASE).apply(&mut command);
        match announced {
            true => command.env("PGOPTIONS", ANNOUNCED),
            false => command.env_remove("PGOPTIONS"),
        };
        let mut spawn = Spawn::from(command);
        spawn.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Self { name, child: spawn.spawn().expect(name) }
    }

    /// Has psql do something; the others go on by themselves.
    async fn nudge(&mut self) {
        if self.name == "psql" {
            let input = self.child.stdin.as_mut().expect("it is piped");
            input.write_all(b"INSERT INTO unasked VALUES ('psql');\n").await.expect("it reads");
            input.flush().await.expect("it reads");
        }
    }

    /// Ends it; what it said, to both outputs.
    async fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let output = tokio::time::timeout(tests::DEADLINE, self.child.wait_with_output());
        let output = output.await.expect("it ends").expect("it ran");
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{}: {}{}", self.name, said[0], said[1]);
        said.concat()
    }
}

fn clients() -> Vec<(&'static str, Command)> {
    let with = |driver: &str| {
        let mut command = python("unasked.py", &[driver]);
        command.arg(driver);
        command
    };
    let mut clients = vec![
        ("psql", psql()),
        ("psycopg", with("psycopg")),
        ("asyncpg", with("asyncpg")),
        ("JDBC", java("Unasked.java")),
    ];
    match node("unasked.js") {
        Some(command) => clients.push(("node-postgres", command)),
        None => eprintln!("node-postgres is not there and was not tried; .ci/run unpacks it where it can"),
    }
    clients
}

async fn listener(cluster: &Cluster, announced: bool) -> Listener {
    let address = cluster.handler_address(0);
    let mut config = tokio_postgres::Config::new();
    config.host(address.ip().to_string()).port(address.port());
    config.user(USER).password(PASSWORD).dbname(DATABASE).connect_timeout(Duration::from_secs(30));
    Listener::open(config, announced.then_some("1;session=token-of-a-listener")).await.expect("connected")
}

/// Sends a directive to all sessions of the database that understand it.
async fn send(cluster: &Cluster, number: usize) {
    let id = format!("unasked-{number}");
    let with = r#"{"topic":"t","text":"x"}"#;
    let text = format!(
        r#"{{"v":1,"id":"{id}","epoch":0,"sequence":0,"lifetime_ms":600000,"action":"information","with":{with}}}"#
    );
    let database = Some(model::Name::new(DATABASE).expect("a name"));
    let targets = Targets { database, ..Targets::default() };
    cluster.administer(Wish::Send { id, text, targets }).await;
}

/// Sends directives until a listener that announced itself has them all, with clients at work meanwhile. What each said.
async fn beside(cluster: &Cluster, announced: bool, first: usize) -> Vec<(&'static str, String)> {
    let asked = listener(cluster, true).await;
    let make = "CREATE TABLE IF NOT EXISTS unasked (who text); DELETE FROM unasked";
    asked.client.batch_execute(make).await.expect("made");
    let mut working: Vec<Working> = clients()
        .into_iter()
        .map(|(name, command)| Working::begin(cluster, name, command, announced))
        .collect();
    // The fewest rows that any of them has written.
    let rows = async |working: &[Working]| -> i64 {
        let sql = "SELECT who, count(*) FROM unasked GROUP BY who";
        let rows = asked.client.query(sql, &[]).await.expect("counted");
        let of = |one: &Working| {
            rows.iter().find(|row| row.get::<_, &str>(0) == one.name).map_or(0, |row| row.get(1))
        };
        working.iter().map(of).min().unwrap_or(0)
    };
    let (number, over) = (AtomicUsize::new(first), AtomicBool::new(false));
    let sending = async {
        while !over.load(Ordering::Relaxed) {
            let one = number.fetch_add(1, Ordering::Relaxed);
            send(cluster, one).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            // Those that stand are bounded.
            cluster.administer(Wish::Revoke { id: Some(format!("unasked-{one}")) }).await;
        }
    };
    let attending = async {
        until("all clients work", async || {
            working[0].nudge().await;
            match rows(&working).await {
                1.. => Ok(()),
                none => Err(none),
            }
        })
        .await;
        let (before, told) = (rows(&working).await, asked.directives().len());
        until("directives come while all of them work", async || {
            working[0].nudge().await;
            let now = (rows(&working).await - before, asked.directives().len() - told);
            if now.0 >= SENT as i64 && now.1 >= SENT { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await;
        over.store(true, Ordering::Relaxed);
    };
    futures::future::join(sending, attending).await;
    let mut said = Vec::new();
    for one in working {
        said.push((one.name, one.end().await));
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_others_see_nothing_unusual_while_directives_flow_to_others_s9() {
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(1).start().await;
    cluster.create(DATABASE).await;
    cluster.let_send().await;
    let plain = listener(&cluster, false).await;
    for (name, said) in beside(&cluster, false, 0).await {
        assert_eq!(said, "", "{name} is told nothing, and warns of nothing");
    }
    plain.client.batch_execute("SELECT 1").await.expect("answered");
    // tokio-postgres itself has a notice when the table is there already; here nobody asks for one.
    assert_eq!(plain.notices(), 0, "tokio-postgres");
    for (name, said) in beside(&cluster, true, 100_000).await {
        assert!(
            said.contains("SM001") || said.contains("directive: information"),
            "{name} does see notices: {said}"
        );
    }
}
