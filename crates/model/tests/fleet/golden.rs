//! Golden bytes: what was once written must be read for ever, to the same value.
//!
//! `tests/golden/<entry|snapshot>-v<version>-<name>.hex`. A file is made once (`UPDATE_EXPECT=1` makes those that are
//! missing) and never rewritten: a change of the format gets a new version, and the old files stay.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use model::codec;

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

/// The golden bytes of every entry, by name.
pub fn entries() -> BTreeMap<String, Vec<u8>> {
    let golden = |(name, entry)| {
        let name = format!("entry-v1-{name}");
        let bytes = bytes(&name, &codec::encode_entry(&entry));
        (name, bytes)
    };
    samples::entries().into_iter().map(golden).collect()
}

/// The golden bytes of the snapshot.
pub fn snapshot() -> Vec<u8> {
    bytes("snapshot-v1-everything", &codec::encode_snapshot(&samples::fleet()))
}

#[test]
fn every_entry_ever_written_decodes_to_the_same_value_c7() {
    for (name, entry) in samples::entries() {
        let golden = bytes(&format!("entry-v1-{name}"), &codec::encode_entry(&entry));
        let decoded = codec::decode_entry(&golden).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(decoded, entry, "{name}");
        assert_eq!(hex(&codec::encode_entry(&entry)), hex(&golden), "{name} is written differently now");
    }
}

#[test]
fn every_snapshot_ever_written_decodes_to_the_same_map_c7_c14() {
    let golden = snapshot();
    let decoded = codec::decode_snapshot(&golden).expect("golden");
    let fleet = samples::fleet();
    assert_eq!(view::lines(&decoded), view::lines(&fleet));
    assert_eq!(decoded.digest(), fleet.digest());
    assert_eq!(
        decoded.digest().to_string(),
        "a8dace7694202925d91ed20ba5a1a7c9",
        "the digest is written differently now"
    );
    assert_eq!(hex(&codec::encode_snapshot(&fleet)), hex(&golden), "it is written differently now");
}

#[test]
fn a_snapshot_with_a_draining_server_decodes_to_the_same_map_c7() {
    let fleet = samples::fleet_that_drains();
    let golden = bytes("snapshot-v1-draining", &codec::encode_snapshot(&fleet));
    let decoded = codec::decode_snapshot(&golden).expect("golden");
    assert_eq!(view::lines(&decoded), view::lines(&fleet));
    assert_eq!(hex(&codec::encode_snapshot(&fleet)), hex(&golden), "it is written differently now");
}

#[test]
fn every_golden_file_is_read_by_a_test() {
    let mut read: BTreeSet<String> = entries().into_keys().collect();
    read.extend(["snapshot-v1-everything".into(), "snapshot-v1-draining".into()]);
    let there: BTreeSet<String> = std::fs::read_dir(directory())
        .expect("the golden files are there")
        .map(|file| file.expect("readable").path().file_stem().expect("named").to_string_lossy().into_owned())
        .collect();
    assert_eq!(there, read);
}

/// A command's number stands after the version and the time.
const COMMAND_AT: usize = 9;

#[test]
fn every_command_has_a_golden_file() {
    let golden = entries();
    let numbers: BTreeSet<u8> = golden.values().map(|bytes| bytes[COMMAND_AT]).collect();
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
fn bytes_of_a_later_release_are_refused_with_what_to_do() {
    let mut entry = entries().into_values().next().expect("there are some");
    let mut snapshot = snapshot();
    entry[0] = 2;
    snapshot[0] = 2;
    let expected =
        |what| format!("{what} has version 2, this release reads up to 1; upgrade before starting");
    let text = |result: Result<(), codec::Error>| result.expect_err("a later release").to_string();
    assert_eq!(text(codec::decode_entry(&entry).map(drop)), expected("log entry"));
    assert_eq!(text(codec::decode_snapshot(&snapshot).map(drop)), expected("snapshot"));
    // What follows the version of a later release is not looked at: it may have any form.
    assert_eq!(text(codec::decode_snapshot(&[2]).map(drop)), expected("snapshot"));
}
