//! What an import does: decided from the lines and the map as it is, before anything is done.

use std::collections::{BTreeMap, BTreeSet};

use model::{DatabaseId, DatabaseOption, Epoch, Fleet, IdempotencyKey, Name, RESTORE_SKIP, TimestampMs};
use rpc::controller::{DatabaseRef, Operation};
use wire::scram::Verifier;

use crate::operate::map::lines::{Line, VERSION};

/// Everything to do.
pub struct Plan {
    pub steps: Vec<Step>,
    /// Lines that say what is so already.
    pub unchanged: u64,
}

/// One change.
pub struct Step {
    /// The line that asks for it, from 1.
    pub line: usize,
    /// What it is counted as.
    pub kind: &'static str,
    /// In words, after "would".
    pub what: String,
    pub operation: Operation,
}

impl Step {
    /// Whether it is about a database that another step may have to make.
    pub fn is_option(&self) -> bool {
        matches!(self.operation, Operation::SetDatabaseOptions { .. })
    }
}

/// A line that cannot be imported, and why.
pub type Bad = (usize, String);

struct Planning<'a> {
    fleet: &'a Fleet,
    now: TimestampMs,
    /// The lines are of this very fleet: ids mean something here.
    ours: bool,
    plan: Plan,
    bad: Vec<Bad>,
    /// Databases by name, with the line that names them.
    databases: BTreeMap<String, usize>,
    ids: BTreeSet<DatabaseId>,
    users: BTreeMap<String, usize>,
    options: BTreeMap<(String, &'static str), usize>,
}

impl Plan {
    /// What there is to do, or every line that cannot be done.
    pub fn of(text: &str, fleet: &Fleet, now: TimestampMs) -> Result<Self, Vec<Bad>> {
        let mut planning = Planning {
            fleet,
            now,
            ours: false,
            plan: Self { steps: Vec::new(), unchanged: 0 },
            bad: Vec::new(),
            databases: BTreeMap::new(),
            ids: BTreeSet::new(),
            users: BTreeMap::new(),
            options: BTreeMap::new(),
        };
        let lines = (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty());
        let mut options = Vec::new();
        for (at, text) in lines {
            match serde_json::from_str(text) {
                // They may stand before their database.
                Ok(Line::Option { database, name, value }) => options.push((at, database, name, value)),
                Ok(line) => {
                    if let Err(what) = planning.take(at, line) {
                        planning.bad.push((at, what));
                    }
                }
                Err(error) => planning.bad.push((at, format!("it is no line of an export: {error}"))),
            }
        }
        for (at, database, name, value) in options {
            if let Err(what) = planning.option(at, database, &name, &value) {
                planning.bad.push((at, what));
            }
        }
        planning.bad.sort_unstable();
        if planning.bad.is_empty() { Ok(planning.plan) } else { Err(planning.bad) }
    }
}

