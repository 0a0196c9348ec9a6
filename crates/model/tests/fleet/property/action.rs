//! What may happen, in terms that fit any map: small choices that are resolved when their turn comes, so that random
//! histories are mostly about things that are there.

use std::{collections::BTreeSet, num::NonZeroU32};

use model::{
    Cause, Command, DatabaseId, DatabaseOption, Entry, Epoch, Fact, Fleet, FleetId, Fork, ForkPoint,
    IdempotencyKey, Incarnation, Name, OnTimeLimit, Registration, ServerId, Tenure, TimestampMs, What, Why,
};
use proptest::prelude::*;

use super::step::Step;

/// One choice.
#[derive(Clone, Debug)]
pub enum Action {
    Empty,
    Snapshot,
    Found(u8),
    Create { name: u8, owner: Option<Server>, key: Option<u8> },
    Rename { database: u8, name: u8 },
    Drop { database: u8 },
    Forget { database: u8 },
    Assign { database: u8, epoch: u8, to: Server },
    Unassign { database: u8, epoch: u8 },
    Register { name: u8, life: Life, supersedes: Option<Life>, capacity: u8 },
    Expire { server: Server },
    Drain { server: Server, draining: bool },
    Options { database: u8, time_limit_ms: Option<u8>, never: Option<bool> },
    Record { facts: u8, database: u8 },
    Handler { name: u8 },
    PutUser { name: u8, verifier: u8 },
    DropUser { name: u8 },
    Fork { parent: u8, name: u8, position: Option<u8>, key: Option<u8> },
    Form { database: u8 },
    Abandon { database: u8 },
    Reserve { key: u8 },
    Adopt { database: u8, name: u8 },
}

/// A server and a life of it.
#[derive(Clone, Debug)]
pub struct Server {
    number: u8,
    life: Life,
}

/// A life of a server.
#[derive(Clone, Copy, Debug)]
pub enum Life {
    /// The one that the map knows.
    Known,
    /// One that never was. A process makes it up at its start, so no two are the same.
    New,
    /// Another one.
    Other(u8),
}

impl Arbitrary for Action {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let known = (0u8..4).prop_map(|number| Server { number, life: Life::Known });
        let other = (0u8..4, 0u8..8).prop_map(|(number, life)| Server { number, life: Life::Other(life) });
        let server = || prop_oneof![6 => known.clone(), 1 => other.clone()];
        // Mostly the epoch that is true.
        let epoch = || prop_oneof![4 => Just(0u8), 1 => 1u8..4];
        let life = prop_oneof![4 => Just(Life::New), 1 => Just(Life::Known)];
        let over = prop_oneof![3 => Just(Life::Known), 1 => (0u8..8).prop_map(Life::Other)];
        prop_oneof![
            1 => Just(Self::Empty),
            1 => Just(Self::Snapshot),
            1 => (0u8..3).prop_map(Self::Found),
            8 => (0u8..10, proptest::option::of(server()), proptest::option::of(0u8..6))
                .prop_map(|(name, owner, key)| Self::Create { name, owner, key }),
            3 => (0u8..9, 0u8..10).prop_map(|(database, name)| Self::Rename { database, name }),
            3 => (0u8..9).prop_map(|database| Self::Drop { database }),
            2 => (0u8..9).prop_map(|database| Self::Forget { database }),
            8 => (0u8..9, epoch(), server())
                .prop_map(|(database, epoch, to)| Self::Assign { database, epoch, to }),
            3 => (0u8..9, epoch()).prop_map(|(database, epoch)| Self::Unassign { database, epoch }),
            6 => (0u8..3, life, proptest::option::of(over), 0u8..5).prop_map(
                |(name, life, supersedes, capacity)| Self::Register { name, life, supersedes, capacity }
            ),
            3 => server().prop_map(|server| Self::Expire { server }),
            3 => (server(), any::<bool>()).prop_map(|(server, draining)| Self::Drain { server, draining }),
            3 => (0u8..9, proptest::option::of(0u8..3), proptest::option::of(any::<bool>())).prop_map(
                |(database, time_limit_ms, never)| Self::Options { database, time_limit_ms, never }
            ),
            2 => (0u8..4, 0u8..9).prop_map(|(facts, database)| Self::Record { facts, database }),
            1 => (0u8..3).prop_map(|name| Self::Handler { name }),
            1 => (0u8..3, 0u8..3).prop_map(|(name, verifier)| Self::PutUser { name, verifier }),
            1 => (0u8..3).prop_map(|name| Self::DropUser { name }),
            3 => (0u8..9, 0u8..10, proptest::option::of(0u8..3), proptest::option::of(0u8..6))
                .prop_map(|(parent, name, position, key)| Self::Fork { parent, name, position, key }),
            2 => (0u8..9).prop_map(|database| Self::Form { database }),
            1 => (0u8..9).prop_map(|database| Self::Abandon { database }),
            1 => (0u8..6).prop_map(|key| Self::Reserve { key }),
            2 => (0u8..12, 0u8..10).prop_map(|(database, name)| Self::Adopt { database, name }),
        ]
        .boxed()
    }
}

