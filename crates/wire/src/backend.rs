//! What a server sends: writers that append whole frames, and a decoder for who must read them.
//!
//! Writers without a `Result` cannot fail: their text is ours or is for people, and is cut at its limit.
//! The others fail when the protocol cannot carry what they are given, and then leave `out` as it was.

pub mod authentication;
mod columns;
mod copy;
mod decode;
mod fields;
mod row;

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::limits::{COMMAND_TAG_LEN_MAX, PARAMETERS_MAX, PROTOCOL_MINOR_MAX};
use crate::startup::CancelKey;
use crate::write::{cut, frame, long_frame, put_count, put_len, put_str, short_frame};
use crate::{Error, Oid};
pub use columns::{Column, Columns, row_description};
pub use copy::{Copy, copy_both_response, copy_data, copy_done, copy_in_response, copy_out_response};
pub use decode::{Message, Negotiation};
pub use fields::{Fields, Severity, error, error_response, notice_response};
pub use row::DataRow;

/// The first byte of each message.
pub mod tag {
    /// All authentication messages.
    pub const AUTHENTICATION: u8 = b'R';
    /// BackendKeyData.
    pub const BACKEND_KEY_DATA: u8 = b'K';
    /// BindComplete.
    pub const BIND_COMPLETE: u8 = b'2';
    /// CloseComplete.
    pub const CLOSE_COMPLETE: u8 = b'3';
    /// CommandComplete.
    pub const COMMAND_COMPLETE: u8 = b'C';
    /// CopyBothResponse.
    pub const COPY_BOTH_RESPONSE: u8 = b'W';
    /// CopyData, from either side.
    pub const COPY_DATA: u8 = b'd';
    /// CopyDone, from either side.
    pub const COPY_DONE: u8 = b'c';
    /// CopyInResponse.
    pub const COPY_IN_RESPONSE: u8 = b'G';
    /// CopyOutResponse.
    pub const COPY_OUT_RESPONSE: u8 = b'H';
    /// DataRow.
    pub const DATA_ROW: u8 = b'D';
    /// EmptyQueryResponse.
    pub const EMPTY_QUERY_RESPONSE: u8 = b'I';
    /// ErrorResponse.
    pub const ERROR_RESPONSE: u8 = b'E';
    /// FunctionCallResponse.
    pub const FUNCTION_CALL_RESPONSE: u8 = b'V';
    /// NegotiateProtocolVersion.
    pub const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
    /// NoData.
    pub const NO_DATA: u8 = b'n';
    /// NoticeResponse.
    pub const NOTICE_RESPONSE: u8 = b'N';
    /// NotificationResponse.
    pub const NOTIFICATION_RESPONSE: u8 = b'A';
    /// ParameterDescription.
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    /// ParameterStatus.
    pub const PARAMETER_STATUS: u8 = b'S';
    /// ParseComplete.
    pub const PARSE_COMPLETE: u8 = b'1';
    /// PortalSuspended.
    pub const PORTAL_SUSPENDED: u8 = b's';
    /// ReadyForQuery.
    pub const READY_FOR_QUERY: u8 = b'Z';
    /// RowDescription.
    pub const ROW_DESCRIPTION: u8 = b'T';
}

/// Where a session stands, as ReadyForQuery says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    /// Outside a transaction block.
    Idle,
    /// Inside one.
    InTransaction,
    /// Inside one that failed and waits for its end.
    Failed,
}

impl TransactionStatus {
    /// The byte on the wire.
    pub fn code(self) -> u8 {
        match self {
            TransactionStatus::Idle => b'I',
            TransactionStatus::InTransaction => b'T',
            TransactionStatus::Failed => b'E',
        }
    }

    /// The status with this byte, if there is one.
    pub fn from_code(code: u8) -> Option<TransactionStatus> {
        match code {
            b'I' => Some(TransactionStatus::Idle),
            b'T' => Some(TransactionStatus::InTransaction),
            b'E' => Some(TransactionStatus::Failed),
            _ => None,
        }
    }
}

/// Writes NegotiateProtocolVersion: the minor version that we go on with, and the protocol options refused.
///
/// # Errors
/// [`Error::Nul`], [`Error::TooLong`]: not for options that were read from a start-up packet.
pub fn negotiate_protocol_version<'a>(
    out: &mut BytesMut,
    minor: u16,
    refused: impl IntoIterator<Item = &'a str>,
) -> Result<(), Error> {
    short_frame(out, tag::NEGOTIATE_PROTOCOL_VERSION, "protocol options", |out| {
        // The documentation speaks of the minor version; PostgreSQL and libpq mean the whole one.
        out.put_u32(3 << 16 | u32::from(minor.min(PROTOCOL_MINOR_MAX)));
        let count_at = out.len();
        out.put_u32(0);
        let mut count = 0;
        for option in refused {
            put_str(out, "protocol option", option)?;
            count += 1;
        }
        put_len(out, count_at, count);
        Ok(())
    })
}

