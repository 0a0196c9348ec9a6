//! A client that has announced that it understands directives, and keeps what it is told.

use std::sync::{Arc, Mutex};

use directive::{Acknowledgement, Directive, Outcome, postgres};
use futures::{StreamExt, stream};
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, error::DbError};

/// A session by tokio-postgres, and all notices that came in it.
pub struct Listener {
    /// For queries.
    pub client: Client,
    notices: Arc<Mutex<Vec<DbError>>>,
    connection: JoinHandle<()>,
}

impl Listener {
    /// Connects; with an announcement's value, announces itself.
    ///
    /// # Errors
    /// Whatever the other end says.
    pub async fn open(mut config: Config, announcement: Option<&str>) -> Result<Self, tokio_postgres::Error> {
        if let Some(value) = announcement {
            config.options(format!("-c {}={value}", postgres::ANNOUNCE));
        }
        let (client, mut connection) = config.connect(NoTls).await?;
        let notices: Arc<Mutex<Vec<_>>> = Arc::default();
        let kept = notices.clone();
        let connection = tokio::spawn(async move {
            let mut messages = stream::poll_fn(move |cx| connection.poll_message(cx));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notice(notice) = message {
                    kept.lock().expect("nobody panics").push(notice);
                }
            }
        });
        Ok(Self { client, notices, connection })
    }

    /// How many notices of any kind have come.
    ///
    /// # Panics
    /// Never: nobody panics while holding the lock.
    pub fn notices(&self) -> usize {
        self.notices.lock().expect("nobody panics").len()
    }

    /// The directives that have come so far.
    ///
    /// # Panics
    /// When one cannot be read.
    pub fn directives(&self) -> Vec<Directive> {
        let notices = self.notices.lock().expect("nobody panics");
        let read =
            notices.iter().filter_map(|notice| postgres::read_notice(notice.code().code(), notice.detail()?));
        read.map(|read| read.expect("it can be read")).collect()
    }

    /// Acknowledges a directive as being in force.
    ///
    /// # Panics
    /// When that fails.
    pub async fn applied(&self, id: &str) {
        let outcome = Outcome::Applied { lifetime_ms: 1_000 };
        let statement = postgres::acknowledge(&[Acknowledgement { id: id.into(), outcome }]).expect("short");
        self.client.batch_execute(&statement).await.expect("answered");
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
