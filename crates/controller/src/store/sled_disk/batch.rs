//! One batch of writes and one sync.

use std::io;

use super::{Mark, Open, Write, load::ONLY};
use crate::{
    limits::PURGED_VALUES_MAX,
    meter,
    raft::LogEntry,
    store::{
        codec,
        frame::{self, Framer},
    },
};

/// Entries on their way into the log, value by value.
///
/// Not as a batch of sled's: what is pending before such a batch, its manifest, and its content are three buffers, and the
/// disk is waited for with each. Of values written one by one sled recovers a prefix, and a prefix of a log is a log.
struct Appending {
    log: sled::Tree,
    framer: Framer,
}

impl Appending {
    fn append(&mut self, entries: &[LogEntry]) -> io::Result<()> {
        for entry in entries {
            let complete = self.framer.push(entry);
            self.put(complete)?;
        }
        Ok(())
    }

    /// Nothing of them is left here.
    fn finish(&mut self) -> io::Result<()> {
        let last = self.framer.finish();
        self.put(last)
    }

    fn put(&self, value: Option<(u64, Vec<u8>)>) -> io::Result<()> {
        if let Some((index, value)) = value {
            self.log.insert(index.to_be_bytes(), value)?;
        }
        Ok(())
    }
}

/// Does the writes in order and makes them durable.
pub fn write(open: &mut Open, writes: Vec<Write>) -> io::Result<()> {
    let mut mark = open.mark;
    let mut acknowledges = false;
    let mut appending = Appending { log: open.log.clone(), framer: Framer::default() };
    for write in writes {
        match write {
            Write::Append(entries) => {
                appending.append(&entries)?;
                mark.last = entries.last().map(|entry| entry.log_id).or(mark.last);
                acknowledges = true;
            }
            Write::Vote(vote) => {
                open.vote.insert(ONLY, codec::encode_vote(&vote))?;
                mark.vote = Some(vote);
                acknowledges = true;
            }
            Write::Truncate { after } => {
                appending.finish()?;
                let from = after.map_or(0, |id| id.index + 1);
                if open.mark.last.is_some_and(|last| last.index >= from) {
                    open.mark.last = after;
                    open.marker.lower(open.mark)?;
                }
                truncate(&open.log, from)?;
                mark.last = after;
            }
            Write::Purge { upto } => {
                appending.finish()?;
                open.purged.insert(ONLY, &codec::encode_log_id(&upto))?;
                open.leftover = open.leftover.max(Some(upto.index));
                mark.last = mark.last.max(Some(upto));
            }
            Write::Committed(committed) => {
                open.committed.insert(ONLY, &codec::encode_log_id(&committed))?;
            }
        }
    }
    appending.finish()?;
    remove_leftover(open)?;
    if acknowledges { acknowledge(open, mark) } else { Ok(()) }
}

/// Drops every entry from this one on, all at once: some of them would leave a hole.
fn truncate(log: &sled::Tree, from: u64) -> io::Result<()> {
    let mut batch = sled::Batch::default();
    for key in log.range(from.to_be_bytes()..).keys() {
        batch.remove(key?);
    }
    if let Some(pair) = log.range(..from.to_be_bytes()).next_back() {
        let entries = frame::entries(&pair?.1).map_err(io::Error::other)?;
        let mut framer = Framer::default();
        let kept = entries.iter().take_while(|entry| entry.log_id.index < from);
        let mut values: Vec<_> = kept.filter_map(|entry| framer.push(entry)).collect();
        values.extend(framer.finish());
        for (index, value) in values {
            batch.insert(&index.to_be_bytes(), value);
        }
    }
    Ok(log.apply_batch(batch)?)
}

/// Removes some of the values that hold nothing but purged entries: all at once would hold up the entries that come.
fn remove_leftover(open: &mut Open) -> io::Result<()> {
    let Some(upto) = open.leftover else { return Ok(()) };
    let values = open.log.range(..=upto.to_be_bytes()).take(PURGED_VALUES_MAX);
    let mut values = values.collect::<sled::Result<Vec<_>>>()?;
    // What another purged value follows is purged as a whole; the last one may share its room with later entries.
    if let Some((_, value)) = values.last() {
        let entries = frame::entries(value).map_err(io::Error::other)?;
        if entries.last().is_some_and(|last| last.log_id.index > upto) {
            values.pop();
        }
    }
    for (key, _) in &values {
        open.log.remove(key)?;
    }
    if values.len() < PURGED_VALUES_MAX {
        open.leftover = None;
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

#[cfg(test)]
mod tests {
    use model::ControllerId;
    use openraft::EntryPayload;

    use super::{
        super::{load::load, open::open},
        *,
    };

    fn append(open: &mut Open, index: u64) {
        let entry = LogEntry { log_id: codec::log_id(1, 1, index), payload: EntryPayload::Blank };
        write(open, vec![Write::Append(vec![entry])]).expect("writable");
    }

    /// Until then they are not found again, even by a restart.
    #[test]
    fn purged_values_are_removed_along_with_the_batches_that_follow() {
        const PURGED: u64 = 2 * PURGED_VALUES_MAX as u64 + 10;
        let dir = tempfile::tempdir().expect("a directory");
        let (_, mut open) = open(dir.path(), ControllerId(1), None).expect("an empty directory");
        for index in 0..PURGED + 5 {
            append(&mut open, index);
        }
        let upto = codec::log_id(1, 1, PURGED - 1);
        write(&mut open, vec![Write::Purge { upto }]).expect("writable");
        for (batch, left) in (0..).zip([PURGED as usize - PURGED_VALUES_MAX, 10, 0, 0]) {
            assert_eq!(open.log.len(), left + 5 + batch, "before batch {batch}");
            let loaded = load(&mut open).expect("readable").expect("readable");
            assert_eq!(loaded.purged, Some(upto));
            assert_eq!(loaded.entries.len(), 5 + batch);
            assert_eq!(loaded.entries[0].log_id.index, PURGED);
            append(&mut open, PURGED + 5 + batch as u64);
        }
    }
}
