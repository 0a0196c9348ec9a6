//! Ends everything in the order that lets each role finish its work: first those who take requests, last those who
//! are asked.

use std::pin::pin;

use crate::{config::Role, signals::Signals};

use super::keeper::Fleet;

/// Ends all children. A second signal kills those that are left.
pub async fn all(mut fleet: Fleet, signals: &mut Signals) {
    fleet.close();
    let kill = fleet.killer();
    let mut orderly = pin!(async move {
        for role in [Role::Handler, Role::Server, Role::Controller] {
            fleet.end(role).await;
        }
    });
    tokio::select! {
        () = &mut orderly => return,
        () = signals.next() => println!("killing what is left"),
    }
    kill();
    orderly.await;
}
