//! What the map takes: goals are 300 bytes for an idle database and a snapshot that is taken without copying the map.
//! `cargo xtask bench map` measures a million of them, with times.

use model::{
    Command, Entry, Fleet, IdempotencyKey, Incarnation, Name, Registration, Revision, ServerId, Tenure,
    TimestampMs,
};

use crate::allocator::kept;

/// Bytes that one idle database may take: 10 million of them are a goal.
const BYTES_MAX: usize = 300;
/// Enough for trees to be deep and few enough for an unoptimised build.
const DATABASES: usize = 50_000;

fn apply(fleet: &mut Fleet, command: Command) {
    let revision = Revision(fleet.revision().0 + 1);
    fleet.apply(revision, &Entry { at: TimestampMs(0), command }).expect("accepted");
}

fn server(fleet: &mut Fleet) {
    let registration = Registration {
        name: Name::new("s1").expect("a good name"),
        data_address: "10.0.0.1:5432".into(),
        control_address: "10.0.0.1:7200".into(),
        location: "west".into(),
        capacity: 1,
    };
    apply(fleet, Command::RegisterServer { registration, supersedes: None, incarnation: Incarnation(1) });
}

/// A map as it is in real life: databases were created with keys, and assigned.
fn filled(databases: usize) -> Fleet {
    let mut fleet = Fleet::default();
    server(&mut fleet);
    create(&mut fleet, databases);
    fleet
}

fn create(fleet: &mut Fleet, databases: usize) {
    let owner = Some(Tenure { server: ServerId(1), incarnation: Incarnation(1) });
    for _ in 0..databases {
        let number = fleet.databases_len();
        let name = Name::new(&format!("customer-{number:08}")).expect("a good name");
        let key = Some(IdempotencyKey(number as u128));
        apply(fleet, Command::CreateDatabase { name, owner, key });
    }
}

#[test]
fn an_idle_database_takes_at_most_300_bytes() {
    // Keys and changes are bounded and take the same whatever the map holds: fill them first, then count.
    let mut fleet = filled(model::CHANGES_MAX.max(model::IDEMPOTENCY_KEYS_MAX));
    let ((), bytes) = kept(|| create(&mut fleet, DATABASES));
    let each = bytes / DATABASES;
    println!("{each} bytes for each idle database");
    assert!(each <= BYTES_MAX, "{each} bytes for each of {DATABASES} databases");
}

#[test]
fn a_copy_of_the_map_shares_its_memory() {
    let fleet = filled(DATABASES);
    // The ring of recent changes is copied; the map is not.
    let (copy, bytes) = kept(|| fleet.clone());
    assert_eq!(copy.databases_len(), DATABASES);
    assert!(bytes < DATABASES * 100, "{bytes} bytes for a copy");
}
