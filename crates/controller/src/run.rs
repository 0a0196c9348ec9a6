//! A controller from start to end.

use std::sync::Arc;

use model::Revision;
use openraft::{Config, SnapshotPolicy};
use rpc::{Host, Listen, Service, handshake::Role};
use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    answering,
    api::Api,
    blocking::Worker,
    error::Error,
    fault, formation,
    limits::{ACCEPT_PAUSE, CONNECTIONS_MAX, LOG_KEPT_MAX, TASKS_TIMEOUT},
    machine::Machine,
    meter,
    node::Node,
    raft::{Admission, Network, Peers, Raft, RaftServer},
    settings::Settings,
    store::{Disk, Log, SledDisk, StoreError},
};

/// Runs a controller until the host's shutdown, on the data directory of its settings.
///
/// # Errors
/// [`Error`]: it did not start, or stopped by itself. Whatever it had acknowledged is on disk.
pub async fn run(settings: Settings, host: Host, listener: impl Listen) -> Result<(), Error> {
    let problems = settings.problems();
    if !problems.is_empty() {
        return Err(Error::Settings(problems));
    }
    let disk = SledDisk::open(settings.data_dir.clone(), settings.id, settings.power_loss_safe).await?;
    let disk = Arc::new(disk);
    let calculator = Worker::spawn("controller-calculator", ())
        .map_err(|source| Error::Start { reason: source.to_string() })?;
    let result = run_on(settings, host, listener, disk.clone(), calculator).await;
    disk.close().await;
    result
}

/// Runs a controller until the host's shutdown, on whatever keeps its data and computes for it.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    settings: Settings,
    host: Host,
    listener: impl Listen,
    disk: Arc<dyn Disk>,
    calculator: Worker<()>,
) -> Result<(), Error> {
    meter::describe();
    let (log, writing) = Log::open(disk.clone()).await?;
    let purged = log.purged();
    let calculator = Arc::new(calculator);
    let machine = Machine::open(disk.clone(), calculator.clone()).await?;
    if machine.snapshot_last() < purged {
        let path = disk.path().to_path_buf();
        return Err(StoreError::Lost { path, reason: "its snapshot is gone".into() }.into());
    }
    let view = machine.view();
    let level = view.read(|state| state.fleet().level()).max(log.level());
    if level > settings.level {
        let what = format!("what is of {level}");
        return Err(StoreError::Newer { what, path: disk.path().to_path_buf() }.into());
    }
    view.begin_after(Revision(log.last().map_or(0, |last| last.index)));
    let mut tasks = JoinSet::new();
    let writer = tokio::spawn(writing);
    let progress = log.progress();
    let (admission, peers) = (Arc::new(Admission::of(disk.clone()).await), Arc::new(Peers::default()));
    let network = Network::new(host.dial.clone(), host.secret.clone(), view.clone(), peers.clone());
    let config = Config { enable_elect: !admission.is_joining(), ..config(&settings)? };
    let raft = Raft::new(settings.id.0, Arc::new(config), network, log, machine).await;
    let raft = raft.map_err(|fatal| Error::Start { reason: fatal.to_string() })?;
    peers.follow(raft.metrics());
    let node = Arc::new(Node::new(settings, host, raft, view, (admission, peers), calculator));
    tracing::info!(id = %node.settings.id, address = node.settings.address, "controller started");

    let stop = CancellationToken::new();
    tasks.spawn(accept(node.clone(), listener));
    tasks.spawn(begin(node.clone()));
    tasks.spawn(node.clone().watch_disk(progress));
    tasks.spawn(node.clone().make_snapshots());
    tasks.spawn(elect_once_admitted(node.clone()));
    let attending = tokio::spawn({
        let (node, stop) = (node.clone(), stop.clone());
        async move {
            tokio::select! {
                biased;
                Err(error) = belong(node.clone(), disk) => Err(error.into()),
                attended = node.attend(&stop) => attended.map_err(|reason| Error::Stopped { reason }),
            }
        }
    });
    let result = supervise(&node, &stop, attending).await;
    tasks.shutdown().await;
    end(&node).await;
    drop(node);
    if let Err(error) = writer.await {
        tracing::error!(%error, "the log writer failed");
    }
    result
}

