//! Fixed values, one for each form that bytes on disk can take. Their bytes are in `tests/golden/`.

use std::{num::NonZeroU32, time::Duration};

use model::{
    Cause, Command, DatabaseId, DatabaseOption, Directive, Entry, Epoch, Evidence, Fact, Fleet, FleetId,
    Fork, ForkPoint, HandlerId, IdempotencyKey, Incarnation, Level, Name, OnTimeLimit, Outcome, Person,
    PinnedTo, Registration, Revision, SenderRole, ServerId, Targets, Tenure, TimestampMs, What, Why, Wish,
};

const TENURE: Tenure =
    Tenure { server: ServerId(0x0102_0304), incarnation: Incarnation(0x1122_3344_5566_7788) };

fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

fn registration(text: &str, capacity: u32) -> Registration {
    Registration {
        name: name(text),
        data_address: "10.0.0.1:5432".into(),
        control_address: "10.0.0.1:7200".into(),
        location: "west".into(),
        capacity,
    }
}

/// Every command in every form of its optional parts, by the name of its golden file.
pub fn entries() -> Vec<(&'static str, Entry)> {
    let at = |command| Entry::new(TimestampMs(0x0123_4567_89ab_cdef), command);
    let database = DatabaseId(0x1020_3040_5060_7080);
    let epoch_expected = Epoch(0x0a0b_0c0d_0e0f_0001);
    let create = |owner, key| Command::CreateDatabase { name: name("shop"), owner, key };
    let register = |supersedes| Command::RegisterServer {
        registration: registration("s1", 4),
        supersedes,
        incarnation: TENURE.incarnation,
    };
    let fork =
        |at, key| Command::ForkDatabase { name: name("copy"), fork: Fork { parent: database, at }, key };
    vec![
        ("found", at(Command::Found { fleet: FleetId(0x0123_4567_89ab_cdef_0011_2233_4455_6677) })),
        ("create-database", at(create(None, None))),
        ("create-database-owned", at(create(Some(TENURE), None))),
        ("create-database-with-key", at(create(Some(TENURE), Some(IdempotencyKey(u128::MAX - 1))))),
        ("rename-database", at(Command::RenameDatabase { database, name: name("Größe") })),
        ("drop-database", at(Command::DropDatabase { database })),
        ("forget-database", at(Command::ForgetDatabase { database })),
        ("assign-database", at(Command::AssignDatabase { database, epoch_expected, to: TENURE })),
        ("unassign-database", at(Command::UnassignDatabase { database, epoch_expected })),
        ("register-server", at(register(None))),
        ("register-server-again", at(register(Some(Incarnation(9))))),
        (
            "expire-server",
            at(Command::ExpireServer { server: TENURE.server, incarnation: TENURE.incarnation }),
        ),
        (
            "register-handler",
            at(Command::RegisterHandler {
                name: name("h1"),
                address: "10.0.0.2:7432".into(),
                location: "east".into(),
            }),
        ),
        (
            "put-user",
            at(Command::PutUser {
                name: name("alice"),
                verifier: "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy".into(),
            }),
        ),
        ("drop-user", at(Command::DropUser { name: name("alice") })),
        (
            "drain-server",
            at(Command::DrainServer {
                server: TENURE.server,
                incarnation: TENURE.incarnation,
                draining: true,
            }),
        ),
        ("fork-database", at(fork(ForkPoint::Newest, None))),
        ("fork-database-at-position", at(fork(ForkPoint::Position(0x99), Some(IdempotencyKey(5))))),
        ("fork-database-at-time", at(fork(ForkPoint::Time(TimestampMs(0x0102_0304_0506)), None))),
        ("form-database", at(Command::FormDatabase { database })),
        ("abandon-database", at(Command::AbandonDatabase { database })),
        (
            "set-database-options",
            at(Command::SetDatabaseOptions {
                database,
                options: vec![
                    DatabaseOption::TimeLimit(NonZeroU32::new(0x0102_0304)),
                    DatabaseOption::TimeLimit(None),
                    DatabaseOption::OnTimeLimit(OnTimeLimit::Auto),
                    DatabaseOption::OnTimeLimit(OnTimeLimit::Always),
                    DatabaseOption::OnTimeLimit(OnTimeLimit::Never),
                ],
            }),
        ),
        ("reserve-database", at(Command::ReserveDatabase { key: IdempotencyKey(0x77) })),
        ("adopt-database", at(Command::AdoptDatabase { database, name: name("old"), epoch: epoch_expected })),
        (
            "record-events-of-restoring",
            at(Command::RecordEvents {
                facts: What::ALL[29..31].iter().map(|what| Fact::new(*what)).collect(),
            }),
        ),
        ("record-events", at(Command::RecordEvents { facts: facts() })),
        ("record-level-raised", at(Command::RecordEvents { facts: vec![Fact::new(What::LevelRaised)] })),
        (
            "record-controllers-changed",
            at(Command::RecordEvents { facts: vec![Fact::new(What::ControllersChanged)] }),
        ),
        (
            "record-events-of-directives",
            at(Command::RecordEvents {
                facts: What::ALL[32..34].iter().map(|what| Fact::new(*what)).collect(),
            }),
        ),
        ("put-directive", at(Command::PutDirective { id: name("d-1"), directive: directive(targets()) })),
        (
            "put-directive-to-all",
            at(Command::PutDirective { id: name("d-1"), directive: directive(Targets::default()) }),
        ),
        ("end-directive", at(Command::EndDirective { id: name("d-1") })),
        (
            "pin-database-to-server",
            at(Command::PinDatabase { database, to: Some(PinnedTo::Server(ServerId(2))) }),
        ),
        (
            "pin-database-to-location",
            at(Command::PinDatabase { database, to: Some(PinnedTo::Location("west-1".into())) }),
        ),
        ("unpin-database", at(Command::PinDatabase { database, to: None })),
        ("pause-balancing", at(Command::PauseBalancing { by: name("dba"), paused: true })),
        (
            "record-events-of-placement",
            at(Command::RecordEvents {
                facts: What::ALL[34..41]
                    .iter()
                    .zip([None, None, None, None, None, Some(Cause::Location), Some(Cause::Pin)])
                    .map(|(what, cause)| Fact { cause, ..Fact::new(*what) })
                    .collect(),
            }),
        ),
        ("put-sender", at(put_sender(Some(SenderRole::Approver)))),
        ("put-no-sender", at(put_sender(None))),
        ("send-directive", at(administer(send(false)))),
        ("propose-directive", at(administer(send(true)))),
        ("propose-sender", at(administer(propose_sender(Some(SenderRole::Sender))))),
        ("propose-no-sender", at(administer(propose_sender(None)))),
        ("approve", at(administer(Wish::Approve { id: name("d-1") }))),
        ("revoke", at(administer(Wish::Revoke { id: name("d-1") }))),
        (
            "record-events-of-senders",
            at(Command::RecordEvents {
                facts: What::ALL[41..44].iter().map(|what| Fact::new(*what)).collect(),
            }),
        ),
        (
            "record-events-of-conditions",
            at(Command::RecordEvents {
                facts: What::ALL[44..46].iter().map(|what| Fact::new(*what)).collect(),
            }),
        ),
        ("raise-level", at(Command::RaiseLevel { level: Level::EVENTS })),
        (
            "assign-database",
            Entry {
                why: Some(Why {
                    cause: Cause::ServerExpired,
                    evidence: Evidence::new("s1 (Größe) expired at 120: connection refused"),
                    took_us: Some(0x0102_0304_0506),
                }),
                ..at(Command::AssignDatabase { database, epoch_expected, to: TENURE })
            },
        ),
    ]
}

