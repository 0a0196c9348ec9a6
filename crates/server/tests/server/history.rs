//! How far back a database can be restored is a setting.

use std::{sync::Arc, time::Duration};

use journal::{Memory, Objects, OfflineError, Patience, Position, Store, Threads, To};
use model::{DatabaseId, Incarnation};
use server::Settings;

use crate::support::{
    eventually,
    fleet::{FLEET, Fleet},
};

/// Commits that make more than one snapshot due.
const COMMITS: usize = 150;

/// A journal that a server with this history has written, and a fleet's store to look at it.
async fn written(history: Duration) -> (Fleet, Store) {
    let objects: Arc<dyn Objects> = Arc::new(Memory::default());
    let fleet = Fleet::with_objects(Arc::clone(&objects));
    let settings = Settings { history, ..fleet.settings("s1") };
    let server = fleet.start_with(settings).await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    for commit in 0..COMMITS {
        client.simple_query(&format!("put k{commit} v")).await.expect("committed");
    }
    drop(client);
    server.release(1, 1, 0).await.expect("put away");
    let store = Store::with(objects, FLEET, Incarnation(9), Patience::default(), Threads::Pool);
    (fleet, store)
}

/// Whether the database can be restored to its first commit.
async fn reaches_back(store: &Store) -> bool {
    let first = Position::new(2).expect("in range");
    match store.restore(DatabaseId(1), To::Position(first)).await {
        Ok(_) => true,
        Err(OfflineError::OutOfReach { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn without_history_what_a_snapshot_made_superfluous_goes() {
    let (_fleet, store) = written(Duration::ZERO).await;
    eventually("the first commit to be out of reach", async || {
        if reaches_back(&store).await { Err("it can be restored") } else { Ok(()) }
    })
    .await;
    store.restore(DatabaseId(1), To::Newest).await.expect("the newest is always there");
}

#[tokio::test]
async fn with_history_every_position_in_it_stays_restorable() {
    let (_fleet, store) = written(Duration::from_secs(3600)).await;
    assert!(store.verify(DatabaseId(1)).await.expect("sound").snapshots > 1, "something was superfluous");
    assert!(reaches_back(&store).await);
}
