//! Copies of databases: sharing, copying, and being finished whoever began them.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicIsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use journal::{
    Faults, Faulty, ForkError, Memory, ObjectError, Objects, OfflineError, OpenError, Patience, Position,
    Store, Threads, To, Writer,
    objects::{Created, Key, Listed},
};
use model::{DatabaseId, Epoch, Incarnation, TimestampMs};

use crate::{history::*, world::*};

const COPY: DatabaseId = DatabaseId(0x9999);

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
    assert_eq!(parent.state().outcomes.sessions(), 1);
    assert_eq!(recovery.state().outcomes.sessions(), 0, "a copy answers for no request of its parent");
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
    assert_eq!((fork.position, fork.copied), (at(6), true));
    assert_eq!(parent.state().outcomes.sessions(), 1);
    parent.collection().run(Duration::ZERO, NOW).await.expect("collected");
    let (mut copy, recovery) = process(&objects, 2).open(COPY, Epoch(1), NOW).await.expect("the copy opens");
    assert_eq!(recovery.state().outcomes.sessions(), 0, "a copy answers for no request of its parent");
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
    let other = store.fork(COPY, To::Newest, SHOP, NOW, &scratch).await.expect_err("it exists");
    assert!(matches!(other, ForkError::Exists { child: SHOP }) && other.is_final(), "{other}");
    store.open(COPY, Epoch(1), NOW).await.expect("opened");
    let error = store.fork(SHOP, To::Newest, COPY, NOW, &scratch).await.expect_err("it was opened");
    assert!(matches!(error, ForkError::Exists { .. }), "{error}");
}

#[tokio::test]
async fn forking_again_is_the_same_fork() {
    for (to, copied) in [(To::Newest, false), (To::Position(at(3)), true)] {
        let (objects, store) = memory();
        let mut parent = history(&store, 5).await;
        let (_dir, scratch) = scratch();
        let first = store.fork(SHOP, to, COPY, NOW, &scratch).await.expect("forked");
        assert_eq!(first.copied, copied);
        parent.append(group(5, &[(1, 77)])).await.expect("appended");
        let again = process(&objects, 2).fork(SHOP, to, COPY, NOW, &scratch).await.expect("forked");
        assert_eq!(again, first);
        // Long after, when the copy has gone its own way.
        let (mut copy, recovery) = store.open(COPY, Epoch(1), NOW).await.expect("the copy opens");
        let fills = image(&recovery).await;
        snapshot(&mut copy, &fills).await;
        copy.collection().run(Duration::ZERO, NOW).await.expect("collected");
        let late = process(&objects, 3).fork(SHOP, to, COPY, NOW, &scratch).await;
        assert!(matches!(late, Err(ForkError::Exists { .. })), "{late:?}");
        let (_, recovery) = process(&objects, 4).open(COPY, Epoch(2), NOW).await.expect("the copy opens");
        assert_eq!(image(&recovery).await, fills);
    }
}

#[tokio::test]
async fn a_parent_that_was_never_written_to_has_an_empty_copy() {
    let (_, store) = memory();
    let (_dir, scratch) = scratch();
    let fork = store.fork(SHOP, To::Newest, COPY, NOW, &scratch).await.expect("nothing to copy");
    assert_eq!((fork.position, fork.copied), (Position::START, false));
    let error =
        store.fork(SHOP, To::Position(at(1)), COPY, NOW, &scratch).await.expect_err("no such position");
    assert!(error.is_final(), "{error}");
    open(&store, 1).await;
    store.fork(SHOP, To::Newest, COPY, NOW, &scratch).await.expect("only a fence to copy");
    let (_, recovery) = store.open(COPY, Epoch(1), NOW).await.expect("the copy opens");
    assert!(recovery.is_empty());
}

#[tokio::test]
async fn a_point_out_of_reach_is_a_final_error_and_leaves_nothing() {
    let (objects, store) = memory();
    let parent = history(&store, 8).await;
    parent.collection().run(Duration::ZERO, NOW).await.expect("collected");
    let (_dir, scratch) = scratch();
    let before = objects.all();
    for to in [To::Position(at(2)), To::Position(at(99)), To::Time(TimestampMs(1))] {
        let error = store.fork(SHOP, to, COPY, NOW, &scratch).await.expect_err("out of reach");
        assert!(error.is_final() && matches!(error, ForkError::Parent(_)), "{error}");
    }
    assert_eq!(objects.all(), before);
}

#[tokio::test]
async fn a_copy_dropped_before_it_was_opened_leaves_no_pin() {
    let (objects, store) = memory();
    history(&store, 5).await;
    let (_dir, scratch) = scratch();
    let mortal = Mortal::new(objects.clone(), 1, When::After);
    let dead = Store::with(mortal, FLEET, Incarnation(7), Patience::default(), Threads::Inline);
    let fork = dead.fork(SHOP, To::Newest, COPY, NOW, &scratch);
    tokio::time::timeout(Duration::from_millis(20), fork).await.expect_err("it died after its pin");
    let pins = |objects: &Memory| objects.all().iter().filter(|(key, _)| key.contains("/pin-")).count();
    assert_eq!(pins(&objects), 1);
    store.drop_database(COPY, Epoch(1), NOW).await.expect("dropped");
    store.unfork(SHOP, COPY, NOW).await.expect("let go");
    assert_eq!(pins(&objects), 0);
    let error = store.fork(SHOP, To::Newest, COPY, NOW, &scratch).await.expect_err("dropped");
    assert!(error.is_final(), "{error}");
    assert_eq!(pins(&objects), 0, "not even by one that comes late");
}

