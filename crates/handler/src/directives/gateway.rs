//! What the handler finds out by itself, as the gateway between clients and servers (R59): that a database has no
//! server that answers, and that it has one again.
//!
//! Servers of clients that understand directives are asked whether they are there ([`super::probing`]), and
//! sessions that wait for a server say so. One that is silent, or one that has waited for [a while](crate::limits::GATEWAY_PATIENCE) holds the database's clients:
//! they are not to open connections, which could only wait as well. The first that is served ends the hold, and so does the
//! server when it answers again.
//! Nobody else is needed for that, neither the server nor the controllers.

use std::{collections::HashMap, sync::Mutex};

use directive::{
    Action, Directive, Order, Scope,
    action::{Hold, Pinned, Resume, Switch, SwitchTo},
};
use model::{Name, Targets, TimestampMs};
use tokio::time::{Duration, Instant};

use super::post::{From, Post};
use crate::limits::{GATEWAY_HOLD, GATEWAY_SPREAD, HELD_DATABASES_MAX};

/// Databases whose clients are held, each with the directive that says so.
#[derive(Debug, Default)]
pub(super) struct Gateway {
    held: Mutex<HashMap<Name, Said>>,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    order: Order,
    until: Instant,
}

impl Gateway {
    /// A session has waited for too long. What is to be said, unless that stands already.
    pub(super) fn waits(&self, database: &str, epoch: u64, clock: TimestampMs, now: Instant) -> Option<Post> {
        self.hold(database, epoch, clock, now, "no server answers for the database")
    }

    /// Its server does not answer this handler. What is to be said, unless that stands already.
    pub(super) fn silent(
        &self,
        database: &str,
        epoch: u64,
        clock: TimestampMs,
        now: Instant,
    ) -> Option<Post> {
        self.hold(database, epoch, clock, now, "the server of the database does not answer")
    }

    fn hold(
        &self,
        database: &str,
        epoch: u64,
        clock: TimestampMs,
        now: Instant,
        reason: &str,
    ) -> Option<Post> {
        let database = Name::new(database).ok()?;
        let mut held = self.held.lock().expect("BUG: nothing panics while holding this lock");
        held.retain(|_, said| said.until > now);
        if held.contains_key(&database) || held.len() >= HELD_DATABASES_MAX {
            return None;
        }
        let order = Order { epoch, sequence: clock.0.saturating_mul(1_000) };
        let order = Order { sequence: order.sequence.min(directive::limits::NUMBER_MAX - 1), ..order };
        let until = now + GATEWAY_HOLD;
        held.insert(database.clone(), Said { order, until });
        let action = Action::Hold(Hold { spread_ms: ms(GATEWAY_SPREAD) });
        post("hold", database, order, action, until, reason)
    }

    /// Beside a hold: who is connected to the server itself goes back to where its configuration points.
    pub(super) fn leave(hold: &Post, address: &str) -> Option<Post> {
        let database = hold.targets.database.clone()?;
        let action = Action::Switch(Switch { to: SwitchTo::Handler, pinned: Pinned::Wait });
        let reason = &hold.directive.reason;
        let mut post = post("switch", database.clone(), hold.directive.order, action, hold.until, reason)?;
        post.directive.scope.server = Some(address.to_owned());
        post.from = From::Leaving(database);
        Some(post)
    }

    /// A session was served: what is to be said if its database's clients are held.
    pub(super) fn served(&self, database: &str, clock: TimestampMs, now: Instant) -> Option<Post> {
        let mut held = self.held.lock().expect("BUG: nothing panics while holding this lock");
        let (database, said) = held.remove_entry(database)?;
        let sequence = clock.0.saturating_mul(1_000).max(said.order.sequence + 1);
        let order = Order { sequence: sequence.min(directive::limits::NUMBER_MAX), ..said.order };
        let action = Action::Resume(Resume { spread_ms: ms(GATEWAY_SPREAD) });
        post("resume", database, order, action, now + GATEWAY_HOLD, "the database is served again")
    }
}

fn post(
    kind: &str,
    database: Name,
    order: Order,
    action: Action,
    until: Instant,
    reason: &str,
) -> Option<Post> {
    let id = Name::new(&format!("{kind}-{:016x}", rand::random::<u64>())).ok()?;
    let directive = Directive {
        id: id.to_string(),
        order,
        lifetime_ms: ms(GATEWAY_HOLD),
        reason: reason.into(),
        session: None,
        scope: Scope { server: None, database: Some(database.to_string()) },
        action,
    };
    let targets = Targets { database: Some(database.clone()), ..Targets::default() };
    Some(Post { id, directive, targets, until, from: From::Gateway(database) })
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_held_once_until_it_is_served_or_the_hold_is_over_r59() {
        let (gateway, now, clock) = (Gateway::default(), Instant::now(), TimestampMs(1_000));
        assert!(gateway.served("shop", clock, now).is_none(), "nothing is held");
        let hold = gateway.waits("shop", 3, clock, now).expect("said");
        assert!(gateway.waits("shop", 3, clock, now).is_none(), "it stands already");
        assert!(gateway.waits("other", 1, clock, now).is_some());
        // A clock that has gone back does not make the end look older than the beginning.
        let resume = gateway.served("shop", TimestampMs(0), now).expect("said");
        assert!(resume.directive.order > hold.directive.order);
        assert_eq!((hold.directive.slot(), &hold.targets), (resume.directive.slot(), &resume.targets));
        assert!(gateway.served("shop", clock, now).is_none());
        assert!(gateway.waits("other", 1, clock, now + GATEWAY_HOLD).is_some(), "said again, as it goes on");
        let leave = Gateway::leave(&hold, "s1:7201").expect("said");
        assert_eq!(leave.directive.scope.server.as_deref(), Some("s1:7201"), "of that server alone");
        assert_eq!((&leave.targets, leave.until), (&hold.targets, hold.until));
        for post in [&hold, &resume, &leave] {
            directive::encode(&post.directive).expect("readers take it");
        }
    }
}
