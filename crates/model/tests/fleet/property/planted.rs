//! A checker that has never caught a violation is not trusted: each rule is shown one.

use model::{
    Change, Command, DatabaseId, Digest, Entry, Epoch, Event, Fleet, IdempotencyKey, Incarnation, Name,
    Outcome, Registration, Rejection, Revision, ServerId, ServerState, Tenure, TimestampMs,
};

use super::{
    invariants::*,
    seen::{Moment, Past, Seen},
    step::Step,
};

const A: Tenure = Tenure { server: ServerId(1), incarnation: Incarnation(10) };

/// One step in which nothing is wrong: database 1, owned at epoch 1, is given to its owner again.
struct Scene {
    past: Past,
    before: Seen,
    step: Step,
    answer: Result<Outcome, Rejection>,
    after: Seen,
    changes: Vec<Change>,
    replica: Seen,
    restored: Seen,
    same_bytes: bool,
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

fn entry(command: Command) -> Entry {
    Entry::new(TimestampMs(0), command)
}

fn create(text: &str, owner: Option<Tenure>) -> Command {
    Command::CreateDatabase { name: name(text), owner, key: Some(IdempotencyKey(1)) }
}

impl Scene {
    fn new() -> Self {
        let mut fleet = Fleet::default();
        let registration = Registration {
            name: name("s1"),
            data_address: "d:1".into(),
            control_address: "c:1".into(),
            location: String::new(),
            capacity: 1,
        };
        let register = Command::RegisterServer { registration, supersedes: None, incarnation: A.incarnation };
        let assign = Command::AssignDatabase { database: DatabaseId(1), epoch_expected: Epoch(1), to: A };
        fleet.apply(Revision(1), &entry(register)).expect("it registers");
        fleet.apply(Revision(2), &entry(create("shop", Some(A)))).expect("it is created");
        let before = Seen::of(&fleet);
        let answer = fleet.apply(Revision(3), &entry(assign.clone()));
        let after = Seen::of(&fleet);
        let past = Past {
            epochs: [(DatabaseId(1), Epoch(1))].into(),
            ended: Vec::new(),
            made: [(IdempotencyKey(1), DatabaseId(1))].into(),
        };
        Self {
            past,
            before,
            step: Step::Entry(entry(assign)),
            answer,
            changes: vec![Change::Database(DatabaseId(1))],
            replica: after.clone(),
            restored: after.clone(),
            same_bytes: true,
            after,
        }
    }

    fn check(&self, check: Check) -> Result<(), String> {
        check(&Moment {
            past: &self.past,
            before: &self.before,
            step: &self.step,
            answer: Some(self.answer.clone()),
            after: &self.after,
            changes: self.changes.clone(),
            replica: (&self.replica, Some(self.answer.clone())),
            restored: (&self.restored, self.same_bytes),
        })
    }

    fn server(&mut self, incarnation: Incarnation, state: ServerState) {
        self.after.servers.insert(A.server, (incarnation, state));
    }

    fn last(&mut self) -> &mut Event {
        self.after.events.last_mut().expect("it was told of")
    }

