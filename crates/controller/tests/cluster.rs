//! Whole controllers in one process: real disks, an in-memory network, servers made of a few lines.

#[path = "cluster/changes.rs"]
mod changes;
#[path = "cluster/clocks.rs"]
mod clocks;
#[path = "cluster/disk.rs"]
mod disk;
#[path = "cluster/draining.rs"]
mod draining;
#[path = "cluster/durability.rs"]
mod durability;
#[path = "cluster/failover.rs"]
mod failover;
#[path = "cluster/fleet.rs"]
mod fleet;
#[path = "cluster/forks.rs"]
mod forks;
#[path = "cluster/linearizability.rs"]
mod linearizability;
#[path = "cluster/losing_disks.rs"]
mod losing_disks;
#[path = "cluster/members.rs"]
mod members;
#[path = "cluster/moves.rs"]
mod moves;
#[path = "cluster/net.rs"]
mod net;
#[path = "cluster/refusals.rs"]
mod refusals;
#[path = "cluster/returning.rs"]
mod returning;
#[path = "cluster/routes.rs"]
mod routes;
#[path = "cluster/server.rs"]
mod server;
#[path = "cluster/silence.rs"]
mod silence;
#[path = "cluster/stalling.rs"]
mod stalling;
#[path = "cluster/time_limits.rs"]
mod time_limits;
#[path = "cluster/upgrades.rs"]
mod upgrades;
#[path = "cluster/watching.rs"]
mod watching;
