//! Making copies of databases, loaded or not: the journal does it, nobody is disturbed.

use std::sync::Arc;

use journal::{Fork, Position, To};
use model::{DatabaseId, ForkPoint};
use rpc::server::{Forked, ServerRefusal};

use super::World;

impl World {
    /// Makes a database that was never loaded a copy of another.
    ///
    /// # Errors
    /// [`ServerRefusal::CannotFork`] when trying again does not help, else [`ServerRefusal::Failed`].
    pub async fn fork(
        self: &Arc<Self>,
        database: DatabaseId,
        fork: model::Fork,
    ) -> Result<Forked, ServerRefusal> {
        let to = match fork.at {
            ForkPoint::Newest => To::Newest,
            ForkPoint::Time(at) => To::Time(at),
            ForkPoint::Position(at) => To::Position(Position::new(at).ok_or_else(|| {
                ServerRefusal::CannotFork { reason: format!("no journal reaches position {at}") }
            })?),
        };
        let scratch = self.cache.scratch();
        let made = self.store.fork(fork.parent, to, database, (self.clock)(), &scratch).await;
        let (cache, file) = (Arc::clone(&self.cache), scratch.clone());
        if let Err(error) = self.workers.run(move || cache.discard(&file)).await {
            tracing::warn!(path = %scratch.display(), %error, "a scratch file was not removed");
        }
        match made {
            Ok(Fork { position, copied }) => {
                tracing::info!(%position, copied, "forked");
                Ok(Forked { position: position.get(), copied })
            }
            Err(error) => {
                let reason = crate::chain(&error);
                tracing::warn!(reason, "not forked");
                match error.is_final() {
                    true => Err(ServerRefusal::CannotFork { reason }),
                    false => Err(ServerRefusal::Failed { database, reason }),
                }
            }
        }
    }
}
