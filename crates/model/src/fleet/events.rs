//! What an applied entry leaves as events. Made from the command and from how things were before it and are after it,
//! so no command can change something and say nothing.

use super::{Database, Fleet, Server, ServerState};
use crate::{
    Command, DatabaseId, DatabaseOptions, Entry, Epoch, Event, EventId, EventLog, Evidence, Fact, ForkPoint,
    Level, Name, Outcome, Pending, Person, PinnedTo, Proposal, SenderRole, ServerId, Standing, Tenure, What,
    Wish, limits::FACTS_MAX,
};

impl Fleet {
    /// The newest events. Cheap: it shares structure with this map.
    pub fn events(&self) -> &EventLog {
        &self.events
    }

    /// How things are that a command is about to change.
    pub(super) fn before(&self, command: &Command) -> Before {
        let database = |id: DatabaseId| BeforeDatabase {
            id,
            record: self.databases.get(&id).cloned(),
            owner: self.owner(id).map(|(tenure, _)| tenure),
            options: self.database_options(id),
            pin: self.pins.get(&id).cloned(),
            forming: self.forming.contains_key(&id),
        };
        let server = |id: ServerId| self.servers.get(&id).map(|server| (id, server.clone()));
        let mut before = Before {
            database_last: self.database_last,
            level: self.level,
            database: None,
            server: None,
            directive: None,
            sender: None,
            pending: None,
            paused: self.paused.is_some(),
        };
        match command {
            Command::RenameDatabase { database: id, .. }
            | Command::DropDatabase { database: id }
            | Command::ForgetDatabase { database: id }
            | Command::AssignDatabase { database: id, .. }
            | Command::UnassignDatabase { database: id, .. }
            | Command::FormDatabase { database: id }
            | Command::AbandonDatabase { database: id }
            | Command::SetDatabaseOptions { database: id, .. }
            | Command::PinDatabase { database: id, .. }
            | Command::AdoptDatabase { database: id, .. } => before.database = Some(database(*id)),
            Command::ExpireServer { server: id, .. } | Command::DrainServer { server: id, .. } => {
                before.server = server(*id);
            }
            Command::RegisterServer { registration, .. } => {
                before.server =
                    self.server_named(&registration.name).map(|(id, server)| (id, server.clone()));
            }
            Command::Found { .. }
            | Command::CreateDatabase { .. }
            | Command::ForkDatabase { .. }
            | Command::RegisterHandler { .. }
            | Command::PutUser { .. }
            | Command::DropUser { .. }
            | Command::RecordEvents { .. }
            | Command::RaiseLevel { .. }
            | Command::ReserveDatabase { .. }
            | Command::PauseBalancing { .. }
            | Command::EndDirective { .. } => {}
            Command::PutDirective { id, .. } => before.directive = self.directives.get(id).cloned(),
            Command::PutSender { user, .. } => before.sender = self.sender(user),
            Command::Administer {
                wish:
                    Wish::Send { id, .. }
                    | Wish::PutSender { id, .. }
                    | Wish::Approve { id }
                    | Wish::Revoke { id },
                ..
            } => {
                before.directive = self.directives.get(id).cloned();
                before.pending = self.pending.get(id).cloned();
            }
        }
        before
    }

    /// Says what an entry that was not rejected did.
    pub(super) fn tell(&mut self, entry: &Entry, before: &Before, outcome: &Outcome) {
        let drafts = match (&entry.command, &before.database) {
            (Command::RecordEvents { facts }, _) => {
                facts.iter().take(FACTS_MAX).map(|fact| self.fact(fact)).collect()
            }
            (command, Some(database)) => self.of_database(command, database).into_iter().collect(),
            (command, None) => self.of_others(command, before, outcome),
        };
        let revision = self.revision;
        // Another leader's clock may be behind, or this one's was set back: what comes later is never told as earlier.
        let at = self.events.newest().map_or(entry.at, |newest| newest.at.max(entry.at));
        for (index, mut draft) in (0u32..).zip(drafts) {
            if let Some(why) = &entry.why {
                draft.cause = draft.cause.or(Some(why.cause));
                draft.took_us = draft.took_us.or(why.took_us);
                draft.evidence = draft.evidence.and(&why.evidence);
            }
            self.events.push(Event { id: EventId { revision, index }, at, ..draft });
        }
    }

