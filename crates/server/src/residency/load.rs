//! Loading: fence the journal, make the working copy from it, open the engine on the copy.

use std::{path::PathBuf, sync::Arc};

use journal::{ImageError, OpenError, Recovery, Writer};
use rpc::server::ServerRefusal;

use super::{World, commit::Committer, gathering::Gathering, resident::Resident, snapshots::Snapshots};
use crate::engine::{CommitSeq, Database, EngineError};

/// How often a load begins again because a newer snapshot replaced the one it read.
const ATTEMPTS: u32 = 3;

/// A database could not be loaded.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the working copy could not be made")]
    Image(#[from] ImageError),
    #[error("the engine refused the working copy")]
    Engine(#[from] EngineError),
    #[error("no directory for the working copy")]
    Directory(#[source] std::io::Error),
}

/// A working copy, opened.
struct Copy {
    database: Arc<dyn Database>,
    genesis: Option<Vec<u8>>,
}

/// Loads a database. On failure nothing of it is left but the fence.
pub async fn load(world: &Arc<World>, resident: &Arc<Resident>) -> Result<Committer, ServerRefusal> {
    let _permit = world.loads.acquire().await.expect("BUG: the semaphore is never closed");
    match attempts(world, resident).await {
        Ok((writer, copy)) => Ok(Committer {
            world: Arc::clone(world),
            resident: Arc::clone(resident),
            database: copy.database,
            writer,
            through: CommitSeq::default(),
            gathering: Gathering::default(),
            genesis: copy.genesis,
            snapshots: Snapshots::default(),
        }),
        Err(error) => {
            world.remove_copy(resident).await;
            Err(refusal(resident, &error))
        }
    }
}

async fn attempts(world: &Arc<World>, resident: &Resident) -> Result<(Writer, Copy), LoadError> {
    let mut attempt = 1;
    loop {
        let (writer, recovery) = world.store.open(resident.id, resident.epoch, (world.clock)()).await?;
        match copy(world, resident, recovery).await {
            Ok(copy) => return Ok((writer, copy)),
            Err(LoadError::Image(ImageError::Collected { .. })) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn copy(world: &Arc<World>, resident: &Resident, recovery: Recovery) -> Result<Copy, LoadError> {
    let image = directory(world, resident).await?.join("image");
    let empty = recovery.is_empty();
    if !empty {
        recovery.write_image(&image).await?;
    }
    let world_too = Arc::clone(world);
    let open = move || {
        let genesis = if empty {
            world_too.engine.create_image(&image)?;
            let read = std::fs::read(&image);
            let failed = |source| EngineError::File { action: "read", path: image.clone(), source };
            Some(read.map_err(failed)?)
        } else {
            None
        };
        Ok(Copy { database: world_too.engine.open(&image, &world_too.limits)?, genesis })
    };
    world.workers.run(open).await
}

async fn directory(world: &Arc<World>, resident: &Resident) -> Result<PathBuf, LoadError> {
    let (cache, id, epoch) = (Arc::clone(&world.cache), resident.id, resident.epoch);
    world.workers.run(move || cache.make(id, epoch)).await.map_err(LoadError::Directory)
}

fn refusal(resident: &Resident, error: &LoadError) -> ServerRefusal {
    let (database, epoch) = (resident.id, resident.epoch);
    if let LoadError::Open(OpenError::Superseded { found, .. }) = error {
        return ServerRefusal::EpochSpent { database, epoch, journal: *found };
    }
    let reason = crate::chain(error);
    tracing::error!(%database, %epoch, reason, "load failed");
    ServerRefusal::Failed { database, reason }
}
