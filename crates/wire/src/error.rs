//! What can be wrong with a message, and how a client is told.

use crate::SqlState;
use crate::sqlstate;

/// A message that cannot be read or written.
///
/// The text is safe to send to a client: it quotes numbers and our own names, never what the peer sent.
/// A value of this type has no effect behind it; reading the same bytes again fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The length word of a frame is below the 4 bytes that it counts itself.
    #[error("invalid message length {len} in a message of type {}", tag_name(*.tag))]
    FrameTooShort {
        /// The frame's first byte.
        tag: u8,
        /// The length word as sent.
        len: u32,
    },
    /// The frame is longer than the peer may send at this point.
    #[error("message of type {} is {len} bytes long, at most {max} are allowed", tag_name(*.tag))]
    FrameTooLong {
        /// The frame's first byte.
        tag: u8,
        /// Bytes of the whole frame.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// No message has this type.
    #[error("invalid message type {}", tag_name(*.tag))]
    UnknownMessage {
        /// The frame's first byte.
        tag: u8,
    },
    /// A count or a length points past the end of the body.
    #[error("insufficient data left in {message} message")]
    Truncated {
        /// The message's name in PostgreSQL's documentation.
        message: &'static str,
    },
    /// Bytes are left after the last field.
    #[error("invalid {message} message: {bytes} bytes left after its last field")]
    Trailing {
        /// The message's name.
        message: &'static str,
        /// How many.
        bytes: usize,
    },
    /// A string has no terminating NUL before the body ends.
    #[error("unterminated string in {message} message")]
    Unterminated {
        /// The message's name.
        message: &'static str,
    },
    /// A string is not UTF-8.
    #[error("invalid byte sequence for encoding \"UTF8\" in {message} message")]
    NotUtf8 {
        /// The message's name.
        message: &'static str,
    },
    /// A field has a value that the protocol does not know.
    #[error("invalid {field} {value} in {message} message")]
    BadField {
        /// The message's name.
        message: &'static str,
        /// The field's name.
        field: &'static str,
        /// The value as a number.
        value: i64,
    },
    /// A required field is not there.
    #[error("{field} missing in {message} message")]
    MissingField {
        /// The message's name.
        message: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// A format code is neither text nor binary.
    #[error("unsupported format code: {code}")]
    FormatCode {
        /// The code as sent.
        code: i16,
    },
    /// Bind has several parameter formats, but not one for each parameter.
    #[error("bind message has {formats} parameter formats but {parameters} parameters")]
    ParameterFormats {
        /// Formats sent.
        formats: usize,
        /// Parameters sent.
        parameters: usize,
    },
    /// Bind has several result formats, but not one for each column.
    #[error("bind message has {formats} result formats but query has {columns} columns")]
    ResultFormats {
        /// Formats sent.
        formats: usize,
        /// Columns of the query.
        columns: usize,
    },
    /// The length of a start-up packet is out of bounds.
    #[error("invalid length of startup packet")]
    StartupLength {
        /// The length word as sent.
        len: u32,
    },
    /// A major version other than 3.
    #[error(
        "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{}",
        crate::limits::PROTOCOL_MINOR_MAX
    )]
    UnsupportedProtocol {
        /// Major version asked for.
        major: u16,
        /// Minor version asked for.
        minor: u16,
    },
    /// The list of start-up parameters does not end where the packet ends.
    #[error("invalid startup packet layout: expected terminator as last byte")]
    StartupLayout,
    /// No user in the start-up packet.
    #[error("no PostgreSQL user name specified in startup packet")]
    NoUser,
    /// The `options` start-up parameter is not a list of `-c name=value`.
    #[error("invalid command-line argument for server process in startup option \"options\"")]
    StartupOptions,
    /// The secret of a cancel key is too short or too long for the protocol version.
    #[error("invalid length of query cancel key: {len} bytes")]
    CancelKeyLength {
        /// Bytes of the secret.
        len: usize,
    },
    /// A text to be sent has a NUL inside, which the protocol cannot carry.
    #[error("invalid byte sequence for encoding \"UTF8\": 0x00 in {what}")]
    Nul {
        /// Which text.
        what: &'static str,
    },
    /// Something to be sent is longer than the protocol can carry.
    #[error("{what} is {len} bytes long, at most {max} can be sent")]
    TooLong {
        /// What.
        what: &'static str,
        /// Its bytes.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// More items to be sent than the protocol can count.
    #[error("too many {what}: {count}, at most {max} can be sent")]
    TooMany {
        /// What.
        what: &'static str,
        /// How many, at least.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// A SCRAM message breaks the grammar of RFC 5802.
    #[error("malformed SCRAM message: {what}")]
    Scram {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The peer asks for a part of SASL or SCRAM that we do not have.
    #[error("{what} is not supported")]
    ScramUnsupported {
        /// What it asks for.
        what: &'static str,
    },
    /// The two sides do not agree about the TLS channel under the exchange.
    #[error("SCRAM channel binding check failed: {what}")]
    ChannelBinding {
        /// What does not agree.
        what: &'static str,
    },
    /// The proof does not fit the verifier: a wrong password or an unknown user, nobody is told which.
    #[error("password authentication failed")]
    AuthenticationFailed,
    /// The server could not prove that it knows the verifier, or refused.
    #[error("the server did not prove its identity: {what}")]
    ServerNotProven {
        /// What is missing.
        what: &'static str,
    },
    /// A stored verifier is not `SCRAM-SHA-256$iterations:salt$stored:server`.
    #[error("invalid SCRAM verifier: {what}")]
    BadVerifier {
        /// Which part.
        what: &'static str,
    },
}

impl Error {
    /// The SQLSTATE to send for it.
    pub fn sqlstate(&self) -> SqlState {
        match self {
            Error::FrameTooShort { .. }
            | Error::FrameTooLong { .. }
            | Error::UnknownMessage { .. }
            | Error::Truncated { .. }
            | Error::Trailing { .. }
            | Error::Unterminated { .. }
            | Error::BadField { .. }
            | Error::MissingField { .. }
            | Error::ParameterFormats { .. }
            | Error::ResultFormats { .. }
            | Error::StartupLength { .. }
            | Error::StartupLayout
            | Error::CancelKeyLength { .. }
            | Error::Scram { .. } => sqlstate::PROTOCOL_VIOLATION,
            Error::NotUtf8 { .. } | Error::Nul { .. } => sqlstate::CHARACTER_NOT_IN_REPERTOIRE,
            Error::FormatCode { .. } => sqlstate::INVALID_PARAMETER_VALUE,
            Error::UnsupportedProtocol { .. } | Error::ScramUnsupported { .. } => {
                sqlstate::FEATURE_NOT_SUPPORTED
            }
            Error::NoUser | Error::ChannelBinding { .. } | Error::ServerNotProven { .. } => {
                sqlstate::INVALID_AUTHORIZATION_SPECIFICATION
            }
            Error::StartupOptions => sqlstate::SYNTAX_ERROR,
            Error::AuthenticationFailed => sqlstate::INVALID_PASSWORD,
            Error::TooLong { .. } | Error::TooMany { .. } => sqlstate::PROGRAM_LIMIT_EXCEEDED,
            Error::BadVerifier { .. } => sqlstate::CONFIG_FILE_ERROR,
        }
    }

    /// Whether the session must end: the stream can no longer be followed, or authentication is over.
    ///
    /// What is wrong within one body only is an ordinary error, because the next frame is where it should be.
    pub fn is_fatal(&self) -> bool {
        match self {
            Error::FrameTooShort { .. }
            | Error::FrameTooLong { .. }
            | Error::UnknownMessage { .. }
            | Error::StartupLength { .. }
            | Error::UnsupportedProtocol { .. }
            | Error::StartupLayout
            | Error::NoUser
            | Error::StartupOptions
            | Error::CancelKeyLength { .. }
            | Error::Scram { .. }
            | Error::ScramUnsupported { .. }
            | Error::ChannelBinding { .. }
            | Error::AuthenticationFailed
            | Error::ServerNotProven { .. }
            | Error::BadVerifier { .. } => true,
            Error::Truncated { .. }
            | Error::Trailing { .. }
            | Error::Unterminated { .. }
            | Error::NotUtf8 { .. }
            | Error::BadField { .. }
            | Error::MissingField { .. }
            | Error::FormatCode { .. }
            | Error::ParameterFormats { .. }
            | Error::ResultFormats { .. }
            | Error::Nul { .. }
            | Error::TooLong { .. }
            | Error::TooMany { .. } => false,
        }
    }
}

/// A tag as a person writes it: the letter when it is one, else its number.
fn tag_name(tag: u8) -> String {
    if tag.is_ascii_graphic() { format!("'{}'", char::from(tag)) } else { tag.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_named_by_its_letter_or_else_its_number() {
        assert_eq!(Error::UnknownMessage { tag: b'y' }.to_string(), "invalid message type 'y'");
        assert_eq!(Error::UnknownMessage { tag: 0 }.to_string(), "invalid message type 0");
    }

    #[test]
    fn only_what_loses_the_stream_or_the_login_ends_the_session() {
        assert!(Error::FrameTooLong { tag: b'Q', len: 9, max: 8 }.is_fatal());
        assert!(Error::AuthenticationFailed.is_fatal());
        assert!(!Error::Truncated { message: "Bind" }.is_fatal());
    }
}