    fn of_database(&self, command: &Command, before: &BeforeDatabase) -> Option<Event> {
        let after = self.databases.get(&before.id);
        let record = after.or(before.record.as_ref());
        let draft = |what| Event {
            database: Some(before.id),
            name: record.map(|database| database.name.clone()),
            epoch_before: before.record.as_ref().map(|database| database.epoch),
            epoch_after: after.map(|database| database.epoch),
            to: after.and_then(|database| database.owner).map(|tenure| tenure.server),
            ..blank(what)
        };
        let from = before.record.as_ref().and_then(|database| database.owner).map(|tenure| tenure.server);
        match command {
            Command::RenameDatabase { name, .. } => {
                let old = &before.record.as_ref().filter(|old| old.name != *name)?.name;
                Some(Event { evidence: Evidence::new(&format!("was {old}")), ..draft(What::Renamed) })
            }
            Command::DropDatabase { .. } => Some(Event { from, ..draft(What::Dropped) }),
            Command::AbandonDatabase { .. } => Some(draft(What::ForkAbandoned)),
            Command::ForgetDatabase { .. } => Some(draft(What::Purged)),
            Command::AssignDatabase { to, .. } => {
                let living = before.owner.is_some_and(|owner| owner.server != to.server);
                let what = if living { What::Moved } else { What::Assigned };
                Some(Event { from, ..draft(what) })
            }
            Command::UnassignDatabase { .. } => Some(Event { from, ..draft(What::Unassigned) }),
            Command::AdoptDatabase { .. } => before.record.is_none().then(|| draft(What::Adopted)),
            Command::FormDatabase { .. } => before.forming.then(|| draft(What::ForkFormed)),
            Command::SetDatabaseOptions { options, .. } => {
                let changed = self.database_options(before.id) != before.options;
                let options: Vec<String> = options.iter().map(ToString::to_string).collect();
                let evidence = Evidence::new(&options.join(" "));
                changed.then(|| Event { evidence, ..draft(What::OptionsSet) })
            }
            Command::PinDatabase { to, .. } => {
                let evidence = Evidence::new(&self.pin_text(to.as_ref()));
                (before.pin != *to).then(|| Event { evidence, ..draft(What::Pinned) })
            }
            Command::Found { .. }
            | Command::CreateDatabase { .. }
            | Command::ForkDatabase { .. }
            | Command::RegisterServer { .. }
            | Command::ExpireServer { .. }
            | Command::DrainServer { .. }
            | Command::RegisterHandler { .. }
            | Command::PutUser { .. }
            | Command::DropUser { .. }
            | Command::RecordEvents { .. }
            | Command::RaiseLevel { .. }
            | Command::ReserveDatabase { .. }
            | Command::PauseBalancing { .. }
            | Command::PutDirective { .. }
            | Command::EndDirective { .. }
            | Command::PutSender { .. }
            | Command::Administer { .. } => unreachable!("BUG: none about a database that was there"),
        }
    }

    fn pin_text(&self, to: Option<&PinnedTo>) -> String {
        match to {
            None => "to nothing any more".into(),
            Some(PinnedTo::Server(server)) => match self.servers.get(server) {
                Some(record) => format!("to server {}", record.name),
                None => format!("to server {server}"),
            },
            Some(PinnedTo::Location(location)) => format!("to location {location}"),
        }
    }

