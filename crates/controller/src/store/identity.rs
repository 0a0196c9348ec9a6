//! Whose data directory this is, and whether it may vote: a small file of its own, readable without any database.
//!
//! ```text
//! stationmaster-controller-data 1
//! controller 1
//! fleet 0123…
//! ```
//! The number in the first line is the format of the whole directory. The last line comes once the fleet is founded.
//! A new directory has another line, `joining`, and format 2, which an earlier release refuses, as it would vote: it may
//! have held a vote and entries until its disk was lost. It goes once the controller is admitted (`raft::admission`).

use std::path::{Path, PathBuf};

use model::{ControllerId, FleetId};

use super::{StoreError, image_file::replace_file};

const FILE: &str = "identity";
const MAGIC: &str = "stationmaster-controller-data";
/// The format of the whole directory that is written.
const FORMAT: u32 = 1;
/// The same while the controller is not admitted, and the newest that is read.
const FORMAT_JOINING: u32 = 2;
const JOINING: &str = "joining";

/// Whose data it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which controller's.
    pub controller: ControllerId,
    /// Which fleet's, once known.
    pub fleet: Option<FleetId>,
    /// Whether it is not admitted yet: it may have been a member that lost its disk, and must not vote.
    pub joining: bool,
}

impl Identity {
    /// Reads it; `None` when the directory is new.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read, is damaged, or says a later format.
    pub fn read(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Err(damaged(&path, "it is not text".into()))
            }
            Err(source) => Err(StoreError::Io { doing: "read", path, source }),
        }
    }

    /// Writes it, durably and all at once.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let format = if self.joining { FORMAT_JOINING } else { FORMAT };
        let mut text = format!("{MAGIC} {format}\ncontroller {}\n", self.controller);
        if let Some(fleet) = self.fleet {
            text.push_str(&format!("fleet {fleet}\n"));
        }
        if self.joining {
            text.push_str(&format!("{JOINING}\n"));
        }
        replace_file(&dir.join(FILE), text.as_bytes()).map_err(StoreError::io("write", dir.join(FILE)))
    }

    fn parse(text: &str, path: &Path) -> Result<Self, StoreError> {
        let mut format = None;
        let mut controller = None;
        let mut fleet = None;
        let mut joining = false;
        for line in text.lines() {
            let bad = || damaged(path, format!("it says {line:?}"));
            if line == JOINING && format == Some(FORMAT_JOINING) {
                joining = true;
                continue;
            }
            let (key, value) = line.split_once(' ').ok_or_else(bad)?;
            match key {
                MAGIC => format = Some(value.parse::<u32>().map_err(|_| bad())?),
                "controller" => controller = Some(ControllerId(value.parse().map_err(|_| bad())?)),
                "fleet" => fleet = Some(value.parse().map_err(|_| bad())?),
                _ => return Err(bad()),
            }
            if format.is_some_and(|format| format > FORMAT_JOINING) {
                return Err(StoreError::Newer { what: "the data directory".into(), path: parent(path) });
            }
        }
        match (format, controller) {
            (Some(FORMAT), Some(controller)) => Ok(Self { controller, fleet, joining }),
            // A cut-off last line must not let it vote.
            (Some(FORMAT_JOINING), Some(controller)) if joining => Ok(Self { controller, fleet, joining }),
            _ => Err(damaged(path, "it is incomplete".into())),
        }
    }
}

fn damaged(path: &Path, reason: String) -> StoreError {
    StoreError::Damaged { what: "the identity file".into(), path: parent(path), reason }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Identity, StoreError> {
        Identity::parse(text, Path::new("/data/identity"))
    }

    #[test]
    fn an_identity_reads_back() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(Identity::read(dir.path()).expect("readable"), None);
        for (fleet, joining) in
            [(None, true), (None, false), (Some(FleetId(7)), true), (Some(FleetId(7)), false)]
        {
            let identity = Identity { controller: ControllerId(3), fleet, joining };
            identity.write(dir.path()).expect("writable");
            assert_eq!(Identity::read(dir.path()).expect("readable"), Some(identity));
        }
    }

    #[test]
    fn a_later_format_asks_for_a_later_release() {
        let error = parse("stationmaster-controller-data 3\nwhatever\n").expect_err("from the future");
        assert!(error.to_string().contains("later release"), "{error}");
    }

    /// Golden bytes: what earlier releases wrote votes, and what is written now still reads.
    #[test]
    fn every_identity_ever_written_reads() {
        let identity = |joining| Identity { controller: ControllerId(1), fleet: None, joining };
        let first = parse("stationmaster-controller-data 1\ncontroller 1\n").expect("the first format");
        assert_eq!(first, identity(false));
        let new = parse("stationmaster-controller-data 2\ncontroller 1\njoining\n").expect("a new one");
        assert_eq!(new, identity(true));
    }

    #[test]
    fn half_a_file_is_damage_and_not_a_new_directory() {
        let cut = "stationmaster-controller-data 2\ncontroller 1\n";
        let early = "stationmaster-controller-data 1\ncontroller 1\njoining\n";
        for text in
            ["", "stationmaster-controller-data 1\n", "controller 1\n", "\0\0", "controller x\n", cut, early]
        {
            let error = parse(text).expect_err(text);
            assert!(error.to_string().contains("damaged"), "{error}");
        }
    }
}
