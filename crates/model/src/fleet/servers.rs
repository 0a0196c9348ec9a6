//! Servers: they register, live, and are declared dead.

use super::{Change, Fleet, Server, ServerState, apply::fits};
use crate::{
    Incarnation, Outcome, Registration, Rejection, ServerId, TimestampMs,
    command::{Field, IdKind},
};

impl Fleet {
    pub(super) fn register_server(
        &mut self,
        registration: &Registration,
        supersedes: Option<Incarnation>,
        incarnation: Incarnation,
        at: TimestampMs,
    ) -> Result<Outcome, Rejection> {
        fits(Field::Address, &registration.data_address)?;
        fits(Field::Address, &registration.control_address)?;
        fits(Field::Location, &registration.location)?;
        if registration.capacity == 0 {
            return Err(Rejection::CapacityZero);
        }
        let known = self.server_named(&registration.name).map(|(id, server)| (id, server.clone()));
        let id = match known {
            Some((id, server)) => {
                if server.is_up_as(incarnation) {
                    return Ok(Outcome::Server { server: id });
                }
                may_replace(id, &server, supersedes, incarnation)?;
                id
            }
            None => self.next_server()?,
        };
        self.servers.insert(id, Server::new(registration, incarnation, at));
        self.note(Change::Server(id));
        Ok(Outcome::Server { server: id })
    }

    pub(super) fn expire_server(
        &mut self,
        id: ServerId,
        incarnation: Incarnation,
    ) -> Result<Outcome, Rejection> {
        let server = self.servers.get_mut(&id).ok_or(Rejection::ServerUnknown { server: id })?;
        if !server.is_up_as(incarnation) {
            return Err(Rejection::ServerNotUp { server: id, incarnation });
        }
        server.state = ServerState::Down;
        self.note(Change::Server(id));
        Ok(Outcome::Done)
    }

    pub(super) fn drain_server(
        &mut self,
        id: ServerId,
        incarnation: Incarnation,
        draining: bool,
    ) -> Result<Outcome, Rejection> {
        let server = self.servers.get_mut(&id).ok_or(Rejection::ServerUnknown { server: id })?;
        if !server.is_up_as(incarnation) {
            return Err(Rejection::ServerNotUp { server: id, incarnation });
        }
        let state = if draining { ServerState::Draining } else { ServerState::Up };
        if server.state != state {
            server.state = state;
            self.note(Change::Server(id));
        }
        Ok(Outcome::Done)
    }

    fn next_server(&self) -> Result<ServerId, Rejection> {
        let last = self.servers.last_key_value().map_or(0, |(id, _)| id.0);
        last.checked_add(1).map(ServerId).ok_or(Rejection::IdsExhausted { what: IdKind::Server })
    }
}

/// A life that is over stays over, even when its registration arrives again: else what it owned would come back to it.
fn may_replace(
    id: ServerId,
    server: &Server,
    supersedes: Option<Incarnation>,
    incarnation: Incarnation,
) -> Result<(), Rejection> {
    if server.incarnation == incarnation {
        return Err(Rejection::ServerNotUp { server: id, incarnation });
    }
    if server.state == ServerState::Down || supersedes == Some(server.incarnation) {
        return Ok(());
    }
    Err(Rejection::ServerNameTaken { name: server.name.clone(), incarnation: server.incarnation })
}
