//! Building a cluster.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt};

use rpc::Secret;
use tokio::sync::Semaphore;

use super::{
    Cluster, FAULT, Host, Role,
    config::{Extra, Layout, Whose},
    next_at,
};
use crate::{Ports, Process, reaper::Reaper};

/// Clusters that run at a time in one test process beside the shared one: each is eight processes.
static TURNS: Semaphore = Semaphore::const_new(1);

/// What a cluster will be.
#[derive(Clone, Debug)]
pub struct Builder {
    controllers: usize,
    handlers: usize,
    servers: usize,
    extra: Extra,
    server_variables: Vec<(String, String)>,
    log: BTreeMap<String, String>,
    shared: bool,
    faults: bool,
    hosts: BTreeMap<String, Host>,
    variables: Vec<(String, String)>,
}

impl Default for Builder {
    fn default() -> Self {
        let (extra, log, hosts, variables, server_variables) = Default::default();
        Self {
            controllers: 3,
            handlers: 2,
            servers: 3,
            extra,
            log,
            shared: false,
            faults: false,
            hosts,
            variables,
            server_variables,
        }
    }
}

impl Builder {
    /// How many controllers.
    pub fn controllers(self, controllers: usize) -> Self {
        Self { controllers, ..self }
    }

    /// How many handlers.
    pub fn handlers(self, handlers: usize) -> Self {
        Self { handlers, ..self }
    }

    /// How many servers.
    pub fn servers(self, servers: usize) -> Self {
        Self { servers, ..self }
    }

    /// One more setting for every process of a role, in TOML; replaces the usual one.
    pub fn set(mut self, role: Role, key: &str, value: impl ToString) -> Self {
        self.extra.push((Whose::All(role), key.into(), value.to_string()));
        self
    }

    /// The same for one process: `controller-1`, `handler-1`, `server-1` …
    pub fn set_one(mut self, name: &str, key: &str, value: impl ToString) -> Self {
        self.extra.push((Whose::One(name.into()), key.into(), value.to_string()));
        self
    }

    /// An environment variable for every server.
    pub fn server_variable(mut self, name: &str, value: &str) -> Self {
        self.server_variables.push((name.into(), value.into()));
        self
    }

    /// A setting of the log.
    pub fn log(mut self, key: &str, value: &str) -> Self {
        self.log.insert(key.into(), value.into());
        self
    }

    /// With controllers that die where they are told to: see [`Cluster::arm`].
    pub fn faults(self) -> Self {
        Self { faults: true, ..self }
    }

    /// Where the process of that name (`controller-1`, `handler-1`, `server-1` …) runs, unless simply here.
    pub fn host(mut self, name: &str, host: Host) -> Self {
        self.hosts.insert(name.into(), host);
        self
    }

    /// An environment variable for every process.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Does not wait its turn: there is only one such cluster.
    pub(super) fn shared(self) -> Self {
        Self { shared: true, ..self }
    }

    /// Starts everything and waits until all of it can do its work.
    ///
    /// # Panics
    /// When something cannot be started.
    pub async fn start(self) -> Cluster {
        let cluster = self.prepare().await;
        cluster.boot().await;
        cluster
    }

    /// Writes everything and starts nothing.
    ///
    /// # Panics
    /// When the files cannot be written.
    pub async fn prepare(self) -> Cluster {
        let turn = match self.shared {
            true => None,
            false => Some(TURNS.acquire().await.expect("nobody closes it")),
        };
        let directory = tempfile::Builder::new().prefix("cluster-").tempdir_in(Reaper::get().directory());
        let directory = directory.expect("a directory").keep();
        let secret = Secret::new(rand::random());
        let secret_file = directory.join("secret");
        std::fs::write(&secret_file, secret.reveal()).expect("the secret can be written");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&secret_file, private).expect("a file of our own");
        let ports = Ports::reserve();
        let next = |name: &str| next_at(&ports, &self.hosts, name);
        let controllers = (1..=self.controllers).map(|id| next(&format!("controller-{id}")).to_string());
        let controllers: Vec<String> = controllers.collect();
        let layout =
            Layout { directory: &directory, controllers: &controllers, extra: &self.extra, log: &self.log };
        let controller = |id: usize| {
            let name = format!("controller-{id}");
            let admin = next(&name);
            let process = Process::new(&name, "controller", &layout.controller(id, admin), admin);
            match self.faults {
                true => process.with_variable("STATIONMASTER_FAULT_POINT", directory.join(FAULT)),
                false => process,
            }
        };
        let handler_addresses: Vec<_> =
            (1..=self.handlers).map(|at| next(&format!("handler-{at}"))).collect();
        let handler = |number: usize| {
            let name = format!("handler-{number}");
            let admin = next(&name);
            let config = layout.handler(number, handler_addresses[number - 1], admin);
            Process::new(&name, "handler", &config, admin)
        };
        let server = |number: usize| {
            let name = format!("server-{number}");
            let admin = next(&name);
            let config = layout.server(number, next(&name), next(&name), admin);
            let server = Process::new(&name, "server", &config, admin);
            let variables = self.server_variables.iter();
            variables.fold(server, |server, (name, value)| server.with_variable(name, value.into()))
        };
        let started: [Vec<Process>; 3] = [
            (1..=self.controllers).map(controller).collect(),
            (1..=self.handlers).map(handler).collect(),
            (1..=self.servers).map(server).collect(),
        ];
        let mut cluster = Cluster {
            controllers: Vec::new(),
            handlers: Vec::new(),
            servers: Vec::new(),
            controller_addresses: controllers.clone(),
            handler_addresses: handler_addresses.clone(),
            directory: directory.clone(),
            secret,
            ports,
            hosts: self.hosts.clone(),
            variables: self.variables.clone(),
            _turn: turn,
        };
        let [controllers, handlers, servers] =
            started.map(|processes| processes.into_iter().map(|process| cluster.dressed(process)).collect());
        (cluster.controllers, cluster.handlers, cluster.servers) = (controllers, handlers, servers);
        cluster
    }
}
