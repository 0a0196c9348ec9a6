//! What a server does to keep itself from failing while a condition is raised (R51): bounded, logged, and only logged when
//! the rule says so.
//!
//! It looks at what is raised, not at what was said: each round does a little of each action that some raised condition
//! asks for, and stops when none does.

mod plan;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use conditions::{Action, Kind};
use tokio::time::{Instant, sleep};

use self::plan::{Due, Plan};
use crate::{
    engine::InterruptReason,
    environment::Environment,
    limits::{CANCEL_AFTER, CHECKPOINTS_AT_ONCE, UNLOAD_AT_ONCE, UNLOAD_IDLE_MIN},
    measures,
    residency::Residents,
    session::{Herald, Roster},
};

/// Whether new sessions are taken. Cheap to clone.
#[derive(Clone, Default)]
pub struct Admission(Arc<Mutex<Option<Kind>>>);

impl Admission {
    /// The condition because of which none are, if so.
    pub fn refused_by(&self) -> Option<Kind> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// None are from now on because of this, or all.
    fn set(&self, refused_by: Option<Kind>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = refused_by;
    }
}

/// What the actions work on.
pub struct Protection {
    /// Says what is raised.
    pub environment: Environment,
    /// Whose idle ones go.
    pub residents: Residents,
    /// Whose longest statement goes.
    pub roster: Roster,
    /// Tells clients.
    pub herald: Herald,
    /// Where new ones are refused.
    pub admission: Admission,
}

impl Protection {
    /// Acts until dropped.
    pub async fn act(self) {
        let mut plan = Plan::default();
        loop {
            self.herald.say_again(Instant::now());
            let wanted = self.environment.raised();
            for due in plan.next(&wanted, Instant::now()) {
                self.take(due);
            }
            tokio::select! {
                () = self.environment.changed() => {}
                () = sleep(self.environment.every().min(Duration::from_secs(1))) => {}
            }
        }
    }

    fn take(&self, due: Due) {
        match due {
            Due::Would { action, kind } => {
                tracing::warn!(condition = %kind, %action, "would act, but this is a dry run");
                measures::acted(action, "dry_run");
            }
            Due::Admit => {
                self.admission.set(None);
                tracing::info!("new sessions are taken again");
            }
            Due::Do { action, kind } => {
                let done = self.act_once(action, &kind);
                measures::acted(action, if done.is_some() { "done" } else { "nothing" });
                if let Some(done) = done {
                    tracing::warn!(condition = %kind, %action, done, "acted to keep the server going");
                }
            }
        }
    }

    /// Does an action once; what was done, if anything.
    fn act_once(&self, action: Action, kind: &Kind) -> Option<String> {
        match action {
            Action::RefuseSessions => {
                let before = self.admission.refused_by();
                self.admission.set(Some(kind.clone()));
                before.is_none().then(|| "new sessions are refused".into())
            }
            Action::UnloadIdle => {
                let gone = self.residents.unload_idle(UNLOAD_AT_ONCE, UNLOAD_IDLE_MIN);
                (gone > 0).then(|| format!("{gone} idle databases are put away"))
            }
            Action::Checkpoint => {
                let asked = self.residents.checkpoint(CHECKPOINTS_AT_ONCE);
                (asked > 0).then(|| format!("the logs of {asked} databases are folded"))
            }
            Action::CancelWorst => {
                let longest = self.roster.longest(CANCEL_AFTER)?;
                longest.interrupt.interrupt(InterruptReason::Protection);
                let (database, ms) = (longest.database, longest.age.as_millis());
                Some(format!("a statement of {database} that ran for {ms} ms is cancelled"))
            }
        }
    }
}
