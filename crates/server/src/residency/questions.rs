//! What sessions ask the owner of a database, who has its journal: what became of their requests.

use std::{
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard, PoisonError},
};

use journal::{OutcomeTable, Position, Settled};
use model::SessionId;
use sabotage::Sabotage;
use tokio::sync::oneshot;

/// Questions that wait for the owner.
#[derive(Debug)]
pub struct Questions(Mutex<Option<Vec<Question>>>);

#[derive(Debug)]
struct Question {
    session: SessionId,
    numbers: RangeInclusive<u64>,
    begun: Option<Position>,
    answer: oneshot::Sender<Vec<Settled>>,
}

impl Default for Questions {
    fn default() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }
}

impl Questions {
    /// Asks. There is no answer when the questions are closed, now or later.
    pub fn ask(
        &self,
        session: SessionId,
        numbers: RangeInclusive<u64>,
        begun: Option<Position>,
    ) -> oneshot::Receiver<Vec<Settled>> {
        let (answer, answered) = oneshot::channel();
        if let Some(waiting) = &mut *self.waiting() {
            waiting.push(Question { session, numbers, begun, answer });
        }
        answered
    }

    /// Answers all from what the journal has.
    pub fn answer(&self, outcomes: &OutcomeTable) {
        for question in self.waiting().as_mut().map(std::mem::take).unwrap_or_default() {
            let Question { session, numbers, begun, answer } = question;
            let settle = |number| match sabotage::is(Sabotage::Outcome) {
                true => Settled::Absent,
                false => outcomes.settle(session, number, begun),
            };
            let settled = numbers.map(settle).collect();
            // Whoever asked may be gone.
            let _ = answer.send(settled);
        }
    }

    /// Nobody will answer any more: what the journal has is not known here, or not to be told.
    pub fn close(&self) {
        *self.waiting() = None;
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Vec<Question>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_is_answered_number_by_number() {
        let questions = Questions::default();
        let asked = questions.ask(SessionId(1), 3..=4, None);
        questions.answer(&OutcomeTable::default());
        assert_eq!(asked.await, Ok(vec![Settled::Absent, Settled::Absent]));
    }

    #[tokio::test]
    async fn nothing_is_answered_once_commits_are_lost() {
        let questions = Questions::default();
        let before = questions.ask(SessionId(1), 1..=1, None);
        questions.close();
        let after = questions.ask(SessionId(1), 1..=1, None);
        questions.answer(&OutcomeTable::default());
        assert!(before.await.is_err() && after.await.is_err());
    }
}
