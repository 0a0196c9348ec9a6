//! Where the session stands between BEGIN and COMMIT, and who may write.
//!
//! BEGIN is lazy: it only sets a flag. The first statement that writes waits for the database's writer permit and opens
//! SQLite's transaction, together with the savepoints set so far. Until then each statement reads the newest committed state,
//! which is READ COMMITTED, and an idle reader blocks nobody.

use super::super::capture::Commits;
use super::super::command::{Isolation, Modes};
use super::super::ffi::{Connection, Failure};
use super::super::lexer::quote_name;
use crate::engine::{NextWriter, TransactionStatus, WriterPermit};

/// What kind of transaction block the session is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// None: each statement commits by itself.
    None,
    /// Several statements in one Query, or a pipeline before its Sync.
    Implicit,
    /// BEGIN has been said.
    Explicit,
    /// A statement of the explicit block failed; it waits for its end.
    Failed,
}

/// The session's transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    pub block: Block,
    pub isolation: Isolation,
    pub read_only: bool,
    /// SQLite is inside BEGIN.
    open: bool,
    permit: Option<WriterPermit>,
    /// Who has it now, and is called as soon as this session stops to work or goes on with something else.
    next: Option<NextWriter>,
    /// Names with the settings' undo mark at each.
    savepoints: Vec<(String, usize)>,
    /// The schema changed in here.
    pub schema_changed: bool,
}

impl Transaction {
    pub fn new() -> Self {
        Self {
            block: Block::None,
            isolation: Isolation::ReadCommitted,
            read_only: false,
            open: false,
            permit: None,
            next: None,
            savepoints: Vec::new(),
            schema_changed: false,
        }
    }

    pub fn status(&self) -> TransactionStatus {
        match self.block {
            Block::None | Block::Implicit => TransactionStatus::Idle,
            Block::Explicit => TransactionStatus::InTransaction,
            Block::Failed => TransactionStatus::Failed,
        }
    }

    pub fn begin(&mut self, defaults: Modes, modes: Modes) {
        self.block = Block::Explicit;
        self.set_modes(defaults);
        self.set_modes(modes);
    }

    pub fn set_modes(&mut self, modes: Modes) {
        self.isolation = modes.isolation.unwrap_or(self.isolation);
        self.read_only = modes.read_only.unwrap_or(self.read_only);
    }

    pub fn has_permit(&self) -> bool {
        self.permit.is_some()
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn grant(&mut self, permit: WriterPermit) {
        self.permit = Some(permit);
    }

    /// Makes SQLite ready for a write; the permit is there. Outside a block SQLite commits by itself.
    pub fn open_for_write(&mut self, connection: &Connection) -> Result<(), Failure> {
        if self.open || self.block == Block::None {
            return Ok(());
        }
        self.open(connection, "BEGIN IMMEDIATE")
    }

    /// Takes the snapshot of a repeatable-read transaction.
    pub fn open_for_read(&mut self, connection: &Connection) -> Result<(), Failure> {
        if self.open || self.block != Block::Explicit || self.isolation == Isolation::ReadCommitted {
            return Ok(());
        }
        self.open(connection, "BEGIN")?;
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1")
    }

    fn open(&mut self, connection: &Connection, begin: &str) -> Result<(), Failure> {
        connection.execute(begin)?;
        self.open = true;
        self.savepoints.iter().try_for_each(|(name, _)| connection.execute(&savepoint(name)))
    }

    pub fn savepoint(&mut self, connection: &Connection, name: String, mark: usize) -> Result<(), Failure> {
        if self.open {
            connection.execute(&savepoint(&name))?;
        }
        self.savepoints.push((name, mark));
        Ok(())
    }

    /// Whether a failed statement may be followed by ROLLBACK TO.
    pub fn has_savepoints(&self) -> bool {
        !self.savepoints.is_empty()
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|(known, _)| known == name)
    }

    /// `false` when there is no such savepoint.
    pub fn release(&mut self, connection: &Connection, name: &str) -> Result<bool, Failure> {
        let Some(at) = self.find(name) else { return Ok(false) };
        if self.open {
            connection.execute(&format!("RELEASE {}", quote_name(name)))?;
        }
        self.savepoints.truncate(at);
        Ok(true)
    }

    /// The settings' mark at the savepoint, which stays; `None` when there is no such savepoint.
    pub fn rollback_to(&mut self, connection: &Connection, name: &str) -> Result<Option<usize>, Failure> {
        let Some(at) = self.find(name) else { return Ok(None) };
        if self.open {
            connection.execute(&format!("ROLLBACK TO {}", quote_name(name)))?;
        }
        self.savepoints.truncate(at + 1);
        Ok(Some(self.savepoints[at].1))
    }

    /// Makes the work durable-to-be; on an error nothing remains of it. The block itself is ended by [`end`](Self::end).
    pub fn commit(&mut self, connection: &Connection) -> Result<(), Failure> {
        if !self.open {
            return Ok(());
        }
        let committed = connection.execute("COMMIT");
        if committed.is_err() {
            self.undo(connection)?;
        }
        self.open = false;
        committed
    }

    /// Undoes the work. The block itself is ended by [`end`](Self::end).
    pub fn undo(&mut self, connection: &Connection) -> Result<(), Failure> {
        if self.open && !connection.autocommit() {
            connection.execute("ROLLBACK")?;
        }
        self.open = false;
        self.savepoints.clear();
        Ok(())
    }

    /// SQLite has rolled back by itself (interrupted write, full disk): nothing is left to return to.
    pub fn notice_lost(&mut self, connection: &Connection) {
        if self.open && connection.autocommit() {
            self.open = false;
            self.savepoints.clear();
        }
    }

    /// Lets the next writer in, unless there are commits to be published first. SQLite must be outside its transaction.
    pub fn release_writer(&mut self, commits: &Commits) {
        if self.permit.is_some() && !commits.waiting() {
            commits.publish(Vec::new);
            self.next = self.permit.take().and_then(WriterPermit::pass_on);
        }
    }

    /// Who has the permit after this session and is still to be called.
    pub fn next_writer(&mut self) -> Option<NextWriter> {
        self.next.take()
    }

    /// Back to no block.
    pub fn end(&mut self) {
        self.block = Block::None;
        self.savepoints.clear();
        self.isolation = Isolation::ReadCommitted;
        self.read_only = false;
        self.schema_changed = false;
    }
}

fn savepoint(name: &str) -> String {
    format!("SAVEPOINT {}", quote_name(name))
}
