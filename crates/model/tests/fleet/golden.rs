//! Golden bytes: what was once written must be read for ever, to the same value.
//!
//! `tests/golden/<entry|snapshot>-v<version>-<name>.hex`. A file is made once (`UPDATE_EXPECT=1` makes those that are
//! missing) and never rewritten: a change of the format gets a new version, and the old files stay.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use model::{
    Cause, Command, Entry, EventFilter, EventId, EventsFrom, Fact, Fleet, Level, Revision, TimestampMs, What,
    codec,
};

use crate::{samples, view};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).expect("hexadecimal digits");
        u8::from_str_radix(text, 16).unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    digits.chunks(2).map(pair).collect()
}

/// The golden bytes of that name, made from `today` when they are missing and may be made.
pub fn bytes(name: &str, today: &[u8]) -> Vec<u8> {
    let path = directory().join(format!("{name}.hex"));
    if !path.exists() && std::env::var_os("UPDATE_EXPECT").is_some() {
        let text: String = today.chunks(32).map(|chunk| format!("{}\n", hex(chunk))).collect();
        std::fs::create_dir_all(directory()).expect("the directory can be made");
        std::fs::write(&path, text).expect("the golden file can be written");
    }
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_EXPECT=1 makes it", path.display()));
    unhex(&text)
}

/// The golden bytes of every entry as it is written today, by name.
pub fn entries() -> BTreeMap<String, Vec<u8>> {
    let golden = |(name, entry)| {
        let today = codec::encode_entry(&entry);
        let name = format!("entry-v{}-{name}", today[0]);
        let bytes = bytes(&name, &today);
        (name, bytes)
    };
    samples::entries().into_iter().map(golden).collect()
}

/// Entries of that level that came after levels, and so were never written otherwise.
const SINCE_LEVELS: [&str; 7] = [
    "record-events-of-directives",
    "raise-level",
    "record-level-raised",
    "record-controllers-changed",
    "reserve-database",
    "adopt-database",
    "record-events-of-restoring",
];

/// Entries that were written otherwise before there were levels.
fn old_entries() -> BTreeMap<String, Entry> {
    let versions = |(name, entry): (&str, Entry)| match (&entry.why, entry.level()) {
        (Some(_), _) => Some((format!("entry-v2-{name}"), entry)),
        (None, Level::EVENTS) if !SINCE_LEVELS.contains(&name) => Some((format!("entry-v1-{name}"), entry)),
        (None, _) => None,
    };
    samples::entries().into_iter().filter_map(versions).collect()
}

/// A snapshot that an older release wrote; none is made any more.
fn old_snapshot(name: &str) -> Vec<u8> {
    bytes(name, b"")
}

/// The golden bytes of a snapshot of today, with something in every part.
pub fn snapshot() -> Vec<u8> {
    bytes("snapshot-v3-level", &codec::encode_snapshot(&samples::fleet_raised()))
}

#[test]
fn every_entry_ever_written_decodes_to_the_same_value_c7() {
    for (name, entry) in samples::entries() {
        let today = codec::encode_entry(&entry);
        let golden = bytes(&format!("entry-v{}-{name}", today[0]), &today);
        let decoded = codec::decode_entry(&golden).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(decoded, entry, "{name}");
        assert_eq!(hex(&codec::encode_entry(&entry)), hex(&golden), "{name} is written differently now");
    }
    for (name, entry) in old_entries() {
        let golden = codec::decode_entry(&bytes(&name, b""));
        assert_eq!(golden.unwrap_or_else(|error| panic!("{name}: {error:?}")), entry, "{name}");
    }
}

#[test]
fn every_snapshot_ever_written_decodes_to_the_same_map_c7_c14() {
    let golden = snapshot();
    let decoded = codec::decode_snapshot(&golden).expect("golden");
    let fleet = samples::fleet_raised();
    assert_eq!(view::lines(&decoded), view::lines(&fleet));
    assert_eq!(decoded.digest(), fleet.digest());
    assert_eq!(
        decoded.digest().to_string(),
        "87d564db11df33f364dfee36c574d9bb",
        "the digest is written differently now"
    );
    assert_eq!(hex(&codec::encode_snapshot(&fleet)), hex(&golden), "it is written differently now");
}

#[test]
fn a_snapshot_of_version_1_decodes_to_the_same_map_with_the_same_digest_c7() {
    let decoded = codec::decode_snapshot(&old_snapshot("snapshot-v1-everything")).expect("golden");
    assert_eq!(view::lines(&decoded), view::lines(&samples::fleet()));
    assert_eq!(decoded.digest(), samples::fleet().digest());
    assert_eq!(decoded.digest().to_string(), "a8dace7694202925d91ed20ba5a1a7c9", "the digest is another now");
}

#[test]
fn a_snapshot_with_copies_being_made_decodes_to_the_same_map_c7() {
    let decoded = codec::decode_snapshot(&old_snapshot("snapshot-v2-forming")).expect("golden");
    let fleet = samples::fleet_that_forks();
    assert_eq!(view::lines(&decoded), view::lines(&fleet));
    assert_eq!(decoded.digest(), fleet.digest());
}

