//! Who owns what: asked of each controller, to be answered from the newest state.

use std::time::Duration;

use history::{Edn, Kind};
use model::DatabaseId;
use rand::seq::IndexedRandom;
use rpc::{
    Service,
    controller::{Consistency, ControllerApiClient, DatabaseRef, LookUp},
    handshake::Role,
};
use tokio::time::timeout;

use super::Client;
use crate::{
    roles::{controller_address, secret},
    trace,
};

/// How long one look-up may take.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Asks one controller.
pub async fn look_up(mut client: Client, controller: u64, ids: Vec<DatabaseId>) {
    let mut link = None;
    while client.pause(60).await {
        let Some(id) = ids.choose(&mut client.random).copied() else { return };
        let number = client.records.look_ups.begin("look-up", seen(id, Edn::Nil));
        let told = timeout(PATIENCE, once(&client, controller, &mut link, id)).await;
        match told.unwrap_or_else(|_| Err("no answer".into())) {
            Ok(value) => client.records.look_ups.end(Kind::Ok, number, "look-up", seen(id, value)),
            Err(why) => {
                trace::note(format_args!("no look-up at c{controller}: {why}"));
                link = None;
                client.records.look_ups.end(Kind::Fail, number, "look-up", seen(id, Edn::Nil));
            }
        }
    }
}

fn seen(id: DatabaseId, value: Edn) -> Edn {
    [Edn::Int(id.0 as i64), value].into_iter().collect()
}

async fn once(
    client: &Client,
    controller: u64,
    link: &mut Option<ControllerApiClient>,
    id: DatabaseId,
) -> Result<Edn, String> {
    let api = match link {
        Some(api) => api,
        None => link.insert(connect(client, controller).await?),
    };
    let request = LookUp { database: DatabaseRef::Id(id), consistency: Consistency::Linearizable };
    let found = api.look_up(rpc::context(), request).await.map_err(|error| error.to_string())?;
    let found = found.map_err(|refusal| refusal.to_string())?;
    if let Some(owner) = &found.owner {
        client.records.owned(&found.name, &owner.server);
    }
    let owner = found.owner.map_or(Edn::Nil, |owner| Edn::Int(owner.tenure.server.0.into()));
    Ok([Edn::Int(found.epoch.0 as i64), owner].into_iter().collect())
}

/// One controller, without anybody who turns to another.
pub async fn connect(client: &Client, controller: u64) -> Result<ControllerApiClient, String> {
    let (address, secret) = (controller_address(controller), secret());
    let link = rpc::connect(&client.at, &address, &secret, Service::Controller, Role::Operator).await;
    let link = link.map_err(|error| error.to_string())?;
    Ok(ControllerApiClient::new(rpc::tarpc::client::Config::default(), link).spawn())
}
