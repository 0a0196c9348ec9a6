//! A database with a past: what the tests of restoring and forking share.

use std::path::PathBuf;

use journal::{Position, Recovery, Store, Writer};
use model::{Epoch, TimestampMs};

use crate::world::*;

pub fn at(number: u64) -> Position {
    Position::new(number).expect("in range")
}

/// Commits 1 to `last`, the commit of number n at time 1000 n, with a snapshot after every third.
/// Commit n stands at position n + 1, writes n on page 1, and on page n, and is request n of session 1.
pub async fn history(store: &Store, last: u8) -> Writer {
    let (mut writer, _) = store.open(SHOP, Epoch(1), TimestampMs(1)).await.expect("the log opens");
    for number in 1..=last {
        let mut pages = vec![(1, number)];
        if number > 1 {
            pages.push((number.into(), number));
        }
        let group = journal::Group {
            at: TimestampMs(1000 * u64::from(number)),
            outcomes: vec![outcome(1, number.into(), b"done")],
            ..group(number.into(), &pages)
        };
        writer.append(group).await.expect("appended");
        if number % 3 == 0 {
            snapshot(&mut writer, &image_after(number)).await;
        }
    }
    writer
}

pub async fn snapshot(writer: &mut Writer, fills: &[u8]) {
    let image: Vec<u8> = fills.iter().flat_map(|fill| page(*fill)).collect();
    let packed = writer.snapshot_draft().pack(&image[..]).expect("packed");
    writer.snapshot_taken(packed.put().await.expect("put"));
}

/// The fills of the pages after commit `number`.
pub fn image_after(number: u8) -> Vec<u8> {
    [number].into_iter().chain(2..=number).collect()
}

pub async fn image(recovery: &Recovery) -> Vec<u8> {
    fills(&recovery.image().await.expect("an image"))
}

pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("scratch");
    (dir, file)
}
