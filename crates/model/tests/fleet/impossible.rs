//! Commands with impossible content: rejections, equal on every controller, that change nothing.

use model::{
    Command, DatabaseId, Entry, Epoch, Fact, Field, Fleet, Fork, ForkPoint, Incarnation, Name, Outcome,
    Registration, Rejection, Revision, ServerId, Tenure, TimestampMs, What, codec,
};
use proptest::prelude::*;

use crate::{samples, view};

/// As long as a message may be, nearly.
const HUGE_BYTES: usize = 10 << 20;

/// The same map on two controllers: one applied every entry, the other began with a snapshot.
struct Controllers(Vec<Fleet>);

impl Controllers {
    fn with(fleet: Fleet) -> Self {
        let bytes = codec::encode_snapshot(&fleet);
        let late = codec::decode_snapshot(&bytes).expect("our own snapshot");
        Self(vec![fleet, late])
    }

    /// What all of them say to a command, which they were sent as bytes.
    fn say(&mut self, command: Command) -> Result<Outcome, Rejection> {
        let bytes = codec::encode_entry(&Entry::new(TimestampMs(99), command));
        let entry = codec::decode_entry(&bytes).expect("our own entry");
        let before = self.0[0].digest().value;
        let said: Vec<_> = self.0.iter_mut().map(|fleet| said(fleet, &entry)).collect();
        assert_eq!(said[0], said[1], "two controllers differ about {entry:?}");
        assert_eq!(view::lines(&self.0[0]), view::lines(&self.0[1]));
        assert_eq!(self.0[0].digest(), self.0[1].digest());
        if said[0].is_err() {
            assert_eq!(self.0[0].digest().value, before, "a rejection changed something");
        }
        said[0].clone()
    }
}

fn said(fleet: &mut Fleet, entry: &Entry) -> Result<Outcome, Rejection> {
    fleet.apply(Revision(fleet.revision().0 + 1), entry)
}

/// Ids that were never given, or are gone.
fn unknown() -> impl Strategy<Value = DatabaseId> {
    prop_oneof![Just(0), Just(u64::MAX), 100..u64::MAX].prop_map(DatabaseId)
}

/// Lives that never were.
fn nobody() -> impl Strategy<Value = Tenure> {
    let server = prop_oneof![Just(0), Just(1), Just(2), Just(u32::MAX), any::<u32>()].prop_map(ServerId);
    let life = prop_oneof![Just(0), Just(u64::MAX), 0xb000..u64::MAX].prop_map(Incarnation);
    (server, life).prop_map(|(server, incarnation)| Tenure { server, incarnation })
}

/// Epochs that no database of the sample has.
fn stale() -> impl Strategy<Value = Epoch> {
    prop_oneof![Just(u64::MAX), 10..u64::MAX].prop_map(Epoch)
}

fn name() -> Name {
    Name::new("another").expect("a good name")
}

fn impossible() -> impl Strategy<Value = Command> {
    let here = || (1u64..=3).prop_map(DatabaseId);
    prop_oneof![
        unknown().prop_map(|database| Command::RenameDatabase { database, name: name() }),
        unknown().prop_map(|database| Command::DropDatabase { database }),
        unknown().prop_map(|database| Command::FormDatabase { database }),
        unknown().prop_map(|database| Command::AbandonDatabase { database }),
        unknown().prop_map(|database| Command::SetDatabaseOptions { database, options: Vec::new() }),
        (unknown(), stale(), nobody()).prop_map(|(database, epoch_expected, to)| {
            Command::AssignDatabase { database, epoch_expected, to }
        }),
        (here(), stale(), nobody()).prop_map(|(database, epoch_expected, to)| Command::AssignDatabase {
            database,
            epoch_expected,
            to
        }),
        (here(), any::<u64>(), nobody()).prop_map(|(database, epoch, to)| Command::AssignDatabase {
            database,
            epoch_expected: Epoch(epoch),
            to
        }),
        (here(), stale())
            .prop_map(|(database, epoch_expected)| Command::UnassignDatabase { database, epoch_expected }),
        nobody().prop_map(|Tenure { server, incarnation }| Command::ExpireServer { server, incarnation }),
        (nobody(), any::<bool>()).prop_map(|(Tenure { server, incarnation }, draining)| {
            Command::DrainServer { server, incarnation, draining }
        }),
        nobody().prop_map(|owner| Command::CreateDatabase { name: name(), owner: Some(owner), key: None }),
        (unknown(), any::<u64>()).prop_map(|(parent, at)| Command::ForkDatabase {
            name: name(),
            fork: Fork { parent, at: ForkPoint::Position(at) },
            key: None
        }),
    ]
}

