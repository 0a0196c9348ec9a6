//! A running cluster.

mod builder;
mod config;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use futures::FutureExt;
use model::{Digest, IdempotencyKey, RequestId, SenderRole};
use rpc::{
    Controllers, Secret, TcpDial,
    controller::{Consistency, ControllerStatus, DatabaseInfo, DatabaseRef, LookUp, Operated, Operation},
    directives::{Proven, Wish, signed},
    handshake,
};
use tokio::sync::{OnceCell, SemaphorePermit};
use tokio_postgres::Error;
use wire::scram::Verifier;

pub use builder::Builder;
use config::Layout;

use crate::{Cli, PgEnv, Ports, Process, Session, until};

/// The user that every cluster has.
pub const USER: &str = "alice";
/// That user's password.
pub const PASSWORD: &str = "open sesame";

/// The database that handlers serve themselves.
const ADMIN: &str = "stationmaster";

/// The file that says where a controller is to die.
const FAULT: &str = "fault";

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Holds the map.
    Controller,
    /// Takes clients.
    Handler,
    /// Serves databases.
    Server,
}

/// Where a process runs, when that is not simply here.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its address; others reach it there, and this process does, too.
    pub address: IpAddr,
    /// What starts it: see [`Process::within`].
    pub command: Vec<String>,
}

/// Processes, their files and their ports. Everything goes with it.
pub struct Cluster {
    /// In the order of their ids, from 1.
    pub controllers: Vec<Process>,
    /// `handler-1` and so on.
    pub handlers: Vec<Process>,
    /// `server-1` and so on.
    pub servers: Vec<Process>,
    controller_addresses: Vec<String>,
    handler_addresses: Vec<SocketAddr>,
    directory: PathBuf,
    secret: Secret,
    ports: Ports,
    hosts: BTreeMap<String, Host>,
    variables: Vec<(String, String)>,
    _turn: Option<SemaphorePermit<'static>>,
}

