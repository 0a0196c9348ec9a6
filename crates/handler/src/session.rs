//! A client's session with its database: which bytes go where, and what to do when the server goes away.
//!
//! The decisions are pure: [`ledger`] counts what is owed, [`memory`] keeps what would have to be made again,
//! [`up`] and [`down`] read the two directions, [`loss`] says what becomes of a session without its server.
//! [`relay`] and [`conduct`] are the shell around them: one task for each session.

mod conduct;
mod down;
mod ledger;
mod loss;
mod memory;
mod relay;
mod replay;
mod tracker;
mod up;

use std::{sync::Arc, task::Waker};

use model::DatabaseId;
use rpc::controller::Route;

use crate::{
    connection::{Client, End},
    handler::Handler,
    local::Local,
};

/// One session.
struct Session<'a> {
    handler: &'a Handler,
    client: &'a mut Client,
    server: Option<relay::Server>,
    tracker: tracker::Tracker,
    up: up::Up,
    down: down::Down,
    /// Answers what the handler answers itself; made when it is needed first.
    local: Option<Box<Local>>,
    /// What the session is on, once it is.
    database: Option<DatabaseId>,
    route: Option<Arc<Route>>,
    /// The route that turned out stale.
    stale: Option<Arc<Route>>,
    /// The client's inbox has frames that are to be read before more comes.
    client_fresh: bool,
    /// The client is not read until nothing is under way.
    holding: bool,
    /// Who is woken when the session is told something.
    waker: Option<Waker>,
}

/// Serves a session until it ends.
pub(crate) async fn run(handler: &Handler, client: &mut Client) -> End {
    let len_max = handler.settings.frame_bytes_max;
    let mut session = Session {
        handler,
        client,
        server: None,
        tracker: tracker::Tracker::default(),
        up: up::Up::new(len_max),
        down: down::Down::new(len_max),
        local: None,
        database: None,
        route: None,
        stale: None,
        client_fresh: true,
        holding: false,
        waker: None,
    };
    session.serve().await
}
