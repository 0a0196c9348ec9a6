//! The real thing under torture: owners that do not know that they were replaced, clients that ask the wrong one, and
//! a store that fails, forgets to answer, and delivers late (S1, S2, R18, R28, R29).
//!
//! Every client writes into a page of its own how often and what it has written, and repeats a request under the same
//! number until it is acknowledged. Whatever happens, each request must have been executed exactly once.
//! Time is virtual and everything is drawn from a seed.

mod owner;
mod stores;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use journal::{Faults, Faulty, Memory, Objects, Patience, Store, Threads};
use model::{Epoch, Incarnation, SessionId};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    task::{JoinSet, LocalSet},
    time::{sleep, timeout},
};

use self::{
    owner::{Call, Life, Owner, Seen, Sight},
    stores::{Bad, How},
};
use crate::world::*;

const CLIENTS: u32 = 6;
const REQUESTS: u64 = 25;
const PROCESSES: u64 = 4;
const TAKEOVERS: u64 = 14;

const FAULTS: Faults = Faults {
    put_fails: 0.04,
    answer_lost: 0.05,
    put_late: 0.06,
    put_twice: 0.04,
    read_fails: 0.02,
    late_ms: 1..900,
    latency_ms: 1..12,
    ..Faults::NONE
};

/// Who is believed to own the database, and everybody who was before.
type Owners = Rc<RefCell<Vec<Owner>>>;

struct Torture {
    objects: Arc<dyn Objects>,
    faults: Faults,
    random: StdRng,
    owners: Owners,
    sight: Sight,
}

impl Torture {
    fn new(objects: Arc<dyn Objects>, faults: Faults, seed: u64, sight: Sight) -> Self {
        Self { objects, faults, random: StdRng::seed_from_u64(seed), owners: Owners::default(), sight }
    }

    fn process(&mut self, number: u64) -> Process {
        let faulty = Faulty::new(Arc::clone(&self.objects), self.faults.clone(), self.random.random());
        let faulty = Arc::new(faulty);
        let patience = Patience { attempt: Duration::from_millis(40), total: Duration::from_millis(400) };
        let store = Store::with(faulty.clone(), FLEET, Incarnation(number), patience, Threads::Inline);
        Process { store, faulty }
    }

    /// Runs clients against ever new owners; returns what each page says in the end, or why it cannot be said.
    async fn run(mut self) -> Result<Vec<owner::Tally>, String> {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (owners, seed) = (Rc::clone(&self.owners), self.random.random());
            clients.spawn_local(client_loop(client, owners, seed));
        }
        let processes: Vec<Process> = (1..=PROCESSES).map(|number| self.process(number)).collect();
        let mut epoch = 0;
        while epoch < TAKEOVERS {
            // Now and then two processes open at once.
            let rivals = if self.random.random_bool(0.3) { 2 } else { 1 };
            let openings: Vec<_> = (0..rivals)
                .map(|_| {
                    epoch += 1;
                    let process = &processes[self.random.random_range(0..processes.len())];
                    let life = Life { seed: self.random.random(), mortal: true };
                    owner::start(process.store.clone(), Epoch(epoch), life, Rc::clone(&self.sight))
                })
                .collect();
            for opened in futures::future::join_all(openings).await {
                self.owners.borrow_mut().extend(opened?);
            }
            self.pause(&processes).await;
        }
        // The faults stop; the last owner must serve everybody.
        self.faults = Faults::NONE;
        let store = self.process(9_999).store;
        let last =
            owner::start(store, Epoch(epoch + 1), Life { seed: 0, mortal: false }, Rc::clone(&self.sight))
                .await?;
        self.owners.borrow_mut().push(last.ok_or("the last opening was refused")?);
        let finished =
            timeout(Duration::from_secs(600), async { while clients.join_next().await.is_some() {} });
        finished.await.map_err(|_| "clients hang although the faults have stopped")?;
        let store = self.process(10_000).store;
        let opened = store.open(SHOP, Epoch(epoch + 2), NOW).await;
        let (_, recovery) = opened.map_err(|error| format!("final opening: {error:?}"))?;
        let image = recovery.image().await.map_err(|error| format!("final image: {error:?}"))?;
        Ok((0..CLIENTS).map(|client| owner::tally(&image, client)).collect())
    }

    /// Until the next takeover; sometimes a process cannot reach the store meanwhile.
    async fn pause(&mut self, processes: &[Process]) {
        let pause = Duration::from_millis(self.random.random_range(20..250));
        if self.random.random_bool(0.15) {
            let cut_off = Arc::clone(&processes[self.random.random_range(0..processes.len())].faulty);
            let (faults, out) =
                (self.faults.clone(), Duration::from_millis(self.random.random_range(100..1200)));
            cut_off.set(Faults { unreachable: Some("injected: no route"), ..faults.clone() });
            tokio::task::spawn_local(async move {
                sleep(out).await;
                cut_off.set(faults);
            });
        }
        sleep(pause).await;
    }
}

