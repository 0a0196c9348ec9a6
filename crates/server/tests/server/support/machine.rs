//! A machine whose state the test chooses.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use server::environment::{Reading, Sensor};

/// What can be measured of it now. Cheap to clone.
#[derive(Clone, Default)]
pub struct Machine(Arc<Mutex<BTreeMap<&'static str, f64>>>);

impl Machine {
    pub fn set(&self, source: &'static str, value: f64) {
        self.0.lock().expect("no panics").insert(source, value);
    }
}

impl Sensor for Machine {
    fn sources(&self) -> &'static [&'static str] {
        &[]
    }

    fn read(&mut self) -> Vec<Reading> {
        let values = self.0.lock().expect("no panics");
        values.iter().map(|(source, value)| Reading::server(source, *value)).collect()
    }
}
