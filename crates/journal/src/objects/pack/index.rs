//! What a pack's frames come to, in the order of the file: which object stands at each position.
//!
//! The first whole frame of a position has it, until a frame says that it is deleted: *put if absent*, decided by the
//! order in which the kernel appended. Bytes that are no whole frame are passed over as soon as a whole frame follows
//! them; at the end of the file they may be one that is being written, and are looked at again.

use std::collections::BTreeMap;

use super::{
    POSITIONS,
    frame::{Frame, Kind, Place, decode_positions},
};

/// An object in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Where its bytes are.
    pub(super) place: Place,
    /// Whose frame it is; nothing if its header is damaged.
    pub(super) token: Option<u64>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Index {
    first: u64,
    /// What is before this offset is in the index.
    pub(super) seen: u64,
    slots: BTreeMap<u64, Slot>,
    /// Where each position was last deleted: what was settled before then stays deleted.
    deleted: BTreeMap<u64, u64>,
    /// Something once stood at the last position, so that every owner is past this pack.
    pub(super) closed: bool,
    /// A planted bug for tests: the last frame of a position has it.
    #[cfg(test)]
    pub(super) last_wins: bool,
}

impl Index {
    pub(super) fn new(first: u64, seen: u64) -> Self {
        let (slots, deleted) = (BTreeMap::new(), BTreeMap::new());
        #[cfg(test)]
        let last_wins = super::tests::last_wins();
        Self {
            first,
            seen,
            slots,
            deleted,
            closed: false,
            #[cfg(test)]
            last_wins,
        }
    }

    /// What stands at a position of this pack.
    pub(super) fn get(&self, position: u64) -> Option<Slot> {
        self.slots.get(&position).copied()
    }

    /// Everything that stands in it.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, Slot)> {
        self.slots.iter().map(|(position, slot)| (*position, *slot))
    }

    /// Takes in a whole frame that begins at `offset`.
    pub(super) fn apply(&mut self, offset: u64, frame: &Frame, body: &[u8]) {
        let place = Place { offset: offset + frame.len() - body.len() as u64, len: frame.body_len };
        let position = frame.position;
        match frame.kind {
            Kind::Object if self.is_free(position) => self.put(position, place, Some(frame.token)),
            Kind::Object => {}
            Kind::Deleted => {
                for position in decode_positions(body) {
                    self.slots.remove(&position);
                    self.deleted.insert(position, offset);
                }
            }
            Kind::Settled => {
                let deleted = self.deleted.get(&position).copied().unwrap_or(0);
                let there = self.slots.get(&position).map(|slot| slot.place);
                if let Some(place) = Place::decode(body)
                    && place.offset > deleted
                    && there != Some(place)
                {
                    self.put(position, place, None);
                }
            }
        }
        self.seen = offset + frame.len();
    }

    fn put(&mut self, position: u64, place: Place, token: Option<u64>) {
        self.slots.insert(position, Slot { place, token });
        self.closed |= position + 1 == self.first + POSITIONS;
    }

    #[cfg(not(test))]
    fn is_free(&self, position: u64) -> bool {
        !self.slots.contains_key(&position)
    }

    #[cfg(test)]
    fn is_free(&self, position: u64) -> bool {
        !self.slots.contains_key(&position) || self.last_wins
    }
}
