//! DECLARE, FETCH, MOVE and CLOSE. A cursor is a portal with a name, and FETCH an Execute with a row limit.

use std::sync::Arc;

use wire::sqlstate;

use super::super::super::command::Count;
use super::super::super::sql_error::SqlError;
use super::super::SqliteSession;
use super::super::execute::{Answer, Execution};
use super::super::plan::Plan;
use super::super::portal::{Cursor, Portal};
use super::Outcome;

impl SqliteSession {
    pub(super) fn declare(
        &mut self,
        name: &str,
        hold: bool,
        plan: &Plan,
        execution: &mut Execution,
    ) -> Result<Outcome, SqlError> {
        if !hold {
            self.require_block("DECLARE CURSOR")?;
        }
        if self.portals.contains_key(name) {
            let message = format!("cursor \"{name}\" already exists");
            return Err(SqlError::new(sqlstate::DUPLICATE_CURSOR, message));
        }
        let query = plan.inner.as_ref().expect("BUG: DECLARE is planned with its query");
        let parameters = std::mem::take(&mut execution.portal.parameters);
        let portal = Portal { cursor: Some(Cursor { hold }), ..Portal::new(Arc::clone(query), parameters) };
        self.portals.insert(name.to_owned(), portal);
        if hold && self.transaction.block == super::Block::None {
            self.start_and_hold(name)?;
        }
        Ok(Outcome::Tag("DECLARE CURSOR".to_owned()))
    }

    pub(super) fn cursor(&self, name: &str) -> Result<&Portal, SqlError> {
        self.portals.get(name).ok_or_else(|| no_cursor(name))
    }

    /// Puts the cursor in the place of the FETCH.
    pub(super) fn fetch(
        &mut self,
        name: &str,
        count: Count,
        discard: bool,
        execution: &mut Execution,
    ) -> Result<Outcome, SqlError> {
        self.cursor(name)?;
        let limit = match count {
            Count::Rows(rows) => Some(rows),
            Count::All => None,
            Count::Backward => {
                let message = "cursor can only scan forward";
                return Err(SqlError::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                    .hint("Cursors of the sqlite engine are never scrollable."));
            }
        };
        let formats = std::mem::take(&mut execution.portal.formats);
        execution.portal = self.portals.remove(name).expect("BUG: found above");
        if formats.len() == execution.portal.formats.len() {
            execution.portal.formats = formats;
        }
        execution.name = Some(name.to_owned());
        execution.limit = limit;
        execution.answer = if discard { Answer::Move(0) } else { Answer::Fetch(0) };
        Ok(Outcome::Portal)
    }

    pub(super) fn close_cursor(&mut self, name: Option<&str>) -> Result<Outcome, SqlError> {
        match name {
            None => self.drop_all_portals(),
            Some(name) => {
                let portal = self.portals.remove(name).ok_or_else(|| no_cursor(name))?;
                self.close_portal(portal);
            }
        }
        Ok(Outcome::Tag(if name.is_none() { "CLOSE CURSOR ALL" } else { "CLOSE CURSOR" }.to_owned()))
    }
}

fn no_cursor(name: &str) -> SqlError {
    SqlError::new(sqlstate::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}
