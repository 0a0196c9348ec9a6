//! A directory that lost something, or is not ours, is refused with words; one that is whole comes back as it was.

use std::{fs, path::Path};

use model::{ControllerId, FleetId};
use openraft::storage::RaftLogStorage;

use super::{Disk, ID, SledDisk, StoreError, codec, open, open_disk, temp};
use crate::store::Write;

/// A directory with a vote and entries 0 to 9.
async fn filled() -> tempfile::TempDir {
    let dir = temp();
    let mut store = open(dir.path()).await.expect("an empty directory");
    store.log.save_vote(&codec::vote(1, 1, true)).await.expect("a disk that works");
    store.append(1, 0..=9).await;
    store.close().await;
    dir
}

async fn refusal(dir: &Path) -> String {
    match open(dir).await {
        Ok(_) => panic!("it started although something is wrong"),
        Err(error) => {
            use std::error::Error;
            error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let dir = filled().await;
    let mut store = open(dir.path()).await.expect("a whole directory");
    assert_eq!(store.last().await, Some(9));
    store.log.truncate_after(Some(codec::log_id(1, 1, 5))).await.expect("an open log");
    store.append(2, 6..=7).await;
    store.log.purge(codec::log_id(1, 1, 3)).await.expect("an open log");
    store.append(2, 8..=8).await;
    store.close().await;
    let mut store = open(dir.path()).await.expect("a whole directory");
    let state = store.log.get_log_state().await.expect("in memory");
    assert_eq!(state.last_log_id, Some(codec::log_id(2, 1, 8)));
    assert_eq!(state.last_purged_log_id, Some(codec::log_id(1, 1, 3)));
    store.close().await;
}

#[tokio::test]
async fn a_truncation_that_nothing_followed_is_no_loss() {
    let dir = filled().await;
    let store = open_disk(dir.path()).await.expect("a whole directory");
    store.load().await.expect("a whole log");
    let after = Some(codec::log_id(1, 1, 5));
    store.write(vec![Write::Truncate { after }]).await.expect("a disk that works");
    store.close().await;
    let mut store = open(dir.path()).await.expect("a shorter, but whole directory");
    assert_eq!(store.last().await, Some(5));
    store.close().await;
}

#[tokio::test]
async fn another_controllers_directory_is_refused() {
    let dir = filled().await;
    let error = match SledDisk::open(dir.path().into(), ControllerId(2), true).await {
        Ok(_) => panic!("it took another's directory"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("belongs to controller 1, this is controller 2"), "{error}");
}

#[tokio::test]
async fn another_fleets_directory_is_told() {
    let dir = temp();
    let disk = open_disk(dir.path()).await.expect("an empty directory");
    disk.belong_to(FleetId(1)).await.expect("nobody's yet");
    disk.belong_to(FleetId(1)).await.expect("its own");
    let error = disk.belong_to(FleetId(2)).await.expect_err("another's").to_string();
    assert!(error.contains("belongs to fleet"), "{error}");
}

#[tokio::test]
async fn a_directory_in_use_is_refused() {
    let dir = temp();
    let first = open_disk(dir.path()).await.expect("an empty directory");
    let second = SledDisk::open(dir.path().into(), ID, true).await;
    assert!(matches!(second, Err(StoreError::Locked { .. })));
    first.close().await;
}

#[tokio::test]
async fn a_log_that_is_gone_is_never_replaced_by_an_empty_one() {
    let dir = filled().await;
    fs::remove_dir_all(dir.path().join("log")).expect("it was there");
    for _ in 0..2 {
        let error = refusal(dir.path()).await;
        assert!(error.contains("has lost data") && error.contains("empty it"), "{error}");
    }
}

#[tokio::test]
async fn a_data_file_that_is_gone_is_never_replaced_by_an_empty_one() {
    let dir = filled().await;
    fs::remove_file(dir.path().join("log/db")).expect("it was there");
    for _ in 0..2 {
        let error = refusal(dir.path()).await;
        assert!(error.contains("has lost data"), "{error}");
    }
}

/// sled takes what it finds up to the first gap for the whole; the marker knows better.
#[tokio::test]
async fn a_data_file_cut_anywhere_is_refused() {
    let whole = filled().await;
    let len = fs::metadata(whole.path().join("log/db")).expect("it is there").len();
    for part in 0..8 {
        let dir = filled().await;
        let file = fs::OpenOptions::new().write(true).open(dir.path().join("log/db")).expect("it is there");
        file.set_len(len * part / 8).expect("it can be cut");
        let error = refusal(dir.path()).await;
        assert!(error.contains("has lost data") || error.contains("is damaged"), "{part}/8: {error}");
    }
}

#[tokio::test]
async fn a_data_file_of_zeros_is_refused() {
    let dir = filled().await;
    let path = dir.path().join("log/db");
    let len = fs::metadata(&path).expect("it is there").len();
    fs::write(&path, vec![0; usize::try_from(len).expect("small")]).expect("it can be written");
    let error = refusal(dir.path()).await;
    assert!(error.contains("has lost data") || error.contains("is damaged"), "{error}");
}

#[tokio::test]
async fn a_lost_marker_or_identity_is_noticed() {
    let dir = filled().await;
    fs::remove_file(dir.path().join("marker")).expect("it was there");
    let error = refusal(dir.path()).await;
    assert!(error.contains("marker file is gone"), "{error}");

    let dir = filled().await;
    fs::remove_file(dir.path().join("identity")).expect("it was there");
    let error = refusal(dir.path()).await;
    assert!(error.contains("no identity file"), "{error}");
}

#[tokio::test]
async fn a_start_that_was_cut_short_is_taken_up_again() {
    let dir = filled().await;
    for file in ["log", "marker"] {
        let path = dir.path().join(file);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("it was there");
    }
    let mut store = open(dir.path()).await.expect("as if the first start had ended after the identity file");
    assert_eq!(store.last().await, None);
    store.close().await;
}

#[tokio::test]
async fn a_log_of_a_later_release_asks_for_that_release() {
    let dir = filled().await;
    let db = sled_of(dir.path()).await;
    let log = db.open_tree("log").expect("a tree");
    let mut value = log.get(0u64.to_be_bytes()).expect("readable").expect("there").to_vec();
    value[0] = 9;
    log.insert(0u64.to_be_bytes(), value).expect("writable");
    drop((log, db));
    let error = refusal(dir.path()).await;
    assert!(error.contains("later release"), "{error}");
}

#[tokio::test]
async fn a_hole_in_the_log_is_damage() {
    let dir = filled().await;
    let mut store = open(dir.path()).await.expect("a whole directory");
    for index in 10..=12 {
        store.append(1, index..=index).await;
    }
    store.close().await;
    let db = sled_of(dir.path()).await;
    let log = db.open_tree("log").expect("a tree");
    log.remove(11u64.to_be_bytes()).expect("writable");
    drop((log, db));
    let error = refusal(dir.path()).await;
    assert!(error.contains("entry 11 is missing"), "{error}");
}

/// An old copy of the log beside the present marker, as after a careless restore.
#[tokio::test]
async fn an_older_copy_of_the_log_is_noticed() {
    let dir = filled().await;
    let copy = temp();
    copy_dir(&dir.path().join("log"), &copy.path().join("log"));
    let mut store = open(dir.path()).await.expect("a whole directory");
    store.log.save_vote(&codec::vote(5, 1, false)).await.expect("a disk that works");
    store.close().await;
    fs::remove_dir_all(dir.path().join("log")).expect("it was there");
    copy_dir(&copy.path().join("log"), &dir.path().join("log"));
    let error = refusal(dir.path()).await;
    assert!(error.contains("has lost data") && error.contains("vote"), "{error}");
}

/// The database itself. sled's own threads may hold its lock for a moment after it was closed.
async fn sled_of(dir: &Path) -> sled::Db {
    let give_up = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        match sled::open(dir.join("log")) {
            Ok(db) => return db,
            Err(error) => assert!(tokio::time::Instant::now() < give_up, "a whole database: {error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for file in fs::read_dir(from).expect("readable") {
        let file = file.expect("readable");
        let to = to.join(file.file_name());
        if file.path().is_dir() {
            copy_dir(&file.path(), &to);
        } else {
            fs::copy(file.path(), to).expect("writable");
        }
    }
}
