//! Directives on the console: a user's wishes are signed and passed on, and what stands is shown (R92, R93).
//!
//! Nothing is decided here: the leading controller looks at the signature, and the map says what the user may do. The
//! key to sign with is what the user proved to know of the password when logging in, and goes with the session.

use directive::{Directive, Draft};
use futures::FutureExt;
use model::{Name, RequestId, SenderRole, Targets};
use rpc::{
    controller::Operation,
    directives::{Proven, SendersInfo, Wish, signed},
};
use wire::{scram, sqlstate};

use super::{Answer, Asker, Row, run::operate};
use crate::{failure, failure::Failure, handler::Handler};

/// Has the controllers do it, in the user's name.
async fn wish(handler: &Handler, asker: Asker<'_>, wish: Wish) -> Result<(), Failure> {
    let Some(key) = asker.key else {
        let what = "directives are sent on the console: connect to the database \"stationmaster\"";
        return Err(Failure::new(sqlstate::INSUFFICIENT_PRIVILEGE, what));
    };
    // One of its own for each, so that each signature is for one wish.
    let asker = Asker { request: RequestId(rand::random()), ..asker };
    let (user, at) = (asker.user.to_owned(), handler.settings.name.to_string());
    let proof = scram::sign(key.0, &signed(asker.request, &user, &at, &wish));
    operate(handler, asker, Operation::Administer { by: Proven { user, at, proof }, wish }).await
}

/// `SEND DIRECTIVE`: its id and what becomes of it, or how many sessions it would reach.
pub(super) async fn send(
    handler: &Handler,
    asker: Asker<'_>,
    draft: &Draft,
    targets: &Targets,
    dry_run: bool,
) -> Result<Answer, Failure> {
    let directive = draft.directive(rand::random());
    let directive =
        directive.map_err(|bad| Failure::new(sqlstate::INVALID_PARAMETER_VALUE, bad.to_string()))?;
    if dry_run {
        return count(handler, &directive, targets).await;
    }
    let text = directive::encode(&directive);
    let text =
        text.map_err(|refusal| Failure::new(sqlstate::INVALID_PARAMETER_VALUE, refusal.to_string()))?;
    let (id, takes_two) = (directive.id.clone(), directive.kind().takes_two());
    wish(handler, asker, Wish::Send { id: id.clone(), text, targets: targets.clone() }).await?;
    Ok(said(&id, if takes_two { WAITS } else { "sent" }))
}

/// What is said of what takes two persons.
const WAITS: &str = "waits for APPROVE by another user";

/// `APPROVE`.
pub(super) async fn approve(handler: &Handler, asker: Asker<'_>, id: &str) -> Result<Answer, Failure> {
    wish(handler, asker, Wish::Approve { id: id.into() }).await?;
    Ok(said(id, "approved"))
}

/// `REVOKE DIRECTIVE`.
pub(super) async fn revoke(
    handler: &Handler,
    asker: Asker<'_>,
    id: Option<String>,
) -> Result<Answer, Failure> {
    wish(handler, asker, Wish::Revoke { id }).await?;
    Ok(Answer::done("REVOKE"))
}

/// `GRANT` and `REVOKE` of a right.
pub(super) async fn put_sender(
    handler: &Handler,
    asker: Asker<'_>,
    user: &str,
    role: Option<SenderRole>,
) -> Result<Answer, Failure> {
    let id = format!("g-{:08x}", rand::random::<u32>());
    wish(handler, asker, Wish::PutSender { id: id.clone(), user: user.into(), role }).await?;
    Ok(said(&id, WAITS))
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

/// `SHOW SENDERS`: who may do what.
pub(super) async fn show_senders(handler: &Handler) -> Result<Vec<Row>, Failure> {
    let row = |(user, role): (Name, SenderRole)| vec![user.as_str().into(), role.name().into()];
    Ok(senders(handler).await?.senders.into_iter().map(row).collect())
}

/// `SHOW APPROVALS`: what waits for a second person.
pub(super) async fn show_pending(handler: &Handler) -> Result<Vec<Row>, Failure> {
    let row = |info: rpc::directives::PendingInfo| {
        vec![info.id.as_str().into(), info.by.into(), info.what.into(), info.left_ms.div_ceil(1_000).into()]
    };
    Ok(senders(handler).await?.pending.into_iter().map(row).collect())
}

async fn senders(handler: &Handler) -> Result<SendersInfo, Failure> {
    let controllers = &handler.controllers;
    let asked = controllers.any(|client, context| async move { client.senders(context).await }.boxed());
    asked.await.map_err(|error| failure::not_operated(&error))
}
