//! Finding the controllers, and asking one, any, each or the leader.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use model::RequestId;
use rpc::{
    Controllers, Secret, Service, TcpDial,
    controller::{ControllerApiClient, ControllerStatus, Operated, Operation},
    handshake::Role,
    tarpc::{client::RpcError, context::Context as CallContext},
};
use tokio::time::timeout;

use crate::{dev, failure::Usage, secret};

/// How long one controller may take to say how it is.
const ONE_TIMEOUT: Duration = Duration::from_secs(3);

/// After how long of waiting for a change the operator is told that it takes longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the command line finds the fleet. Without any of these, it is the cluster of `stationmaster dev` in the
/// working directory.
#[derive(clap::Args, Clone, Debug)]
pub struct Reach {
    /// Controllers, `host:port`, separated by commas; some of them will do
    #[arg(long, env = "STATIONMASTER_CONTROLLERS", value_delimiter = ',', value_name = "HOST:PORT,…")]
    controllers: Vec<String>,
    /// The file with the fleet's secret
    #[arg(long, env = "STATIONMASTER_SECRET_FILE", value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Where `stationmaster dev` keeps its cluster
    #[arg(long, env = "STATIONMASTER_DIR", value_name = "DIR", default_value = dev::DIR)]
    dir: PathBuf,
    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The controllers of a fleet.
pub struct Cluster {
    /// All of them as one.
    pub controllers: Controllers,
    secret: Secret,
}

/// What one controller said, or why it said nothing.
pub struct Each<T> {
    /// Its address.
    pub address: String,
    /// Its answer.
    pub answer: Result<T, rpc::Error>,
}

impl Reach {
    /// Finds the fleet; asks nobody yet.
    pub fn cluster(&self) -> anyhow::Result<Cluster> {
        let (addresses, secret_file) = match (&self.controllers[..], &self.secret_file) {
            ([], None) => self.of_dev()?,
            ([], Some(_)) => {
                return Err(
                    Usage("--secret-file needs --controllers (or STATIONMASTER_CONTROLLERS)".into()).into()
                );
            }
            (_, None) => {
                return Err(
                    Usage("--controllers needs --secret-file (or STATIONMASTER_SECRET_FILE)".into()).into()
                );
            }
            (addresses, Some(file)) => (addresses.to_vec(), file.clone()),
        };
        let secret = secret::read(&secret_file)?;
        Ok(Cluster::new(addresses, secret))
    }

    /// Where `stationmaster dev` keeps its databases' journals.
    pub fn dev_journal(&self) -> anyhow::Result<String> {
        let dir = self.dir.display();
        if dev::Record::load(&self.dir)?.is_none() {
            let text = format!(
                "which journals? There is no cluster of `stationmaster dev` in {dir}.\n  \
                 Give --journal (or STATIONMASTER_JOURNAL), or --dir"
            );
            return Err(Usage(text).into());
        }
        Ok(self.dir.join(dev::JOURNAL).display().to_string())
    }

    fn of_dev(&self) -> anyhow::Result<(Vec<String>, PathBuf)> {
        let Some(record) = dev::Record::load(&self.dir)? else {
            let text = format!(
                "which cluster? There is none of `stationmaster dev` in {}.\n  \
                 Give --controllers and --secret-file (or STATIONMASTER_CONTROLLERS and STATIONMASTER_SECRET_FILE), \
                 or --dir",
                self.dir.display()
            );
            return Err(Usage(text).into());
        };
        Ok((record.controller_addresses(), secret_of(&self.dir)))
    }
}

fn secret_of(dir: &Path) -> PathBuf {
    dir.join(dev::SECRET)
}

impl Cluster {
    /// The fleet with these controllers.
    pub fn new(addresses: Vec<String>, secret: Secret) -> Self {
        let controllers = Controllers::new(addresses, Arc::new(TcpDial), secret.clone(), Role::Operator);
        Self { controllers, secret }
    }

    /// What its processes share.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// One controller alone.
    pub fn only(&self, address: &str) -> Controllers {
        Controllers::new(vec![address.into()], Arc::new(TcpDial), self.secret.clone(), Role::Operator)
    }

