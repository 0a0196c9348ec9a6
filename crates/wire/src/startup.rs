//! The packets before the first message: a length, a code, no tag.
//!
//! A client may send SSLRequest and GSSENCRequest, each answered by one byte, and then either asks to cancel
//! a request of another session or starts its own.

mod encode;
mod options;
mod parameters;

use crate::Error;
use crate::limits::{CANCEL_SECRET_LEN, PROTOCOL_MINOR_MAX, STARTUP_LEN_MAX};
use crate::read::Reader;
pub use encode::{cancel, gss_encryption, ssl, start};
pub use options::{Setting, settings};
pub use parameters::Parameters;

const CANCEL_CODE: u32 = 80_877_102;
const SSL_CODE: u32 = 80_877_103;
const GSS_CODE: u32 = 80_877_104;
/// Length word and code.
const PACKET_HEADER_LEN: usize = 8;
/// The only major version.
const MAJOR: u16 = 3;

/// The answer to SSLRequest that makes the client start TLS. One byte, no frame.
pub const ACCEPT_SSL: u8 = b'S';
/// The answer to SSLRequest and GSSENCRequest that leaves the connection as it is. One byte, no frame.
pub const REFUSE: u8 = b'N';

/// Whether a connection's first byte begins a TLS handshake: a client that starts TLS without SSLRequest
/// (`sslnegotiation=direct`). It must then have asked for the ALPN protocol `postgresql`.
pub fn is_tls_handshake(first: u8) -> bool {
    first == 0x16
}

/// A packet of a connection that has not started its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Startup<'a> {
    /// Asks for TLS: answer [`ACCEPT_SSL`] or [`REFUSE`].
    ///
    /// What follows in the same read must be thrown out with the connection when TLS is accepted: it came
    /// in clear and would be taken for protected.
    Ssl,
    /// Asks for GSSAPI encryption: answer [`REFUSE`].
    GssEncryption,
    /// Asks to cancel what another session is running. Never answered; close the connection.
    Cancel(CancelKey<'a>),
    /// Starts a session.
    Start(Start<'a>),
}

/// What proves the right to cancel a session's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelKey<'a> {
    /// The number given in BackendKeyData.
    pub process_id: u32,
    /// The secret given there: 4 bytes in protocol 3.0, 4 to 256 from 3.2 on.
    pub secret: &'a [u8],
}

/// A session's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start<'a> {
    /// Minor version of protocol 3 that the client asks for; may be newer than ours.
    pub minor: u16,
    /// User, database, settings and protocol options.
    pub parameters: Parameters<'a>,
}

impl<'a> Startup<'a> {
    /// The packet at the start of `input` and the bytes after it; `None` while it is not all there.
    ///
    /// # Errors
    /// All fatal: [`Error::StartupLength`] as soon as the length is there, [`Error::UnsupportedProtocol`],
    /// [`Error::StartupLayout`], [`Error::CancelKeyLength`], [`Error::NotUtf8`].
    pub fn split(input: &'a [u8]) -> Result<Option<(Startup<'a>, &'a [u8])>, Error> {
        let Some(word) = input.first_chunk() else { return Ok(None) };
        let word = u32::from_be_bytes(*word);
        let len = word as usize;
        if !(PACKET_HEADER_LEN..=STARTUP_LEN_MAX).contains(&len) {
            return Err(Error::StartupLength { len: word });
        }
        let Some((packet, rest)) = input.split_at_checked(len) else { return Ok(None) };
        Ok(Some((Startup::decode(&packet[4..])?, rest)))
    }

    /// The packet whose bytes after the length word are `body`.
    fn decode(body: &'a [u8]) -> Result<Startup<'a>, Error> {
        let mut reader = Reader::new("startup", body);
        match reader.u32()? {
            CANCEL_CODE => CancelKey::read("CancelRequest", reader.rest()).map(Startup::Cancel),
            SSL_CODE => reader.finish().map(|()| Startup::Ssl),
            GSS_CODE => reader.finish().map(|()| Startup::GssEncryption),
            version => Start::read(version, reader).map(Startup::Start),
        }
    }
}

impl<'a> CancelKey<'a> {
    /// The key as CancelRequest and BackendKeyData have it.
    pub(crate) fn read(message: &'static str, body: &'a [u8]) -> Result<CancelKey<'a>, Error> {
        let mut reader = Reader::new(message, body);
        let process_id = reader.u32()?;
        let secret = reader.rest();
        if !CANCEL_SECRET_LEN.contains(&secret.len()) {
            return Err(Error::CancelKeyLength { len: secret.len() });
        }
        Ok(CancelKey { process_id, secret })
    }
}

impl<'a> Start<'a> {
    fn read(version: u32, mut reader: Reader<'a>) -> Result<Start<'a>, Error> {
        let [major, minor] = [(version >> 16) as u16, version as u16];
        if major != MAJOR {
            return Err(Error::UnsupportedProtocol { major, minor });
        }
        Ok(Start { minor, parameters: Parameters::parse(reader.rest())? })
    }

    /// The user.
    ///
    /// # Errors
    /// [`Error::NoUser`] when it is missing or empty.
    pub fn user(&self) -> Result<&'a str, Error> {
        self.parameters.get("user").filter(|user| !user.is_empty()).ok_or(Error::NoUser)
    }

    /// The database; by default the one named like the user.
    ///
    /// # Errors
    /// [`Error::NoUser`] when neither is there.
    pub fn database(&self) -> Result<&'a str, Error> {
        match self.parameters.get("database").filter(|database| !database.is_empty()) {
            Some(database) => Ok(database),
            None => self.user(),
        }
    }

    /// Minor version that both sides speak.
    pub fn minor_agreed(&self) -> u16 {
        self.minor.min(PROTOCOL_MINOR_MAX)
    }

    /// Protocol options that the client asks for. We know none, so all of them are refused by name.
    pub fn protocol_options(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.parameters.iter().map(|(name, _)| name).filter(|name| name.starts_with("_pq_."))
    }

    /// Whether NegotiateProtocolVersion must be sent: the client asks for more than we have.
    pub fn must_negotiate(&self) -> bool {
        self.minor > PROTOCOL_MINOR_MAX || self.protocol_options().next().is_some()
    }
}

#[cfg(test)]
mod tests;
