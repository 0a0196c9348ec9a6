//! What a client says within its session, as a statement that any driver can send.

use crate::{Acknowledgement, Refusal, acknowledgement};

use super::{ACKNOWLEDGE, ANNOUNCE, Announcement, REPORT};

/// A statement for whoever sends directives, not for the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// `SET stationmaster.acknowledge = '…'`.
    Acknowledge(Vec<Acknowledgement>),
    /// `SET stationmaster.directives = '…'`: announces from now on; for clients that cannot do so when they connect.
    Announce(Announcement),
}

/// Recognises such a statement, alone in its message, with an optional `;` behind it. The command tag of the answer is `SET`.
///
/// `None` for any other SQL. What is recognised and wrong is answered like what is right, and counted:
/// it must not fail the application's transaction.
pub fn statement(sql: &str) -> Option<Result<Statement, Refusal>> {
    let rest = word(sql.trim_start(), "SET")?;
    let (name, rest) = [ACKNOWLEDGE, ANNOUNCE]
        .into_iter()
        .find_map(|name| Some((name, prefix(rest, name)?.trim_start())))?;
    let rest = rest.strip_prefix('=').or_else(|| word(rest, "TO"))?.trim_start();
    let text = literal(rest.trim_end().trim_end_matches(';').trim_end())?;
    Some(match name {
        ACKNOWLEDGE => acknowledgement::decode(text.as_bytes()).map(Statement::Acknowledge),
        _ => Announcement::parse(&text).map(Statement::Announce),
    })
}

/// The statement that acknowledges.
///
/// # Errors
/// What a reader would refuse.
pub fn acknowledge(acknowledgements: &[Acknowledgement]) -> Result<String, Refusal> {
    Ok(set(ACKNOWLEDGE, &acknowledgement::encode(acknowledgements)?))
}

/// The statement that announces.
///
/// # Errors
/// What a reader would refuse.
pub fn announce(announcement: &Announcement) -> Result<String, Refusal> {
    Ok(set(ANNOUNCE, &announcement.value()?))
}

/// The statement that hands over a report, whatever is in it.
pub fn report(body: &str) -> String {
    set(REPORT, body)
}

/// The report that a statement hands over; `None` for any other SQL. Its length is bounded by the frame that it came in.
pub fn read_report(sql: &str) -> Option<String> {
    let rest = prefix(word(sql.trim_start(), "SET")?, REPORT)?.trim_start();
    let rest = rest.strip_prefix('=').or_else(|| word(rest, "TO"))?.trim_start();
    literal(rest.trim_end().trim_end_matches(';').trim_end())
}

fn set(name: &str, text: &str) -> String {
    format!("SET {name} = '{}'", text.replace('\'', "''"))
}

/// What follows a key word and white space.
fn word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = prefix(text, word)?;
    rest.starts_with(|letter: char| letter.is_ascii_whitespace()).then(|| rest.trim_start())
}

fn prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// The text of one literal that is all there is; `''` stands for one quote, and a backslash for itself.
fn literal(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let plain = inner.replace("''", "");
    (!plain.contains('\'')).then(|| inner.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r78_a_report_is_read_as_it_was_written() {
        for body in ["", r#"{"a":"it's"}"#, "\\ ; ' ''"] {
            assert_eq!(read_report(&report(body)).as_deref(), Some(body));
        }
        for sql in ["SET stationmaster.report = 'a' || 'b'", "SET other.report = 'a'", "SELECT 1"] {
            assert_eq!(read_report(sql), None, "{sql}");
        }
    }
}
