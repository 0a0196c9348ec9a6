//! Owners: databases are moved from server to server and looked up at any controller.

use history::Edn;
use model::RequestId;
use rpc::controller::{Consistency, ControllerApiClient, DatabaseInfo, DatabaseRef, LookUp, Operation};

use super::{
    lane::{Ask, Lane, Trouble, Worker},
    names::refused,
};

/// See the module.
#[derive(Default)]
pub struct Client {
    /// Servers that were seen to own something, to move to.
    servers: Vec<String>,
    to: usize,
}

impl Worker for Client {
    type Link = ControllerApiClient;

    fn next(&mut self, lane: &mut Lane) -> Ask {
        let database = lane.random.below(lane.databases.len() as u64) as i64;
        self.to = lane.random.next() as usize;
        let f = if lane.random.percent(8) && !self.servers.is_empty() { "move" } else { "look-up" };
        Ask { f, value: [database.into(), Edn::Nil].into_iter().collect() }
    }

    async fn connect(&mut self, lane: &Lane, attempt: u64) -> Result<ControllerApiClient, String> {
        let client = lane.target.controller(attempt as usize).await?;
        if self.servers.is_empty() {
            let servers = client.servers(rpc::context()).await.map_err(|error| error.to_string())?;
            self.servers = servers.into_iter().map(|server| server.name.to_string()).collect();
        }
        Ok(client)
    }

    async fn call(&mut self, lane: &Lane, client: &ControllerApiClient, ask: &Ask) -> Result<Edn, Trouble> {
        let at = ask.value.items().and_then(|items| items[0].int()).unwrap_or_default();
        let database = DatabaseRef::parse(&lane.databases[at as usize]);
        let broken = |error: rpc::tarpc::client::RpcError| Trouble::Unknown(error.to_string());
        let seen = |info: &DatabaseInfo| {
            let owner = info.owner.as_ref().map_or(Edn::Nil, |owner| Edn::Int(owner.tenure.server.0.into()));
            let found: Edn = [Edn::Int(info.epoch.0 as i64), owner].into_iter().collect();
            [at.into(), found].into_iter().collect()
        };
        if ask.f == "move" {
            let server = self.servers[self.to % self.servers.len()].clone();
            let request = Operation::MoveDatabase { database, server };
            let moved =
                client.operate(rpc::context(), RequestId(rand::random()), request).await.map_err(broken)?;
            let moved = moved.map_err(|refusal| refused(&refusal))?.database;
            return moved
                .map(|info| seen(&info))
                .ok_or_else(|| Trouble::Unknown("it shows no database".into()));
        }
        let look_up = LookUp { database, consistency: Consistency::Linearizable };
        let found = client.look_up(rpc::context(), look_up).await.map_err(broken)?;
        found.map(|info| seen(&info)).map_err(|refusal| refused(&refusal))
    }
}