#[test]
fn a_snapshot_with_events_and_no_level_decodes_to_the_same_map_c7() {
    let decoded = codec::decode_snapshot(&old_snapshot("snapshot-v3-events")).expect("golden");
    let fleet = samples::fleet_with_options();
    assert_eq!(view::lines(&decoded), view::lines(&fleet));
    assert_eq!(decoded.digest(), fleet.digest());
    assert_eq!(decoded.digest().to_string(), "5c7e353909f45d08141699c51cac566f", "the digest is another now");
}

#[test]
fn a_snapshot_without_events_decodes_to_the_same_map_which_knows_of_none_c7() {
    let decoded = codec::decode_snapshot(&old_snapshot("snapshot-v3-options")).expect("golden");
    let fleet = samples::fleet_with_options();
    assert_eq!(view::lines(&decoded), view::lines(&fleet));
    assert_eq!(decoded.digest(), fleet.digest(), "events are no part of it");
    let read = |fleet: &Fleet| {
        let from = EventsFrom::After(EventId::default());
        fleet.events().read(fleet.revision(), from, EventFilter::default(), usize::MAX)
    };
    assert_eq!((read(&decoded).events.len(), read(&decoded).overrun), (0, true));
    assert!(!read(&fleet).events.is_empty() && !read(&fleet).overrun);
}

#[test]
fn a_snapshot_with_a_draining_server_decodes_to_the_same_map_c7() {
    let decoded = codec::decode_snapshot(&old_snapshot("snapshot-v1-draining")).expect("golden");
    assert_eq!(view::lines(&decoded), view::lines(&samples::fleet_that_drains()));
}

#[test]
fn a_snapshot_with_directives_decodes_to_the_same_map_c7() {
    let fleet = samples::fleet_with_directives();
    let golden = bytes("snapshot-v3-directives", &codec::encode_snapshot(&fleet));
    let decoded = codec::decode_snapshot(&golden).expect("golden");
    assert_eq!(view::lines(&decoded), view::lines(&fleet));
    assert_eq!(decoded.digest(), fleet.digest());
    assert_eq!(hex(&codec::encode_snapshot(&fleet)), hex(&golden), "it is written differently now");
}

#[test]
fn a_snapshot_with_pins_decodes_to_the_same_map_c7() {
    let fleet = samples::fleet_with_pins();
    let golden = bytes("snapshot-v3-pins", &codec::encode_snapshot(&fleet));
    let decoded = codec::decode_snapshot(&golden).expect("golden");
    assert_eq!(view::lines(&decoded), view::lines(&fleet));
    assert_eq!(decoded.digest(), fleet.digest());
    assert_eq!(hex(&codec::encode_snapshot(&fleet)), hex(&golden), "it is written differently now");
}

#[test]
fn a_snapshot_with_senders_decodes_to_the_same_map_c7() {
    let fleet = samples::fleet_with_senders();
    let golden = bytes("snapshot-v3-senders", &codec::encode_snapshot(&fleet));
    let decoded = codec::decode_snapshot(&golden).expect("golden");
    assert_eq!(view::lines(&decoded), view::lines(&fleet));
    assert_eq!(decoded.digest(), fleet.digest());
    assert_eq!(hex(&codec::encode_snapshot(&fleet)), hex(&golden), "it is written differently now");
}

#[test]
fn a_part_that_a_later_release_added_is_refused_with_what_to_do() {
    // The kind of the one part of this snapshot stands before its length and its bytes.
    let mut bytes = old_snapshot("snapshot-v3-options");
    let part_at = bytes.len() - 8 - PART_BYTES - 8 - 1;
    assert_eq!(bytes[part_at], 1);
    bytes[part_at] = 200;
    let content = bytes.len() - 8;
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..content]).to_le_bytes();
    bytes[content..].copy_from_slice(&checksum);
    let error = codec::decode_snapshot(&bytes).expect_err("a later release");
    let expected =
        "snapshot has a part of kind 200, which this release does not know; upgrade before starting";
    assert_eq!(error.to_string(), expected);
}

/// Length of the options in that snapshot: a count, and for each of two databases its id, a count, and one option.
const PART_BYTES: usize = 8 + (8 + 8 + 4 + 5) + (8 + 8 + 4 + 4);

#[test]
fn every_golden_file_is_read_by_a_test() {
    let mut read: BTreeSet<String> = entries().into_keys().chain(old_entries().into_keys()).collect();
    let snapshots = [
        "snapshot-v3-level",
        "snapshot-v1-everything",
        "snapshot-v1-draining",
        "snapshot-v2-forming",
        "snapshot-v3-options",
        "snapshot-v3-events",
        "snapshot-v3-directives",
        "snapshot-v3-pins",
        "snapshot-v3-senders",
    ];
    read.extend(snapshots.map(String::from));
    let there: BTreeSet<String> = std::fs::read_dir(directory())
        .expect("the golden files are there")
        .map(|file| file.expect("readable").path().file_stem().expect("named").to_string_lossy().into_owned())
        .collect();
    assert_eq!(there, read);
}

