//! Databases go where they should be: by load, by pins, and not at all while that is paused (R25, R26, R17, S5, S10).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rpc::controller::Operation;
use tests::{Builder, Cluster, Role, until};
use tokio::task::JoinHandle;

/// Some milliseconds of work for a server.
const WORK: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) SELECT count(*) FROM n";

/// A fleet that moves databases soon, for little, and within a budget that is soon there again.
fn eager() -> Builder {
    let settings = [
        ("interval_ms", "300"),
        ("sustain_ms", "0"),
        ("activity_floor_percent", "0"),
        ("move_cost_millionths", "0"),
        ("moves_per_minute", "120"),
        ("emergency_moves_per_minute", "120"),
    ];
    let builder = Cluster::builder().handlers(1);
    settings.into_iter().fold(builder, |builder, (key, value)| {
        builder.set(Role::Controller, &format!("balance.{key}"), value)
    })
}

/// Clients that keep the databases busy and count what they see.
struct Clients {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Result<(), String>>>,
}

impl Clients {
    async fn of(cluster: &Cluster, databases: &[String]) -> Self {
        let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = Vec::new();
        for database in databases {
            let session = cluster.session(0, database).await;
            let (stop, answers, database) = (stop.clone(), answers.clone(), database.clone());
            tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    session.one(WORK).await.map_err(|error| format!("{database}: {error:?}"))?;
                    answers.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(25)).await;
                }
                Ok(())
            }));
        }
        Self { stop, answers, tasks }
    }

    /// Waits until all have gone on for a while; gives how many answers there were.
    async fn end(self) -> u64 {
        let before = self.answers.load(Ordering::Relaxed);
        until("clients go on", async || {
            let more = self.answers.load(Ordering::Relaxed) - before;
            if more > 20 { Ok(()) } else { Err(format!("{more} answers")) }
        })
        .await;
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("it does not panic").expect("no client sees an error");
        }
        self.answers.load(Ordering::Relaxed)
    }
}

async fn drain(cluster: &Cluster, server: &str, draining: bool) {
    cluster.operate(Operation::DrainServer { server: server.into(), draining }).await;
}

/// Waits until the leader would move something.
async fn wait_for_a_plan(cluster: &Cluster) -> String {
    until("there is something to move", async || {
        let ran = cluster.cli().run(&["placement", "plan"]);
        match ran.code {
            Some(10) => Ok(ran.stdout),
            _ => Err(format!("{ran:?} {:?}", cluster.cli().run(&["placement", "status"]))),
        }
    })
    .await
}

/// Makes databases on the first server alone.
async fn crowd(cluster: &Cluster, count: usize) -> Vec<String> {
    drain(cluster, "server-2", true).await;
    let names: Vec<String> = (0..count).map(|number| format!("busy_{number}")).collect();
    for name in &names {
        cluster.create(name).await;
    }
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loaded_server_gives_to_an_idle_one_unless_paused_and_says_why_r25_s10() {
    let cluster = eager().servers(2).start().await;
    let names = crowd(&cluster, 6).await;
    let clients = Clients::of(&cluster, &names).await;
    let cli = cluster.cli();
    cli.run(&["placement", "pause", "--by", "dba"]).ok();
    drain(&cluster, "server-2", false).await;
    let plan = wait_for_a_plan(&cluster).await;
    assert!(plan.contains("paused by dba") && plan.contains("server-2"), "{plan}");

    // The pause outlives the leader, and so nothing is moved by the next one either.
    let leader = cluster.leader().await;
    cluster.controllers[leader].kill();
    wait_for_a_plan(&cluster).await;
    assert_eq!(cluster.owned().await, Ok(vec![6, 0]));
    cluster.controllers[leader].start();

    cli.run(&["placement", "resume"]).ok();
    cluster.until_owned("the idle one gets some", |owned| owned[1] >= 2).await;
    clients.end().await;

    let log = until("the moves are told of", async || {
        let log = cli.run(&["placement", "log", "--json"]).json();
        let moves = log.as_array().cloned().unwrap_or_default();
        if moves.len() >= 2 { Ok(moves) } else { Err(log) }
    })
    .await;
    for made in &log {
        assert_eq!((made["from"].as_str(), made["cause"].as_str()), (Some("server-1"), Some("load")));
        let evidence = made["evidence"].as_str().expect("a text");
        let said = ["server-1", "server-2", "heartbeat", "cores", "mean"];
        assert!(said.iter().all(|word| evidence.contains(word)), "{evidence}");
    }
    let moved = log[0]["name"].as_str().expect("a name");
    let explained = cli.run(&["placement", "explain", moved]);
    assert!(
        explained.ok().contains("it is here") && explained.ok().contains("moved lately"),
        "{explained:?}"
    );
    let shown = cli.run(&["placement", "status"]);
    assert!(shown.ok().contains("databases are moved") && shown.ok().contains("heartbeat"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_joins_fills_and_a_killed_ones_databases_are_spread_r17_r26() {
    let cluster = eager().servers(3).start().await;
    cluster.servers[2].kill();
    let names: Vec<String> = (0..12).map(|number| format!("spread_{number}")).collect();
    for name in &names {
        cluster.create(name).await;
    }
    let clients = Clients::of(&cluster, &names).await;
    cluster.servers[2].start();
    let filled = cluster.until_owned("the new one gets some", |owned| owned[2] >= 2).await;
    assert_eq!(filled.iter().sum::<u64>(), 12);

    // What the dead one had goes to both others.
    cluster.servers[0].kill();
    let spread = cluster.until_owned("all have a living owner", |owned| owned[1] + owned[2] == 12).await;
    assert!(spread[1] >= 3 && spread[2] >= 3, "{spread:?}");
    clients.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_database_goes_there_and_stays_whatever_happens_r27() {
    let cluster = eager().servers(2).start().await;
    drain(&cluster, "server-2", true).await;
    cluster.create("fixed").await;
    let session = cluster.session(0, "fixed").await;
    drain(&cluster, "server-2", false).await;
    let cli = cluster.cli();
    cli.run(&["databases", "pin", "fixed", "--to", "server-2"]).ok();
    let there = async |server: usize| {
        until("it is where it is pinned to", async || match cluster.owner("fixed").await {
            Some(owner) if owner == server => Ok(()),
            owner => Err(format!("{owner:?}")),
        })
        .await;
    };
    there(1).await;
    assert_eq!(session.one("select 1").await.expect("its client goes on"), "1");
    let refused = cli.run(&["databases", "move", "fixed", "--to", "server-1"]);
    assert!(refused.fails(1).contains("databases unpin fixed"), "{refused:?}");
    let refused = cli.run(&["databases", "pin", "fixed", "--location", "nowhere"]);
    assert!(refused.fails(1).contains("no server is in location"), "{refused:?}");

    // Neither a drain nor the server's death takes it elsewhere; it says what to do.
    drain(&cluster, "server-2", true).await;
    cluster.servers[1].kill();
    until("its client is told", async || match cluster.connect(0, "fixed").await {
        Err(error) if format!("{error:?}").contains("databases unpin fixed") => Ok(()),
        Err(error) => Err(format!("{error:?}")),
        Ok(_) => Err("it is served elsewhere".into()),
    })
    .await;
    cli.run(&["databases", "unpin", "fixed"]).ok();
    until("it is served again", async || {
        cluster.connect(0, "fixed").await.map(drop).map_err(|error| format!("{error:?}"))
    })
    .await;
    there(0).await;
    let told = cli.run(&["databases", "show", "fixed", "--events"]);
    assert!(told.ok().contains("to server server-2"), "{told:?}");
}
