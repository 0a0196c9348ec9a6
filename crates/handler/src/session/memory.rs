//! What a session would have to be given again on another server: prepared statements, settings, reported parameters;
//! and what pins it to the server that it has.
//!
//! All of it is bounded. What does not fit is not kept, and pins.

use std::collections::BTreeMap;

use wire::backend::TransactionStatus;

use super::ledger::Prepared;
use crate::{
    backend::Lost,
    limits::{PARAMETERS_BYTES_MAX, SETTINGS_BYTES_MAX, STATEMENTS_BYTES_MAX},
    sql::{Effects, Forgotten, Pin, Setting},
};

/// Bytes that an entry costs beyond its own.
const ENTRY_BYTES: usize = 64;

/// What is kept for one session.
#[derive(Debug, Default)]
pub(super) struct Memory {
    statements: BTreeMap<Box<str>, Kept>,
    statement_bytes: usize,
    /// Statements by which settings were made, in order of their names.
    settings: BTreeMap<String, String>,
    setting_bytes: usize,
    /// Settings made by requests that are not complete, or in a transaction that has not ended.
    staged: Vec<Setting>,
    parameters: BTreeMap<Box<str>, Box<str>>,
    parameter_bytes: usize,
    pin: Option<Pin>,
}

#[derive(Debug)]
struct Kept {
    frame: Box<[u8]>,
    commits: bool,
}

impl Memory {
    /// Why the session cannot be given to another server, if so.
    pub(super) fn pin(&self) -> Option<Pin> {
        self.pin
    }

    /// The client sent a statement that does this.
    pub(super) fn sent(&mut self, effects: Effects) {
        self.pin = self.pin.or(effects.pin);
        match effects.forgotten {
            Some(Forgotten::All) => self.forget_all(),
            Some(Forgotten::One(name)) => self.closed(&name),
            None => {}
        }
        let bytes: usize = self.staged.iter().map(setting_bytes).sum();
        if bytes + effects.settings.iter().map(setting_bytes).sum::<usize>() > SETTINGS_BYTES_MAX {
            self.pin = self.pin.or(Some(Pin::Settings));
        } else {
            self.staged.extend(effects.settings);
        }
    }

    /// Whether settings wait for the end of their request or transaction.
    pub(super) fn is_staging(&self) -> bool {
        !self.staged.is_empty()
    }

    /// A request is complete. `undone` says that an error or a rollback took its settings back.
    pub(super) fn complete(&mut self, status: TransactionStatus, undone: bool) {
        if self.staged.is_empty() {
            return;
        }
        match (undone, status) {
            (true, _) => self.staged.clear(),
            (false, TransactionStatus::Idle) => {
                for setting in std::mem::take(&mut self.staged) {
                    self.settle(setting);
                }
            }
            (false, TransactionStatus::InTransaction | TransactionStatus::Failed) => {}
        }
    }

    fn settle(&mut self, setting: Setting) {
        match setting {
            Setting::Set { name, sql } => {
                self.setting_bytes += name.len() + sql.len() + ENTRY_BYTES;
                if let Some(old) = self.settings.insert(name.clone(), sql) {
                    self.setting_bytes -= name.len() + old.len() + ENTRY_BYTES;
                }
                if self.setting_bytes > SETTINGS_BYTES_MAX {
                    self.pin = self.pin.or(Some(Pin::Settings));
                    self.reset_settings();
                }
            }
            Setting::Reset { name } => {
                if let Some(old) = self.settings.remove(&name) {
                    self.setting_bytes -= name.len() + old.len() + ENTRY_BYTES;
                }
            }
            Setting::ResetAll => self.reset_settings(),
        }
    }

    fn reset_settings(&mut self) {
        self.settings.clear();
        self.setting_bytes = 0;
    }

    /// The server has prepared a statement.
    pub(super) fn prepared(&mut self, prepared: Prepared) {
        let Prepared { name, frame, commits } = prepared;
        self.closed(&name);
        self.statement_bytes += name.len() + frame.len() + ENTRY_BYTES;
        if self.statement_bytes > STATEMENTS_BYTES_MAX {
            self.pin = self.pin.or(Some(Pin::Statements));
            self.statement_bytes -= name.len() + frame.len() + ENTRY_BYTES;
            return;
        }
        self.statements.insert(name, Kept { frame, commits });
    }

    /// The server has forgotten a statement.
    pub(super) fn closed(&mut self, name: &str) {
        if let Some(kept) = self.statements.remove(name) {
            self.statement_bytes -= name.len() + kept.frame.len() + ENTRY_BYTES;
        }
    }

    fn forget_all(&mut self) {
        self.statements.clear();
        self.statement_bytes = 0;
    }

    /// A statement was too long to be kept.
    pub(super) fn pin_by(&mut self, pin: Pin) {
        self.pin = self.pin.or(Some(pin));
    }

    /// Whether running this prepared statement may end a transaction.
    pub(super) fn commits(&self, name: &str) -> bool {
        self.statements.get(name).is_some_and(|kept| kept.commits)
    }

    /// Names of prepared statements that end a transaction.
    pub(super) fn committing(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().filter(|(_, kept)| kept.commits).map(|(name, _)| &**name)
    }

