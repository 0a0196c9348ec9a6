//! A client's word on a message of its own, checked by whoever has the verifier.
//!
//! It is the proof of a SCRAM exchange with another message in the exchange's place, so the password does not travel.
//! As with any such proof, who has both it and the verifier knows the client's key, and could speak for the client.
//! It can be shown again, so the message must be one that does no harm twice. No message may begin like an exchange
//! does, with `n=`.

use subtle::ConstantTimeEq;

use super::{
    Keys, Verifier,
    keys::{hash, hmac, xor},
};

impl Keys {
    /// The proof that these keys' owner says this.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        sign(self.client, message)
    }
}

/// The same for who has the client's key alone, from [`Accepted`](super::Accepted).
pub fn sign(client_key: [u8; 32], message: &[u8]) -> [u8; 32] {
    xor(&client_key, &hmac(&hash(&client_key), &[message]))
}

impl Verifier {
    /// Whether the user of this verifier says this. A decoy's user says nothing.
    pub fn signed(&self, message: &[u8], proof: &[u8; 32]) -> bool {
        let client_key = xor(proof, &hmac(&self.stored, &[message]));
        bool::from(hash(&client_key).ct_eq(&self.stored)) && !self.decoy
    }

    /// The keys of the user, if the password is right. Costs CPU time, see [`Keys::derive`].
    pub fn unlock(&self, password: &str) -> Option<Keys> {
        let keys = Keys::derive(password, &self.salt, self.iterations);
        (bool::from(keys.stored().ct_eq(&self.stored)) && !self.decoy).then_some(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_for_one_message_of_one_user() {
        let verifier = Verifier::new("pencil", b"salt", 2).expect("in bounds");
        let keys = verifier.unlock("pencil").expect("the right password");
        assert!(verifier.unlock("pencils").is_none());
        let proof = keys.sign(b"hold");
        assert_eq!(sign(keys.client, b"hold"), proof);
        assert!(verifier.signed(b"hold", &proof));
        assert!(!verifier.signed(b"hole", &proof) && !verifier.signed(b"hold", &[0; 32]));
        let other = Verifier::new("pencil", b"pepper", 2).expect("in bounds");
        assert!(!other.signed(b"hold", &proof));
        assert!(!Verifier::decoy("ann", &[7; 32]).signed(b"hold", &proof));
        let mut damaged = proof;
        for place in 0..damaged.len() {
            damaged[place] ^= 1;
            assert!(!verifier.signed(b"hold", &damaged), "{place}");
            damaged[place] ^= 1;
        }
    }
}
