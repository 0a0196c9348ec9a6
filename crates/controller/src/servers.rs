//! Asking servers to do things: one connection for each, made when needed, every call bounded.

use std::{collections::BTreeMap, future::Future, io, sync::Mutex, time::Duration};

use rpc::{
    Host, Service, connect, context,
    handshake::Role,
    server::{
        ForkRequest, Forked, LoadRequest, Loaded, PurgeRequest, ReleaseRequest, ServerApiClient,
        ServerRefusal, ServerStatus,
    },
    tarpc::{client::RpcError, context::Context},
};
use tokio::time::timeout;

use crate::limits::{FORK_TIMEOUT, LOAD_TIMEOUT, PROBE_TIMEOUT, PURGE_TIMEOUT, RELEASE_TIMEOUT};

/// The way to all servers.
pub struct Servers {
    host: Host,
    clients: Mutex<BTreeMap<String, ServerApiClient>>,
}

/// A server did not do it.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing listens there: the process is gone.
    #[error("the connection was refused")]
    ConnectionRefused,
    /// No answer; whether it was done is unknown.
    #[error("no answer: {reason}")]
    Silent {
        /// What happened.
        reason: String,
    },
    /// It said no.
    #[error(transparent)]
    Said(#[from] ServerRefusal),
}

impl Servers {
    /// Over this host's network.
    pub fn new(host: Host) -> Self {
        Self { host, clients: Mutex::default() }
    }

    /// Makes a server load a database.
    pub async fn load(&self, address: &str, request: LoadRequest) -> Result<Loaded, CallError> {
        let call = |client: ServerApiClient, context| {
            let request = request.clone();
            async move { client.load(context, request).await }
        };
        Ok(self.call(address, LOAD_TIMEOUT, call).await??)
    }

    /// Makes a server finish with a database and put it away.
    pub async fn release(&self, address: &str, request: ReleaseRequest) -> Result<(), CallError> {
        let call = |client: ServerApiClient, context| {
            let request = request.clone();
            async move { client.release(context, request).await }
        };
        Ok(self.call(address, RELEASE_TIMEOUT, call).await??)
    }

    /// Makes a server make a copy of a database.
    pub async fn fork(&self, address: &str, request: ForkRequest) -> Result<Forked, CallError> {
        let call = |client: ServerApiClient, context| {
            let request = request.clone();
            async move { client.fork(context, request).await }
        };
        Ok(self.call(address, FORK_TIMEOUT, call).await??)
    }

    /// Makes a server delete a dropped database's journal.
    pub async fn purge(&self, address: &str, request: PurgeRequest) -> Result<(), CallError> {
        let call = |client: ServerApiClient, context| {
            let request = request.clone();
            async move { client.purge(context, request).await }
        };
        Ok(self.call(address, PURGE_TIMEOUT, call).await??)
    }

    /// Finds out whether a server's process lives.
    pub async fn probe(&self, address: &str) -> Result<ServerStatus, CallError> {
        self.call(address, PROBE_TIMEOUT, |client, context| async move { client.status(context).await }).await
    }

    /// Calls over the connection there is, and over a new one if that one turns out to be broken: whatever servers
    /// are asked for may be asked for twice.
    async fn call<T, Fut>(
        &self,
        address: &str,
        limit: Duration,
        call: impl Fn(ServerApiClient, Context) -> Fut,
    ) -> Result<T, CallError>
    where
        Fut: Future<Output = Result<T, RpcError>>,
    {
        let silent = |reason: String| CallError::Silent { reason };
        let attempt = async {
            if let Some(client) = self.clients(|clients| clients.get(address).cloned()) {
                match call(client, context()).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => tracing::debug!(address, %error, "the connection to a server broke"),
                }
            }
            let client = self.connect(address).await?;
            call(client, context()).await.map_err(|error| silent(error.to_string()))
        };
        let result =
            timeout(limit, attempt).await.unwrap_or_else(|_| Err(silent(format!("within {limit:?}"))));
        if result.is_err() {
            self.clients(|clients| clients.remove(address));
        }
        result
    }

    async fn connect(&self, address: &str) -> Result<ServerApiClient, CallError> {
        let Host { dial, secret, .. } = &self.host;
        let transport = connect(&**dial, address, secret, Service::Server, Role::Controller);
        let transport = timeout(PROBE_TIMEOUT, transport)
            .await
            .map_err(|_| CallError::Silent { reason: "cannot connect".into() })?;
        let transport = transport.map_err(|error| match error {
            rpc::Error::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused => {
                CallError::ConnectionRefused
            }
            error => CallError::Silent { reason: error.to_string() },
        })?;
        let client = ServerApiClient::new(rpc::tarpc::client::Config::default(), transport).spawn();
        self.clients(|clients| clients.insert(address.into(), client.clone()));
        Ok(client)
    }

    fn clients<T>(&self, with: impl FnOnce(&mut BTreeMap<String, ServerApiClient>) -> T) -> T {
        with(&mut self.clients.lock().expect("BUG: nothing panics while holding this lock"))
    }
}
