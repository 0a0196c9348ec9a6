//! What a handler knows of the fleet: routes, users and the other handlers, kept fresh by a watch on the controllers.
//!
//! Everything here may be old. A stale route is refused by the server's epoch: it costs a round trip and nothing else.

mod own;
mod pace;
mod peers;
mod router;
mod routes;
mod users;
mod voids;
mod watch;

pub(crate) use own::Own;
pub(crate) use pace::Pace;
pub(crate) use peers::Peers;
pub(crate) use router::{Failed, RouteError, Router};
pub(crate) use users::Users;
pub(crate) use watch::Watch;
