//! What handlers told the leader of directives, and what it asks them.
//!
//! Nothing of it is replicated: handlers count since their start, so a new leader knows everything again with their next
//! reports.

use std::collections::BTreeMap;

use model::{HandlerId, Name, Targets};
use rpc::directives::{DirectivesReport, Question, Tally, TargetsCount};
use tokio::time::{Duration, Instant};

/// Who reported, in which life, and what.
#[derive(Debug, Default)]
pub struct Told {
    reports: BTreeMap<(HandlerId, u64), Report>,
    questions: BTreeMap<u64, Asked>,
    question_last: u64,
}

#[derive(Debug)]
struct Report {
    at: Instant,
    announced: u64,
    tallies: BTreeMap<Name, Tally>,
}

#[derive(Debug)]
struct Asked {
    directive: Name,
    targets: Targets,
    answers: BTreeMap<(HandlerId, u64), u64>,
    until: Instant,
}

/// How long after its last report a handler is taken to be there.
const PRESENT: Duration = Duration::from_secs(5);
/// How long what a handler that is gone has told counts.
const REMEMBERED: Duration = Duration::from_secs(3_600);
/// Questions at a time; more are refused.
const QUESTIONS_MAX: usize = 16;
/// Lives of handlers that are remembered; the oldest report is forgotten first.
const REPORTS_MAX: usize = 4_096;

impl Told {
    /// A handler reports; gives what it is asked. `stands` knows the directives that stand.
    pub fn report(
        &mut self,
        report: DirectivesReport,
        stands: impl Fn(&Name) -> bool,
        now: Instant,
    ) -> Vec<Question> {
        let who = (report.handler, report.life);
        for (number, sessions) in report.answers {
            if let Some(asked) = self.questions.get_mut(&number) {
                asked.answers.insert(who, sessions);
            }
        }
        let tallies = report.tallies.into_iter().filter(|(id, _)| stands(id)).collect();
        self.reports.insert(who, Report { at: now, announced: report.announced, tallies });
        self.forget(&stands, now);
        let unanswered = self.questions.iter().filter(|(_, asked)| !asked.answers.contains_key(&who));
        let question = |(number, asked): (&u64, &Asked)| Question {
            number: *number,
            directive: asked.directive.clone(),
            targets: asked.targets.clone(),
        };
        unanswered.map(question).collect()
    }

    fn forget(&mut self, stands: &impl Fn(&Name) -> bool, now: Instant) {
        self.questions.retain(|_, asked| asked.until > now);
        self.reports.retain(|_, report| {
            report.tallies.retain(|id, _| stands(id));
            let age = now.duration_since(report.at);
            age < PRESENT || (age < REMEMBERED && !report.tallies.is_empty())
        });
        while self.reports.len() > REPORTS_MAX {
            let oldest = self.reports.iter().min_by_key(|(_, report)| report.at).map(|(who, _)| *who);
            oldest.and_then(|who| self.reports.remove(&who));
        }
    }

    /// Begins to ask all handlers until then; `None` when too much is asked already.
    pub fn ask(&mut self, directive: Name, targets: Targets, until: Instant, now: Instant) -> Option<u64> {
        self.questions.retain(|_, asked| asked.until > now);
        if self.questions.len() >= QUESTIONS_MAX {
            return None;
        }
        self.question_last += 1;
        let asked = Asked { directive, targets, answers: BTreeMap::new(), until };
        self.questions.insert(self.question_last, asked);
        Some(self.question_last)
    }

    /// What has been answered so far.
    pub fn count(&self, number: u64, now: Instant) -> TargetsCount {
        let Some(asked) = self.questions.get(&number) else { return TargetsCount::default() };
        let present = || self.reports.iter().filter(|(_, report)| now.duration_since(report.at) < PRESENT);
        TargetsCount {
            sessions: asked.answers.values().sum(),
            announced: present().map(|(_, report)| report.announced).sum(),
            handlers: asked.answers.len() as u64,
            silent: present().filter(|(who, _)| !asked.answers.contains_key(who)).count() as u64,
        }
    }

    /// What became of a directive, and how many handlers have told.
    pub fn tally(&self, id: &Name) -> (Tally, u64) {
        let tallies: Vec<Tally> =
            self.reports.values().filter_map(|report| report.tallies.get(id).copied()).collect();
        (tallies.iter().fold(Tally::default(), |sum, tally| sum.plus(*tally)), tallies.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a good name")
    }

    fn report(handler: u16, life: u64, applied: u64) -> DirectivesReport {
        let tally = Tally { reached: applied + 1, applied, ..Tally::default() };
        let tallies = vec![(name("d"), tally), (name("gone"), tally)];
        DirectivesReport { handler: HandlerId(handler), life, announced: 10, tallies, answers: Vec::new() }
    }

    #[test]
    fn reports_replace_each_other_and_lives_add_up_r95() {
        let (mut told, now) = (Told::default(), Instant::now());
        let stands = |id: &Name| id.as_str() == "d";
        for report in [report(1, 7, 1), report(1, 7, 3), report(1, 7, 3), report(1, 8, 2), report(2, 7, 5)] {
            told.report(report, stands, now);
        }
        let (tally, handlers) = told.tally(&name("d"));
        assert_eq!((tally.applied, tally.reached, handlers), (10, 13, 3));
        assert_eq!(told.tally(&name("gone")).1, 0, "what does not stand is not kept");
        let later = now + PRESENT;
        told.report(report(3, 1, 1), stands, later);
        assert_eq!(told.tally(&name("d")).0.applied, 11, "the acknowledgements of a handler that died count");
        told.report(report(3, 1, 1), |_| false, later + PRESENT);
        assert_eq!(told.reports.len(), 1);
    }

    #[test]
    fn a_question_is_put_to_each_handler_until_it_answers_r92() {
        let (mut told, now) = (Told::default(), Instant::now());
        let stands = |_: &Name| true;
        told.report(report(1, 1, 0), stands, now);
        told.report(report(2, 1, 0), stands, now);
        let until = now + Duration::from_secs(3);
        let number = told.ask(name("d"), Targets::default(), until, now).expect("room");
        for _ in 0..2 {
            assert_eq!(told.report(report(1, 1, 0), stands, now)[0].number, number);
        }
        let answer = DirectivesReport { answers: vec![(number, 4), (99, 9)], ..report(1, 1, 0) };
        assert_eq!(told.report(answer, stands, now), []);
        let count = told.count(number, now);
        assert_eq!(count, TargetsCount { sessions: 4, announced: 20, handlers: 1, silent: 1 });
        assert_eq!(told.report(report(2, 1, 0), stands, until), [], "its time is over");
        let asked = |told: &mut Told| told.ask(name("d"), Targets::default(), until, now).is_some();
        assert_eq!((0..20).filter(|_| asked(&mut told)).count(), QUESTIONS_MAX);
    }
}
