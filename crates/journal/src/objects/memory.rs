//! Objects in memory: for tests and simulations. Survives nothing.

use std::{collections::BTreeMap, ops::Range, sync::Mutex};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Created, Key, Listed, ObjectError, Objects, clip};

/// A store in memory, shared by everybody who holds it.
#[derive(Debug, Default)]
pub struct Memory {
    objects: Mutex<BTreeMap<String, Bytes>>,
}

impl Memory {
    fn objects(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().expect("BUG: a holder panicked")
    }

    /// Puts bytes under a key whatever was there: the damage that tests do.
    pub fn overwrite(&self, key: &str, bytes: impl Into<Bytes>) {
        self.objects().insert(key.into(), bytes.into());
    }

    /// Takes an object away, and gives it.
    pub fn take(&self, key: &str) -> Option<Bytes> {
        self.objects().remove(key)
    }

    /// All objects, sorted by key.
    pub fn all(&self) -> Vec<(String, Bytes)> {
        self.objects().iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }
}

#[async_trait]
impl Objects for Memory {
    async fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        let mut objects = self.objects();
        if objects.contains_key(key.as_str()) {
            return Ok(Created::Taken);
        }
        objects.insert(key.as_str().into(), parts.concat().into());
        Ok(Created::Made)
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, ObjectError> {
        let found = self.objects().get(key.as_str()).cloned();
        Ok(found.map(|bytes| {
            let part = clip(range, bytes.len() as u64);
            bytes.slice(part.start as usize..part.end as usize)
        }))
    }

    async fn list(&self, folder: &Key) -> Result<Vec<Listed>, ObjectError> {
        let prefix = format!("{folder}/");
        let objects = self.objects();
        let inside = objects.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        Ok(inside
            .filter(|(key, _)| !key[prefix.len()..].contains('/'))
            .map(|(key, bytes)| Listed { name: key[prefix.len()..].into(), size: bytes.len() as u64 })
            .collect())
    }

    async fn folders(&self, folder: &Key) -> Result<Vec<String>, ObjectError> {
        let prefix = if folder.as_str().is_empty() { String::new() } else { format!("{folder}/") };
        let objects = self.objects();
        let inside = objects.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        let mut names: Vec<String> = inside
            .filter_map(|(key, _)| key[prefix.len()..].split_once('/'))
            .map(|(n, _)| n.into())
            .collect();
        names.dedup();
        Ok(names)
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        self.objects().remove(key.as_str());
        Ok(())
    }
}
