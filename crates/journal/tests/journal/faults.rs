//! A store that is full, read-only, slow, unreachable, or forgets to answer: a clear error with database and position,
//! nothing acknowledged is lost, and the database serves again when the fault ends (issue: bad input and faults).

use std::{sync::Arc, time::Duration};

use journal::{
    AppendError, Effect, Faults, Faulty, Memory, ObjectError, OpenError, Position, objects::ErrorKind,
};
use model::Epoch;

use crate::world::*;

fn faulty() -> (Arc<Memory>, Arc<Faulty>) {
    let memory = Arc::new(Memory::default());
    let faulty = Arc::new(Faulty::new(memory.clone(), Faults::NONE, 1));
    (memory, faulty)
}

/// An error and its causes in one line, as a person reads it.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}

#[tokio::test(start_paused = true)]
async fn a_full_store_stalls_the_commit_and_goes_on_when_there_is_room() {
    let (_, objects) = faulty();
    let (mut writer, _) = open(&process(&objects, 1), 1).await;
    writer.append(group(1, &[(1, 1)])).await.expect("appended");
    objects.set(Faults { refuse_puts: Some("no space left on device"), ..Faults::NONE });

    let error = writer.append(group(1, &[(1, 2)])).await.expect_err("full");
    assert_eq!(error.effect(), Effect::None);
    let told = told(&error);
    for part in ["db-4hm", "position 3", "no space left"] {
        assert!(told.contains(part), "{part:?} is missing in {told:?}");
    }
    let error = writer.append(group(1, &[(1, 3)])).await.expect_err("the record before it comes first");
    assert!(matches!(error, AppendError::Unsettled { .. }), "{error}");
    assert!(matches!(writer.resume().await, Err(AppendError::Stalled { surely_absent: true, .. })));

    objects.set(Faults::NONE);
    assert_eq!(writer.resume().await.expect("room again"), Position::new(3));
    assert_eq!(writer.resume().await.expect("nothing stalled"), None);
    writer.append(group(1, &[(1, 4)])).await.expect("appended");
    let (_, recovery) = open(&process(&objects, 2), 2).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), [4]);
}

#[tokio::test(start_paused = true)]
async fn a_read_only_store_cannot_be_opened_and_says_so() {
    let (_, objects) = faulty();
    objects.set(Faults { refuse_puts: Some("read-only file system"), ..Faults::NONE });
    let error = process(&objects, 1).open(SHOP, Epoch(1), NOW).await.expect_err("read-only");
    assert!(
        matches!(&error, OpenError::Store { source: ObjectError { kind: ErrorKind::Refused, .. }, .. }),
        "{error:?}"
    );
    assert!(told(&error).contains("read-only file system"), "{}", told(&error));
    objects.set(Faults::NONE);
    open(&process(&objects, 1), 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_out_of_reach_leaves_the_commit_unknown_until_it_is_back() {
    let (_, objects) = faulty();
    let (mut writer, _) = open(&process(&objects, 1), 1).await;
    objects.set(Faults { unreachable: Some("no route to host"), ..Faults::NONE });
    let error = writer.append(group(1, &[(1, 2)])).await.expect_err("out of reach");
    assert_eq!(error.effect(), Effect::Unknown);
    assert!(writer.probe().await.is_err(), "nobody can tell who owns the log");
    let error = process(&objects, 2).open(SHOP, Epoch(2), NOW).await.expect_err("out of reach");
    assert!(matches!(error, OpenError::Store { .. }), "{error}");
    objects.set(Faults::NONE);
    assert_eq!(writer.resume().await.expect("back"), Position::new(2));
}

#[tokio::test(start_paused = true)]
async fn an_answer_slower_than_an_attempt_is_asked_for_again() {
    let (_, objects) = faulty();
    let (mut writer, _) = open(&process(&objects, 1), 1).await;
    objects.set(Faults { latency_ms: 11_000..11_001, ..Faults::NONE });
    let error = writer.append(group(1, &[(1, 2)])).await.expect_err("too slow");
    assert!(matches!(error, AppendError::Stalled { surely_absent: false, .. }), "{error}");
    objects.set(Faults { latency_ms: 9_000..9_001, ..Faults::NONE });
    assert_eq!(writer.resume().await.expect("slow"), Position::new(2));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_settled_by_reading_what_is_there() {
    let (_, objects) = faulty();
    let (mut writer, _) = open(&process(&objects, 1), 1).await;
    for number in 1..40 {
        objects.set(Faults { answer_lost: 0.5, put_twice: 0.4, late_ms: 1..50, ..Faults::NONE });
        assert_eq!(
            writer.append(group(1, &[(1, number)])).await.expect("settled").get(),
            u64::from(number) + 1
        );
    }
    objects.set(Faults::NONE);
    let (_, recovery) = open(&process(&objects, 2), 2).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), [39]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_caller_went_away_can_be_settled_later() {
    let (_, objects) = faulty();
    let (mut writer, _) = open(&process(&objects, 1), 1).await;
    objects.set(Faults { latency_ms: 500..501, ..Faults::NONE });
    let given_up = tokio::time::timeout(Duration::from_millis(100), writer.append(group(1, &[(1, 7)]))).await;
    assert!(given_up.is_err());
    assert!(matches!(writer.append(group(1, &[(1, 8)])).await, Err(AppendError::Unsettled { .. })));
    assert_eq!(writer.resume().await.expect("settled"), Position::new(2));
    let (_, recovery) = open(&process(&objects, 2), 2).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), [7]);
}

#[tokio::test(start_paused = true)]
async fn a_late_put_of_a_dead_owner_cannot_land_after_the_new_owners_fence() {
    let (memory, objects) = faulty();
    let (mut old, _) = open(&process(&objects, 1), 1).await;
    objects.set(Faults { put_late: 1.0, late_ms: 60_000..60_001, ..Faults::NONE });
    let error = old.append(group(1, &[(1, 66)])).await.expect_err("late");
    assert_eq!(error.effect(), Effect::Unknown);
    drop(old);

    let (mut new, _) = open(&process(&memory, 2), 2).await;
    new.append(group(1, &[(1, 1)])).await.expect("appended");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let (_, recovery) = open(&process(&memory, 3), 3).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_landed_and_was_collected_under_its_owner_is_not_called_absent() {
    let (memory, objects) = faulty();
    let (mut old, _) = open(&process(&objects, 1), 1).await;
    objects.set(Faults { answer_lost: 1.0, ..Faults::NONE });
    let given_up = tokio::time::timeout(Duration::ZERO, old.append(group(1, &[(1, 5)]))).await;
    assert!(given_up.is_err(), "it landed at position 2, and nobody heard of it");

    let (mut new, recovery) = open(&process(&memory, 2), 2).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), [5]);
    let packed = new.snapshot_draft().pack(&page(5)[..]).expect("packed");
    new.snapshot_taken(packed.put().await.expect("put"));
    new.collection().run(Duration::ZERO, NOW).await.expect("collected");
    // Something late takes the old position.
    let key = process(&memory, 2).folder(SHOP).join("log-0000000000000002");
    let (other, store) = crate::world::memory();
    let (mut stranger, _) = open(&store, 1).await;
    stranger.append(group(1, &[(1, 9)])).await.expect("appended");
    memory.overwrite(key.as_str(), other.take(key.as_str()).expect("it is there"));

    objects.set(Faults::NONE);
    let error = old.resume().await.expect_err("another record stands there");
    assert!(matches!(error, AppendError::Fenced { surely_absent: false, .. }), "{error:?}");
    assert_eq!(error.effect(), Effect::Unknown);
}
