//! Bodies of the one tag that clients use for every step of authentication.
//!
//! Which of them a body is depends on what the server asked for.

use bytes::{BufMut, BytesMut};

use super::tag;
use crate::Error;
use crate::read::Reader;
use crate::write::{long_frame, put_str, put_value};

/// A client's choice of mechanism and, where the mechanism lets the client begin, its first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitialResponse<'a> {
    /// Name of the mechanism.
    pub mechanism: &'a str,
    /// The mechanism's first message.
    pub data: Option<&'a [u8]>,
}

impl<'a> InitialResponse<'a> {
    /// Decodes SASLInitialResponse.
    ///
    /// # Errors
    /// Any error of a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("SASLInitialResponse", body);
        let (mechanism, data) = (reader.str()?, reader.value()?);
        reader.finish().map(|()| InitialResponse { mechanism, data })
    }
}

/// Decodes PasswordMessage.
///
/// # Errors
/// Any error of a body.
pub fn password(body: &[u8]) -> Result<&str, Error> {
    let mut reader = Reader::new("PasswordMessage", body);
    let password = reader.str()?;
    reader.finish().map(|()| password)
}

/// Writes SASLInitialResponse.
///
/// # Errors
/// [`Error::Nul`], [`Error::TooLong`]; `out` is then as before.
pub fn initial_response(out: &mut BytesMut, mechanism: &str, data: Option<&[u8]>) -> Result<(), Error> {
    long_frame(out, tag::AUTHENTICATION, "SASL message", |out| {
        put_str(out, "mechanism", mechanism)?;
        put_value(out, "SASL message", data)
    })
}

/// Writes SASLResponse, whose whole body is the mechanism's message.
///
/// # Errors
/// [`Error::TooLong`]; `out` is then as before.
pub fn response(out: &mut BytesMut, data: &[u8]) -> Result<(), Error> {
    long_frame(out, tag::AUTHENTICATION, "SASL message", |out| {
        out.put_slice(data);
        Ok(())
    })
}
