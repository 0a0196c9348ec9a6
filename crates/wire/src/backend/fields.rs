//! ErrorResponse and NoticeResponse: the same list of fields under two tags.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::tag;
use crate::limits::FIELD_LEN_MAX;
use crate::read::Reader;
use crate::write::{frame, put_text};
use crate::{Error, SqlState};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The whole server must restart.
    Panic,
    /// The session ends.
    Fatal,
    /// The statement has failed.
    Error,
    /// The rest are notices, from loud to quiet.
    Warning,
    /// Worth showing to a user.
    Notice,
    /// For a developer.
    Debug,
    /// What the user asked to see.
    Info,
    /// For the server's log.
    Log,
}

impl Severity {
    const ALL: [Severity; 8] = [
        Severity::Panic,
        Severity::Fatal,
        Severity::Error,
        Severity::Warning,
        Severity::Notice,
        Severity::Debug,
        Severity::Info,
        Severity::Log,
    ];

    /// The word on the wire, which we never translate.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Panic => "PANIC",
            Severity::Fatal => "FATAL",
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
            Severity::Notice => "NOTICE",
            Severity::Debug => "DEBUG",
            Severity::Info => "INFO",
            Severity::Log => "LOG",
        }
    }

    fn parse(word: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.as_str() == word)
    }
}

/// What an error or a notice says. Texts longer than 1 MiB are cut, NULs inside are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a> {
    /// Written twice, as `S` (for people) and `V` (for programs).
    pub severity: Severity,
    /// By which programs tell errors apart.
    pub code: SqlState,
    /// One line, for people.
    pub message: &'a str,
    /// More lines.
    pub detail: Option<&'a str>,
    /// What to do about it.
    pub hint: Option<&'a str>,
    /// Where in the query's text: characters, not bytes, from 1.
    pub position: Option<u32>,
    /// Where in `internal_query`.
    pub internal_position: Option<u32>,
    /// A query that the server made up itself.
    pub internal_query: Option<&'a str>,
    /// The context, such as a call stack.
    pub context: Option<&'a str>,
    /// The schema it is about.
    pub schema: Option<&'a str>,
    /// The table it is about.
    pub table: Option<&'a str>,
    /// The column it is about.
    pub column: Option<&'a str>,
    /// The data type it is about.
    pub data_type: Option<&'a str>,
    /// The constraint it is about.
    pub constraint: Option<&'a str>,
    /// Source file that reports it.
    pub file: Option<&'a str>,
    /// Line there.
    pub line: Option<u32>,
    /// Function there.
    pub routine: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// The fields that every error and notice has.
    pub fn new(severity: Severity, code: SqlState, message: &'a str) -> Fields<'a> {
        Fields {
            severity,
            code,
            message,
            detail: None,
            hint: None,
            position: None,
            internal_position: None,
            internal_query: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            data_type: None,
            constraint: None,
            file: None,
            line: None,
            routine: None,
        }
    }

    fn write(&self, out: &mut BytesMut) {
        put(out, b'S', self.severity.as_str());
        put(out, b'V', self.severity.as_str());
        put(out, b'C', self.code.as_str());
        put(out, b'M', self.message);
        let texts = [
            (b'D', self.detail),
            (b'H', self.hint),
            (b'q', self.internal_query),
            (b'W', self.context),
            (b's', self.schema),
            (b't', self.table),
            (b'c', self.column),
            (b'd', self.data_type),
            (b'n', self.constraint),
            (b'F', self.file),
            (b'R', self.routine),
        ];
        for (kind, text) in texts {
            text.into_iter().for_each(|text| put(out, kind, text));
        }
        for (kind, number) in [(b'P', self.position), (b'p', self.internal_position), (b'L', self.line)] {
            number.into_iter().for_each(|number| put(out, kind, &number.to_string()));
        }
        out.put_u8(0);
    }

    pub(super) fn read(mut reader: Reader<'a>) -> Result<Fields<'a>, Error> {
        let mut fields = Fields::new(Severity::Error, crate::sqlstate::INTERNAL_ERROR, "");
        let (mut severity, mut code, mut message) = (None, None, None);
        loop {
            let kind = reader.u8()?;
            if kind == 0 {
                break;
            }
            let text = reader.str()?;
            match kind {
                // Older servers than 9.6 send no V, and translate S.
                b'S' => severity = severity.or(Severity::parse(text)),
                b'V' => severity = Severity::parse(text).or(severity),
                b'C' => code = SqlState::new(text),
                b'M' => message = Some(text),
                kind => fields.set(kind, text),
            }
        }
        fields.severity = severity.unwrap_or(Severity::Error);
        fields.code = code.ok_or(missing(&reader, "SQLSTATE"))?;
        fields.message = message.ok_or(missing(&reader, "text"))?;
        reader.finish().map(|()| fields)
    }

    /// Unknown fields are for newer clients and are skipped, as the protocol asks.
    fn set(&mut self, kind: u8, text: &'a str) {
        match kind {
            b'D' => self.detail = Some(text),
            b'H' => self.hint = Some(text),
            b'P' => self.position = text.parse().ok(),
            b'p' => self.internal_position = text.parse().ok(),
            b'q' => self.internal_query = Some(text),
            b'W' => self.context = Some(text),
            b's' => self.schema = Some(text),
            b't' => self.table = Some(text),
            b'c' => self.column = Some(text),
            b'd' => self.data_type = Some(text),
            b'n' => self.constraint = Some(text),
            b'F' => self.file = Some(text),
            b'L' => self.line = text.parse().ok(),
            b'R' => self.routine = Some(text),
            _ => {}
        }
    }
}

impl fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (SQLSTATE {})", self.severity.as_str(), self.message, self.code)
    }
}

fn missing(reader: &Reader<'_>, field: &'static str) -> Error {
    Error::MissingField { message: reader.message(), field }
}

fn put(out: &mut BytesMut, kind: u8, text: &str) {
    out.put_u8(kind);
    put_text(out, text, FIELD_LEN_MAX);
}

/// Writes ErrorResponse.
pub fn error_response(out: &mut BytesMut, fields: &Fields<'_>) {
    frame(out, tag::ERROR_RESPONSE, |out| fields.write(out));
}

/// Writes NoticeResponse.
pub fn notice_response(out: &mut BytesMut, fields: &Fields<'_>) {
    frame(out, tag::NOTICE_RESPONSE, |out| fields.write(out));
}

/// Writes ErrorResponse for an error of this crate: FATAL when it ends the session.
pub fn error(out: &mut BytesMut, error: &Error) {
    let severity = if error.is_fatal() { Severity::Fatal } else { Severity::Error };
    error_response(out, &Fields::new(severity, error.sqlstate(), &error.to_string()));
}
