//! What the map takes: goals are 300 bytes for an idle database and a snapshot that is taken without copying the map.
//! `cargo xtask bench map` measures a million of them, with times.

use model::{
    Cause, Command, DatabaseId, Entry, Epoch, Fleet, IdempotencyKey, Incarnation, Name, Registration,
    Revision, ServerId, Tenure, TimestampMs, Why,
};

use crate::allocator::kept;

/// Bytes that one idle database may take: 10 million of them are a goal.
const BYTES_MAX: usize = 300;
/// Bytes that a copy of any map may take.
const COPY_BYTES_MAX: usize = 64 << 10;
/// Enough for trees to be deep and few enough for an unoptimised build.
const DATABASES: usize = 50_000;

fn apply(fleet: &mut Fleet, command: Command) {
    let revision = Revision(fleet.revision().0 + 1);
    fleet.apply(revision, &Entry::new(TimestampMs(0), command)).expect("accepted");
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
    // Neither the map nor the rings of recent changes and events are copied.
    let (copy, bytes) = kept(|| fleet.clone());
    assert_eq!(copy.databases_len(), DATABASES);
    assert!(bytes < COPY_BYTES_MAX, "{bytes} bytes for a copy");
}

#[test]
fn a_full_log_of_events_takes_what_its_bound_says_and_little_more() {
    let mut fleet = filled(1);
    let database = DatabaseId(1);
    let (events, bytes) = kept(|| {
        for epoch in 1..=model::EVENTS_MAX as u64 {
            let to = Tenure { server: ServerId(1), incarnation: Incarnation(1) };
            let command = Command::AssignDatabase { database, epoch_expected: Epoch(epoch), to };
            let why = Why::new(Cause::ServerExpired, "server-1 expired at 120: heartbeat silent for 3.2 s");
            let entry = Entry { why: Some(why), ..Entry::new(TimestampMs(0), command) };
            fleet.apply(Revision(fleet.revision().0 + 1), &entry).expect("accepted");
        }
        fleet.events().len()
    });
    println!("{} bytes for each of {events} events", bytes / events);
    assert!(events > model::EVENTS_MAX / 2, "{events}");
    // The changes that watchers are told of are in it too.
    assert!(bytes < 2 * model::EVENTS_BYTES_MAX, "{bytes} bytes for {events} events");
}
