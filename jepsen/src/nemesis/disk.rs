//! Disks of our own: ext4 on loop devices, which can lose power, fail and be full.
//!
//! Power is cut by ext4's own *shutdown* (`FS_IOC_SHUTDOWN` without flushing its log): what was not synced is gone when the
//! file system is mounted again, and until then all IO fails. Needs root, `mkfs.ext4` and loop devices.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;
use async_trait::async_trait;

use super::{Fault, Made, Stage, network::command};
use crate::Step;

/// File systems of the journal and of each controller.
pub struct Disks {
    mounts: Vec<PathBuf>,
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
        let mut disks = Self { mounts: Vec::new() };
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
        shutdown::without_flush(&mount).with_context(|| format!("the disk of {folder} cannot be shut down"))
    }

    /// It is there again, with what had been synced. Nobody may use it at that moment.
    fn again(&self, folder: &str) -> anyhow::Result<()> {
        command(&format!("umount {}", self.of(folder)?.display()))?;
        self.mount(folder)
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        for mount in &self.mounts {
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
    /// Folders that are gone, and processes that work on them.
    hit: Option<(Vec<String>, Vec<String>)>,
}

impl Gone {
    pub fn new(with_processes: bool) -> Self {
        Self { with_processes, hit: None }
    }
}

/// Whom a disk fault hits: folders, and the processes that work on them.
async fn hit(stage: &Stage, step: &Step) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let names =
        |of: &[tests::Process]| of.iter().map(|process| process.name().to_owned()).collect::<Vec<_>>();
    let cluster = &stage.cluster;
    let controllers = names(&cluster.controllers[..stage.spare.unwrap_or(cluster.controllers.len())]);
    Ok(match &*step.target {
        "journal" => (vec!["journal".into()], names(&cluster.servers)),
        "controllers" => (controllers.clone(), controllers),
        "all" => {
            let folders = [controllers.clone(), vec!["journal".into()]].concat();
            (folders, [controllers, names(&cluster.servers)].concat())
        }
        _ => {
            let victims: Vec<String> =
                stage.victims(step).await?.iter().map(|of| of.name().to_owned()).collect();
            (victims.clone(), victims)
        }
    })
}

#[async_trait(?Send)]
impl Fault for Gone {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let Some(disks) = &stage.disks else { return Ok(Made::Skipped(stage.no_disks.clone())) };
        let (folders, processes) = hit(stage, step).await?;
        self.hit = Some((folders.clone(), processes.clone()));
        // The disk goes first: what a process writes after that never was.
        folders.iter().try_for_each(|folder| disks.shut_down(folder))?;
        if self.with_processes {
            stage.named(&processes).for_each(tests::Process::kill);
        }
        Ok(Made::Installed(folders.join(" ")))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let (Some(disks), Some((folders, processes))) = (&stage.disks, self.hit.take()) else {
            return Ok(());
        };
        stage.named(&processes).for_each(tests::Process::kill);
        folders.iter().try_for_each(|folder| disks.again(folder))?;
        stage.named(&processes).for_each(tests::Process::start);
        Ok(())
    }
}

/// A disk without room: see the catalogue.
#[derive(Default)]
pub struct Full {
    fillers: Vec<PathBuf>,
}

#[async_trait(?Send)]
impl Fault for Full {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let Some(disks) = &stage.disks else { return Ok(Made::Skipped(stage.no_disks.clone())) };
        let (folders, _) = hit(stage, step).await?;
        for folder in &folders {
            let filler = disks.of(folder)?.join(FILLER);
            self.fillers.push(filler.clone());
            fill(&filler)?;
        }
        Ok(Made::Installed(folders.join(" ")))
    }

    async fn stop(&mut self, _: &Stage) -> anyhow::Result<()> {
        for filler in self.fillers.drain(..) {
            fs::remove_file(&filler).with_context(|| format!("cannot remove {}", filler.display()))?;
        }
        Ok(())
    }
}

/// Takes all the room there is.
fn fill(filler: &Path) -> anyhow::Result<()> {
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
