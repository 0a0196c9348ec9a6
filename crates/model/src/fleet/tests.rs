//! What no history of reasonable length reaches: the ends of the counters.

use crate::*;

fn registration(name: &str) -> Registration {
    Registration {
        name: Name::new(name).expect("a good name"),
        data_address: "a:1".into(),
        control_address: "a:2".into(),
        location: String::new(),
        capacity: 1,
    }
}

fn apply(fleet: &mut Fleet, command: Command) -> Result<Outcome, Rejection> {
    fleet.apply(Revision(fleet.revision().0 + 1), &Entry::new(TimestampMs(0), command))
}

fn register(fleet: &mut Fleet, name: &str) -> Result<Outcome, Rejection> {
    let command = Command::RegisterServer {
        registration: registration(name),
        supersedes: None,
        incarnation: Incarnation(1),
    };
    apply(fleet, command)
}

fn handler(fleet: &mut Fleet, name: &str) -> Result<Outcome, Rejection> {
    let name = Name::new(name).expect("a good name");
    apply(fleet, Command::RegisterHandler { name, address: "a:1".into(), location: String::new() })
}

#[test]
fn a_server_is_rejected_when_the_last_server_id_is_given() {
    let mut fleet = Fleet::default();
    assert_eq!(register(&mut fleet, "s1"), Ok(Outcome::Server { server: ServerId(1) }));
    let server = fleet.servers[&ServerId(1)].clone();
    fleet.servers.insert(ServerId(u32::MAX), Server { name: Name::new("last").expect("good"), ..server });
    assert_eq!(register(&mut fleet, "s2"), Err(Rejection::IdsExhausted { what: IdKind::Server }));
    assert_eq!(fleet.servers.len(), 2);
}

#[test]
fn a_handler_is_rejected_when_the_last_handler_id_is_given_but_a_known_one_may_return() {
    let mut fleet = Fleet::default();
    assert_eq!(handler(&mut fleet, "h1"), Ok(Outcome::Handler { handler: HandlerId(1) }));
    let record = fleet.handlers[&HandlerId(1)].clone();
    fleet.handlers.insert(HandlerId(u16::MAX), Handler { name: Name::new("last").expect("good"), ..record });
    assert_eq!(handler(&mut fleet, "h2"), Err(Rejection::IdsExhausted { what: IdKind::Handler }));
    assert_eq!(handler(&mut fleet, "last"), Ok(Outcome::Handler { handler: HandlerId(u16::MAX) }));
}

#[test]
fn a_database_is_rejected_when_the_last_database_id_is_given_and_restoring_does_not_wrap_around() {
    let fleet = Fleet { database_last: u64::MAX - 1, ..Fleet::default() };
    let mut fleet = fleet.restored(TimestampMs(7), "of a test");
    let create = Command::CreateDatabase { name: Name::new("shop").expect("good"), owner: None, key: None };
    assert_eq!(apply(&mut fleet, create), Err(Rejection::IdsExhausted { what: IdKind::Database }));
    assert_eq!(fleet.database_named("shop"), None);
}

#[test]
fn events_never_go_back_whatever_the_leaders_clocks_say() {
    let mut fleet = Fleet::default();
    let hour = 3_600_000;
    for (revision, at) in (1..).zip([10 * hour, 11 * hour, 9 * hour, 10 * hour, 12 * hour]) {
        let verifier = String::new();
        let put = Command::PutUser { name: Name::new("alice").expect("good"), verifier };
        fleet.apply(Revision(revision), &Entry::new(TimestampMs(at), put)).expect("possible");
    }
    let told: Vec<u64> = fleet.events().iter().map(|event| event.at.0 / hour).collect();
    assert_eq!(told, [10, 11, 11, 11, 12]);
}