fn directive(targets: Targets) -> Box<Directive> {
    let text =
        r#"{"v":1,"id":"d-1","epoch":0,"sequence":1,"lifetime_ms":5000,"action":"hold","with":{}}"#.into();
    Box::new(Directive { text, targets, lifetime_ms: 5_000, by: name("dba") })
}

fn put_sender(role: Option<SenderRole>) -> Command {
    Command::PutSender { user: name("alice"), role, by: name("dba") }
}

fn administer(wish: Wish) -> Command {
    Command::Administer { by: Person { user: name("alice"), at: name("handler-1") }, wish }
}

fn send(second: bool) -> Wish {
    Wish::Send { id: name("d-1"), directive: directive(targets()), second }
}

fn propose_sender(role: Option<SenderRole>) -> Wish {
    Wish::PutSender { id: name("g-1"), user: name("bob"), role }
}

fn targets() -> Targets {
    let some = |text| Some(name(text));
    Targets {
        database: some("shop"),
        user: some("alice"),
        application: some("till*"),
        location: some("west-1"),
        driver: some("rust-*"),
        session: some("token-0123456789"),
        share: Some(100),
    }
}

/// One fact of each kind, and each cause in one. A kind that is added later goes into an entry of its own.
fn facts() -> Vec<Fact> {
    let (database, epoch) = (DatabaseId(0x1020_3040_5060_7080), Epoch(0x0a0b_0c0d_0e0f_0001));
    let causes = Cause::ALL[..19].iter().map(|cause| Some(*cause)).chain(std::iter::repeat(None));
    let fact = |(what, cause): (&What, Option<Cause>)| match cause {
        Some(cause) => {
            let fact = Fact::new(*what).database(database, epoch).server(TENURE.server);
            fact.cause(cause).took(Duration::from_micros(0x99)).evidence("why")
        }
        None => Fact::new(*what),
    };
    What::ALL[..28].iter().zip(causes).map(fact).collect()
}

