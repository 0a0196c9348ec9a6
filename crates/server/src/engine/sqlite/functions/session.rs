//! Functions about the session and its server.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::Value as Sql;
use wire::sqlstate;

use super::super::session::TimeLimit;
use super::super::session::settings::{SERVER_VERSION, Settings};
use super::super::sql_error::SqlError;
use super::super::types::datetime::{DAY, EPOCH_DAYS};
use super::{Arguments, Registrar, Returned, boolean, text};
use crate::engine::{Clock, SessionStart};

pub(super) const NAMES: &[&str] = &[
    "version",
    "current_database",
    "current_schemas",
    "current_setting",
    "set_config",
    "gen_random_uuid",
    "uuid_generate_v4",
    "txid_current",
    "inet_server_addr",
    "inet_client_addr",
    "inet_server_port",
];

/// What these functions tell.
#[derive(Clone)]
pub(in super::super) struct Facts(Arc<Inner>);

struct Inner {
    start: SessionStart,
    settings: Arc<Mutex<Settings>>,
    limit: Arc<TimeLimit>,
    clock: Arc<dyn Clock>,
    /// When the transaction started, microseconds from 2000-01-01.
    now: AtomicI64,
}

impl Facts {
    pub fn new(
        start: SessionStart,
        settings: Arc<Mutex<Settings>>,
        limit: Arc<TimeLimit>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner { start, settings, limit, clock, now: AtomicI64::new(0) }))
    }

    /// A transaction starts: `now()` stands still from here.
    pub fn stop_clock(&self) {
        self.0.now.store(self.clock(), Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> i64 {
        self.0.now.load(Ordering::Relaxed)
    }

    pub(super) fn clock(&self) -> i64 {
        self.0.clock.unix_micros() - EPOCH_DAYS * DAY
    }
}

pub(super) fn register(registrar: &Registrar<'_>, facts: &Facts) -> rusqlite::Result<()> {
    let version = format!("PostgreSQL {SERVER_VERSION}, SQLite {}", rusqlite::version());
    registrar.volatile("version", 0, move |_| text(version.clone()))?;
    for name in ["pg_current_user", "pg_session_user", "pg_user", "pg_current_role"] {
        let user = facts.0.start.user.clone();
        registrar.volatile(name, 0, move |_| text(user.clone()))?;
    }
    for name in ["current_database", "pg_current_catalog"] {
        let database = facts.0.start.database.clone();
        registrar.volatile(name, 0, move |_| text(database.clone()))?;
    }
    for name in ["current_schema", "pg_current_schema"] {
        registrar.volatile(name, 0, |_| text("public"))?;
    }
    registrar.volatile("current_schemas", 1, |arguments| {
        text(if arguments.integer(0) == 0 { "{public}" } else { "{pg_catalog,public}" })
    })?;
    let process_id = facts.0.start.process_id;
    registrar.volatile("pg_backend_pid", 0, move |_| Ok(Sql::Integer(process_id.into())))?;
    settings(registrar, facts)?;
    for name in ["gen_random_uuid", "uuid_generate_v4"] {
        registrar.volatile(name, 0, |_| text(random_uuid()))?;
    }
    let limit = Arc::clone(&facts.0.limit);
    registrar.volatile("pg_sleep", 1, move |arguments| {
        let seconds = arguments.real(0).clamp(0.0, 1e9);
        limit.add_sleep(Duration::from_secs_f64(seconds));
        text("")
    })?;
    nothing(registrar)
}

fn settings(registrar: &Registrar<'_>, facts: &Facts) -> rusqlite::Result<()> {
    for count in [1, 2] {
        let settings = Arc::clone(&facts.0.settings);
        registrar.volatile("current_setting", count, move |arguments| {
            let value = settings.lock().unwrap_or_else(PoisonError::into_inner).show(&arguments.text(0));
            match value {
                Err(_) if arguments.len() > 1 && arguments.integer(1) != 0 => Ok(Sql::Null),
                value => value.map(Sql::Text),
            }
        })?;
    }
    let settings = Arc::clone(&facts.0.settings);
    registrar.volatile("set_config", 3, move |arguments| set_config(arguments, &settings))
}

fn set_config(arguments: &Arguments<'_, '_>, settings: &Mutex<Settings>) -> Returned {
    if arguments.is_null(0) {
        return Err(SqlError::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
    }
    let name = arguments.text(0);
    let value = (!arguments.is_null(1)).then(|| arguments.text(1));
    let mut settings = settings.lock().unwrap_or_else(PoisonError::into_inner);
    let local = arguments.integer(2) != 0;
    let block = settings.in_block();
    settings.set(&name, value.as_deref(), local, block)?;
    text(settings.get(&name).unwrap_or_default())
}

/// Version 4, variant 1 (RFC 9562).
fn random_uuid() -> String {
    let bits = (rand::random::<u128>() & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

/// Things that do not exist here, whose absence has a value.
fn nothing(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    for name in ["inet_server_addr", "inet_client_addr"] {
        registrar.volatile(name, 0, |_| Ok(Sql::Null))?;
    }
    for name in ["pg_is_in_recovery", "pg_cancel_backend", "pg_terminate_backend"] {
        registrar.volatile(name, -1, |_| boolean(false))?;
    }
    for name in ["pg_advisory_lock", "pg_advisory_xact_lock"] {
        registrar.volatile(name, -1, |_| Err(SqlError::unsupported("an advisory lock")))?;
    }
    // Pools give all locks back when they reset a session. There are none.
    registrar.volatile("pg_advisory_unlock_all", 0, |_| text(""))?;
    registrar.volatile("txid_current", 0, |_| Ok(Sql::Integer(1)))?;
    registrar.volatile("inet_server_port", 0, |_| Ok(Sql::Integer(5432)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_uuids_say_that_they_are_random() {
        let uuid = random_uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
        assert_ne!(uuid, random_uuid());
    }
}
