//! Inspecting, verifying, restoring and forking journals.

use std::{path::PathBuf, time::Duration};

use journal::{
    Damage, ForkError, Kind, Memory, Object, OfflineError, OpenError, Position, Recovery, Store, To, Writer,
};
use model::{DatabaseId, Epoch, TimestampMs};

use crate::world::*;

const COPY: DatabaseId = DatabaseId(0x9999);

fn at(number: u64) -> Position {
    Position::new(number).expect("in range")
}

/// Commits 1 to `last`, the commit of number n at time 1000 n, with a snapshot after every third.
/// Commit n stands at position n + 1 and writes n on page 1, and on page n.
async fn history(store: &Store, last: u8) -> Writer {
    let (mut writer, _) = store.open(SHOP, Epoch(1), TimestampMs(1)).await.expect("the log opens");
    for number in 1..=last {
        let mut pages = vec![(1, number)];
        if number > 1 {
            pages.push((number.into(), number));
        }
        let group =
            journal::Group { at: TimestampMs(1000 * u64::from(number)), ..group(number.into(), &pages) };
        writer.append(group).await.expect("appended");
        if number % 3 == 0 {
            snapshot(&mut writer, &image_after(number)).await;
        }
    }
    writer
}

async fn snapshot(writer: &mut Writer, fills: &[u8]) {
    let image: Vec<u8> = fills.iter().flat_map(|fill| page(*fill)).collect();
    let packed = writer.snapshot_draft().pack(&image[..]).expect("packed");
    writer.snapshot_taken(packed.put().await.expect("put"));
}

/// The fills of the pages after commit `number`.
fn image_after(number: u8) -> Vec<u8> {
    [number].into_iter().chain(2..=number).collect()
}

async fn image(recovery: &Recovery) -> Vec<u8> {
    fills(&recovery.image().await.expect("an image"))
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("scratch");
    (dir, file)
}

#[tokio::test]
async fn a_database_is_restored_to_any_position_and_to_any_time() {
    let (objects, store) = memory();
    history(&store, 8).await;
    let before = objects.all();
    for number in 1..=8u8 {
        let position = store.restore(SHOP, To::Position(at(u64::from(number) + 1))).await.expect("restored");
        assert_eq!(image(&position).await, image_after(number), "position after commit {number}");
        let time = TimestampMs(1000 * u64::from(number) + 999);
        let time = store.restore(SHOP, To::Time(time)).await.expect("restored");
        assert_eq!(image(&time).await, image_after(number), "time of commit {number}");
    }
    let newest = store.restore(SHOP, To::Newest).await.expect("restored");
    assert_eq!(image(&newest).await, image_after(8));
    assert!(objects.all() == before, "restoring only reads");
}

