//! What a directive asks for, with its parameters.
//!
//! Durations end in `_ms`, are milliseconds, and count from receipt. Limits stand in [`limits`](crate::limits).

mod recovery;
mod telemetry;
mod world;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Kind;

pub use recovery::{ErrorPolicy, ErrorRule, Excess, Hold, On, Operations, Rate, React, Resume, Retry, Rule};
pub use recovery::{Pinned, Switch, SwitchTo};
pub use telemetry::{Buffers, Collect, StopCollecting, Subject, Upload};
pub use world::{
    Activate, DataSource, Deactivate, FanOut, Flush, Information, KeyRange, Part, Partitioning, Refresh,
    SourceChange, Update, Urgency,
};

/// Texts by name.
pub type Values = BTreeMap<String, String>;

/// The action of a directive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", content = "with", rename_all = "snake_case")]
pub enum Action {
    /// Do not connect.
    Hold(Hold),
    /// End a hold early.
    Resume(Resume),
    /// Send a failed request again.
    Retry(Retry),
    /// Continue elsewhere.
    Switch(Switch),
    /// React to errors by their class.
    ErrorPolicy(ErrorPolicy),
    /// Know something.
    Information(Information),
    /// Collect.
    Collect(Collect),
    /// Stop collecting.
    StopCollecting(StopCollecting),
    /// Send what is collected.
    Upload(Upload),
    /// Keep to a rate.
    Rate(Rate),
    /// Drop what is cached about servers.
    Flush(Flush),
    /// Read a cached view again.
    Refresh(Refresh),
    /// Use this map for fan-out queries.
    FanOut(FanOut),
    /// Use this for a logical name.
    DataSource(DataSource),
    /// Hear of a newer driver.
    Update(Update),
    /// Switch a built-in routine on.
    Activate(Activate),
    /// Switch a built-in routine off.
    Deactivate(Deactivate),
    /// Decide by this expression.
    Rule(Rule),
    /// Forget a directive.
    Revoke(Revoke),
}

/// Takes a directive back, whatever it was; what it replaced does not return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revoke {
    /// The id of what is taken back. It is not obeyed when it arrives later, either.
    pub directive: String,
}

impl Action {
    /// What it asks for, without the parameters.
    pub const fn kind(&self) -> Kind {
        match self {
            Action::Hold(_) => Kind::Hold,
            Action::Resume(_) => Kind::Resume,
            Action::Retry(_) => Kind::Retry,
            Action::Switch(_) => Kind::Switch,
            Action::ErrorPolicy(_) => Kind::ErrorPolicy,
            Action::Information(_) => Kind::Information,
            Action::Collect(_) => Kind::Collect,
            Action::StopCollecting(_) => Kind::StopCollecting,
            Action::Upload(_) => Kind::Upload,
            Action::Rate(_) => Kind::Rate,
            Action::Flush(_) => Kind::Flush,
            Action::Refresh(_) => Kind::Refresh,
            Action::FanOut(_) => Kind::FanOut,
            Action::DataSource(_) => Kind::DataSource,
            Action::Update(_) => Kind::Update,
            Action::Activate(_) => Kind::Activate,
            Action::Deactivate(_) => Kind::Deactivate,
            Action::Rule(_) => Kind::Rule,
            Action::Revoke(_) => Kind::Revoke,
        }
    }
}