/// A process and its way to the store.
struct Process {
    store: Store,
    faulty: Arc<Faulty>,
}

/// Sends each request until it is acknowledged, mostly to the newest owner.
async fn client_loop(client: u32, owners: Owners, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for number in 1..=REQUESTS {
        loop {
            let owner = {
                let owners = owners.borrow();
                let back =
                    if random.random_bool(0.2) { random.random_range(0..owners.len().max(1)) } else { 0 };
                owners.iter().rev().nth(back).cloned()
            };
            let Some(owner) = owner else {
                sleep(Duration::from_millis(5)).await;
                continue;
            };
            let call = Call { session: SessionId(client.into()), client, number };
            let patience = Duration::from_millis(random.random_range(15..700));
            match timeout(patience, owner.call(call)).await {
                Ok(Some(response)) => {
                    assert_eq!(response, number.to_string(), "the answer to another request");
                    break;
                }
                Ok(None) | Err(_) => sleep(Duration::from_millis(random.random_range(1..20))).await,
            }
        }
        sleep(Duration::from_millis(random.random_range(0..60))).await;
    }
}

/// Runs one seed to its end; returns what was violated.
fn torture(objects: Arc<dyn Objects>, seed: u64, sight: &Sight) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let tallies = LocalSet::new().block_on(
        &runtime.expect("a runtime"),
        Torture::new(objects, FAULTS, seed, Rc::clone(sight)).run(),
    )?;
    for (client, tally) in tallies.iter().enumerate() {
        if (tally.count, tally.last) != (REQUESTS, REQUESTS) {
            return Err(format!(
                "client {client} was told that requests 1 to {REQUESTS} are durable; its page counts {tally:?}"
            ));
        }
    }
    Ok(())
}

/// Runs of the torture; the environment may ask for more.
fn seeds() -> u64 {
    std::env::var("JOURNAL_TORTURE_SEEDS").map_or(60, |text| text.parse().expect("a number of seeds"))
}

#[test]
fn every_request_is_executed_exactly_once_whatever_the_store_and_the_owners_do() {
    let sight = Sight::default();
    for seed in 0..seeds() {
        assert_eq!(torture(Arc::new(Memory::default()), seed, &sight), Ok(()), "seed {seed}");
    }
    let seen = *sight.borrow();
    let Seen {
        opened,
        refused_openings,
        commits,
        fenced,
        stalled,
        settled_by_outcome,
        snapshots,
        collected,
        sealed,
    } = seen;
    let rare = [refused_openings, fenced, stalled, settled_by_outcome, snapshots, collected, sealed];
    assert!(
        opened > 500 && commits > 5_000 && rare.iter().all(|count| *count > 10),
        "it hardly hurts: {seen:?}"
    );
}

#[test]
fn one_seed_runs_the_same_way_twice() {
    let contents = || {
        let memory = Arc::new(Memory::default());
        assert_eq!(torture(memory.clone(), 7, &Sight::default()), Ok(()));
        memory.all()
    };
    assert!(contents() == contents(), "the same seed left two different stores");
}

#[test]
fn the_torture_catches_stores_without_an_atomic_put_if_absent() {
    for how in [How::LastWriterWins, How::CheckThenSet] {
        let caught = (0..40).find_map(|seed| torture(Bad::new(how), seed, &Sight::default()).err());
        assert!(caught.is_some(), "{how:?} must lose something");
    }
}

#[tokio::test]
async fn the_self_test_refuses_the_stores_that_the_torture_catches() {
    for how in [How::LastWriterWins, How::CheckThenSet] {
        let error = process(&Bad::new(how), 1).prove().await.expect_err("refused");
        assert!(matches!(error, journal::objects::ProofError::Race { winners: 2.., .. }), "{how:?}: {error}");
    }
    let error = process(&Bad::new(How::KeepsNothing), 1).prove().await.expect_err("refused");
    assert!(matches!(error, journal::objects::ProofError::Race { winners: 0, .. }), "{error}");
    memory().1.prove().await.expect("a good store passes");
}

#[test]
fn a_log_knows_its_own_record_when_the_answer_to_it_was_lost() {
    for seed in 0..10 {
        let store = Bad::new(How::AnswersTheSecondTry);
        assert_eq!(torture(store, seed, &Sight::default()), Ok(()), "seed {seed}");
    }
}

#[tokio::test]
async fn the_self_test_knows_a_winner_whose_answer_was_lost_by_its_bytes() {
    let store = process(&Bad::new(How::AnswersTheSecondTry), 1);
    store.prove().await.expect("nobody could win twice");
}
