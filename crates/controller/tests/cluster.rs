//! Whole controllers in one process: real disks, an in-memory network, servers made of a few lines.

#[path = "cluster/changes.rs"]
mod changes;
#[path = "cluster/draining.rs"]
mod draining;
#[path = "cluster/durability.rs"]
mod durability;
#[path = "cluster/fleet.rs"]
mod fleet;
#[path = "cluster/moves.rs"]
mod moves;
#[path = "cluster/net.rs"]
mod net;
#[path = "cluster/refusals.rs"]
mod refusals;
#[path = "cluster/routes.rs"]
mod routes;
#[path = "cluster/server.rs"]
mod server;
#[path = "cluster/watching.rs"]
mod watching;
