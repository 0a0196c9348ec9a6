//! The cluster that a run is about: how clients and operators reach it.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use rpc::{
    Controllers, Secret, Service, TcpDial,
    controller::{Consistency, ControllerApiClient, DatabaseInfo, DatabaseRef, LookUp},
    handshake::Role,
};
use serde::Deserialize;
use tests::Session;
use tokio::time::timeout;

/// A cluster that somebody else runs, as a TOML file describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Described {
    /// Handlers, `host:port`.
    pub handlers: Vec<String>,
    /// A user of the fleet.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Controllers, `host:port`, for the workloads on the map. Without them these are left out.
    #[serde(default)]
    pub controllers: Vec<String>,
    /// The file with the fleet's secret, which belongs to the controllers.
    pub secret_file: Option<PathBuf>,
}

/// How a cluster is reached.
#[derive(Clone)]
pub struct Target {
    /// Where clients connect.
    pub handlers: Vec<SocketAddr>,
    /// Who they are.
    pub user: String,
    /// See above.
    pub password: String,
    /// Controllers and the fleet's secret, where they are known.
    pub fleet: Option<(Vec<String>, Secret)>,
}

/// How long one connection or one question may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

impl Described {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{} does not describe a cluster", file.display()))
    }

    /// Looks up its addresses and reads its secret.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn target(&self) -> anyhow::Result<Target> {
        ensure!(!self.handlers.is_empty(), "`handlers` is empty: name one at least");
        ensure!(
            self.controllers.is_empty() == self.secret_file.is_none(),
            "`controllers` and `secret_file` belong together: give both or neither"
        );
        let address = |text: &String| {
            let mut found =
                text.to_socket_addrs().with_context(|| format!("`handlers`: {text} is no host:port"))?;
            found.next().with_context(|| format!("`handlers`: {text} has no address"))
        };
        let fleet = match &self.secret_file {
            None => None,
            Some(file) => Some((self.controllers.clone(), Secret::from_file(file)?)),
        };
        let handlers = self.handlers.iter().map(address).collect::<anyhow::Result<_>>()?;
        Ok(Target { handlers, user: self.user.clone(), password: self.password.clone(), fleet })
    }
}

impl Target {
    /// A session through one of the handlers.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn connect(&self, handler: usize, database: &str) -> Result<Session, String> {
        let address = self.handlers[handler % self.handlers.len()];
        let opening = Session::open(address, &self.user, &self.password, database);
        match timeout(Duration::from_secs(30), opening).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(format!("{} {}", tests::code(&error), tests::message(&error))),
            Err(_) => Err("no session in 30 s".into()),
        }
    }

    /// The controllers, as operators have them.
    pub fn operator(&self) -> Option<Controllers> {
        let (addresses, secret) = self.fleet.clone()?;
        Some(Controllers::new(addresses, Arc::new(TcpDial), secret, Role::Operator))
    }

    /// A connection to one controller alone, which nothing is repeated on.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn controller(&self, number: usize) -> Result<ControllerApiClient, String> {
        let (addresses, secret) = self.fleet.as_ref().ok_or("no controllers are known")?;
        let address = &addresses[number % addresses.len()];
        let connecting = rpc::connect(&TcpDial, address, secret, Service::Controller, Role::Operator);
        let transport = timeout(CALL_TIMEOUT, connecting)
            .await
            .map_err(|_| format!("{address}: no connection in 5 s"))?;
        let transport = transport.map_err(|error| format!("{address}: {error}"))?;
        Ok(ControllerApiClient::new(rpc::tarpc::client::Config::default(), transport).spawn())
    }

    /// What the map says of a database.
    ///
    /// # Errors
    /// When nobody answers, or there is no such database; in words.
    pub async fn look_up(&self, name: &str) -> Result<DatabaseInfo, String> {
        use futures::FutureExt;
        let operator = self.operator().ok_or("no controllers are known")?;
        let look_up = LookUp { database: DatabaseRef::parse(name), consistency: Consistency::Linearizable };
        let call = |client: ControllerApiClient, context| {
            let look_up = look_up.clone();
            async move { client.look_up(context, look_up).await }.boxed()
        };
        let answer = timeout(CALL_TIMEOUT, operator.leader(call)).await.map_err(|_| "no answer in 5 s")?;
        answer.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests_of_description {
    use super::*;

    #[test]
    fn a_description_that_cannot_be_meant_is_refused_with_what_to_do() {
        let said = |text: &str| {
            let described: Result<Described, _> = toml::from_str(text);
            match described {
                Ok(described) => described.target().map(|_| ()).expect_err("refused").to_string(),
                Err(error) => error.message().to_owned(),
            }
        };
        let user = "user = 'a'\npassword = 'b'\n";
        assert!(said(&format!("{user}handlers = []")).contains("`handlers` is empty"));
        assert!(said(&format!("{user}handlers = ['nowhere']")).contains("no host:port"));
        assert!(
            said(&format!("{user}handlers = ['127.0.0.1:1']\ncontrollers = ['c:1']"))
                .contains("both or neither")
        );
        assert!(said("handlers = []\nmaster = 1").contains("unknown field `master`"));
    }
}
