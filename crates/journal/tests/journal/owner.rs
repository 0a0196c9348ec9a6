//! One owner after another: what was committed is there, and only the newest owner commits (S1, R28).

use journal::{AppendError, BadGroup, Effect, OpenError, Position, Settled, Store};
use model::{Epoch, Incarnation, SessionId};

use crate::world::*;

#[tokio::test]
async fn a_new_owner_finds_every_commit_of_the_old_one() {
    let (objects, store) = memory();
    let (mut writer, recovery) = open(&store, 1).await;
    assert!(recovery.is_empty());
    assert_eq!(recovery.image().await.expect("an empty image"), Vec::<u8>::new());
    writer.append(group(2, &[(2, b'b'), (1, b'a')])).await.expect("appended");
    writer.append(group(3, &[(3, b'c'), (1, b'A')])).await.expect("appended");

    let (writer, recovery) = open(&process(&objects, 2), 2).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), b"Abc");
    assert_eq!((writer.state().transactions, writer.state().position), (2, Position::new(4).unwrap()));
}

#[tokio::test]
async fn an_old_owner_finds_out_at_its_next_commit() {
    let (objects, store) = memory();
    let (mut old, _) = open(&store, 1).await;
    old.append(group(1, &[(1, b'a')])).await.expect("appended");
    assert!(old.probe().await.expect("probed"));

    let (mut new, _) = open(&process(&objects, 2), 2).await;
    assert!(!old.probe().await.expect("probed"));
    let refused = old.append(group(1, &[(1, b'x')])).await.expect_err("fenced");
    assert!(matches!(refused, AppendError::Fenced { by: Epoch(2), .. }), "{refused}");
    assert_eq!(refused.effect(), Effect::None);
    let again = old.append(group(1, &[(1, b'x')])).await.expect_err("fenced for good");
    assert!(matches!(again, AppendError::Fenced { .. }), "{again}");

    new.append(group(1, &[(1, b'b')])).await.expect("appended");
    let (_, recovery) = open(&process(&objects, 3), 3).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), b"b");
}

#[tokio::test]
async fn an_epoch_that_was_overtaken_or_issued_twice_cannot_open() {
    let (objects, store) = memory();
    open(&store, 5).await;
    for (process_number, epoch) in [(2, 4), (2, 5)] {
        let error =
            process(&objects, process_number).open(SHOP, Epoch(epoch), NOW).await.expect_err("superseded");
        assert!(matches!(error, OpenError::Superseded { found: Epoch(5), .. }), "{error}");
    }
}

#[tokio::test]
async fn the_same_process_may_open_its_epoch_again_and_fences_its_earlier_writer() {
    let (_, store) = memory();
    let (mut first, _) = open(&store, 1).await;
    first.append(group(1, &[(1, b'a')])).await.expect("appended");
    let (mut second, recovery) = open(&store, 1).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), b"a");
    assert!(matches!(first.append(group(1, &[(1, b'x')])).await, Err(AppendError::Fenced { .. })));
    second.append(group(1, &[(1, b'b')])).await.expect("appended");
}

#[tokio::test]
async fn a_snapshot_and_the_records_after_it_give_the_same_image_as_all_records() {
    let (objects, store) = memory();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("image");
    let (mut writer, _) = open(&store, 1).await;
    writer.append(group(4, &[(1, 1), (2, 2), (3, 3), (4, 4)])).await.expect("appended");
    writer.append(group(2, &[(1, 9)])).await.expect("shrunk");
    std::fs::write(&file, [[9; PAGE], [2; PAGE]].concat()).expect("written");
    writer.snapshot(&file).await.expect("a snapshot");
    writer.append(group(4, &[(4, 5)])).await.expect("grown");

    let (_, recovery) = open(&process(&objects, 2), 2).await;
    recovery.write_image(&file).await.expect("an image");
    assert_eq!(fills(&std::fs::read(&file).expect("read")), [9, 2, 0, 5]);
    for (key, _) in objects.all().iter().filter(|(key, _)| key.contains("/snap-")) {
        objects.take(key);
    }
    let (_, recovery) = open(&process(&objects, 3), 3).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), [9, 2, 0, 5]);
}

#[tokio::test]
async fn outcomes_survive_in_records_and_in_snapshots() {
    let (objects, store) = memory();
    let (mut writer, _) = open(&store, 1).await;
    let with = |number, outcomes| journal::Group { outcomes, ..group(1, &[(1, number)]) };
    writer.append(with(1, vec![outcome(7, 1, b"one"), outcome(8, 4, b"four")])).await.expect("appended");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("image");
    std::fs::write(&file, [1; PAGE]).expect("written");
    writer.snapshot(&file).await.expect("a snapshot");
    writer.append(with(2, vec![outcome(7, 3, b"three")])).await.expect("appended");

    let (next, recovery) = open(&process(&objects, 2), 2).await;
    assert_eq!(recovery.state(), next.state());
    let table = &recovery.state().outcomes;
    for (session, number, expected) in
        [(7, 1, Some("one")), (7, 2, None), (7, 3, Some("three")), (8, 4, Some("four"))]
    {
        let settled = table.settle(SessionId(session), number, None);
        let expected = expected.map_or(Settled::Absent, |text| {
            Settled::Committed(journal::Response::new(bytes::Bytes::from_static(text.as_bytes())))
        });
        assert_eq!(settled, expected, "request {number} of session {session}");
    }
}

#[tokio::test]
async fn a_group_that_does_not_fit_is_refused_and_the_next_one_is_appended() {
    let (_, store) = memory();
    let (mut writer, _) = open(&store, 1).await;
    writer.append(group(2, &[(1, 1), (2, 2)])).await.expect("appended");
    let mut odd = group(2, &[(1, 1)]);
    odd.page_size = 1024;
    for bad in [odd, group(2, &[(0, 1)]), group(2, &[(3, 1)]), group(2, &[(1, 1), (1, 2)])] {
        let error = writer.append(bad).await.expect_err("refused");
        assert!(
            matches!(
                error,
                AppendError::Refused { source: BadGroup::PageSize { .. } | BadGroup::Page { .. }, .. }
            ),
            "{error}"
        );
    }
    writer.append(group(2, &[(1, 3)])).await.expect("appended");
}

#[tokio::test]
async fn a_sealed_log_takes_no_more_commits_and_opens_again() {
    let (objects, store) = memory();
    let (mut writer, _) = open(&store, 1).await;
    writer.append(group(1, &[(1, 1)])).await.expect("appended");
    let sealed = writer.seal(NOW).await.expect("sealed");
    assert_eq!(sealed.position, writer.state().position);
    assert!(matches!(writer.append(group(1, &[(1, 2)])).await, Err(AppendError::Closed { .. })));
    let (writer, _) = open(&process(&objects, 2), 2).await;
    assert_eq!(writer.state().fences, [], "a fence that follows a seal need not be kept");
}

#[tokio::test]
async fn a_directory_is_a_store_that_proves_itself_and_keeps_what_it_was_given() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::local(dir.path(), FLEET, Incarnation(1)).await.expect("a proven store");
    let (mut writer, _) = open(&store, 1).await;
    writer.append(group(2, &[(1, b'a'), (2, b'b')])).await.expect("appended");
    let again = Store::local(dir.path(), FLEET, Incarnation(2)).await.expect("a proven store");
    let (_, recovery) = open(&again, 2).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), b"ab");
    assert_eq!(again.databases().await.expect("listed"), [SHOP]);
    let fenced = writer.append(group(1, &[(1, b'x')])).await.expect_err("fenced");
    assert!(matches!(fenced, AppendError::Fenced { .. }));
}
