//! Newtypes for every id, count and epoch.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Crockford's base32: no I, L, O or U, so that an id survives being read aloud (<https://www.crockford.com/base32.html>).
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// Counts the owners that a database has had. Rises by one with every change of owner; fences the journal.
    Epoch(u64)
);
number!(
    /// The position of the last applied log entry. Orders everything that a controller says about the map.
    Revision(u64)
);
number!(
    /// A server, given by the map at its first registration and kept across restarts.
    ServerId(u32)
);
number!(
    /// A handler, given by the map at its first registration. Stands in the upper half of its cancel keys.
    HandlerId(u16)
);
number!(
    /// A controller: its node id in the Raft cluster, chosen by the operator.
    ControllerId(u64)
);
number!(
    /// Milliseconds since the Unix epoch, read once by the leader and carried in the log. Information only.
    TimestampMs(u64)
);

impl Epoch {
    /// The epoch that the next change of owner gets.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A database: from a counter in the replicated map, never reused, stable under rename. Prints as `db-` and base32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DatabaseId(pub u64);

impl fmt::Display for DatabaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0u8; 13];
        let mut rest = self.0;
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = CROCKFORD[(rest & 31) as usize];
            rest >>= 5;
            if rest == 0 {
                break;
            }
        }
        write!(f, "db-{}", std::str::from_utf8(&digits[at..]).expect("BUG: base32 is ASCII"))
    }
}

/// The text is not an id of the expected form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseIdError {
    /// What was given.
    pub text: String,
    /// What an id looks like.
    pub expected: &'static str,
}

impl FromStr for DatabaseId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = || ParseIdError {
            text: text.into(),
            expected: "a database id (`db-` and up to 13 base32 digits)",
        };
        let digits = text.strip_prefix("db-").filter(|d| (1..=13).contains(&d.len())).ok_or_else(error)?;
        let mut value = 0u64;
        for byte in digits.bytes() {
            let digit = CROCKFORD.iter().position(|c| *c == byte.to_ascii_lowercase()).ok_or_else(error)?;
            value = value.checked_mul(32).and_then(|v| v.checked_add(digit as u64)).ok_or_else(error)?;
        }
        // One id has one spelling: leading zeros would make two names of one database.
        let id = Self(value);
        if id.to_string().eq_ignore_ascii_case(text) { Ok(id) } else { Err(error()) }
    }
}

macro_rules! hex {
    ($(#[$doc:meta])* $name:ident($inner:ty), $width:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:0", $width, "x}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let plain = text.len() == $width && text.bytes().all(|b| b.is_ascii_hexdigit());
                <$inner>::from_str_radix(text, 16)
                    .ok()
                    .filter(|_| plain)
                    .map(Self)
                    .ok_or_else(|| ParseIdError { text: text.into(), expected: $expected })
            }
        }
    };
}

hex!(
    /// One fleet. Random, made once by the first leader; journals live under it, so two fleets never meet in one store.
    FleetId(u128), 32, "a fleet id (32 hexadecimal digits)"
);
hex!(
    /// Chosen by whoever asks for a database, so that asking twice makes one (R6).
    IdempotencyKey(u128), 32, "an idempotency key (32 hexadecimal digits)"
);
hex!(
    /// One life of a server process. Random, made at its start.
    Incarnation(u64), 16, "an incarnation (16 hexadecimal digits)"
);
hex!(
    /// Follows one client request through handler, controller and server in their logs.
    RequestId(u64), 16, "a request id (16 hexadecimal digits)"
);

hex!(
    /// One client session, random. With a request's number in it, it names that request for ever: exactly once stands on it.
    SessionId(u128), 32, "a session id (32 hexadecimal digits)"
);

/// A server in one of its lives: what a database is assigned to. A restarted server owns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tenure {
    /// The server.
    pub server: ServerId,
    /// The life of it.
    pub incarnation: Incarnation,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_ids_print_in_base32_and_parse_back() {
        for (value, text) in [(0, "db-0"), (31, "db-z"), (32, "db-10"), (u64::MAX, "db-fzzzzzzzzzzzz")] {
            assert_eq!(DatabaseId(value).to_string(), text);
            assert_eq!(text.parse(), Ok(DatabaseId(value)));
        }
        assert_eq!("DB-Z".to_lowercase().parse(), Ok(DatabaseId(31)));
    }

    #[test]
    fn one_database_id_has_one_spelling() {
        for text in ["db-", "db-00", "db-l", "db-gzzzzzzzzzzzz", "db-01", "shop", "db-zzzzzzzzzzzzzz", "db-é"]
        {
            assert!(text.parse::<DatabaseId>().is_err(), "{text}");
        }
    }

    #[test]
    fn hexadecimal_ids_have_a_fixed_width() {
        let id = Incarnation(7);
        assert_eq!(id.to_string(), "0000000000000007");
        assert_eq!("0000000000000007".parse(), Ok(id));
        assert!("7".parse::<Incarnation>().is_err());
        assert!("+000000000000007".parse::<Incarnation>().is_err());
    }
}
