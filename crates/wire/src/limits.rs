//! Every bound this crate enforces, in one place.

/// Longest start-up packet, in bytes, its own length included. PostgreSQL's `MAX_STARTUP_PACKET_LENGTH`.
pub const STARTUP_LEN_MAX: usize = 10_000;

/// Longest frame accepted from a peer that has not authenticated yet, in bytes.
///
/// What an unknown peer can make us hold is this much per connection. A SASL response needs less than 1 KB.
pub const BEFORE_AUTH_LEN_MAX: usize = 10 * 1024;

/// Longest frame in either direction, in bytes: PostgreSQL's own limit of 1 GiB less one byte.
pub const FRAME_LEN_MAX: usize = 0x3fff_ffff;

/// Longest frame of the kinds that libpq takes for a lost synchronisation when they reach 30,000 bytes:
/// everything but row descriptions, rows, copy data, errors and notices. In bytes.
pub const SHORT_FRAME_LEN_MAX: usize = 29_999;

/// Longest single text in an error or a notice, in bytes; what is longer is cut at a character boundary.
pub const FIELD_LEN_MAX: usize = 1024 * 1024;

/// Longest command tag, in bytes; libpq keeps 64 bytes of it.
pub const COMMAND_TAG_LEN_MAX: usize = 63;

/// Most columns in a row. The count is a signed 16-bit number to most drivers.
pub const COLUMNS_MAX: usize = 0x7fff;

/// Most parameters of a statement: the count is an unsigned 16-bit number.
pub const PARAMETERS_MAX: usize = 0xffff;

/// Shortest and longest secret in a cancel key, in bytes, from protocol 3.2 on. Protocol 3.0 always has 4.
pub const CANCEL_SECRET_LEN: std::ops::RangeInclusive<usize> = 4..=256;

/// The newest minor version of protocol 3 that we speak.
pub const PROTOCOL_MINOR_MAX: u16 = 2;

const _: () = assert!(BEFORE_AUTH_LEN_MAX >= STARTUP_LEN_MAX);
const _: () = assert!(SHORT_FRAME_LEN_MAX < FRAME_LEN_MAX);
const _: () = assert!(FRAME_LEN_MAX <= i32::MAX as usize);
// An error has at most 18 fields, so no error can outgrow a frame.
const _: () = assert!(18 * (FIELD_LEN_MAX + 2) < FRAME_LEN_MAX);

/// How long a frame may be, for [`Header::peek`](crate::Header::peek). Units: bytes of the whole frame, tag included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From a peer that has not authenticated yet.
    pub before_auth: usize,
    /// From then on.
    pub after_auth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { before_auth: BEFORE_AUTH_LEN_MAX, after_auth: FRAME_LEN_MAX }
    }
}
