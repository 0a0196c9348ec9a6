//! The session's settings: what SET, SHOW, RESET and `current_setting` see.
//!
//! Most have no effect here and exist because clients set them. Those that act: `statement_timeout`, `lock_timeout`, `transaction_*`
//! and `default_transaction_*`, `application_name`, `extra_float_digits` (accepted, always shortest). `TimeZone` is kept and shown,
//! but times are always written in UTC.

mod known;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use wire::{SqlState, backend, sqlstate};

pub(in super::super) use self::known::SERVER_VERSION;
use self::known::{KNOWN, Kind, Known};
use super::super::sql_error::SqlError;

/// 55P02, which only settings need.
const CANNOT_CHANGE: SqlState = match SqlState::new("55P02") {
    Some(state) => state,
    None => panic!("BUG: not a SQLSTATE"),
};

/// Values that differ from the defaults, and how to undo them.
#[derive(Debug, Default)]
pub(in super::super) struct Settings {
    values: BTreeMap<String, String>,
    /// Values that RESET goes back to: from the start-up packet.
    initial: BTreeMap<String, String>,
    /// What the transaction changed, oldest first: name, value before, and whether only until its end.
    undo: Vec<(String, Option<String>, bool)>,
    /// A transaction may undo what is set.
    block: bool,
    /// Reported settings that changed since the client was told.
    unreported: Vec<&'static str>,
}

impl Settings {
    /// Start-up parameters; unknown ones are ignored, bad values fail the session as in PostgreSQL.
    pub fn start(user: &str, parameters: &[(String, String)]) -> Result<Self, SqlError> {
        let mut settings = Self::default();
        settings.initial.insert("session_authorization".to_owned(), user.to_owned());
        let options = parameters.iter().filter(|(name, _)| name == "options");
        let mut all = parameters.to_vec();
        for (_, options) in options {
            all.extend(
                wire::startup::settings(options)?.into_iter().map(|setting| (setting.name, setting.value)),
            );
        }
        for (name, value) in &all {
            let name = name.to_lowercase();
            if let Some(known) = find(&name).filter(|known| known.kind != Kind::Fixed) {
                let value = known.kind.check(known.name, value)?;
                settings.initial.insert(name, value);
            } else if name.contains('.') {
                settings.initial.insert(name, value.clone());
            }
        }
        settings.values = settings.initial.clone();
        Ok(settings)
    }

    /// Tells the client every reported setting.
    pub fn report_all(&mut self, out: &mut BytesMut) {
        self.unreported.clear();
        for known in KNOWN.iter().filter(|known| known.reported) {
            self.report(known.name, out);
        }
    }

    /// Tells the client what changed.
    pub fn report_changes(&mut self, out: &mut BytesMut) {
        for name in std::mem::take(&mut self.unreported) {
            self.report(name, out);
        }
    }

    fn report(&self, name: &str, out: &mut BytesMut) {
        let value = self.get(name).unwrap_or_default();
        // Values are checked when set; one that cannot be sent stays untold.
        if backend::parameter_status(out, name, &value).is_err() {
            tracing::debug!(name, "a setting cannot be reported");
        }
    }

    /// The value, `None` for an unknown name.
    pub fn get(&self, name: &str) -> Option<String> {
        let name = name.to_lowercase();
        let set = self.values.get(&name).cloned();
        set.or_else(|| find(&name).map(|known| known.default.to_owned()))
    }

    /// The value, or the error that PostgreSQL gives for an unknown name.
    pub fn show(&self, name: &str) -> Result<String, SqlError> {
        self.get(name).ok_or_else(|| unknown(name))
    }

