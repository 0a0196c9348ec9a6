//! One database on this server, as its sessions and the control service see it. Its owner task does the work.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use journal::Position;
use model::{DatabaseId, Epoch};
use rpc::server::ServerRefusal;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

use super::{
    attachments::Attachments,
    doors::{Doors, Next, Patience, Why},
    line::Line,
    questions::Questions,
    visit::{Entered, Visit},
};
use crate::{
    answers::Ending,
    engine::{CommitSeq, Database},
    lease::Lease,
    usage::Used,
};

/// A database that is being loaded, served or put away. Removed from the table when it is gone.
pub struct Resident {
    /// Which.
    pub id: DatabaseId,
    /// Under which epoch.
    pub epoch: Epoch,
    phase: watch::Sender<Phase>,
    doors: Mutex<Doors>,
    signal: watch::Sender<Signal>,
    pub(super) durable: watch::Sender<Durable>,
    /// How often a proof was asked for that nobody else owns the database.
    pub(super) asked: AtomicU64,
    /// While it holds, none is needed.
    pub(super) lease: Lease,
    /// Which client sessions are inside.
    pub(super) attachments: Arc<Attachments>,
    /// What they ask.
    pub(super) questions: Questions,
    /// What it has used here.
    pub used: Used,
    /// The log beside the image is to be folded.
    checkpoint: AtomicBool,
    /// Its way into the journal, once it is loaded.
    line: OnceLock<Arc<tokio::sync::Mutex<Line>>>,
    /// Tells the owner that something changed.
    wake: Notify,
}

/// Where a resident stands.
#[derive(Clone)]
pub enum Phase {
    /// The owner is loading it.
    Loading,
    /// It serves sessions, as soon as the owner has opened its working copy again.
    Cool,
    /// It serves sessions.
    Warm(Arc<dyn Database>),
    /// It is not here any more, and asking again under the same epoch gets this answer.
    Gone(ServerRefusal),
}

/// What a database's sessions have to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Nothing.
    Serve,
    /// Go at the next good moment.
    Drain,
    /// Go now, with these words.
    Cut(Ending),
}

/// How far commits are safe.
#[derive(Clone, Debug, Default)]
pub(super) struct Durable {
    pub(super) through: CommitSeq,
    /// The journal's position with all of them; it may have older ones of its own.
    pub(super) position: Position,
    /// So many of those who asked for a proof have it.
    pub(super) proven: u64,
    pub(super) lost: Option<Ending>,
}

impl Resident {
    /// About to be loaded.
    pub fn new(id: DatabaseId, epoch: Epoch, lease: Lease, now: Instant) -> Self {
        Self {
            id,
            epoch,
            phase: watch::Sender::new(Phase::Loading),
            doors: Mutex::new(Doors::open(now)),
            signal: watch::Sender::new(Signal::Serve),
            durable: watch::Sender::default(),
            asked: AtomicU64::new(0),
            lease,
            attachments: Arc::default(),
            questions: Questions::default(),
            used: Used::default(),
            checkpoint: AtomicBool::new(false),
            line: OnceLock::new(),
            wake: Notify::new(),
        }
    }

    /// Waits until it is loaded.
    ///
    /// # Errors
    /// Why it could not be loaded, or that it is gone already.
    pub async fn loaded(&self) -> Result<(), ServerRefusal> {
        let mut phase = self.phase.subscribe();
        let settled = phase.wait_for(|phase| !matches!(phase, Phase::Loading)).await;
        match &*settled.expect("BUG: the sender is in self") {
            Phase::Cool | Phase::Warm(_) => Ok(()),
            Phase::Gone(refusal) => Err(refusal.clone()),
            Phase::Loading => unreachable!("BUG: waited for another phase"),
        }
    }

    /// Whether it is loaded now.
    pub fn is_serving(&self) -> bool {
        matches!(&*self.phase.borrow(), Phase::Cool | Phase::Warm(_))
    }

    /// Waits until it is put away.
    pub async fn gone(&self) {
        let mut phase = self.phase.subscribe();
        let gone = phase.wait_for(|phase| matches!(phase, Phase::Gone(_))).await;
        drop(gone.expect("BUG: the sender is in self"));
    }

    /// Lets a session in, once it is loaded.
    ///
    /// # Errors
    /// [`Ending::NotOwner`] when it is not served any more.
    pub async fn enter(self: &Arc<Self>) -> Result<Visit, Ending> {
        let refused = || Ending::NotOwner { epoch: Some(self.epoch) };
        self.loaded().await.map_err(|_| refused())?;
        if !self.doors().enter() {
            return Err(refused());
        }
        let entered = Entered::new(Arc::clone(self));
        self.wake();
        let mut signals = self.signals();
        tokio::select! {
            biased;
            warm = self.warm() => {
                let database = warm.ok_or_else(refused)?;
                Ok(Visit::new(database, entered))
            }
            _cut = signals.wait_for(|signal| matches!(signal, Signal::Cut(_))) => Err(refused()),
        }
    }

