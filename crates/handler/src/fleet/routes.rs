//! The route cache: bounded, by id and by name, never going back to an older epoch (C16).

use std::{collections::HashMap, sync::Arc};

use model::{DatabaseId, Epoch, Incarnation, Name, ServerId, ServerState};
use rpc::controller::{DatabaseInfo, DatabaseRef, Route};
use sabotage::Sabotage;

/// Routes by id and by name. When full, the one that was not used for a whole round of the clock's hand goes.
#[derive(Debug)]
pub(super) struct Routes {
    by_id: HashMap<DatabaseId, usize>,
    by_name: HashMap<Name, DatabaseId>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    hand: usize,
    slots_max: usize,
}

#[derive(Debug)]
struct Slot {
    route: Arc<Route>,
    used: bool,
}

impl Routes {
    pub(super) fn new(slots_max: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            by_name: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
            slots_max: slots_max.max(1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn find(&mut self, database: &DatabaseRef) -> Option<Arc<Route>> {
        let id = match database {
            DatabaseRef::Id(id) => *id,
            DatabaseRef::Name(name) => *self.by_name.get(name.as_str())?,
        };
        let slot = self.slots[*self.by_id.get(&id)?].as_mut()?;
        slot.used = true;
        Some(slot.route.clone())
    }

    /// Takes a controller's answer; returns what is known now: the answer, or the newer route that was here already.
    pub(super) fn learn(&mut self, route: Route) -> Arc<Route> {
        if let Some(known) = self.find(&DatabaseRef::Id(route.database)) {
            if (known.epoch, known.revision) > (route.epoch, route.revision) {
                return known;
            }
            self.forget(route.database);
        }
        let route = Arc::new(route);
        let at = self.slot();
        self.by_id.insert(route.database, at);
        // A name that went from one database to another takes the older one's route with it.
        if let Some(other) = self.by_name.insert(route.name.clone(), route.database)
            && other != route.database
        {
            self.forget_entry(other);
        }
        self.slots[at] = Some(Slot { route: route.clone(), used: true });
        route
    }

    /// This route did not work: forget it unless a newer one has come meanwhile.
    pub(super) fn failed(&mut self, database: DatabaseId, epoch: Epoch) {
        if self.peek(database).is_some_and(|route| route.epoch <= epoch) {
            self.forget(database);
        }
    }

    /// A database is like this now. Nothing is learned from it, since it may not be loaded yet.
    pub(super) fn changed(&mut self, info: &DatabaseInfo) {
        let fits = self.peek(info.database).is_none_or(|route| {
            route.epoch > info.epoch
                || (route.epoch == info.epoch && route.name == info.name && info.owner.is_some())
        });
        if !fits {
            self.forget(info.database);
        } else {
            self.set_options(info);
        }
        if self.by_name.get(&info.name).is_some_and(|known| *known != info.database) {
            self.by_name.remove(&info.name);
        }
    }

    /// The same route as ever, but the database's options may be others.
    fn set_options(&mut self, info: &DatabaseInfo) {
        let Some(&at) = self.by_id.get(&info.database) else { return };
        let Some(slot) = self.slots[at].as_mut() else { return };
        if slot.route.revision < info.revision && slot.route.options != info.options {
            slot.route = Arc::new(Route { options: info.options, ..Route::clone(&slot.route) });
        }
    }

    /// A server is in this life now, up or not: routes to its other lives, or to a life that is over, are void.
    pub(super) fn server(&mut self, server: ServerId, incarnation: Incarnation, state: ServerState) {
        let over = |route: &Route| {
            route.owner.server == server && (route.owner.incarnation != incarnation || !state.is_alive())
        };
        let void: Vec<DatabaseId> = self
            .slots
            .iter()
            .flatten()
            .filter(|slot| over(&slot.route))
            .map(|slot| slot.route.database)
            .collect();
        void.into_iter().for_each(|database| self.forget(database));
    }

    pub(super) fn forget(&mut self, database: DatabaseId) {
        if sabotage::is(Sabotage::Route) {
            return;
        }
        if let Some(route) = self.peek(database).cloned()
            && self.by_name.get(&route.name) == Some(&database)
        {
            self.by_name.remove(&route.name);
        }
        self.forget_entry(database);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.slots_max);
    }

    fn peek(&self, database: DatabaseId) -> Option<&Arc<Route>> {
        self.slots[*self.by_id.get(&database)?].as_ref().map(|slot| &slot.route)
    }

    fn forget_entry(&mut self, database: DatabaseId) {
        if let Some(at) = self.by_id.remove(&database) {
            self.slots[at] = None;
            self.free.push(at);
        }
    }

    /// An empty slot, made by forgetting if need be.
    fn slot(&mut self) -> usize {
        if let Some(at) = self.free.pop() {
            return at;
        }
        if self.slots.len() < self.slots_max {
            self.slots.push(None);
            return self.slots.len() - 1;
        }
        loop {
            let at = self.hand;
            self.hand = (at + 1) % self.slots.len();
            match &mut self.slots[at] {
                Some(slot) if slot.used => slot.used = false,
                Some(slot) => {
                    let database = slot.route.database;
                    self.forget(database);
                    return self.free.pop().expect("BUG: forgetting a route frees its slot");
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{DatabaseOptions, OnTimeLimit, Revision, Tenure};

    use super::*;

    fn route(database: u64, name: &str, epoch: u64, server: u32) -> Route {
        Route {
            database: DatabaseId(database),
            name: Name::new(name).expect("a name"),
            epoch: Epoch(epoch),
            owner: Tenure { server: ServerId(server), incarnation: Incarnation(1) },
            address: format!("s{server}:1"),
            options: DatabaseOptions::default(),
            revision: Revision(epoch),
        }
    }

    fn info(database: u64, name: &str, epoch: u64) -> DatabaseInfo {
        let route = route(database, name, epoch, 1);
        let owner = rpc::controller::Owner {
            tenure: route.owner,
            server: route.name.clone(),
            address: route.address,
        };
        DatabaseInfo {
            database: route.database,
            name: route.name,
            epoch: route.epoch,
            owner: Some(owner),
            options: route.options,
            revision: route.revision,
        }
    }

    fn by_name(routes: &mut Routes, name: &str) -> Option<u64> {
        routes.find(&DatabaseRef::Name(name.into())).map(|route| route.database.0)
    }

    fn epoch(routes: &mut Routes, database: u64) -> Option<u64> {
        routes.find(&DatabaseRef::Id(DatabaseId(database))).map(|route| route.epoch.0)
    }

    #[test]
    fn an_older_answer_never_replaces_a_newer_route() {
        let mut routes = Routes::new(8);
        routes.learn(route(1, "a", 5, 1));
        assert_eq!(routes.learn(route(1, "a", 4, 2)).epoch, Epoch(5));
        assert_eq!(epoch(&mut routes, 1), Some(5));
        routes.learn(route(1, "a", 6, 2));
        assert_eq!(epoch(&mut routes, 1), Some(6));
    }

    #[test]
    fn a_failure_of_an_older_epoch_forgets_nothing() {
        let mut routes = Routes::new(8);
        routes.learn(route(1, "a", 5, 1));
        routes.failed(DatabaseId(1), Epoch(4));
        assert_eq!(epoch(&mut routes, 1), Some(5));
        routes.failed(DatabaseId(1), Epoch(5));
        assert_eq!((epoch(&mut routes, 1), by_name(&mut routes, "a")), (None, None));
    }

    #[test]
    fn a_change_voids_what_it_contradicts_and_nothing_else() {
        let mut routes = Routes::new(8);
        for (change, kept) in [
            (info(1, "a", 5), Some(5)),
            (info(1, "a", 4), Some(5)),
            (info(1, "a", 6), None),
            (info(1, "b", 5), None),
            (DatabaseInfo { owner: None, ..info(1, "a", 5) }, None),
            (info(2, "c", 9), Some(5)),
        ] {
            routes.learn(route(1, "a", 5, 1));
            routes.changed(&change);
            assert_eq!(epoch(&mut routes, 1), kept, "{change:?}");
        }
    }

    #[test]
    fn options_change_without_losing_the_route() {
        let mut routes = Routes::new(8);
        routes.learn(route(1, "a", 5, 1));
        let never = DatabaseOptions { on_time_limit: OnTimeLimit::Never, ..DatabaseOptions::default() };
        let changed = DatabaseInfo { options: never, revision: Revision(6), ..info(1, "a", 5) };
        let options =
            |routes: &mut Routes| routes.find(&DatabaseRef::Id(DatabaseId(1))).map(|route| route.options);
        routes.changed(&changed);
        assert_eq!(options(&mut routes), Some(never));
        routes.changed(&info(1, "a", 5));
        assert_eq!(options(&mut routes), Some(never), "older news");
        routes.changed(&DatabaseInfo { revision: Revision(7), ..info(1, "a", 5) });
        assert_eq!(options(&mut routes), Some(DatabaseOptions::default()));
    }

    #[test]
    fn a_name_given_to_another_database_leads_there() {
        let mut routes = Routes::new(8);
        routes.learn(route(1, "a", 5, 1));
        routes.changed(&info(2, "a", 1));
        assert_eq!(by_name(&mut routes, "a"), None);
        routes.learn(route(1, "a", 5, 1));
        routes.learn(route(2, "a", 1, 1));
        assert_eq!(by_name(&mut routes, "a"), Some(2));
        assert_eq!(epoch(&mut routes, 1), None);
    }

    #[test]
    fn a_server_that_is_over_takes_its_routes_along() {
        let mut routes = Routes::new(8);
        for server in [1, 2, 3] {
            routes.learn(route(u64::from(server), &format!("d{server}"), 1, server));
        }
        routes.server(ServerId(1), Incarnation(1), ServerState::Up);
        routes.server(ServerId(2), Incarnation(1), ServerState::Down);
        routes.server(ServerId(3), Incarnation(2), ServerState::Up);
        assert_eq!([1, 2, 3].map(|database| epoch(&mut routes, database)), [Some(1), None, None]);
    }

    /// One change, however many routes it voids: none of them is found from that moment on.
    #[test]
    fn a_dead_servers_ten_thousand_routes_go_with_one_change() {
        let mut routes = Routes::new(16_384);
        for database in 1..=11_000 {
            routes.learn(route(database, &format!("d{database}"), 1, if database > 10_000 { 2 } else { 1 }));
        }
        let began = std::time::Instant::now();
        routes.server(ServerId(1), Incarnation(1), ServerState::Down);
        println!("10,000 of 11,000 routes forgotten in {:?}", began.elapsed());
        assert_eq!(routes.len(), 1_000);
        let found = |routes: &mut Routes, database: u64| {
            (epoch(routes, database).is_some(), by_name(routes, &format!("d{database}")).is_some())
        };
        assert!((1..=10_000).all(|database| found(&mut routes, database) == (false, false)));
        assert!((10_001..=11_000).all(|database| found(&mut routes, database) == (true, true)));
        routes.learn(route(7, "d7", 2, 2));
        assert_eq!(epoch(&mut routes, 7), Some(2), "the next owner's route is taken");
    }

    #[test]
    fn a_full_cache_forgets_what_was_not_used() {
        let mut routes = Routes::new(3);
        for database in 1..=3 {
            routes.learn(route(database, &format!("d{database}"), 1, 1));
        }
        routes.learn(route(4, "d4", 1, 1));
        assert_eq!(epoch(&mut routes, 1), None, "all were used: the hand takes the first");
        assert_eq!(epoch(&mut routes, 3), Some(1));
        routes.learn(route(5, "d5", 1, 1));
        assert_eq!((epoch(&mut routes, 2), epoch(&mut routes, 3)), (None, Some(1)));
        assert_eq!(routes.len(), 3);
        assert_eq!(by_name(&mut routes, "d2"), None);
    }
}
