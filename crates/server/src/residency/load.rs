//! Loading: fence the journal, make the working copy from it, open the engine on the copy.

use std::{path::PathBuf, sync::Arc};

use journal::{ImageError, OpenError, Recovery, Writer};
use rpc::server::ServerRefusal;

use tokio::sync::Mutex;

use super::{
    World, commit::Committer, copy::WorkingCopy, line::Line, resident::Resident, snapshots::Snapshots,
};
use crate::engine::EngineError;

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

/// Loads a database. On failure nothing of it is left but the fence.
pub async fn load(world: &Arc<World>, resident: &Arc<Resident>) -> Result<Committer, ServerRefusal> {
    let _permit = world.loads.acquire().await.expect("BUG: the semaphore is never closed");
    match attempts(world, resident).await {
        Ok(committer) => Ok(committer),
        Err(error) => {
            world.remove_copy(resident).await;
            Err(refusal(resident, &error))
        }
    }
}

async fn attempts(world: &Arc<World>, resident: &Arc<Resident>) -> Result<Committer, LoadError> {
    let mut attempt = 1;
    loop {
        let (writer, recovery) = world.store.open(resident.id, resident.epoch, (world.clock)()).await?;
        match image(world, resident, recovery).await {
            Ok((image, genesis)) => return opened(world, resident, writer, image, genesis).await,
            Err(LoadError::Image(ImageError::Collected { .. })) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn opened(
    world: &Arc<World>,
    resident: &Arc<Resident>,
    writer: Writer,
    image: PathBuf,
    genesis: Option<Vec<u8>>,
) -> Result<Committer, LoadError> {
    let line = Arc::new(Mutex::new(Line::new(Arc::clone(world), writer, genesis)));
    resident.lay(Arc::clone(&line));
    let mut committer = Committer {
        world: Arc::clone(world),
        resident: Arc::clone(resident),
        copy: WorkingCopy::new(Arc::clone(world), image),
        line,
        snapshots: Snapshots::default(),
    };
    committer.warm().await?;
    Ok(committer)
}

/// Makes the image; the engine does it when the journal has none, and then its bytes are given, too.
async fn image(
    world: &Arc<World>,
    resident: &Resident,
    recovery: Recovery,
) -> Result<(PathBuf, Option<Vec<u8>>), LoadError> {
    let image = directory(world, resident).await?.join("image");
    if !recovery.is_empty() {
        recovery.write_image(&image).await?;
        return Ok((image, None));
    }
    let engine = Arc::clone(&world.engine);
    let make = move || {
        engine.create_image(&image)?;
        let failed = |source| EngineError::File { action: "read", path: image.clone(), source };
        let genesis = std::fs::read(&image).map_err(failed)?;
        Ok((image, Some(genesis)))
    };
    world.workers.run(make).await
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