    fn shop(&mut self) -> &mut super::seen::Database {
        self.after.databases.get_mut(&DatabaseId(1)).expect("it is there")
    }
}

type Plant = fn(&mut Scene);

/// Each rule with violations that it must catch.
const PLANTED: &[(Check, &[Plant])] = &[
    (
        invariant_names_and_databases_correspond,
        &[
            |scene| scene.after.databases_len = 2,
            |scene| scene.shop().found = Some(DatabaseId(2)),
            |scene| scene.shop().found = None,
            |scene| {
                scene.after.names = vec!["shop".into(), "shop".into()];
                let shop = scene.after.databases[&DatabaseId(1)].clone();
                scene.after.databases.insert(DatabaseId(2), shop);
                scene.after.databases_len = 2;
            },
        ],
    ),
    (invariant_epochs_never_fall, &[|scene| scene.shop().epoch = Epoch(0)]),
    (
        invariant_a_change_of_owner_raises_the_epoch_by_one,
        &[
            |scene| scene.shop().epoch = Epoch(3),
            |scene| {
                scene.shop().epoch = Epoch(1);
                scene.shop().given_to = None;
            },
            |scene| {
                scene.before.databases.get_mut(&DatabaseId(1)).expect("there").owner = None;
                scene.shop().epoch = Epoch(1);
            },
        ],
    ),
    (
        invariant_the_owner_is_up_in_that_life,
        &[
            |scene| scene.server(A.incarnation, ServerState::Down),
            |scene| scene.server(Incarnation(11), ServerState::Up),
            |scene| scene.after.servers.clear(),
            |scene| scene.shop().owner = None,
        ],
    ),
    (invariant_a_life_that_is_over_stays_over, &[|scene| scene.past.ended.push(A)]),
    (
        invariant_a_draining_server_gets_nothing_new,
        &[|scene| {
            scene.before.servers.insert(A.server, (A.incarnation, ServerState::Draining));
        }],
    ),
    (
        invariant_ids_are_never_given_twice,
        &[
            |scene| scene.before.databases.clear(),
            |scene| {
                scene.before.databases.clear();
                scene.past.epochs.insert(DatabaseId(7), Epoch(0));
            },
        ],
    ),
    (
        invariant_a_dropped_database_is_fenced_above_all_its_epochs,
        &[
            |scene| scene.after.dropped.extend([(DatabaseId(1), Epoch(9))]),
            |scene| {
                scene.after.databases.clear();
                scene.after.dropped.insert(DatabaseId(1), Epoch(1));
            },
        ],
    ),
    (
        invariant_the_revision_advances,
        &[
            |scene| scene.after.revision = scene.before.revision,
            |scene| scene.after.digest.revision = Revision(9),
            |scene| scene.step = Step::Snapshot,
        ],
    ),
    (
        invariant_a_rejection_changes_nothing,
        &[
            |scene| scene.answer = Err(Rejection::CapacityZero),
            |scene| {
                *scene = Scene { after: scene.before.clone(), ..Scene::new() };
                scene.answer = Err(Rejection::CapacityZero);
            },
        ],
    ),
    (
        invariant_watchers_learn_of_what_changed,
        &[|scene| scene.changes.clear(), |scene| scene.changes.extend(scene.changes.clone())],
    ),
    (
        invariant_what_changed_left_an_event_and_nothing_else_did,
        &[
            |scene| drop(scene.after.events.pop()),
            |scene| drop(scene.after.events.remove(0)),
            |scene| scene.after.lines = scene.before.lines.clone(),
            |scene| scene.last().id.revision = Revision(9),
            |scene| {
                let again = scene.last().clone();
                scene.after.events.push(again);
            },
            |scene| scene.answer = Err(Rejection::CapacityZero),
        ],
    ),
    (
        invariant_events_tell_the_epochs,
        &[
            |scene| scene.last().epoch_before = None,
            |scene| scene.last().epoch_after = Some(Epoch(3)),
            |scene| scene.last().to = Some(ServerId(2)),
        ],
    ),
    (
        invariant_one_idempotency_key_makes_one_database,
        &[
            |scene| scene.step = Step::Entry(entry(create("shop", None))),
            |scene| {
                scene.step = Step::Entry(entry(create("shop", None)));
                scene.after = scene.before.clone();
                scene.answer = Ok(Outcome::Database { database: DatabaseId(2), epoch: Epoch(0) });
            },
        ],
    ),
    (
        invariant_a_copy_that_forms_is_nobodys_and_its_parent_stays,
        &[
            |scene| scene.after.forming = [(DatabaseId(1), DatabaseId(2))].into(),
            |scene| scene.after.forming = [(DatabaseId(7), DatabaseId(8))].into(),
            |scene| {
                scene.after.forming = [(DatabaseId(7), DatabaseId(1)), (DatabaseId(1), DatabaseId(1))].into();
                scene.shop().given_to = None;
            },
        ],
    ),
    (
        invariant_another_map_has_another_digest,
        &[|scene| scene.after.digest = Digest { value: scene.before.digest.value, ..scene.after.digest }],
    ),
    (
        invariant_equal_histories_give_equal_maps,
        &[
            |scene| scene.replica.digest.value += 1,
            |scene| scene.replica = scene.before.clone(),
            |scene| drop(scene.replica.events.pop()),
        ],
    ),
    (
        invariant_a_snapshot_is_the_same_map,
        &[
            |scene| scene.same_bytes = false,
            |scene| scene.restored = scene.before.clone(),
            |scene| scene.restored.digest.value += 1,
            |scene| drop(scene.restored.events.pop()),
        ],
    ),
];

#[test]
fn every_invariant_catches_what_it_is_there_for() {
    assert_eq!(PLANTED.len(), ALL.len(), "a rule without a planted violation");
    for (at, (check, plants)) in PLANTED.iter().enumerate() {
        assert_eq!(Scene::new().check(*check), Ok(()), "rule {at} is broken by a good step");
        for (which, plant) in plants.iter().enumerate() {
            let mut scene = Scene::new();
            plant(&mut scene);
            assert!(scene.check(*check).is_err(), "rule {at} lets violation {which} pass");
        }
    }
}
