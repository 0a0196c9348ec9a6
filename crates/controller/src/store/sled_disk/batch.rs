//! One batch of writes and one sync.

use std::io;

use super::{Mark, Open, Write, load::ONLY};
use crate::{meter, store::codec};

/// Does the writes in order and makes them durable.
pub fn write(open: &mut Open, writes: Vec<Write>) -> io::Result<()> {
    let mut mark = open.mark;
    let mut acknowledges = false;
    let mut log = sled::Batch::default();
    for write in writes {
        match write {
            Write::Append { first, entries, last } => {
                for (index, entry) in (first..).zip(entries) {
                    log.insert(&index.to_be_bytes(), entry);
                }
                mark.last = Some(last);
                acknowledges = true;
            }
            Write::Vote(vote) => {
                open.vote.insert(ONLY, codec::encode_vote(&vote))?;
                mark.vote = Some(vote);
                acknowledges = true;
            }
            Write::Truncate { after } => {
                open.log.apply_batch(std::mem::take(&mut log))?;
                let from = after.map_or(0, |id| id.index + 1);
                if open.mark.last.is_some_and(|last| last.index >= from) {
                    open.mark.last = after;
                    open.marker.lower(open.mark)?;
                }
                remove(open, from..u64::MAX, &mut log)?;
                mark.last = after;
            }
            Write::Purge { upto } => {
                open.log.apply_batch(std::mem::take(&mut log))?;
                open.purged.insert(ONLY, &codec::encode_log_id(&upto))?;
                remove(open, 0..upto.index + 1, &mut log)?;
                mark.last = mark.last.max(Some(upto));
            }
            Write::Committed(committed) => {
                open.committed.insert(ONLY, &codec::encode_log_id(&committed))?;
            }
        }
    }
    open.log.apply_batch(log)?;
    if acknowledges { acknowledge(open, mark) } else { Ok(()) }
}

fn remove(open: &Open, range: std::ops::Range<u64>, log: &mut sled::Batch) -> io::Result<()> {
    for key in open.log.range(range.start.to_be_bytes()..range.end.to_be_bytes()).keys() {
        log.remove(key?);
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
