//! SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL speaks it, from both sides.
//!
//! A server needs a [`Verifier`] only, which does not give the password away.
//! A client needs the password, or [`Keys`] from an earlier login: the costly derivation is done once.
//! Nonces and salts are arguments, so that a run can be repeated.
//!
//! Messages here are SASL payloads; [`backend::authentication`](crate::backend::authentication) and
//! [`frontend::sasl`](crate::frontend::sasl) put them into frames.

mod client;
mod grammar;
mod keys;
mod server;
mod signature;
mod verifier;

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rand::RngCore;

use crate::Error;
pub use client::{Client, ClientFinal, Secret};
pub use keys::{Keys, SaltedKeys};
pub use server::{Accepted, Challenge, Server};
pub use signature::sign;
pub use verifier::Verifier;

/// Iterations of a new verifier, and of a decoy: PostgreSQL's default.
pub const ITERATIONS: u32 = 4096;

/// Most iterations that we store, or let a server make us compute: about half a second of CPU.
pub const ITERATIONS_MAX: u32 = 1_000_000;

/// Bytes of a new salt: PostgreSQL's default.
pub const SALT_LEN: usize = 16;

/// Longest salt in a verifier, in bytes.
pub const SALT_LEN_MAX: usize = 64;

const KEY_LEN: usize = 32;

/// One of the two mechanisms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// Without channel binding.
    Sha256,
    /// Bound to the TLS channel, so that nobody in between can relay the exchange.
    Sha256Plus,
}

impl Mechanism {
    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Mechanism::Sha256 => "SCRAM-SHA-256",
            Mechanism::Sha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }

    /// The mechanism with this name.
    ///
    /// # Errors
    /// [`Error::ScramUnsupported`].
    pub fn parse(name: &str) -> Result<Mechanism, Error> {
        [Mechanism::Sha256, Mechanism::Sha256Plus]
            .into_iter()
            .find(|mechanism| mechanism.as_str() == name)
            .ok_or(Error::ScramUnsupported { what: "the selected SASL mechanism" })
    }
}

/// What lies under the exchange.
#[derive(Clone, PartialEq, Eq)]
pub enum Channel {
    /// Nothing to bind to: no TLS, or TLS whose certificate is not known here.
    Unbound,
    /// TLS; the hash of the server's certificate as RFC 5929 section 4.1 has it.
    TlsServerEndPoint(Vec<u8>),
}

impl Channel {
    /// What a server offers on this channel, best first.
    pub fn offered(&self) -> &'static [Mechanism] {
        match self {
            Channel::Unbound => &[Mechanism::Sha256],
            Channel::TlsServerEndPoint(_) => &[Mechanism::Sha256Plus, Mechanism::Sha256],
        }
    }

    /// What a client takes of the mechanisms offered to it on this channel.
    ///
    /// # Errors
    /// [`Error::ScramUnsupported`] when none of ours is there.
    pub fn choose<'a>(&self, offered: impl Iterator<Item = &'a str> + Clone) -> Result<Mechanism, Error> {
        self.offered()
            .iter()
            .copied()
            .find(|ours| offered.clone().any(|name| name == ours.as_str()))
            .ok_or(Error::ScramUnsupported { what: "every SASL mechanism offered" })
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Channel::Unbound => "Unbound",
            Channel::TlsServerEndPoint(_) => "TlsServerEndPoint(..)",
        })
    }
}

/// One side's random text, used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// 18 random bytes in base64, as PostgreSQL makes them. `random` must be fit for cryptography.
    pub fn random(random: &mut impl RngCore) -> Nonce {
        let mut bytes = [0; 18];
        random.fill_bytes(&mut bytes);
        Nonce(BASE64_STANDARD.encode(bytes))
    }

    /// This text.
    ///
    /// # Errors
    /// [`Error::Scram`] unless it is printable ASCII without a comma, and not empty.
    pub fn new(text: &str) -> Result<Nonce, Error> {
        grammar::check_nonce(text).map(|nonce| Nonce(nonce.to_owned()))
    }
}

#[cfg(test)]
mod tests;
