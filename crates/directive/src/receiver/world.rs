//! What a client was told about the world, and what it is to report.

use sha2::{Digest as _, Sha256};

use crate::{
    Action, Moment, Slot, Values,
    action::{Collect, DataSource, FanOut, Information, Partitioning, Update},
};

use super::Receiver;

/// A logical name's connection parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// Which version of it.
    pub version: u64,
    /// To be laid over what the application configured.
    pub parameters: &'a Values,
}

/// Why a key has no database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotLocated {
    /// No map of that table is in force.
    #[error("no map of this table is in force")]
    NoMap,
    /// The map has another version than the query was planned with: plan it again.
    #[error("the map of this table has version {present} now: plan the query again")]
    OtherVersion {
        /// The one in force.
        present: u64,
    },
}

impl Receiver {
    /// Everything to know (R74), by topic.
    pub fn information(&self, now: Moment) -> impl Iterator<Item = &Information> {
        self.slots.iter(now).filter_map(|(_, _, held)| match &held.action {
            Action::Information(information) => Some(information),
            _ => None,
        })
    }

    /// What to collect (R76, R77), and for how many more milliseconds.
    pub fn collections(&self, now: Moment) -> impl Iterator<Item = (&Collect, u64)> {
        self.slots.iter(now).filter_map(move |(_, _, held)| match &held.action {
            Action::Collect(collect) => Some((collect, held.until.ms_from(now))),
            _ => None,
        })
    }

    /// Where to send a collection (R78, R79): the name of a destination of the owner's; `None` for nowhere.
    pub fn destination(&self, collection: &str, now: Moment) -> Option<&str> {
        let own = Slot(format!("upload:{collection}"));
        let held =
            self.slots.held(&own, now).or_else(|| self.slots.held(&Slot("upload:".to_owned()), now))?;
        match &held.action {
            Action::Upload(upload) => Some(&upload.destination),
            _ => None,
        }
    }

    /// The parameters with which a built-in routine is on (R91); `None` when it is off.
    pub fn routine(&self, name: &str, now: Moment) -> Option<&Values> {
        match &self.slots.held(&Slot(format!("routine:{name}")), now)?.action {
            Action::Activate(activate) => Some(&activate.parameters),
            _ => None,
        }
    }

    /// The newest driver that was advised (R82); its signature was right.
    pub fn update(&self, now: Moment) -> Option<&Update> {
        match &self.slots.held(&Slot("update".to_owned()), now)?.action {
            Action::Update(update) => Some(update),
            _ => None,
        }
    }

    /// What a logical name stands for (R87, R88); `None` where the application's own configuration counts.
    pub fn source(&self, name: &str, now: Moment) -> Option<Source<'_>> {
        match &self.slots.held(&Slot(format!("data_source:{name}")), now)?.action {
            Action::DataSource(DataSource { version, .. }) => {
                let parameters = self.sources.version(name, *version)?.as_ref()?;
                Some(Source { version: *version, parameters })
            }
            _ => None,
        }
    }

    /// The map of a table (R86).
    pub fn fan_out(&self, table: &str, now: Moment) -> Option<&FanOut> {
        match &self.slots.held(&Slot(format!("fan_out:{table}")), now)?.action {
            Action::FanOut(map) => Some(map),
            _ => None,
        }
    }

    /// The database that holds a key, by the version of the map with which the query was planned.
    ///
    /// # Errors
    /// There is no such map, or another version is in force.
    pub fn locate(
        &self,
        table: &str,
        key: &str,
        version_expected: u64,
        now: Moment,
    ) -> Result<&str, NotLocated> {
        let map = self.fan_out(table, now).ok_or(NotLocated::NoMap)?;
        if map.version != version_expected {
            return Err(NotLocated::OtherVersion { present: map.version });
        }
        Ok(map.database(key))
    }
}

impl FanOut {
    /// The database that holds a key.
    pub fn database(&self, key: &str) -> &str {
        let digits = match self.by {
            Partitioning::Range => None,
            Partitioning::Hash => Some(hash_digits(key)),
        };
        let key = digits.as_deref().unwrap_or(key);
        let behind = self.parts.partition_point(|part| part.from.as_str() <= key);
        // A map that was read has a part from the empty text; one made by hand without parts has no database.
        behind.checked_sub(1).map(|at| self.parts[at].database.as_str()).unwrap_or_default()
    }
}

/// The first 8 hexadecimal digits of the SHA-256.
fn hash_digits(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
