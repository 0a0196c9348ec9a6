//! What an application calls. The same as tokio-postgres' client, but that it is cheap to clone, gets over failures,
//! and every call has a deadline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_postgres::{
    Row, SimpleQueryMessage,
    types::{ToSql, Type},
};

use crate::{
    Error, Sql, Statement, Transaction, TransactionBuilder,
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

    /// All rows of a query.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::effect`] tells whether it may have changed something.
    pub async fn query<S>(&self, statement: &S, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error>
    where
        S: ?Sized + Sql,
    {
        self.call(Work::Query(statement.source(), params)).await.map(Answer::rows)
    }

    /// The only row of a query.
    ///
    /// # Errors
    /// [`Error::RowCount`] for another number of rows; else as [`Client::query`].
    pub async fn query_one<S>(&self, statement: &S, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error>
    where
        S: ?Sized + Sql,
    {
        one(self.query(statement, params).await?)
    }

    /// The only row of a query, if there is one.
    ///
    /// # Errors
    /// [`Error::RowCount`] for more rows; else as [`Client::query`].
    pub async fn query_opt<S>(
        &self,
        statement: &S,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error>
    where
        S: ?Sized + Sql,
    {
        optional(self.query(statement, params).await?)
    }

    /// The number of rows that a statement touched.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn execute<S>(&self, statement: &S, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error>
    where
        S: ?Sized + Sql,
    {
        self.call(Work::Execute(statement.source(), params)).await.map(Answer::count)
    }

    /// Any number of statements without parameters, and their rows as text.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn simple_query(&self, text: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.call(Work::Simple(text)).await.map(Answer::messages)
    }

    /// Any number of statements without parameters.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn batch_execute(&self, text: &str) -> Result<(), Error> {
        self.call(Work::Batch(text)).await.map(drop)
    }

    /// Prepares a statement. It is prepared again by itself wherever the client goes on.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn prepare(&self, text: &str) -> Result<Statement, Error> {
        self.prepare_typed(text, &[]).await
    }

    /// The same with the types of its first parameters.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn prepare_typed(&self, text: &str, types: &[Type]) -> Result<Statement, Error> {
        self.call(Work::Prepare(text, types)).await.map(Answer::prepared)
    }

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
