//! The map as lines of text: what scripts show and properties compare. Everything but the revision is in it.

use model::{DatabaseId, Directive, Event, Fleet, ForkPoint, Level, ServerState, Targets, Tenure};

/// So many directives have a line of their own.
const DIRECTIVES_SHOWN: usize = 4;

/// One line for each thing in the map, in the map's order.
pub fn lines(fleet: &Fleet) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(fleet.id().map(|id| format!("fleet {id}")));
    lines.extend((fleet.level() > Level::FIRST).then(|| fleet.level().to_string()));
    lines.extend(fleet.databases_after(None).map(|(id, _)| database(fleet, id)));
    lines.extend(fleet.dropped().map(|(id, epoch)| {
        let was = fleet.fork(id).map(|fork| format!(" copy of {}", fork.parent)).unwrap_or_default();
        format!("dropped {id} fence={epoch}{was}")
    }));
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
    lines.extend(fleet.directives().take(DIRECTIVES_SHOWN).map(|(id, standing)| {
        let Directive { text, targets, lifetime_ms, by } = &standing.directive;
        let to = match targets == &Targets::default() {
            true => "all".into(),
            false => format!("{targets:?}"),
        };
        format!("directive {id} since={} for={lifetime_ms}ms by={by} {text} to {to}", standing.since)
    }));
    let more = fleet.directives().len().saturating_sub(DIRECTIVES_SHOWN);
    lines.extend((more > 0).then(|| format!("directives: {more} more")));
    lines.extend(fleet.senders().map(|(user, role)| format!("{role} {user}")));
    lines.extend(fleet.pending().map(|(id, pending)| {
        format!("pending {id} since={} by={} {}", pending.since, pending.by, pending.proposal)
    }));
    lines.extend(fleet.pins().map(|(id, pin)| format!("pin {id} {pin:?}")));
    lines.extend(
        fleet.balancing_paused().map(|paused| format!("paused by={} since={}", paused.by, paused.since)),
    );
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
    let forming = fleet.fork(id).map(|fork| {
        let at = match fork.at {
            ForkPoint::Newest => "newest".into(),
            ForkPoint::Position(at) => format!("position {at}"),
            ForkPoint::Time(at) => format!("time {at}"),
        };
        format!(", forming from {} at {at}", fork.parent)
    });
    let options = fleet.database_options(id).set_ones();
    let options: String = options.iter().map(|option| format!(" {option}")).collect();
    format!(
        "database {id} {} epoch={} {owner}{}{options}",
        record.name,
        record.epoch,
        forming.unwrap_or_default()
    )
}

fn life(tenure: Tenure) -> String {
    format!("{}/{:x}", tenure.server, tenure.incarnation.0)
}

/// An event's line.
pub fn event(event: &Event) -> String {
    let Event { id, at, what, cause, database, name, from, to, epoch_before, epoch_after, took_us, evidence } =
        event;
    let mut line = format!("{id} at={at} {what}:");
    let mut add = |part: Option<String>| part.into_iter().for_each(|part| line += &format!(" {part}"));
    add(database.map(|id| id.to_string()));
    add(name.as_ref().map(|name| name.to_string()));
    add((from.is_some() || to.is_some()).then(|| format!("server={}->{}", shown(from), shown(to))));
    add((epoch_before.is_some() || epoch_after.is_some())
        .then(|| format!("epoch={}->{}", shown(epoch_before), shown(epoch_after))));
    add(took_us.map(|us| format!("took={us}us")));
    add(cause.map(|cause| format!("because {cause}")));
    add((!evidence.is_empty()).then(|| format!("({evidence})")));
    line
}

fn shown<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(String::new, ToString::to_string)
}
