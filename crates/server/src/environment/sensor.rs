//! The seam to whatever can be measured: tests put their own values behind it.

use std::path::PathBuf;

use conditions::{Scope, Source};

/// One value, just measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Of what.
    pub source: Source,
    /// Of the whole server or of one database.
    pub scope: Scope,
    /// How much, in the source's unit.
    pub value: f64,
}

impl Reading {
    /// Of a source that is known.
    ///
    /// # Panics
    /// When the name is no source's.
    pub fn new(source: &str, scope: Scope, value: f64) -> Self {
        Self { source: source.parse().expect("BUG: a source has a sound name"), scope, value }
    }

    /// Of the whole server.
    ///
    /// # Panics
    /// As [`Reading::new`].
    pub fn server(source: &str, value: f64) -> Self {
        Self::new(source, Scope::Server, value)
    }
}

/// Something that measures. It is asked again and again, never twice at a time, on a thread that may block.
pub trait Sensor: Send + Sync {
    /// The sources that it can have; those that it never tells are absent on this machine.
    fn sources(&self) -> &'static [&'static str];

    /// What it sees now. What cannot be told is left out.
    fn read(&mut self) -> Vec<Reading>;
}

/// What a server measures its environment with. The default measures nothing.
#[derive(Default)]
pub struct Sensors {
    /// Asked by turns.
    pub readers: Vec<Box<dyn Sensor>>,
    /// Where to write a little now and then, to see how long the disk takes.
    pub probe: Option<PathBuf>,
}