/// Waits for the end: the host's, or the engine's.
async fn supervise(
    node: &Arc<Node>,
    stop: &CancellationToken,
    mut attending: tokio::task::JoinHandle<Result<(), Error>>,
) -> Result<(), Error> {
    let ended = tokio::select! {
        biased;
        ended = &mut attending => Some(ended),
        () = node.peers.until_removed() => {
            stop.cancel();
            let path = node.settings.data_dir.clone();
            if let Err(error) = outcome(attending.await) {
                tracing::warn!(%error, "removed, and the end was not clean");
            }
            return Err(Error::Removed { id: node.settings.id, path });
        }
        () = node.host.shutdown.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            node.hand_over(None).await;
            stop.cancel();
            attending.await
        }
    };
    outcome(ended)
}

/// What the attending task came to; one that panicked has stopped.
fn outcome(ended: Result<Result<(), Error>, tokio::task::JoinError>) -> Result<(), Error> {
    ended.unwrap_or_else(|error| Err(Error::Stopped { reason: error.to_string() }))
}

async fn end(node: &Node) {
    node.tasks.close();
    if timeout(TASKS_TIMEOUT, node.tasks.wait()).await.is_err() {
        tracing::warn!("some work on servers was still going on at the end; the next leader repeats it");
    }
    if let Err(error) = node.raft.shutdown().await {
        tracing::error!(%error, "the consensus engine did not end well");
    }
    tracing::info!(id = %node.settings.id, "controller stopped");
}

fn config(settings: &Settings) -> Result<Config, Error> {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let config = Config {
        cluster_name: "stationmaster".into(),
        heartbeat_interval: millis(settings.raft_heartbeat),
        election_timeout_min: millis(settings.election_min),
        election_timeout_max: millis(settings.election_max),
        max_payload_entries: 1_024,
        // Each controller has places of its own for them in the log: see `Places`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: LOG_KEPT_MAX.min(settings.snapshot_every / 2),
        // A follower that is further behind than this gets the snapshot; the log never reaches back much further.
        replication_lag_threshold: settings.snapshot_every * 2,
        // A controller that comes back must not end a reign that works.
        enable_pre_vote: Some(!fault::planted(&settings.data_dir, "no pre-vote")),
        // Where the log was committed up to is not made durable each time, so a leader that restarts has to be
        // elected again before it may answer for the newest state.
        enable_leader_restore: Some(false),
        // A follower that lost its log without noticing would otherwise stop the leader.
        allow_log_reversion: Some(true),
        ..Config::default()
    };
    config.validate().map_err(|error| Error::Start { reason: error.to_string() })
}

async fn begin(node: Arc<Node>) {
    if let Err(reason) = formation::form(&node).await {
        // The engine says so as well, and that ends the controller.
        tracing::error!(reason, "cannot form a fleet");
    }
}

/// One that is not admitted does not even vote for itself.
async fn elect_once_admitted(node: Arc<Node>) {
    let mut joining = node.admission.watch();
    if joining.wait_for(|joining| !joining).await.is_ok() {
        node.raft.runtime_config().elect(true);
    }
}

/// Notes in the data directory which fleet it belongs to, once that is known.
async fn belong(node: Arc<Node>, disk: Arc<dyn Disk>) -> Result<(), StoreError> {
    let mut revisions = node.view.revisions();
    loop {
        revisions.borrow_and_update();
        if let Some(fleet) = node.view.read(|state| state.fleet().id()) {
            return disk.belong_to(fleet).await;
        }
        if revisions.changed().await.is_err() {
            return Ok(());
        }
    }
}

async fn accept(node: Arc<Node>, mut listener: impl Listen) {
    let mut connections = JoinSet::new();
    let (admission, peers) = (node.admission.clone(), node.peers.clone());
    let own = (node.settings.id.0, node.settings.level);
    let raft = RaftServer::new(
        own,
        node.raft.clone(),
        node.view.clone(),
        (admission, peers),
        node.calculator.clone(),
    );
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
            continue;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                connections.spawn(serve(node.clone(), raft.clone(), stream, peer));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(node: Arc<Node>, raft: RaftServer, mut stream: Box<dyn rpc::ByteStream>, peer: String) {
    let began = Instant::now();
    let offered = [Service::Controller, Service::Raft];
    match rpc::accept(&mut stream, &node.host.secret, &offered).await {
        Ok((Service::Raft, Role::Controller)) => raft.serve_connection(stream).await,
        Ok((Service::Raft, role)) => tracing::warn!(peer, ?role, "only controllers speak Raft"),
        Ok((Service::Controller, role)) => {
            use rpc::{controller::ControllerApi as _, tarpc::server::Channel as _};
            answering::answer(answering::channel(stream).execute(Api(node, role).serve())).await;
        }
        Ok((Service::Server | Service::Environment, _)) => unreachable!("BUG: not offered"),
        Err(error) => tracing::warn!(peer, %error, after = ?began.elapsed(), "connection refused"),
    }
}
