//! The local store under power cuts and dying processes: whatever was not synced is forgotten, nothing acknowledged is
//! (S1, R28).

pub mod disk;

use std::sync::Arc;

use journal::{
    AppendError, Local, Objects, OpenError, Patience, Recovery, Store, Threads, Writer,
    objects::{Created, ErrorKind, Layout, OnBroken},
};
use model::{Epoch, Incarnation};
use rand::{Rng, SeedableRng, rngs::StdRng};

use self::disk::{Lie, SimDisk};
use crate::world::*;

/// Pages of the test's database; each commit writes one more and counts on page 1.
const PAGES: u32 = 8;
const LOG_1: &str = "log-0000000000000001";
const LIES: [Lie; 2] = [Lie::SyncDir, Lie::SyncFile];
const LAYOUTS: [Layout; 2] = [Layout::Packs, Layout::Files];

struct Crash {
    disk: SimDisk,
    layout: Layout,
    random: StdRng,
    epoch: u64,
    /// Commits acknowledged so far.
    acknowledged: u32,
    /// Commits tried so far.
    tried: u32,
}

fn local(disk: SimDisk, layout: Layout) -> Local {
    Local::on(disk, layout, Threads::Inline, OnBroken::Refuse)
}

/// What ends a life.
enum End {
    Died,
    Violation(String),
}

impl Crash {
    fn new(layout: Layout, lie: Lie, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { disk: SimDisk::new(lie), layout, random, epoch: 0, acknowledged: 0, tried: 0 }
    }

    /// Opens, checks, and commits until the process dies.
    async fn live(&mut self, operations: i64) -> Result<(), String> {
        self.epoch += 1;
        let disk = self.disk.process(operations);
        let local: Arc<dyn Objects> = Arc::new(local(disk.clone(), self.layout));
        let patience =
            Patience { attempt: std::time::Duration::from_secs(1), total: std::time::Duration::ZERO };
        let store = Store::with(local, FLEET, Incarnation(self.epoch), patience, Threads::Inline);
        match self.work(&store, operations).await {
            Ok(()) => Ok(()),
            Err(End::Died) if disk.operations_left() <= 0 => Ok(()),
            Err(End::Died) => Err("the store failed although the process is alive".into()),
            Err(End::Violation(text)) => Err(text),
        }
    }

    async fn work(&mut self, store: &Store, operations: i64) -> Result<(), End> {
        let (mut writer, recovery) =
            store.open(SHOP, Epoch(self.epoch), NOW).await.map_err(|error| match error {
                OpenError::Store { .. } => End::Died,
                error => End::Violation(format!("epoch {}: {error:?}", self.epoch)),
            })?;
        let mut image = self.check(&recovery).await?;
        for _ in 0..operations {
            self.commit(&mut writer, &mut image).await?;
            if self.random.random_bool(0.15) {
                let packed = writer.snapshot_draft().pack(&image[..]).expect("as long as the log says");
                writer.snapshot_taken(packed.put().await.map_err(|_| End::Died)?);
                writer.collection().run(std::time::Duration::ZERO, NOW).await.map_err(|_| End::Died)?;
            }
        }
        Ok(())
    }

    /// The image must hold every acknowledged commit, and no commit by half.
    async fn check(&mut self, recovery: &Recovery) -> Result<Vec<u8>, End> {
        let image = recovery.image().await.map_err(|error| match error {
            journal::ImageError::Store { .. } => End::Died,
            error => End::Violation(format!("{error:?}")),
        })?;
        let found = image.get(..4).map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().expect("4 bytes")));
        if found < self.acknowledged || found > self.tried {
            let (acknowledged, tried) = (self.acknowledged, self.tried);
            return Err(End::Violation(format!("{acknowledged} acknowledged, {tried} tried, {found} found")));
        }
        if found > 0 && image[PAGE * (1 + found as usize % PAGES as usize)] != found as u8 {
            return Err(End::Violation(format!("commit {found} is there by half")));
        }
        // What was found is durable now, and the next commit goes on from it.
        (self.acknowledged, self.tried) = (found, found);
        Ok(image)
    }

    async fn commit(&mut self, writer: &mut Writer, image: &mut Vec<u8>) -> Result<(), End> {
        self.tried = self.acknowledged + 1;
        let number = self.tried;
        image.resize((PAGES as usize + 1) * PAGE, 0);
        image[..4].copy_from_slice(&number.to_le_bytes());
        let page_number = 1 + number as usize % PAGES as usize;
        image[page_number * PAGE..][..PAGE].fill(number as u8);
        let mut group = group(PAGES + 1, &[(page_number as u32 + 1, number as u8)]);
        group.pages.push((1, image[..PAGE].to_vec().into()));
        match writer.append(group).await {
            Ok(_) => self.acknowledged = number,
            Err(AppendError::Stalled { .. }) => return Err(End::Died),
            Err(error) => return Err(End::Violation(format!("{error:?}"))),
        }
        Ok(())
    }
}

