//! Directives on the console: who may send them, and what they are told of those that stand (R92, R93).
//!
//! Users prove themselves by their passwords, and those in `directive_senders` may send. Code and updates (R82, R90) take two
//! of them: what one sends waits here, for a while, until another one approves of it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use directive::{Directive, Draft, Kind};
use futures::FutureExt;
use model::{Name, Targets};
use rpc::controller::Operation;
use tokio::time::{Duration, Instant};
use wire::sqlstate;

use super::{Answer, Asker, Row, run::operate};
use crate::{failure, failure::Failure, handler::Handler};

/// How long a directive waits for a second person.
const WAITS: Duration = Duration::from_secs(600);
/// How many wait at a time.
const WAITING_MAX: usize = 16;

/// Directives that wait for a second person.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<BTreeMap<String, One>>);

#[derive(Clone, Debug)]
struct One {
    directive: Directive,
    targets: Targets,
    user: String,
    until: Instant,
}

impl Waiting {
    /// Keeps one; false when too many wait.
    fn put(&self, one: One, now: Instant) -> bool {
        let mut all = self.all(now);
        let room = all.len() < WAITING_MAX || all.contains_key(&one.directive.id);
        if room {
            all.insert(one.directive.id.clone(), one);
        }
        room
    }

    /// Takes one for somebody who approves of it.
    fn approve(&self, id: &str, user: &str, now: Instant) -> Result<One, Failure> {
        let mut all = self.all(now);
        match all.get(id) {
            None => Err(Failure::new(
                sqlstate::UNDEFINED_OBJECT,
                format!("no directive \"{id}\" waits for approval"),
            )
            .hint("They wait for ten minutes, at the handler where they were sent.")),
            Some(one) if one.user == user => {
                Err(refused("a directive that carries code or an update takes a second person's approval"))
            }
            Some(_) => Ok(all.remove(id).expect("BUG: it was there")),
        }
    }

    fn all(&self, now: Instant) -> MutexGuard<'_, BTreeMap<String, One>> {
        let mut all = self.0.lock().expect("BUG: nothing panics while holding this lock");
        all.retain(|_, one| one.until > now);
        all
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(sqlstate::INSUFFICIENT_PRIVILEGE, why)
}

/// Whether the user may send and revoke here.
fn may(handler: &Handler, asker: Asker<'_>) -> Result<(), Failure> {
    if handler.settings.directive_senders.iter().any(|name| name.as_str() == asker.user) {
        return Ok(());
    }
    tracing::warn!(user = asker.user, "not allowed to send directives");
    let user = asker.user;
    Err(refused(&format!("user \"{user}\" may not send directives"))
        .hint("`directive_senders` in the handler's configuration names those who may."))
}

/// Who it was, for the audit: proven by a password, at this handler.
fn by(handler: &Handler, users: &str) -> String {
    let full = format!("{users}@{}", handler.settings.name);
    Name::new(&full).map_or_else(|_| users.to_owned(), |name| name.to_string())
}

/// `SEND DIRECTIVE`: its id and what becomes of it, or how many sessions it would reach.
pub(super) async fn send(
    handler: &Handler,
    asker: Asker<'_>,
    draft: &Draft,
    targets: &Targets,
    dry_run: bool,
) -> Result<Answer, Failure> {
    may(handler, asker)?;
    let directive = draft.directive(rand::random());
    let directive =
        directive.map_err(|bad| Failure::new(sqlstate::INVALID_PARAMETER_VALUE, bad.to_string()))?;
    if dry_run {
        return count(handler, &directive, targets).await;
    }
    let id = directive.id.clone();
    if matches!(directive.kind(), Kind::Rule | Kind::Update) {
        let (user, now) = (asker.user.to_owned(), Instant::now());
        let one = One { directive, targets: targets.clone(), user, until: now + WAITS };
        if !handler.waiting_directives.put(one, now) {
            return Err(Failure::new(
                sqlstate::CONFIGURATION_LIMIT_EXCEEDED,
                "too many directives wait for approval",
            ));
        }
        tracing::info!(directive = id, user = asker.user, "waits for a second person");
        return Ok(said(&id, "waits for APPROVE DIRECTIVE by another user"));
    }
    put(handler, asker, directive, targets.clone(), asker.user).await?;
    Ok(said(&id, "sent"))
}