    /// Name and value of everything.
    pub fn all(&self) -> Vec<(String, String, &'static str)> {
        let mut all: BTreeMap<String, (String, &'static str)> = KNOWN
            .iter()
            .map(|known| (known.name.to_lowercase(), (known.name.to_owned(), known.about)))
            .collect();
        for name in self.values.keys() {
            all.entry(name.clone()).or_insert((name.clone(), ""));
        }
        let value = |name: &str| self.get(name).unwrap_or_default();
        all.into_iter().map(|(key, (name, about))| (name, value(&key), about)).collect()
    }

    /// Sets a value, `None` for the default. `block` tells that a transaction may undo it.
    pub fn set(&mut self, name: &str, value: Option<&str>, local: bool, block: bool) -> Result<(), SqlError> {
        let name = name.to_lowercase();
        let known = find(&name);
        if known.is_some_and(|known| known.kind == Kind::Fixed) {
            return Err(SqlError::new(CANNOT_CHANGE, format!("parameter \"{name}\" cannot be changed")));
        }
        if known.is_none() && !name.contains('.') {
            return Err(unknown(&name));
        }
        let value = match (value, known) {
            (Some(value), Some(known)) => Some(known.kind.check(known.name, value)?),
            (Some(value), None) => Some(value.to_owned()),
            (None, _) => self.initial.get(&name).cloned(),
        };
        if local && !block {
            return Ok(());
        }
        let before = self.put(&name, value);
        if block {
            self.undo.push((name, before, local));
        }
        Ok(())
    }

    fn put(&mut self, name: &str, value: Option<String>) -> Option<String> {
        let before = match value {
            Some(value) => self.values.insert(name.to_owned(), value),
            None => self.values.remove(name),
        };
        if let Some(known) =
            find(name).filter(|known| known.reported && before.as_ref() != self.values.get(name))
        {
            self.unreported.retain(|unreported| *unreported != known.name);
            self.unreported.push(known.name);
        }
        before
    }

    /// Says whether what is set from now on belongs to a transaction.
    pub fn enter_block(&mut self, block: bool) {
        self.block = block;
    }

    pub fn in_block(&self) -> bool {
        self.block
    }

    /// Everything back to what the session started with.
    pub fn reset_all(&mut self, block: bool) {
        let names: Vec<String> = self.values.keys().cloned().collect();
        for name in names {
            let before = self.put(&name, self.initial.get(&name).cloned());
            if block {
                self.undo.push((name, before, false));
            }
        }
    }

    /// How much there is to undo: to be given to [`undo_to`](Self::undo_to).
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back what was set since the mark.
    pub fn undo_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            if let Some((name, before, _)) = self.undo.pop() {
                self.put(&name, before);
            }
        }
    }

    /// The transaction is over: after a commit only what was local is taken back.
    pub fn transaction_ended(&mut self, committed: bool) {
        if !committed {
            return self.undo_to(0);
        }
        let undo = std::mem::take(&mut self.undo);
        for (name, before, local) in undo.into_iter().rev() {
            if local {
                self.put(&name, before);
            }
        }
    }

    /// A time-out in its unit of milliseconds; zero is none.
    pub fn duration(&self, name: &str) -> Duration {
        let value = self.get(name).unwrap_or_default();
        known::milliseconds(&value).map_or(Duration::ZERO, Duration::from_millis)
    }

    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value == "on")
    }
}

fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

fn unknown(name: &str) -> SqlError {
    SqlError::new(sqlstate::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rolled_back_transaction_undoes_its_settings() {
        let mut settings = Settings::default();
        settings.set("application_name", Some("before"), false, false).expect("known");
        settings.set("application_name", Some("a"), false, true).expect("known");
        let mark = settings.mark();
        settings.set("application_name", Some("b"), false, true).expect("known");
        settings.undo_to(mark);
        assert_eq!(settings.get("application_name").as_deref(), Some("a"));
        settings.transaction_ended(false);
        assert_eq!(settings.get("application_name").as_deref(), Some("before"));
    }

    #[test]
    fn a_local_setting_ends_with_its_transaction() {
        let mut settings = Settings::default();
        settings.set("statement_timeout", Some("5s"), true, true).expect("known");
        settings.set("work_mem", Some("8MB"), false, true).expect("known");
        assert_eq!(settings.duration("statement_timeout"), Duration::from_secs(5));
        settings.transaction_ended(true);
        assert_eq!(settings.duration("statement_timeout"), Duration::ZERO);
        assert_eq!(settings.get("work_mem").as_deref(), Some("8MB"));
    }

    #[test]
    fn bad_names_and_values_are_refused_as_postgresql_does() {
        let mut settings = Settings::default();
        let state = |result: Result<(), SqlError>| result.map_err(|error| error.state.to_string());
        assert_eq!(state(settings.set("no_such_thing", Some("1"), false, false)), Err("42704".to_owned()));
        assert_eq!(state(settings.set("server_version", Some("1"), false, false)), Err("55P02".to_owned()));
        assert_eq!(
            state(settings.set("client_encoding", Some("LATIN1"), false, false)),
            Err("22023".to_owned())
        );
        assert_eq!(
            state(settings.set("statement_timeout", Some("soon"), false, false)),
            Err("22023".to_owned())
        );
        assert_eq!(state(settings.set("my.setting", Some("1"), false, false)), Ok(()));
        assert_eq!(settings.get("my.setting").as_deref(), Some("1"));
    }
}
