//! `cargo xtask bench map`: what a map of a million databases takes.
//!
//! Goals: at most 300 bytes of memory for an idle database, at most 5 s from a snapshot's bytes to a served map, and no
//! long stop of writes for a snapshot (a copy of the map is what it is made from).

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use model::{
    Command, DatabaseId, Entry, Fleet, Incarnation, Name, Registration, Revision, ServerId, Tenure,
    TimestampMs, codec,
};

/// Databases that are there before counting starts, so that the bounded parts of the map are full.
const WARM_UP: u64 = 70_000;

/// Measures and prints.
pub fn run(databases: u64) -> anyhow::Result<()> {
    let mut fleet = Fleet::default();
    register(&mut fleet)?;
    create(&mut fleet, WARM_UP)?;
    let before = resident()?;
    let (created, create_time) = timed(|| create(&mut fleet, databases));
    created?;
    let bytes = resident()?.saturating_sub(before) / databases;
    let (copy, copy_time) = timed(|| fleet.clone());
    let (snapshot, encode_time) = timed(|| codec::encode_snapshot(&copy));
    let (again, decode_time) = timed(|| codec::decode_snapshot(&snapshot));
    let again = again?;
    let (digest, digest_time) = timed(|| fleet.digest());
    ensure!(again.digest() == digest, "the snapshot brought back another map");
    let total = fleet.databases_len() as u64;
    let (found, look_up_time) = timed(|| (1..=total).filter(|id| look_up(&again, *id)).count() as u64);
    ensure!(found == total, "{found} of {total} were found");
    println!("databases           {total}");
    println!("memory              {bytes} B each (resident, goal 300)");
    println!("create              {:.2} µs each", each(create_time, databases));
    println!("look-up by name     {:.2} µs each", each(look_up_time, total));
    println!("copy for a snapshot {:.3} ms", millis(copy_time));
    println!("encode a snapshot   {:.0} ms, {} B each", millis(encode_time), snapshot.len() as u64 / total);
    println!("decode a snapshot   {:.0} ms (goal 5000)", millis(decode_time));
    println!("digest              {:.0} ms", millis(digest_time));
    Ok(())
}

fn apply(fleet: &mut Fleet, command: Command) -> anyhow::Result<()> {
    let revision = Revision(fleet.revision().0 + 1);
    fleet.apply(revision, &Entry::new(TimestampMs(0), command))?;
    Ok(())
}

fn register(fleet: &mut Fleet) -> anyhow::Result<()> {
    let registration = Registration {
        name: Name::new("server-1")?,
        data_address: "10.0.0.1:5432".into(),
        control_address: "10.0.0.1:7200".into(),
        location: "west".into(),
        capacity: 1,
    };
    apply(fleet, Command::RegisterServer { registration, supersedes: None, incarnation: Incarnation(1) })
}

fn create(fleet: &mut Fleet, databases: u64) -> anyhow::Result<()> {
    let owner = Some(Tenure { server: ServerId(1), incarnation: Incarnation(1) });
    for _ in 0..databases {
        let number = fleet.databases_len() as u64 + 1;
        let key = Some(model::IdempotencyKey(u128::from(number)));
        apply(fleet, Command::CreateDatabase { name: name(number)?, owner, key })?;
    }
    Ok(())
}

/// Names come in no order of their own, as in real life.
fn name(number: u64) -> anyhow::Result<Name> {
    Ok(Name::new(&format!("customer-{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))?)
}

fn look_up(fleet: &Fleet, number: u64) -> bool {
    name(number).is_ok_and(|name| fleet.database_named(&name) == Some(DatabaseId(number)))
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

/// Resident memory of this process, in bytes.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("this needs Linux's /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS line")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS is no number")?;
    Ok(kibibytes * 1024)
}