    fn of_others(&self, command: &Command, before: &Before, outcome: &Outcome) -> Vec<Event> {
        let named = |what, name: &Name| Event { name: Some(name.clone()), ..blank(what) };
        match command {
            Command::Found { fleet } => {
                vec![Event { evidence: Evidence::new(&fleet.to_string()), ..blank(What::FleetFounded) }]
            }
            Command::CreateDatabase { .. } | Command::ForkDatabase { .. } => {
                // A create that was done before changes nothing.
                let Outcome::Database { database, .. } = outcome else { return Vec::new() };
                if database.0 <= before.database_last {
                    return Vec::new();
                }
                vec![self.made(*database, command)]
            }
            Command::RegisterServer { incarnation, .. } => {
                let Outcome::Server { server } = outcome else { return Vec::new() };
                self.registered(*server, Tenure { server: *server, incarnation: *incarnation }, before)
            }
            Command::ExpireServer { server, .. } => {
                vec![Event { from: Some(*server), ..blank(What::ServerExpired) }]
            }
            Command::DrainServer { server, draining, .. } => {
                let state = before.server.as_ref().map(|(_, server)| server.state);
                if state == self.servers.get(server).map(|server| server.state) {
                    return Vec::new();
                }
                let what = if *draining { What::ServerDraining } else { What::ServerUndrained };
                vec![Event { from: Some(*server), ..blank(what) }]
            }
            Command::RegisterHandler { name, address, .. } => {
                vec![Event { evidence: Evidence::new(address), ..named(What::HandlerRegistered, name) }]
            }
            Command::PutUser { name, .. } => vec![named(What::UserPut, name)],
            Command::DropUser { name } => vec![named(What::UserDropped, name)],
            Command::RaiseLevel { .. } if self.level == before.level => Vec::new(),
            Command::RaiseLevel { level } => {
                vec![Event { evidence: Evidence::new(&level.to_string()), ..blank(What::LevelRaised) }]
            }
            // An id is no database yet.
            Command::ReserveDatabase { .. } => Vec::new(),
            Command::PutDirective { id, directive } => {
                self.sent(id, directive.by.to_string(), before).into_iter().collect()
            }
            Command::EndDirective { id } => vec![named(What::DirectiveEnded, id)],
            Command::PutSender { user, .. } if self.sender(user) == before.sender => Vec::new(),
            Command::PutSender { user, role, by } => {
                let proposal = Proposal::Sender { user: user.clone(), role: *role };
                let evidence = Evidence::new(&format!("{proposal}, by {by} with the fleet's secret"));
                vec![Event { evidence, ..named(What::SenderPut, user) }]
            }
            Command::Administer { by, wish } => self.of_wish(by, wish, before).into_iter().collect(),
            Command::PauseBalancing { paused, .. } if *paused == before.paused => Vec::new(),
            Command::PauseBalancing { by, paused } => {
                let what = if *paused { What::BalancingPaused } else { What::BalancingResumed };
                vec![Event { evidence: Evidence::new(&format!("by {by}")), ..blank(what) }]
            }
            Command::RenameDatabase { .. }
            | Command::DropDatabase { .. }
            | Command::ForgetDatabase { .. }
            | Command::AssignDatabase { .. }
            | Command::UnassignDatabase { .. }
            | Command::FormDatabase { .. }
            | Command::AbandonDatabase { .. }
            | Command::SetDatabaseOptions { .. }
            | Command::AdoptDatabase { .. }
            | Command::PinDatabase { .. }
            | Command::RecordEvents { .. } => unreachable!("BUG: told elsewhere"),
        }
    }

    /// What came of a person's wish; nothing, if it changed nothing.
    fn of_wish(&self, by: &Person, wish: &Wish, before: &Before) -> Option<Event> {
        let told = |what, name: &Name, evidence: String| {
            Some(Event { name: Some(name.clone()), evidence: Evidence::new(&evidence), ..blank(what) })
        };
        match wish {
            Wish::Send { id, second: false, .. } => self.sent(id, by.to_string(), before),
            Wish::Send { id, .. } | Wish::PutSender { id, .. } => {
                let asked = self.pending.get(id).filter(|asked| before.pending.as_ref() != Some(*asked))?;
                told(What::ApprovalAsked, id, format!("by {by}: {}", asked.proposal))
            }
            Wish::Approve { id } => {
                let asked = before.pending.as_ref()?;
                let both = format!("{}+{by}", asked.by.user);
                match &asked.proposal {
                    Proposal::Directive(_) => self.sent(id, both, before),
                    Proposal::Sender { user, .. } => {
                        told(What::SenderPut, user, format!("{}, by {both}", asked.proposal))
                    }
                    Proposal::Withdrawn => None,
                }
            }
            Wish::Revoke { id } if before.directive.is_some() => {
                told(What::DirectiveEnded, id, format!("by {by}"))
            }
            Wish::Revoke { id } => told(What::ApprovalWithdrawn, id, format!("by {by}")),
        }
    }

