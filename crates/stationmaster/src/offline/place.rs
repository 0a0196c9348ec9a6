//! Which journals are meant: their place, their fleet, and a database by name or id.

use anyhow::{Context, bail};
use journal::{Archive, Store};
use model::{DatabaseId, FleetId, Incarnation, Revision};
use rpc::controller::{Consistency, DatabaseRef, LookUp};

use crate::{
    failure::Usage,
    operate::{Reach, explain},
};

/// Where to look.
#[derive(clap::Args, Clone, Debug)]
pub struct Where {
    /// The journals' place: a directory, or s3://, gs://, az:// with the feature `cloud`. Default: that of --dir
    #[arg(long, env = "STATIONMASTER_JOURNAL", value_name = "DIR|URL")]
    journal: Option<String>,
    /// Whose journals. Needed only where several fleets share the place
    #[arg(long, value_name = "ID")]
    fleet: Option<FleetId>,
    #[command(flatten)]
    pub reach: Reach,
}

impl Where {
    /// Where the journals are.
    fn place(&self) -> anyhow::Result<String> {
        match &self.journal {
            Some(place) => Ok(place.clone()),
            None => self.reach.dev_journal(),
        }
    }

    /// The journals of this very fleet, to be written to: tested as a server tests them. There must be some already,
    /// unless the place is said to be new to the fleet: a mistyped one would take everything and give nothing back.
    pub async fn store_of(&self, fleet: FleetId, new_place: bool) -> anyhow::Result<Store> {
        let place = self.place()?;
        let cannot = || format!("cannot use {place} for journals");
        if let Some(other) = self.fleet.filter(|other| *other != fleet) {
            bail!(Usage(format!("these controllers are of fleet {fleet}, not {other}")));
        }
        let archive = Archive::at(&place).await.with_context(cannot)?;
        let fleets = archive.fleets().await.with_context(cannot)?;
        if !new_place && !fleets.contains(&fleet) {
            bail!(
                "there are no journals of fleet {fleet} in {place}\n  \
                 try: the very place that its servers have in `journal`; if it is that, and no database was ever \
                 opened there, say --new-place"
            );
        }
        Store::at(&place, fleet, Incarnation(rand::random())).await.with_context(cannot)
    }

    /// The fleet's journals.
    pub async fn store(&self) -> anyhow::Result<Store> {
        let place = self.place()?;
        let archive = Archive::at(&place).await.with_context(|| format!("cannot look into {place}"))?;
        let fleets = archive.fleets().await.with_context(|| format!("cannot look into {place}"))?;
        let fleet = match (self.fleet, &fleets[..]) {
            (_, []) => bail!("there are no journals in {place}"),
            (None, [only]) => *only,
            (None, _) => self.asked(&place, &fleets).await?,
            (Some(fleet), _) if fleets.contains(&fleet) => fleet,
            (Some(fleet), _) => {
                bail!("there are no journals of fleet {fleet} in {place}, but of {}", listed(&fleets))
            }
        };
        Ok(archive.of(fleet, Incarnation(rand::random())))
    }

    /// The fleet whose controllers answer.
    async fn asked(&self, place: &str, fleets: &[FleetId]) -> anyhow::Result<FleetId> {
        let statuses = match self.reach.cluster() {
            Ok(cluster) => cluster.statuses().await,
            // Nobody was named who could be asked.
            Err(_) => Vec::new(),
        };
        let told = statuses.into_iter().find_map(|each| each.answer.ok().and_then(|status| status.fleet));
        match told.filter(|fleet| fleets.contains(fleet)) {
            Some(fleet) => Ok(fleet),
            None => {
                let fleets = listed(fleets);
                Err(Usage(format!("{place} has journals of several fleets; give one with --fleet: {fleets}"))
                    .into())
            }
        }
    }

    /// The id of a database that goes by this name or id.
    pub async fn database(&self, text: &str) -> anyhow::Result<DatabaseId> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let by_id = || format!("{text:?} is no id (db-…), and only controllers know names");
        let cluster = self.reach.cluster().with_context(by_id)?;
        let request =
            LookUp { database: DatabaseRef::parse(text), consistency: Consistency::AtLeast(Revision(0)) };
        let asked = cluster.controllers.leader(move |client, context| {
            let request = request.clone();
            Box::pin(async move { client.look_up(context, request).await })
        });
        let info = asked.await.map_err(explain).with_context(by_id)?;
        Ok(info.database)
    }
}

fn listed(fleets: &[FleetId]) -> String {
    fleets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
