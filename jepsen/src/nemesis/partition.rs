//! Networks that are cut, and networks that lose packets. Clients always reach everybody: what they are told is the point.

#[cfg(test)]
mod tests;

use async_trait::async_trait;

use super::{Fault, Made, Stage};
use crate::{Step, random::Random};

/// See the catalogue.
pub struct Partition;

/// See the catalogue.
pub struct Loss;

/// Of all packets among processes, in a hundred.
const LOSS_PERCENT: u32 = 20;

/// Who is who when the network is cut.
pub struct Sides<'a> {
    /// All processes: controllers first, then handlers, then servers.
    pub all: &'a [String],
    pub controllers: usize,
    /// The controller that leads.
    pub leader: &'a str,
    /// The server that owns some database.
    pub owner: &'a str,
}

/// From whom nothing reaches whom any more.
pub fn cuts(shape: &str, pick: u64, sides: &Sides<'_>) -> Vec<(String, String)> {
    let mut random = Random::new(pick);
    let all: Vec<&str> = sides.all.iter().map(String::as_str).collect();
    let (controllers, others) = all.split_at(sides.controllers);
    let not = |whom: &str| all.iter().copied().filter(|of| *of != whom).collect::<Vec<_>>();
    match shape {
        // The other controllers do not reach the leader; servers and handlers do.
        "leader" => {
            let rest: Vec<&str> = controllers.iter().copied().filter(|of| *of != sides.leader).collect();
            both(&[sides.leader], &rest)
        }
        // One controller, whichever, alone.
        "controller" => {
            let alone = controllers[random.below(controllers.len() as u64) as usize];
            both(&[alone], &not(alone))
        }
        // An owner does not reach the controllers; handlers reach it.
        "owner" => both(&[sides.owner], controllers),
        // An owner and a handler on one side, all else on the other: who is behind that handler sees nothing of a change.
        "stale" => {
            let handlers: Vec<&str> = others.iter().copied().filter(|of| of.starts_with("handler")).collect();
            let handler = handlers[random.below(handlers.len() as u64) as usize];
            let rest: Vec<&str> = not(handler).into_iter().filter(|of| *of != sides.owner).collect();
            both(&[handler, sides.owner], &rest)
        }
        // Two halves, of chance.
        "halves" => {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            all.iter().for_each(|of| if random.percent(50) { left.push(*of) } else { right.push(*of) });
            both(&left, &right)
        }
        // Two halves, and one controller that reaches both.
        "bridge" => {
            let bridge = controllers[random.below(controllers.len() as u64) as usize];
            let rest = not(bridge);
            let middle = rest.len() / 2;
            let turn = random.below(rest.len() as u64) as usize;
            let turned: Vec<&str> = rest.iter().cycle().skip(turn).take(rest.len()).copied().collect();
            both(&turned[..middle], &turned[middle..])
        }
        // The leader hears nobody, and is heard.
        "one-way" => not(sides.leader).iter().map(|from| pair(from, sides.leader)).collect(),
        // Everybody reaches two neighbours on either side only.
        "ring" => {
            let count = all.len();
            let near = |a: usize, b: usize| (a + count - b) % count <= 2 || (b + count - a) % count <= 2;
            let pairs = (0..count).flat_map(|a| (0..count).map(move |b| (a, b)));
            pairs.filter(|(a, b)| !near(*a, *b)).map(|(a, b)| pair(all[a], all[b])).collect()
        }
        _ => Vec::new(),
    }
}

fn pair(from: &str, to: &str) -> (String, String) {
    (from.to_owned(), to.to_owned())
}

fn both(left: &[&str], right: &[&str]) -> Vec<(String, String)> {
    left.iter().flat_map(|a| right.iter().flat_map(|b| [pair(a, b), pair(b, a)])).collect()
}

#[async_trait(?Send)]
impl Fault for Partition {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let network = stage.network()?;
        let all: Vec<String> = stage.processes().map(|process| process.name().to_owned()).collect();
        // Only who the shape is about: the others may not be there at this moment.
        let leader = match &*step.target {
            "leader" | "one-way" => stage.victim(step, "leader").await?,
            _ => String::new(),
        };
        let owner = match &*step.target {
            "owner" | "stale" => stage.victim(step, "owner").await?,
            _ => String::new(),
        };
        let controllers = stage.founders().len();
        let cuts =
            cuts(&step.target, step.pick, &Sides { all: &all, controllers, leader: &leader, owner: &owner });
        for (from, to) in &cuts {
            network.cut(from, to)?;
        }
        Ok(Made::Installed(match &*step.target {
            "leader" | "one-way" => leader,
            "owner" => owner,
            "stale" => format!("{owner} and {}", cuts.first().map_or("", |(from, _)| from)),
            _ => format!("{} pairs", cuts.len()),
        }))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        stage.network.as_ref().map_or(Ok(()), super::Network::heal)
    }
}

#[async_trait(?Send)]
impl Fault for Loss {
    async fn start(&mut self, stage: &Stage, _: &Step) -> anyhow::Result<Made> {
        let network = stage.network()?;
        for process in stage.processes() {
            network.lose(process.name(), LOSS_PERCENT)?;
        }
        Ok(Made::Installed(format!("{LOSS_PERCENT} % of all packets among processes")))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        stage.network.as_ref().map_or(Ok(()), super::Network::heal)
    }
}
