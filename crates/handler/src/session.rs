//! A client's session with its database: which bytes go where, and what to do when the server goes away.
//!
//! The decisions are pure: [`ledger`] counts what is owed, [`memory`] keeps what would have to be made again,
//! [`up`] and [`down`] read the two directions, [`loss`] says what becomes of a session without its server, and
//! [`settling`] what its client is told about requests that had no answer.
//! [`deadline`] watches how long requests take.
//! [`relay`], [`conduct`], [`settle`] and [`overdue`] are the shell around them: one task for each session.

mod conduct;
mod deadline;
mod down;
mod forwarded;
mod ledger;
mod loss;
mod memory;
mod overdue;
mod relay;
mod replay;
mod settle;
mod settling;
mod tracker;
mod up;

use std::{pin::Pin, sync::Arc, task::Waker};

use model::{DatabaseId, Epoch, SessionId};
use rand::Rng;
use rpc::controller::Route;
use tokio::time::Sleep;

use crate::{
    clients::Counted,
    connection::{Client, End},
    handler::Handler,
    local::Local,
};

/// One session.
struct Session<'a> {
    handler: &'a Handler,
    client: &'a mut Client,
    /// What servers know it by.
    id: SessionId,
    /// The number of the first request that the next server gets.
    next_number: u64,
    server: Option<relay::Server>,
    tracker: tracker::Tracker,
    up: up::Up,
    down: down::Down,
    /// Answers what the handler answers itself; made when it is needed first.
    local: Option<Box<Local>>,
    /// What the session is on, once it is.
    database: Option<DatabaseId>,
    /// The last epoch that it was served under; 0 before.
    epoch: Epoch,
    route: Option<Arc<Route>>,
    /// Where its requests are counted, once it is known which database they are for.
    counted: Option<Counted>,
    /// The route that turned out stale.
    stale: Option<Arc<Route>>,
    /// The client's inbox has frames that are to be read before more comes.
    client_fresh: bool,
    /// The client is not read until nothing is under way.
    holding: bool,
    /// How long the request in front may take.
    deadline: deadline::Deadline,
    /// Wakes the session for the deadline; made when it is needed first.
    timer: Option<Pin<Box<Sleep>>>,
    /// Who is woken when the session is told something.
    waker: Option<Waker>,
}

/// Serves a session until it ends.
pub(crate) async fn run(handler: &Handler, client: &mut Client) -> End {
    let len_max = handler.settings.frame_bytes_max;
    let mut session = Session {
        handler,
        client,
        id: SessionId(rand::rng().random()),
        next_number: 1,
        server: None,
        tracker: tracker::Tracker::default(),
        up: up::Up::new(len_max),
        down: down::Down::new(len_max),
        local: None,
        database: None,
        epoch: Epoch(0),
        route: None,
        counted: None,
        stale: None,
        client_fresh: true,
        holding: false,
        deadline: deadline::Deadline::default(),
        timer: None,
        waker: None,
    };
    session.serve().await
}
