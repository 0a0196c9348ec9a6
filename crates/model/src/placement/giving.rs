//! Who gives databases away, and which of theirs are looked at.

use std::time::Duration;

use super::{Memory, Pin, limits::Limits, memory::Giving, work::Work};

/// How many of a giver's biggest databases are looked at.
const BIGGEST: usize = 64;

/// A server that gives.
pub(super) struct Giver {
    pub server: u32,
    /// Indices of its biggest databases, with whether they were moved lately.
    pub databases: Vec<Big>,
    smallest: f32,
    /// Whether some were left out because they were moved lately.
    pub left_out: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Big {
    pub database: u32,
    load: f32,
    pub cooling: bool,
}

/// The servers that give in this round, hottest first.
pub(super) fn givers(work: &Work<'_>, limits: &Limits, memory: &mut Memory, now_ms: u64) -> Vec<Giver> {
    let giving = std::mem::take(&mut memory.giving);
    for server in work.weighed() {
        let (id, u) = (work.snapshot.servers[server].id, work.utilization(server as u32));
        let location = work.snapshot.servers[server].location;
        let before = giving.get(&id).copied().unwrap_or_default();
        let above = u > limits.begins(location);
        let since = above.then(|| before.above_since_ms.unwrap_or(now_ms));
        let sustained = since.is_some_and(|since| now_ms.saturating_sub(since) >= limits.sustain_ms);
        let gives = u > limits.urgent || sustained || before.gives && u >= limits.ends(location);
        if gives || since.is_some() {
            memory.giving.insert(id, Giving { above_since_ms: since, gives });
        }
    }
    let gives = |server: &usize| {
        memory.giving.get(&work.snapshot.servers[*server].id).is_some_and(|giving| giving.gives)
    };
    let mut givers: Vec<Giver> = work
        .weighed()
        .filter(gives)
        .map(|server| Giver {
            server: server as u32,
            databases: Vec::new(),
            smallest: f32::NEG_INFINITY,
            left_out: false,
        })
        .collect();
    givers.sort_by(|a, b| {
        let (ua, ub) = (work.utilization(a.server), work.utilization(b.server));
        ub.total_cmp(&ua).then(id(work, a.server).cmp(&id(work, b.server)))
    });
    givers
}

fn id(work: &Work<'_>, server: u32) -> crate::ServerId {
    work.snapshot.servers[server as usize].id
}

/// Looks at every database once: finds each giver's biggest, and those that are not where they are pinned to.
///
/// `flying` says of each database whether it is being moved already, which is left alone.
pub(super) fn sort_out(
    work: &Work<'_>,
    givers: &mut [Giver],
    limits: &Limits,
    memory: &Memory,
    flying: &[u32],
    now_ms: u64,
) -> Vec<u32> {
    let mut giver_of = vec![u32::MAX; work.snapshot.servers.len()];
    for (at, giver) in givers.iter().enumerate() {
        giver_of[giver.server as usize] = at as u32;
    }
    let hot: Vec<bool> = givers.iter().map(|giver| work.utilization(giver.server) > limits.hard).collect();
    let mut misplaced = Vec::new();
    for (index, database) in work.snapshot.databases.iter().enumerate() {
        let Some(at) = giver_of.get(database.owner as usize) else { continue };
        let pinned_elsewhere =
            database.pin != Pin::Anywhere && !work.snapshot.allows(database.pin, database.owner);
        if *at == u32::MAX && !pinned_elsewhere {
            continue;
        }
        let index = index as u32;
        if flying.binary_search(&index).is_ok() {
            continue;
        }
        if pinned_elsewhere {
            misplaced.push(index);
            continue;
        }
        let giver = &mut givers[*at as usize];
        // Also refuses what is no number.
        let bigger = database.load > giver.smallest && database.load > 0.0;
        if bigger && !matches!(database.pin, Pin::Server(_)) {
            let cooling = !memory.cooling(database.id, work.settings, now_ms).is_zero();
            if !cooling || hot[*at as usize] {
                giver.push(Big { database: index, load: database.load, cooling });
            } else {
                giver.left_out = true;
            }
        }
    }
    givers.iter_mut().for_each(Giver::keep_biggest);
    misplaced
}

impl Giver {
    fn push(&mut self, big: Big) {
        self.databases.push(big);
        if self.databases.len() >= 2 * BIGGEST {
            self.keep_biggest();
        }
    }

    /// Of equals, those that come first.
    fn keep_biggest(&mut self) {
        self.databases.sort_by(|a, b| b.load.total_cmp(&a.load).then(a.database.cmp(&b.database)));
        self.databases.truncate(BIGGEST);
        if self.databases.len() == BIGGEST {
            self.smallest = self.databases[BIGGEST - 1].load;
        }
    }
}

/// For how much longer a server has to be above its band before it gives; `None` when it is not above it.
pub(super) fn waits(memory: &Memory, id: crate::ServerId, limits: &Limits, now_ms: u64) -> Option<Duration> {
    let since = memory.giving.get(&id)?.above_since_ms?;
    Some(Duration::from_millis((since + limits.sustain_ms).saturating_sub(now_ms)))
}
