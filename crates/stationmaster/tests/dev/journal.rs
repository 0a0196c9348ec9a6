//! `stationmaster journal` on what real servers have written (issue items: inspect, verify, restore, point in time).

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::cluster::Cluster;

/// A cluster with a database of five rows, each of its own commit.
struct Written {
    cluster: Cluster,
    id: String,
    /// The rows that each position of the journal has.
    rows: BTreeMap<u64, i64>,
    files: tempfile::TempDir,
}

impl Written {
    fn new() -> Self {
        let cluster = Cluster::start(&["--controllers", "1", "--servers", "1", "--handlers", "1"]);
        let (code, out) = cluster.cli(&["databases", "create", "shop", "--json"]);
        assert_eq!(code, Some(0), "{out}");
        let id = json(&out)["id"].as_str().expect("an id").to_owned();
        cluster.query(0, "shop", "create table t (id int primary key, name text)").expect("made");
        let files = tempfile::tempdir().expect("a folder");
        let mut written = Self { cluster, id, rows: BTreeMap::new(), files };
        written.rows.insert(written.newest(), 0);
        for row in 1..=5 {
            let insert = format!("insert into t values ({row}, 'row {row}')");
            written.cluster.query(0, "shop", &insert).expect("inserted");
            written.rows.insert(written.newest(), row);
        }
        assert_eq!(written.rows.len(), 6, "each commit has a position of its own");
        written
    }

    fn newest(&self) -> u64 {
        let (code, out) = self.cluster.cli(&["journal", "inspect", "--json"]);
        assert_eq!(code, Some(0), "{out}");
        let all = json(&out);
        let of = |database: &&Value| database["database"] == self.id.as_str();
        all.as_array().expect("a list").iter().find(of).expect("listed")["newest"]
            .as_u64()
            .expect("a position")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// A copy of all journals, and the folder of this database's within it.
    fn copy(&self, name: &str) -> (String, PathBuf) {
        let to = self.file(name);
        copy_all(&self.cluster.dir().join("journal"), &to);
        let folder = find(&to, &self.id).expect("its folder");
        (to.display().to_string(), folder)
    }

    fn verify(&self, journal: &str) -> (Option<i32>, String) {
        self.cluster.cli(&["journal", "verify", &self.id, "--journal", journal])
    }

    /// The record with so many rows: its position, the pack that it is in, and where it is there.
    fn record(&self, folder: &Path, rows: i64) -> (u64, PathBuf, Range<usize>) {
        let (position, _) = self.rows.iter().find(|(_, there)| **there == rows).expect("written");
        let pack = folder.join("pack-0000000000000000");
        let range = range_of(&fs::read(&pack).expect("readable"), *position);
        (*position, pack, range)
    }
}

/// Where the bytes of a record are in a pack.
fn range_of(pack: &[u8], position: u64) -> Range<usize> {
    let is_it =
        |at: &usize| pack[*at..].starts_with(b"SMSG") && pack[at + 40..at + 48] == position.to_le_bytes();
    let at = (0..pack.len() - 128).find(is_it).expect("it is in the pack");
    let body = u32::from_le_bytes(pack[at + 120..at + 124].try_into().expect("four bytes"));
    at..at + 128 + body as usize + 16
}

/// Changes the bytes of a file.
fn edit(file: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).expect("readable");
    edit(&mut bytes);
    fs::write(file, bytes).expect("written");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let (path, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).expect("an entry");
        if path.is_dir() {
            copy_all(&path, &to);
        } else {
            fs::copy(&path, &to).expect("copied");
        }
    }
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("an entry").path());
    let mut folders = entries.filter(|path| path.is_dir());
    folders.find_map(|path| if path.ends_with(name) { Some(path) } else { find(&path, name) })
}

/// Every path below a folder.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("an entry").path());
    let mut all: Vec<PathBuf> = entries
        .flat_map(|path| if path.is_dir() { [tree(&path), vec![path]].concat() } else { vec![path] })
        .collect();
    all.sort();
    all
}

/// The rows of a restored file, read by plain SQLite without the right to write.
fn count(file: &Path) -> i64 {
    let connection = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
        .expect("a database");
    connection
        .query_row("select count(*) from t where name = 'row ' || id", [], |row| row.get(0))
        .expect("read")
}

