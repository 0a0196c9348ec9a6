//! Building a cluster.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt};

use rpc::{Secret, controller::Operation};
use tokio::sync::Semaphore;
use wire::scram::Verifier;

use super::{
    Cluster, FAULT, PASSWORD, Role, USER,
    config::{Extra, Layout},
};
use crate::{Ports, Process, reaper::Reaper, until};

/// Clusters that run at a time in one test process beside the shared one: each is eight processes.
static TURNS: Semaphore = Semaphore::const_new(1);

/// The database that handlers serve themselves.
const ADMIN: &str = "stationmaster";

/// What a cluster will be.
#[derive(Clone, Debug)]
pub struct Builder {
    controllers: usize,
    handlers: usize,
    servers: usize,
    extra: Extra,
    log: BTreeMap<String, String>,
    shared: bool,
    faults: bool,
}

impl Default for Builder {
    fn default() -> Self {
        let (extra, log) = (Vec::new(), BTreeMap::new());
        Self { controllers: 3, handlers: 2, servers: 3, extra, log, shared: false, faults: false }
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
        self.extra.push((role, key.into(), value.to_string()));
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
        for process in cluster.processes() {
            process.start();
        }
        for process in cluster.processes() {
            process.ready().await;
        }
        if !cluster.controllers.is_empty() {
            let verifier = Verifier::random(PASSWORD, &mut rand::rng()).to_string();
            cluster.operate(Operation::PutUser { name: USER.into(), verifier }).await;
            // Handlers hear of a new user in a moment.
            for handler in 0..cluster.handlers.len() {
                until("the user can log in", async || cluster.connect(handler, ADMIN).await.map(drop)).await;
            }
        }
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
        let controllers: Vec<String> = (0..self.controllers).map(|_| ports.next().to_string()).collect();
        let layout =
            Layout { directory: &directory, controllers: &controllers, extra: &self.extra, log: &self.log };
        let controller = |id: usize| {
            let admin = ports.next();
            let name = format!("controller-{id}");
            let process = Process::new(&name, "controller", &layout.controller(id, admin), admin);
            match self.faults {
                true => process.with_variable("STATIONMASTER_FAULT_POINT", directory.join(FAULT)),
                false => process,
            }
        };
        let handler_addresses: Vec<_> = (0..self.handlers).map(|_| ports.next()).collect();
        let handler = |number: usize| {
            let admin = ports.next();
            let config = layout.handler(number, handler_addresses[number - 1], admin);
            Process::new(&format!("handler-{number}"), "handler", &config, admin)
        };
        let server = |number: usize| {
            let admin = ports.next();
            let config = layout.server(number, ports.next(), ports.next(), admin);
            Process::new(&format!("server-{number}"), "server", &config, admin)
        };
        Cluster {
            controllers: (1..=self.controllers).map(controller).collect(),
            handlers: (1..=self.handlers).map(handler).collect(),
            servers: (1..=self.servers).map(server).collect(),
            controller_addresses: controllers.clone(),
            handler_addresses: handler_addresses.clone(),
            directory: directory.clone(),
            secret,
            ports,
            _turn: turn,
        }
    }
}
