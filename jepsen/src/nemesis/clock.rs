//! Clocks that are wrong: each process of the cluster has the library `clock` loaded (`jepsen/clock`), which answers for
//! its clocks by what stands in a file of its own.

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::ErrorKind,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use super::{Fault, Made, Stage, each};
use crate::Step;

/// A rate of one, in millionths.
const RIGHT_PPM: u64 = 1_000_000;
/// How far a wall clock jumps, in nanoseconds.
const JUMP_NS: i64 = 3_600_000_000_000;
/// A setting holds so long after it is written, so that nobody sees one that should hold no more.
const LEAD_NS: i64 = 20_000_000;

/// Rates of a controller's clock, in millionths: within what leases bear, and slower than others' by far. A leader whose
/// clock is fast by far would give away what its owner still answers for.
const OF_CONTROLLERS_PPM: [u64; 3] = [1_000_300, 900_000, 700_000];
/// Rates of other clocks: within what leases bear, and faster by far. A server whose clock is slow by far would answer for
/// what was given away.
const OF_OTHERS_PPM: [u64; 3] = [999_700, 1_200_000, 2_000_000];

/// The clocks of all processes.
pub struct Clocks {
    library: PathBuf,
    directory: TempDir,
    pages: Vec<(String, Mutex<Page>)>,
}

/// What a process is told of its clocks, as `jepsen/clock/src/page.rs` reads it.
struct Page {
    file: File,
    /// Which of two settings holds.
    holds: u64,
    /// Since when, in nanoseconds of the true monotonic clock.
    since: i64,
    /// How far monotonic clocks were ahead then.
    ahead: i64,
    rate_ppm: u64,
}

impl Clocks {
    /// Right clocks for processes of these names.
    ///
    /// # Errors
    /// When the library cannot be built.
    pub fn new(names: &[String]) -> anyhow::Result<Self> {
        let (library, directory) = (library()?, tempfile::tempdir().context("no temporary directory")?);
        let page = |name: &String| Ok((name.clone(), Mutex::new(Page::new(&directory.path().join(name))?)));
        let pages = names.iter().map(page).collect::<anyhow::Result<_>>()?;
        Ok(Self { library, directory, pages })
    }

    /// What keeps clocks from being set here, if anything.
    pub fn missing() -> Option<String> {
        library().err().map(|error| format!("{error:#}"))
    }

    /// What a process has to be started by, so that its clocks can be set.
    pub fn command(&self, name: &str) -> [String; 3] {
        let (library, page) = (self.library.display(), self.directory.path().join(name));
        ["env".into(), format!("LD_PRELOAD={library}"), format!("CLOCK_PAGE={}", page.display())]
    }

    fn page(&self, name: &str) -> anyhow::Result<MutexGuard<'_, Page>> {
        let page = self.pages.iter().find(|(of, _)| of == name);
        let (_, page) = page.with_context(|| format!("no clock for {name}"))?;
        Ok(page.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on all clocks of a process run at this rate, and its wall clock is off by so much.
    fn set(&self, name: &str, rate_ppm: u64, off_ns: i64) -> anyhow::Result<()> {
        self.page(name)?.set(rate_ppm, off_ns).with_context(|| format!("the clock of {name} cannot be set"))
    }

    /// How often a process has asked its clocks.
    fn asked(&self, name: &str) -> anyhow::Result<u64> {
        Ok(self.page(name)?.asked()?)
    }

    /// Every clock is right again. Monotonic ones that were wrong run at the right rate from where they are.
    ///
    /// # Errors
    /// When one cannot be set.
    pub fn heal(&self) -> anyhow::Result<()> {
        each(self.pages.iter().map(|(name, _)| self.set(name, RIGHT_PPM, 0)))
    }
}

impl Page {
    fn new(path: &Path) -> anyhow::Result<Self> {
        let file = File::options().create_new(true).read(true).write(true).open(path)?;
        file.write_all_at(&[0; 80], 0)?;
        let mut page = Self { file, holds: 0, since: 0, ahead: 0, rate_ppm: RIGHT_PPM };
        // Both settings are right ones.
        page.write(0)?;
        page.write(0)?;
        Ok(page)
    }