    /// What is to be made again on another server.
    pub(super) fn lost(&self) -> Lost<'_> {
        Lost {
            settings: self.settings().collect(),
            statements: self.frames().collect(),
            known: &self.parameters,
        }
    }

    /// Parse messages that make the statements again.
    fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.statements.values().map(|kept| &*kept.frame)
    }

    /// Statements that make the settings again.
    fn settings(&self) -> impl Iterator<Item = &str> {
        self.settings.values().map(String::as_str)
    }

    /// The server reported a parameter to the client.
    pub(super) fn reported(&mut self, name: &str, value: &str) {
        if let Some(known) = self.parameters.get_mut(name) {
            self.parameter_bytes = self.parameter_bytes - known.len() + value.len();
            *known = value.into();
        } else if self.parameter_bytes + name.len() + value.len() <= PARAMETERS_BYTES_MAX {
            self.parameter_bytes += name.len() + value.len();
            self.parameters.insert(name.into(), value.into());
        }
    }
}

fn setting_bytes(setting: &Setting) -> usize {
    match setting {
        Setting::Set { name, sql } => name.len() + sql.len() + ENTRY_BYTES,
        Setting::Reset { name } => name.len() + ENTRY_BYTES,
        Setting::ResetAll => ENTRY_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use TransactionStatus::{Idle, InTransaction};

    use super::*;
    use crate::sql::{Reading, read};

    fn send(memory: &mut Memory, sql: &str) {
        if let Reading::Notable(effects) = read(sql, true) {
            memory.sent(*effects);
        }
    }

    fn settings(memory: &Memory) -> Vec<&str> {
        memory.settings().collect()
    }

    fn parse(name: &str, bytes: usize) -> Prepared {
        Prepared { name: name.into(), frame: vec![0; bytes].into(), commits: false }
    }

    #[test]
    fn a_setting_counts_once_its_request_has_succeeded() {
        let mut memory = Memory::default();
        send(&mut memory, "set a = 1");
        assert!(settings(&memory).is_empty() && memory.is_staging());
        memory.complete(Idle, false);
        assert_eq!(settings(&memory), ["set a = 1"]);
        send(&mut memory, "set a = 2");
        memory.complete(Idle, true);
        assert_eq!(settings(&memory), ["set a = 1"], "it failed");
        send(&mut memory, "set a = 3");
        memory.complete(Idle, false);
        assert_eq!(settings(&memory), ["set a = 3"]);
        send(&mut memory, "reset a");
        memory.complete(Idle, false);
        assert!(settings(&memory).is_empty());
    }

    #[test]
    fn a_setting_in_a_transaction_shares_its_fate() {
        let mut memory = Memory::default();
        send(&mut memory, "set a = 1");
        memory.complete(InTransaction, false);
        assert!(settings(&memory).is_empty());
        memory.complete(Idle, false);
        assert_eq!(settings(&memory), ["set a = 1"]);
        send(&mut memory, "set b = 1");
        memory.complete(InTransaction, false);
        memory.complete(Idle, true);
        assert_eq!(settings(&memory), ["set a = 1"]);
    }

    #[test]
    fn statements_are_kept_until_they_are_closed() {
        let mut memory = Memory::default();
        memory.prepared(parse("a", 10));
        memory.prepared(parse("b", 10));
        memory.prepared(parse("a", 20));
        assert_eq!(memory.frames().map(<[u8]>::len).collect::<Vec<_>>(), [20, 10]);
        memory.closed("a");
        assert_eq!(memory.frames().count(), 1);
        send(&mut memory, "deallocate all");
        assert_eq!((memory.frames().count(), memory.statement_bytes, memory.pin()), (0, 0, None));
    }

    #[test]
    fn what_does_not_fit_pins_and_is_not_kept() {
        let mut memory = Memory::default();
        for n in 0..100 {
            memory.prepared(parse(&n.to_string(), STATEMENTS_BYTES_MAX / 50));
        }
        assert_eq!(memory.pin(), Some(Pin::Statements));
        assert!(memory.statement_bytes <= STATEMENTS_BYTES_MAX);

        let mut memory = Memory::default();
        for n in 0..SETTINGS_BYTES_MAX {
            send(&mut memory, &format!("set s{n} = 1"));
            memory.complete(Idle, false);
        }
        assert_eq!(memory.pin(), Some(Pin::Settings));
        assert!(memory.setting_bytes <= SETTINGS_BYTES_MAX);
    }

    #[test]
    fn temporary_tables_pin() {
        let mut memory = Memory::default();
        send(&mut memory, "create temp table t (a int)");
        assert_eq!(memory.pin(), Some(Pin::Temporary));
    }

    #[test]
    fn the_last_report_of_a_parameter_counts() {
        let mut memory = Memory::default();
        memory.reported("TimeZone", "UTC");
        memory.reported("TimeZone", "Europe/Vienna");
        assert_eq!(memory.parameters.get("TimeZone").map(|value| &**value), Some("Europe/Vienna"));
        for n in 0..PARAMETERS_BYTES_MAX {
            memory.reported(&n.to_string(), "x");
        }
        assert!(memory.parameter_bytes <= PARAMETERS_BYTES_MAX);
    }
}
