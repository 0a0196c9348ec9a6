//! `[controller]`: one of the few that hold the map.

use std::net::SocketAddr;

use controller::Settings;
use model::ControllerId;

use super::{
    process::Common,
    reader::Reader,
    setting::{Address, Members},
};

/// What the table says: where to listen, and the role's own settings.
pub struct Controller {
    /// Where everybody connects.
    pub listen: SocketAddr,
    /// Where its console is, if it has one.
    pub console_listen: Option<SocketAddr>,
    /// The role's own.
    pub settings: Settings,
}

/// Longest of the intervals below, in milliseconds.
const INTERVAL_MS_MAX: u64 = 60_000;

/// Reads the table; `None` only after a complaint.
pub fn read(reader: &mut Reader<'_>) -> (Option<Controller>, Common) {
    let id = reader.required::<u64>("id", "1").map(ControllerId);
    let own = reader.optional::<Address>("address").map(|Address(address)| address);
    // One that says where it is may join a fleet; a founder is where the founders are said to be.
    let members = match own {
        Some(_) => Some(reader.optional("members").unwrap_or(Members(Vec::new()))),
        None => reader.required::<Members>("members", "{ 1 = \"127.0.0.1:7101\" }"),
    };
    let address = address(reader, id, own, members.as_ref());
    let listen = listen(reader, address.as_deref());
    let console_listen = reader.optional("console_listen");
    let data_dir = reader.required("data_dir", "\"/var/lib/stationmaster/controller\"");
    let settings = (|| {
        let Members(members) = members?;
        Some(Settings::new(id?, address?, data_dir?, members))
    })();
    let settings = timing(reader, settings);
    let common = Common::read(reader);
    let controller = settings.zip(listen);
    let controller = controller.map(|(settings, listen)| Controller { listen, console_listen, settings });
    (controller, common)
}

/// The settings that have defaults. They are read, and complained about, even when others are missing.
fn timing(reader: &mut Reader<'_>, settings: Option<Settings>) -> Option<Settings> {
    let heartbeat = reader.millis("heartbeat_ms", Settings::DEFAULT_HEARTBEAT, 10..=INTERVAL_MS_MAX);
    let lease = reader.millis("lease_ms", Settings::DEFAULT_LEASE, 20..=10 * INTERVAL_MS_MAX);
    let raft_heartbeat =
        reader.millis("raft_heartbeat_ms", Settings::DEFAULT_RAFT_HEARTBEAT, 10..=INTERVAL_MS_MAX);
    let election_min = reader.millis("election_min_ms", Settings::DEFAULT_ELECTION_MIN, 20..=INTERVAL_MS_MAX);
    let election_max =
        reader.millis("election_max_ms", Settings::DEFAULT_ELECTION_MAX, 21..=2 * INTERVAL_MS_MAX);
    let snapshot_every = reader.number("snapshot_every", Settings::DEFAULT_SNAPSHOT_EVERY, 16..=100_000_000);
    let power_loss_safe = reader.or("power_loss_safe", true);
    let refused_is_dead = reader.or("refused_is_dead", true);
    let brake_percent = reader.number("brake_percent", Settings::DEFAULT_BRAKE_PERCENT, 1..=100);
    let brake_window =
        reader.millis("brake_window_ms", Settings::DEFAULT_BRAKE_WINDOW, 0..=60 * INTERVAL_MS_MAX);
    let failover_per_second =
        reader.number("failover_per_second", Settings::DEFAULT_FAILOVER_PER_SECOND, 0..=10_000);
    let failover_in_flight =
        reader.number("failover_in_flight", Settings::DEFAULT_FAILOVER_IN_FLIGHT, 1..=1_000);
    let empty_slow_after =
        reader.millis("empty_slow_after_ms", Settings::DEFAULT_EMPTY_SLOW_AFTER, 0..=60 * INTERVAL_MS_MAX);
    if lease < heartbeat * 2 {
        reader
            .complain("lease_ms", format!("must be at least twice heartbeat_ms ({})", heartbeat.as_millis()));
    }
    if election_min < raft_heartbeat * 2 {
        let least = raft_heartbeat.as_millis();
        reader.complain("election_min_ms", format!("must be at least twice raft_heartbeat_ms ({least})"));
    }
    if election_max <= election_min {
        let least = election_min.as_millis();
        reader.complain("election_max_ms", format!("must be more than election_min_ms ({least})"));
    }
    Some(Settings {
        heartbeat,
        lease,
        raft_heartbeat,
        election_min,
        election_max,
        snapshot_every,
        power_loss_safe,
        refused_is_dead,
        brake_percent,
        brake_window,
        failover_per_second,
        failover_in_flight,
        empty_slow_after,
        ..settings?
    })
}

/// A founder is where the founders are said to be; another one says where it is.
fn address(
    reader: &mut Reader<'_>,
    id: Option<ControllerId>,
    own: Option<String>,
    members: Option<&Members>,
) -> Option<String> {
    let (id, Members(members)) = (id?, members?);
    let listed = members.iter().find(|(member, _)| *member == id).map(|(_, address)| address.clone());
    match (listed, own) {
        (Some(listed), Some(own)) if listed != own => {
            reader.complain("address", format!("is {own}, but `members` says {listed} for controller {id}"));
            None
        }
        (Some(address), _) | (None, Some(address)) => Some(address),
        (None, None) => {
            let what = "but `members` lists no such controller; one that joins a fleet says its `address`";
            reader.complain("id", format!("is {id}, {what}"));
            None
        }
    }
}

/// It listens at its address, unless that is a host name or said otherwise.
fn listen(reader: &mut Reader<'_>, address: Option<&str>) -> Option<SocketAddr> {
    match address.and_then(|address| address.parse().ok()) {
        Some(address) => Some(reader.or("listen", address)),
        None => reader.required("listen", "\"0.0.0.0:7101\""),
    }
}
