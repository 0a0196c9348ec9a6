//! Golden bytes: what processes say to each other is the same in every release that speaks the same version of the
//! protocol (C7, C8). bincode does not describe itself, so a field more would be read as another one.
//!
//! `tests/golden/messages-v<version>.txt` has one line for each message: its name and its bytes. `UPDATE_EXPECT=1` adds
//! those that are missing; a line is never changed. Whoever must change one raises `rpc::handshake::Version::NEWEST`.

mod answers;
mod requests;

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use bincode::Options as _;
use rpc::handshake::Version;
use serde::{Serialize, de::DeserializeOwned};

/// A message: its name, its bytes today, and what they are once read and written again.
pub struct Sample {
    name: String,
    bytes: Vec<u8>,
    again: Vec<u8>,
}

impl Sample {
    /// As it goes over the wire.
    pub fn of<T: Serialize + DeserializeOwned>(name: &str, message: &T) -> Self {
        let bytes = encode(message);
        let read: T = decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name: name.into(), again: encode(&read), bytes }
    }
}

/// What the transport does with a message.
fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    bincode::DefaultOptions::new().serialize(message).expect("in memory")
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> bincode::Result<T> {
    bincode::DefaultOptions::new().deserialize(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn golden() -> (PathBuf, BTreeMap<String, String>) {
    let file = format!("tests/golden/messages-v{}.txt", Version::NEWEST.0);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let lines = lines.map(|(name, bytes)| (name.to_string(), bytes.to_string())).collect();
    (path, lines)
}

/// The names of those that are not as they were.
fn changed(samples: &[Sample], golden: &BTreeMap<String, String>) -> Vec<String> {
    let differs = |sample: &&Sample| golden.get(&sample.name) != Some(&hex(&sample.bytes));
    samples.iter().filter(differs).map(|sample| sample.name.clone()).collect()
}

fn samples() -> Vec<Sample> {
    requests::samples().into_iter().chain(answers::samples()).collect()
}

#[test]
fn every_message_has_the_bytes_that_it_always_had_c7_c8() {
    let samples = samples();
    let (path, mut golden) = golden();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        for sample in &samples {
            golden.entry(sample.name.clone()).or_insert_with(|| hex(&sample.bytes));
        }
        let mut text = String::new();
        golden.iter().for_each(|(name, bytes)| writeln!(text, "{name} {bytes}").expect("in memory"));
        fs::write(&path, text).expect("the golden file can be written");
    }
    let changed = changed(&samples, &golden);
    let advice = "a new message: UPDATE_EXPECT=1 adds it; one that changed: raise Version::NEWEST";
    assert!(changed.is_empty(), "{changed:?} are not as they stand in {} ({advice})", path.display());
    let lost: Vec<&Sample> = samples.iter().filter(|sample| sample.bytes != sample.again).collect();
    assert!(lost.is_empty(), "not read as written: {:?}", lost.iter().map(|it| &it.name).collect::<Vec<_>>());
    assert_eq!(samples.len(), golden.len(), "each name is there once, and nothing else");
}

#[test]
fn a_field_more_is_noticed() {
    let (_, golden) = golden();
    let mut samples = samples();
    samples[0].bytes.push(0);
    assert_eq!(changed(&samples, &golden), [samples[0].name.clone()]);
}
