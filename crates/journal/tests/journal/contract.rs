//! What every store must do, whatever it is made of.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use journal::{
    Faults, Faulty, Local, Memory, Objects, Threads,
    objects::{Created, Disk, OnBroken, RealDisk},
};

use crate::{
    crash::disk::{Lie, SimDisk},
    world::*,
};

fn local(disk: impl Disk, threads: Threads) -> Arc<dyn Objects> {
    Arc::new(Local::on(disk, threads, OnBroken::Refuse))
}

fn real(dir: &Path) -> RealDisk {
    RealDisk::new(dir).expect("a directory")
}

type Named = (&'static str, Arc<dyn Objects>);

/// Every kind of store, each empty; the directory must live as long as they are used.
fn stores() -> (tempfile::TempDir, Vec<Named>) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let stores: Vec<Named> = vec![
        ("memory", Arc::new(Memory::default())),
        ("faultless", Arc::new(Faulty::new(Arc::new(Memory::default()), Faults::NONE, 1))),
        ("directory", local(real(&path("a")), Threads::Pool)),
        ("directory, inline", local(real(&path("b")), Threads::Inline)),
        ("directory, staging by name", local(real(&path("c")).staging_by_name(), Threads::Pool)),
        ("simulated disk", local(SimDisk::new(Lie::None), Threads::Inline)),
    ];
    (dir, stores)
}

fn parts(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

#[tokio::test]
async fn an_object_is_made_once_and_read_back_whole_or_in_part() {
    let (_dir, stores) = stores();
    for (name, store) in stores {
        let key = memory().1.folder(SHOP).join("log-1");
        assert_eq!(store.read(&key, None).await.expect(name), None, "{name}");
        assert_eq!(
            store.create(&key, &parts(&["ab", "", "cdef"])).await.expect(name),
            Created::Made,
            "{name}"
        );
        assert_eq!(store.create(&key, &parts(&["other"])).await.expect(name), Created::Taken, "{name}");
        for (range, expected) in [
            (None, "abcdef"),
            (Some(0..3), "abc"),
            (Some(2..4), "cd"),
            (Some(4..99), "ef"),
            (Some(0..6), "abcdef"),
        ] {
            let read = store.read(&key, range.clone()).await.expect(name);
            assert_eq!(read, Some(Bytes::from_static(expected.as_bytes())), "{name} {range:?}");
        }
    }
}

#[tokio::test]
async fn a_listing_shows_what_is_directly_in_a_folder_sorted_with_sizes() {
    let (_dir, stores) = stores();
    for (name, store) in stores {
        let folder = memory().1.folder(SHOP);
        assert_eq!(store.list(&folder).await.expect(name), [], "{name}");
        assert_eq!(store.folders(&folder).await.expect(name), Vec::<String>::new(), "{name}");
        for (object, text) in [("log-2", "two"), ("log-10", ""), ("inner/log-1", "x"), ("zinner/log-1", "x")]
        {
            store.create(&folder.join(object), &parts(&[text])).await.expect(name);
        }
        let listed: Vec<_> =
            store.list(&folder).await.expect(name).into_iter().map(|l| (l.name, l.size)).collect();
        assert_eq!(listed, [("log-10".to_owned(), 0), ("log-2".to_owned(), 3)], "{name}");
        assert_eq!(store.folders(&folder).await.expect(name), ["inner", "zinner"], "{name}");
    }
}

#[tokio::test]
async fn a_deleted_object_is_gone_and_its_key_is_free() {
    let (_dir, stores) = stores();
    for (name, store) in stores {
        let key = memory().1.folder(SHOP).join("log-1");
        store.delete(&key).await.expect("nothing to delete is fine");
        store.create(&key, &parts(&["one"])).await.expect(name);
        store.delete(&key).await.expect(name);
        assert_eq!(store.read(&key, None).await.expect(name), None, "{name}");
        assert_eq!(store.create(&key, &parts(&["two"])).await.expect(name), Created::Made, "{name}");
    }
}

#[tokio::test]
async fn every_store_passes_its_self_test() {
    let (_dir, stores) = stores();
    for (name, store) in stores {
        let folder = memory().1.folder(SHOP);
        journal::objects::prove(&store, &folder).await.expect(name);
        assert_eq!(store.list(&folder).await.expect(name), [], "{name} is left clean");
    }
}

#[tokio::test]
async fn two_processes_on_one_directory_have_one_winner_for_each_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let stores: Vec<_> = (0..2).map(|_| local(real(dir.path()), Threads::Pool)).collect();
    for number in 0..50 {
        let key = memory().1.folder(SHOP).join(&format!("log-{number}"));
        let racers = stores.iter().map(|store| {
            let (store, key) = (Arc::clone(store), key.clone());
            tokio::spawn(async move { store.create(&key, &parts(&["x"])).await.expect("created") })
        });
        let answers = futures::future::join_all(racers).await;
        let made = answers.into_iter().filter(|a| matches!(a, Ok(Created::Made))).count();
        assert_eq!(made, 1, "{key}");
    }
}

#[tokio::test]
async fn a_staging_file_is_swept_once_its_process_is_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = local(real(dir.path()).staging_by_name(), Threads::Inline);
    let folder = memory().1.folder(SHOP);
    store.create(&folder.join("log-1"), &parts(&["x"])).await.expect("created");
    let file = |name: &str| dir.path().join(folder.as_str()).join(name);
    std::fs::write(file(".stage-1-1"), "left by a process that died").expect("written");
    let busy = std::fs::File::create(file(".stage-2-2")).expect("written");
    busy.lock().expect("locked");
    let listed: Vec<String> =
        store.list(&folder).await.expect("listed").into_iter().map(|l| l.name).collect();
    assert_eq!(listed, ["log-1"], "staging files are nobody's objects");
    assert!(!file(".stage-1-1").exists());
    assert!(file(".stage-2-2").exists(), "somebody still works on it");
}
