//! What clients are told while a condition is raised (R47): directives as data, completed by whoever sends them.

use std::time::Duration;

use directive::{
    Action, Directive, Kind, Order, Scope,
    action::{Excess, Hold, Information, Operations, Pinned, Rate, Retry, Switch, SwitchTo},
};

/// A directive to every client that it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tell {
    /// What to do. The text of an information is the condition's evidence.
    pub action: Action,
    /// For how long, unless it is said again or taken back.
    pub lifetime: Duration,
}

impl Tell {
    /// The kinds that a rule can ask for.
    pub const KINDS: [Kind; 5] = [Kind::Information, Kind::Retry, Kind::Rate, Kind::Hold, Kind::Switch];

    /// An action of a kind with what was given, and the default for what was not.
    pub(crate) fn new(kind: Kind, topic: &str, numbers: impl Fn(&str) -> Option<u64>) -> Option<Self> {
        let number = |key, default| numbers(key).unwrap_or(default);
        let (action, lifetime_ms) = match kind {
            Kind::Information => {
                let (topic, text, values) = (topic.into(), String::new(), Default::default());
                (Action::Information(Information { topic, text, values }), 3_600_000)
            }
            Kind::Retry => {
                let (attempts, delay_ms) = (number("attempts", 3), number("delay_ms", 100));
                (Action::Retry(Retry { attempts, delay_ms }), 60_000)
            }
            Kind::Rate => {
                let (per_second, burst) = (Some(number("per_second", 100)), numbers("burst"));
                let (excess, of) = (Excess::Wait, Operations::All);
                (Action::Rate(Rate { per_second, burst, excess, of }), 30_000)
            }
            Kind::Hold => (Action::Hold(Hold { spread_ms: number("spread_ms", 1_000) }), 10_000),
            Kind::Switch => (Action::Switch(Switch { to: SwitchTo::Handler, pinned: Pinned::Wait }), 60_000),
            _ => return None,
        };
        Some(Self { action, lifetime: Duration::from_millis(number("lifetime_ms", lifetime_ms)) })
    }

    /// Keys that make sense for a kind, beside `directive` and `lifetime_ms`.
    pub(crate) fn keys(kind: Kind) -> &'static [&'static str] {
        match kind {
            Kind::Retry => &["attempts", "delay_ms"],
            Kind::Rate => &["per_second", "burst"],
            Kind::Hold => &["spread_ms"],
            _ => &[],
        }
    }

    /// What a client would have against it.
    ///
    /// # Errors
    /// Its refusal.
    pub(crate) fn check(&self) -> Result<(), directive::Refusal> {
        directive::encode(&self.directive("x".into(), Order::default(), "")).map(drop)
    }

    /// As a directive, about everything and for every session.
    pub fn directive(&self, id: String, order: Order, evidence: &str) -> Directive {
        let mut action = self.action.clone();
        if let Action::Information(information) = &mut action {
            information.text = evidence.into();
        }
        Directive {
            id,
            order,
            lifetime_ms: u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX),
            reason: evidence.into(),
            session: None,
            scope: Scope::everything(),
            action,
        }
    }
}