/// Lives, deaths and power cuts out of a seed; returns what was violated.
async fn crash(layout: Layout, lie: Lie, seed: u64) -> Result<u32, String> {
    let mut crash = Crash::new(layout, lie, seed);
    for _ in 0..12 {
        let operations = crash.random.random_range(1..160);
        crash.live(operations).await?;
        if crash.random.random_bool(0.6) {
            let Crash { disk, random, .. } = &mut crash;
            disk.power_cut(random);
        }
    }
    Ok(crash.acknowledged)
}

#[tokio::test(start_paused = true)]
async fn nothing_acknowledged_is_lost_when_unsynced_data_are_dropped() {
    for layout in LAYOUTS {
        let mut commits = 0;
        for seed in 0..300 {
            let done = crash(layout, Lie::None, seed).await;
            commits += done.unwrap_or_else(|violation| panic!("{layout:?}, seed {seed}: {violation}"));
        }
        assert!(commits > 3_000, "{layout:?}: only {commits} commits");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_lies_about_syncs_is_caught() {
    for (layout, lie) in LAYOUTS.into_iter().flat_map(|layout| LIES.map(|lie| (layout, lie))) {
        let mut caught = false;
        for seed in 0..50 {
            caught |= crash(layout, lie, seed).await.is_err();
        }
        assert!(caught, "{layout:?}: {lie:?} must lose something");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_store_shows_survives_though_its_writer_died_before_it_synced() {
    let mut random = StdRng::seed_from_u64(1);
    let mut shown_anything = false;
    for (operations, layout) in (1..40).cycle().take(400).flat_map(|n| LAYOUTS.map(|layout| (n, layout))) {
        let disk = SimDisk::new(Lie::None);
        let dying = local(disk.process(operations), layout);
        let folder = memory().1.folder(SHOP);
        drop(dying.create(&folder.join(LOG_1), &[page(1)]).await);

        let store = local(disk.process(i64::MAX), layout);
        let shown = store.list(&folder).await.expect("listed");
        disk.power_cut(&mut random);
        assert_eq!(store.list(&folder).await.expect("listed"), shown, "dead after {operations} operations");
        shown_anything |= !shown.is_empty();
    }
    assert!(shown_anything);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_told_to_be_taken_survives_though_its_writer_died_before_it_synced() {
    let mut random = StdRng::seed_from_u64(2);
    let mut taken = 0;
    for (operations, layout) in (1..40).cycle().take(400).flat_map(|n| LAYOUTS.map(|layout| (n, layout))) {
        let disk = SimDisk::new(Lie::None);
        let key = memory().1.folder(SHOP).join(LOG_1);
        let dying = local(disk.process(operations), layout);
        drop(dying.create(&key, &[page(1)]).await);

        let store = local(disk.process(i64::MAX), layout);
        let created = store.create(&key, &[page(2)]).await.expect("created or taken");
        disk.power_cut(&mut random);
        let expected = if created == Created::Taken { page(1) } else { page(2) };
        assert_eq!(store.read(&key, None).await.expect("read"), Some(expected), "dead after {operations}");
        taken += u32::from(created == Created::Taken);
    }
    assert!(taken > 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_sync_is_final() {
    for layout in LAYOUTS {
        let local = local(SimDisk::new(Lie::Fail), layout);
        let key = memory().1.folder(SHOP).join(LOG_1);
        let error = local.create(&key, &[page(1)]).await.expect_err("the sync fails");
        assert_eq!(error.kind, ErrorKind::Broken);
        let error = local.read(&key, None).await.expect_err("nothing is believed any more");
        assert_eq!(error.kind, ErrorKind::Broken);
        assert!(local.broken().is_some_and(|reason| reason.contains("sync failed")));
    }
}