/// A map with something of everything in it that version 1 of snapshots knew.
pub fn fleet() -> Fleet {
    let mut fleet = Fleet::default();
    let mut apply = |at: u64, command| {
        let revision = Revision(fleet.revision().0 + 1);
        fleet.apply(revision, &Entry::new(TimestampMs(at), command)).expect("a good history")
    };
    let one = Tenure { server: ServerId(1), incarnation: Incarnation(0xa1) };
    let two = Tenure { server: ServerId(2), incarnation: Incarnation(0xa2) };
    let register = |text, capacity, incarnation| Command::RegisterServer {
        registration: registration(text, capacity),
        supersedes: None,
        incarnation,
    };
    let create = |text, owner, key: Option<u128>| Command::CreateDatabase {
        name: name(text),
        owner,
        key: key.map(IdempotencyKey),
    };
    apply(1, Command::Found { fleet: FleetId(0xf1ee7) });
    apply(2, register("s1", 1, one.incarnation));
    apply(3, register("s2", 4, two.incarnation));
    let handler = Command::RegisterHandler {
        name: name("h1"),
        address: "10.0.0.2:7432".into(),
        location: String::new(),
    };
    assert_eq!(apply(4, handler), Outcome::Handler { handler: HandlerId(1) });
    apply(5, Command::PutUser { name: name("alice"), verifier: "SCRAM-SHA-256$1:a$b:c".into() });
    apply(6, create("shop", Some(one), Some(7)));
    apply(7, create("Größe", Some(two), Some(3)));
    apply(8, create("depot", None, None));
    apply(9, create("gone", Some(one), Some(u128::MAX)));
    apply(10, Command::AssignDatabase { database: DatabaseId(1), epoch_expected: Epoch(1), to: two });
    apply(11, Command::DropDatabase { database: DatabaseId(4) });
    apply(12, Command::ExpireServer { server: one.server, incarnation: one.incarnation });
    fleet
}

/// The same with a server that drains.
pub fn fleet_that_drains() -> Fleet {
    let mut fleet = fleet();
    let revision = Revision(fleet.revision().0 + 1);
    let command =
        Command::DrainServer { server: ServerId(2), incarnation: Incarnation(0xa2), draining: true };
    fleet.apply(revision, &Entry::new(TimestampMs(13), command)).expect("it is up");
    fleet
}

