//! Hears what servers and handlers say of loads, and tells what is known.

use model::{Fact, Level, ServerId, Tenure, What};
use rpc::{
    Refusal,
    controller::DatabaseRef,
    load::{ClientsOf, ClientsReport, DatabaseUsage, LoadsInfo, ServerLoadInfo, ServerUsage},
};
use tokio::time::Instant;

use super::{Node, resolve};
use crate::{meter, reign::Reign};

impl Node {
    /// A server tells what it and its databases use.
    ///
    /// # Errors
    /// This controller does not lead, the server's life is over, or it tells too much at a time.
    pub fn report_usage(&self, usage: &ServerUsage) -> Result<(), Refusal> {
        let reign = self.reign()?;
        let tenure = Tenure { server: usage.server, incarnation: usage.incarnation };
        self.still_up(tenure)?;
        bounded(usage.databases.len(), ServerUsage::DATABASES_MAX)?;
        self.view.read(|state| {
            let owned = |told: &DatabaseUsage| {
                let known = state.fleet().database(told.database);
                known.is_some_and(|known| known.owner == Some(tenure) && known.epoch == told.epoch)
            };
            reign.state(|known| known.loads.on_usage(usage, owned, Instant::now()));
        });
        Ok(())
    }

    /// A handler tells where clients are.
    ///
    /// # Errors
    /// This controller does not lead, or it tells too much at a time.
    pub fn report_clients(&self, report: &ClientsReport) -> Result<(), Refusal> {
        let reign = self.reign()?;
        bounded(report.counts.len(), ClientsReport::COUNTS_MAX)?;
        bounded(report.round_trips.len(), ClientsReport::ROUND_TRIPS_MAX)?;
        self.view.read(|state| {
            let exists = |database| state.fleet().database(database).is_some();
            reign.state(|known| known.loads.on_clients(report, exists, Instant::now()));
        });
        Ok(())
    }

    /// Where a database's requests come from.
    ///
    /// # Errors
    /// This controller does not lead, or there is no such database.
    pub fn clients_of(&self, database: &DatabaseRef) -> Result<Vec<ClientsOf>, Refusal> {
        let reign = self.reign()?;
        let id = self.view.read(|state| resolve(state, database))?;
        Ok(reign.state(|state| state.loads.clients_of(id, Instant::now())))
    }

    /// Time goes on for what is known of loads.
    pub(super) fn weigh(&self, reign: &Reign, up: &[Tenure], now: Instant) {
        let named: Vec<(Tenure, model::Name)> = self.view.read(|state| {
            let named = |tenure: &Tenure| Some((*tenure, state.fleet().server(tenure.server)?.name.clone()));
            up.iter().filter_map(named).collect()
        });
        let (gauges, trouble) = reign.state(|state| {
            state.loads.tick(named, now);
            (state.loads.gauges(now), state.loads.prometheus_trouble())
        });
        meter::loads(&gauges);
        self.tell_of_prometheus(reign, trouble, now);
    }

    /// Says once that something is wrong with what Prometheus says, and once that it has been well again for a while.
    fn tell_of_prometheus(&self, reign: &Reign, trouble: Option<String>, now: Instant) {
        if self.view.read(|state| state.fleet().level()) < Level::PLACEMENT {
            return;
        }
        let calm = self.settings.load.warmup;
        match (reign.state(|state| state.prometheus.on(trouble.is_some(), calm, now)), trouble) {
            (Some(true), Some(reason)) => {
                let reason = format!("Prometheus: {reason}; that is not used");
                tracing::warn!("{reason}");
                self.note(Fact::new(What::LoadsStale).evidence(reason));
            }
            (Some(_), _) => {
                tracing::info!("what Prometheus says is used again");
                self.note(Fact::new(What::LoadsFresh).evidence("Prometheus: all that it says is used"));
            }
            (None, _) => {}
        }
    }

    /// What is known of all loads, and from where.
    ///
    /// # Errors
    /// This controller does not lead.
    pub fn loads(&self) -> Result<LoadsInfo, Refusal> {
        let reign = self.reign()?;
        let now = Instant::now();
        let named: Vec<(Tenure, model::Name)> = self.view.read(|state| {
            let up = state.fleet().servers().filter(|(_, server)| server.state.is_alive());
            let named = |(server, record): (ServerId, &model::Server)| {
                (Tenure { server, incarnation: record.incarnation }, record.name.clone())
            };
            up.map(named).collect()
        });
        Ok(reign.state(|state| {
            let loads = &state.loads;
            let told = |(tenure, name): (Tenure, model::Name)| {
                let (uses, sources) = loads.explained(tenure.server, now);
                let capacity_cores = loads.capacity_cores(tenure, now);
                ServerLoadInfo { server: tenure.server, name, capacity_cores, uses, sources }
            };
            let picture = loads.picture(now);
            let trips = picture.round_trips.iter();
            LoadsInfo {
                stale: picture.stale,
                prometheus_trouble: loads.prometheus_trouble(),
                servers: named.into_iter().map(told).collect(),
                round_trips: trips.map(|((from, to), ms)| (from.to_string(), to.to_string(), *ms)).collect(),
            }
        }))
    }
}

pub(super) fn bounded(given: usize, most: usize) -> Result<(), Refusal> {
    if given <= most {
        return Ok(());
    }
    Err(Refusal::Unavailable {
        reason: format!("a report has {given} entries, and {most} at most are taken"),
    })
}