impl Action {
    /// What it means for this map. `lives` counts the lives that ever began.
    pub fn resolve(&self, fleet: &Fleet, lives: &mut u64) -> Step {
        let command = match *self {
            Self::Empty => return Step::Empty,
            Self::Snapshot => return Step::Snapshot,
            Self::Found(number) => Command::Found { fleet: FleetId(u128::from(number)) },
            Self::Create { name, ref owner, key } => Command::CreateDatabase {
                name: database_name(name),
                owner: owner.as_ref().map(|server| server.tenure(fleet)),
                key: key.map(|key| IdempotencyKey(u128::from(key))),
            },
            Self::Rename { database, name } => {
                Command::RenameDatabase { database: pick(fleet, database), name: database_name(name) }
            }
            Self::Drop { database } => Command::DropDatabase { database: pick(fleet, database) },
            Self::Forget { database } => Command::ForgetDatabase { database: pick(fleet, database) },
            Self::Assign { database, epoch, ref to } => {
                let database = pick(fleet, database);
                let epoch_expected = epoch_of(fleet, database, epoch);
                Command::AssignDatabase { database, epoch_expected, to: to.tenure(fleet) }
            }
            Self::Unassign { database, epoch } => {
                let database = pick(fleet, database);
                Command::UnassignDatabase { database, epoch_expected: epoch_of(fleet, database, epoch) }
            }
            Self::Register { name, life, supersedes, capacity } => {
                register(fleet, lives, name, life, supersedes, capacity)
            }
            Self::Expire { ref server } => {
                let Tenure { server, incarnation } = server.tenure(fleet);
                Command::ExpireServer { server, incarnation }
            }
            Self::Drain { ref server, draining } => {
                let Tenure { server, incarnation } = server.tenure(fleet);
                Command::DrainServer { server, incarnation, draining }
            }
            Self::Options { database, time_limit_ms, never } => Command::SetDatabaseOptions {
                database: pick(fleet, database),
                options: options(time_limit_ms, never),
            },
            Self::Record { facts, database } => {
                let fact = Fact::new(What::LoadFinished).database(pick(fleet, database), Epoch(1));
                Command::RecordEvents { facts: vec![fact.evidence("12 pages"); facts.into()] }
            }
            Self::Handler { name } => Command::RegisterHandler {
                name: self::name("h", name),
                address: "h:1".into(),
                location: String::new(),
            },
            Self::PutUser { name, verifier } => {
                Command::PutUser { name: self::name("u", name), verifier: verifier.to_string() }
            }
            Self::DropUser { name } => Command::DropUser { name: self::name("u", name) },
            Self::Fork { parent, name, position, key } => {
                let at = position.map_or(ForkPoint::Newest, |at| ForkPoint::Position(at.into()));
                Command::ForkDatabase {
                    name: database_name(name),
                    fork: Fork { parent: pick(fleet, parent), at },
                    key: key.map(|key| IdempotencyKey(u128::from(key))),
                }
            }
            Self::Abandon { database } => Command::AbandonDatabase { database: pick(fleet, database) },
            Self::Reserve { key } => Command::ReserveDatabase { key: IdempotencyKey(u128::from(key)) },
            // Whoever adopts has read the newest epoch in the journal; no epoch is above the revision.
            Self::Adopt { database, name } => Command::AdoptDatabase {
                database: DatabaseId(u64::from(database)),
                name: database_name(name),
                epoch: Epoch(fleet.revision().0),
            },
            Self::Form { database } => Command::FormDatabase { database: pick(fleet, database) },
        };
        let entry = Entry::new(TimestampMs(fleet.revision().0), command);
        // Every third one says why.
        let why = Why::new(Cause::Operator, format!("at {}", fleet.revision()));
        Step::Entry(Entry { why: fleet.revision().0.is_multiple_of(3).then_some(why), ..entry })
    }
}

