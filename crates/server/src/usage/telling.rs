//! Tells the controllers once a second what this server and its databases used.

use futures::FutureExt;
use model::Name;
use rpc::{
    Controllers,
    controller::ControllerApiClient,
    load::{DatabaseUsage, ServerUsage},
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{
    Processor,
    changed::Told,
    top::{Top, Whole},
};
use crate::{
    life::{Life, Lived},
    limits::{USAGE_TIMEOUT, USAGE_TOLD_EVERY},
    residency::Residents,
    workers::Workers,
};

/// What telling needs.
pub struct Teller {
    pub name: Name,
    pub controllers: Controllers,
    pub life: Life,
    pub residents: Residents,
    pub processor: Processor,
    pub workers: Workers,
}

impl Teller {
    /// Tells until dropped. A report that does not arrive is made good by the next: it counts since the beginning.
    pub async fn tell(self) {
        let mut ticks = interval(USAGE_TOLD_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut top, mut life) = (Told::default(), Top::default(), None);
        let mut readable = true;
        loop {
            ticks.tick().await;
            let (processor, counted) = (self.processor.clone(), !self.workers.is_inline());
            let looked = move || {
                (if counted { processor.used_us() } else { Some(0) }, processor.capacity_millicores())
            };
            let (cpu_us, capacity_millicores) = self.workers.run(looked).await;
            let Some(cpu_us) = cpu_us else {
                // Another counter would be another beginning. The controllers see that nothing comes.
                if std::mem::replace(&mut readable, false) {
                    tracing::warn!(
                        "the processor time used cannot be read; no load is reported until it can"
                    );
                }
                continue;
            };
            readable = true;
            let Some(lived) = self.life.now() else { continue };
            if life != Some(lived.incarnation) {
                (told, life) = (Told::default(), Some(lived.incarnation));
            }
            let here = self.residents.used();
            let changed = told.changed(&here, ServerUsage::DATABASES_MAX);
            let whole = Whole { cpu_us, capacity_millicores };
            top.show((&self.name, whole), &here, &changed, Instant::now());
            if self.report(&lived, (cpu_us, capacity_millicores), changed.clone()).await {
                told.told(&changed, &here);
            }
        }
    }

    async fn report(
        &self,
        lived: &Lived,
        (cpu_us, capacity_millicores): (u64, u64),
        databases: Vec<DatabaseUsage>,
    ) -> bool {
        let (server, incarnation) = (lived.server, lived.incarnation);
        let usage = ServerUsage { server, incarnation, cpu_us, capacity_millicores, databases };
        let call = |client: ControllerApiClient, context| {
            let usage = usage.clone();
            async move { client.report_usage(context, usage).await }.boxed()
        };
        match timeout(USAGE_TIMEOUT, self.controllers.leader(call)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::debug!(%error, "cannot report what is used yet");
                false
            }
            Err(_) => false,
        }
    }
}