impl Cluster {
    /// Three controllers, two handlers and three servers, unless said otherwise.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The cluster that tests share when they break nothing. Use database names of your own.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::builder().shared().start()).await
    }

    /// Starts what was prepared, and waits until all of it can do its work.
    ///
    /// # Panics
    /// When something cannot be started.
    pub async fn boot(&self) {
        for process in self.processes() {
            process.start();
        }
        for process in self.processes() {
            process.ready().await;
        }
        if !self.controllers.is_empty() {
            let verifier = Verifier::random(PASSWORD, &mut rand::rng()).to_string();
            self.operate(Operation::PutUser { name: USER.into(), verifier }).await;
            // Handlers hear of a new user in a moment.
            for handler in 0..self.handlers.len() {
                until("the user can log in", async || self.connect(handler, ADMIN).await.map(drop)).await;
            }
        }
    }

    /// Every process.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.controllers.iter().chain(&self.handlers).chain(&self.servers)
    }

    /// Where its files are.
    pub fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// A handle on the controllers. One for each test: its connections end with the test's runtime.
    pub fn rpc(&self) -> Controllers {
        self.rpc_to(self.controller_addresses.clone())
    }

    /// A handle on one controller alone.
    pub fn rpc_only(&self, controller: usize) -> Controllers {
        self.rpc_to(vec![self.controller_addresses[controller].clone()])
    }

    fn rpc_to(&self, addresses: Vec<String>) -> Controllers {
        Controllers::new(addresses, Arc::new(TcpDial), self.secret.clone(), handshake::Role::Operator)
    }

    /// The command line, pointed at this cluster, of the user that every cluster has.
    pub fn cli(&self) -> Cli {
        let controllers = self.controller_addresses.clone();
        let variables = [("PGUSER", USER), ("PGPASSWORD", PASSWORD)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Cli { controllers, secret_file: Some(self.secret_file()), variables }
    }

    /// The file with its secret.
    pub fn secret_file(&self) -> PathBuf {
        self.directory.join("secret")
    }

    /// Its secret.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Where others reach a controller.
    ///
    /// # Panics
    /// Never: it is an address of ours.
    pub fn controller_address(&self, controller: usize) -> SocketAddr {
        self.controller_addresses[controller].parse().expect("an address of ours")
    }

    /// Where clients reach a handler.
    pub fn handler_address(&self, handler: usize) -> SocketAddr {
        self.handler_addresses[handler]
    }

    /// A free address on loopback.
    pub fn spare_address(&self) -> SocketAddr {
        self.ports.next()
    }

    /// How client programs find a database through a handler.
    pub fn env(&self, handler: usize, database: &str) -> PgEnv {
        PgEnv { address: self.handler_address(handler), database: database.into() }
    }

    /// Starts one more controller, which is on no list and waits to be added; its index.
    pub fn join_controller(&mut self) -> usize {
        let (index, id) = (self.controllers.len(), self.controllers.len() + 1);
        let name = format!("controller-{id}");
        let next = || next_at(&self.ports, &self.hosts, &name);
        let (address, admin) = (next().to_string(), next());
        let (extra, log) = Default::default();
        let layout = Layout { directory: &self.directory, controllers: &[], extra: &extra, log: &log };
        let config = layout.joining_controller(id, &address, admin);
        self.controllers.push(self.dressed(Process::new(&name, "controller", &config, admin)));
        self.controller_addresses.push(address);
        self.controllers[index].start();
        index
    }

    /// A process with what all of this cluster have, and with where it runs.
    fn dressed(&self, mut process: Process) -> Process {
        for (name, value) in &self.variables {
            process = process.with_variable(name, value.into());
        }
        match self.hosts.get(process.name()) {
            Some(host) => process.within(&host.command.clone()),
            None => process,
        }
    }

    /// A session through a handler.
    ///
    /// # Errors
    /// Whatever the handler says.
    pub async fn connect(&self, handler: usize, database: &str) -> Result<Session, Error> {
        Session::open(self.handler_address(handler), USER, PASSWORD, database).await
    }

    /// A session through a handler; this must work.
    pub async fn session(&self, handler: usize, database: &str) -> Session {
        match self.connect(handler, database).await {
            Ok(session) => session,
            Err(error) => panic!("cannot open {database}: {error:?}\n{}", self.tails(20)),
        }
    }

    /// Makes a database.
    pub async fn create(&self, name: &str) -> DatabaseInfo {
        let key = IdempotencyKey(rand::random());
        let made = self.operate(Operation::CreateDatabase { name: name.into(), key }).await;
        made.database.expect("a create answers with its database")
    }

    /// Makes an operator's change; this must work.
    pub async fn operate(&self, operation: Operation) -> Operated {
        match self.rpc().operate(RequestId(rand::random()), operation.clone()).await {
            Ok(operated) => operated,
            Err(error) => panic!("{operation:?}: {error}\n{}", self.tails(20)),
        }
    }

    /// Lets the user that every cluster has send directives, and approve of what others send.
    pub async fn let_send(&self) {
        let (user, by) = (USER.into(), "tests".into());
        self.operate(Operation::PutSender { user, role: Some(SenderRole::Approver), by }).await;
    }

    /// Has that user want something of directives; this must work.
    pub async fn administer(&self, wish: Wish) {
        let controllers = self.rpc();
        let asked = controllers
            .any(|client, context| async move { client.verifier(context, USER.into()).await }.boxed());
        let verifier = asked.await.expect("answered").expect("every cluster has the user");
        let verifier: Verifier = verifier.parse().expect("a verifier");
        let (request, user, at) = (RequestId(rand::random()), USER.to_owned(), "tests".to_owned());
        let keys = verifier.unlock(PASSWORD).expect("the password");
        let proof = keys.sign(&signed(request, &user, &at, &wish));
        let operation = Operation::Administer { by: Proven { user, at, proof }, wish };
        if let Err(error) = controllers.operate(request, operation).await {
            panic!("{error}\n{}", self.tails(20));
        }
    }

    /// Takes a database from its owner.
    pub async fn unassign(&self, name: &str) {
        self.operate(Operation::UnassignDatabase { database: DatabaseRef::parse(name) }).await;
    }

    /// What the leader knows of a database.
    ///
    /// # Errors
    /// As the leader says.
    pub async fn look_up(&self, name: &str) -> Result<DatabaseInfo, rpc::Error> {
        let look_up = LookUp { database: DatabaseRef::parse(name), consistency: Consistency::Linearizable };
        let call = |client: rpc::controller::ControllerApiClient, context| {
            let look_up = look_up.clone();
            async move { client.look_up(context, look_up).await }.boxed()
        };
        self.rpc().leader(call).await
    }

    /// What the leader knows of a database that must be there.
    pub async fn info(&self, name: &str) -> DatabaseInfo {
        self.look_up(name).await.unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.tails(20)))
    }

    /// Which server owns a database: its index in [`Cluster::servers`].
    pub async fn owner(&self, name: &str) -> Option<usize> {
        let server = self.info(name).await.owner?.server.to_string();
        self.servers.iter().position(|process| process.name() == server)
    }

    /// How many databases each server has, in the order of their names.
    ///
    /// # Errors
    /// When no controller answers.
    pub async fn owned(&self) -> Result<Vec<u64>, String> {
        let rpc = self.rpc();
        let call = rpc.any(|client, context| async move { client.servers(context).await }.boxed());
        let mut servers = call.await.map_err(|error| error.to_string())?;
        servers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(servers.iter().map(|server| server.databases).collect())
    }

    /// Waits until that fits.
    pub async fn until_owned(&self, what: &str, fits: impl Fn(&[u64]) -> bool) -> Vec<u64> {
        until(what, async || {
            let owned = self.owned().await?;
            if fits(&owned) { Ok(owned) } else { Err(format!("servers have {owned:?}")) }
        })
        .await
    }

    /// Has the controller die, as if by kill -9, that comes to this point first: one of `controller::fault`, such as
    /// `failover: assigned`. For clusters built with [`Builder::faults`].
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn arm(&self, point: &str) {
        let (draft, file) = (self.directory.join("fault-draft"), self.directory.join(FAULT));
        std::fs::write(&draft, point).and_then(|()| std::fs::rename(&draft, &file)).expect("a file of ours");
    }

    /// Waits until a controller has died at the point that was armed; its index.
    pub async fn struck(&self) -> usize {
        let dead = until("a controller dies at its fault point", async || {
            let dead = self.controllers.iter().position(|process| !process.is_running());
            dead.ok_or_else(|| "all of them run".to_owned())
        })
        .await;
        self.controllers[dead].ended().await;
        assert!(!self.directory.join(FAULT).exists(), "it died of something else");
        dead
    }

    /// How a controller is doing.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn status(&self, controller: usize) -> Result<ControllerStatus, rpc::Error> {
        self.rpc_only(controller)
            .any(|client, context| async move { client.status(context).await }.boxed())
            .await
    }

    /// The fingerprint of a controller's map.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn digest(&self, controller: usize) -> Result<Digest, rpc::Error> {
        self.rpc_only(controller)
            .any(|client, context| async move { client.digest(context).await }.boxed())
            .await
    }

    /// Waits until all running controllers are at one revision with one map; gives its fingerprint.
    pub async fn agreed(&self) -> Digest {
        until("all controllers have the same map", async || {
            let mut digests = Vec::new();
            for index in (0..self.controllers.len()).filter(|index| self.controllers[*index].is_running()) {
                digests.push(self.digest(index).await.map_err(|error| error.to_string())?);
            }
            let same = digests.windows(2).all(|pair| pair[0] == pair[1]);
            digests.first().copied().filter(|_| same).ok_or_else(|| format!("{digests:?}"))
        })
        .await
    }

    /// The index of the controller that leads; waits for one.
    pub async fn leader(&self) -> usize {
        until("a controller leads", async || {
            let mut said = Vec::new();
            for (index, process) in
                self.controllers.iter().enumerate().filter(|(_, process)| process.is_running())
            {
                match self.status(index).await {
                    Ok(status)
                        if status.leader == Some(status.controller)
                            && status.quorum_confirmed_ms_ago.is_some() =>
                    {
                        return Ok(index);
                    }
                    Ok(status) => said.push(format!("{} is {}", process.name(), status.state)),
                    Err(error) => said.push(format!("{}: {error}", process.name())),
                }
            }
            Err(said.join("; "))
        })
        .await
    }

    /// The sum of a metric over some processes, all its labels together.
    pub async fn metric(&self, processes: &[Process], name: &str) -> f64 {
        self.metric_with(processes, name, &[]).await
    }

    /// The sum of a metric over some processes, where these labels have these values.
    pub async fn metric_with(&self, processes: &[Process], name: &str, labels: &[(&str, &str)]) -> f64 {
        let mut sum = 0.0;
        for process in processes.iter().filter(|process| process.is_running()) {
            let (_, page) = crate::get(process.admin(), "/metrics").await.expect("the admin port answers");
            let samples = crate::parse_metrics(&page).expect("a page of metrics");
            let fits = |sample: &&crate::Sample| {
                sample.name == name
                    && labels
                        .iter()
                        .all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
            };
            sum += samples.iter().filter(fits).map(|sample| sample.value).sum::<f64>();
        }
        sum
    }

    /// The last lines of every log.
    pub fn tails(&self, lines: usize) -> String {
        self.processes().map(|process| process.log().last(process.name(), lines)).collect()
    }
}

/// A free address where that process runs.
fn next_at(ports: &Ports, hosts: &BTreeMap<String, Host>, name: &str) -> SocketAddr {
    let mut address = ports.next();
    if let Some(host) = hosts.get(name) {
        address.set_ip(host.address);
    }
    address
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the cluster's logs end with:\n{}", self.tails(30));
        }
        for process in self.processes() {
            process.kill();
        }
        // What is left goes when the tests end.
        drop(std::fs::remove_dir_all(&self.directory));
    }
}
