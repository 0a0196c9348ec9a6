//! A purged log gives its space back: the directory stops growing (C3).

use std::path::Path;

use openraft::storage::RaftLogStorage;

use super::{codec, open, temp};

const BATCH: u64 = 100;
const KEPT: u64 = 1_000;

#[tokio::test]
async fn a_log_that_is_purged_stops_growing() {
    let dir = temp();
    let mut store = open(dir.path()).await.expect("an empty directory");
    let mut after = Vec::new();
    for upto in (BATCH..=60_000).step_by(BATCH as usize) {
        store.append(1, upto - BATCH..=upto - 1).await;
        if upto % KEPT == 0 && upto > KEPT {
            store.log.purge(codec::log_id(1, 1, upto - KEPT)).await.expect("an open log");
        }
        if upto % 20_000 == 0 {
            after.push(size(dir.path()));
        }
    }
    store.close().await;
    assert!(after[2] <= after[0] + after[0] / 2, "bytes after 20,000, 40,000 and 60,000 entries: {after:?}");
}

/// Bytes in all files of a directory.
fn size(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).expect("readable");
    files
        .map(|file| {
            let path = file.expect("readable").path();
            if path.is_dir() { size(&path) } else { std::fs::metadata(&path).expect("readable").len() }
        })
        .sum()
}
