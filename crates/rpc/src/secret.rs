//! The fleet's shared secret: whoever knows it is a process of this fleet.

use std::{fmt, path::Path, str::FromStr};

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// 32 random bytes, written as 64 hexadecimal digits. Never printed.
#[derive(Clone)]
pub struct Secret([u8; 32]);

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read.
    #[error("cannot read the fleet secret from {path}")]
    Read {
        /// Which file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The text is no secret.
    #[error("the fleet secret must be 64 hexadecimal digits; `stationmaster secret new FILE` makes one")]
    Malformed,
}

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// [`SecretError`] when the file cannot be read or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SecretError::Read { path: path.display().to_string(), source })?;
        text.trim().parse()
    }

    /// Its text form, for writing it to a file.
    pub fn reveal(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A password derived from it, for the PostgreSQL port of servers, where the proof is SCRAM.
    pub fn data_port_password(&self) -> String {
        let mac = self.mac(&[b"data port"]);
        mac.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A key derived from it for logins of users that do not exist: the same on every process of the fleet.
    pub fn decoy_key(&self) -> [u8; 32] {
        self.mac(&[b"login decoy"])
    }

    /// HMAC-SHA-256 over the parts, each preceded by its length.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.hmac(parts).finalize().into_bytes().into()
    }

    /// Compares in constant time.
    pub(crate) fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.hmac(parts).verify_slice(mac).is_ok()
    }

    fn hmac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&self.0).expect("BUG: HMAC takes keys of any length");
        for part in parts {
            hmac.update(&(part.len() as u64).to_be_bytes());
            hmac.update(part);
        }
        hmac
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(SecretError::Malformed);
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| SecretError::Malformed)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_and_hides_itself() {
        let secret = Secret::new([0xab; 32]);
        let again: Secret = secret.reveal().parse().expect("its own text");
        assert_eq!(again.reveal(), secret.reveal());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert!("abc".parse::<Secret>().is_err());
        assert!("é".repeat(32).parse::<Secret>().is_err());
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let secret = Secret::new([1; 32]);
        assert_ne!(secret.mac(&[b"ab", b"c"]), secret.mac(&[b"a", b"bc"]));
    }
}
