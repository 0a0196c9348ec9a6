//! The messages with which a server asks for a proof and accepts it.

use bytes::{BufMut, BytesMut};

use super::tag;
use crate::Error;
use crate::read::Reader;
use crate::write::{frame, long_frame};

const OK: u32 = 0;
const CLEARTEXT_PASSWORD: u32 = 3;
const MD5_PASSWORD: u32 = 5;
const SASL: u32 = 10;
const SASL_CONTINUE: u32 = 11;
const SASL_FINAL: u32 = 12;

/// One authentication message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// Accepted.
    Ok,
    /// Asks for the password as it is.
    CleartextPassword,
    /// Asks for the password hashed with MD5.
    Md5Password {
        /// To be hashed with it.
        salt: [u8; 4],
    },
    /// Asks for SASL with one of the mechanisms.
    Sasl(Mechanisms<'a>),
    /// The mechanism's next message.
    SaslContinue(&'a [u8]),
    /// The mechanism's last message.
    SaslFinal(&'a [u8]),
    /// A way we do not speak (Kerberos, GSSAPI, SSPI …), with its code.
    Other(u32),
}

impl<'a> Authentication<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Self, Error> {
        let message = match reader.u32()? {
            OK => Authentication::Ok,
            CLEARTEXT_PASSWORD => Authentication::CleartextPassword,
            MD5_PASSWORD => Authentication::Md5Password { salt: reader.u32()?.to_be_bytes() },
            SASL => Authentication::Sasl(Mechanisms::read(&mut reader)?),
            SASL_CONTINUE => Authentication::SaslContinue(reader.rest()),
            SASL_FINAL => Authentication::SaslFinal(reader.rest()),
            code => {
                reader.rest();
                Authentication::Other(code)
            }
        };
        reader.finish().map(|()| message)
    }
}

/// Names of SASL mechanisms, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mechanisms<'a>(&'a [u8]);

impl<'a> Mechanisms<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let mut ahead = reader.clone();
        while !ahead.str()?.is_empty() {}
        reader.bytes(reader.remaining() - ahead.remaining()).map(Mechanisms)
    }

    /// In the order sent.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let mut reader = Reader::new("AuthenticationSASL", self.0);
        std::iter::from_fn(move || {
            let name = reader.str().expect("BUG: names are checked before");
            (!name.is_empty()).then_some(name)
        })
        .fuse()
    }
}

/// Writes AuthenticationOk.
pub fn ok(out: &mut BytesMut) {
    frame(out, tag::AUTHENTICATION, |out| out.put_u32(OK));
}

/// Writes AuthenticationCleartextPassword.
pub fn cleartext_password(out: &mut BytesMut) {
    frame(out, tag::AUTHENTICATION, |out| out.put_u32(CLEARTEXT_PASSWORD));
}

/// Writes AuthenticationMD5Password.
pub fn md5_password(out: &mut BytesMut, salt: [u8; 4]) {
    frame(out, tag::AUTHENTICATION, |out| {
        out.put_u32(MD5_PASSWORD);
        out.put_slice(&salt);
    });
}

/// Writes AuthenticationSASL.
///
/// # Errors
/// [`Error::Nul`], [`Error::MissingField`] for an empty name.
pub fn sasl<'a>(out: &mut BytesMut, mechanisms: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
    long_frame(out, tag::AUTHENTICATION, "mechanisms", |out| {
        out.put_u32(SASL);
        for mechanism in mechanisms {
            if mechanism.is_empty() {
                return Err(Error::MissingField { message: "AuthenticationSASL", field: "mechanism" });
            }
            crate::write::put_str(out, "mechanism", mechanism)?;
        }
        out.put_u8(0);
        Ok(())
    })
}

/// Writes AuthenticationSASLContinue.
///
/// # Errors
/// [`Error::TooLong`].
pub fn sasl_continue(out: &mut BytesMut, data: &[u8]) -> Result<(), Error> {
    sasl_data(out, SASL_CONTINUE, data)
}

/// Writes AuthenticationSASLFinal.
///
/// # Errors
/// [`Error::TooLong`].
pub fn sasl_final(out: &mut BytesMut, data: &[u8]) -> Result<(), Error> {
    sasl_data(out, SASL_FINAL, data)
}

fn sasl_data(out: &mut BytesMut, code: u32, data: &[u8]) -> Result<(), Error> {
    long_frame(out, tag::AUTHENTICATION, "SASL message", |out| {
        out.put_u32(code);
        out.put_slice(data);
        Ok(())
    })
}
