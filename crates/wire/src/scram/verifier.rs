//! What a server stores instead of a password, in the text form of PostgreSQL's `pg_authid`.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rand::RngCore;

use super::keys::{Key, hmac};
use super::{ITERATIONS, ITERATIONS_MAX, KEY_LEN, Keys, SALT_LEN, SALT_LEN_MAX};
use crate::Error;

/// Salt, iterations, StoredKey and ServerKey. Who has it can guess passwords offline and pose as the server,
/// but cannot log in. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub(super) iterations: u32,
    pub(super) salt: Vec<u8>,
    pub(super) stored: Key,
    pub(super) server: Key,
    /// Belongs to nobody: no proof is accepted, even one that would fit.
    pub(super) decoy: bool,
}

impl Verifier {
    /// The verifier of a password. Costs CPU time, see [`Keys::derive`].
    ///
    /// # Errors
    /// [`Error::BadVerifier`] for a salt or iterations out of bounds.
    pub fn new(password: &str, salt: &[u8], iterations: u32) -> Result<Verifier, Error> {
        check_bounds(salt, iterations)?;
        let keys = Keys::derive(password, salt, iterations);
        let (stored, server) = (keys.stored(), keys.server);
        Ok(Verifier { iterations, salt: salt.to_vec(), stored, server, decoy: false })
    }

    /// The verifier of a password with a random salt and the default iterations.
    /// `random` must be fit for cryptography. Costs CPU time, see [`Keys::derive`].
    pub fn random(password: &str, random: &mut impl RngCore) -> Verifier {
        let mut salt = [0; SALT_LEN];
        random.fill_bytes(&mut salt);
        Verifier::new(password, &salt, ITERATIONS).expect("BUG: our own salt and iterations are in bounds")
    }

    /// A verifier for a user that does not exist, so that nobody can find out by the course of a login.
    ///
    /// The same user and secret give the same salt. All servers of a fleet must share the secret, which must
    /// not change, or the salts tell. Iterations are the default: real verifiers with others stand out.
    pub fn decoy(user: &str, secret: &[u8; 32]) -> Verifier {
        let part = |label: &[u8]| hmac(secret, &[label, user.as_bytes()]);
        let salt = part(b"decoy salt:")[..SALT_LEN].to_vec();
        let (stored, server) = (part(b"decoy stored:"), part(b"decoy server:"));
        Verifier { iterations: ITERATIONS, salt, stored, server, decoy: true }
    }

    /// ServerKey, for [`Keys::from_parts`].
    pub fn server_key(&self) -> [u8; 32] {
        self.server
    }
}

fn bad(what: &'static str) -> Error {
    Error::BadVerifier { what }
}

fn check_bounds(salt: &[u8], iterations: u32) -> Result<(), Error> {
    if !(1..=SALT_LEN_MAX).contains(&salt.len()) {
        return Err(bad("salt must have 1 to 64 bytes"));
    }
    if !(1..=ITERATIONS_MAX).contains(&iterations) {
        return Err(bad("iterations must be 1 to 1,000,000"));
    }
    Ok(())
}

impl FromStr for Verifier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Verifier, Error> {
        let rest = text.strip_prefix("SCRAM-SHA-256$").ok_or(bad("it must begin with SCRAM-SHA-256$"))?;
        let (salting, keys) = rest.split_once('$').ok_or(bad("keys are missing"))?;
        let (iterations, salt) = salting.split_once(':').ok_or(bad("salt is missing"))?;
        let (stored, server) = keys.split_once(':').ok_or(bad("server key is missing"))?;
        let iterations = iterations.parse().map_err(|_| bad("iterations are not a number"))?;
        let salt = decode(salt, "salt is not base64")?;
        check_bounds(&salt, iterations)?;
        let stored = key(stored, "stored key is not 32 bytes of base64")?;
        let server = key(server, "server key is not 32 bytes of base64")?;
        Ok(Verifier { iterations, salt, stored, server, decoy: false })
    }
}

fn decode(text: &str, what: &'static str) -> Result<Vec<u8>, Error> {
    BASE64_STANDARD.decode(text).map_err(|_| bad(what))
}

fn key(text: &str, what: &'static str) -> Result<[u8; KEY_LEN], Error> {
    decode(text, what)?.try_into().map_err(|_| bad(what))
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        let (salt, stored, server) = (encode(&self.salt), encode(&self.stored), encode(&self.server));
        write!(f, "SCRAM-SHA-256${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}
