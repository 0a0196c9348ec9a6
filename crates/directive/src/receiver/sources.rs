//! What each version of a logical name said, so that one can go back.

use std::collections::BTreeMap;

use crate::{
    Refusal, Values, Why,
    action::{DataSource, SourceChange},
};

/// Most logical names.
pub const SOURCES_MAX: usize = 32;
/// Most versions of each.
pub const VERSIONS_MAX: usize = 8;

/// Names, and their versions; `None` for one that removed the name.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    names: BTreeMap<String, BTreeMap<u64, Option<Values>>>,
}

impl Sources {
    pub fn vet(&self, source: &DataSource) -> Result<(), Refusal> {
        if !self.names.contains_key(&source.name) && self.names.len() >= SOURCES_MAX {
            return Err(Refusal::new(Why::Full, "data sources"));
        }
        match &source.change {
            SourceChange::Rollback(version) if self.version(&source.name, *version).is_none() => {
                Err(Refusal::new(Why::Unknown, "version"))
            }
            SourceChange::Rollback(_) | SourceChange::Set(_) | SourceChange::Remove => Ok(()),
        }
    }

    /// Notes a version.
    pub fn change(&mut self, source: &DataSource) -> Result<(), Refusal> {
        let said = match &source.change {
            SourceChange::Set(values) => Some(values.clone()),
            SourceChange::Remove => None,
            SourceChange::Rollback(version) => {
                let said = self.version(&source.name, *version);
                said.ok_or_else(|| Refusal::new(Why::Unknown, "version"))?.clone()
            }
        };
        let versions = self.names.entry(source.name.clone()).or_default();
        versions.insert(source.version, said);
        while versions.len() > VERSIONS_MAX {
            versions.pop_first();
        }
        Ok(())
    }

    /// What a version said.
    pub fn version(&self, name: &str, version: u64) -> Option<&Option<Values>> {
        self.names.get(name)?.get(&version)
    }

    /// The versions that can be gone back to, by name.
    pub fn all(&self) -> BTreeMap<String, Vec<u64>> {
        let versions = |versions: &BTreeMap<u64, _>| versions.keys().copied().collect();
        self.names.iter().map(|(name, all)| (name.clone(), versions(all))).collect()
    }
}
