//! How a directory keeps records: in packs, or each in a file of its own. Decided once for each directory.
//!
//! Packs stand on appends that are atomic among all who see the directory. File systems of one machine keep that;
//! NFS, for one, writes where its client believes the file ends, over what others have appended.

use std::io;

use super::{Disk, Link, pack};

/// The file in the root of a store that says which.
pub(super) const FILE: &str = "layout";

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The records of a range of positions are appended to one file: one sync for each.
    Packs,
    /// Each record is a file, linked to its name: two syncs for each, and no need of atomic appends.
    Files,
}

impl Layout {
    fn text(self) -> &'static str {
        match self {
            Self::Packs => "packs 1\n",
            Self::Files => "files 1\n",
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        [Self::Packs, Self::Files].into_iter().find(|layout| layout.text().as_bytes() == text)
    }

    /// What the directory says, if it says anything.
    pub(super) fn read(disk: &dyn Disk) -> io::Result<Option<Self>> {
        let text = match disk.read(FILE, None) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let unknown = || {
            let said = String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned();
            let text = format!("its file `{FILE}` says {said:?}: a later version of this program made it");
            io::Error::other(text)
        };
        Self::parse(&text).map(Some).ok_or_else(unknown)
    }

    /// The layout of a directory, noted there for all who come later if nobody did.
    ///
    /// # Errors
    /// When the directory has packs, and is seen through a file system on which packs are not safe.
    pub(super) fn settle(disk: &dyn Disk) -> io::Result<Self> {
        let able = disk.appends_atomically()?;
        let layout = match Self::read(disk)? {
            Some(layout) => layout,
            None => {
                let found = Self::found(disk)?;
                Self::note(disk, found.unwrap_or(if able { Self::Packs } else { Self::Files }))?
            }
        };
        if layout == Self::Packs && !able {
            return Err(io::Error::other(
                "it keeps records in packs, which need appends that are atomic, and this file system (a network's, or \
                 one not known) does not promise that: use the directory on the machine that it is on, or begin a new \
                 one through this file system",
            ));
        }
        Ok(layout)
    }

    fn note(disk: &dyn Disk, layout: Self) -> io::Result<Self> {
        let mut file = disk.stage("")?;
        file.write(layout.text().as_bytes())?;
        file.sync()?;
        let linked = file.link(FILE)?;
        disk.sync_dir("")?;
        match linked {
            Link::Made => Ok(layout),
            Link::Taken => Ok(Self::read(disk)?.unwrap_or(layout)),
        }
    }

    /// What the first record found says. For directories of former versions, and copies without the note.
    fn found(disk: &dyn Disk) -> io::Result<Option<Self>> {
        for fleet in disk.dirs("")? {
            for shard in disk.dirs(&fleet)? {
                for database in disk.dirs(&format!("{fleet}/{shard}"))? {
                    let files = disk.files(&format!("{fleet}/{shard}/{database}"))?;
                    let layout = files.iter().find_map(|(name, _)| match name {
                        name if pack::parse(name).is_some() => Some(Self::Packs),
                        name if name.starts_with("log-") => Some(Self::Files),
                        _ => None,
                    });
                    if layout.is_some() {
                        return Ok(layout);
                    }
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::pack::tests::disk::{Lie, SimDisk},
        *,
    };

    #[test]
    fn without_atomic_appends_records_are_files_and_packs_are_refused() {
        let disk = SimDisk::new(Lie::Append);
        assert_eq!(Layout::settle(&disk).expect("settled"), Layout::Files);
        assert_eq!(Layout::settle(&disk).expect("settled"), Layout::Files, "and stay so");

        let disk = SimDisk::new(Lie::Append);
        Layout::note(&disk, Layout::Packs).expect("noted where it is a disk");
        let refused = Layout::settle(&disk).expect_err("refused").to_string();
        assert!(refused.contains("appends that are atomic"), "{refused}");
    }

    #[test]
    fn who_comes_second_keeps_to_what_the_first_has_noted() {
        let disk = SimDisk::new(Lie::None);
        Layout::note(&disk, Layout::Files).expect("noted");
        assert_eq!(Layout::note(&disk, Layout::Packs).expect("told"), Layout::Files);
        assert_eq!(Layout::settle(&disk).expect("settled"), Layout::Files);
    }
}
