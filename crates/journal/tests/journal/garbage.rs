//! Snapshots, garbage collection and dropping.

use std::{sync::Arc, time::Duration};

use journal::{AppendError, Faults, Faulty, Memory, OpenError, Writer};
use model::{Epoch, TimestampMs};

use crate::world::*;

const HOUR: u64 = 3_600_000;

fn names(objects: &Memory) -> Vec<String> {
    let name = |(key, _): (String, _)| key.rsplit('/').next().map(str::to_owned);
    objects.all().into_iter().filter_map(name).collect()
}

fn log(position: u64) -> String {
    format!("log-{position:016x}")
}

fn snap(position: u64) -> String {
    format!("snap-{position:016x}")
}

async fn commit_at(writer: &mut Writer, fill: u8, at: u64) {
    let group = journal::Group { at: TimestampMs(at), ..group(1, &[(1, fill)]) };
    writer.append(group).await.expect("appended");
}

async fn snapshot(writer: &mut Writer, fill: u8) {
    let packed = writer.snapshot_draft().pack(&page(fill)[..]).expect("packed");
    let taken = packed.put().await.expect("put");
    writer.snapshot_taken(taken);
}

#[tokio::test]
async fn collecting_leaves_the_snapshot_its_record_and_the_fence_of_an_unclean_takeover() {
    let (objects, store) = memory();
    let (mut first, _) = open(&store, 1).await;
    commit_at(&mut first, 1, 1).await;
    let (mut second, _) = open(&process(&objects, 2), 2).await;
    commit_at(&mut second, 2, 2).await;
    commit_at(&mut second, 3, 3).await;
    snapshot(&mut second, 3).await;
    let collected = second.collection().run(Duration::ZERO, NOW).await.expect("collected");
    assert_eq!(names(&objects), [log(3), log(5), snap(5)]);
    assert_eq!((collected.deleted, collected.left), (3, 3));
    assert!(
        matches!(first.append(group(1, &[(1, 9)])).await, Err(AppendError::Fenced { .. })),
        "the fence holds"
    );

    let (_, recovery) = open(&process(&objects, 3), 3).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), [3]);
    assert_eq!(recovery.state().fences.len(), 2);
}

#[tokio::test]
async fn history_keeps_every_time_since_then_restorable() {
    let (objects, store) = memory();
    let (mut writer, _) = store.open(SHOP, Epoch(1), TimestampMs(0)).await.expect("the log opens");
    for hour in 1..=8 {
        commit_at(&mut writer, hour as u8, hour * HOUR).await;
        snapshot(&mut writer, hour as u8).await;
    }
    let now = TimestampMs(8 * HOUR + HOUR / 2);
    writer.collection().run(Duration::from_millis(3 * HOUR), now).await.expect("collected");
    let left = names(&objects);
    assert_eq!(left.iter().find(|name| name.starts_with("snap-")), Some(&snap(6)), "of hour 5: {left:?}");
    assert_eq!(left.iter().find(|name| name.starts_with("log-")), Some(&log(6)), "{left:?}");
    writer.collection().run(Duration::from_millis(100 * HOUR), now).await.expect("collected");
    assert_eq!(names(&objects), left, "everything is younger than that");
}

#[tokio::test]
async fn a_log_younger_than_its_history_is_kept_from_its_first_record_on() {
    let (objects, store) = memory();
    let (mut writer, _) = store.open(SHOP, Epoch(1), TimestampMs(0)).await.expect("the log opens");
    for hour in 1..=4 {
        commit_at(&mut writer, hour as u8, hour * HOUR).await;
        snapshot(&mut writer, hour as u8).await;
    }
    let all = names(&objects);
    let (now, history) = (TimestampMs(4 * HOUR), Duration::from_millis(4 * HOUR));
    writer.collection().run(history, now).await.expect("collected");
    assert_eq!(names(&objects), all, "the first snapshot, of hour 1, does not reach back to hour 0");
    writer.collection().run(history - Duration::from_millis(HOUR), now).await.expect("collected");
    assert!(!names(&objects).contains(&log(1)), "from hour 1 on, the first snapshot is enough");
}

#[tokio::test]
async fn a_collector_that_is_no_owner_any_more_does_no_harm() {
    let (objects, store) = memory();
    let (mut old, _) = open(&store, 1).await;
    commit_at(&mut old, 1, 1).await;
    snapshot(&mut old, 1).await;
    let collection = old.collection();
    let (mut new, _) = open(&process(&objects, 2), 2).await;
    commit_at(&mut new, 2, 2).await;
    snapshot(&mut new, 2).await;
    collection.run(Duration::ZERO, NOW).await.expect("collected");
    assert!(names(&objects).contains(&log(3)), "the fence that the old owner never saw");
    let (_, recovery) = open(&process(&objects, 3), 3).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), [2]);
}

