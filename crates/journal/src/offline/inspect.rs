//! What a journal's folder holds, object by object.

use bytes::Bytes;
use model::DatabaseId;

use super::OfflineError;
use crate::{Header, Store, damage::Damage, objects::Listed, record::HEADER_LEN};

/// One object of a journal.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// What its header says; only the header was checked.
    pub header: Result<Header, Damage>,
}

impl Store {
    /// Every object of a database's journal, sorted by name. Reads headers only.
    ///
    /// # Errors
    /// [`OfflineError::Store`], or [`OfflineError::NoJournal`]. What is wrong with an object stands in its entry.
    pub async fn inspect(&self, database: DatabaseId) -> Result<Vec<Entry>, OfflineError> {
        let (log, folder) = (self.log(database), self.folder(database));
        let failed = |source| OfflineError::Store { database, source };
        let listed = log.patiently(|| self.objects().list(&folder)).await.map_err(failed)?;
        if listed.is_empty() {
            return Err(OfflineError::NoJournal { database });
        }
        let mut entries = Vec::with_capacity(listed.len());
        for Listed { name, size } in listed {
            let key = folder.join(&name);
            let range = Some(0..HEADER_LEN as u64);
            let read = log.patiently(|| self.objects().read(&key, range.clone())).await.map_err(failed)?;
            let header = read.map_or(Err(Damage::Missing), |bytes: Bytes| Header::decode(&bytes));
            entries.push(Entry { name, size, header });
        }
        Ok(entries)
    }
}
