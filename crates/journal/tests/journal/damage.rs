//! Damaged journals: a clear error that names database and position, other databases go on, nothing is given up
//! (issue: bad input and faults).

use std::sync::Arc;

use journal::{Damage, Damaged, Effect, Memory, Object, OpenError, Store};
use model::{DatabaseId, Epoch};

use crate::world::*;

/// A log of a fence, four commits, and a snapshot after the second commit, at position 3.
async fn log() -> (Arc<Memory>, Store) {
    let (objects, store) = memory();
    let (mut writer, _) = open(&store, 1).await;
    for fill in 1..=2 {
        writer.append(group(1, &[(1, fill)])).await.expect("appended");
    }
    let packed = writer.snapshot_draft().pack(&page(2)[..]).expect("packed");
    writer.snapshot_taken(packed.put().await.expect("put"));
    for fill in 3..=4 {
        writer.append(group(1, &[(1, fill)])).await.expect("appended");
    }
    (objects, store)
}

fn key(store: &Store, name: &str) -> String {
    store.folder(SHOP).join(name).as_str().into()
}

const RECORD_4: &str = "log-0000000000000004";
const RECORD_5: &str = "log-0000000000000005";
const SNAPSHOT: &str = "snap-0000000000000003";

/// Opens as a new owner, down to the image, and gives the damage that is reported.
async fn damaged(objects: &Arc<Memory>) -> Option<Damaged> {
    let before = objects.all();
    let found = match process(objects, 9).open(SHOP, Epoch(9), NOW).await {
        Ok((_, recovery)) => match recovery.image().await {
            Err(journal::ImageError::Damaged(damaged)) => Some(damaged),
            Ok(_) | Err(_) => None,
        },
        Err(OpenError::Damaged(damaged)) => Some(damaged),
        Err(_) => None,
    };
    let after = objects.all();
    assert!(before.iter().all(|object| after.contains(object)), "nothing may be given up");
    found
}

#[tokio::test(start_paused = true)]
async fn a_flipped_bit_in_any_object_is_reported_with_database_and_position() {
    let (_, store) = log().await;
    for (name, object, position) in
        [(RECORD_4, Object::Record, 4), (RECORD_5, Object::Record, 5), (SNAPSHOT, Object::Snapshot, 3)]
    {
        let whole = log().await.0.take(&key(&store, name)).expect("it is there");
        for at in (0..whole.len()).step_by(7) {
            let (objects, _) = log().await;
            let mut bytes = whole.to_vec();
            bytes[at] ^= 0x10;
            objects.overwrite(&key(&store, name), bytes);
            let found = damaged(&objects).await.unwrap_or_else(|| panic!("byte {at} of {name}"));
            assert_eq!(
                (found.database, found.object, found.position.get()),
                (SHOP, object, position),
                "byte {at}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_object_is_reported() {
    let (_, store) = log().await;
    for name in [RECORD_4, RECORD_5, SNAPSHOT] {
        let whole = log().await.0.take(&key(&store, name)).expect("it is there");
        for len in [0, 1, 127, 128, whole.len() - 1] {
            let (objects, _) = log().await;
            objects.overwrite(&key(&store, name), whole.slice(..len));
            assert!(damaged(&objects).await.is_some(), "{name} cut to {len} bytes");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_middle_record_is_reported_and_not_fenced_over() {
    let (objects, store) = log().await;
    objects.take(&key(&store, RECORD_4)).expect("it is there");
    let found = damaged(&objects).await.expect("reported");
    assert_eq!((found.position.get(), found.damage), (4, Damage::Missing));
    assert_eq!(objects.take(&key(&store, RECORD_4)), None, "no fence was put into the gap");
}

#[tokio::test(start_paused = true)]
async fn a_record_of_another_database_or_position_is_reported() {
    let (objects, store) = log().await;
    let record = objects.take(&key(&store, RECORD_4)).expect("it is there");
    objects.overwrite(&key(&store, RECORD_5), record.clone());
    objects.overwrite(&key(&store, RECORD_4), record);
    let found = damaged(&objects).await.expect("reported");
    assert!(matches!(found.damage, Damage::Foreign { .. }), "{found}");

    let (objects, store) = log().await;
    let (mut other, _) = store.open(DatabaseId(77), Epoch(1), NOW).await.expect("another database");
    for fill in 1..=3 {
        other.append(group(1, &[(1, fill)])).await.expect("appended");
    }
    let other_key = store.folder(DatabaseId(77)).join(RECORD_4);
    objects.overwrite(&key(&store, RECORD_4), objects.take(other_key.as_str()).expect("it is there"));
    let found = damaged(&objects).await.expect("reported");
    assert_eq!((found.database, found.position.get()), (SHOP, 4));
    assert!(matches!(found.damage, Damage::Foreign { database: DatabaseId(77), .. }), "{found}");
}

#[tokio::test(start_paused = true)]
async fn a_record_of_another_history_breaks_the_chain() {
    let (_, store) = log().await;
    let (other_objects, other) = memory();
    let (mut writer, _) = open(&other, 1).await;
    for fill in [9, 8, 7, 6] {
        writer.append(group(1, &[(1, fill)])).await.expect("appended");
    }
    let (objects, _) = log().await;
    objects
        .overwrite(&key(&store, RECORD_4), other_objects.take(&key(&store, RECORD_4)).expect("it is there"));
    let found = damaged(&objects).await.expect("reported");
    assert!(matches!(found.damage, Damage::Chain { .. }), "{found}");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_file_beside_the_log_is_left_alone() {
    let (objects, store) = log().await;
    objects.overwrite(&key(&store, "notes.txt"), "remember the milk");
    assert!(damaged(&objects).await.is_none());
    assert!(objects.take(&key(&store, "notes.txt")).is_some());
}

#[tokio::test(start_paused = true)]
async fn other_databases_open_beside_a_damaged_one() {
    let (objects, store) = log().await;
    objects.overwrite(&key(&store, RECORD_5), "rubbish");
    let (mut writer, _) = store.open(DatabaseId(77), Epoch(1), NOW).await.expect("another database");
    writer.append(group(1, &[(1, 1)])).await.expect("appended");
    assert!(damaged(&objects).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_finds_rubbish_at_its_next_position_says_so() {
    let (objects, store) = memory();
    let (mut writer, _) = open(&store, 1).await;
    objects.overwrite(&key(&store, "log-0000000000000002"), "rubbish");
    let error = writer.append(group(1, &[(1, 1)])).await.expect_err("damaged");
    assert!(error.to_string().contains("db-4hm"), "{error}");
    assert!(error.to_string().contains("position 2"), "{error}");
    assert_eq!(error.effect(), Effect::Unknown, "it may be our own record, damaged");
}