    fn set(&mut self, rate_ppm: u64, off_ns: i64) -> anyhow::Result<()> {
        let now = clock_gettime(ClockId::Monotonic);
        let since = now.tv_sec * 1_000_000_000 + now.tv_nsec + LEAD_NS;
        let gone = i128::from(since - self.since) * (i128::from(self.rate_ppm) - i128::from(RIGHT_PPM));
        self.ahead += i64::try_from(gone / i128::from(RIGHT_PPM)).context("a clock is off by centuries")?;
        (self.since, self.rate_ppm) = (since, rate_ppm);
        Ok(self.write(off_ns - self.ahead)?)
    }

    /// Writes the setting that does not hold, and then that it holds.
    fn write(&mut self, wall: i64) -> std::io::Result<()> {
        self.holds ^= 1;
        let words = [self.since as u64, self.ahead as u64, self.rate_ppm, wall as u64];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        self.file.write_all_at(&bytes, 16 + 32 * self.holds)?;
        self.file.write_all_at(&self.holds.to_ne_bytes(), 0)
    }

    fn asked(&self) -> std::io::Result<u64> {
        let mut word = [0; 8];
        self.file.read_exact_at(&mut word, 8)?;
        Ok(u64::from_ne_bytes(word))
    }
}

/// The library, of this workspace, built as we are; where there is no Cargo, one that is there.
///
/// # Errors
/// When there is none, or it does not build: one of an earlier build would be another's clocks.
fn library() -> anyhow::Result<PathBuf> {
    let mut folder = std::env::current_exe().context("no path of our own")?;
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "--package", "clock"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let library = folder.join("libclock.so");
    match build.output() {
        Ok(said) => {
            let said_why = String::from_utf8_lossy(&said.stderr);
            ensure!(said.status.success(), "no library for clocks: {said_why}");
        }
        Err(error) if error.kind() == ErrorKind::NotFound && library.exists() => {}
        Err(error) => {
            return Err(error).context("cargo, which builds the library for clocks, cannot be run");
        }
    }
    ensure!(library.exists(), "there is no {}", library.display());
    Ok(library)
}

/// A wall clock that jumps: see the catalogue.
#[derive(Default)]
pub struct Jump(Hit);

/// Clocks that run at another rate: see the catalogue.
#[derive(Default)]
pub struct Rate(Hit);

/// Whose clocks were set, and how often they had been asked by then.
#[derive(Default)]
struct Hit(Vec<(String, u64)>);

impl Hit {
    /// Sets the clocks of all victims; gives their names.
    async fn set(
        &mut self,
        stage: &Stage,
        clocks: &Clocks,
        step: &Step,
        off_ns: i64,
        rate_of: impl Fn(&str) -> u64,
    ) -> anyhow::Result<Vec<String>> {
        for process in stage.victims(step).await?.into_iter().filter(|process| process.is_running()) {
            let name = process.name();
            clocks.set(name, rate_of(name), off_ns)?;
            self.0.push((name.to_owned(), clocks.asked(name)?));
        }
        Ok(self.0.iter().map(|(name, _)| name.clone()).collect())
    }

    /// Sets them right. A process that did not ask saw nothing of it.
    fn heal(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let Ok(clocks) = &stage.clocks else { return Ok(()) };
        each(std::mem::take(&mut self.0).into_iter().map(|(name, before)| {
            clocks.set(&name, RIGHT_PPM, 0)?;
            ensure!(clocks.asked(&name)? > before, "{name} asked no clock that could be set");
            Ok(())
        }))
    }
}

#[async_trait(?Send)]
impl Fault for Jump {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let clocks = stage.clocks()?;
        let (off_ns, way) = if step.pick & 1 == 0 { (JUMP_NS, "ahead") } else { (-JUMP_NS, "back") };
        let names = self.0.set(stage, clocks, step, off_ns, |_| RIGHT_PPM).await?;
        Ok(Made::Installed(format!("{}: an hour {way}", names.join(" "))))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.0.heal(stage)
    }
}

#[async_trait(?Send)]
impl Fault for Rate {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let clocks = stage.clocks()?;
        let rate_of = |name: &str| {
            let rates = if name.starts_with("controller") { OF_CONTROLLERS_PPM } else { OF_OTHERS_PPM };
            rates[(step.pick % 3) as usize]
        };
        let names = self.0.set(stage, clocks, step, 0, rate_of).await?;
        let rated = names.iter().map(|name| format!("{name} × {}", rate_of(name) as f64 / 1e6));
        Ok(Made::Installed(rated.collect::<Vec<_>>().join(" ")))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.0.heal(stage)
    }
}
