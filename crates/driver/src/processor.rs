//! The directive processor: one receiver's state for all sessions of a driver, and who is to be woken when it changes.
//!
//! The state decides nothing by itself; it is asked, and asking never blocks for longer than a look-up takes.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use directive::{Acknowledgement, Kind, Kinds, Moment, Policy, Target, postgres::Announcement, receiver};
use receiver::{Effect, Receiver, connect::Blocked};
use tokio::sync::watch;

use crate::protocol::Address;

/// The processor.
pub(crate) struct Processor {
    receiver: Mutex<Receiver>,
    began: Instant,
    /// Counts what was received: whoever waits for a hold or a switch looks again.
    changed: watch::Sender<u64>,
}

/// What a directive asks for beyond the state that it changed.
pub(crate) struct Obeyed {
    /// To be sent back in the session in which it came.
    pub(crate) acknowledgement: Option<Acknowledgement>,
    /// To be done now.
    pub(crate) effect: Effect,
}

impl Processor {
    pub(crate) fn new(policy: Policy) -> Processor {
        // The receiver leaves out rules where they are not built in.
        let can = Announcement::new().can.with(Kind::Rule).and(policy.allow);
        Processor {
            receiver: Mutex::new(Receiver::new(policy, can, rand::random())),
            began: Instant::now(),
            changed: watch::Sender::new(0),
        }
    }

    /// What is announced: what the driver has and its owner allows.
    pub(crate) fn can(&self) -> Kinds {
        self.state().can()
    }

    /// The state, for a question or two.
    pub(crate) fn state(&self) -> MutexGuard<'_, Receiver> {
        self.receiver.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The receiver's clock.
    pub(crate) fn now(&self) -> Moment {
        Moment(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes a directive that came in the session with that token.
    pub(crate) fn receive(&self, bytes: &[u8], token: &str) -> Obeyed {
        let calendar_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let received = self.state().receive(bytes, Some(token), self.now(), calendar_s);
        self.changed.send_modify(|count| *count += 1);
        Obeyed { acknowledgement: received.acknowledgement, effect: received.effect }
    }

    /// Drops what is over.
    pub(crate) fn expire(&self) -> Vec<Acknowledgement> {
        self.state().expire(self.now())
    }

    /// Whether a server may be connected to (R70); why and how long not, otherwise.
    pub(crate) fn may_connect(&self, address: &Address, database: &str) -> Result<(), Blocked> {
        let address = address.to_string();
        self.state().connect(&target(&[&address], &[database]), self.now())
    }

    /// The owner's word on a pause: whether a call with so much time left sits it out (R71).
    pub(crate) fn waits(&self, pause: Duration, left: Duration) -> bool {
        use directive::policy::WaitOrFail;
        self.state().policy().wait_or_fail(ms(pause), Some(ms(left))) != WaitOrFail::Fail
    }
}

/// What a scope may mean.
pub(crate) fn target<'a>(servers: &'a [&'a str], databases: &'a [&'a str]) -> Target<'a> {
    Target { servers, databases }
}

pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
