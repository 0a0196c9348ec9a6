//! Changes of the schema.

use wire::sqlstate;

use super::super::super::ddl::{Definition, DefinitionTag};
use super::super::super::sql_error::SqlError;
use super::super::super::translate::translate;
use super::super::SqliteSession;
use super::super::transaction::Block;
use super::Outcome;

impl SqliteSession {
    /// Runs the statements of a definition as one: all of them or none.
    pub(super) fn define(&mut self, definition: &Definition) -> Result<Outcome, SqlError> {
        if self.transaction.read_only {
            let message = "cannot execute a definition in a read-only transaction";
            return Err(SqlError::new(sqlstate::READ_ONLY_SQL_TRANSACTION, message));
        }
        if let Some(step) = self.ask_to_write()? {
            return Ok(Outcome::Yield(step));
        }
        if self.transaction.block == Block::None {
            self.transaction.block = Block::Implicit;
        }
        self.open_for_write()?;
        self.start_clock();
        self.transaction.schema_changed = true;
        for statement in &definition.statements {
            self.connection.execute(statement).map_err(|failure| match self.limit.check() {
                Err(canceled) => canceled,
                // The place is one in SQLite's words.
                Ok(()) => translate(&failure, &self.connection, statement).nowhere(),
            })?;
        }
        self.note_reading();
        self.schema_changed();
        Ok(Outcome::Tag(match definition.tag {
            DefinitionTag::Word(word) => word.to_owned(),
            DefinitionTag::Rows => format!("SELECT {}", self.connection.changes()),
        }))
    }
}
