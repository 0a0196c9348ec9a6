//! One call of the application: sent, and sent again where that is safe and allowed, until its own deadline (R68, R71-R73).

use std::{
    sync::{OnceLock, atomic::Ordering},
    time::Duration,
};

use directive::{
    action::Operations,
    receiver::{
        errors::{Advice, Failure},
        rate::Permit,
    },
};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::error::Severity;

use super::{Link, left};
use crate::{
    error::{Effect, Error},
    processor::{ms, target},
    recovery::{BROKEN, Facts, REPEATABLE, Request, Verdict, verdict},
    routines::FAIL_FAST,
    session::{Failed, Session},
    work::{Answer, Work, control},
};

/// A call's deadline, and what it was in the beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) deadline: Instant,
    pub(crate) whole: Duration,
}

impl Limits {
    pub(crate) fn from_now(whole: Duration) -> Limits {
        let far = Duration::from_secs(365 * 86_400);
        Limits { deadline: Instant::now() + whole.min(far), whole }
    }

    pub(crate) fn late(self, doing: &'static str, effect: Effect, source: Option<Error>) -> Error {
        Error::Deadline { limit: self.whole, doing, effect, source: source.map(Box::new) }
    }
}

/// What a call is, looked into only where that matters.
pub(crate) struct Call<'a> {
    work: Work<'a>,
    /// The application says that doing it twice does no harm.
    idempotent: bool,
    only_reads: OnceLock<bool>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(work: Work<'a>, idempotent: bool) -> Call<'a> {
        Call { work, idempotent, only_reads: OnceLock::new() }
    }

    fn only_reads(&self) -> bool {
        *self.only_reads.get_or_init(|| self.work.only_reads())
    }

    fn operations(&self) -> Operations {
        if self.only_reads() { Operations::Read } else { Operations::Write }
    }
}

/// What is to be done about a failure.
enum Next {
    Again(Duration),
    End(Error),
}

impl Link {
    /// Does what is asked.
    pub(crate) async fn call(&self, call: &Call<'_>, limits: Limits) -> Result<Answer, Error> {
        self.shared.budget().earn();
        for tries in 1.. {
            self.permit(call, limits).await?;
            let session = self.session(limits).await?;
            let pause = match self.send(&session, call, limits).await {
                Ok(answer) => return Ok(answer),
                Err(Unsent::Late(error)) => return Err(error),
                Err(Unsent::Failed { failed, in_transaction }) => {
                    match self.next(&session, call, failed, in_transaction, tries) {
                        Next::End(error) => return Err(error),
                        Next::Again(pause) => pause,
                    }
                }
            };
            drop(session);
            if Instant::now() + pause >= limits.deadline {
                return Err(limits.late("waiting to send it again", Effect::None, None));
            }
            self.shared.meter.repeated();
            tokio::time::sleep(pause).await;
        }
        unreachable!("BUG: tries are bounded by policies and budgets")
    }

    /// Waits for the call's turn where a directive limits the rate (R81).
    pub(crate) async fn permit(&self, call: &Call<'_>, limits: Limits) -> Result<(), Error> {
        if !self.shared.rated.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (address, database) = self.target();
        let (servers, databases) = ([address.as_str()], [database.as_str()]);
        let processor = &self.shared.processor;
        let permit = {
            let mut state = processor.state();
            let left_ms = ms(left(limits.deadline));
            state.permit(call.operations(), &target(&servers, &databases), Some(left_ms), processor.now())
        };
        match permit {
            Permit::Go => Ok(()),
            Permit::WaitMs(pause_ms) => {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                Ok(())
            }
            Permit::Refused(blocked) => {
                let retry_in = Duration::from_millis(blocked.left_ms);
                Err(Error::Limited { reason: blocked.reason, retry_in })
            }
        }
    }

