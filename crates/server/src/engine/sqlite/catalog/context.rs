//! What the catalogs say about the session they are read in.

use std::sync::{Arc, Mutex, PoisonError};

use super::super::session::settings::Settings;

/// The role that owns everything: PostgreSQL's number for its first one.
pub(super) const OWNER: u32 = 10;
/// Schemas.
pub(super) const PG_CATALOG: u32 = 11;
pub(super) const PG_TOAST: u32 = 99;
pub(super) const PUBLIC: u32 = 2200;
pub(super) const INFORMATION_SCHEMA: u32 = 13_207;
pub(super) const PG_TEMP: u32 = 13_999;
/// Access methods.
pub(super) const HEAP: u32 = 2;
pub(super) const BTREE: u32 = 403;
/// Collations that are not PostgreSQL's.
pub(super) const NOCASE: u32 = 13_990;
pub(super) const RTRIM: u32 = 13_991;

/// The session, as far as it shows.
#[derive(Clone)]
pub(in super::super) struct Context {
    pub user: String,
    pub database: String,
    /// The fleet's databases, this one or not.
    pub databases: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    pub process_id: i32,
    pub settings: Arc<Mutex<Settings>>,
}

impl Context {
    pub fn setting(&self, name: &str) -> Option<String> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).get(name)
    }

    /// Name, value and description of every setting.
    pub fn all_settings(&self) -> Vec<(String, String, &'static str)> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).all()
    }

    /// This database first, then the others by name, each once.
    pub fn database_names(&self) -> Vec<String> {
        let mut others = (self.databases)();
        others.retain(|name| *name != self.database);
        others.sort();
        others.dedup();
        let mut names = vec![self.database.clone()];
        names.append(&mut others);
        names
    }
}

/// A database's number: made from its name, as the fleet's own numbers are wider.
pub(super) fn database_oid(name: &str) -> u32 {
    const PRIME: u32 = 0x0100_0193;
    let hash = name.bytes().fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME));
    hash | 0x8000_0000
}

/// The schema's number.
pub(super) fn namespace(temporary: bool) -> u32 {
    if temporary { PG_TEMP } else { PUBLIC }
}

/// Number and name of every schema.
pub(super) const NAMESPACES: &[(u32, &str)] = &[
    (PG_CATALOG, "pg_catalog"),
    (PG_TOAST, "pg_toast"),
    (PUBLIC, "public"),
    (INFORMATION_SCHEMA, "information_schema"),
    (PG_TEMP, "pg_temp"),
];

/// A collation's number; names that SQLite does not have are the default.
pub(super) fn collation_oid(name: &str) -> u32 {
    match name {
        "NOCASE" => NOCASE,
        "RTRIM" => RTRIM,
        _default => 100,
    }
}
