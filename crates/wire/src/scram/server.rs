//! The server's side: one challenge, one check, and the same course whether the user exists or not.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use subtle::{Choice, ConstantTimeEq};

use super::grammar::{ClientFirst, ClientLast, Flag, malformed};
use super::keys::{hash, hmac, xor};
use super::{Channel, Mechanism, Nonce, Verifier};
use crate::Error;

/// Ready for the client's first message.
#[derive(Debug)]
pub struct Server {
    verifier: Verifier,
    nonce: Nonce,
    channel: Channel,
}

impl Server {
    /// For an unknown user pass [`Verifier::decoy`], and let everything else go its way.
    pub fn new(verifier: Verifier, nonce: Nonce, channel: Channel) -> Server {
        Server { verifier, nonce, channel }
    }

    /// Answers the client's first message.
    ///
    /// # Errors
    /// [`Error::Scram`], [`Error::ScramUnsupported`], [`Error::ChannelBinding`].
    pub fn challenge(self, mechanism: Mechanism, message: &[u8]) -> Result<Challenge, Error> {
        let first = ClientFirst::parse(message)?;
        let mut binding = first.gs2_header.as_bytes().to_vec();
        binding.extend_from_slice(self.bound_data(mechanism, &first.flag)?);
        let nonce = format!("{}{}", first.nonce, self.nonce.0);
        let salt = BASE64_STANDARD.encode(&self.verifier.salt);
        let message = format!("r={nonce},s={salt},i={}", self.verifier.iterations);
        Ok(Challenge {
            exchange: format!("{},{message},", first.bare),
            message,
            nonce,
            binding: BASE64_STANDARD.encode(binding),
            verifier: self.verifier,
        })
    }

    /// What the client must prove to know of the channel.
    fn bound_data(&self, mechanism: Mechanism, flag: &Flag<'_>) -> Result<&[u8], Error> {
        match (mechanism, flag, &self.channel) {
            (
                Mechanism::Sha256Plus,
                Flag::Bound("tls-server-end-point"),
                Channel::TlsServerEndPoint(hash),
            ) => Ok(hash),
            (Mechanism::Sha256Plus, Flag::Bound(_), Channel::TlsServerEndPoint(_)) => {
                Err(Error::ScramUnsupported { what: "the channel binding type" })
            }
            (Mechanism::Sha256Plus, _, Channel::Unbound) => {
                Err(Error::ScramUnsupported { what: "channel binding on this connection" })
            }
            (Mechanism::Sha256Plus, Flag::Unsupported | Flag::NotOffered, Channel::TlsServerEndPoint(_)) => {
                Err(malformed("no channel binding data for SCRAM-SHA-256-PLUS"))
            }
            (Mechanism::Sha256, Flag::Bound(_), _) => {
                Err(malformed("channel binding data for SCRAM-SHA-256"))
            }
            // We did offer it, so somebody in between took it off the list.
            (Mechanism::Sha256, Flag::NotOffered, Channel::TlsServerEndPoint(_)) => {
                Err(Error::ChannelBinding { what: "the client believes that the server does not offer it" })
            }
            (Mechanism::Sha256, Flag::NotOffered, Channel::Unbound)
            | (Mechanism::Sha256, Flag::Unsupported, _) => Ok(&[]),
        }
    }
}

/// Waits for the proof.
pub struct Challenge {
    message: String,
    /// All messages so far, as both sides sign them.
    exchange: String,
    nonce: String,
    binding: String,
    verifier: Verifier,
}

impl Challenge {
    /// The server's first message: AuthenticationSASLContinue.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Checks the client's last message.
    ///
    /// The same work is done for a right proof, a wrong one and a decoy; comparisons take constant time.
    ///
    /// # Errors
    /// [`Error::AuthenticationFailed`]; [`Error::Scram`], [`Error::ChannelBinding`].
    pub fn finish(self, message: &[u8]) -> Result<Accepted, Error> {
        let last = ClientLast::parse(message)?;
        if last.nonce != self.nonce {
            return Err(malformed("nonce does not match"));
        }
        if last.binding != self.binding {
            return Err(Error::ChannelBinding { what: "the data does not match" });
        }
        let signed = [self.exchange.as_bytes(), last.without_proof.as_bytes()];
        let client_key = xor(&last.proof, &hmac(&self.verifier.stored, &signed));
        let signature = hmac(&self.verifier.server, &signed);
        let message = format!("v={}", BASE64_STANDARD.encode(signature));
        let proven =
            hash(&client_key).ct_eq(&self.verifier.stored) & !Choice::from(u8::from(self.verifier.decoy));
        if bool::from(proven) {
            Ok(Accepted { message, client_key })
        } else {
            Err(Error::AuthenticationFailed)
        }
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenge(..)")
    }
}

/// The client has proven that it knows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Accepted {
    message: String,
    client_key: [u8; 32],
}

impl Accepted {
    /// The server's last message: AuthenticationSASLFinal, to be followed by AuthenticationOk.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The client's key, for [`Keys::from_parts`](super::Keys::from_parts). As secret as the password.
    pub fn client_key(&self) -> [u8; 32] {
        self.client_key
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accepted(..)")
    }
}
