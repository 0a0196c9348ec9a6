//! What an application calls. The same as tokio-postgres' client, but that it is cheap to clone, gets over failures,
//! and every call has a deadline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_postgres::Row;

use crate::{
    Error, Transaction, TransactionBuilder,
    driver::Shared,
    link::{Call, Limits, Link},
    work::{Answer, Work},
};

/// A client of one database. Clones share its session.
///
/// A call waits while a server is not to be connected to, is repeated where that is safe, and is over by its deadline.
/// Dropping the last clone closes the session.
#[derive(Clone)]
pub struct Client {
    link: Arc<Link>,
    timeout: Duration,
    idempotent: bool,
}

impl Client {
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        source: Option<&str>,
        database: Option<&str>,
    ) -> Result<Client, Error> {
        let timeout = shared.config.call_timeout;
        let link = Link::new(shared, source, database);
        drop(link.session(Limits::from_now(timeout)).await?);
        Ok(Client { link, timeout, idempotent: false })
    }

    /// The same client, whose calls may take so long.
    pub fn within(&self, timeout: Duration) -> Client {
        Client { timeout, ..self.clone() }
    }

    /// The same client, whose calls may be done twice: the application says that this does no harm,
    /// so that even a write whose answer was lost is repeated.
    pub fn idempotent(&self) -> Client {
        Client { idempotent: true, ..self.clone() }
    }

    crate::requests::requests!();

    /// Begins a transaction. Calls on clones wait until it ends.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        self.build_transaction().start().await
    }

    /// Begins a transaction with options.
    pub fn build_transaction(&mut self) -> TransactionBuilder<'_> {
        TransactionBuilder::new(self)
    }

    /// Does a transaction, and does it again as a whole where it certainly had no effect: after a serialization failure,
    /// a deadlock, or a lost session. `work` must not have effects elsewhere. It is committed when `work` succeeds.
    ///
    /// # Errors
    /// What `work` says, and what COMMIT does; [`Error::OutcomeUnknown`] if the connection broke during COMMIT.
    pub async fn run<T, F>(&mut self, mut work: F) -> Result<T, Error>
    where
        F: AsyncFnMut(&Transaction<'_>) -> Result<T, Error>,
    {
        let limits = Limits::from_now(self.timeout);
        for tries in 1.. {
            let done = async {
                let transaction = self.transaction().await?;
                let answer = work(&transaction).await?;
                transaction.commit().await.map(|()| answer)
            };
            let error = match done.await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = crate::recovery::backoff(tries, None, rand::random());
            let late = tokio::time::Instant::now() + pause >= limits.deadline;
            if error.advice() != crate::Advice::Retry || late || !self.link.shared.budget().spend() {
                return Err(error);
            }
            self.link.shared.meter.repeated();
            tokio::time::sleep(pause).await;
        }
        unreachable!("BUG: tries are bounded by the deadline")
    }

    /// Asks the server to cancel what the session is doing now, over another connection.
    /// The call that is cancelled says so (57014), if it was not too fast.
    ///
    /// # Errors
    /// [`Error::Connect`] when the server cannot be reached, [`Error::Held`] when it is not to be.
    pub async fn cancel(&self) -> Result<(), Error> {
        self.link.cancel(self.limits()).await
    }

    /// Whether a session is open at present; the next call opens one in any case.
    pub fn is_connected(&self) -> bool {
        self.link.status().address.is_some()
    }

    /// Where the last session is or was, as `host:port`.
    pub fn address(&self) -> String {
        self.link.target().0
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits::from_now(self.timeout)
    }

    async fn call(&self, work: Work<'_>) -> Result<Answer, Error> {
        let began = Instant::now();
        let result = self.link.call(&Call::new(work, self.idempotent), self.limits()).await;
        self.link.shared.called(work, began, &result);
        result
    }
}

pub(crate) fn one(rows: Vec<Row>) -> Result<Row, Error> {
    let found = rows.len();
    optional(rows)?.ok_or(Error::RowCount { found, wanted: "exactly one" })
}

pub(crate) fn optional(mut rows: Vec<Row>) -> Result<Option<Row>, Error> {
    match rows.len() {
        0 | 1 => Ok(rows.pop()),
        found => Err(Error::RowCount { found, wanted: "at most one" }),
    }
}
