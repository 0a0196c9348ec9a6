//! What goes on around and inside this server, and what is wrong with it (R41-R46, R60, R61).
//!
//! Measurements come from [`Sensor`]s (`environment::linux` for the machine, `environment::own` for the server itself), from
//! parts of the server that cannot wait for the next look, and from monitors outside. A [`Detector`] decides;
//! [`Sink`]s hear of every condition that is raised or cleared. What is done about it is `protection`'s.

mod errors;
pub mod linux;
mod own;
mod posts;
mod sensor;
mod telling;
mod watching;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use conditions::{Change, Detector, Event, Filter, Problem, Problems, Raised, Rules, Scope, Unit, sources};
use model::DatabaseId;
use tokio::{sync::Notify, time::Instant};

pub use self::{
    errors::Errors,
    linux::Linux,
    own::Own,
    posts::{Form, Posted},
    sensor::{Reading, Sensor, Sensors},
    telling::Telling,
};
use crate::measures;

/// The environment of one server. Cheap to clone.
#[derive(Clone)]
pub struct Environment(Arc<Shared>);

struct Shared {
    detector: Mutex<Detector>,
    rules_file: Option<PathBuf>,
    /// Taken before the detector, so that all hear of changes in their order.
    sinks: Mutex<Vec<Arc<dyn Sink>>>,
    errors: Errors,
    journal_failures: AtomicU64,
    changed: Notify,
    absent: Mutex<BTreeSet<&'static str>>,
}

/// Hears of conditions as they are raised and cleared, in order and at once. It must neither block nor ask the
/// environment anything.
pub trait Sink: Send + Sync {
    /// This was raised or cleared.
    fn changed(&self, change: &Change);
}

/// A database is about to be served elsewhere until this is dropped.
#[must_use]
pub struct Leaving(Environment, DatabaseId);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.measure("leaving", Scope::Database(self.1), 0.0);
    }
}

impl Default for Environment {
    /// Decides by the built-in rules.
    fn default() -> Self {
        Self::new(Rules::built_in())
    }
}

impl Environment {
    /// Decides by these rules. Nobody measures anything yet.
    pub fn new(rules: Rules) -> Self {
        Self::with(rules, None)
    }

