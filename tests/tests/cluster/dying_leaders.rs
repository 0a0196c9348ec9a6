//! The leading controller dies at each step of a failover and of a move, with clients at work: afterwards there is one
//! owner, the database answers, and every row that was acknowledged is there (C17, R18, R27).
//!
//! Where it dies is told by a file that `STATIONMASTER_FAULT_POINT` names: see [`Cluster::arm`].

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use model::{Epoch, RequestId};
use rpc::controller::{DatabaseRef, Operation};
use tests::{Cluster, until};
use tokio::task::JoinSet;

/// Inserts numbers one after the other until told to stop; gives those that were acknowledged.
async fn insert(
    cluster: Arc<Cluster>,
    handler: usize,
    name: String,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
) -> Vec<usize> {
    let (mut done, mut session, mut next) = (Vec::new(), None, handler);
    while !stop.load(Ordering::Relaxed) {
        let Some(open) = &session else {
            session = cluster.connect(handler, &name).await.ok();
            continue;
        };
        // Each number is tried once: one whose fate is unknown may be there or not.
        let insert = format!("INSERT INTO t VALUES ({next})");
        match open.batch_execute(&insert).await {
            Ok(()) => {
                done.push(next);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => session = None,
        }
        next += 2;
    }
    done
}

/// Two clients at work on a database, each at a handler of its own.
struct Clients {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    tasks: JoinSet<Vec<usize>>,
}

impl Clients {
    async fn start(cluster: &Arc<Cluster>, name: &str) -> Self {
        let session = cluster.session(0, name).await;
        session.batch_execute("CREATE TABLE t (n int PRIMARY KEY)").await.expect("written");
        let (stop, acknowledged) = (Arc::default(), Arc::default());
        let mut tasks = JoinSet::new();
        for handler in 0..2 {
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            tasks.spawn(insert(Arc::clone(cluster), handler, name.into(), stop, acknowledged));
        }
        let clients = Self { stop, acknowledged, tasks };
        clients.go_on().await;
        clients
    }

    /// Waits until more is acknowledged.
    async fn go_on(&self) {
        let before = self.acknowledged.load(Ordering::Relaxed);
        until("clients go on", async || {
            let now = self.acknowledged.load(Ordering::Relaxed);
            if now > before + 10 { Ok(()) } else { Err(format!("{before} acknowledged, and now {now}")) }
        })
        .await;
    }

    async fn end(self) -> Vec<usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await.concat()
    }
}

/// Everything acknowledged is there, through both handlers, under one owner.
async fn check(cluster: &Cluster, name: &str, before: Epoch, acknowledged: &[usize]) {
    for handler in 0..2 {
        let session = cluster.session(handler, name).await;
        let rows = session.query("SELECT n FROM t", &[]).await.expect("it answers");
        let rows: std::collections::BTreeSet<usize> =
            rows.iter().map(|row| usize::try_from(row.get::<_, i32>(0)).expect("not negative")).collect();
        let lost: Vec<&usize> = acknowledged.iter().filter(|number| !rows.contains(number)).collect();
        assert!(lost.is_empty(), "{name}: acknowledged and lost: {lost:?}");
    }
    cluster.agreed().await;
    let info = cluster.info(name).await;
    assert!(info.epoch > before && info.owner.is_some(), "{info:?}");
}

async fn restart(cluster: &Cluster, controller: usize) {
    cluster.controllers[controller].start();
    cluster.controllers[controller].ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_dies_at_any_step_of_a_failover_leaves_one_owner_and_every_row_c17_r18() {
    let cluster = Arc::new(Cluster::builder().faults().start().await);
    for (number, point) in
        ["failover: decided", "failover: server expired", "failover: assigned", "failover: loaded"]
            .into_iter()
            .enumerate()
    {
        let name = format!("failover_{number}");
        let before = cluster.create(&name).await.epoch;
        let clients = Clients::start(&cluster, &name).await;
        let owner = cluster.owner(&name).await.expect("it is served");
        cluster.arm(point);
        cluster.servers[owner].kill();
        let dead = cluster.struck().await;
        clients.go_on().await;
        let acknowledged = clients.end().await;
        check(&cluster, &name, before, &acknowledged).await;
        restart(&cluster, dead).await;
        cluster.servers[owner].start();
        cluster.servers[owner].ready().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_dies_at_any_step_of_a_move_leaves_one_owner_and_every_row_c17_r27() {
    let cluster = Arc::new(Cluster::builder().faults().start().await);
    for (number, point) in
        ["move: decided", "move: released", "move: assigned", "move: loaded"].into_iter().enumerate()
    {
        let name = format!("move_{number}");
        let before = cluster.create(&name).await.epoch;
        let clients = Clients::start(&cluster, &name).await;
        let owner = cluster.owner(&name).await.expect("it is served");
        let to = (owner + 1) % cluster.servers.len();
        cluster.arm(point);
        let there = Operation::MoveDatabase {
            database: DatabaseRef::parse(&name),
            server: cluster.servers[to].name().into(),
        };
        // The operator's call is repeated at the next leader, which finishes the move.
        let moved = cluster.rpc().operate(RequestId(rand::random()), there).await;
        let dead = cluster.struck().await;
        clients.go_on().await;
        let acknowledged = clients.end().await;
        moved.unwrap_or_else(|error| panic!("{point}: {error}"));
        assert_eq!(cluster.owner(&name).await, Some(to), "{point}");
        check(&cluster, &name, before, &acknowledged).await;
        restart(&cluster, dead).await;
    }
}
