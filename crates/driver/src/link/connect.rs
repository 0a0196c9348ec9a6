//! Opening a session: who may be connected to, in which order, and what to do when nobody can be (R67, R70, R71).

use std::time::Duration;

use directive::{
    action::{React, SwitchTo},
    receiver::{connect::Blocked, errors::Failure},
};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::{LoadBalanceHosts, TargetSessionAttrs};

use super::{Limits, Link, left};
use crate::{
    driver::Plan,
    error::{Effect, Error},
    processor::target,
    protocol::{Address, DialError},
    recovery::{BROKEN, Permit, backoff},
    session::Session,
};

/// Why an address is not connected to at present.
pub(super) enum Pause {
    /// A directive says so.
    Held(Address, Blocked),
    /// It failed lately.
    LeftAlone(Duration),
}

impl Pause {
    fn length(&self) -> Duration {
        match self {
            Pause::Held(_, blocked) => Duration::from_millis(blocked.left_ms),
            Pause::LeftAlone(left) => *left,
        }
    }
}

impl Link {
    /// Opens a session like the one before, wherever one can be opened until the deadline.
    pub(super) async fn connect(&self, limits: Limits) -> Result<(Session, Plan), Error> {
        let mut changes = self.shared.processor.changes();
        let mut last: Option<Error> = None;
        for round in 1.. {
            changes.mark_unchanged();
            let plan = self.plan()?;
            let (mut pauses, mut tried) = (Vec::new(), false);
            for address in self.candidates(&plan) {
                if let Some(pause) = self.pause(&address, &plan) {
                    pauses.push(pause);
                    continue;
                }
                tried = true;
                match self.try_one(&address, &plan, limits).await {
                    Ok(session) => return Ok((session, plan)),
                    Err(Trial { error, passing: true }) => last = Some(error),
                    Err(Trial { error, passing: false }) => return Err(error),
                }
            }
            let random = rand::random();
            let shortest = pauses.into_iter().min_by_key(Pause::length);
            let pause = match (tried, &shortest) {
                (false, Some(pause)) => pause.length(),
                (_, pause) => {
                    let own = backoff(round, None, random);
                    pause.as_ref().map_or(own, |pause| pause.length().min(own))
                }
            };
            if let (false, Some(Pause::Held(address, blocked))) = (tried, &shortest)
                && !self.shared.processor.waits(pause, left(limits.deadline))
            {
                let (server, reason) = (address.to_string(), blocked.reason.clone());
                return Err(Error::Held { server, reason, retry_in: pause });
            }
            if Instant::now() + pause >= limits.deadline {
                return Err(last.unwrap_or_else(|| limits.late("connecting", Effect::None, None)));
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // A hold may have ended, or a name may lead elsewhere.
                Ok(()) = changes.changed() => {}
            }
        }
        unreachable!("BUG: rounds do not end by themselves")
    }