#[tokio::test]
async fn what_was_collected_or_never_was_cannot_be_restored_and_the_error_says_what_can() {
    let (_, store) = memory();
    let writer = history(&store, 8).await;
    writer.collection().run(Duration::ZERO, NOW).await.expect("collected");
    for wanted in [To::Position(at(3)), To::Position(at(99)), To::Time(TimestampMs(3500))] {
        let error = store.restore(SHOP, wanted).await.expect_err("out of reach");
        assert!(
            matches!(&error, OfflineError::OutOfReach { oldest, newest, .. } if (oldest.get(), newest.get()) == (7, 9)),
            "{wanted:?}: {error}"
        );
    }
    let error = store.restore(DatabaseId(5), To::Newest).await.expect_err("none");
    assert!(matches!(error, OfflineError::NoJournal { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_record_stops_a_restore() {
    let (objects, store) = memory();
    history(&store, 5).await;
    objects.take(store.folder(SHOP).join("log-0000000000000005").as_str()).expect("it is there");
    let error = store.restore(SHOP, To::Newest).await.expect_err("damaged");
    assert!(
        matches!(&error, OfflineError::Damaged(d) if d.damage == Damage::Missing && d.position == at(5)),
        "{error}"
    );
}

#[tokio::test]
async fn inspecting_lists_every_object_with_its_header() {
    let (objects, store) = memory();
    history(&store, 3).await;
    objects.overwrite(store.folder(SHOP).join("notes.txt").as_str(), "milk");
    let entries = store.inspect(SHOP).await.expect("inspected");
    let kinds: Vec<_> =
        entries.iter().map(|e| (e.name.as_str(), e.header.as_ref().ok().map(|h| h.kind))).collect();
    assert_eq!(
        kinds,
        [
            ("log-0000000000000001", Some(Kind::Fence)),
            ("log-0000000000000002", Some(Kind::Data)),
            ("log-0000000000000003", Some(Kind::Data)),
            ("log-0000000000000004", Some(Kind::Data)),
            ("notes.txt", None),
            ("snap-0000000000000004", Some(Kind::Snapshot)),
        ]
    );
}

#[tokio::test]
async fn verifying_finds_a_flipped_bit_anywhere_and_goes_on_past_it() {
    let (_, store) = memory();
    let mut writer = history(&store, 7).await;
    writer.seal(NOW).await.expect("sealed");
    let verified = store.verify(SHOP).await.expect("verified");
    assert_eq!((verified.records, verified.snapshots, verified.damaged.len()), (9, 2, 0));
    assert_eq!(verified.restorable, Some((at(1), at(9))));

    for (name, object, position) in [
        ("log-0000000000000003", Object::Record, 3),
        ("log-0000000000000008", Object::Record, 8),
        ("snap-0000000000000004", Object::Snapshot, 4),
        ("snap-0000000000000007", Object::Snapshot, 7),
    ] {
        let (objects, store) = memory();
        history(&store, 7).await;
        let key = store.folder(SHOP).join(name);
        let whole = objects.take(key.as_str()).expect("it is there");
        for byte in (0..whole.len()).step_by(13) {
            let mut bytes = whole.to_vec();
            bytes[byte] ^= 1;
            objects.overwrite(key.as_str(), bytes);
            objects.overwrite(store.folder(SHOP).join("notes.txt").as_str(), "milk");
            let verified = store.verify(SHOP).await.expect("verified");
            let found: Vec<_> = verified.damaged.iter().map(|d| (d.object, d.position.get())).collect();
            assert_eq!(found, [(object, position)], "byte {byte} of {name}");
            assert_eq!(verified.records + verified.snapshots, 9, "the rest was checked");
            assert_eq!(verified.foreign, ["notes.txt"]);
        }
    }
}

#[tokio::test]
async fn verifying_finds_missing_records_and_a_snapshot_of_another_history() {
    let (objects, store) = memory();
    history(&store, 5).await;
    objects.take(store.folder(SHOP).join("log-0000000000000005").as_str()).expect("it is there");
    let verified = store.verify(SHOP).await.expect("verified");
    assert_eq!(verified.damaged.len(), 1);
    assert_eq!((verified.damaged[0].position, &verified.damaged[0].damage), (at(5), &Damage::Missing));

    let (objects, store) = memory();
    history(&store, 3).await;
    let (other_objects, other) = memory();
    let (mut writer, _) = open(&other, 1).await;
    for _ in 0..3 {
        writer.append(group(1, &[(1, 9)])).await.expect("appended");
    }
    snapshot(&mut writer, &[9]).await;
    let key = store.folder(SHOP).join("snap-0000000000000004");
    objects.overwrite(key.as_str(), other_objects.take(key.as_str()).expect("it is there"));
    let verified = store.verify(SHOP).await.expect("verified");
    assert_eq!(verified.damaged.iter().map(|d| d.object).collect::<Vec<_>>(), [Object::Snapshot]);
}

#[tokio::test]
async fn a_fork_shares_the_parents_data_and_goes_its_own_way() {
    let (objects, store) = memory();
    let mut parent = history(&store, 5).await;
    let (_dir, scratch) = scratch();
    let fork = process(&objects, 2).fork(SHOP, To::Newest, COPY, NOW, &scratch).await.expect("forked");
    assert_eq!((fork.position, fork.copied), (at(6), false));

    // The parent goes on, snapshots and collects; the copy does not notice.
    parent.append(group(5, &[(1, 77)])).await.expect("the parent's owner was not fenced");
    let (mut copy, recovery) = store.open(COPY, Epoch(1), NOW).await.expect("the copy opens");
    assert_eq!(recovery.state().outcomes.sessions(), 0);
    assert_eq!(image(&recovery).await, image_after(5));
    copy.append(group(6, &[(2, 88), (6, 99)])).await.expect("appended");
    snapshot(&mut parent, &[77, 2, 3, 4, 5]).await;
    parent.collection().run(Duration::ZERO, NOW).await.expect("collected");

    let (_, recovery) = process(&objects, 3).open(COPY, Epoch(2), NOW).await.expect("the copy opens");
    assert_eq!(image(&recovery).await, [5, 88, 3, 4, 5, 99]);
    let (_, recovery) = open(&process(&objects, 3), 2).await;
    assert_eq!(image(&recovery).await, [77, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_copy_with_a_snapshot_of_its_own_lets_the_parents_data_go() {
    let (objects, store) = memory();
    let mut parent = history(&store, 5).await;
    let (_dir, scratch) = scratch();
    store.fork(SHOP, To::Newest, COPY, NOW, &scratch).await.expect("forked");
    let (mut copy, _) = store.open(COPY, Epoch(1), NOW).await.expect("the copy opens");
    snapshot(&mut copy, &image_after(5)).await;
    snapshot(&mut parent, &image_after(5)).await;
    let pins = |objects: &Memory| objects.all().iter().filter(|(key, _)| key.contains("/pin-")).count();
    assert_eq!(pins(&objects), 1);
    copy.collection().run(Duration::ZERO, NOW).await.expect("collected");
    assert_eq!(pins(&objects), 0);
    parent.collection().run(Duration::ZERO, NOW).await.expect("collected");
    let (_, recovery) = process(&objects, 3).open(COPY, Epoch(2), NOW).await.expect("the copy opens");
    assert_eq!(image(&recovery).await, image_after(5));
}

#[tokio::test]
async fn a_fork_of_something_older_than_the_newest_snapshot_is_copied() {
    let (objects, store) = memory();
    let parent = history(&store, 8).await;
    let (_dir, scratch) = scratch();
    let fork = store.fork(SHOP, To::Time(TimestampMs(5100)), COPY, NOW, &scratch).await.expect("forked");
    assert_eq!((fork.position, fork.at, fork.copied), (at(6), TimestampMs(5000), true));
    parent.collection().run(Duration::ZERO, NOW).await.expect("collected");
    let (mut copy, recovery) = process(&objects, 2).open(COPY, Epoch(1), NOW).await.expect("the copy opens");
    assert_eq!(image(&recovery).await, image_after(5));
    copy.append(group(5, &[(1, 7)])).await.expect("appended");
    assert_eq!(store.verify(COPY).await.expect("verified").damaged.len(), 0);
}

#[tokio::test]
async fn a_database_is_forked_into_an_unused_id_only() {
    let (_, store) = memory();
    history(&store, 2).await;
    let (_dir, scratch) = scratch();
    let error = store.fork(SHOP, To::Newest, SHOP, NOW, &scratch).await.expect_err("it exists");
    assert!(matches!(error, ForkError::Exists { child: SHOP }), "{error}");
    store.fork(SHOP, To::Newest, COPY, NOW, &scratch).await.expect("forked");
    let error = store.fork(SHOP, To::Newest, COPY, NOW, &scratch).await.expect_err("it exists now");
    assert!(matches!(error, ForkError::Exists { .. }), "{error}");
}

#[tokio::test]
async fn copies_of_copies_share_until_the_chain_is_too_long() {
    let (objects, store) = memory();
    history(&store, 4).await;
    let (_dir, scratch) = scratch();
    let mut parent = SHOP;
    let mut copied = Vec::new();
    for number in 1..=10 {
        let child = DatabaseId(1000 + number);
        let fork = store.fork(parent, To::Newest, child, NOW, &scratch).await.expect("forked");
        copied.push(fork.copied);
        let (mut writer, recovery) = store.open(child, Epoch(1), NOW).await.expect("the copy opens");
        assert_eq!(image(&recovery).await, [number as u8 + 3, 2, 3, 4]);
        writer.append(group(4, &[(1, number as u8 + 4)])).await.expect("appended");
        parent = child;
    }
    assert_eq!(copied.iter().filter(|copied| **copied).count(), 1, "{copied:?}");
    let (_, recovery) = process(&objects, 2).open(parent, Epoch(2), NOW).await.expect("the copy opens");
    assert_eq!(image(&recovery).await, [14, 2, 3, 4]);
}

#[tokio::test]
async fn a_dropped_parent_stays_as_long_as_a_copy_needs_it() {
    let (objects, store) = memory();
    history(&store, 5).await;
    let (_dir, scratch) = scratch();
    store.fork(SHOP, To::Newest, COPY, NOW, &scratch).await.expect("forked");
    process(&objects, 2).drop_database(SHOP, Epoch(2), NOW).await.expect("dropped");
    let error = store.open(SHOP, Epoch(3), NOW).await.expect_err("dropped");
    assert!(matches!(error, OpenError::Dropped { .. }), "{error}");
    let error = store.restore(SHOP, To::Newest).await.expect_err("dropped");
    assert!(matches!(error, OfflineError::Dropped { .. }), "{error}");
    let (_, recovery) = store.open(COPY, Epoch(1), NOW).await.expect("the copy opens");
    assert_eq!(image(&recovery).await, image_after(5));

    process(&objects, 2).drop_database(COPY, Epoch(2), NOW).await.expect("dropped");
    let left: Vec<String> = objects.all().into_iter().map(|(key, _)| key).collect();
    assert!(left.iter().all(|key| key.contains("/gone-")) && left.len() == 2, "{left:?}");
}