/// The same with copies that are being made, one of which is dropped already.
pub fn fleet_that_forks() -> Fleet {
    let mut fleet = fleet();
    let mut apply = |command| {
        let revision = Revision(fleet.revision().0 + 1);
        fleet.apply(revision, &Entry::new(TimestampMs(14), command)).expect("a good history")
    };
    let points = [ForkPoint::Newest, ForkPoint::Position(7), ForkPoint::Time(TimestampMs(12))];
    for (number, at) in points.into_iter().enumerate() {
        let fork = Fork { parent: DatabaseId(1), at };
        apply(Command::ForkDatabase { name: name(&format!("copy{number}")), fork, key: None });
    }
    apply(Command::DropDatabase { database: DatabaseId(6) });
    fleet
}

/// The same with options of databases.
pub fn fleet_with_options() -> Fleet {
    let mut fleet = fleet();
    let limit = DatabaseOption::TimeLimit(NonZeroU32::new(2_000));
    for (database, options) in [(3, vec![DatabaseOption::OnTimeLimit(OnTimeLimit::Never)]), (1, vec![limit])]
    {
        let revision = Revision(fleet.revision().0 + 1);
        let command = Command::SetDatabaseOptions { database: DatabaseId(database), options };
        fleet.apply(revision, &Entry::new(TimestampMs(14), command)).expect("it is there");
    }
    fleet
}

/// The same, once all controllers know every level.
pub fn fleet_raised() -> Fleet {
    let mut fleet = fleet_with_options();
    let raise = Command::RaiseLevel { level: Level::EVENTS };
    let revision = Revision(fleet.revision().0 + 1);
    fleet.apply(revision, &Entry::new(TimestampMs(15), raise)).expect("a level above the first");
    fleet
}

/// The same with directives.
pub fn fleet_with_directives() -> Fleet {
    let mut fleet = fleet_raised();
    let mut apply = |at, command| {
        let revision = Revision(fleet.revision().0 + 1);
        fleet.apply(revision, &Entry::new(TimestampMs(at), command)).expect("a good history")
    };
    apply(16, Command::RaiseLevel { level: Level::DIRECTIVES });
    for (at, id, targets) in [(17, "d-2", Targets::default()), (18, "d-1", targets())] {
        apply(at, Command::PutDirective { id: name(id), directive: directive(targets) });
    }
    fleet
}

/// The same with pins, and balancing paused.
pub fn fleet_with_pins() -> Fleet {
    let mut fleet = fleet_with_directives();
    let mut apply = |command| {
        let revision = Revision(fleet.revision().0 + 1);
        fleet.apply(revision, &Entry::new(TimestampMs(19), command)).expect("a good history")
    };
    apply(Command::RaiseLevel { level: Level::PLACEMENT });
    for (database, to) in [(3, PinnedTo::Server(ServerId(1))), (1, PinnedTo::Location("west-1".into()))] {
        apply(Command::PinDatabase { database: DatabaseId(database), to: Some(to) });
    }
    apply(Command::PauseBalancing { by: name("dba"), paused: true });
    fleet
}

/// The same with senders, and with something that waits for a second person.
pub fn fleet_with_senders() -> Fleet {
    let mut fleet = fleet_with_pins();
    let mut apply = |command| {
        let revision = Revision(fleet.revision().0 + 1);
        fleet.apply(revision, &Entry::new(TimestampMs(20), command)).expect("a good history")
    };
    apply(Command::RaiseLevel { level: Level::SENDERS });
    apply(put_sender(Some(SenderRole::Approver)));
    apply(administer(propose_sender(Some(SenderRole::Sender))));
    let other = Wish::Send { id: name("d-3"), directive: directive(targets()), second: true };
    apply(administer(other));
    fleet
}
