//! A fleet of controllers that can be stopped, started and asked.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use controller::{Settings, run};
use futures::FutureExt;
use model::{ControllerId, Digest, IdempotencyKey, RequestId, Revision, TimestampMs};
use rpc::{
    Controllers, Host, Readiness, Secret, Service,
    controller::{
        Consistency, ControllerApiClient, ControllerInfo, ControllerStatus, ControllersChange, DatabaseInfo,
        DatabaseRef, LookUp, Operated, Operation, Route, RouteFailed, RouteRequest,
    },
    handshake::Role,
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::net::{At, Net};

/// How long a condition may take to come true. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Controllers, their network and their disks.
pub struct Fleet {
    pub net: Net,
    pub secret: Secret,
    dir: TempDir,
    members: Vec<(ControllerId, String)>,
    running: BTreeMap<u64, Running>,
    tune: fn(&mut Settings),
    keys: AtomicU64,
}

/// A controller in a runtime of its own, so that it can end as if killed.
struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), controller::Error>>,
    runtime: Option<Runtime>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Fleet {
    /// As many controllers as said, running.
    pub fn start(size: u64) -> Self {
        Self::tuned(size, |_| ())
    }

    /// The same, with other settings.
    pub fn tuned(size: u64, tune: fn(&mut Settings)) -> Self {
        let mut fleet = Self::stopped(size, tune);
        for id in 1..=size {
            fleet.run(id);
        }
        fleet
    }

    /// As many controllers as said, none of them running.
    pub fn stopped(size: u64, tune: fn(&mut Settings)) -> Self {
        let logging =
            tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env());
        // Another test of this process was first.
        drop(logging.with_test_writer().try_init());
        Self {
            net: Net::default(),
            secret: Secret::new([7; 32]),
            dir: tempfile::tempdir().expect("a directory"),
            members: (1..=size).map(|id| (ControllerId(id), address(id))).collect(),
            running: BTreeMap::new(),
            tune,
            keys: AtomicU64::new(1),
        }
    }

    /// The settings of one of them.
    pub fn settings(&self, id: u64) -> Settings {
        let data_dir = self.dir.path().join(id.to_string());
        let mut settings = Settings::new(ControllerId(id), address(id), data_dir, self.members.clone());
        (self.tune)(&mut settings);
        settings
    }

    /// Starts one that founds a fleet of its own.
    pub fn found_as(&mut self, id: u64) {
        self.members = vec![(ControllerId(id), address(id))];
        self.run(id);
    }

    /// Starts one.
    pub fn run(&mut self, id: u64) {
        self.run_with(id, run);
    }

    /// Starts one in another way.
    pub fn run_with<F>(&mut self, id: u64, start: impl FnOnce(Settings, Host, At) -> F)
    where
        F: Future<Output = Result<(), controller::Error>> + Send + 'static,
    {
        let shutdown = CancellationToken::new();
        let host = Host {
            dial: self.net.from(&address(id)),
            secret: self.secret.clone(),
            clock: || TimestampMs(0),
            shutdown: shutdown.clone(),
            ready: watch::Sender::new(Readiness::NotReady("starting".into())),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a thread");
        let task = runtime.spawn(start(self.settings(id), host, self.net.listen(&address(id))));
        self.running.insert(id, Running { shutdown, task, runtime: Some(runtime) });
    }

    /// Stops one in good order.
    pub async fn stop(&mut self, id: u64) {
        let mut running = self.running.remove(&id).expect("it runs");
        running.shutdown.cancel();
        (&mut running.task).await.expect("it does not panic").expect("it ends well");
    }

    /// Ends one where it stands: nothing is said, handed over or closed.
    pub fn kill(&mut self, id: u64) {
        drop(self.running.remove(&id).expect("it runs"));
    }

    /// What one ended with by itself.
    pub async fn ended(&mut self, id: u64) -> controller::Error {
        let mut running = self.running.remove(&id).expect("it was started");
        (&mut running.task).await.expect("it does not panic").expect_err("it must not go on")
    }

    /// The ids of those that run.
    pub fn ids(&self) -> Vec<u64> {
        self.running.keys().copied().collect()
    }

    /// A handle on all of them.
    pub fn client(&self) -> Controllers {
        let addresses = self.members.iter().map(|(_, address)| address.clone()).collect();
        Controllers::new(addresses, self.net.from("client:1"), self.secret.clone(), Role::Operator)
    }

    /// Repeats a wish for other controllers until the leader's list says that it is so.
    pub async fn change(
        &self,
        client: &Controllers,
        change: ControllersChange,
        so: impl Fn(&[ControllerInfo]) -> bool,
    ) -> Result<(), rpc::Error> {
        loop {
            client.operate(RequestId(1), Operation::ChangeControllers(change.clone())).await?;
            let list = self.list(client).await;
            if so(&list) {
                let addresses: Vec<String> = list.into_iter().map(|info| info.address).collect();
                client.learn(&addresses);
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The controllers as whoever answers knows them.
    pub async fn list(&self, client: &Controllers) -> Vec<ControllerInfo> {
        let list = client.any(|client, context| async move { client.controllers(context).await }.boxed());
        list.await.expect("somebody answers")
    }

    /// Starts one that is on no list and adds it.
    pub async fn grow(&mut self, client: &Controllers, id: u64) {
        self.run(id);
        let add = ControllersChange::Add { address: address(id) };
        let votes = |list: &[ControllerInfo]| list.iter().any(|info| info.controller.0 == id && info.voter);
        self.change(client, add, votes).await.expect("it is added");
    }

    /// Removes one, and waits until it has ended.
    pub async fn shrink(&mut self, client: &Controllers, id: u64) {
        let remove = ControllersChange::Remove { controller: ControllerId(id) };
        let gone = |list: &[ControllerInfo]| list.iter().all(|info| info.controller.0 != id);
        self.change(client, remove, gone).await.expect("it is removed");
        let error = self.ended(id).await.to_string();
        assert!(error.contains("was removed from the fleet"), "{error}");
    }

    /// Empties the directory of one that does not run.
    pub fn wipe(&self, id: u64) {
        std::fs::remove_dir_all(self.settings(id).data_dir).expect("it was there");
    }

    /// A handle on one of them.
    pub fn one(&self, id: u64) -> Controllers {
        Controllers::new(vec![address(id)], self.net.from("client:1"), self.secret.clone(), Role::Operator)
    }

    /// One of them, without anybody who retries.
    pub async fn raw(&self, id: u64) -> ControllerApiClient {
        let dial = self.net.from("client:1");
        let address = address(id);
        let transport = rpc::connect(&*dial, &address, &self.secret, Service::Controller, Role::Operator);
        let config = rpc::tarpc::client::Config::default();
        ControllerApiClient::new(config, transport.await.expect("it runs")).spawn()
    }

    /// Waits until there is a leader that answers; its id.
    pub async fn leader(&self) -> u64 {
        eventually("a leader", || async {
            for id in self.ids() {
                let status = self.status(id).await;
                if status.state == "leader" && status.fleet.is_some() {
                    return Some(id);
                }
            }
            None
        })
        .await
    }

    /// How one is doing.
    pub async fn status(&self, id: u64) -> ControllerStatus {
        let one = self.one(id);
        let status = one.any(|client, context| async move { client.status(context).await }.boxed());
        status.await.expect("it runs")
    }

    /// The fingerprint of one's map.
    pub async fn digest(&self, id: u64) -> Digest {
        let one = self.one(id);
        let digest = one.any(|client, context| async move { client.digest(context).await }.boxed());
        digest.await.expect("it runs")
    }

    /// Waits until all that run have the same map; its fingerprint (C14).
    pub async fn agreed(&self) -> Digest {
        eventually("equal digests at equal revisions", || async {
            let mut digests = Vec::new();
            for id in self.ids() {
                digests.push(self.digest(id).await);
            }
            digests.windows(2).all(|pair| pair[0] == pair[1]).then(|| digests[0])
        })
        .await
    }

    /// A key that no other create of this fleet has.
    pub fn key(&self) -> IdempotencyKey {
        IdempotencyKey(self.keys.fetch_add(1, Ordering::Relaxed).into())
    }

    /// Creates a database.
    pub async fn create(&self, name: &str) -> Result<DatabaseInfo, rpc::Error> {
        let operation = Operation::CreateDatabase { name: name.into(), key: self.key() };
        Ok(self.operate(operation).await?.database.expect("it was just made"))
    }

    /// Makes a change.
    pub async fn operate(&self, operation: Operation) -> Result<Operated, rpc::Error> {
        self.client().operate(RequestId(1), operation).await
    }
}

/// Asks for a route.
pub async fn route(
    client: &Controllers,
    name: &str,
    failed: Option<RouteFailed>,
) -> Result<Route, rpc::Error> {
    let request = RouteRequest {
        request: RequestId(1),
        database: DatabaseRef::parse(name),
        at_least: Revision(0),
        failed,
    };
    let call = |client: ControllerApiClient, context| {
        let request = request.clone();
        async move { client.route(context, request).await }.boxed()
    };
    client.leader(call).await
}

/// Looks a database up.
pub async fn look_up(
    client: &Controllers,
    name: &str,
    consistency: Consistency,
) -> Result<DatabaseInfo, rpc::Error> {
    let request = LookUp { database: DatabaseRef::parse(name), consistency };
    let call = |client: ControllerApiClient, context| {
        let request = request.clone();
        async move { client.look_up(context, request).await }.boxed()
    };
    client.leader(call).await
}

/// Where a controller listens.
pub fn address(id: u64) -> String {
    format!("controller-{id}:7101")
}

/// Waits for a condition; gives up loudly.
pub async fn eventually<T, F>(what: &str, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < give_up, "waited {PATIENCE:?} in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
