//! The layout of cancel keys.

use model::HandlerId;
use rand::Rng;
use wire::startup::CancelKey;

/// What a client got in BackendKeyData: handler id and 16 random bits as process id, 32 more as secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) process_id: u32,
    pub(crate) secret: [u8; 4],
}

/// A key as it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) key: Key,
    /// Whether another handler passed it on: it must not be passed on again.
    pub(crate) forwarded: bool,
}

/// Stands after the secret of a key that is passed on. Clients never have keys of five bytes.
const FORWARDED: u8 = 1;

impl Key {
    /// A new key. `random` must be fit for cryptography.
    pub(crate) fn random(handler: HandlerId, random: &mut impl Rng) -> Self {
        let process_id = u32::from(handler.0) << 16 | u32::from(random.random::<u16>());
        Self { process_id, secret: random.random() }
    }

    /// The handler that gave it.
    pub(crate) fn handler(self) -> HandlerId {
        HandlerId((self.process_id >> 16) as u16)
    }

    /// Process id and secret for passing it on.
    pub(crate) fn forwarded(self) -> (u32, [u8; 5]) {
        let [a, b, c, d] = self.secret;
        (self.process_id, [a, b, c, d, FORWARDED])
    }
}

impl Reached {
    /// Reads a key; `None` when it is none of ours.
    pub(crate) fn read(key: CancelKey<'_>) -> Option<Self> {
        let process_id = key.process_id;
        match *key.secret {
            [a, b, c, d] => Some(Self { key: Key { process_id, secret: [a, b, c, d] }, forwarded: false }),
            [a, b, c, d, FORWARDED] => {
                Some(Self { key: Key { process_id, secret: [a, b, c, d] }, forwarded: true })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn a_key_names_its_handler_and_is_passed_on_once() {
        let key = Key::random(HandlerId(0xabcd), &mut StdRng::seed_from_u64(1));
        assert_eq!(key.handler(), HandlerId(0xabcd));
        let read = |process_id, secret: &[u8]| Reached::read(CancelKey { process_id, secret });
        assert_eq!(read(key.process_id, &key.secret), Some(Reached { key, forwarded: false }));
        let (process_id, secret) = key.forwarded();
        assert_eq!(read(process_id, &secret), Some(Reached { key, forwarded: true }));
        assert_eq!(read(1, &[0; 6]), None);
        assert_eq!(read(1, &[0, 0, 0, 0, 2]), None);
    }
}
