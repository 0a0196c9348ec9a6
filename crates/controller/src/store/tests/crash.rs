//! Power cuts: whatever was not synced is forgotten, or kept by chance; nothing acknowledged is (S1, R28).
//!
//! Between two lives the data directory is made what a disk may hold after the cut. Of sled's data file that is what it
//! was at the last sync, with any of the blocks that were written since; of the marker, which is not synced, either
//! state of each half. sled's other files are small, and sled syncs them itself before it counts on them.

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use openraft::{RaftLogReader as _, vote::RaftLeaderId as _};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::store::{DataFile, Wrap};

const BLOCK: usize = 4096;
const LIVES: usize = 6;

/// What survives a power cut for sure.
#[derive(Default)]
struct Safe {
    data: Vec<u8>,
    marker: Vec<u8>,
    /// From now on nothing is synced any more.
    cut: bool,
}

/// sled's data file, remembering what was synced.
struct Synced {
    file: File,
    dir: std::path::PathBuf,
    safe: Arc<Mutex<Safe>>,
}

impl DataFile for Synced {
    fn sync(&self) -> io::Result<()> {
        let mut safe = self.safe.lock().expect("nobody panics");
        if safe.cut {
            return Err(io::Error::other("the power is gone"));
        }
        DataFile::sync(&self.file)?;
        safe.data = fs::read(self.dir.join("log/db"))?;
        safe.marker = fs::read(self.dir.join("marker"))?;
        Ok(())
    }
}

/// A file that says that it synced.
struct Lying(File);

impl DataFile for Lying {
    fn sync(&self) -> io::Result<()> {
        self.0.metadata().map(drop)
    }
}

/// How blocks that were written after the last sync come through.
#[derive(Clone, Copy, Debug)]
enum Unsynced {
    Lost,
    ByChance,
}

/// After the cut: each block is what it was when it was synced, or what was written since.
fn cut(safe: &[u8], written: &[u8], unsynced: Unsynced, random: &mut StdRng) -> Vec<u8> {
    let Unsynced::ByChance = unsynced else { return safe.to_vec() };
    // The length is changed by the last write that comes through, or not.
    let mut after = safe.to_vec();
    for (number, block) in written.chunks(BLOCK).enumerate() {
        let (from, to) = (number * BLOCK, number * BLOCK + block.len());
        if safe.get(from..to) != Some(block) && random.random_bool(0.5) {
            after.resize(after.len().max(to), 0);
            after[from..to].copy_from_slice(block);
        }
    }
    after
}

async fn open_on(dir: &Path, safe: &Arc<Mutex<Safe>>, honest: bool) -> Result<Store, StoreError> {
    let (path, safe) = (dir.to_path_buf(), safe.clone());
    let wrap: Wrap = Arc::new(move |file| match honest {
        true => Box::new(Synced { file, dir: path.clone(), safe: safe.clone() }),
        false => Box::new(Lying(file)),
    });
    let disk = Arc::new(SledDisk::open_with(dir.into(), ID, Some(wrap)).await?);
    // What the opening itself left is synced by it, or made again by the next.
    match Log::open(disk.clone()).await {
        Ok((log, writing)) => Ok(Store { disk, log, writer: tokio::spawn(writing) }),
        Err(error) => {
            disk.close().await;
            Err(error)
        }
    }
}

/// What was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
struct Told {
    /// The index of the next entry.
    next: u64,
    term: u64,
}

/// Lives, and dies by the power; what it had acknowledged, or what is wrong with what it found.
async fn history(seed: u64, unsynced: Unsynced, honest: bool) -> Result<Told, String> {
    let mut random = StdRng::seed_from_u64(seed);
    let dir = temp();
    let safe = Arc::new(Mutex::new(Safe::default()));
    let mut told = Told::default();
    for life in 0..LIVES {
        let wrong =
            |what: String| format!("seed {seed}, life {life}, {unsynced:?}: {what}; {told:?} was told");
        let mut store = open_on(dir.path(), &safe, honest).await.map_err(|error| wrong(error.to_string()))?;
        let found = store.last().await.map_or(0, |last| last + 1);
        let vote = store.log.get_log_reader().await.read_vote().await.expect("in memory");
        let term = vote.map_or(0, |vote| vote.leader_id.term());
        if found < told.next || term < told.term {
            return Err(wrong(format!("{found} entries and term {term} are there")));
        }
        told = Told { next: found, term };
        // A first batch that is synced as a whole, so that there is something to lose.
        for _ in 0..random.random_range(1..12) {
            if random.random_bool(0.3) {
                told.term += 1;
                store.log.save_vote(&codec::vote(told.term, 1, true)).await.expect("a disk that works");
            }
            let count = random.random_range(1..20);
            let term = told.term.max(1);
            store.append(term, told.next..=told.next + count - 1).await;
            told.next += count;
            if random.random_bool(0.1) && told.next > 30 {
                let place = codec::log_id(term, 1, told.next - 20);
                store.log.purge(place).await.expect("a disk that works");
            }
        }
        // The power is cut in the middle of a batch of many values, of which nobody is told: any part of it may come
        // through, but never a later entry without those before it.
        if honest {
            safe.lock().expect("nobody panics").cut = true;
            let last = told.next + random.random_range(1..2_000);
            store.append_in_vain(told.term.max(1), told.next..=last).await;
        }
        // Closing flushes what is left, unsynced: it may come through or not.
        store.close().await;
        let path = dir.path().join("log/db");
        let (data, marker) =
            (fs::read(&path).expect("there"), fs::read(dir.path().join("marker")).expect("there"));
        let Safe { data: synced, marker: noted, .. } =
            std::mem::take(&mut *safe.lock().expect("nobody panics"));
        fs::write(&path, cut(&synced, &data, unsynced, &mut random)).expect("written");
        fs::write(dir.path().join("marker"), cut(&noted, &marker, unsynced, &mut random)).expect("written");
    }
    Ok(told)
}

#[tokio::test]
async fn votes_and_entries_that_were_acknowledged_survive_power_cuts_s1() {
    for seed in 0..12 {
        for unsynced in [Unsynced::Lost, Unsynced::ByChance] {
            let told = history(seed, unsynced, true).await.unwrap_or_else(|wrong| panic!("{wrong}"));
            assert!(told.next > 0 && told.term > 0, "{told:?}");
        }
    }
}

/// The planted bug: without `fdatasync` after sled's own flush, acknowledged entries are lost, and that is found out.
#[tokio::test]
async fn a_data_file_that_is_not_synced_is_caught_at_once() {
    for seed in 0..5 {
        let wrong = history(seed, Unsynced::Lost, false).await.expect_err("nothing was ever synced");
        assert!(wrong.contains("life 1"), "{wrong}");
    }
}
