//! The keys that come from a password, and the functions of RFC 5802 section 2.2.

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::KEY_LEN;

pub(super) type Key = [u8; KEY_LEN];

/// What proves a password without being it. Who has it can log in wherever the same salt is used:
/// as secret as the password itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    pub(super) client: Key,
    pub(super) server: Key,
}

impl Keys {
    /// Derives the keys from a password, prepared as RFC 4013 asks if it can be.
    ///
    /// Costs CPU time in proportion to `iterations`, about 2 ms for 4096: not for an async worker.
    pub fn derive(password: &str, salt: &[u8], iterations: u32) -> Keys {
        let salted = salted_password(prepared(password).as_bytes(), salt, iterations);
        Keys { client: hmac(&salted, &[b"Client Key"]), server: hmac(&salted, &[b"Server Key"]) }
    }

    /// Keys as bytes: the client's, from [`Accepted`](super::Accepted), and the server's, from a verifier.
    ///
    /// With them a proxy logs in to a server that has the same verifier.
    pub fn from_parts(client: [u8; 32], server: [u8; 32]) -> Keys {
        Keys { client, server }
    }

    pub(super) fn stored(&self) -> Key {
        hash(&self.client)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// [`Keys`] and what they were derived with: what a client keeps from one login to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaltedKeys {
    /// The salt, raw.
    pub salt: Vec<u8>,
    /// The iterations.
    pub iterations: u32,
    /// The keys.
    pub keys: Keys,
}

/// The password after SASLprep; as it is where that is not possible, which is what PostgreSQL does.
fn prepared(password: &str) -> Cow<'_, str> {
    stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password))
}

/// `Hi` of RFC 5802: PBKDF2 with HMAC-SHA-256 and one block of output.
pub(super) fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> Key {
    let mac = mac(password);
    let mut block: Key =
        mac.clone().chain_update(salt).chain_update(1u32.to_be_bytes()).finalize().into_bytes().into();
    let mut sum = block;
    for _ in 1..iterations {
        block = mac.clone().chain_update(block).finalize().into_bytes().into();
        sum = xor(&sum, &block);
    }
    sum
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("BUG: HMAC takes keys of any length")
}

pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut mac = mac(key);
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

pub(super) fn hash(data: &[u8]) -> Key {
    Sha256::digest(data).into()
}

pub(super) fn xor(left: &Key, right: &Key) -> Key {
    std::array::from_fn(|i| left[i] ^ right[i])
}
