//! `stationmaster servers drain`: asks for it, and watches until the server has nothing.
//!
//! The leader does the work. Ending this command changes nothing; running it again goes on watching.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use model::{Incarnation, Name, ServerState};
use rpc::controller::{Operation, ServerInfo};

use super::{Reach, listing::print, servers::all};

/// Pause between two looks at how far it is.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// Width of the bar, in characters.
const BAR: u64 = 30;

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// So many databases are left.
    Left(u64),
    /// It has nothing any more.
    Empty,
    /// That life of it is over; it has nothing any more.
    Over,
    /// Somebody cancelled it.
    Cancelled,
}

/// Drains it. Succeeds when it is empty.
pub async fn run(reach: &Reach, server: &Name) -> anyhow::Result<ExitCode> {
    let cluster = reach.cluster()?;
    let before = all(&cluster.freshest().await?).await?;
    let mut most = before.iter().find(|info| info.name == *server).map_or(0, |info| info.databases);
    let operation = Operation::DrainServer { server: server.to_string(), draining: true };
    cluster.operate(operation).await?;
    let mut life = None;
    let stage = loop {
        // A follower may not have heard of the drain yet.
        let servers = all(&cluster.freshest().await?).await?;
        let Some(info) = servers.into_iter().find(|info| info.name == *server) else { break Stage::Over };
        match stage(&info, life) {
            Some(Stage::Left(left)) => {
                life = Some(info.incarnation);
                most = most.max(left);
                show(reach, server, most, left)?;
            }
            Some(ended) => {
                most = most.max(info.databases);
                break ended;
            }
            None => {}
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    };
    if shows(reach) && most > 0 {
        eprintln!();
    }
    let json =
        || serde_json::json!({ "server": server, "drained": stage != Stage::Cancelled, "moved": most });
    print(reach.json, json, || ended(server, &stage, most))?;
    Ok(if stage == Stage::Cancelled { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Lets a server be.
pub async fn cancel(reach: &Reach, server: &Name) -> anyhow::Result<()> {
    let operation = Operation::DrainServer { server: server.to_string(), draining: false };
    let done = reach.cluster()?.operate(operation).await?;
    let json = || serde_json::json!({ "server": server, "revision": done.revision.0 });
    print(reach.json, json, || format!("{server} is drained no more: it takes databases again\n"))?;
    Ok(())
}

/// How far it is, once it was seen to drain in this life; nothing while the controller asked has not heard of it.
fn stage(info: &ServerInfo, life: Option<Incarnation>) -> Option<Stage> {
    if life.is_some_and(|life| life != info.incarnation) {
        return Some(Stage::Over);
    }
    match info.state {
        ServerState::Draining if info.databases == 0 => Some(Stage::Empty),
        ServerState::Draining => Some(Stage::Left(info.databases)),
        ServerState::Down => Some(Stage::Over),
        ServerState::Up => life.map(|_| Stage::Cancelled),
    }
}

fn ended(server: &Name, stage: &Stage, most: u64) -> String {
    match stage {
        Stage::Empty | Stage::Left(_) => format!(
            "{server} is empty, {most} databases went to others; it takes none until it starts anew, \
             or `servers drain {server} --cancel`\n"
        ),
        Stage::Over => format!("{server} went down meanwhile: what it had is assigned on the next request\n"),
        Stage::Cancelled => format!("the drain of {server} was cancelled\n"),
    }
}

fn shows(reach: &Reach) -> bool {
    !reach.json && std::io::stderr().is_terminal()
}

fn show(reach: &Reach, server: &Name, most: u64, left: u64) -> std::io::Result<()> {
    if !shows(reach) {
        return Ok(());
    }
    let mut err = std::io::stderr().lock();
    write!(err, "\r{}", bar(server, most, left))?;
    err.flush()
}

fn bar(server: &Name, most: u64, left: u64) -> String {
    let done = most - left;
    let full = usize::try_from(done * BAR / most.max(1)).unwrap_or(0);
    let rest = usize::try_from(BAR).unwrap_or(0) - full;
    format!("{server} [{}{}] {done} of {most} databases moved ", "#".repeat(full), ".".repeat(rest))
}

#[cfg(test)]
mod tests {
    use model::ServerId;

    use super::*;

    fn info(state: ServerState, incarnation: u64, databases: u64) -> ServerInfo {
        ServerInfo {
            server: ServerId(1),
            name: Name::new("s1").expect("a name"),
            data_address: String::new(),
            control_address: String::new(),
            location: String::new(),
            capacity: 1,
            incarnation: Incarnation(incarnation),
            state,
            databases,
            heartbeat: None,
        }
    }

    #[test]
    fn a_drain_ends_when_the_server_is_empty_down_or_let_be() {
        let seen = Some(Incarnation(1));
        for (expected, state, incarnation, databases, life) in [
            (Some(Stage::Left(3)), ServerState::Draining, 1, 3, None),
            (Some(Stage::Empty), ServerState::Draining, 1, 0, None),
            (Some(Stage::Over), ServerState::Down, 1, 0, seen),
            (Some(Stage::Over), ServerState::Up, 2, 0, seen),
            (Some(Stage::Cancelled), ServerState::Up, 1, 3, seen),
            (None, ServerState::Up, 1, 3, None),
        ] {
            assert_eq!(stage(&info(state, incarnation, databases), life), expected, "{state:?}");
        }
    }

    #[test]
    fn the_bar_fills() {
        let name = Name::new("s1").expect("a name");
        assert_eq!(bar(&name, 4, 4), format!("s1 [{}] 0 of 4 databases moved ", ".".repeat(30)));
        assert_eq!(bar(&name, 4, 0), format!("s1 [{}] 4 of 4 databases moved ", "#".repeat(30)));
    }
}
