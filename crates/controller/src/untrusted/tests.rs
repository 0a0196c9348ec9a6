//! The inputs that fuzzing begins with, those that failed once among them, and damaged ones.

use std::{fs, path::Path};

use super::*;

/// As the fuzz target of that name does it, without the checksums that it puts right.
fn check(target: &str, input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match (target, kind) {
        ("raft", 0) => peer(bytes),
        ("raft", _) => message(bytes),
        ("entries", 0) => log(bytes),
        ("entries", _) => entry(bytes),
        ("snapshots", 1) => snapshot(&sealed(bytes, true)),
        ("snapshots", _) => snapshot(bytes),
        (other, _) => unreachable!("no target {other}"),
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = fs::read_dir(&folder).expect("a folder of seeds");
    let seeds: Vec<_> = files.map(|file| fs::read(file.expect("a file").path()).expect("readable")).collect();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

#[test]
fn seeds_and_what_becomes_of_them_damaged_never_panic() {
    for target in ["raft", "entries", "snapshots"] {
        for seed in seeds(target) {
            check(target, &seed);
            for at in 0..seed.len() {
                check(target, &seed[..at]);
                for byte in [0, 1, 0x7f, 0xff, seed[at] ^ 0x80] {
                    let mut damaged = seed.clone();
                    damaged[at] = byte;
                    check(target, &damaged);
                }
            }
        }
    }
}
