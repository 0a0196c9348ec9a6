//! The set of controllers grows and shrinks while clients create and look up databases: none of them notices (C13, C17).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use model::{IdempotencyKey, RequestId};
use rpc::{
    Controllers,
    controller::{Consistency, ControllerApiClient, DatabaseRef, LookUp, Operation},
};
use tests::{Cluster, Session, until};
use tokio::task::JoinSet;

/// Half of them speak PostgreSQL's wire with the handlers, half the controllers' own service.
const CLIENTS: usize = 64;
/// Pause between a client's requests: the machine is to be busy, and to have time for the controllers.
const PAUSE: Duration = Duration::from_millis(100);

/// Clients at work.
struct Load {
    clients: JoinSet<Result<u64, String>>,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
}

impl Load {
    /// Starts them. They know the controllers there are now, and no others.
    async fn start(cluster: &Cluster) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (stop, done) = (stop.clone(), done.clone());
            if number % 2 == 0 {
                let session = cluster.session(number / 2 % 2, "stationmaster").await;
                clients.spawn(by_sql(session, number, stop, done));
            } else {
                clients.spawn(by_rpc(cluster.rpc(), number, stop, done));
            }
        }
        Self { clients, stop, done }
    }

    /// Waits until they have done some more.
    async fn goes_on(&self) {
        let before = self.done.load(Ordering::SeqCst);
        until("the clients get on", async || {
            let done = self.done.load(Ordering::SeqCst);
            if done >= before + 2 * CLIENTS as u64 { Ok(()) } else { Err(format!("{done} requests")) }
        })
        .await;
    }

    /// Ends them; how many databases they made. No request of any of them has failed.
    async fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        let mut made = 0;
        while let Some(ended) = self.clients.join_next().await {
            made += ended.expect("a client does not panic").expect("no error reaches a client");
        }
        made
    }
}

async fn by_sql(
    session: Session,
    number: usize,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
) -> Result<u64, String> {
    let mut made = 0;
    while !stop.load(Ordering::SeqCst) {
        let name = format!("sql_{number}_{made}");
        session
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .map_err(|error| format!("{error:?}"))?;
        made += 1;
        session.simple_query("SHOW CONTROLLERS").await.map_err(|error| format!("{error:?}"))?;
        done.fetch_add(2, Ordering::SeqCst);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(made)
}

async fn by_rpc(
    controllers: Controllers,
    number: usize,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
) -> Result<u64, String> {
    let learning = controllers.clone();
    let learning = tokio::spawn(async move { learning.keep_up().await });
    let mut made = 0;
    while !stop.load(Ordering::SeqCst) {
        let name = format!("rpc_{number}_{made}");
        let key = IdempotencyKey(rand::random());
        let create = Operation::CreateDatabase { name: name.clone(), key };
        controllers.operate(RequestId(rand::random()), create).await.map_err(|error| error.to_string())?;
        made += 1;
        let look_up = LookUp { database: DatabaseRef::Name(name), consistency: Consistency::Linearizable };
        let call = |client: ControllerApiClient, context| {
            let look_up = look_up.clone();
            async move { client.look_up(context, look_up).await }.boxed()
        };
        controllers.leader(call).await.map_err(|error| error.to_string())?;
        done.fetch_add(2, Ordering::SeqCst);
        tokio::time::sleep(PAUSE).await;
    }
    learning.abort();
    Ok(made)
}

/// Starts one more and adds it.
async fn add(cluster: &mut Cluster) -> usize {
    let index = cluster.join_controller();
    let address = cluster.controller_address(index).to_string();
    let cli = cluster.cli();
    until("the new one answers", async || cluster.status(index).await).await;
    let said = blocking(move || cli.run(&["controllers", "add", &address])).await;
    assert!(said.ok().contains("votes"), "{said:?}");
    cluster.controllers[index].ready().await;
    index
}

/// Removes one, which ends by itself.
async fn remove(cluster: &Cluster, index: usize) {
    let (cli, id) = (cluster.cli(), (index + 1).to_string());
    blocking(move || cli.run(&["controllers", "remove", &id])).await.ok();
    let status = cluster.controllers[index].ended().await;
    assert_eq!(status.code(), Some(69), "it is told that it was removed");
    let log = cluster.controllers[index].log().text();
    assert!(log.contains("was removed from the fleet"), "{log}");
}

async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(run).await.expect("it does not panic")
}

fn voters(cluster: &Cluster) -> usize {
    let list = cluster.cli().run(&["controllers", "list", "--json"]).json();
    let rows = list.as_array().expect("a list");
    rows.iter().filter(|row| row["role"] == "voter").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_controllers_become_five_and_three_under_load_and_no_client_sees_an_error_c13_c17() {
    let mut cluster = Cluster::builder().start().await;
    let load = Load::start(&cluster).await;
    load.goes_on().await;
    add(&mut cluster).await;
    add(&mut cluster).await;
    assert_eq!(voters(&cluster), 5);
    load.goes_on().await;
    // The leader goes, and then whoever leads next.
    for _ in 0..2 {
        let leader = cluster.leader().await;
        remove(&cluster, leader).await;
        load.goes_on().await;
    }
    assert_eq!(voters(&cluster), 3);
    let made = load.end().await;
    cluster.agreed().await;
    let leader = cluster.leader().await;
    assert_eq!(cluster.status(leader).await.expect("it leads").databases, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_controller_becomes_three_and_one_again_while_a_wiped_one_comes_back_c13() {
    let mut cluster = Cluster::builder().controllers(1).handlers(1).servers(1).start().await;
    cluster.create("first").await;
    add(&mut cluster).await;
    add(&mut cluster).await;
    // One loses its disk and is started as it was.
    cluster.controllers[1].kill();
    std::fs::remove_dir_all(cluster.directory().join("controller-2")).expect("it was there");
    cluster.controllers[1].start();
    until("it votes again", async || {
        let state = cluster.status(1).await.map_err(|error| error.to_string())?.state;
        let voters = voters(&cluster);
        if voters == 3 && state == "follower" {
            Ok(())
        } else {
            Err(format!("{voters} voters, it is {state}"))
        }
    })
    .await;
    cluster.agreed().await;
    // The one that everybody was told of at the start goes.
    remove(&cluster, 0).await;
    let session = cluster.session(0, "first").await;
    assert_eq!(session.one("select 1").await.expect("answered"), "1");
    remove(&cluster, 1).await;
    cluster.create("second").await;
    let session = cluster.session(0, "second").await;
    assert_eq!(session.one("select 1").await.expect("the handler and the server found the last one"), "1");
    // What a leader did just before another one took over may be missing; these are none of that.
    until("the steps are told (S10)", async || {
        let command = ["events", "--json", "--limit", "10000", "--since", "1970-01-01T00:00:00Z"];
        let events = cluster.cli().run(&command).json();
        let changes =
            events.as_array().expect("a list").iter().filter(|event| event["what"] == "controllers changed");
        let steps: Vec<&str> = changes.filter_map(|event| event["evidence"].as_str()).collect();
        let expected = ["3 votes", "2 is a learner until it has caught up", "2 removed"];
        if expected.iter().all(|step| steps.contains(step)) { Ok(()) } else { Err(format!("{steps:#?}")) }
    })
    .await;
    let refused = cluster.cli().run(&["controllers", "remove", "3"]);
    assert!(refused.fails(1).contains("the only one that votes"), "{refused:?}");
}
