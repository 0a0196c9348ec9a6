//! What is in force, and where the order of each slot stands.

use std::collections::BTreeMap;

use crate::{Action, Directive, Kind, Moment, Order, Scope, Slot, Target};

/// Most slots of which anything is remembered.
pub const SLOTS_MAX: usize = 256;

/// What was last said about a slot.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its order; what is not higher is stale.
    pub order: Order,
    /// What it asks for; `None` once that is over or taken back.
    pub held: Option<Held>,
    /// When the slot was last written: the oldest one without anything in force makes room first.
    written: u64,
}

/// A directive in force.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// Its reason.
    pub reason: String,
    /// What it is about.
    pub scope: Scope,
    /// What it asks for.
    pub action: Action,
    /// From when it is not in force any more.
    pub until: Moment,
    /// For a rate: when the next operation is due, in microseconds of the clock.
    pub due_us: u64,
}

/// All slots.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    slots: BTreeMap<Slot, Said>,
    writes: u64,
}

impl Slots {
    pub fn order(&self, slot: &Slot) -> Option<Order> {
        self.slots.get(slot).map(|said| said.order)
    }

    /// What is in force there.
    pub fn held(&self, slot: &Slot, now: Moment) -> Option<&Held> {
        self.slots.get(slot)?.held.as_ref().filter(|held| held.until > now)
    }

    /// Everything in force.
    pub fn iter(&self, now: Moment) -> impl Iterator<Item = (&Slot, Order, &Held)> {
        self.slots.iter().filter_map(move |(slot, said)| {
            let held = said.held.as_ref().filter(|held| held.until > now)?;
            Some((slot, said.order, held))
        })
    }

    /// What of one kind is in force for a target, the most particular scope first, and then the highest order.
    pub fn covering(&self, kind: Kind, target: &Target<'_>, now: Moment) -> Vec<&Held> {
        let wanted = |held: &Held| held.action.kind() == kind && held.scope.covers(target);
        let mut found: Vec<_> = self.iter(now).filter(|(_, _, held)| wanted(held)).collect();
        found.sort_by_key(|(_, order, held)| std::cmp::Reverse((particular(&held.scope), *order)));
        found.into_iter().map(|(_, _, held)| held).collect()
    }

    /// Everything in force, to be changed.
    pub fn iter_mut(&mut self, now: Moment) -> impl Iterator<Item = &mut Held> {
        let held = self.slots.values_mut().filter_map(|said| said.held.as_mut());
        held.filter(move |held| held.until > now)
    }

    /// Whether there is room for `slot`.
    pub fn room_for(&self, slot: &Slot, now: Moment) -> bool {
        self.slots.contains_key(slot)
            || self.slots.len() < SLOTS_MAX
            || self.slots.values().any(|said| said.is_idle(now))
    }

    /// Writes a slot; what was there is over. Needs [`room_for`](Slots::room_for).
    pub fn write(&mut self, slot: Slot, order: Order, held: Option<Held>, now: Moment) {
        if !self.slots.contains_key(&slot) && self.slots.len() >= SLOTS_MAX {
            let idle = self.slots.iter().filter(|(_, said)| said.is_idle(now));
            let oldest = idle.min_by_key(|(_, said)| said.written).map(|(slot, _)| slot.clone());
            self.slots.remove(&oldest.expect("BUG: room was asked for"));
        }
        self.writes += 1;
        self.slots.insert(slot, Said { order, held, written: self.writes });
    }

    /// Ends what `wanted` says, keeping its order.
    pub fn end(&mut self, wanted: impl Fn(&Held) -> bool) -> Vec<Held> {
        let ended = self.slots.values_mut().filter_map(|said| said.held.take_if(|held| wanted(held)));
        ended.collect()
    }
}

impl Said {
    fn is_idle(&self, now: Moment) -> bool {
        self.held.as_ref().is_none_or(|held| held.until <= now)
    }
}

impl Held {
    /// Over at once, unless it is given an end.
    pub fn new(directive: &Directive, now: Moment) -> Held {
        let Directive { id, reason, scope, action, .. } = directive.clone();
        Held { id, reason, scope, action, until: now, due_us: 0 }
    }
}

/// How much a scope restricts.
fn particular(scope: &Scope) -> u8 {
    u8::from(scope.server.is_some()) + 2 * u8::from(scope.database.is_some())
}
