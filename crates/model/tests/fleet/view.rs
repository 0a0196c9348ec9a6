//! The map as lines of text: what scripts show and properties compare. Everything but the revision is in it.

use model::{DatabaseId, Fleet, ServerState, Tenure};

/// One line for each thing in the map, in the map's order.
pub fn lines(fleet: &Fleet) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(fleet.id().map(|id| format!("fleet {id}")));
    lines.extend(fleet.databases_after(None).map(|(id, _)| database(fleet, id)));
    lines.extend(fleet.dropped().map(|(id, epoch)| format!("dropped {id} fence={epoch}")));
    lines.extend(fleet.servers().map(|(id, server)| {
        let state = match server.state {
            ServerState::Up => "up",
            ServerState::Down => "down",
            ServerState::Draining => "draining",
        };
        format!(
            "server {id} {} {state} life={:x} data={} control={} location={} capacity={} since={}",
            server.name,
            server.incarnation.0,
            server.data_address,
            server.control_address,
            server.location,
            server.capacity,
            server.registered_at
        )
    }));
    lines.extend(fleet.handlers().map(|(id, handler)| {
        let model::Handler { name, address, location, registered_at } = handler;
        format!("handler {id} {name} address={address} location={location} since={registered_at}")
    }));
    lines.extend(fleet.users().map(|(name, user)| format!("user {name} verifier={}", user.verifier)));
    lines
}

/// A database's line.
pub fn database(fleet: &Fleet, id: DatabaseId) -> String {
    let record = fleet.database(id).unwrap_or_else(|| panic!("{id} is listed and not there"));
    let owner = match (fleet.owner(id), record.owner) {
        (Some((tenure, server)), _) => format!("owner={} ({})", life(tenure), server.name),
        (None, Some(tenure)) => format!("unowned, last={}", life(tenure)),
        (None, None) => "unowned".into(),
    };
    format!("database {id} {} epoch={} {owner}", record.name, record.epoch)
}

fn life(tenure: Tenure) -> String {
    format!("{}/{:x}", tenure.server, tenure.incarnation.0)
}