#[tokio::test]
async fn a_snapshot_that_is_there_already_is_as_good() {
    let (_, store) = memory();
    let (mut writer, _) = open(&store, 1).await;
    commit_at(&mut writer, 1, 1).await;
    let (one, two) = (writer.snapshot_draft(), writer.snapshot_draft());
    let one = one.pack(&page(1)[..]).expect("packed").put().await.expect("put");
    let two = two.pack(&page(1)[..]).expect("packed").put().await.expect("there already");
    assert_eq!(one, two);
}

#[tokio::test]
async fn a_snapshot_pays_the_debt_up_to_its_draft_only() {
    let (_, store) = memory();
    let (mut writer, _) = open(&store, 1).await;
    commit_at(&mut writer, 1, 1).await;
    let draft = writer.snapshot_draft();
    commit_at(&mut writer, 2, 2).await;
    let taken = draft.pack(&page(1)[..]).expect("packed").put().await.expect("put");
    writer.snapshot_taken(taken);
    assert_eq!((writer.debt().records, writer.debt().data_records), (1, 1));
    let (next, _) = open(&store, 1).await;
    assert_eq!((next.debt().records, next.debt().data_records), (2, 1), "with the fence");
}

#[tokio::test]
async fn an_image_shorter_than_the_log_says_makes_no_snapshot() {
    let (objects, store) = memory();
    let (mut writer, _) = open(&store, 1).await;
    writer.append(group(2, &[(1, 1), (2, 2)])).await.expect("appended");
    let error = writer.snapshot_draft().pack(&page(1)[..]).expect_err("half an image");
    assert!(error.to_string().contains("position 2"), "{error}");
    assert!(!names(&objects).contains(&snap(2)));
}

#[tokio::test]
async fn an_image_of_many_chunks_comes_back_whole() {
    let (objects, store) = memory();
    let (mut writer, _) = open(&store, 1).await;
    let pages = 5000u32;
    let image: Vec<u8> = (0..pages).flat_map(|n| [n.to_le_bytes(); PAGE / 4].concat()).collect();
    let page = |n: u32| bytes::Bytes::copy_from_slice(&image[n as usize * PAGE..][..PAGE]);
    let group = journal::Group {
        pages: (0..pages).map(|n| (n + 1, page(n))).collect(),
        image_pages: pages,
        ..group(0, &[])
    };
    writer.append(group).await.expect("appended");
    let packed = writer.snapshot_draft().pack(&image[..]).expect("packed");
    writer.snapshot_taken(packed.put().await.expect("put"));
    writer.collection().run(Duration::ZERO, NOW).await.expect("collected");
    let (_, recovery) = open(&process(&objects, 2), 2).await;
    assert!(recovery.image().await.expect("an image") == image);
}

#[tokio::test]
async fn a_dropped_database_leaves_a_tombstone_and_stops_its_owner() {
    let (objects, store) = memory();
    let (mut owner, _) = open(&store, 1).await;
    commit_at(&mut owner, 1, 1).await;
    process(&objects, 2).drop_database(SHOP, Epoch(2), NOW).await.expect("dropped");
    assert_eq!(names(&objects), ["gone-0000000000000004"]);
    let error = process(&objects, 3).open(SHOP, Epoch(3), NOW).await.expect_err("dropped");
    assert!(matches!(error, OpenError::Dropped { .. }), "{error}");
    store.drop_database(SHOP, Epoch(4), NOW).await.expect("dropping a dropped database is fine");
}

#[tokio::test(start_paused = true)]
async fn dropping_again_finishes_what_a_crash_left() {
    for seed in 0..40 {
        let memory = Arc::new(Memory::default());
        let (mut owner, _) = open(&process(&memory, 1), 1).await;
        commit_at(&mut owner, 1, 1).await;
        snapshot(&mut owner, 1).await;
        commit_at(&mut owner, 2, 1).await;
        let faulty = Arc::new(Faulty::new(memory.clone(), Faults::NONE, seed));
        faulty.set(Faults { read_fails: 0.9, put_fails: 0.7, latency_ms: 1000..3000, ..Faults::NONE });
        let first = process(&faulty, 2).drop_database(SHOP, Epoch(2), NOW).await;
        process(&memory, 3).drop_database(SHOP, Epoch(3), NOW).await.expect("dropped");
        let left = names(&memory);
        assert!(matches!(&left[..], [gone] if gone.starts_with("gone-")), "seed {seed}: {first:?}, {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_database_can_be_dropped() {
    let (objects, store) = memory();
    let (mut owner, _) = open(&store, 1).await;
    commit_at(&mut owner, 1, 1).await;
    objects.overwrite(store.folder(SHOP).join(&log(2)).as_str(), "rubbish");
    process(&objects, 2).drop_database(SHOP, Epoch(2), NOW).await.expect("dropped");
    assert_eq!(names(&objects), ["gone-0000000000000002"]);
}
