//! Who waits along a route that may become void: woken by the watch when the map has gone on, not by a timer.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use model::{DatabaseId, Epoch, Incarnation, ServerId, ServerState, Tenure};
use rpc::controller::{DatabaseInfo, Route};
use tokio_util::sync::CancellationToken;

/// Entries past which those that nobody waits for are thrown away.
const TIDY_AT: usize = 1024;

/// Routes that are being tried.
#[derive(Debug, Default)]
pub(super) struct Voids(HashMap<(DatabaseId, Epoch), Weak<Trying>>);

/// One route, for all who try it at the moment.
#[derive(Debug)]
pub(super) struct Trying {
    owner: Tenure,
    /// Fires when the route is void.
    pub(super) void: CancellationToken,
}

impl Voids {
    /// Somebody tries this route.
    pub(super) fn enter(&mut self, route: &Route) -> Arc<Trying> {
        if self.0.len() > TIDY_AT {
            self.0.retain(|_, trying| trying.strong_count() > 0);
        }
        let entry = self.0.entry((route.database, route.epoch)).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let trying = Arc::new(Trying { owner: route.owner, void: CancellationToken::new() });
            *entry = Arc::downgrade(&trying);
            trying
        })
    }

    /// A database is like this now.
    pub(super) fn changed(&mut self, info: &DatabaseInfo) {
        self.fire(|database, epoch, _| {
            let passed = epoch < info.epoch || (epoch == info.epoch && info.owner.is_none());
            database == info.database && passed
        });
    }

    /// A database is gone.
    pub(super) fn dropped(&mut self, dropped: DatabaseId) {
        self.fire(|database, _, _| database == dropped);
    }

    /// A server is in this life now, up or not.
    pub(super) fn server(&mut self, server: ServerId, incarnation: Incarnation, state: ServerState) {
        self.fire(|_, _, owner| {
            owner.server == server && (owner.incarnation != incarnation || !state.is_alive())
        });
    }

    /// Wakes those whose route is void. Whoever tries it from now on does so anew.
    fn fire(&mut self, is_void: impl Fn(DatabaseId, Epoch, Tenure) -> bool) {
        self.0.retain(|(database, epoch), trying| {
            let Some(trying) = trying.upgrade() else { return false };
            let void = is_void(*database, *epoch, trying.owner);
            if void {
                trying.void.cancel();
            }
            !void
        });
    }
}

#[cfg(test)]
mod tests {
    use model::{Name, Revision};

    use super::*;

    fn route(database: u64, epoch: u64, server: u32) -> Route {
        Route {
            database: DatabaseId(database),
            name: Name::new("a").expect("a name"),
            epoch: Epoch(epoch),
            owner: Tenure { server: ServerId(server), incarnation: Incarnation(1) },
            address: "s:1".into(),
            options: Default::default(),
            revision: Revision(1),
        }
    }

    fn info(database: u64, epoch: u64, owned: bool) -> DatabaseInfo {
        let route = route(database, epoch, 1);
        let owner = rpc::controller::Owner {
            tenure: route.owner,
            server: route.name.clone(),
            address: route.address,
        };
        DatabaseInfo {
            database: route.database,
            name: route.name,
            epoch: route.epoch,
            owner: owned.then_some(owner),
            options: route.options,
            revision: route.revision,
        }
    }

    #[test]
    fn exactly_those_whose_route_is_void_are_woken() {
        type Change = &'static dyn Fn(&mut Voids);
        let cases: [(&str, Change, [bool; 3]); 8] = [
            ("a new owner", &|voids| voids.changed(&info(1, 6, true)), [true, false, false]),
            ("none", &|voids| voids.changed(&info(1, 5, false)), [true, false, false]),
            ("known already", &|voids| voids.changed(&info(1, 5, true)), [false; 3]),
            ("old news", &|voids| voids.changed(&info(1, 4, false)), [false; 3]),
            ("dropped", &|voids| voids.dropped(DatabaseId(2)), [false, true, false]),
            ("dead", &|v| v.server(ServerId(1), Incarnation(1), ServerState::Down), [true, true, false]),
            (
                "another life",
                &|v| v.server(ServerId(2), Incarnation(2), ServerState::Up),
                [false, false, true],
            ),
            ("alive", &|v| v.server(ServerId(1), Incarnation(1), ServerState::Draining), [false; 3]),
        ];
        for (what, change, expected) in cases {
            let mut voids = Voids::default();
            let tried = [route(1, 5, 1), route(2, 5, 1), route(3, 5, 2)].map(|route| voids.enter(&route));
            change(&mut voids);
            assert_eq!(tried.each_ref().map(|trying| trying.void.is_cancelled()), expected, "{what}");
            for (database, server) in [(1, 1), (2, 1), (3, 2)] {
                let again = voids.enter(&route(database, 5, server));
                assert!(!again.void.is_cancelled(), "{what}: who tries anew is not woken by old news");
            }
        }
    }

    #[test]
    fn what_nobody_waits_for_is_thrown_away() {
        let mut voids = Voids::default();
        for database in 0..5_000 {
            drop(voids.enter(&route(database, 1, 1)));
        }
        assert!(voids.0.len() <= TIDY_AT + 1);
    }
}
