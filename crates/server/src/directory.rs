//! The names of the fleet's databases, for `pg_database`: fetched from a controller when somebody may want to look.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use rpc::Controllers;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::limits::{DIRECTORY_AGE, DIRECTORY_NAMES_MAX};

/// The names as last seen. Cheap to clone.
#[derive(Clone, Default)]
pub struct Directory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    names: Mutex<Vec<String>>,
    wanted: Notify,
}

impl Directory {
    /// The names as last seen; none before the first time.
    pub fn names(&self) -> Vec<String> {
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Somebody may look soon.
    pub fn wanted(&self) {
        self.0.wanted.notify_one();
    }

    /// Fetches the names whenever they are wanted and old.
    pub async fn keep(self, controllers: Controllers, shutdown: CancellationToken) {
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.0.wanted.notified() => {}
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = sleep_until(next) => {}
            }
            let call = |client: rpc::controller::ControllerApiClient, context| {
                async move { client.databases(context, None, DIRECTORY_NAMES_MAX).await }.boxed()
            };
            match controllers.any(call).await {
                Ok(page) => {
                    let names = page.databases.iter().map(|database| database.name.to_string()).collect();
                    *self.0.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
                }
                Err(error) => tracing::debug!(%error, "the names of databases could not be fetched"),
            }
            next = Instant::now() + DIRECTORY_AGE;
        }
    }
}
