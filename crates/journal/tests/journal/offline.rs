//! Inspecting, verifying and restoring journals.

use std::time::Duration;

use journal::{Damage, Kind, Object, OfflineError, To};
use model::{DatabaseId, TimestampMs};

use crate::{history::*, world::*};

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
