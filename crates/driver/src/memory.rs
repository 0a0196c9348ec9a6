//! What a session would have to be given again on another connection, and what keeps it where it is. Bounded.

use std::collections::BTreeMap;

use sql::{Effects, Forgotten, Pin, Reading, Setting, read};

use crate::protocol::Ended;

/// Settings that are kept, with their statements, in bytes; more pin the session.
const SETTINGS_BYTES_MAX: usize = 64 * 1024;

/// Functions that change a session, wherever they are called, and what they leave in it.
const FUNCTIONS: [(&str, &str); 2] =
    [("advisory_lock", "advisory locks"), ("set_config", "settings made by a function")];

/// What is kept for one session. A copy is what a new connection was given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    /// Statements by which settings were made, in the order of their names.
    settings: BTreeMap<String, String>,
    /// Made in a transaction that has not ended.
    staged: Vec<Setting>,
    pin: Option<&'static str>,
}

impl Memory {
    /// The session was asked to do this.
    pub(crate) fn sent(&mut self, text: &str) {
        if let Reading::Notable(effects) = read(text, true) {
            let Effects { pin, settings, forgotten, .. } = *effects;
            self.pin = pin.map(in_words).or(self.pin);
            self.staged.extend(settings);
            // DISCARD ALL; DEALLOCATE ALL leaves everything but statements.
            let discarded =
                self.staged.last() == Some(&Setting::ResetAll) && forgotten == Some(Forgotten::All);
            if discarded || (self.pin == Some(in_words(Pin::Prepared)) && forgotten == Some(Forgotten::All)) {
                self.pin = None;
            }
        }
        for (function, what) in FUNCTIONS {
            if text.len() >= function.len() && contains(text, function) {
                self.pin = Some(what);
            }
        }
        let bytes: usize = self.staged.iter().map(bytes).sum();
        if bytes > SETTINGS_BYTES_MAX {
            self.staged.clear();
            self.pin = Some(in_words(Pin::Settings));
        }
    }

    /// It was answered. `open` tells whether a transaction still is.
    pub(crate) fn answered(&mut self, worked: bool, open: bool, ended: Ended) {
        if self.staged.is_empty() || open {
            return;
        }
        let staged = std::mem::take(&mut self.staged);
        if worked && ended == Ended::Kept {
            staged.into_iter().for_each(|setting| self.settle(setting));
        }
    }

    fn settle(&mut self, setting: Setting) {
        match setting {
            Setting::Set { name, sql } => {
                self.settings.insert(name, sql);
            }
            Setting::Reset { name } => {
                self.settings.remove(&name);
            }
            Setting::ResetAll => self.settings.clear(),
        }
        let bytes: usize = self.settings.iter().map(|(name, sql)| name.len() + sql.len()).sum();
        if bytes > SETTINGS_BYTES_MAX {
            self.pin = Some(in_words(Pin::Settings));
            self.settings.pop_last();
        }
    }

    /// The settings' names and the statements that make them again.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(name, sql)| (name.as_str(), sql.as_str()))
    }

    /// What cannot be made again, in words.
    pub(crate) fn pin(&self) -> Option<&'static str> {
        self.pin
    }

    /// The session is gone: so is what pinned it, and what had not been settled.
    pub(crate) fn lost(&mut self) -> Option<&'static str> {
        self.staged.clear();
        self.pin.take()
    }
}

fn bytes(setting: &Setting) -> usize {
    match setting {
        Setting::Set { name, sql } => name.len() + sql.len(),
        Setting::Reset { name } => name.len(),
        Setting::ResetAll => 0,
    }
}

/// Whether `part`, in lower case, is in `text`.
fn contains(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

fn in_words(pin: Pin) -> &'static str {
    match pin {
        Pin::Temporary => "temporary tables",
        Pin::Prepared => "statements prepared by SQL",
        Pin::Cursor => "cursors",
        Pin::Listen => "channels listened to",
        Pin::Statements => "prepared statements",
        Pin::Settings => "more settings than are kept",
        Pin::Pipeline => "requests that were not followed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(memory: &Memory) -> Vec<&str> {
        memory.settings().map(|(_, sql)| sql).collect()
    }

    #[test]
    fn r75_settings_count_when_their_transaction_is_kept() {
        let mut memory = Memory::default();
        memory.sent("SET work_mem = '1MB'");
        memory.answered(true, false, Ended::Kept);
        memory.sent("BEGIN; SET TIME ZONE 'UTC'");
        memory.answered(true, true, Ended::Kept);
        assert_eq!(names(&memory), ["SET work_mem = '1MB'"]);
        memory.sent("ROLLBACK");
        memory.answered(true, false, Ended::Undone);
        memory.sent("SET nonsense = 1");
        memory.answered(false, false, Ended::Kept);
        assert_eq!(names(&memory), ["SET work_mem = '1MB'"]);
        memory.sent("RESET work_mem; SET LOCAL a.b = 1; SET a.c TO x");
        memory.answered(true, false, Ended::Kept);
        assert_eq!(names(&memory), ["SET a.c TO x"]);
        memory.sent("DISCARD ALL");
        memory.answered(true, false, Ended::Kept);
        assert!(names(&memory).is_empty());
    }

    #[test]
    fn r75_what_cannot_be_made_again_pins_until_it_is_dropped_or_lost() {
        for (sql, what) in [
            ("CREATE TEMP TABLE t (a int)", "temporary tables"),
            ("LISTEN x", "channels listened to"),
            ("PREPARE p AS SELECT 1", "statements prepared by SQL"),
            ("SELECT pg_advisory_lock(1)", "advisory locks"),
        ] {
            let mut memory = Memory::default();
            assert_eq!(memory.pin(), None);
            memory.sent(sql);
            assert_eq!(memory.pin(), Some(what), "{sql}");
            let mut discarded = memory.clone();
            discarded.sent("DISCARD ALL");
            assert_eq!(discarded.pin(), None, "{sql}");
            assert_eq!((memory.lost(), memory.pin()), (Some(what), None));
        }
    }

    #[test]
    fn settings_without_end_pin_instead_of_filling_the_memory() {
        let mut memory = Memory::default();
        for number in 0..100 {
            memory.sent(&format!("SET a.b{number} = '{}'", "x".repeat(1000)));
            memory.answered(true, false, Ended::Kept);
        }
        assert_eq!(memory.pin(), Some("more settings than are kept"));
        assert!(memory.settings().map(|(_, sql)| sql.len()).sum::<usize>() <= SETTINGS_BYTES_MAX);
    }
}
