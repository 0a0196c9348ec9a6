//! What every store must do, whatever it is made of.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use journal::{
    Faults, Faulty, Local, Memory, Objects, Threads,
    objects::{Created, Disk, Layout, OnBroken, RealDisk},
};

use crate::{
    crash::disk::{Lie, SimDisk},
    world::*,
};

fn local(disk: impl Disk, layout: Layout, threads: Threads) -> Arc<dyn Objects> {
    Arc::new(Local::on(disk, layout, threads, OnBroken::Refuse))
}

fn real(dir: &Path) -> RealDisk {
    RealDisk::new(dir).expect("a directory")
}

/// A record, and anything else.
const KEYS: [&str; 2] = ["log-0000000000000001", "snap-0000000000000001"];

type Named = (&'static str, Arc<dyn Objects>);

/// Every kind of store, each empty; the directory must live as long as they are used.
fn stores() -> (tempfile::TempDir, Vec<Named>) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let stores: Vec<Named> = vec![
        ("memory", Arc::new(Memory::default())),
        ("faultless", Arc::new(Faulty::new(Arc::new(Memory::default()), Faults::NONE, 1))),
        ("files", local(real(&path("a")), Layout::Files, Threads::Pool)),
        ("files, inline", local(real(&path("b")), Layout::Files, Threads::Inline)),
        ("files, staging by name", local(real(&path("c")).staging_by_name(), Layout::Files, Threads::Pool)),
        ("files, simulated disk", local(SimDisk::new(Lie::None), Layout::Files, Threads::Inline)),
        ("packs", local(real(&path("d")), Layout::Packs, Threads::Pool)),
        ("packs, inline", local(real(&path("e")), Layout::Packs, Threads::Inline)),
        ("packs, staging by name", local(real(&path("f")).staging_by_name(), Layout::Packs, Threads::Pool)),
        ("packs, simulated disk", local(SimDisk::new(Lie::None), Layout::Packs, Threads::Inline)),
    ];
    (dir, stores)
}

fn parts(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

#[tokio::test]
async fn an_object_is_made_once_and_read_back_whole_or_in_part() {
    let (_dir, stores) = stores();
    for ((name, store), key) in stores.iter().flat_map(|store| KEYS.map(|key| (store, key))) {
        let key = memory().1.folder(SHOP).join(key);
        assert_eq!(store.read(&key, None).await.expect(name), None, "{name}");
        let made = store.create(&key, &parts(&["ab", "", "cdef"])).await.expect(name);
        assert_eq!(made, Created::Made, "{name}");
        for again in [["ab", "", "cdef"], ["other", "", ""]] {
            assert_eq!(store.create(&key, &parts(&again)).await.expect(name), Created::Taken, "{name}");
        }
        for (range, expected) in [
            (None, "abcdef"),
            (Some(0..3), "abc"),
            (Some(2..4), "cd"),
            (Some(4..99), "ef"),
            (Some(7..99), ""),
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
    let (first, second, far) = (KEYS[0], "log-0000000000000002", "log-0000000000000abc");
    for (name, store) in stores {
        let folder = memory().1.folder(SHOP);
        assert_eq!(store.list(&folder).await.expect(name), [], "{name}");
        assert_eq!(store.folders(&folder).await.expect(name), Vec::<String>::new(), "{name}");
        let inside = [(far, "x"), (second, "two"), ("snap-1", "snap"), (first, "")];
        for (object, text) in inside.into_iter().chain([("inner/log-1", "x"), ("zinner/snap-1", "x")]) {
            store.create(&folder.join(object), &parts(&[text])).await.expect(name);
        }
        let listed: Vec<_> =
            store.list(&folder).await.expect(name).into_iter().map(|l| (l.name, l.size)).collect();
        let expected = [(first, 0), (second, 3), (far, 1), ("snap-1", 4)];
        assert_eq!(listed, expected.map(|(name, size)| (name.to_owned(), size)), "{name}");
        assert_eq!(store.folders(&folder).await.expect(name), ["inner", "zinner"], "{name}");
    }
}

#[tokio::test]
async fn a_deleted_object_is_gone_and_its_key_is_free() {
    let (_dir, stores) = stores();
    for ((name, store), key) in stores.iter().flat_map(|store| KEYS.map(|key| (store, key))) {
        let key = memory().1.folder(SHOP).join(key);
        store.delete(&key).await.expect("nothing to delete is fine");
        store.create(&key, &parts(&["one"])).await.expect(name);
        store.delete(&key).await.expect(name);
        assert_eq!(store.read(&key, None).await.expect(name), None, "{name}");
        assert_eq!(store.create(&key, &parts(&["two"])).await.expect(name), Created::Made, "{name}");
        assert_eq!(store.read(&key, None).await.expect(name), Some(Bytes::from_static(b"two")), "{name}");
    }
}

#[tokio::test]
async fn of_many_objects_those_named_are_deleted() {
    let (_dir, stores) = stores();
    for (name, store) in stores {
        let folder = memory().1.folder(SHOP);
        let keys: Vec<_> = (1..=600).map(|at| folder.join(&format!("log-{at:016x}"))).collect();
        for key in &keys {
            store.create(key, &parts(&["x"])).await.expect(name);
        }
        let kept = [2, 300, 599];
        let (keep, garbage): (Vec<_>, Vec<_>) =
            keys.into_iter().enumerate().partition(|(index, _)| kept.contains(index));
        let garbage: Vec<_> = garbage.into_iter().map(|(_, key)| key).collect();
        store.delete_all(&garbage).await.expect(name);
        let listed = store.list(&folder).await.expect(name).into_iter().map(|l| folder.join(&l.name));
        let keep: Vec<_> = keep.into_iter().map(|(_, key)| key).collect();
        assert_eq!(listed.collect::<Vec<_>>(), keep, "{name}");
        for key in &keep {
            assert_eq!(store.create(key, &parts(&["late"])).await.expect(name), Created::Taken, "{name}");
        }
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
    for (number, layout) in (1..=50).flat_map(|n| [(n, Layout::Files), (n + 50, Layout::Packs)]) {
        let stores = [(); 2].map(|()| local(real(dir.path()), layout, Threads::Pool));
        let key = memory().1.folder(SHOP).join(&format!("log-{number:016x}"));
        let racers = stores.into_iter().map(|store| {
            let key = key.clone();
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
    let store = local(real(dir.path()).staging_by_name(), Layout::Files, Threads::Inline);
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