/// Writes ParameterStatus: a setting's value as it is now.
///
/// # Errors
/// [`Error::Nul`], [`Error::TooLong`]: libpq gives up on the connection at 30,000 bytes.
pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) -> Result<(), Error> {
    short_frame(out, tag::PARAMETER_STATUS, "parameter", |out| {
        put_str(out, "parameter name", name)?;
        put_str(out, "parameter", value)
    })
}

/// Writes BackendKeyData.
///
/// # Errors
/// [`Error::CancelKeyLength`] unless the secret has 4 bytes, or from protocol 3.2 on, 4 to 256.
pub fn backend_key_data(out: &mut BytesMut, minor: u16, key: CancelKey<'_>) -> Result<(), Error> {
    let len = key.secret.len();
    let allowed = if minor >= 2 { crate::limits::CANCEL_SECRET_LEN } else { 4..=4 };
    if !allowed.contains(&len) {
        return Err(Error::CancelKeyLength { len });
    }
    frame(out, tag::BACKEND_KEY_DATA, |out| {
        out.put_u32(key.process_id);
        out.put_slice(key.secret);
    });
    Ok(())
}

/// Writes ReadyForQuery.
pub fn ready_for_query(out: &mut BytesMut, status: TransactionStatus) {
    out.put_slice(&[tag::READY_FOR_QUERY, 0, 0, 0, 5, status.code()]);
}

/// Writes ParameterDescription.
///
/// # Errors
/// [`Error::TooMany`] past 65,535. A description that long is above what libpq reads, see
/// [`SHORT_FRAME_LEN_MAX`](crate::limits::SHORT_FRAME_LEN_MAX), but so it is from PostgreSQL.
pub fn parameter_description(out: &mut BytesMut, types: &[Oid]) -> Result<(), Error> {
    long_frame(out, tag::PARAMETER_DESCRIPTION, "parameter types", |out| {
        put_count(out, "parameters", types.len(), PARAMETERS_MAX)?;
        types.iter().for_each(|oid| out.put_u32(oid.0));
        Ok(())
    })
}

/// Writes CommandComplete, with a tag such as `INSERT 0 1`, cut to 63 bytes.
pub fn command_complete(out: &mut BytesMut, command: impl fmt::Display) {
    frame(out, tag::COMMAND_COMPLETE, |out| {
        let mut text = Tag { out, left: COMMAND_TAG_LEN_MAX };
        // Fails only once it is full, and the cut is promised.
        let _ = fmt::write(&mut text, format_args!("{command}"));
        out.put_u8(0);
    });
}

/// Takes a command tag until it is full.
struct Tag<'a> {
    out: &'a mut BytesMut,
    left: usize,
}

impl fmt::Write for Tag<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let taken = cut(text, self.left);
        self.left -= taken.len();
        taken.split('\0').for_each(|part| self.out.put_slice(part.as_bytes()));
        if taken.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Writes NotificationResponse.
///
/// # Errors
/// [`Error::Nul`], [`Error::TooLong`].
pub fn notification_response(
    out: &mut BytesMut,
    process_id: u32,
    channel: &str,
    payload: &str,
) -> Result<(), Error> {
    long_frame(out, tag::NOTIFICATION_RESPONSE, "notification", |out| {
        out.put_u32(process_id);
        put_str(out, "channel", channel)?;
        put_str(out, "notification", payload)
    })
}

/// Writes EmptyQueryResponse.
pub fn empty_query_response(out: &mut BytesMut) {
    frame(out, tag::EMPTY_QUERY_RESPONSE, |_| {});
}

/// Writes ParseComplete.
pub fn parse_complete(out: &mut BytesMut) {
    frame(out, tag::PARSE_COMPLETE, |_| {});
}

/// Writes BindComplete.
pub fn bind_complete(out: &mut BytesMut) {
    frame(out, tag::BIND_COMPLETE, |_| {});
}

/// Writes CloseComplete.
pub fn close_complete(out: &mut BytesMut) {
    frame(out, tag::CLOSE_COMPLETE, |_| {});
}

/// Writes NoData.
pub fn no_data(out: &mut BytesMut) {
    frame(out, tag::NO_DATA, |_| {});
}

/// Writes PortalSuspended.
pub fn portal_suspended(out: &mut BytesMut) {
    frame(out, tag::PORTAL_SUSPENDED, |_| {});
}

#[cfg(test)]
mod tests;
