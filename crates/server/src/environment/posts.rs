//! What monitors outside post (R60, R61). Whoever calls this has made sure that they may.

use conditions::posted::{self, BadPost};
use tokio::time::Instant;

use super::{Environment, lock};
use crate::measures;

/// What a post holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Measurements.
    Events,
    /// Conditions.
    Conditions,
    /// Alertmanager's webhook.
    Alertmanager,
}

/// A post was taken: so many things in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted(pub usize);

impl Form {
    /// Its name in paths and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Conditions => "conditions",
            Self::Alertmanager => "alertmanager",
        }
    }
}

impl Environment {
    /// Takes a post.
    ///
    /// # Errors
    /// What is wrong with it, in words for its sender. Nothing of it counts then, unless there are too many conditions.
    pub fn post(&self, form: Form, body: &[u8]) -> Result<Posted, String> {
        let posted = match form {
            Form::Events => posted::events(body).map(|events| self.take_events(&events)),
            Form::Conditions => posted::conditions(body).and_then(|told| self.take_declarations(told)),
            Form::Alertmanager => posted::alerts(body).and_then(|told| self.take_declarations(told)),
        };
        measures::posted(form.name(), posted.is_ok());
        posted.map_err(|error| error.to_string())
    }

    fn take_events(&self, events: &[posted::Measurement]) -> Posted {
        let now = Instant::now().into_std();
        let mut detector = lock(&self.0.detector);
        for event in events {
            if let Some((performance, failure)) = event.affects {
                detector.classify(&event.source, performance, failure);
            }
            detector.observe(&event.event(now));
        }
        drop(detector);
        self.evaluate();
        Posted(events.len())
    }

    fn take_declarations(&self, told: Vec<posted::Declaration>) -> Result<Posted, BadPost> {
        let count = told.len();
        let mut refused = None;
        for (number, declaration) in (1..).zip(told) {
            self.change(|detector, now| match detector.declare(declaration, now) {
                Ok(changes) => changes,
                Err(error) => {
                    refused = Some(BadPost::Item { number, what: error.to_string() });
                    Vec::new()
                }
            });
        }
        refused.map_or(Ok(Posted(count)), Err)
    }
}