    /// A directive stands, unless it stood so before.
    fn sent(&self, id: &Name, by: String, before: &Before) -> Option<Event> {
        let standing = self.directives.get(id).filter(|now| before.directive.as_ref() != Some(*now))?;
        let evidence = Evidence::new(&format!("by {by}: {}", standing.directive.text));
        Some(Event { name: Some(id.clone()), evidence, ..blank(What::DirectiveSent) })
    }

    fn made(&self, id: DatabaseId, command: &Command) -> Event {
        let record = self.databases.get(&id);
        let made = Event {
            database: Some(id),
            name: record.map(|database| database.name.clone()),
            epoch_after: record.map(|database| database.epoch),
            to: record.and_then(|database| database.owner).map(|tenure| tenure.server),
            ..blank(What::Created)
        };
        let Command::ForkDatabase { fork, .. } = command else { return made };
        let at = match fork.at {
            ForkPoint::Newest => "as it is".into(),
            ForkPoint::Position(position) => format!("at position {position}"),
            ForkPoint::Time(time) => format!("as of {time} ms"),
        };
        let evidence = Evidence::new(&format!("of {} {at}", fork.parent));
        Event { what: What::ForkBegun, evidence, ..made }
    }

    /// A new life ends the one before it, if that was not over yet.
    fn registered(&self, server: ServerId, tenure: Tenure, before: &Before) -> Vec<Event> {
        let old = before.server.as_ref().map(|(_, server)| server);
        if old.is_some_and(|old| old.incarnation == tenure.incarnation) {
            return Vec::new();
        }
        let ended = old.filter(|old| old.state != ServerState::Down).map(|old| Event {
            from: Some(server),
            cause: Some(crate::Cause::AnotherLife),
            evidence: Evidence::new(&format!("life {} followed {}", tenure.incarnation, old.incarnation)),
            ..blank(What::ServerExpired)
        });
        let addresses = self.servers.get(&server).map(|now| {
            format!("life {} at {}, control {}", now.incarnation, now.data_address, now.control_address)
        });
        let began = Event {
            to: Some(server),
            evidence: Evidence::new(&addresses.unwrap_or_default()),
            ..blank(What::ServerRegistered)
        };
        ended.into_iter().chain([began]).collect()
    }

    fn fact(&self, fact: &Fact) -> Event {
        let Fact { what, cause, database, epoch, server, took_us, evidence } = fact.clone();
        let name = database.and_then(|id| self.databases.get(&id)).map(|database| database.name.clone());
        let draft = Event { cause, database, name, took_us, evidence, ..blank(what) };
        Event { to: server, epoch_before: epoch, epoch_after: epoch, ..draft }
    }
}

/// How things were before a command.
pub(super) struct Before {
    database_last: u64,
    level: Level,
    database: Option<BeforeDatabase>,
    server: Option<(ServerId, Server)>,
    directive: Option<Standing>,
    sender: Option<SenderRole>,
    pending: Option<Pending>,
    paused: bool,
}

struct BeforeDatabase {
    id: DatabaseId,
    /// `None` when it was dropped before.
    record: Option<Database>,
    owner: Option<Tenure>,
    options: DatabaseOptions,
    pin: Option<PinnedTo>,
    forming: bool,
}

fn blank(what: What) -> Event {
    Event {
        id: EventId::default(),
        at: crate::TimestampMs(0),
        what,
        cause: None,
        database: None,
        name: None,
        from: None,
        to: None,
        epoch_before: None::<Epoch>,
        epoch_after: None,
        took_us: None,
        evidence: Evidence::default(),
    }
}
