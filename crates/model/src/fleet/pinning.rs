//! Pins of databases, and the pause of balancing.

use super::{Fleet, apply::fits};
use crate::{DatabaseId, Name, Outcome, Paused, PinnedTo, Rejection, TimestampMs, command::Field};

impl Fleet {
    /// Where a database must be; `None` where it may be anywhere.
    pub fn pin(&self, id: DatabaseId) -> Option<&PinnedTo> {
        self.pins.get(&id)
    }

    /// All pins.
    pub fn pins(&self) -> impl ExactSizeIterator<Item = (DatabaseId, &PinnedTo)> {
        self.pins.iter().map(|(id, pin)| (*id, pin))
    }

    /// Who paused balancing, and since when; `None` while it goes on.
    pub fn balancing_paused(&self) -> Option<&Paused> {
        self.paused.as_ref()
    }

    pub(super) fn pin_database(
        &mut self,
        id: DatabaseId,
        to: Option<&PinnedTo>,
    ) -> Result<Outcome, Rejection> {
        self.known(id)?;
        match to {
            None => _ = self.pins.remove(&id),
            Some(PinnedTo::Server(server)) if !self.servers.contains_key(server) => {
                return Err(Rejection::ServerUnknown { server: *server });
            }
            Some(pin) => {
                if let PinnedTo::Location(location) = pin {
                    fits(Field::Location, location)?;
                }
                self.pins.insert(id, pin.clone());
            }
        }
        Ok(Outcome::Done)
    }

    /// Pausing again changes nothing: the first one counts.
    pub(super) fn pause_balancing(
        &mut self,
        by: &Name,
        paused: bool,
        at: TimestampMs,
    ) -> Result<Outcome, Rejection> {
        if paused {
            self.paused.get_or_insert_with(|| Paused { by: by.clone(), since: at });
        } else {
            self.paused = None;
        }
        Ok(Outcome::Done)
    }
}
