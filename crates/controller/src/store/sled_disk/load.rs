//! Reading everything back, and noticing what is missing.

use std::io;

use super::{
    Loaded, Mark, Open, StoreError,
    open::{damaged, lost, sled_error},
};
use crate::{
    raft::{LogEntry, LogId},
    store::{codec, frame},
};

/// The one key of the trees that hold one value.
pub const ONLY: &[u8] = b"only";

/// Reads the log. The inner result is for a system that would not read.
pub fn load(open: &mut Open) -> Result<io::Result<Loaded>, StoreError> {
    let unreadable = |error| unreadable(open, error);
    let vote =
        get(open, &open.vote)?.map(|bytes| codec::decode_vote(&bytes)).transpose().map_err(unreadable)?;
    let committed = get(open, &open.committed)?;
    let committed = committed.map(|bytes| codec::decode_log_id(&bytes)).transpose().map_err(unreadable)?;
    let purged = get(open, &open.purged)?;
    let purged = purged.map(|bytes| codec::decode_log_id(&bytes)).transpose().map_err(unreadable)?;
    let entries = entries(open, purged)?;
    let loaded = Loaded { vote, committed, purged, entries };
    check(open, &loaded)?;
    let last = loaded.entries.last().map(|entry| entry.log_id).or(purged);
    open.mark = Mark { vote: loaded.vote, last };
    open.leftover = purged.map(|id| id.index);
    Ok(Ok(loaded))
}

fn get(open: &Open, tree: &sled::Tree) -> Result<Option<sled::IVec>, StoreError> {
    tree.get(ONLY).map_err(|error| sled_error(&open.dir, error))
}

fn entries(open: &Open, purged: Option<LogId>) -> Result<Vec<LogEntry>, StoreError> {
    // Without a purge the log begins with the first entry ever.
    let start = purged.map_or(0, |id| id.index + 1);
    let unreadable_tree = |error| sled_error(&open.dir, error);
    // The first entry may share its value with purged ones.
    let shared = open.log.range(..=start.to_be_bytes()).next_back().transpose().map_err(unreadable_tree)?;
    let from = shared.map_or_else(|| (&start.to_be_bytes()).into(), |(key, _)| key);
    let mut entries: Vec<LogEntry> = Vec::new();
    for pair in open.log.range(from..) {
        let (key, value) = pair.map_err(unreadable_tree)?;
        let found = frame::entries(&value).map_err(|error| unreadable(open, error))?;
        let first = found.first().map_or(0, |entry| entry.log_id.index);
        for (entry, index) in found.into_iter().zip(first..) {
            let expected = entries.last().map_or(start, |before| before.log_id.index + 1);
            let stale = entries.is_empty() && index < start;
            if *key != first.to_be_bytes() || entry.log_id.index != index || (index != expected && !stale) {
                return Err(damaged(&open.dir, &format!("entry {expected} is missing")));
            }
            if !stale {
                entries.push(entry);
            }
        }
    }
    Ok(entries)
}

fn unreadable(open: &Open, error: codec::Error) -> StoreError {
    if error.is_newer() {
        return StoreError::Newer { what: "the log".into(), path: open.dir.clone() };
    }
    damaged(&open.dir, &error.to_string())
}

/// Is at least that much there as the marker says?
fn check(open: &Open, loaded: &Loaded) -> Result<(), StoreError> {
    let mark = open.marker.mark();
    let older = |found: Option<_>, expected: Option<_>| match (found, expected) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(found), Some(expected)) => found < expected,
    };
    if older(loaded.vote, mark.vote) {
        let reason = match mark.vote {
            Some(vote) => format!("its last vote was {vote}, and that is gone"),
            None => "its vote is gone".into(),
        };
        return Err(lost(&open.dir, &reason));
    }
    let Some(marked) = mark.last else { return Ok(()) };
    if loaded.purged.is_some_and(|purged| purged.index >= marked.index) {
        return Ok(());
    }
    let there = loaded.entries.iter().find(|entry| entry.log_id.index == marked.index);
    match there {
        Some(entry) if entry.log_id == marked => Ok(()),
        Some(entry) => {
            Err(lost(&open.dir, &format!("entry {marked} had been acknowledged, {} is there", entry.log_id)))
        }
        None => {
            let last = loaded.entries.last().map(|entry| entry.log_id).or(loaded.purged);
            let last = last.map_or_else(|| "is empty".to_string(), |id| format!("ends at entry {id}"));
            Err(lost(&open.dir, &format!("entry {marked} had been acknowledged, but the log {last}")))
        }
    }
}
