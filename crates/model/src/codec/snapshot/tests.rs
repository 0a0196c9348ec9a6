//! Snapshots whose checksum fits and that no controller ever wrote.

use super::*;
use crate::{ForkPoint, Incarnation, ServerState, Tenure, TimestampMs};

const TENURE: Tenure = Tenure { server: ServerId(1), incarnation: Incarnation(1) };

fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

fn database(text: &str) -> Database {
    Database { name: name(text), epoch: Epoch(1), owner: None }
}

fn server(text: &str) -> Server {
    Server {
        name: name(text),
        data_address: String::new(),
        control_address: String::new(),
        location: String::new(),
        capacity: 1,
        incarnation: Incarnation(1),
        state: ServerState::Up,
        registered_at: TimestampMs(0),
    }
}

fn handler(text: &str) -> Handler {
    Handler {
        name: name(text),
        address: String::new(),
        location: String::new(),
        registered_at: TimestampMs(0),
    }
}

fn user(text: &str) -> (Name, User) {
    (name(text), User { verifier: String::new() })
}

/// A map that is right.
fn good() -> V2 {
    let v1 = V1 {
        id: None,
        revision: Revision(9),
        database_last: 3,
        databases: vec![(DatabaseId(1), database("a")), (DatabaseId(2), database("b"))],
        dropped: vec![(DatabaseId(3), Epoch(2))],
        servers: vec![(ServerId(1), server("s1")), (ServerId(2), server("s2"))],
        handlers: vec![(HandlerId(1), handler("h1")), (HandlerId(2), handler("h2"))],
        users: vec![user("alice"), user("bob")],
        keys: vec![(IdempotencyKey(2), DatabaseId(1)), (IdempotencyKey(1), DatabaseId(3))],
    };
    V2 { v1, forming: vec![forming(2, 1), forming(3, 9)] }
}

fn forming(copy: u64, parent: u64) -> (DatabaseId, Fork) {
    (DatabaseId(copy), Fork { parent: DatabaseId(parent), at: ForkPoint::Newest })
}

#[test]
fn a_map_that_contradicts_itself_is_refused_with_what_does_not_fit() {
    assert!(build(good()).is_ok());
    type Spoil = fn(&mut V2);
    let cases: [(Spoil, &str); 18] = [
        (|map| map.v1.databases.swap(0, 1), "databases are out of order"),
        (|map| map.v1.databases[1].0 = DatabaseId(1), "databases are out of order"),
        (|map| map.v1.databases[1].1.name = name("a"), "db-1 and db-2 are both named a"),
        (|map| map.v1.databases[0].0 = DatabaseId(0), "db-0 was never given"),
        (|map| map.v1.databases[1].0 = DatabaseId(3), "db-3 is there and dropped"),
        (|map| map.v1.databases[1].1.epoch = Epoch(u64::MAX), "a revision or an epoch is above"),
        (|map| map.v1.revision = Revision(u64::MAX), "a revision or an epoch is above"),
        (|map| map.v1.dropped[0].0 = DatabaseId(4), "db-4 was never given"),
        (|map| map.v1.keys[0].1 = DatabaseId(4), "db-4 was never given"),
        (|map| map.v1.keys[0].0 = IdempotencyKey(1), "two idempotency keys are the same"),
        (|map| map.v1.servers[0].1.name = name("s2"), "two servers are the same"),
        (|map| map.v1.handlers[0].1.name = name("h2"), "two handlers are the same"),
        (|map| map.v1.users.swap(0, 1), "users are out of order"),
        (|map| map.forming.swap(0, 1), "forming databases are out of order"),
        (|map| map.forming[0] = forming(2, 4), "db-2 is to be a copy of db-4, which cannot be copied"),
        (|map| map.forming[0] = forming(2, 2), "db-2 is to be a copy of db-2, which cannot be copied"),
        (|map| map.forming[1] = forming(4, 1), "db-4 is being made and not there"),
        (|map| map.v1.databases[1].1.owner = Some(TENURE), "db-2 is being made and has an owner"),
    ];
    for (spoil, reason) in cases {
        let mut map = good();
        spoil(&mut map);
        let error = build(map).expect_err(reason).to_string();
        assert!(error.starts_with("snapshot contradicts itself: ") && error.contains(reason), "{error}");
    }
}