    /// Waits until the working copy is open; nothing when it is gone. Whoever waits has entered, so it stays open.
    async fn warm(&self) -> Option<Arc<dyn Database>> {
        let mut phase = self.phase.subscribe();
        let settled = phase.wait_for(|phase| matches!(phase, Phase::Warm(_) | Phase::Gone(_))).await;
        match &*settled.expect("BUG: the sender is in self") {
            Phase::Warm(database) => Some(Arc::clone(database)),
            Phase::Gone(_) => None,
            Phase::Loading | Phase::Cool => unreachable!("BUG: waited for another phase"),
        }
    }

    /// The working copy is open: who has entered goes on. Its commits up to `through` are durable, at this position.
    pub(super) fn warmed(&self, database: Arc<dyn Database>, through: CommitSeq, position: Position) {
        self.durable.send_modify(|durable| (durable.through, durable.position) = (through, position));
        self.doors().warmed(Instant::now());
        self.set_phase(Phase::Warm(database));
    }

    /// It is loaded: commits go this way. Once.
    pub(super) fn lay(&self, line: Arc<tokio::sync::Mutex<Line>>) {
        assert!(self.line.set(line).is_ok(), "BUG: loaded twice");
    }

    /// Makes what was committed durable, on the calling thread if that is free to do so, by the owner otherwise.
    /// The calling thread is not free while it is `awaited` by the next writer.
    pub(super) fn commit(&self, database: &dyn Database, awaited: bool) {
        if database.committed() <= self.durable.borrow().through {
            return;
        }
        let line = self.line.get().filter(|_| !awaited).and_then(|line| line.try_lock().ok());
        let done = line.is_some_and(|mut line| line.commit_here(database, self));
        if !done {
            self.wake();
        }
    }

    /// Decides what the owner does next. Between the decision to close the working copy and everybody's knowing it,
    /// nobody enters.
    pub(super) fn next(&self, patience: Patience) -> Next {
        let mut doors = self.doors();
        let next = doors.next(Instant::now(), patience);
        if next == Next::Cool {
            self.set_phase(Phase::Cool);
        }
        next
    }

    /// Lets nobody in any more and has it put away, by then at the latest.
    pub fn close(&self, why: Why, until: Instant) {
        self.doors().close(why, until);
        self.drain();
    }

    /// The same, if nobody is inside.
    pub fn close_if_empty(&self, why: Why, now: Instant) -> bool {
        let closed = self.is_serving() && self.doors().close_if_empty(why, now);
        if closed {
            self.drain();
        }
        closed
    }

    /// Waits until those inside have had their time after a [`Resident::close`].
    pub(super) async fn overdue(&self) {
        loop {
            let until = self.doors().until();
            tokio::select! {
                biased;
                () = self.woken() => {}
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                    // Nobody else has looked at what woke the owner.
                    self.wake();
                    return;
                }
            }
        }
    }

    /// Has the owner fold the log beside the image, if the working copy is open and the log is not empty; whether it is.
    pub fn checkpoint(&self) -> bool {
        let open = match &*self.phase.borrow() {
            Phase::Warm(database) => database.log_bytes() > 0,
            Phase::Loading | Phase::Cool | Phase::Gone(_) => false,
        };
        if open {
            self.checkpoint.store(true, Ordering::Relaxed);
            self.wake();
        }
        open
    }

    /// Whether that is wanted; it counts as done.
    pub(super) fn takes_checkpoint(&self) -> bool {
        self.checkpoint.swap(false, Ordering::Relaxed)
    }

    fn drain(&self) {
        self.signal.send_if_modified(|signal| {
            let serving = *signal == Signal::Serve;
            if serving {
                *signal = Signal::Drain;
            }
            serving
        });
        self.wake();
    }

    /// Has all sessions end at once with these words. The first words stay.
    pub(super) fn cut(&self, ending: Ending) {
        self.signal.send_if_modified(|signal| {
            let first = !matches!(signal, Signal::Cut(_));
            if first {
                *signal = Signal::Cut(ending);
            }
            first
        });
    }

    /// Whether they were told to.
    pub(super) fn is_cut(&self) -> bool {
        matches!(*self.signal.borrow(), Signal::Cut(_))
    }

    /// What sessions have to know.
    pub(super) fn signals(&self) -> watch::Receiver<Signal> {
        self.signal.subscribe()
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    pub(super) fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything up to here is durable, at this position.
    pub(super) fn raise(&self, through: CommitSeq, position: Position) {
        self.durable.send_modify(|durable| {
            durable.through = durable.through.max(through);
            durable.position = durable.position.max(position);
        });
    }

    /// Nothing more will become durable.
    pub(super) fn lose(&self, ending: Ending) {
        self.durable.send_modify(|durable| durable.lost = durable.lost.take().or(Some(ending)));
        self.questions.close();
    }

    /// Whether that has been said.
    pub(super) fn is_lost(&self) -> bool {
        self.durable.borrow().lost.is_some()
    }

    /// How many have asked for a proof by now, if any of them still waits.
    pub(super) fn asked(&self) -> Option<u64> {
        let asked = self.asked.load(Ordering::Acquire);
        (asked > self.durable.borrow().proven).then_some(asked)
    }

    /// A proof that was begun when so many had asked is there.
    pub(super) fn proven(&self, asked: u64) {
        self.durable.send_modify(|durable| durable.proven = durable.proven.max(asked));
    }

    /// Has the owner look at things again.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until something may have changed for the owner.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }
}
