//! Measuring again and again: each sensor in a task of its own, so that one that hangs holds up no other.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tokio::time::{Instant, sleep};

use super::{Environment, Own, Reading, Sensor, Sensors, lock};
use crate::{limits::DISK_PROBE_EVERY, vitals::Vitals, workers::Workers};

impl Environment {
    /// Measures until dropped.
    pub async fn watch(self, sensors: Sensors, own: Own, workers: Workers) {
        let vitals = own.vitals.clone();
        let mut tasks = tokio::task::JoinSet::new();
        for sensor in sensors.readers {
            tasks.spawn(self.clone().read_on(sensor, workers.clone()));
        }
        if let Some(path) = sensors.probe {
            tasks.spawn(probe_on(path, vitals, workers));
        }
        loop {
            sleep(self.every()).await;
            self.take(own.read(&self));
            self.evaluate();
        }
    }

    pub(super) async fn read_on(self, sensor: Box<dyn Sensor>, workers: Workers) {
        let sources = sensor.sources();
        let sensor = Arc::new(Mutex::new(sensor));
        let mut told = BTreeSet::new();
        let mut reads = 0;
        loop {
            let reader = Arc::clone(&sensor);
            let readings = workers.run(move || lock(&reader).read()).await;
            // Rates need two looks.
            reads = (reads + 1).min(3);
            if reads < 3 {
                told.extend(readings.iter().map(|reading: &Reading| reading.source.clone()));
                if reads == 2 {
                    self.note_absent(
                        sources.iter().filter(|source| !told.contains(**source)).copied().collect(),
                    );
                }
            }
            self.take(readings);
            sleep(self.every()).await;
        }
    }
}

/// Writes a little to the disk now and then. What hangs counts by its age.
async fn probe_on(path: PathBuf, vitals: Vitals, workers: Workers) {
    loop {
        vitals.disk_begins(Instant::now());
        let path = path.clone();
        let written = workers.run(move || write(&path)).await;
        vitals.disk_ended(Instant::now());
        if let Err(error) = written {
            tracing::debug!(%error, "the disk's probe could not be written");
        }
        sleep(DISK_PROBE_EVERY).await;
    }
}

fn write(path: &std::path::Path) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::create(path)?;
    file.write_all(&[0; 4096])?;
    file.sync_data()
}