/// The copy is right, whatever the parent does from now on.
async fn check(objects: &Arc<Memory>, parent: &mut Writer, expected: &[u8]) {
    let pages: Vec<(u32, u8)> = (1..=8).map(|page| (page, 50 + page as u8)).collect();
    parent.append(group(8, &pages)).await.expect("appended");
    snapshot(parent, &[51, 52, 53, 54, 55, 56, 57, 58]).await;
    parent.collection().run(Duration::ZERO, NOW).await.expect("collected");
    let (_, recovery) = process(objects, 90).open(COPY, Epoch(1), NOW).await.expect("the copy opens");
    assert_eq!(image(&recovery).await, expected);
    assert_eq!(process(objects, 91).verify(COPY).await.expect("verified").damaged.len(), 0);
}

#[tokio::test]
async fn a_fork_that_crashed_at_any_step_is_finished_by_the_next() {
    for (to, expected) in [(To::Newest, image_after(8)), (To::Position(at(6)), image_after(5))] {
        for (step, when) in (0..8).flat_map(|step| [(step, When::Before), (step, When::After)]) {
            let (objects, store) = memory();
            let mut parent = history(&store, 8).await;
            let (_dir, scratch) = scratch();
            let mortal = Mortal::new(objects.clone(), step, when);
            let dead = Store::with(mortal, FLEET, Incarnation(7), Patience::default(), Threads::Inline);
            let fork = dead.fork(SHOP, to, COPY, NOW, &scratch);
            let died = tokio::time::timeout(Duration::from_millis(20), fork).await.is_err();
            assert_eq!(died, step < steps(to), "{to:?} at {step} {when:?}");
            process(&objects, 2).fork(SHOP, to, COPY, NOW, &scratch).await.expect("forked");
            check(&objects, &mut parent, &expected).await;
        }
    }
}

/// Where a fork ends: a pin and a record, or a pin, its end, a record and a snapshot.
fn steps(to: To) -> usize {
    if to == To::Newest { 2 } else { 4 }
}

#[tokio::test(start_paused = true)]
async fn forks_at_the_same_time_make_one_copy_while_the_parent_goes_on() {
    let mut ways = [0, 0];
    for seed in 0..300 {
        let (objects, store) = memory();
        let mut parent = history(&store, 5).await;
        let slow = |number: u64| {
            let faults = Faults { latency_ms: 0..40, ..Faults::NONE };
            let objects = Arc::new(Faulty::new(objects.clone(), faults, seed * 10 + number));
            Store::with(objects, FLEET, Incarnation(number), Patience::default(), Threads::Inline)
        };
        let (dir, _) = scratch();
        let tries = (2..5).map(|number| {
            let (store, file) = (slow(number), dir.path().join(number.to_string()));
            async move { store.fork(SHOP, To::Newest, COPY, NOW, &file).await.expect("forked") }
        });
        let goes_on = async {
            let mut images = vec![image_after(5)];
            for fill in 60..66 {
                tokio::time::sleep(Duration::from_millis(15)).await;
                parent.append(group(5, &[(1, fill)])).await.expect("appended");
                images.push(vec![fill, 2, 3, 4, 5]);
                snapshot(&mut parent, images.last().expect("pushed")).await;
                parent.collection().run(Duration::ZERO, NOW).await.expect("collected");
            }
            images
        };
        let (forks, images) = futures::future::join(futures::future::join_all(tries), goes_on).await;
        assert!(forks.iter().all(|fork| *fork == forks[0]), "seed {seed}: {forks:?}");
        let expected = &images[forks[0].position.get() as usize - 6];
        ways[usize::from(forks[0].copied)] += 1;
        check(&objects, &mut parent, expected).await;
    }
    assert!(ways.iter().all(|times| *times > 10), "shared and copied: {ways:?}");
}

/// When a process dies at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    Before,
    After,
}

/// A store as a process sees it that dies at its n-th change, from 0: from then on nothing is answered.
#[derive(Debug)]
struct Mortal {
    inner: Arc<Memory>,
    left: AtomicIsize,
    when: When,
}

impl Mortal {
    fn new(inner: Arc<Memory>, step: usize, when: When) -> Arc<Self> {
        Arc::new(Self { inner, left: AtomicIsize::new(step as isize), when })
    }

    async fn change<T>(&self, change: impl Future<Output = T>) -> T {
        let left = self.left.fetch_sub(1, Ordering::Relaxed);
        match (left, self.when) {
            (1.., _) => change.await,
            (0, When::After) => {
                change.await;
                std::future::pending().await
            }
            (0, When::Before) | (..0, _) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Objects for Mortal {
    async fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        self.change(self.inner.create(key, parts)).await
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, ObjectError> {
        self.inner.read(key, range).await
    }

    async fn list(&self, folder: &Key) -> Result<Vec<Listed>, ObjectError> {
        self.inner.list(folder).await
    }

    async fn folders(&self, folder: &Key) -> Result<Vec<String>, ObjectError> {
        self.inner.folders(folder).await
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        self.change(self.inner.delete(key)).await
    }
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