impl Server {
    fn tenure(&self, fleet: &Fleet) -> Tenure {
        let server = ServerId(u32::from(self.number) + 1);
        let known = fleet.server(server).map_or(Incarnation(0), |server| server.incarnation);
        let incarnation = match self.life {
            Life::Known | Life::New => known,
            Life::Other(number) => Incarnation(u64::from(number)),
        };
        Tenure { server, incarnation }
    }
}

fn register(
    fleet: &Fleet,
    lives: &mut u64,
    name: u8,
    life: Life,
    supersedes: Option<Life>,
    capacity: u8,
) -> Command {
    let name = self::name("s", name);
    let known = fleet.server_named(&name).map_or(Incarnation(0), |(_, server)| server.incarnation);
    let mut number = |life| match life {
        Life::Known => known,
        Life::Other(number) => Incarnation(u64::from(number)),
        Life::New => {
            *lives += 1;
            Incarnation(*lives)
        }
    };
    let registration = Registration {
        name,
        data_address: "d:1".into(),
        control_address: "c:1".into(),
        location: String::new(),
        capacity: u32::from(capacity),
    };
    let incarnation = number(life);
    Command::RegisterServer { registration, supersedes: supersedes.map(number), incarnation }
}

/// Zero is no limit.
fn options(time_limit_ms: Option<u8>, never: Option<bool>) -> Vec<DatabaseOption> {
    let limit = time_limit_ms.map(|ms| DatabaseOption::TimeLimit(NonZeroU32::new(ms.into())));
    let policy = never.map(|never| if never { OnTimeLimit::Never } else { OnTimeLimit::Auto });
    limit.into_iter().chain(policy.map(DatabaseOption::OnTimeLimit)).collect()
}

/// A name out of few, so that they collide; two of them are reserved.
fn database_name(number: u8) -> Name {
    match number {
        8 => Name::new("stationmaster").expect("a good name"),
        9 => Name::new("db-1").expect("a good name"),
        _ => name("d", number),
    }
}

fn name(kind: &str, number: u8) -> Name {
    Name::new(&format!("{kind}{number}")).expect("a good name")
}

/// A database that is there or waits to be forgotten, or one that is neither.
fn pick(fleet: &Fleet, number: u8) -> DatabaseId {
    let there: BTreeSet<_> =
        fleet.databases_after(None).map(|(id, _)| id).chain(fleet.dropped().map(|(id, _)| id)).collect();
    let number = usize::from(number);
    there.into_iter().nth(number).unwrap_or(DatabaseId(number as u64))
}

fn epoch_of(fleet: &Fleet, database: DatabaseId, off: u8) -> Epoch {
    let epoch = fleet.database(database).map_or(Epoch(0), |database| database.epoch);
    Epoch((epoch.0 + u64::from(off)) ^ u64::from(off == 2))
}
