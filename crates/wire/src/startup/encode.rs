//! Start-up packets as a client writes them.

use bytes::{BufMut, BytesMut};

use super::{CANCEL_CODE, CancelKey, GSS_CODE, MAJOR, PACKET_HEADER_LEN, SSL_CODE};
use crate::Error;
use crate::limits::{CANCEL_SECRET_LEN, STARTUP_LEN_MAX};
use crate::write::{put_len, put_str};

/// SSLRequest.
pub fn ssl(out: &mut BytesMut) {
    out.put_u32(8);
    out.put_u32(SSL_CODE);
}

/// GSSENCRequest.
pub fn gss_encryption(out: &mut BytesMut) {
    out.put_u32(8);
    out.put_u32(GSS_CODE);
}

/// CancelRequest.
///
/// # Errors
/// [`Error::CancelKeyLength`] for a secret outside 4 to 256 bytes.
pub fn cancel(out: &mut BytesMut, key: CancelKey<'_>) -> Result<(), Error> {
    let len = key.secret.len();
    if !CANCEL_SECRET_LEN.contains(&len) {
        return Err(Error::CancelKeyLength { len });
    }
    out.put_u32((PACKET_HEADER_LEN + 4 + len) as u32);
    out.put_u32(CANCEL_CODE);
    out.put_u32(key.process_id);
    out.put_slice(key.secret);
    Ok(())
}

/// StartupMessage of protocol 3.`minor`, with `user` among the parameters.
///
/// # Errors
/// [`Error::Nul`], [`Error::TooLong`] past [`STARTUP_LEN_MAX`], [`Error::StartupLayout`] for an empty name;
/// `out` is then as before.
pub fn start<'a>(
    out: &mut BytesMut,
    minor: u16,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), Error> {
    let begin = out.len();
    out.put_u32(0);
    out.put_u16(MAJOR);
    out.put_u16(minor);
    let written = pairs(out, begin, parameters);
    if written.is_err() {
        out.truncate(begin);
    }
    written
}

fn pairs<'a>(
    out: &mut BytesMut,
    begin: usize,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), Error> {
    for (name, value) in parameters {
        if name.is_empty() {
            return Err(Error::StartupLayout);
        }
        put_str(out, "startup parameter name", name)?;
        put_str(out, "startup parameter", value)?;
    }
    out.put_u8(0);
    let len = out.len() - begin;
    if len > STARTUP_LEN_MAX {
        return Err(Error::TooLong { what: "startup packet", len, max: STARTUP_LEN_MAX });
    }
    put_len(out, begin, len);
    Ok(())
}
