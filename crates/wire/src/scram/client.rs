//! The client's side: proves the password, and lets no server pass that does not know its verifier.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;

use super::grammar::{ServerFirst, key, malformed, text};
use super::keys::{Key, hmac, xor};
use super::{Channel, Keys, Mechanism, Nonce, SaltedKeys};
use crate::Error;

/// What the client has to prove.
#[derive(Clone)]
pub enum Secret {
    /// The password, and keys from an earlier login: used as long as the server keeps salt and iterations.
    Password {
        /// As the user types it.
        password: String,
        /// From [`ClientFinal::verify`].
        cached: Option<SaltedKeys>,
    },
    /// Keys without a password, for whatever salt the server has.
    Keys(Keys),
}

impl Secret {
    /// A password without earlier keys.
    pub fn password(password: &str) -> Secret {
        Secret::Password { password: password.to_owned(), cached: None }
    }

    fn keys(self, salt: &[u8], iterations: u32) -> Keys {
        match self {
            Secret::Keys(keys) => keys,
            Secret::Password { password, cached } => cached
                .filter(|cached| cached.salt == salt && cached.iterations == iterations)
                .map(|cached| cached.keys)
                .unwrap_or_else(|| Keys::derive(&password, salt, iterations)),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Has a first message to send.
#[derive(Debug)]
pub struct Client {
    secret: Secret,
    nonce: Nonce,
    gs2_header: &'static str,
    bound: Vec<u8>,
    bare: String,
}

impl Client {
    /// `mechanism` is what [`Channel::choose`] took on this channel.
    pub fn new(secret: Secret, nonce: Nonce, mechanism: Mechanism, channel: Channel) -> Client {
        Client::with_user("", secret, nonce, mechanism, channel)
    }

    /// With a user name in the first message. PostgreSQL ignores it: its start-up packet has the name.
    pub fn with_user(
        user: &str,
        secret: Secret,
        nonce: Nonce,
        mechanism: Mechanism,
        channel: Channel,
    ) -> Client {
        let (gs2_header, bound) = match (mechanism, channel) {
            (Mechanism::Sha256Plus, Channel::TlsServerEndPoint(hash)) => ("p=tls-server-end-point,,", hash),
            (Mechanism::Sha256, Channel::TlsServerEndPoint(_)) => ("y,,", Vec::new()),
            (Mechanism::Sha256 | Mechanism::Sha256Plus, Channel::Unbound) => ("n,,", Vec::new()),
        };
        let bare = format!("n={},r={}", user.replace('=', "=3D").replace(',', "=2C"), nonce.0);
        Client { secret, nonce, gs2_header, bound, bare }
    }

    /// The client's first message: SASLInitialResponse.
    pub fn message(&self) -> String {
        format!("{}{}", self.gs2_header, self.bare)
    }

    /// Answers the server's first message. May cost CPU time, see [`Keys::derive`].
    ///
    /// # Errors
    /// [`Error::Scram`]: also for a nonce that does not extend ours and for iterations out of bounds.
    pub fn answer(self, message: &[u8]) -> Result<ClientFinal, Error> {
        let challenge = text(message)?;
        let first = ServerFirst::parse(challenge)?;
        if first.nonce.strip_prefix(&self.nonce.0).is_none_or(str::is_empty) {
            return Err(malformed("the server's nonce does not extend the client's"));
        }
        let binding = BASE64_STANDARD.encode([self.gs2_header.as_bytes(), &self.bound].concat());
        let without_proof = format!("c={binding},r={}", first.nonce);
        let signed = format!("{},{challenge},{without_proof}", self.bare);
        let keys = self.secret.keys(&first.salt, first.iterations);
        let proof = xor(&keys.client, &hmac(&keys.stored(), &[signed.as_bytes()]));
        Ok(ClientFinal {
            message: format!("{without_proof},p={}", BASE64_STANDARD.encode(proof)),
            signature: hmac(&keys.server, &[signed.as_bytes()]),
            keys: SaltedKeys { salt: first.salt, iterations: first.iterations, keys },
        })
    }
}

/// Has a last message to send and waits for the server's proof.
pub struct ClientFinal {
    message: String,
    signature: Key,
    keys: SaltedKeys,
}

impl ClientFinal {
    /// The client's last message: SASLResponse.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Checks the server's last message and hands out the keys, to be cached for the next login.
    ///
    /// # Errors
    /// [`Error::ServerNotProven`], [`Error::AuthenticationFailed`] when the server says so, [`Error::Scram`].
    pub fn verify(self, message: &[u8]) -> Result<SaltedKeys, Error> {
        let message = text(message)?;
        if message.starts_with("e=") {
            return Err(Error::AuthenticationFailed);
        }
        let signature = super::grammar::attribute(&mut &*message, "v", "no signature")?;
        let signature = key(signature, "invalid signature")?;
        if !bool::from(signature.ct_eq(&self.signature)) {
            return Err(Error::ServerNotProven { what: "its signature does not match" });
        }
        Ok(self.keys)
    }
}

impl fmt::Debug for ClientFinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientFinal(..)")
    }
}
