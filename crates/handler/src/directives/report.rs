//! Telling the controllers what became of directives, and answering what they ask.

use futures::FutureExt;
use rpc::directives::{DirectivesReport, Question};
use tokio::time::{MissedTickBehavior, interval};

use crate::{handler::Handler, limits::DIRECTIVES_REPORTED_EVERY};

/// Reports until dropped. A report that does not arrive is made good by the next: it counts since the start.
pub(crate) async fn report(handler: &Handler) {
    let life = rand::random();
    let mut ticks = interval(DIRECTIVES_REPORTED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answers: Vec<(u64, u64)> = Vec::new();
    loop {
        ticks.tick().await;
        let report = DirectivesReport {
            handler: handler.own.id(),
            life,
            announced: handler.board.announced().len() as u64,
            tallies: handler.board.tallies(),
            answers: std::mem::take(&mut answers),
        };
        let asked = handler.controllers.leader(move |client, context| {
            let report = report.clone();
            async move { client.report_directives(context, report).await }.boxed()
        });
        match asked.await {
            Ok(questions) => answers = questions.iter().map(|question| answer(handler, question)).collect(),
            Err(error) => tracing::debug!(%error, "cannot report on directives yet"),
        }
    }
}

fn answer(handler: &Handler, Question { number, directive, targets }: &Question) -> (u64, u64) {
    (*number, handler.board.count_targets(directive, targets))
}
