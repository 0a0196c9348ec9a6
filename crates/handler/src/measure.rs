//! What a look-up in the route cache costs, for `cargo xtask bench etcd`. No part of the handler.

use std::sync::Arc;

use model::{DatabaseId, DatabaseOptions, Epoch, Incarnation, Name, RequestId, Revision, ServerId, Tenure};
use rpc::{
    Controllers, Secret, TcpDial,
    controller::{DatabaseRef, Route},
    handshake::Role,
};

use crate::fleet::Router;

const ROUTES: u64 = 100_000;
const LOOK_UPS: u64 = 2_000_000;

/// A cache that knows many routes, and their databases' names.
pub struct Cached {
    router: Router,
    asked: Vec<DatabaseRef>,
}

impl Cached {
    /// Fills one.
    ///
    /// # Panics
    /// Never: the names are names.
    pub fn fill() -> Self {
        let secret = Secret::new([0; 32]);
        let nobody = Controllers::new(vec!["nobody:1".into()], Arc::new(TcpDial), secret, Role::Handler);
        let router = Router::new(nobody, usize::try_from(ROUTES).expect("small"));
        let name = |number: u64| format!("customer-{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for number in 0..ROUTES {
            router.learn(Route {
                database: DatabaseId(number),
                name: Name::new(&name(number)).expect("a name"),
                epoch: Epoch(1),
                owner: Tenure { server: ServerId(1), incarnation: Incarnation(1) },
                address: "127.0.0.1:7201".into(),
                options: DatabaseOptions::default(),
                revision: Revision(number),
            });
        }
        // Clients have their database's name at hand.
        Self { router, asked: (0..ROUTES).map(|number| DatabaseRef::Name(name(number))).collect() }
    }

    /// Looks databases up by name, in no order of their own; how many.
    ///
    /// # Panics
    /// When the cache does not know what it was taught.
    pub async fn look_up(&self) -> u64 {
        for number in 0..LOOK_UPS {
            let at = usize::try_from(number.wrapping_mul(0x9e37_79b9) % ROUTES).expect("small");
            let route = self.router.route(RequestId(number), &self.asked[at], None).await;
            assert_eq!(route.map(|route| route.database.0).ok(), Some(at as u64));
        }
        LOOK_UPS
    }
}
