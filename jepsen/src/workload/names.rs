//! The map of names: databases are made, dropped and looked up at any controller, one thing at a time for each name.
//! It is a storm of creates and drops, and linearizable.

use history::Edn;
use model::{IdempotencyKey, Rejection, RequestId};
use rpc::{
    Effect, Refusal,
    controller::{Consistency, ControllerApiClient, DatabaseRef, LookUp, Operation},
};

use super::lane::{Ask, Lane, Trouble, Worker};

/// Operations, of all clients, until other names are begun.
const OPERATIONS: i64 = 600;
const NAMES: i64 = 6;

/// See the module.
pub struct Client;

/// What a refusal is taken for.
pub fn refused(refusal: &Refusal) -> Trouble {
    match refusal.effect() {
        // Clients ask whichever controller, and whatever the map holds at that moment.
        Effect::None
            if matches!(
                refusal,
                Refusal::NotLeader { .. }
                    | Refusal::DatabaseNameUnknown { .. }
                    | Refusal::Rejected(Rejection::NameTaken { .. })
            ) =>
        {
            Trouble::Expected(refusal.to_string())
        }
        Effect::None => Trouble::None(refusal.to_string()),
        Effect::Unknown => Trouble::Unknown(refusal.to_string()),
    }
}

impl Worker for Client {
    type Link = ControllerApiClient;

    fn next(&mut self, lane: &mut Lane) -> Ask {
        let name = lane.shared.number() / OPERATIONS * NAMES + lane.random.below(NAMES as u64) as i64;
        let f = match lane.random.below(10) {
            0..2 => "create",
            2 => "drop",
            _ => "look-up",
        };
        Ask { f, value: [name.into(), Edn::Nil].into_iter().collect() }
    }

    async fn connect(&mut self, lane: &Lane, attempt: u64) -> Result<ControllerApiClient, String> {
        lane.target.controller(attempt as usize).await
    }

    async fn call(&mut self, lane: &Lane, client: &ControllerApiClient, ask: &Ask) -> Result<Edn, Trouble> {
        let at = ask.value.items().and_then(|items| items[0].int()).unwrap_or_default();
        // The first database's name has the run's in it.
        let name = format!("{}_{at}", lane.databases[0]);
        let done = |id: Option<i64>| Ok([at.into(), id.map_or(Edn::Nil, Edn::Int)].into_iter().collect());
        let broken = |error: rpc::tarpc::client::RpcError| Trouble::Unknown(error.to_string());
        let database = DatabaseRef::parse(&name);
        let request = RequestId(rand::random());
        match ask.f {
            "create" => {
                let create = Operation::CreateDatabase { name, key: IdempotencyKey(rand::random()) };
                let made = client.operate(rpc::context(), request, create).await.map_err(broken)?;
                let made = made.map_err(|refusal| refused(&refusal))?.database;
                done(made.map(|made| made.database.0 as i64))
            }
            "drop" => {
                let drop = Operation::DropDatabase { database };
                let dropped = client.operate(rpc::context(), request, drop).await.map_err(broken)?;
                dropped.map_err(|refusal| refused(&refusal))?;
                done(None)
            }
            _ => {
                let look_up = LookUp { database, consistency: Consistency::Linearizable };
                match client.look_up(rpc::context(), look_up).await.map_err(broken)? {
                    Ok(found) => done(Some(found.database.0 as i64)),
                    Err(Refusal::DatabaseNameUnknown { .. }) => done(None),
                    Err(refusal) => Err(refused(&refusal)),
                }
            }
        }
    }
}