    /// Addresses in the order in which they are tried: where a directive says to go on, then those of the plan.
    fn candidates(&self, plan: &Plan) -> Vec<Address> {
        use rand::seq::SliceRandom;
        let mut addresses = plan.addresses.clone();
        if plan.config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            addresses.shuffle(&mut rand::rng());
        }
        let names: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let (state, now) = (self.shared.processor.state(), self.shared.processor.now());
        let switch = state.switch(&target(&names, &[&plan.database]), now);
        if let Some(SwitchTo::Address(address)) = switch.map(|switch| switch.switch.to.clone())
            && let Some(first) = Address::parse(&address)
        {
            addresses.insert(0, first);
        }
        addresses
    }

    /// Why an address is to be left alone now, if it is.
    pub(super) fn pause(&self, address: &Address, plan: &Plan) -> Option<Pause> {
        if let Err(blocked) = self.shared.processor.may_connect(address, &plan.database) {
            return Some(Pause::Held(address.clone(), blocked));
        }
        let now = std::time::Instant::now();
        match self.shared.breakers().ask(address, now) {
            Permit::Go => None,
            Permit::NotBefore(at) => Some(Pause::LeftAlone(at.saturating_duration_since(now))),
        }
    }

    /// Tries one address, and makes the session there like the one before.
    pub(super) async fn try_one(
        &self,
        address: &Address,
        plan: &Plan,
        limits: Limits,
    ) -> Result<Session, Trial> {
        let opening = async {
            let session = Session::open(&self.shared, address, &plan.config).await?;
            check_attributes(&session, plan).await?;
            Ok::<_, DialError>(session)
        };
        let now = std::time::Instant::now;
        let session = match timeout_at(limits.deadline, opening).await {
            Err(_) => {
                self.shared.breakers().failed(address, now(), rand::random());
                return Err(Trial { error: limits.late("connecting", Effect::None, None), passing: false });
            }
            Ok(Err(error)) => return Err(self.failed(address, plan, error)),
            Ok(Ok(session)) => session,
        };
        self.shared.breakers().worked(address);
        let settings: Vec<_> =
            self.memory().settings().map(|(name, sql)| (name.to_owned(), sql.to_owned())).collect();
        for (name, sql) in settings {
            match timeout_at(limits.deadline, session.client.batch_execute(&sql)).await {
                Ok(Ok(())) => {}
                Ok(Err(source)) => {
                    let passing = source.as_db_error().is_none();
                    return Err(Trial {
                        error: Error::Restore { what: name, source: Some(source) },
                        passing,
                    });
                }
                Err(_) => {
                    return Err(Trial {
                        error: limits.late("restoring settings", Effect::None, None),
                        passing: false,
                    });
                }
            }
        }
        Ok(session)
    }

    /// Asks the server to cancel what the session is doing.
    pub(crate) async fn cancel(&self, limits: Limits) -> Result<(), Error> {
        let plan = self.plan()?;
        let (address, token) = {
            // Calls share the session, and a transaction's own call cannot be cancelled from a clone that waits for it.
            let session = self.session(limits).await?;
            (session.address.clone(), session.client.cancel_token())
        };
        if let Some(Pause::Held(address, blocked)) = self.pause(&address, &plan) {
            let retry_in = Duration::from_millis(blocked.left_ms);
            return Err(Error::Held { server: address.to_string(), reason: blocked.reason, retry_in });
        }
        let asking = timeout_at(limits.deadline, self.shared.dial.cancel(&address, &plan.config, token));
        let late = |_| limits.late("cancelling", Effect::None, None);
        asking.await.map_err(late)?.map_err(|error| self.failed(&address, &plan, error).error)
    }

    /// What a refused connection means: tried again elsewhere or later, unless it would be refused for ever.
    fn failed(&self, address: &Address, plan: &Plan, error: DialError) -> Trial {
        let code = match &error {
            DialError::Postgres(error) => error.code().map(|code| code.code().to_owned()),
            DialError::Socket(_) => None,
        };
        let (name, processor) = (address.to_string(), &self.shared.processor);
        let servers = [name.as_str()];
        let failure = Failure {
            sqlstate: code.as_deref().unwrap_or(BROKEN),
            attempts: 0,
            harmless: true,
            of: directive::action::Operations::Read,
            table: "",
        };
        let target = target(&servers, &[]);
        let passing = processor.state().reaction(&failure, &target, processor.now()).react != React::Fail;
        // A server that answers, and says that it cannot at present, is as good as none.
        if passing {
            self.shared.breakers().failed(address, std::time::Instant::now(), rand::random());
        }
        self.shared.meter.refused(&plan.database, &error);
        let class = match &error {
            DialError::Socket(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                "time-out while connecting"
            }
            DialError::Socket(_) => "no connection",
            DialError::Postgres(_) => "no session",
        };
        self.shared.trouble(class, code.as_deref(), &name);
        let source: Box<dyn std::error::Error + Send + Sync> = match error {
            DialError::Socket(error) => error.into(),
            DialError::Postgres(error) => error.into(),
        };
        Trial { error: Error::Connect { tried: name, source }, passing }
    }
}

/// An address did not take us.
pub(super) struct Trial {
    pub(super) error: Error,
    /// Another address, or a later moment, may.
    passing: bool,
}

/// tokio-postgres looks after these only when it connects by itself.
async fn check_attributes(session: &Session, plan: &Plan) -> Result<(), DialError> {
    let wanted = match plan.config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => "off",
        TargetSessionAttrs::ReadOnly => "on",
        _ => return Ok(()),
    };
    let rows = session.client.simple_query("SHOW transaction_read_only").await?;
    let fits = rows
        .iter()
        .any(|row| matches!(row, tokio_postgres::SimpleQueryMessage::Row(row) if row.get(0) == Some(wanted)));
    if fits {
        return Ok(());
    }
    let kind = plan.config.get_target_session_attrs();
    Err(DialError::Socket(std::io::Error::other(format!("the server is not {kind:?}"))))
}
