//! A session's connection to the server that owns its database.

mod attach;
mod connect;
mod restore;
mod turns;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rpc::{controller::Route, session::Settled};

pub(crate) use attach::{Attaching, Identity, attach};
pub(crate) use connect::LoginKeys;
pub(crate) use restore::{Lost, Restored, restore};
pub(crate) use turns::Turns;

use crate::{cancel::Target, failure::Failure, link::Link};

/// A logged-in connection that has said ReadyForQuery.
pub(crate) struct Backend {
    pub(crate) link: Link,
    pub(crate) route: Arc<Route>,
    pub(crate) target: Target,
    /// ParameterStatus and notices of the greeting, as they came, but for those that are no client's business.
    pub(crate) greeting: Bytes,
    /// What was no client's business.
    pub(crate) told: Told,
}

/// What a server tells a handler in its greeting.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// A position up to which the database's journal is durable.
    pub(crate) position: Option<u64>,
    /// What became of the requests that were asked about, by number.
    pub(crate) settled: BTreeMap<u64, Settled>,
}

/// With which number the requests of a connection begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begin {
    /// The number of the first.
    pub(crate) number: u64,
    /// From there on numbers would come twice: before anything of the client's is sent, the server is to go on with this
    /// one.
    pub(crate) renumber: Option<u64>,
}

impl Told {
    /// With what the connection begins, when it was asked for with the number `next`, after all that had been used.
    pub(crate) fn begin(&self, next: u64) -> Begin {
        let is_absent = |number: &u64| self.settled.get(number) == Some(&Settled::Absent);
        let Some(number) = self.settled.keys().copied().find(is_absent) else {
            return Begin { number: next, renumber: None };
        };
        let free = (number..next).all(|number| is_absent(&number));
        Begin { number, renumber: (!free).then_some(next) }
    }
}

/// Why a session cannot have a server.
#[derive(Debug)]
pub(crate) enum Denied {
    /// For a reason of ours.
    Failure(Failure),
    /// The server said so: its ErrorResponse, as it came.
    Told(Bytes),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_that_something_was_done_under_is_used_again() {
        let begin = |letters: &str| {
            let settled = letters.chars().zip(5..).filter_map(|(letter, number)| match letter {
                '-' => Some((number, Settled::Absent)),
                'D' => Some((number, Settled::Done)),
                _ => None,
            });
            let begin = Told { position: None, settled: settled.collect() }.begin(8);
            (begin.number, begin.renumber)
        };
        for (letters, expected) in [
            ("DDD", (8, None)),
            ("", (8, None)),
            ("---", (5, None)),
            ("D--", (6, None)),
            ("-D-", (5, Some(8))),
            ("--D", (5, Some(8))),
            ("D-?", (6, Some(8))),
            ("D?-", (7, None)),
        ] {
            assert_eq!(begin(letters), expected, "{letters}");
        }
    }
}
