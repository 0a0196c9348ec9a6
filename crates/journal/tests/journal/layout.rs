//! Which layout a directory has is decided once, and what cannot be kept is refused in words.

use std::{fs, path::Path};

use journal::{
    Local, Objects, Threads,
    objects::{Key, Layout, OnBroken, RealDisk},
};

use crate::world::*;

const RECORD: &str = "log-0000000000000001";

fn folder() -> Key {
    memory().1.folder(SHOP)
}

fn fresh(dir: &Path) -> Local {
    Local::new(dir, Threads::Inline, OnBroken::Refuse).expect("a store")
}

fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join(folder().as_str())).expect("there");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn layout(dir: &Path) -> String {
    fs::read_to_string(dir.join("layout")).expect("noted")
}

#[tokio::test]
async fn a_new_directory_keeps_records_in_packs_and_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    fresh(dir.path()).create(&folder().join(RECORD), &[page(1)]).await.expect("created");
    assert_eq!(files(dir.path()), ["pack-0000000000000000"]);
    assert_eq!(layout(dir.path()), "packs 1\n");
    // A copy without the note is known by what is in it.
    fs::remove_file(dir.path().join("layout")).expect("removed");
    fresh(dir.path());
    assert_eq!(layout(dir.path()), "packs 1\n");
}

#[tokio::test]
async fn a_directory_with_a_file_for_each_record_goes_on_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = RealDisk::new(dir.path()).expect("a directory");
    let former = Local::on(disk, Layout::Files, Threads::Inline, OnBroken::Refuse);
    former.create(&folder().join(RECORD), &[page(1)]).await.expect("created");
    let now = fresh(dir.path());
    now.create(&folder().join("log-0000000000000002"), &[page(2)]).await.expect("created");
    let mut files = files(dir.path());
    files.sort();
    assert_eq!(files, [RECORD, "log-0000000000000002"]);
    assert_eq!(layout(dir.path()), "files 1\n");
}

#[tokio::test]
async fn both_layouts_are_read_whatever_the_note_says() {
    for layout in [Layout::Packs, Layout::Files] {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = RealDisk::new(dir.path()).expect("a directory");
        let made = Local::on(disk, layout, Threads::Inline, OnBroken::Refuse);
        made.create(&folder().join(RECORD), &[page(1)]).await.expect("created");
        let reader = Local::to_read(dir.path(), Threads::Inline).expect("a store");
        assert_eq!(reader.list(&folder()).await.expect("listed").len(), 1);
        assert_eq!(reader.read(&folder().join(RECORD), None).await.expect("read"), Some(page(1)));
        assert!(!dir.path().join("layout").exists(), "a reader notes nothing");
    }
}

#[test]
fn a_layout_of_a_later_version_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("layout"), "packs 2\n").expect("written");
    let refused = Local::new(dir.path(), Threads::Inline, OnBroken::Refuse).expect_err("refused");
    assert!(refused.to_string().contains("a later version of this program"), "{refused}");
}

/// Linux's /proc is one of those where nothing is promised.
#[cfg(target_os = "linux")]
#[test]
fn only_file_systems_known_for_it_append_atomically() {
    use journal::objects::Disk;

    let dir = tempfile::tempdir().expect("a directory");
    assert!(RealDisk::new(dir.path()).expect("a directory").appends_atomically().expect("told"));
    let proc = RealDisk::new(Path::new("/proc")).expect("a directory");
    assert!(!proc.appends_atomically().expect("told"));
}
