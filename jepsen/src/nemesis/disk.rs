//! Disks of our own: ext4 on loop devices, which can lose power, fail and be full.
//!
//! Power is cut by ext4's own *shutdown* (`FS_IOC_SHUTDOWN` without flushing its log): what was not synced is gone when the
//! file system is mounted again, and until then all IO fails. Needs root, `mkfs.ext4` and loop devices.
//! That call has a flaw that real disks have not: a sync that is under way may succeed, and what it synced is gone (seen on
//! Linux 6.18). So whoever works on a disk is stopped for that moment, which begins when its syncs have come to their end.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use async_trait::async_trait;

use super::{Fault, Made, Stage, each, network::command};
use crate::Step;

/// File systems of the journal and of each controller.
pub struct Disks {
    /// Mounted on itself and shared: who runs in a network namespace has a copy of all mounts, which would keep a file
    /// system in use that is unmounted here, and would not see the one that is mounted in its place.
    directory: Option<PathBuf>,
    mounts: Vec<PathBuf>,
    /// Folders whose file system was shut down.
    gone: Mutex<BTreeSet<String>>,
}

/// Of each, in bytes; sparse.
const SIZE: u64 = 256 << 20;
/// The file that fills a disk.
const FILLER: &str = "filler";

impl Disks {
    /// Mounts one at each of these folders of a directory.
    ///
    /// # Errors
    /// What this machine cannot do. What was mounted until then is gone again.
    pub fn new(directory: &Path, folders: &[String]) -> anyhow::Result<Self> {
        let mut disks = Self { directory: None, mounts: Vec::new(), gone: Mutex::default() };
        let itself = directory.display();
        command(&format!("mount --bind {itself} {itself}"))?;
        disks.directory = Some(directory.to_owned());
        command(&format!("mount --make-shared {itself}"))?;
        for folder in folders {
            let (image, mount) = (directory.join(format!("{folder}.img")), directory.join(folder));
            fs::create_dir_all(&mount)?;
            File::create(&image)?.set_len(SIZE)?;
            command(&format!("mkfs.ext4 -q -F -m 0 {}", image.display()))?;
            disks.mounts.push(mount);
            disks.mount(folder)?;
            // ext4 puts a folder of its own there, which others take for theirs.
            fs::remove_dir(directory.join(folder).join("lost+found")).context("lost+found")?;
        }
        Ok(disks)
    }

    fn of(&self, folder: &str) -> anyhow::Result<&PathBuf> {
        self.mounts
            .iter()
            .find(|mount| mount.ends_with(folder))
            .with_context(|| format!("no disk for {folder}"))
    }

    fn mount(&self, folder: &str) -> anyhow::Result<()> {
        let mount = self.of(folder)?;
        command(&format!("mount -o loop {}.img {}", mount.display(), mount.display()))
    }

    /// The file system is gone from one moment to the next.
    fn shut_down(&self, folder: &str) -> anyhow::Result<()> {
        let mount = File::open(self.of(folder)?)?;
        self.shut().insert(folder.to_owned());
        shutdown::without_flush(&mount).with_context(|| format!("the disk of {folder} cannot be shut down"))
    }

    /// It is there again, with what had been synced. Nobody may use it at that moment.
    ///
    /// # Errors
    /// When it cannot be had again.
    pub fn again(&self, folder: &str) -> anyhow::Result<()> {
        let mount = self.of(folder)?.display().to_string();
        // An attempt before this one may have come to here.
        if fs::read_to_string("/proc/self/mounts")?.contains(&format!(" {mount} ")) {
            command(&format!("umount {mount}"))?;
        }
        self.mount(folder)?;
        self.shut().remove(folder);
        Ok(())
    }

    /// The folders that have no disk at this moment.
    pub fn gone(&self) -> Vec<String> {
        self.shut().iter().cloned().collect()
    }

    fn shut(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, folder: &str) -> anyhow::Result<()> {
        fill(&self.of(folder)?.join(FILLER)).with_context(|| format!("cannot fill the disk of {folder}"))
    }