    /// Asks every controller at once, and each once: none holds up the others.
    pub async fn each<T>(
        &self,
        ask: impl Fn(ControllerApiClient, CallContext) -> BoxFuture<'static, Result<T, RpcError>>,
    ) -> Vec<Each<T>> {
        let (ask, secret) = (&ask, &self.secret);
        join_all(self.controllers.addresses().into_iter().map(|address| async move {
            let answer = timeout(ONE_TIMEOUT, once(&address, secret, ask)).await.unwrap_or_else(|_| {
                let timeout_ms = u64::try_from(ONE_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
                Err(rpc::Error::Timeout { address: address.clone(), timeout_ms })
            });
            Each { address, answer }
        }))
        .await
    }

    /// How each controller is doing, those among them that nobody named.
    pub async fn statuses(&self) -> Vec<Each<ControllerStatus>> {
        self.learn().await;
        self.each(|client, context| async move { client.status(context).await }.boxed()).await
    }

    /// Learns the addresses of all members from whichever controllers answer.
    pub async fn learn(&self) {
        let asked = self.each(|client, context| async move { client.controllers(context).await }.boxed());
        let told = asked.await.into_iter().filter_map(|each| each.answer.ok()).flatten();
        let addresses: BTreeSet<String> = told.map(|member| member.address).collect();
        self.controllers.learn(&addresses.into_iter().collect::<Vec<_>>());
    }

    /// The controller with the newest state: the leader, or all of them when none leads.
    pub async fn freshest(&self) -> anyhow::Result<Controllers> {
        let statuses = self.statuses().await;
        if let Some(failed) = nobody(&statuses) {
            return Err(failed);
        }
        Ok(match self.leader_of(&statuses) {
            Some(leader) => leader,
            None => {
                eprintln!("no controller leads now: this may be out of date");
                self.controllers.clone()
            }
        })
    }

    /// The one that leads, if any says so. Of two, an old leader may not have heard of its end yet.
    pub fn leader_of(&self, statuses: &[Each<ControllerStatus>]) -> Option<Controllers> {
        let leads = |each: &&Each<ControllerStatus>| {
            each.answer.as_ref().is_ok_and(|status| status.leader == Some(status.controller))
        };
        let term = |each: &&Each<ControllerStatus>| each.answer.as_ref().map_or(0, |status| status.term);
        statuses.iter().filter(leads).max_by_key(term).map(|leader| self.only(&leader.address))
    }

    /// Makes a change.
    pub async fn operate(&self, operation: Operation) -> anyhow::Result<Operated> {
        self.request(RequestId(rand::random()), operation).await
    }

    /// Makes a change under a request's number that is known already.
    pub async fn request(&self, request: RequestId, operation: Operation) -> anyhow::Result<Operated> {
        let mut operated = pin!(self.controllers.operate(request, operation));
        let operated = match timeout(PATIENCE, &mut operated).await {
            Ok(operated) => operated,
            Err(_) => {
                eprintln!("no controller can do it yet; trying on for some seconds");
                operated.await
            }
        };
        operated.map_err(explain)
    }
}

async fn once<T>(
    address: &str,
    secret: &Secret,
    ask: &impl Fn(ControllerApiClient, CallContext) -> BoxFuture<'static, Result<T, RpcError>>,
) -> Result<T, rpc::Error> {
    let transport = rpc::connect(&TcpDial, address, secret, Service::Controller, Role::Operator).await?;
    let client = ControllerApiClient::new(rpc::tarpc::client::Config::default(), transport).spawn();
    ask(client, rpc::context()).await.map_err(|source| rpc::Error::Call { address: address.into(), source })
}

/// Why nobody answered, when nobody did.
pub fn nobody<T>(asked: &[Each<T>]) -> Option<anyhow::Error> {
    if asked.iter().any(|each| each.answer.is_ok()) {
        return None;
    }
    let said = asked.iter().filter_map(|each| {
        each.answer.as_ref().err().map(|error| {
            let cause =
                std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("\n  {}: {error}{cause}", each.address)
        })
    });
    let said: String = said.collect();
    Some(anyhow!("no controller answers{said}{}", hint(&said)))
}

/// Adds what to do to what went wrong.
pub fn explain(error: rpc::Error) -> anyhow::Error {
    let hint = match &error {
        rpc::Error::NoController { last, .. } => hint(&last.to_string()),
        rpc::Error::Handshake { reason } => hint(reason),
        rpc::Error::Connect { .. }
        | rpc::Error::Io(_)
        | rpc::Error::Call { .. }
        | rpc::Error::Timeout { .. }
        | rpc::Error::Refused(_) => "",
    };
    match hint {
        "" => anyhow::Error::new(error),
        hint => anyhow!("{error}{hint}"),
    }
}

fn hint(said: &str) -> &'static str {
    if said.contains("secret") {
        "\n  try: the secret file of this very fleet (--secret-file)"
    } else if said.contains("cannot connect") {
        "\n  try: start the cluster (`stationmaster dev`), or name its controllers (--controllers)"
    } else {
        ""
    }
}

/// A call's failure in the words of this module.
pub fn answered<T>(result: Result<T, rpc::Error>) -> anyhow::Result<T> {
    result.map_err(explain).context("the fleet could not answer")
}
