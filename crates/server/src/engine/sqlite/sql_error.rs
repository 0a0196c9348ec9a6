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
    /// Byte offset in the text that the client sent.
    pub at: Option<usize>,
    more: Option<Box<More>>,
}

/// What few errors have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct More {
    detail: Option<String>,
    hint: Option<String>,
    table: Option<String>,
    column: Option<String>,
    constraint: Option<String>,
    context: Option<String>,
}

impl SqlError {
    pub fn new(state: SqlState, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, state, message: message.into(), at: None, more: None }
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

    pub fn at(self, offset: usize) -> Self {
        Self { at: Some(offset), ..self }
    }

    fn with(mut self, change: impl FnOnce(&mut More)) -> Self {
        change(self.more.get_or_insert_default());
        self
    }

    pub fn detail(self, detail: impl Into<String>) -> Self {
        self.with(|more| more.detail = Some(detail.into()))
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.with(|more| more.hint = Some(hint.into()))
    }

    pub fn table(self, table: impl Into<String>) -> Self {
        self.with(|more| more.table = Some(table.into()))
    }

    pub fn column(self, column: impl Into<String>) -> Self {
        self.with(|more| more.column = Some(column.into()))
    }

    pub fn constraint(self, constraint: impl Into<String>) -> Self {
        self.with(|more| more.constraint = Some(constraint.into()))
    }

    /// Where it happened, such as the line of a COPY.
    pub fn context(self, context: impl Into<String>) -> Self {
        self.with(|more| more.context = Some(context.into()))
    }

    pub fn fatal(self) -> Self {
        Self { severity: Severity::Fatal, ..self }
    }

    /// Without a place in the text.
    pub fn nowhere(self) -> Self {
        Self { at: None, ..self }
    }

    /// With other words.
    pub fn worded(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// Appends it as ErrorResponse or NoticeResponse. `sql` is the text that `at` points into.
    pub fn write(&self, out: &mut BytesMut, sql: &str) {
        let mut fields = Fields::new(self.severity, self.state, &self.message);
        fields.position = self.at.map(|at| position(sql, at));
        if let Some(more) = &self.more {
            fields.detail = more.detail.as_deref();
            fields.hint = more.hint.as_deref();
            fields.schema = more.table.as_ref().map(|_| "public");
            fields.table = more.table.as_deref();
            fields.column = more.column.as_deref();
            fields.constraint = more.constraint.as_deref();
            fields.context = more.context.as_deref();
        }
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
    let before = sql.char_indices().take_while(|(place, _)| *place < at).count();
    u32::try_from(before).unwrap_or(u32::MAX - 1) + 1
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
