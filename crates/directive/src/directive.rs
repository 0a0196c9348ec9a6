//! A directive, without any encoding.

use std::fmt;

use serde::Serialize;

use crate::{Action, Kind};

/// What a sender tells clients: an action, and for whom, why, how long and in which order.
///
/// Directives describe state. Each action but a few has a [`Slot`], and what is said about a slot replaces
/// what was said before, so saying the same again changes nothing and a lost directive is made good by the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Names this directive among all; the same id again is a repetition.
    /// 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    pub id: String,
    /// Where it stands in the order of what is said about its slot.
    pub order: Order,
    /// How long it holds, in milliseconds of the receiver's monotonic clock from the moment of receipt.
    ///
    /// No clocks are compared: on the way it only becomes later. The upper limit depends on the kind
    /// ([`limits::lifetime_ms_max`](crate::limits::lifetime_ms_max)). Zero says that it is over already.
    pub lifetime_ms: u64,
    /// For people, up to 256 bytes; may be empty.
    pub reason: String,
    /// The session in which it is sent, as the client announced it; a receiver that announced one refuses others.
    pub session: Option<String>,
    /// What it is about.
    pub scope: Scope,
    /// What to do.
    pub action: Action,
}

impl Directive {
    /// What is asked for.
    pub fn kind(&self) -> Kind {
        self.action.kind()
    }

    /// The place of this in the state of a client; `None` for what happens once and leaves nothing.
    pub fn slot(&self) -> Option<Slot> {
        Slot::of(&self.action, &self.scope)
    }
}

/// Orders what is said about one slot: by epoch, then by sequence. The highest counts.
///
/// The epoch is that of the assignment where the scope names a database, else the term of the controllers, else 0.
/// The sequence rises within an epoch. Where several senders speak of one slot, they take microseconds since 1970,
/// and at least one more than they have seen: a clock that is behind costs a repetition, never safety.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Order {
    /// Counts changes of the sender's right to speak.
    pub epoch: u64,
    /// Counts within the epoch.
    pub sequence: u64,
}

/// What a directive is about. What is not named is not restricted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Scope {
    /// A server or handler, by name or as `host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// A database, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

impl Scope {
    /// Everything that the client does.
    pub fn everything() -> Scope {
        Scope::default()
    }

    /// One server or handler.
    pub fn server(name: impl Into<String>) -> Scope {
        Scope { server: Some(name.into()), database: None }
    }

    /// One database.
    pub fn database(name: impl Into<String>) -> Scope {
        Scope { server: None, database: Some(name.into()) }
    }

    /// Whether it speaks of `target`.
    pub fn covers(&self, target: &Target<'_>) -> bool {
        let same = |wanted: &Option<String>, names: &[&str]| {
            wanted.as_deref().is_none_or(|wanted| names.contains(&wanted))
        };
        same(&self.server, target.servers) && same(&self.database, target.databases)
    }
}

/// Where a client is about to connect or send: the names under which a scope may mean it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target<'a> {
    /// The server's name and its `host:port`, as far as known.
    pub servers: &'a [&'a str],
    /// The database's name and id, as far as known.
    pub databases: &'a [&'a str],
}

/// A place in a client's state: what a directive replaces, and what replaces it.
///
/// Written as the kind, for some kinds `:` and a name, and for those about servers and databases
/// `@server/database` with an empty name for what is not restricted, such as `hold@s2/` and `collect:slow`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub(crate) String);

impl Slot {
    fn of(action: &Action, scope: &Scope) -> Option<Slot> {
        let scoped = |what: &str| {
            let Scope { server, database } = scope;
            let (server, database) =
                (server.as_deref().unwrap_or_default(), database.as_deref().unwrap_or_default());
            Some(Slot(format!("{what}@{server}/{database}")))
        };
        let named = |what: &str, name: &str| Some(Slot(format!("{what}:{name}")));
        match action {
            Action::Hold(_) | Action::Resume(_) => scoped("hold"),
            Action::Retry(_) => scoped("retry"),
            Action::Switch(_) => scoped("switch"),
            Action::ErrorPolicy(_) => scoped("error_policy"),
            Action::Rate(rate) => scoped(&format!("rate:{}", rate.of.name())),
            Action::Information(information) => named("information", &information.topic),
            Action::Collect(collect) => named("collect", &collect.name),
            Action::StopCollecting(stop) => stop.name.as_deref().and_then(|name| named("collect", name)),
            Action::Upload(upload) => named("upload", upload.collection.as_deref().unwrap_or_default()),
            Action::FanOut(map) => named("fan_out", &map.table),
            Action::DataSource(source) => named("data_source", &source.name),
            Action::Update(_) => Some(Slot("update".to_owned())),
            Action::Activate(activate) => named("routine", &activate.routine),
            Action::Deactivate(deactivate) => named("routine", &deactivate.routine),
            Action::Rule(rule) => named("rule", &rule.name),
            Action::Flush(_) | Action::Refresh(_) | Action::Revoke(_) => None,
        }
    }

    /// As it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