#[test]
fn a_database_in_use_is_restored_to_any_position_and_time_and_verified() {
    let written = Written::new();
    let restore = |file: &Path, more: &[&str]| {
        let file = file.display().to_string();
        written.cluster.cli(&[&["journal", "restore", "shop", &file], more].concat())
    };
    for (position, rows) in &written.rows {
        let file = written.file(&format!("{position}.db"));
        let (code, out) = restore(&file, &["--position", &position.to_string()]);
        assert_eq!(code, Some(0), "{out}");
        assert_eq!(count(&file), *rows, "as of position {position}");
    }
    let (code, out) = written.cluster.cli(&["journal", "inspect", "shop", "--json"]);
    assert_eq!(code, Some(0), "{out}");
    let objects = json(&out);
    let times = objects.as_array().expect("a list").iter();
    let times: BTreeMap<u64, &str> =
        times.filter_map(|object| Some((object["position"].as_u64()?, object["time"].as_str()?))).collect();
    for time in written.rows.keys().map(|position| times[position]) {
        let last = times.iter().rev().find(|(_, at)| **at <= time).expect("itself").0;
        let file = written.file(&format!("until-{time}.db"));
        let (code, out) = restore(&file, &["--time", time, "--json"]);
        if file.exists() && code != Some(0) {
            assert!(out.contains("is there already"), "two commits in one millisecond: {out}");
            continue;
        }
        assert_eq!(code, Some(0), "{out}");
        assert_eq!(json(&out)["position"].as_u64(), Some(*last), "{out}");
        assert_eq!(count(&file), written.rows[last], "as of {time}");
    }

    let file = written.file("newest.db");
    assert_eq!(restore(&file, &[]).0, Some(0));
    assert_eq!(count(&file), 5);
    let (code, out) = restore(&file, &["--position", "2"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("is there already"), "{out}");
    assert_eq!(count(&file), 5, "it was not overwritten");
    let (code, out) = restore(&written.file("future.db"), &["--position", "999"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("cannot be restored to position 999"), "{out}");
    let (code, out) = restore(&written.file("past.db"), &["--time", "2001-01-01T00:00:00Z"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("cannot be restored to 2001-01-01T00:00:00.000Z"), "{out}");
    let left = tree(written.files.path());
    assert!(left.iter().all(|path| path.extension().is_some_and(|kind| kind == "db")), "{left:?}");

    let (code, out) = written.cluster.cli(&["journal", "verify", "--json"]);
    assert_eq!(code, Some(0), "{out}");
    let verdicts = json(&out);
    assert!(verdicts.as_array().expect("a list").iter().any(|it| it["verdict"] == "sound"), "{out}");
    written
        .cluster
        .query(0, "shop", "insert into t values (6, 'row 6')")
        .expect("its owner was not disturbed");
}

#[test]
fn damage_is_told_with_database_and_position_and_what_is_foreign_is_named() {
    let written = Written::new();
    let id = &written.id;

    let (journal, folder) = written.copy("flipped");
    let (position, pack, range) = written.record(&folder, 3);
    edit(&pack, |bytes| bytes[range.start + range.len() / 2] ^= 1);
    let (code, out) = written.verify(&journal);
    assert_eq!(code, Some(1), "{out}");
    let said = format!("{id}: the record of position {position} is damaged: its content fails its checksum");
    assert!(out.contains(&said), "{out}");
    let file = written.file("never.db").display().to_string();
    let (code, out) = written.cluster.cli(&["journal", "restore", id, &file, "--journal", &journal]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains(&format!("the record of position {position} is damaged")), "{out}");
    let before = (position - 1).to_string();
    let earlier = ["journal", "restore", id, &file, "--journal", &journal, "--position", &before];
    assert_eq!(written.cluster.cli(&earlier).0, Some(0));
    assert_eq!(count(Path::new(&file)), 2, "what lies before the damage can be had");

    let (journal, folder) = written.copy("missing");
    let (position, pack, range) = written.record(&folder, 3);
    // With its frame before it, and the note behind it that it is there.
    edit(&pack, |bytes| bytes[range.start - 52..range.end + 64].fill(0));
    let (code, out) = written.verify(&journal);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains(&format!("{id}: the record of position {position} is damaged: it is missing")),
        "{out}"
    );

    let (journal, folder) = written.copy("foreign");
    fs::write(folder.join("notes.txt"), "milk").expect("written");
    let (code, out) = written.verify(&journal);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("\"notes.txt\" is no part of a journal"), "{out}");
    let (position, pack, to) = written.record(&folder, 3);
    let from = written.record(&folder, 2).2;
    edit(&pack, |bytes| bytes.copy_within(from.start..from.start + from.len().min(to.len()), to.start));
    let (code, out) = written.verify(&journal);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains(&format!("the record of position {position} is damaged: it was written as position")),
        "{out}"
    );
}

#[test]
fn a_journal_is_read_without_the_right_to_write_and_left_as_it_was() {
    let written = Written::new();
    let (journal, _) = written.copy("read-only");
    let all = tree(Path::new(&journal));
    let set = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        for path in all.iter().map(PathBuf::as_path).chain([Path::new(&journal)]) {
            let mode = if path.is_dir() { mode | 0o111 } else { mode };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        }
    };
    set(0o444);
    let (code, out) = written.verify(&journal);
    let file = written.file("restored.db").display().to_string();
    let restored = written.cluster.cli(&["journal", "restore", &written.id, &file, "--journal", &journal]);
    set(0o644);
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(restored.0, Some(0), "{}", restored.1);
    assert_eq!(tree(Path::new(&journal)), all, "nothing was made there");

    let other = Path::new(&journal).join("00000000000000000000000000000001");
    fs::create_dir(&other).expect("made");
    let (code, out) = written.verify(&journal);
    assert_eq!(code, Some(0), "the controllers know whose it is: {out}");
    let dir = written.cluster.stop();
    let elsewhere = dir.path().join("elsewhere").display().to_string();
    let arguments = ["journal", "verify", &written.id, "--journal", &journal, "--dir", &elsewhere];
    let (code, out) = super::cluster::cli(&arguments);
    assert_eq!(code, Some(64), "{out}");
    assert!(out.contains("--fleet") && out.contains("00000000000000000000000000000001"), "{out}");

    // Put away, the database has a snapshot, and without history nothing from before it.
    let own = dir.path().display().to_string();
    let file = dir.path().join("old.db").display().to_string();
    let arguments = ["journal", "restore", &written.id, &file, "--position", "2", "--dir", &own];
    let (code, out) = super::cluster::cli(&arguments);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("its journal reaches from position"), "{out}");
}
