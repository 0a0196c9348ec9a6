//! Keeps children alive: one task for each, which starts it again when it dies.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    process::ExitStatus,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::mpsc::UnboundedSender,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Folder, Plan, Planned,
    backoff::Backoff,
    child::{Child, how, was_removed},
};
use crate::config::Role;

/// What became of a child.
#[derive(Debug)]
pub struct Event {
    /// Which one.
    pub name: String,
    /// What.
    pub what: What,
}

/// See [`Event`].
#[derive(Debug)]
pub enum What {
    /// It runs.
    Started {
        /// Its process id.
        pid: u32,
        /// How often it had died before.
        restarts: u32,
    },
    /// It was removed from its fleet, and stays ended, also at the next start.
    Removed,
    /// It died, and starts again after a pause, if at all.
    Ended {
        /// In words.
        how: String,
        /// The pause.
        again: Option<Duration>,
    },
    /// The system would not start it.
    NotStarted {
        /// Why.
        error: String,
        /// When it is tried again.
        again: Duration,
    },
}

/// All children.
pub struct Fleet {
    keepers: Vec<(Role, JoinHandle<()>)>,
    /// No child is started any more.
    closing: CancellationToken,
    /// Who has not ended yet is killed.
    killing: CancellationToken,
    /// For each role: its children end.
    ends: BTreeMap<&'static str, CancellationToken>,
    pids: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Fleet {
    /// Starts everything.
    pub fn start(plan: &Plan, folder: &Folder, restart: bool, events: &UnboundedSender<Event>) -> Self {
        let mut fleet = Self {
            keepers: Vec::new(),
            closing: CancellationToken::new(),
            killing: CancellationToken::new(),
            ends: BTreeMap::new(),
            pids: Arc::default(),
        };
        for planned in &plan.processes {
            let end = fleet.ends.entry(planned.role.name()).or_default().clone();
            let keeper = Keeper {
                planned: planned.clone(),
                config: folder.config(planned),
                log: folder.log(&planned.name),
                left_out: folder.left_out(planned),
                restart,
                closing: fleet.closing.clone(),
                killing: fleet.killing.clone(),
                end,
                events: events.clone(),
                pids: Arc::clone(&fleet.pids),
            };
            fleet.keepers.push((planned.role, tokio::spawn(keeper.keep())));
        }
        fleet
    }

    /// The process id of a child that runs.
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.pids.lock().expect("BUG: nothing panics while holding this lock").get(name).copied()
    }

    /// From now on nobody is started again.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Ends everybody at once: what does not end by itself right away is killed.
    pub fn killer(&self) -> impl FnOnce() + use<> {
        let (killing, ends) = (self.killing.clone(), self.ends.clone());
        move || {
            killing.cancel();
            ends.values().for_each(CancellationToken::cancel);
        }
    }

    /// Ends all children of a role, and waits for that.
    pub async fn end(&mut self, role: Role) {
        if let Some(end) = self.ends.get(role.name()) {
            end.cancel();
        }
        for (_, keeper) in self.keepers.iter_mut().filter(|(of, _)| *of == role) {
            if let Err(error) = keeper.await {
                println!("a keeper of a {} failed: {error}", role.name());
            }
        }
        self.keepers.retain(|(of, _)| *of != role);
    }
}

struct Keeper {
    planned: Planned,
    config: PathBuf,
    log: PathBuf,
    /// Made when it was removed from its fleet.
    left_out: PathBuf,
    restart: bool,
    closing: CancellationToken,
    killing: CancellationToken,
    end: CancellationToken,
    events: UnboundedSender<Event>,
    pids: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Keeper {
    async fn keep(self) {
        let mut backoff = Backoff::new();
        for restarts in 0.. {
            let began = Instant::now();
            let pause = match Child::start(&self.planned, &self.config, &self.log) {
                Ok(child) => {
                    self.tell(What::Started { pid: child.pid, restarts });
                    let Some(status) = self.attend(child).await else { return };
                    if was_removed(&status) {
                        self.leave_out();
                        return self.tell(What::Removed);
                    }
                    let how = how(&status);
                    let again = self.restart.then(|| backoff.after(began.elapsed()));
                    self.tell(What::Ended { how, again });
                    let Some(again) = again else { return };
                    again
                }
                Err(error) => {
                    let again = backoff.after(Duration::ZERO);
                    self.tell(What::NotStarted { error: error.to_string(), again });
                    again
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Stays with a child until it dies by itself: then tells how. `None` when it was made to end.
    async fn attend(&self, mut child: Child) -> Option<io::Result<ExitStatus>> {
        self.note(Some(child.pid));
        let status = tokio::select! {
            status = child.ended() => Some(status),
            () = self.end.cancelled() => None,
        };
        if status.is_none() {
            child.end(&self.planned.name, &self.killing).await;
        }
        self.note(None);
        status.filter(|_| !self.closing.is_cancelled())
    }

    fn leave_out(&self) {
        if let Err(error) = fs::write(&self.left_out, "") {
            println!(
                "{} cannot be written, so {} is started next time ({error})",
                self.left_out.display(),
                self.planned.name
            );
        }
    }

    fn note(&self, pid: Option<u32>) {
        let mut pids = self.pids.lock().expect("BUG: nothing panics while holding this lock");
        match pid {
            Some(pid) => pids.insert(self.planned.name.clone(), pid),
            None => pids.remove(&self.planned.name),
        };
    }

    fn tell(&self, what: What) {
        // Nobody listens any more once the cluster is being stopped.
        let _ = self.events.send(Event { name: self.planned.name.clone(), what });
    }
}
