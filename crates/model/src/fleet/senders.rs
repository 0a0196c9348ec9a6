//! Who may send directives, and the two persons that code, updates and rights take.

use super::Fleet;
use crate::{
    Directive, Name, Outcome, Pending, Person, Proposal, Rejection, SenderRole, TimestampMs, Wish,
    command::Field,
    limits::{DIRECTIVE_BYTES_MAX, PENDING_MAX, SENDERS_MAX},
};

impl Fleet {
    /// Who may send directives, by name.
    pub fn senders(&self) -> impl ExactSizeIterator<Item = (&Name, SenderRole)> {
        self.senders.iter().map(|(user, role)| (user, *role))
    }

    /// What a user may do with directives.
    pub fn sender(&self, user: &str) -> Option<SenderRole> {
        self.senders.get(user).copied()
    }

    /// What waits for a second person, by id; what has waited too long or was taken back among it.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = (&Name, &Pending)> {
        self.pending.iter()
    }

    /// Without a second person: for whoever founds or mends the fleet.
    pub(super) fn put_sender(&mut self, user: &Name, role: Option<SenderRole>) -> Result<Outcome, Rejection> {
        match role {
            Some(_) if !self.users.contains_key(user) => {
                return Err(Rejection::UserUnknown { name: user.clone() });
            }
            Some(_) if self.senders.len() >= SENDERS_MAX && !self.senders.contains_key(user) => {
                return Err(Rejection::SendersFull { senders_max: SENDERS_MAX });
            }
            Some(role) => _ = self.senders.insert(user.clone(), role),
            None => _ = self.senders.remove(user),
        }
        Ok(Outcome::Done)
    }

    pub(super) fn administer(
        &mut self,
        by: &Person,
        wish: &Wish,
        at: TimestampMs,
    ) -> Result<Outcome, Rejection> {
        self.pending.retain(|_, pending| pending.holds_its_id(at));
        match wish {
            Wish::Send { id, directive, second: false } => {
                self.expect_role(by, SenderRole::Sender)?;
                match self.pending.contains_key(id) {
                    true => Err(Rejection::DirectiveKnown { id: id.clone() }),
                    false => self.put_directive(id, &sent(directive, &[by]), at),
                }
            }
            Wish::Send { id, directive, second: true } => {
                self.expect_role(by, SenderRole::Sender)?;
                self.check_directive(id, directive)?;
                self.wait(id, Proposal::Directive(directive.clone()), by, at)
            }
            Wish::PutSender { id, user, role } => {
                self.expect_role(by, SenderRole::Approver)?;
                self.wait(id, Proposal::Sender { user: user.clone(), role: *role }, by, at)
            }
            Wish::Approve { id } => self.approve(id, by, at),
            Wish::Revoke { id } => {
                self.expect_role(by, SenderRole::Sender)?;
                if self.directives.contains_key(id) {
                    return self.end_directive(id);
                }
                self.take_back(id, by, at)
            }
        }
    }

    /// Takes back what waits. A right is no matter of senders who asked for nothing.
    fn take_back(&mut self, id: &Name, by: &Person, at: TimestampMs) -> Result<Outcome, Rejection> {
        let waits = self.pending.get(id).filter(|waits| waits.left_ms(at) > 0);
        let waits = waits.ok_or_else(|| Rejection::DirectiveUnknown { id: id.clone() })?;
        if matches!(waits.proposal, Proposal::Sender { .. }) && waits.by.user != by.user {
            self.expect_role(by, SenderRole::Approver)?;
        }
        self.pending.insert(id.clone(), withdrawn(by, at));
        Ok(Outcome::Done)
    }

    /// A user is another person from now on, for all that anybody knows: no right that was asked for before is his.
    pub(super) fn withdraw_rights_of(&mut self, user: &Name) {
        for pending in self.pending.values_mut() {
            if matches!(&pending.proposal, Proposal::Sender { user: whose, role: Some(_) } if whose == user) {
                pending.proposal = Proposal::Withdrawn;
            }
        }
    }

    fn expect_role(&self, by: &Person, least: SenderRole) -> Result<(), Rejection> {
        match self.sender(&by.user) {
            Some(role) if role >= least => Ok(()),
            Some(_) | None => Err(Rejection::NotAllowed { user: by.user.clone(), role: least }),
        }
    }

    /// What waits can stand later.
    fn check_directive(&self, id: &Name, directive: &Directive) -> Result<(), Rejection> {
        let bytes = directive.text.len();
        if bytes > DIRECTIVE_BYTES_MAX {
            return Err(Rejection::TooLong { what: Field::Directive, bytes, bytes_max: DIRECTIVE_BYTES_MAX });
        }
        match self.directives.get(id) {
            Some(known) if known.directive.text != directive.text => {
                Err(Rejection::DirectiveKnown { id: id.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Asking again is harmless; asking for something else under the same id is not.
    fn wait(
        &mut self,
        id: &Name,
        proposal: Proposal,
        by: &Person,
        at: TimestampMs,
    ) -> Result<Outcome, Rejection> {
        match self.pending.get(id) {
            Some(known) if known.proposal == proposal && known.by.user == by.user => Ok(Outcome::Done),
            Some(_) => Err(Rejection::DirectiveKnown { id: id.clone() }),
            None if self.pending.len() >= PENDING_MAX => {
                Err(Rejection::PendingFull { pending_max: PENDING_MAX })
            }
            None => {
                self.pending.insert(id.clone(), Pending { proposal, by: by.clone(), since: at });
                Ok(Outcome::Done)
            }
        }
    }

    fn approve(&mut self, id: &Name, by: &Person, at: TimestampMs) -> Result<Outcome, Rejection> {
        self.expect_role(by, SenderRole::Approver)?;
        let waits = self.pending.get(id).filter(|waits| waits.left_ms(at) > 0);
        let waits = waits.ok_or_else(|| Rejection::PendingUnknown { id: id.clone() })?;
        if waits.by.user == by.user {
            return Err(Rejection::SecondPerson { user: by.user.clone() });
        }
        let Pending { proposal, by: first, .. } = waits.clone();
        // Whoever lost the right meanwhile has not asked for anything.
        let least = match proposal {
            Proposal::Directive(_) => SenderRole::Sender,
            Proposal::Sender { .. } | Proposal::Withdrawn => SenderRole::Approver,
        };
        self.expect_role(&first, least)?;
        let done = match &proposal {
            Proposal::Directive(directive) => self.put_directive(id, &sent(directive, &[&first, by]), at),
            Proposal::Sender { user, role } => self.put_sender(user, *role),
            Proposal::Withdrawn => Err(Rejection::PendingUnknown { id: id.clone() }),
        }?;
        self.pending.remove(id);
        Ok(done)
    }
}

/// In the place of what was taken back.
fn withdrawn(by: &Person, at: TimestampMs) -> Pending {
    Pending { proposal: Proposal::Withdrawn, by: by.clone(), since: at }
}

/// The directive with who sent it: `ann@handler-1`, or `ann+bob@handler-1`.
fn sent(directive: &Directive, persons: &[&Person]) -> Directive {
    let users: Vec<&str> = persons.iter().map(|person| person.user.as_str()).collect();
    let at = persons.last().map_or("", |person| person.at.as_str());
    let users = users.join("+");
    // The events have what does not fit here.
    let by = Name::new(&format!("{users}@{at}")).or_else(|_| Name::new(&users));
    let by = by.unwrap_or_else(|_| persons[0].user.clone());
    Directive { by, ..directive.clone() }
}