    /// Gives every disk that was filled its room again.
    ///
    /// # Errors
    /// When a disk keeps what filled it.
    pub fn make_room(&self) -> anyhow::Result<()> {
        each(self.mounts.iter().map(|mount| match fs::remove_file(mount.join(FILLER)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot make room in {}", mount.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }))
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        for mount in self.mounts.iter().chain(&self.directory) {
            // Processes may still be on their way out.
            drop(command(&format!("umount -l {}", mount.display())));
        }
    }
}

/// The one call that no safe library has.
mod shutdown {
    #![allow(unsafe_code)]

    use std::{fs::File, io};

    use rustix::ioctl::{Setter, ioctl};

    /// `_IOR('X', 125, __u32)`, see linux/fs.h and ext4's ioctl.c.
    const FS_IOC_SHUTDOWN: rustix::ioctl::Opcode = 0x8004_587d;
    /// `EXT4_GOING_FLAGS_NOLOGFLUSH`.
    const WITHOUT_LOG_FLUSH: u32 = 2;

    pub fn without_flush(mount: &File) -> io::Result<()> {
        // SAFETY: this ioctl reads a u32 through the pointer, and nothing else.
        unsafe { ioctl(mount, Setter::<FS_IOC_SHUTDOWN, u32>::new(WITHOUT_LOG_FLUSH)) }
            .map_err(io::Error::from)
    }
}

/// A power cut, or a disk that fails under processes that go on: see the catalogue.
pub struct Gone {
    /// Processes die with it.
    pub with_processes: bool,
    folders: Vec<String>,
}

impl Gone {
    pub fn new(with_processes: bool) -> Self {
        Self { with_processes, folders: Vec::new() }
    }
}

/// Whom a disk fault hits: folders.
async fn folders(stage: &Stage, step: &Step) -> anyhow::Result<Vec<String>> {
    let names = |of: &mut dyn Iterator<Item = &::tests::Process>| -> Vec<String> {
        of.map(|process| process.name().to_owned()).collect()
    };
    Ok(match &*step.target {
        "journal" => vec!["journal".into()],
        "all" => [names(&mut stage.founders().iter()), vec!["journal".into()]].concat(),
        _ => names(&mut stage.victims(step).await?.into_iter()),
    })
}

#[async_trait(?Send)]
impl Fault for Gone {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let disks = stage.disks()?;
        self.folders = folders(stage, step).await?;
        let users = stage.users(&self.folders);
        let running: Vec<_> = users.iter().filter(|process| process.is_running()).collect();
        // Nobody may be in the middle of a sync, see the module.
        running.iter().for_each(|process| process.pause());
        let gone = each(self.folders.iter().map(|folder| disks.shut_down(folder)));
        match self.with_processes {
            true => users.iter().for_each(|process| process.kill()),
            false => running.iter().for_each(|process| process.resume()),
        }
        gone?;
        Ok(Made::Installed(self.folders.join(" ")))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        stage.disks.as_ref().map_or(Ok(()), |disks| stage.mount_again(disks, &self.folders))
    }
}

/// A disk without room: see the catalogue.
pub struct Full;

#[async_trait(?Send)]
impl Fault for Full {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let disks = stage.disks()?;
        let folders = folders(stage, step).await?;
        each(folders.iter().map(|folder| disks.fill(folder)))?;
        Ok(Made::Installed(folders.join(" ")))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let room = stage.disks.as_ref().map_or(Ok(()), Disks::make_room);
        // Who died of it is needed again.
        stage.start_again();
        room
    }
}

/// Takes all the room there is.
fn fill(filler: &Path) -> io::Result<()> {
    use std::io::Write;
    let mut file = File::create(filler)?;
    for piece in [1 << 20, 4 << 10, 1] {
        let zeros = vec![0; piece];
        // Until it is full: that error is what this is for.
        while file.write_all(&zeros).is_ok() {}
    }
    // Delayed allocation may find out only now.
    drop(file.sync_all());
    Ok(())
}