/// A command's number stands after the version and the time, in version 1.
const COMMAND_AT: usize = 9;
/// In version 3 the level stands between those, and after the time whether a reason follows; here none does.
const COMMAND_AT_V3: usize = COMMAND_AT + 3;

#[test]
fn every_command_has_a_golden_file() {
    let golden = entries();
    let number = |bytes: &Vec<u8>| match bytes[0] {
        1 => Some(bytes[COMMAND_AT]),
        _ => (bytes[COMMAND_AT_V3 - 1] == 0).then_some(bytes[COMMAND_AT_V3]),
    };
    let numbers: BTreeSet<u8> = golden.values().filter_map(number).collect();
    let next = u8::try_from(numbers.len()).expect("few commands");
    assert!(numbers.iter().copied().eq(0..next), "a command without golden file among {numbers:?}");
    // The first number without a golden file must be no command: then there is none after it either.
    let mut unknown = golden["entry-v1-drop-user"].clone();
    unknown[COMMAND_AT] = next;
    let error = codec::decode_entry(&unknown).expect_err("a command without golden file was added");
    let codec::Error::Damaged { source, .. } = &error else { panic!("{error:?}") };
    assert!(source.to_string().contains(&format!("`{next}`, expected variant index")), "{source}");
}

#[test]
fn every_kind_of_event_and_cause_has_golden_bytes() {
    let golden = entries().into_values().map(|bytes| codec::decode_entry(&bytes).expect("golden"));
    let facts: Vec<Fact> = golden
        .filter_map(
            |entry| if let Command::RecordEvents { facts } = entry.command { Some(facts) } else { None },
        )
        .flatten()
        .collect();
    assert!(What::ALL.iter().all(|what| facts.iter().any(|fact| fact.what == *what)));
    assert!(Cause::ALL.iter().all(|cause| facts.iter().any(|fact| fact.cause == Some(*cause))));
}

#[test]
fn bytes_of_a_later_release_are_refused_with_what_to_do() {
    let mut entry = entries().into_values().next().expect("there are some");
    let mut snapshot = snapshot();
    entry[0] = 4;
    snapshot[0] = 4;
    let expected = |what, version, known| {
        format!("{what} has version {version}, this release reads up to {known}; upgrade before starting")
    };
    let text = |result: Result<(), codec::Error>| result.expect_err("a later release").to_string();
    assert_eq!(text(codec::decode_entry(&entry).map(drop)), expected("log entry", 4, 3));
    assert_eq!(text(codec::decode_snapshot(&snapshot).map(drop)), expected("snapshot", 4, 3));
    // What follows the version of a later release is not looked at: it may have any form.
    assert_eq!(text(codec::decode_snapshot(&[4]).map(drop)), expected("snapshot", 4, 3));
    assert_eq!(text(codec::decode_snapshot(&[0]).map(drop)), expected("snapshot", 0, 3));
}

fn next(fleet: &Fleet) -> Revision {
    Revision(fleet.revision().0 + 1)
}

#[test]
fn what_only_a_later_level_says_is_refused_with_what_to_do_c7() {
    let later = Level(Level::NEWEST.0 + 1);
    let entry = Entry::new(TimestampMs(1), Command::RaiseLevel { level: later });
    let mut fleet = samples::fleet();
    fleet.apply(next(&fleet), &entry).expect("it is only told when all know it");
    let expected = |what| {
        let (level, known) = (later, Level::NEWEST);
        format!("{what} is of {level}, this release knows up to {known}; upgrade before starting")
    };
    let text = |result: Result<(), codec::Error>| result.expect_err("a later release").to_string();
    assert_eq!(text(codec::decode_entry(&codec::encode_entry(&entry)).map(drop)), expected("log entry"));
    assert_eq!(text(codec::decode_snapshot(&codec::encode_snapshot(&fleet)).map(drop)), expected("snapshot"));
}

#[test]
fn at_the_first_level_a_snapshot_has_the_bytes_that_the_first_release_reads_c7() {
    let mut fleet = samples::fleet();
    assert_eq!(hex(&codec::encode_snapshot(&fleet)), hex(&old_snapshot("snapshot-v1-everything")));
    let digest = fleet.digest();
    let raise = Entry::new(TimestampMs(1), Command::RaiseLevel { level: Level::EVENTS });
    fleet.apply(next(&fleet), &raise).expect("raised");
    assert_eq!(fleet.level(), Level::EVENTS);
    assert_ne!(fleet.digest().value, digest.value, "the level is part of the map");
    let lower = Entry::new(TimestampMs(1), Command::RaiseLevel { level: Level::FIRST });
    fleet.apply(next(&fleet), &lower).expect("nothing to do");
    assert_eq!(fleet.level(), Level::EVENTS, "it never falls");
}
