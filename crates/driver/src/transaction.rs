//! Transactions. One has its client's session for itself, so nothing moves it and no other call gets in between.

use std::time::Instant;

use tokio::sync::OwnedRwLockMappedWriteGuard;
use tokio_postgres::IsolationLevel;

use crate::{
    Client, Error,
    link::{Call, Slot, Unsent},
    protocol::Ended,
    recovery::Verdict,
    session::Session,
    work::{Answer, Work},
};

/// Options of a transaction.
pub struct TransactionBuilder<'a> {
    client: &'a mut Client,
    begin: String,
}

impl<'a> TransactionBuilder<'a> {
    pub(crate) fn new(client: &'a mut Client) -> TransactionBuilder<'a> {
        TransactionBuilder { client, begin: "BEGIN".to_owned() }
    }

    /// How far it is kept from others.
    #[must_use]
    pub fn isolation_level(mut self, level: IsolationLevel) -> TransactionBuilder<'a> {
        self.begin.push_str(match level {
            IsolationLevel::ReadUncommitted => " ISOLATION LEVEL READ UNCOMMITTED",
            IsolationLevel::ReadCommitted => " ISOLATION LEVEL READ COMMITTED",
            IsolationLevel::RepeatableRead => " ISOLATION LEVEL REPEATABLE READ",
            // The strictest for whatever may be added.
            _ => " ISOLATION LEVEL SERIALIZABLE",
        });
        self
    }

    /// Whether it may write.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> TransactionBuilder<'a> {
        self.begin.push_str(if read_only { " READ ONLY" } else { " READ WRITE" });
        self
    }

    /// Whether it waits for a moment in which it cannot fail to serialize.
    #[must_use]
    pub fn deferrable(mut self, deferrable: bool) -> TransactionBuilder<'a> {
        self.begin.push_str(if deferrable { " DEFERRABLE" } else { " NOT DEFERRABLE" });
        self
    }

    /// Begins it, on another session if this one is lost meanwhile.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn start(self) -> Result<Transaction<'a>, Error> {
        let TransactionBuilder { client, begin } = self;
        let limits = client.limits();
        let mut tries = 0;
        loop {
            let session = client.link().session_alone(limits).await?;
            let mut transaction = Transaction { client, session: Some(session), open: true };
            let begun = transaction.call(Work::Batch(&begin)).await;
            tries += 1;
            match begun {
                Ok(_) => return Ok(transaction),
                Err(error) => {
                    let lost = transaction.session.as_ref().is_none_or(|session| session.is_ended());
                    transaction.open = false;
                    // BEGIN has no effect; three sessions that break at once are not to be hidden any longer.
                    if !lost || tries == 3 || tokio::time::Instant::now() >= limits.deadline {
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// A transaction. Rolled back when it is dropped. Nothing is repeated within it; [`Client::run`] repeats it as a whole.
pub struct Transaction<'a> {
    client: &'a Client,
    session: Option<OwnedRwLockMappedWriteGuard<Slot, Session>>,
    open: bool,
}

impl Transaction<'_> {
    crate::requests::requests!();

    /// Keeps its work.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] when the connection broke after COMMIT was sent, [`Error::RolledBack`] when a statement
    /// had failed before; else as [`Transaction::query`].
    pub async fn commit(mut self) -> Result<(), Error> {
        self.call(Work::Batch("COMMIT")).await?;
        self.open = false;
        let undone = self.session.as_ref().is_some_and(|session| session.watch.ended() == Ended::Undone);
        if undone { Err(Error::RolledBack) } else { Ok(()) }
    }

    /// Takes its work back.
    ///
    /// # Errors
    /// As [`Transaction::query`]; the work is not kept in any case.
    pub async fn rollback(mut self) -> Result<(), Error> {
        self.call(Work::Batch("ROLLBACK")).await?;
        self.open = false;
        Ok(())
    }

    async fn call(&self, work: Work<'_>) -> Result<Answer, Error> {
        let (link, limits) = (self.client.link(), self.client.limits());
        let Some(session) = &self.session else {
            unreachable!("BUG: the session goes when the transaction does")
        };
        let (call, began) = (Call::new(work, false), Instant::now());
        link.permit(&call, limits).await?;
        let result = match link.send(session, &call, limits).await {
            Ok(answer) => Ok(answer),
            Err(Unsent::Late(error)) => Err(error),
            Err(Unsent::Failed { failed, .. }) => Err(match link.judge(session, &call, &failed, true).0 {
                Verdict::Unknown => Error::OutcomeUnknown(failed.error),
                Verdict::TransactionLost => Error::TransactionLost(failed.error),
                Verdict::InTransaction | Verdict::Harmless => Error::Postgres(failed.error),
            }),
        };
        link.shared.called(work, began, &result);
        result
    }
}

impl Drop for Transaction<'_> {
    /// The session is given back once the server has rolled back; where that cannot be waited for, it is closed.
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        if !self.open || session.is_ended() {
            return;
        }
        session.tell();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                if session.client.batch_execute("ROLLBACK").await.is_err() {
                    session.abandon();
                }
            })),
            Err(_) => session.abandon(),
        }
    }
}