/// `APPROVE DIRECTIVE`.
pub(super) async fn approve(handler: &Handler, asker: Asker<'_>, id: &str) -> Result<Answer, Failure> {
    may(handler, asker)?;
    let One { directive, targets, user, .. } =
        handler.waiting_directives.approve(id, asker.user, Instant::now())?;
    let both = format!("{user}+{}", asker.user);
    put(handler, asker, directive, targets, &both).await?;
    Ok(said(id, "sent"))
}

/// `REVOKE DIRECTIVE`.
pub(super) async fn revoke(
    handler: &Handler,
    asker: Asker<'_>,
    id: Option<&String>,
) -> Result<Answer, Failure> {
    may(handler, asker)?;
    let by = by(handler, asker.user);
    operate(handler, asker, Operation::EndDirectives { id: id.cloned(), by }).await?;
    Ok(Answer::done("REVOKE"))
}

async fn put(
    handler: &Handler,
    asker: Asker<'_>,
    directive: Directive,
    targets: Targets,
    users: &str,
) -> Result<(), Failure> {
    let text = directive::encode(&directive);
    let text =
        text.map_err(|refusal| Failure::new(sqlstate::INVALID_PARAMETER_VALUE, refusal.to_string()))?;
    let operation = Operation::SendDirective { id: directive.id, text, targets, by: by(handler, users) };
    operate(handler, asker, operation).await
}

fn said(id: &str, what: &str) -> Answer {
    Answer::rows("SEND DIRECTIVE", vec![vec![id.into(), what.into()]])
}

async fn count(handler: &Handler, directive: &Directive, targets: &Targets) -> Result<Answer, Failure> {
    let id = Name::new(&directive.id)
        .map_err(|error| Failure::new(sqlstate::INVALID_PARAMETER_VALUE, error.to_string()))?;
    let targets = targets.clone();
    let asked = handler.controllers.leader(move |client, context| {
        let (id, targets) = (id.clone(), targets.clone());
        async move { client.count_targets(context, id, targets).await }.boxed()
    });
    let count = asked.await.map_err(|error| failure::not_operated(&error))?;
    let text = format!(
        "would reach {} of {} sessions that understand directives, on {} handlers",
        count.sessions, count.announced, count.handlers
    );
    Ok(said(&directive.id, &text))
}

/// `SHOW DIRECTIVES`: those that stand, and what became of each.
pub(super) async fn show(handler: &Handler) -> Result<Vec<Row>, Failure> {
    let controllers = &handler.controllers;
    let asked = controllers.any(|client, context| async move { client.directives(context).await }.boxed());
    let all = asked.await.map_err(|error| failure::not_operated(&error))?;
    let asked =
        controllers.leader(|client, context| async move { client.directive_tallies(context).await }.boxed());
    let tallies = asked.await.map_err(|error| failure::not_operated(&error))?;
    let row = |info: rpc::directives::DirectiveInfo| {
        let read = directive::decode(info.text.as_bytes()).ok();
        let tally = tallies.iter().find(|told| told.id == info.id).map(|told| told.tally).unwrap_or_default();
        vec![
            info.id.as_str().into(),
            read.as_ref().map(|directive| directive.kind().name()).into(),
            info.left_ms.div_ceil(1_000).into(),
            info.targets.to_string().into(),
            info.by.as_str().into(),
            read.map(|directive| directive.reason).into(),
            tally.reached.into(),
            tally.applied.into(),
            tally.done.into(),
            tally.refused.into(),
        ]
    };
    Ok(all.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(id: &str, user: &str, now: Instant) -> One {
        let draft = Draft { action: "flush".into(), lifetime_ms: 5, id: Some(id.into()), ..Draft::default() };
        let directive = draft.directive(0).expect("a directive");
        One { directive, targets: Targets::default(), user: user.into(), until: now + WAITS }
    }

    #[test]
    fn nobody_approves_of_what_is_his_own_and_nothing_waits_for_ever_r92() {
        let (waiting, now) = (Waiting::default(), Instant::now());
        assert!(waiting.put(one("a", "ann", now), now));
        assert!(waiting.approve("a", "ann", now).is_err());
        assert!(waiting.approve("b", "bob", now).is_err());
        assert_eq!(waiting.approve("a", "bob", now).expect("approved").user, "ann");
        assert!(waiting.approve("a", "bob", now).is_err(), "once");
        for number in 0..WAITING_MAX {
            assert!(waiting.put(one(&number.to_string(), "ann", now), now));
        }
        assert!(!waiting.put(one("more", "ann", now), now));
        assert!(waiting.put(one("more", "ann", now), now + WAITS), "the others' time is over");
        assert!(waiting.approve("0", "bob", now + WAITS).is_err());
    }
}
