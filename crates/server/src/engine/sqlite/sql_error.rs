//! A failed statement, as the client will read it.

use bytes::BytesMut;
use wire::backend::{Fields, Severity, error_response, notice_response};
use wire::{SqlState, sqlstate};

/// What ErrorResponse says. A notice has the same form with another [`Severity`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SqlError {
    pub severity: Severity,
    pub state: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Byte offset in the text that the client sent.
    pub at: Option<usize>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub constraint: Option<String>,
    /// Where it happened, such as the line of a COPY.
    pub context: Option<String>,
}

impl SqlError {
    pub fn new(state: SqlState, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            state,
            message: message.into(),
            detail: None,
            hint: None,
            at: None,
            table: None,
            column: None,
            constraint: None,
            context: None,
        }
    }

    /// PostgreSQL's answer to a text it cannot parse: points at the token, or at the end when there is none.
    pub fn syntax(sql: &str, token: std::ops::Range<usize>) -> Self {
        let word = sql.get(token.clone()).unwrap_or_default();
        let message = if word.is_empty() {
            "syntax error at end of input".to_owned()
        } else {
            format!("syntax error at or near \"{word}\"")
        };
        Self::new(sqlstate::SYNTAX_ERROR, message).at(token.start)
    }

    /// Something PostgreSQL has and this engine has not.
    pub fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{what} is not supported by the sqlite engine"))
    }

    pub fn warning(state: SqlState, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(state, message) }
    }

    pub fn notice(state: SqlState, message: impl Into<String>) -> Self {
        Self { severity: Severity::Notice, ..Self::new(state, message) }
    }

    pub fn at(self, offset: usize) -> Self {
        Self { at: Some(offset), ..self }
    }

    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub fn table(self, table: impl Into<String>) -> Self {
        Self { table: Some(table.into()), ..self }
    }

    pub fn column(self, column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..self }
    }

    pub fn constraint(self, constraint: impl Into<String>) -> Self {
        Self { constraint: Some(constraint.into()), ..self }
    }

    pub fn context(self, context: impl Into<String>) -> Self {
        Self { context: Some(context.into()), ..self }
    }

    /// Appends it as ErrorResponse or NoticeResponse. `sql` is the text that `at` points into.
    pub fn write(&self, out: &mut BytesMut, sql: &str) {
        let mut fields = Fields::new(self.severity, self.state, &self.message);
        fields.detail = self.detail.as_deref();
        fields.hint = self.hint.as_deref();
        fields.position = self.at.map(|at| position(sql, at));
        fields.schema = self.table.as_ref().map(|_| "public");
        fields.table = self.table.as_deref();
        fields.column = self.column.as_deref();
        fields.context = self.context.as_deref();
        fields.constraint = self.constraint.as_deref();
        match self.severity {
            Severity::Panic | Severity::Fatal | Severity::Error => error_response(out, &fields),
            Severity::Warning | Severity::Notice | Severity::Debug | Severity::Info | Severity::Log => {
                notice_response(out, &fields);
            }
        }
    }
}

impl From<wire::Error> for SqlError {
    fn from(error: wire::Error) -> Self {
        let severity = if error.is_fatal() { Severity::Fatal } else { Severity::Error };
        Self { severity, ..Self::new(error.sqlstate(), error.to_string()) }
    }
}

/// The protocol counts characters from 1.
fn position(sql: &str, at: usize) -> u32 {
    let before = &sql[..sql.floor_char_boundary(at)];
    u32::try_from(before.chars().count()).unwrap_or(u32::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        assert_eq!(position("sélect x", 0), 1);
        assert_eq!(position("sélect x", 8), 8);
        assert_eq!(position("a", 99), 2);
    }

    #[test]
    fn a_syntax_error_names_its_token_or_the_end() {
        assert_eq!(SqlError::syntax("selec 1", 0..5).message, "syntax error at or near \"selec\"");
        assert_eq!(SqlError::syntax("select", 6..6).message, "syntax error at end of input");
    }
}
