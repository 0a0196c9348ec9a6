//! Directives come and go: bounded in number, and gone when their time is over.

use super::{Change, Fleet};
use crate::{
    Directive, Name, Outcome, Rejection, Standing, TimestampMs,
    command::Field,
    limits::{DIRECTIVE_BYTES_MAX, DIRECTIVES_MAX},
};

impl Fleet {
    /// All directives by id, those whose time is over among them until an entry ends them.
    pub fn directives(&self) -> impl ExactSizeIterator<Item = (&Name, &Standing)> {
        self.directives.iter()
    }

    /// A directive by id.
    pub fn directive(&self, id: &str) -> Option<&Standing> {
        self.directives.get(id)
    }

    /// Repeating it is harmless. With other targets it reaches those from now on; its time does not begin anew.
    pub(super) fn put_directive(
        &mut self,
        id: &Name,
        directive: &Directive,
        at: TimestampMs,
    ) -> Result<Outcome, Rejection> {
        let bytes = directive.text.len();
        if bytes > DIRECTIVE_BYTES_MAX {
            return Err(Rejection::TooLong { what: Field::Directive, bytes, bytes_max: DIRECTIVE_BYTES_MAX });
        }
        self.directives.retain(|_, standing| standing.left_ms(at) > 0);
        let since = match self.directives.get(id) {
            Some(known) if known.directive.text != directive.text => {
                return Err(Rejection::DirectiveKnown { id: id.clone() });
            }
            Some(known) if known.directive == *directive => return Ok(Outcome::Done),
            Some(known) => known.since,
            None if self.directives.len() >= DIRECTIVES_MAX => {
                return Err(Rejection::DirectivesFull { directives_max: DIRECTIVES_MAX });
            }
            None => at,
        };
        self.directives.insert(id.clone(), Standing { directive: directive.clone(), since });
        self.note(Change::Directives);
        Ok(Outcome::Done)
    }

    pub(super) fn end_directive(&mut self, id: &Name) -> Result<Outcome, Rejection> {
        self.directives.remove(id).ok_or_else(|| Rejection::DirectiveUnknown { id: id.clone() })?;
        self.note(Change::Directives);
        Ok(Outcome::Done)
    }
}
