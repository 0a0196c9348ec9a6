//! The self-test of a store at start: a store on which two racing creates can both win would lose acknowledged
//! commits, and some that are sold as compatible do just that.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;

use super::{Created, Key, ObjectError, Objects};
use crate::{Position, names::Name};

/// Keys that are raced for.
const KEYS: usize = 16;
/// Creates that race for each key.
const RACERS: usize = 16;

/// A store failed its self-test and must not be used, or could not be tested.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// Creates are not atomic.
    #[error("{winners} of {RACERS} racing creates of {key} were told that they had won")]
    Race {
        /// The key.
        key: Key,
        /// How many.
        winners: usize,
    },
    /// The winner's bytes are not what everybody reads.
    #[error("{key} does not read back as its one creator wrote it")]
    ReadBack {
        /// The key.
        key: Key,
    },
    /// A listing does not show what was just created.
    #[error("a listing shows {found} of {KEYS} objects that were just created in {folder}")]
    List {
        /// The folder.
        folder: Key,
        /// How many it shows.
        found: usize,
    },
    /// The store fails altogether.
    #[error("the store's self-test could not be finished")]
    Store(#[from] ObjectError),
}

/// Tests a store in a folder of its own, which nobody else may use, and cleans up.
///
/// 16 keys with 16 racing creates each: one winner, whose bytes everybody reads and who, asking again, is told that the key
/// is taken; then a listing that shows all. A winner who was told otherwise is known by the bytes: a network that repeats by
/// itself a request whose answer it lost brings the second answer, and whoever writes a log settles that as well.
///
/// # Errors
/// See [`ProofError`]. All but [`ProofError::Store`] say that the store must not be used.
pub async fn prove(store: &Arc<dyn Objects>, folder: &Key) -> Result<(), ProofError> {
    // As records are named, for a store that keeps records apart.
    let positions = (1..=KEYS as u64).filter_map(Position::new);
    let keys: Vec<Key> = positions.map(|at| folder.join(&Name::Record(at).text())).collect();
    let raced = join_all(keys.iter().map(|key| race(store, key))).await;
    let listed = store.list(folder).await;
    store.delete_all(&keys).await?;
    raced.into_iter().collect::<Result<(), _>>()?;
    let found = listed?.len();
    if found != KEYS {
        return Err(ProofError::List { folder: folder.clone(), found });
    }
    Ok(())
}

async fn race(store: &Arc<dyn Objects>, key: &Key) -> Result<(), ProofError> {
    let bytes = |racer: usize| Bytes::from(format!("racer {racer} for {key}\n"));
    let racers = (0..RACERS).map(|racer| {
        let (store, key, body) = (Arc::clone(store), key.clone(), bytes(racer));
        async move { store.create(&key, &[body]).await }
    });
    let answers = join_all(racers.map(tokio::spawn)).await;
    let mut winners = Vec::new();
    for (racer, answer) in answers.into_iter().enumerate() {
        let answer = answer.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if answer? == Created::Made {
            winners.push(racer);
        }
    }
    let winner = match winners[..] {
        [winner] => Some(winner),
        [] => {
            let there = store.read(key, None).await?;
            (0..RACERS).find(|racer| there == Some(bytes(*racer)))
        }
        _ => None,
    };
    let Some(winner) = winner else {
        return Err(ProofError::Race { key: key.clone(), winners: winners.len() });
    };
    let again = store.create(key, &[bytes(winner)]).await?;
    let read = store.read(key, None).await?;
    if again != Created::Taken || read != Some(bytes(winner)) {
        return Err(ProofError::ReadBack { key: key.clone() });
    }
    Ok(())
}