proptest! {
    #[test]
    fn impossible_commands_are_rejected_alike_everywhere_c14(commands in prop::collection::vec(impossible(), 1..8)) {
        let mut controllers = Controllers::with(samples::fleet());
        for command in commands {
            let said = controllers.say(command.clone());
            prop_assert!(said.is_err(), "{command:?} was accepted: {said:?}");
        }
    }
}

/// Each text that has a limit, far above it.
#[test]
fn huge_texts_are_rejected_and_not_kept() {
    let huge = || "x".repeat(HUGE_BYTES);
    let registration = |data: String, control: String, location: String| Command::RegisterServer {
        registration: Registration {
            name: name(),
            data_address: data,
            control_address: control,
            location,
            capacity: 1,
        },
        supersedes: None,
        incarnation: Incarnation(9),
    };
    let handler =
        |address: String, location: String| Command::RegisterHandler { name: name(), address, location };
    let mut controllers = Controllers::with(samples::fleet());
    for (command, expected) in [
        (registration(huge(), "c:1".into(), "west".into()), Field::Address),
        (registration("d:1".into(), huge(), "west".into()), Field::Address),
        (registration("d:1".into(), "c:1".into(), huge()), Field::Location),
        (handler(huge(), "west".into()), Field::Address),
        (handler("h:1".into(), huge()), Field::Location),
        (Command::PutUser { name: name(), verifier: huge() }, Field::Verifier),
    ] {
        let said = controllers.say(command);
        assert!(
            matches!(said, Err(Rejection::TooLong { what, bytes: HUGE_BYTES, .. }) if what == expected),
            "{said:?}"
        );
    }
}

/// A name that is none cannot even be said: an entry with one is damage, and never reaches a map.
#[test]
fn an_entry_with_an_impossible_name_is_damage() {
    let named = |name: &str| {
        let command = Command::DropUser { name: Name::new("NAME").expect("a good name") };
        let bytes = codec::encode_entry(&Entry::new(TimestampMs(1), command));
        let at = bytes.windows(4).position(|part| part == b"NAME").expect("it is there");
        let length = (name.len() as u64).to_le_bytes();
        [&bytes[..at - 8], &length, name.as_bytes(), &bytes[at + 4..]].concat()
    };
    codec::decode_entry(&named("name")).expect("a good name");
    for bad in ["", "a\0b", "a\nb", "\u{85}", &"x".repeat(64), &"x".repeat(HUGE_BYTES)] {
        let error = codec::decode_entry(&named(bad)).expect_err("a bad name");
        assert!(matches!(error, codec::Error::Damaged { .. }), "{error}");
    }
}

/// More facts than one command may have: the first ones are taken, on every controller the same.
#[test]
fn too_many_facts_are_cut_alike_everywhere() {
    let facts = vec![Fact::new(What::LoadFinished).evidence("x"); 100_000];
    let mut controllers = Controllers::with(samples::fleet());
    let before = controllers.0[0].events().len();
    assert_eq!(controllers.say(Command::RecordEvents { facts }), Ok(Outcome::Done));
    assert_eq!(controllers.0[0].events().len(), before + model::FACTS_MAX);
    // The late one knows of nothing that happened before its snapshot.
    let newest =
        |fleet: &Fleet| fleet.events().iter().rev().take(model::FACTS_MAX).cloned().collect::<Vec<_>>();
    assert_eq!(newest(&controllers.0[0]), newest(&controllers.0[1]));
}