    /// Sends a request once, and keeps in mind what it does to the session.
    pub(crate) async fn send(
        &self,
        session: &Session,
        call: &Call<'_>,
        limits: Limits,
    ) -> Result<Answer, Unsent> {
        let (watch, text) = (&session.watch, call.work.text());
        let in_transaction = watch.in_transaction();
        self.memory().sent(text);
        let result = timeout_at(limits.deadline, session.run(call.work)).await;
        self.memory().answered(matches!(result, Ok(Ok(_))), watch.in_transaction(), watch.ended());
        match result {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failed)) => Err(Unsent::Failed { failed, in_transaction }),
            Err(_) => {
                let harmless = call.idempotent || call.only_reads() || !watch.is_under_way();
                if watch.is_silent()
                    && watch.is_under_way()
                    && !in_transaction
                    && self.memory().pin().is_none()
                {
                    self.leave(session);
                }
                let effect = if harmless { Effect::None } else { Effect::Unknown };
                Err(Unsent::Late(limits.late("waiting for the server's answer", effect, None)))
            }
        }
    }

    /// Gives up a session whose server has not begun to answer, so that the next call does not wait
    /// for it, too; and asks that server to stop what it may still be doing.
    fn leave(&self, session: &Session) {
        session.abandon();
        session.tell();
        let (shared, address) = (self.shared.clone(), session.address.clone());
        let token = session.client.cancel_token();
        let Ok(plan) = self.plan() else { return };
        if shared.processor.may_connect(&address, &plan.database).is_ok() {
            tokio::spawn(async move {
                let asking = shared.dial.cancel(&address, &plan.config, token);
                // Nobody waits for it, and a dead server need not hear it.
                let _ = tokio::time::timeout(Duration::from_secs(10), asking).await;
            });
        }
    }

    fn next(
        &self,
        session: &Session,
        call: &Call<'_>,
        failed: Failed,
        in_transaction: bool,
        tries: u64,
    ) -> Next {
        let (verdict, broken) = self.judge(session, call, &failed, in_transaction);
        let error = failed.error;
        match verdict {
            Verdict::Unknown => return Next::End(Error::OutcomeUnknown(error)),
            Verdict::TransactionLost => return Next::End(Error::TransactionLost(error)),
            Verdict::InTransaction => return Next::End(Error::Postgres(error)),
            Verdict::Harmless => {}
        }
        if self.shared.is_on(FAIL_FAST) {
            return Next::End(Error::Postgres(error));
        }
        let (address, database) = self.target();
        let (servers, databases) = ([address.as_str()], [database.as_str()]);
        let db = error.as_db_error();
        let code = error.code().map(|code| code.code()).or(session.end_code()).unwrap_or(BROKEN);
        let failure = Failure {
            // Nobody knows what became of it, and it does not matter: done twice it is the same. So it is like what was
            // certainly not done.
            sqlstate: if matches!(code, "40003" | "08007") { REPEATABLE } else { code },
            attempts: tries - 1,
            harmless: broken || db.is_some(),
            of: call.operations(),
            table: db.and_then(|db| db.table()).unwrap_or_default(),
        };
        let processor = &self.shared.processor;
        let advice = processor.state().on_error(&failure, &target(&servers, &databases), processor.now());
        let pause_ms = match advice {
            Advice::Fail => return Next::End(Error::Postgres(error)),
            Advice::RetryAfter(pause_ms) => pause_ms,
            Advice::ReconnectAfter(pause_ms) => {
                if !broken && self.memory().pin().is_some() {
                    return Next::End(Error::Postgres(error));
                }
                session.abandon();
                pause_ms
            }
        };
        if !self.shared.budget().spend() {
            return Next::End(Error::Postgres(error));
        }
        Next::Again(Duration::from_millis(pause_ms))
    }

    /// What is known about a failure; and whether the session is at its end, which it is from now on.
    pub(crate) fn judge(
        &self,
        session: &Session,
        call: &Call<'_>,
        failed: &Failed,
        in_transaction: bool,
    ) -> (Verdict, bool) {
        let error = &failed.error;
        let fatal = error
            .as_db_error()
            .is_some_and(|db| matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic)));
        let broken = fatal || session.is_ended();
        let control = control(call.work.text());
        let facts = Facts {
            code: error.code().map(|code| code.code()).or(session.end_code()),
            broken,
            under_way: session.watch.is_under_way() && !failed.preparing,
        };
        let request = Request {
            repeatable: (call.idempotent && !control.any) || call.only_reads(),
            in_transaction: in_transaction || (control.any && !broken),
            commits: control.commits,
        };
        if broken {
            session.abandon();
            session.tell();
        }
        (verdict(request, facts), broken)
    }
}

/// A request without an answer that counts.
pub(crate) enum Unsent {
    Failed { failed: Failed, in_transaction: bool },
    Late(Error),
}
