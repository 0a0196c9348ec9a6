//! One batch of writes and one sync.

use std::io;

use super::{Mark, Open, Write, load::ONLY};
use crate::{
    meter,
    raft::LogEntry,
    store::{
        codec,
        frame::{self, Framer},
    },
};

/// Changes of the log that are done together.
#[derive(Default)]
struct Changes {
    batch: sled::Batch,
    framer: Framer,
}

impl Changes {
    fn append(&mut self, entries: &[LogEntry]) {
        for entry in entries {
            let complete = self.framer.push(entry);
            self.put(complete);
        }
    }

    fn put(&mut self, value: Option<(u64, Vec<u8>)>) {
        if let Some((index, value)) = value {
            self.batch.insert(&index.to_be_bytes(), value);
        }
    }

    /// Does all of them.
    fn apply(&mut self, log: &sled::Tree) -> io::Result<()> {
        let last = self.framer.finish();
        self.put(last);
        Ok(log.apply_batch(std::mem::take(&mut self.batch))?)
    }
}

/// Does the writes in order and makes them durable.
pub fn write(open: &mut Open, writes: Vec<Write>) -> io::Result<()> {
    let mut mark = open.mark;
    let mut acknowledges = false;
    let mut changes = Changes::default();
    for write in writes {
        match write {
            Write::Append(entries) => {
                changes.append(&entries);
                mark.last = entries.last().map(|entry| entry.log_id).or(mark.last);
                acknowledges = true;
            }
            Write::Vote(vote) => {
                open.vote.insert(ONLY, codec::encode_vote(&vote))?;
                mark.vote = Some(vote);
                acknowledges = true;
            }
            Write::Truncate { after } => {
                changes.apply(&open.log)?;
                let from = after.map_or(0, |id| id.index + 1);
                if open.mark.last.is_some_and(|last| last.index >= from) {
                    open.mark.last = after;
                    open.marker.lower(open.mark)?;
                }
                truncate(open, from, &mut changes)?;
                mark.last = after;
            }
            Write::Purge { upto } => {
                changes.apply(&open.log)?;
                open.purged.insert(ONLY, &codec::encode_log_id(&upto))?;
                purge(open, upto.index, &mut changes)?;
                mark.last = mark.last.max(Some(upto));
            }
            Write::Committed(committed) => {
                open.committed.insert(ONLY, &codec::encode_log_id(&committed))?;
            }
        }
    }
    changes.apply(&open.log)?;
    if acknowledges { acknowledge(open, mark) } else { Ok(()) }
}

/// Drops every entry from this one on.
fn truncate(open: &Open, from: u64, changes: &mut Changes) -> io::Result<()> {
    for key in open.log.range(from.to_be_bytes()..).keys() {
        changes.batch.remove(key?);
    }
    if let Some(pair) = open.log.range(..from.to_be_bytes()).next_back() {
        let (key, value) = pair?;
        let entries = frame::entries(&value).map_err(io::Error::other)?;
        let kept: Vec<LogEntry> = entries.iter().filter(|entry| entry.log_id.index < from).cloned().collect();
        if kept.len() < entries.len() {
            changes.batch.remove(key);
            changes.append(&kept);
        }
    }
    Ok(())
}

/// Drops every entry up to and with this one, except those that share a value with later ones.
fn purge(open: &Open, upto: u64, changes: &mut Changes) -> io::Result<()> {
    let mut before = None;
    for pair in open.log.range(..=upto.to_be_bytes()) {
        let (key, value) = pair?;
        if let Some((key, _)) = before.replace((key, value)) {
            changes.batch.remove(key);
        }
    }
    if let Some((key, value)) = before {
        let entries = frame::entries(&value).map_err(io::Error::other)?;
        if entries.last().is_some_and(|last| last.log_id.index <= upto) {
            changes.batch.remove(key);
        }
    }
    Ok(())
}

/// Makes everything durable, and only then notes it in the marker.
fn acknowledge(open: &mut Open, mark: Mark) -> io::Result<()> {
    let began = tokio::time::Instant::now();
    open.db.flush()?;
    if let Some(file) = &open.sync {
        file.sync()?;
    }
    meter::disk_synced(began.elapsed());
    open.mark = mark;
    open.marker.put(mark)
}
