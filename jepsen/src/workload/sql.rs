//! SQL through a handler, and what its errors are taken for.

use tests::Session;
use tokio_postgres::{Error, SimpleQueryMessage};

use super::lane::{Lane, Trouble};

/// Whether the end of a transaction, or a statement that is one, had been sent when it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing yet that could last.
    Nothing,
    /// What could.
    Commit,
}

/// A session with the client's own database; each attempt takes the next handler.
pub async fn connect(lane: &Lane, attempt: u64) -> Result<Session, String> {
    lane.target.connect(attempt as usize, &lane.databases[lane.database()]).await
}

/// What clients are told who change the same in transactions at the same time.
const CONFLICT: &str = "could not serialize access due to concurrent update";

/// What an error is taken for.
///
/// Of an open transaction nothing lasts before its COMMIT. Otherwise only some SQLSTATEs prove that nothing was done.
pub fn trouble(error: &Error, sent: Sent) -> Trouble {
    let why = format!("{} {}", tests::code(error), tests::message(error));
    let code = error.code().map_or("", |code| code.code());
    match (sent, code) {
        (_, "40001") if tests::message(error) == CONFLICT => Trouble::Expected(why),
        (Sent::Nothing, _) => Trouble::None(why),
        (Sent::Commit, code) if history::had_no_effect(code) => Trouble::None(why),
        (Sent::Commit, _) => Trouble::Unknown(why),
    }
}

/// The rows of each statement of one simple query, and how many rows each concerned.
pub async fn simple(session: &Session, sql: &str) -> Result<Vec<(Vec<Vec<String>>, u64)>, Error> {
    let mut statements = Vec::new();
    let mut rows = Vec::new();
    for message in session.simple_query(sql).await? {
        match message {
            SimpleQueryMessage::Row(row) => {
                let text = |at| row.get(at).unwrap_or_default().to_owned();
                rows.push((0..row.len()).map(text).collect());
            }
            SimpleQueryMessage::CommandComplete(count) => statements.push((std::mem::take(&mut rows), count)),
            _ => {}
        }
    }
    Ok(statements)
}
