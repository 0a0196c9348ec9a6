//! The one function that changes the fleet.

use super::{Change, Fleet, Handler, User};
use crate::{
    Command, Entry, FleetId, HandlerId, Name, Outcome, Rejection, Revision, TimestampMs,
    command::{Field, IdKind},
    limits::{ADDRESS_BYTES_MAX, COMMAND_BYTES_MAX, DIRECTIVE_BYTES_MAX, NAME_BYTES_MAX, VERIFIER_BYTES_MAX},
};

impl Fleet {
    /// Applies the committed entry at `revision`: the same on every controller.
    ///
    /// # Errors
    /// A [`Rejection`] says why nothing was changed. It is an answer, not a failure: the revision advances all the same.
    pub fn apply(&mut self, revision: Revision, entry: &Entry) -> Result<Outcome, Rejection> {
        self.advance(revision);
        let before = self.before(&entry.command);
        let outcome = self.change(entry);
        if let Ok(outcome) = &outcome {
            self.tell(entry, &before, outcome);
        }
        outcome
    }

    fn change(&mut self, entry: &Entry) -> Result<Outcome, Rejection> {
        match &entry.command {
            Command::Found { fleet } => self.found(*fleet),
            Command::CreateDatabase { name, owner, key } => self.create_database(name, *owner, *key),
            Command::RenameDatabase { database, name } => self.rename_database(*database, name),
            Command::DropDatabase { database } => self.drop_database(*database),
            Command::ForgetDatabase { database } => self.forget_database(*database),
            Command::AssignDatabase { database, epoch_expected, to } => {
                self.assign_database(*database, *epoch_expected, *to)
            }
            Command::UnassignDatabase { database, epoch_expected } => {
                self.unassign_database(*database, *epoch_expected)
            }
            Command::RegisterServer { registration, supersedes, incarnation } => {
                self.register_server(registration, *supersedes, *incarnation, entry.at)
            }
            Command::ExpireServer { server, incarnation } => self.expire_server(*server, *incarnation),
            Command::RegisterHandler { name, address, location } => {
                self.register_handler(name, address, location, entry.at)
            }
            Command::PutUser { name, verifier } => self.put_user(name, verifier),
            Command::DropUser { name } => self.drop_user(name),
            Command::DrainServer { server, incarnation, draining } => {
                self.drain_server(*server, *incarnation, *draining)
            }
            Command::ForkDatabase { name, fork, key } => self.fork_database(name, *fork, *key),
            Command::FormDatabase { database } => self.form_database(*database),
            Command::AbandonDatabase { database } => self.abandon_database(*database),
            Command::SetDatabaseOptions { database, options } => {
                self.set_database_options(*database, options)
            }
            Command::RecordEvents { .. } => Ok(Outcome::Done),
            Command::RaiseLevel { level } => {
                self.level = self.level.max(*level);
                Ok(Outcome::Done)
            }
            Command::ReserveDatabase { key } => self.reserve_database(*key),
            Command::AdoptDatabase { database, name, epoch } => self.adopt_database(*database, name, *epoch),
            Command::PutDirective { id, directive } => self.put_directive(id, directive, entry.at),
            Command::EndDirective { id } => self.end_directive(id),
            Command::PinDatabase { database, to } => self.pin_database(*database, to.as_ref()),
            Command::PauseBalancing { by, paused } => self.pause_balancing(by, *paused, entry.at),
            Command::PutSender { user, role, by: _ } => self.put_sender(user, *role),
            Command::Administer { by, wish } => self.administer(by, wish, entry.at),
        }
    }

    fn found(&mut self, fleet: FleetId) -> Result<Outcome, Rejection> {
        match self.id {
            Some(fleet) => Err(Rejection::Founded { fleet }),
            None => {
                self.id = Some(fleet);
                Ok(Outcome::Done)
            }
        }
    }

    fn register_handler(
        &mut self,
        name: &Name,
        address: &str,
        location: &str,
        at: TimestampMs,
    ) -> Result<Outcome, Rejection> {
        fits(Field::Address, address)?;
        fits(Field::Location, location)?;
        let known = self.handlers.iter().find(|(_, handler)| handler.name == *name).map(|(id, _)| *id);
        let handler = known.map_or_else(|| self.next_handler(), Ok)?;
        let record = Handler {
            name: name.clone(),
            address: address.into(),
            location: location.into(),
            registered_at: at,
        };
        self.handlers.insert(handler, record);
        self.note(Change::Handler(handler));
        Ok(Outcome::Handler { handler })
    }

    fn next_handler(&self) -> Result<HandlerId, Rejection> {
        let last = self.handlers.last_key_value().map_or(0, |(id, _)| id.0);
        last.checked_add(1).map(HandlerId).ok_or(Rejection::IdsExhausted { what: IdKind::Handler })
    }

    fn put_user(&mut self, name: &Name, verifier: &str) -> Result<Outcome, Rejection> {
        fits(Field::Verifier, verifier)?;
        self.users.insert(name.clone(), User { verifier: verifier.into() });
        self.withdraw_rights_of(name);
        self.note(Change::User(name.clone()));
        Ok(Outcome::Done)
    }

    fn drop_user(&mut self, name: &Name) -> Result<Outcome, Rejection> {
        self.users.remove(name).ok_or_else(|| Rejection::UserUnknown { name: name.clone() })?;
        self.senders.remove(name);
        self.withdraw_rights_of(name);
        self.note(Change::User(name.clone()));
        Ok(Outcome::Done)
    }
}

/// Refuses a text that is longer than the map keeps.
pub(super) fn fits(what: Field, text: &str) -> Result<(), Rejection> {
    let bytes_max = match what {
        Field::Address => ADDRESS_BYTES_MAX,
        Field::Location => NAME_BYTES_MAX,
        Field::Verifier => VERIFIER_BYTES_MAX,
        Field::Command => COMMAND_BYTES_MAX,
        Field::Directive => DIRECTIVE_BYTES_MAX,
    };
    if text.len() <= bytes_max {
        Ok(())
    } else {
        Err(Rejection::TooLong { what, bytes: text.len(), bytes_max })
    }
}
