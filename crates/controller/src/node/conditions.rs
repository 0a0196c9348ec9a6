//! Conditions of servers among the events (S10): told by the servers, which pick what is worth one.

use model::{Fact, Level, Rejection, Tenure, What};
use rpc::{
    Refusal,
    conditions::{ConditionChange, ConditionsReport},
};

use super::{Node, loads::bounded};

impl Node {
    /// A server tells what was raised and cleared there.
    ///
    /// # Errors
    /// This controller does not lead, the server's life is over, it tells too much at a time, or not all controllers
    /// know of conditions yet.
    pub fn report_conditions(&self, report: ConditionsReport) -> Result<(), Refusal> {
        let reign = self.reign()?;
        let ConditionsReport { server, incarnation, first, changes } = report;
        let tenure = Tenure { server, incarnation };
        self.still_up(tenure)?;
        bounded(changes.len(), ConditionsReport::CHANGES_MAX)?;
        let level = self.view.read(|state| state.fleet().level());
        if level < Level::SENDERS {
            return Err(Rejection::LevelLow { level, needed: Level::SENDERS }.into());
        }
        let end = first.saturating_add(changes.len() as u64);
        // What comes twice, because its answer was lost, is noted once. Lives that are over tell nothing any more.
        let new = reign.state(|state| {
            state.conditions_told.retain(|known, _| known.server != server || *known == tenure);
            let told = state.conditions_told.entry(tenure).or_default();
            let new = end.saturating_sub((*told).max(first));
            *told = end.max(*told);
            new
        });
        let known = changes.len() - usize::try_from(new).unwrap_or(usize::MAX).min(changes.len());
        changes.into_iter().skip(known).for_each(|change| self.note(fact(tenure, change)));
        Ok(())
    }
}

fn fact(tenure: Tenure, change: ConditionChange) -> Fact {
    let ConditionChange { condition, database, raised, evidence, lasted_us } = change;
    let what = if raised { What::ConditionRaised } else { What::ConditionCleared };
    let fact = Fact::new(what).server(tenure.server).evidence(format!("{condition}: {evidence}"));
    Fact { database, took_us: lasted_us, ..fact }
}
