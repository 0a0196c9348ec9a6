//! Ends everything in the order that lets each role finish its work: first those who take requests, last those who
//! are asked.

use crate::{config::Role, signals::Signals};

use super::keeper::Fleet;

/// Ends all children. A second signal ends the waiting: what is left dies with this process.
pub async fn all(mut fleet: Fleet, signals: &mut Signals) {
    fleet.close();
    let orderly = async {
        for role in [Role::Handler, Role::Server, Role::Controller] {
            fleet.end(role).await;
        }
    };
    tokio::select! {
        () = orderly => {}
        () = signals.next() => println!("killing what is left"),
    }
}
