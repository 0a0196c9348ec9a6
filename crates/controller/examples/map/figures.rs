//! The map on its own: what it takes, and what is done to it as a whole.

use std::time::{Duration, Instant};

use anyhow::ensure;
use model::{Fleet, codec};

use crate::{maps, process};

/// Databases that are there before counting starts, so that the bounded parts of the map are full.
const WARM_UP: u64 = 70_000;

/// Measures and prints.
pub fn print(databases: u64) -> anyhow::Result<()> {
    let mut fleet = maps::with_servers()?;
    maps::create(&mut fleet, WARM_UP)?;
    let before = process::memory("self")?.now;
    let (created, create_time) = timed(|| maps::create(&mut fleet, databases));
    created?;
    let bytes = process::memory("self")?.now.saturating_sub(before) / databases;
    let (copy, copy_time) = timed(|| fleet.clone());
    let (snapshot, encode_time) = timed(|| codec::encode_snapshot(&copy));
    drop(copy);
    let (digest, digest_time) = timed(|| fleet.digest());
    let total = fleet.databases_len() as u64;
    drop(fleet);
    let (again, decode_time) = timed(|| codec::decode_snapshot(&snapshot));
    let again: Fleet = again?;
    ensure!(again.digest() == digest, "the snapshot brought back another map");
    let (found, look_up_time) = timed(|| (1..=total).filter(|id| maps::look_up(&again, *id)).count() as u64);
    ensure!(found == total, "{found} of {total} were found");
    println!("the map on its own");
    println!("  databases           {total}");
    println!("  memory              {bytes} B each (resident, goal 300)");
    println!("  create              {:.2} µs each", each(create_time, databases));
    println!("  look-up by name     {:.2} µs each", each(look_up_time, total));
    println!("  copy for a snapshot {:.3} ms", millis(copy_time));
    println!("  encode a snapshot   {:.0} ms, {} B each", millis(encode_time), snapshot.len() as u64 / total);
    println!("  decode a snapshot   {:.0} ms", millis(decode_time));
    println!("  digest              {:.0} ms", millis(digest_time));
    println!("  most memory         {} MiB", process::memory("self")?.most >> 20);
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
