//! What a client measures when a directive asks for it, and whom it tells (R76-R79, S8).
//!
//! Off until asked for; ends by itself with the directive. Literals never get into it. Bounded in memory:
//! what does not fit is dropped and counted.

mod collection;
mod histogram;
mod otlp;
mod process;
mod upload;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use directive::action::{Buffers, Collect, StopCollecting, Subject};

use crate::{driver::Shared, processor::ms};
use collection::Collection;

pub(crate) use collection::Sample;

/// Reports that wait for their destination; of more, the oldest are dropped.
const REPORTS_MAX: usize = 64;
/// Together, in bytes.
const REPORTS_BYTES_MAX: usize = 4 << 20;
/// How often collections are looked at.
const TICK: Duration = Duration::from_millis(100);

/// All collections of a driver.
#[derive(Default)]
pub(crate) struct Telemetry {
    /// Whether anything is collected: looked at by each call.
    on: AtomicBool,
    /// Whether somebody looks after collections.
    attended: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    collections: BTreeMap<String, Collection>,
    reports: VecDeque<Report>,
    dropped: u64,
}

/// What is to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) destination: String,
    pub(crate) body: String,
}

impl Telemetry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call.
    pub(crate) fn called(&self, sample: &Sample<'_>) {
        if self.on.load(Ordering::Relaxed) {
            for collection in self.state().collections.values_mut() {
                collection.called(sample);
            }
        }
    }

    /// Notes an error that servers do not see, or see otherwise (R77).
    pub(crate) fn failed(&self, class: &'static str, code: Option<&str>, server: &str) {
        if self.on.load(Ordering::Relaxed) {
            for collection in self.state().collections.values_mut() {
                collection.failed(class, code, server);
            }
        }
    }

    /// Takes up what is to be collected now, and leaves what is not.
    fn follow(&self, wanted: &[Collect]) {
        let mut state = self.state();
        state.collections.retain(|name, _| wanted.iter().any(|collect| collect.name == *name));
        for collect in wanted {
            let known = state.collections.get(&collect.name).is_some_and(|one| one.spec == *collect);
            if !known {
                state.collections.insert(collect.name.clone(), Collection::new(collect.clone()));
            }
        }
        self.on.store(!state.collections.is_empty(), Ordering::Relaxed);
    }

    /// Makes the reports that are due, or all of them.
    fn report(&self, shared: &Shared, all: bool) {
        let (connected, now) = (shared.links().len(), Instant::now());
        let mut state = self.state();
        let State { collections, reports, dropped } = &mut *state;
        for collection in collections.values_mut().filter(|one| all || one.is_due(now)) {
            let name = &collection.spec.name;
            let destination =
                shared.processor.state().destination(name, shared.processor.now()).map(str::to_owned);
            let client = collection.spec.of.contains(&Subject::Client).then(|| process::usage(connected));
            let records = collection.take(now, client);
            // Collected for nobody: it is thrown away, as memory is not the place to keep it.
            let Some(destination) = destination else { continue };
            let bytes_max = usize::try_from(collection.spec.bytes_max).unwrap_or(usize::MAX);
            let Some(body) = otlp::body(&shared.config, shared.instance, records, bytes_max) else {
                continue;
            };
            reports.push_back(Report { destination, body });
        }
        let bytes =
            |reports: &VecDeque<Report>| reports.iter().map(|report| report.body.len()).sum::<usize>();
        while reports.len() > REPORTS_MAX || bytes(reports) > REPORTS_BYTES_MAX {
            reports.pop_front();
            *dropped += 1;
        }
    }

    /// The end of a collection, or of all.
    pub(crate) fn stop(&self, shared: &Shared, stop: &StopCollecting) {
        match stop.buffers {
            Buffers::Flush => self.report(shared, true),
            Buffers::Drop => self.state().reports.clear(),
        }
        let named = |name: &String| stop.name.as_ref().is_none_or(|wanted| wanted == name);
        self.state().collections.retain(|name, _| !named(name));
    }

    /// Reports that were dropped because their destination did not take them.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// The names of what is collected.
    pub(crate) fn names(&self) -> Vec<String> {
        self.state().collections.keys().cloned().collect()
    }
}

/// Sees to it that collections are looked after from now on.
pub(crate) fn begin(shared: &Arc<Shared>) {
    if !shared.telemetry.attended.swap(true, Ordering::SeqCst) {
        tokio::spawn(attend(Arc::downgrade(shared)));
    }
}

/// Ends with the driver.
async fn attend(shared: Weak<Shared>) {
    let mut pause = TICK;
    loop {
        tokio::time::sleep(pause).await;
        let Some(shared) = shared.upgrade() else { return };
        let (now, telemetry) = (shared.processor.now(), &shared.telemetry);
        let wanted: Vec<_> =
            shared.processor.state().collections(now).map(|(collect, _)| collect.clone()).collect();
        telemetry.report(&shared, false);
        telemetry.follow(&wanted);
        let next = telemetry.state().reports.pop_front();
        let Some(report) = next else {
            pause = TICK;
            continue;
        };
        match upload::send(&shared, &report).await {
            Ok(()) => pause = Duration::ZERO,
            // A client at work: it pauses soon.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                telemetry.state().reports.push_front(report);
                pause = TICK;
            }
            Err(error) => {
                // An outage: kept, and tried again later, behind nothing that is newer.
                tracing::debug!(destination = report.destination, %error, "a report was not taken");
                telemetry.state().reports.push_front(report);
                pause = Duration::from_millis(ms(pause).clamp(100, 15_000) * 2);
            }
        }
    }
}