impl Planning<'_> {
    fn take(&mut self, at: usize, line: Line) -> Result<(), String> {
        match line {
            Line::Map { version, fleet, .. } => {
                if !(1..=VERSION).contains(&version) {
                    return Err(format!("it has version {version}, this release reads up to {VERSION}"));
                }
                self.ours = fleet.is_some() && fleet == self.fleet.id().map(|id| id.to_string());
                Ok(())
            }
            Line::User { name, verifier } => self.user(at, name, verifier),
            Line::Database { name, id, epoch } => self.database(at, name, id.as_deref(), epoch.unwrap_or(0)),
            Line::Option { .. } => unreachable!("BUG: options are taken last"),
        }
    }

    fn user(&mut self, at: usize, name: String, verifier: String) -> Result<(), String> {
        Name::new(&name).map_err(|error| error.to_string())?;
        once(&mut self.users, name.clone(), at)
            .map_err(|line| format!("user {name:?} is in line {line}, too"))?;
        // The error must not show it.
        if verifier.parse::<Verifier>().is_err() {
            return Err(format!("the verifier of user {name:?} is no SCRAM-SHA-256 verifier"));
        }
        if self.fleet.user(&name).is_some_and(|user| user.verifier == verifier) {
            self.plan.unchanged += 1;
            return Ok(());
        }
        let what = format!("put user {name:?}");
        self.step(at, "users put", what, Operation::PutUser { name, verifier });
        Ok(())
    }

    fn database(&mut self, at: usize, name: String, id: Option<&str>, epoch: u64) -> Result<(), String> {
        Name::new(&name).map_err(|error| error.to_string())?;
        if name == "stationmaster" || name.parse::<DatabaseId>().is_ok() {
            return Err(format!("the name {name:?} is reserved"));
        }
        once(&mut self.databases, name.clone(), at)
            .map_err(|line| format!("database {name:?} is in line {line}, too"))?;
        let id: Option<DatabaseId> =
            id.map(str::parse).transpose().map_err(|error: model::ParseIdError| error.to_string())?;
        if let Some(id) = id.filter(|id| !self.ids.insert(*id)) {
            return Err(format!("{id} is in another line, too"));
        }
        // Of another fleet, an id means nothing here.
        let id = id.filter(|_| self.ours);
        match (self.fleet.database_named(&name), id) {
            (Some(found), Some(id)) if found != id => {
                Err(format!("the name {name:?} is taken by {found}, and this line is about {id}"))
            }
            (Some(_), _) => {
                self.plan.unchanged += 1;
                Ok(())
            }
            (None, Some(id)) => self.adopt(at, name, id, epoch),
            (None, None) => {
                let what = format!("create {name:?}");
                let key = IdempotencyKey(rand::random());
                self.step(at, "created", what, Operation::CreateDatabase { name, key });
                Ok(())
            }
        }
    }

    /// A database of this fleet that the map has lost: its journal is there under its id.
    fn adopt(&mut self, at: usize, name: String, id: DatabaseId, epoch: u64) -> Result<(), String> {
        if let Some(known) = self.fleet.database(id) {
            return Err(format!("{id} is there already, and its name is \"{}\"", known.name));
        }
        // Its journal may have moved on since. As when a map is restored: past whatever it may be at.
        let epoch = epoch.saturating_add(RESTORE_SKIP).max(self.now.0.saturating_mul(1000));
        let what = format!("adopt {id} as {name:?}");
        self.step(at, "adopted", what, Operation::AdoptDatabase { database: id, name, epoch: Epoch(epoch) });
        Ok(())
    }

    fn option(&mut self, at: usize, database: String, name: &str, value: &str) -> Result<(), String> {
        let option = DatabaseOption::parse(name, value).map_err(|error| error.to_string())?;
        let known = self.fleet.database_named(&database);
        if known.is_none() && !self.databases.contains_key(&database) {
            return Err(format!("database {database:?} is neither in the map nor in the file"));
        }
        once(&mut self.options, (database.clone(), option.name()), at)
            .map_err(|line| format!("{name} of {database:?} is in line {line}, too"))?;
        let set = known.is_some_and(|id| {
            let now = self.fleet.database_options(id);
            let mut then = now;
            then.set(option);
            then == now
        });
        if set {
            self.plan.unchanged += 1;
            return Ok(());
        }
        let what = format!("set {option} of {database:?}");
        let database = DatabaseRef::Name(database);
        let operation = Operation::SetDatabaseOptions { database, options: vec![option] };
        self.step(at, "options set", what, operation);
        Ok(())
    }

    fn step(&mut self, line: usize, kind: &'static str, what: String, operation: Operation) {
        self.plan.steps.push(Step { line, kind, what, operation });
    }
}

/// Takes note of a thing, or says which line named it before.
fn once<K: Ord>(seen: &mut BTreeMap<K, usize>, key: K, at: usize) -> Result<(), usize> {
    match seen.insert(key, at) {
        Some(before) => Err(before),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