    /// Decides by the built-in rules and those of a file, which can be read again. Blocks on the disk.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn of_file(file: PathBuf) -> Result<Self, Problems> {
        Ok(Self::with(read(&file)?, Some(file)))
    }

    fn with(rules: Rules, rules_file: Option<PathBuf>) -> Self {
        Self(Arc::new(Shared {
            detector: Mutex::new(Detector::new(Arc::new(rules))),
            rules_file,
            sinks: Mutex::default(),
            errors: Errors::default(),
            journal_failures: AtomicU64::new(0),
            changed: Notify::new(),
            absent: Mutex::default(),
        }))
    }

    /// From now on this hears of every change.
    pub fn tell(&self, sink: Arc<dyn Sink>) {
        lock(&self.0.sinks).push(sink);
    }

    /// Something happened that cannot wait for the next look: its rules are looked at now.
    ///
    /// # Panics
    /// Only for a source that is not in [`sources::KNOWN`].
    pub fn measure(&self, source: &'static str, scope: Scope, value: f64) {
        let event = Reading::new(source, scope, value).event();
        self.change(|detector, now| {
            detector.observe(&event);
            detector.evaluate_source(&event.source, now)
        });
    }

    /// Takes what was measured; the rules are looked at later.
    pub fn take(&self, readings: impl IntoIterator<Item = Reading>) {
        let mut detector = lock(&self.0.detector);
        for reading in readings {
            measures::reading(&reading);
            detector.observe(&reading.event());
        }
    }

    /// Looks at all rules.
    pub fn evaluate(&self) {
        self.change(|detector, now| detector.evaluate(now));
        measures::passage(lock(&self.0.detector).passage());
    }

    /// A database is about to be served elsewhere: those inside hear of it before the doors close (R45).
    pub fn leaving(&self, database: DatabaseId) -> Leaving {
        self.measure("leaving", Scope::Database(database), 1.0);
        Leaving(self.clone(), database)
    }

    /// Statements' errors are counted there.
    pub fn errors(&self) -> &Errors {
        &self.0.errors
    }

    /// A commit could not be brought into a journal, or has to be tried again.
    pub fn journal_failed(&self) {
        self.0.journal_failures.fetch_add(1, Ordering::Relaxed);
    }

    fn take_journal_failures(&self) -> u64 {
        self.0.journal_failures.swap(0, Ordering::Relaxed)
    }

    /// What is raised now.
    pub fn raised(&self) -> Vec<Raised> {
        lock(&self.0.detector).raised()
    }

    /// Waits until something may have been raised or cleared since the last wait.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// How often everything is measured.
    pub fn every(&self) -> Duration {
        lock(&self.0.detector).rules().every
    }

    /// From now on only these events are looked at (R42).
    pub fn set_filter(&self, filter: Filter) {
        tracing::info!(%filter, "another filter for events");
        lock(&self.0.detector).set_filter(filter);
    }

    /// Reads the rules again. On failure those before stay. Blocks on the disk.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn reload(&self) -> Result<(), Problems> {
        let rules = match &self.0.rules_file {
            Some(file) => read(file)?,
            None => Rules::built_in(),
        };
        tracing::info!(rules = rules.rules.len(), "the rules were read again");
        self.change(|detector, _| detector.replace_rules(Arc::new(rules)));
        Ok(())
    }

    /// The filter, and how many events came, passed, and were dropped.
    pub fn passage(&self) -> (Filter, conditions::Passage) {
        let detector = lock(&self.0.detector);
        (detector.filter().clone(), detector.passage())
    }

    /// Sources that this machine does not have.
    pub fn absent(&self) -> Vec<&'static str> {
        lock(&self.0.absent).iter().copied().collect()
    }

    /// These did not come with the first reading: said once.
    fn note_absent(&self, absent: Vec<&'static str>) {
        if !absent.is_empty() {
            tracing::info!(
                sources = absent.join(", "),
                "this machine does not tell these; rules on them stay quiet"
            );
        }
        lock(&self.0.absent).extend(absent);
    }

    fn change(&self, work: impl FnOnce(&mut Detector, std::time::Instant) -> Vec<Change>) {
        let sinks = lock(&self.0.sinks);
        let mut detector = lock(&self.0.detector);
        let changes = work(&mut detector, Instant::now().into_std());
        if changes.is_empty() {
            return;
        }
        let known = Arc::clone(detector.rules());
        drop(detector);
        for change in &changes {
            say(change);
            measures::condition(change, known.rules.contains_key(&change.kind));
            sinks.iter().for_each(|sink| sink.changed(change));
        }
        self.0.changed.notify_one();
    }
}

fn say(change: &Change) {
    let Change { kind, scope, evidence, .. } = change;
    if change.raised {
        let actions = change.actions.iter().map(|action| action.name()).collect::<Vec<_>>().join(", ");
        tracing::warn!(condition = %kind, %scope, evidence, actions, dry_run = change.dry_run, "condition raised");
    } else {
        let lasted_ms = Instant::now().into_std().saturating_duration_since(change.since).as_millis();
        tracing::info!(condition = %kind, %scope, lasted_ms, "condition cleared");
    }
}

fn read(file: &std::path::Path) -> Result<Rules, Problems> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Rules::parse(&name, &text),
        Err(error) => {
            let problems = vec![Problem { line: None, what: format!("cannot be read: {error}") }];
            Err(Problems { file: name, problems })
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The unit of a source that is known.
fn unit(source: &conditions::Source) -> Unit {
    sources::known(source).map_or(Unit::Count, |known| known.unit)
}

impl Reading {
    /// As an event that comes now.
    fn event(&self) -> Event {
        let Self { source, scope, value } = self;
        let at = Instant::now().into_std();
        Event { source: source.clone(), scope: *scope, value: *value, unit: unit(source), at }
    }
}

#[cfg(test)]
mod tests;
