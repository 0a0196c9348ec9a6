//! Who may send directives, what waits for a second person, and giving rights with the fleet's secret.

use model::{Name, SenderRole};
use rpc::{
    controller::Operation,
    directives::{PendingInfo, SendersInfo},
};
use serde_json::json;

use super::super::{Cell, Cluster, Listing, Reach, cluster::answered, listing::print, user};

/// Gives a right, or takes it away.
pub async fn put(reach: &Reach, name: Name, role: Option<SenderRole>) -> anyhow::Result<()> {
    let by = user().to_string();
    reach.cluster()?.operate(Operation::PutSender { user: name.to_string(), role, by }).await?;
    let text = || match role {
        Some(role) => {
            format!("user {name} is {} {role} now", if role == SenderRole::Approver { "an" } else { "a" })
        }
        None => format!("user {name} sends no more"),
    };
    print(reach.json, || json!({ "user": name.as_str(), "right": role.map(SenderRole::name) }), text)?;
    Ok(())
}

/// Shows who may.
pub async fn senders(reach: &Reach) -> anyhow::Result<()> {
    let row = |(user, role): &(Name, SenderRole)| vec![Cell::text(user), Cell::text(role)];
    let known = known(&reach.cluster()?).await?;
    let listing = known.senders.iter().map(row).fold(Listing::new(&["user", "right"]), Listing::with);
    print(reach.json, || listing.json(), || listing.table())?;
    Ok(())
}

/// Shows what waits.
pub async fn waiting(reach: &Reach) -> anyhow::Result<()> {
    let row = |info: &PendingInfo| {
        vec![
            Cell::text(&info.id),
            Cell::text(&info.by),
            Cell::Number(info.left_ms.div_ceil(1_000)),
            Cell::text(&info.what),
        ]
    };
    let known = known(&reach.cluster()?).await?;
    let listing =
        known.pending.iter().map(row).fold(Listing::new(&["id", "by", "left_s", "what"]), Listing::with);
    print(reach.json, || listing.json(), || listing.table())?;
    Ok(())
}

async fn known(cluster: &Cluster) -> anyhow::Result<SendersInfo> {
    let controllers = cluster.freshest().await?;
    answered(controllers.any(|client, context| Box::pin(async move { client.senders(context).await })).await)
}
