//! All that stands, for all sessions of this handler.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, RwLock, Weak},
};

use bytes::BytesMut;
use directive::{Acknowledgement, Outcome};
use model::{DIRECTIVES_MAX, Name, Targets, TimestampMs};
use rpc::directives::{DirectiveInfo, Tally};
use tokio::time::{Duration, Instant};

use super::{
    gateway::Gateway,
    mailbox::Mailbox,
    post::{From, Post},
};
use crate::{limits::DIRECTIVE_PATIENCE, metrics, sessions::Handle};

/// What stands, whom it may concern, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Board {
    posts: RwLock<Vec<Arc<Post>>>,
    sessions: Mutex<Vec<Weak<Handle>>>,
    tallies: Mutex<BTreeMap<Name, Tally>>,
    gateway: Gateway,
}

impl Board {
    /// A session has announced itself: from now on it is told what concerns it. Only the first time counts.
    pub(crate) fn announce(&self, handle: &Arc<Handle>, mailbox: Mailbox) {
        if handle.open_mailbox(mailbox) {
            let mut sessions = self.sessions();
            sessions.retain(|session| session.strong_count() > 0);
            sessions.push(Arc::downgrade(handle));
        }
    }

    /// This is what the controllers say now. What they say no longer is taken back from those who have it.
    pub(crate) fn replace(&self, infos: Vec<DirectiveInfo>) {
        let now = Instant::now();
        let said: Vec<Arc<Post>> =
            infos.into_iter().filter_map(|info| post(info, now)).take(DIRECTIVES_MAX).map(Arc::new).collect();
        {
            let mut posts = self.posts.write().expect("BUG: nothing panics while holding this lock");
            let is_over = |post: &Post| post.until <= now;
            let gone = |post: &&Arc<Post>| {
                post.from == From::Controllers && !is_over(post) && !said.iter().any(|one| one.id == post.id)
            };
            let revoking: Vec<_> = posts
                .iter()
                .filter(gone)
                .filter_map(|post| Post::revoking(post, rand::random()).map(Arc::new))
                .collect();
            posts.retain(|post| post.from != From::Controllers && !is_over(post));
            posts.extend(said);
            posts.extend(revoking);
        }
        self.tell_all();
    }

    /// A session waits for a server of that database, whose last epoch is known as this.
    pub(crate) fn waits(&self, database: &str, epoch: u64, clock: TimestampMs) {
        self.say(self.gateway.waits(database, epoch, clock, Instant::now()));
    }

    /// A server does not answer this handler: nobody is to connect to that database for a while, and whoever is connected to
    /// the server itself is to come back to where its configuration points.
    pub(crate) fn silent(&self, database: &str, address: &str, epoch: u64, clock: TimestampMs) {
        let now = Instant::now();
        if let Some(hold) = self.gateway.silent(database, epoch, clock, now) {
            let leave = Gateway::leave(&hold, address);
            self.say(Some(hold));
            self.say(leave);
        }
    }

    /// A session has got a server.
    pub(crate) fn served(&self, database: &str, clock: TimestampMs) {
        self.say(self.gateway.served(database, clock, Instant::now()));
    }

    /// Puts up what this handler found out, in place of what it said of that database before.
    fn say(&self, post: Option<Post>) {
        let Some(post) = post else { return };
        tracing::info!(directive = %post.id, kind = %post.directive.kind(), reason = post.directive.reason, "gateway");
        {
            let mut posts = self.posts.write().expect("BUG: nothing panics while holding this lock");
            let now = Instant::now();
            posts.retain(|known| known.from != post.from && known.until > now);
            posts.push(Arc::new(post));
        }
        self.tell_all();
    }

    /// Everybody is to look: when it is convenient, and a moment later in any case.
    fn tell_all(&self) {
        let sessions: Vec<Arc<Handle>> = self.announced();
        for handle in &sessions {
            handle.tell_mail();
        }
        if sessions.is_empty() {
            return;
        }
        let sessions: Vec<Weak<Handle>> = sessions.iter().map(Arc::downgrade).collect();
        tokio::spawn(async move {
            tokio::time::sleep(DIRECTIVE_PATIENCE).await;
            sessions.iter().filter_map(Weak::upgrade).for_each(|handle| handle.press_mail());
        });
    }

    /// Appends what is new to a session and for it.
    pub(crate) fn take(&self, mailbox: &Mailbox, out: &mut BytesMut) {
        mailbox.looks();
        let now = Instant::now();
        let posts = self.posts();
        mailbox.retain(|id| {
            let taken_back = |post: &Arc<Post>| post.from == From::Revoking(id.clone());
            posts.iter().any(|post| post.id == *id || taken_back(post))
        });
        let said = mailbox.announcement();
        for post in posts.iter().filter(|post| post.until > now) {
            let concerned = match &post.from {
                From::Controllers | From::Gateway(_) | From::Leaving(_) => {
                    post.targets.covers(&post.id, &mailbox.audience())
                }
                From::Revoking(revoked) => mailbox.has(revoked),
            };
            if concerned && said.can.has(post.directive.kind()) && mailbox.give(&post.id) {
                post.write(said.session.as_deref(), now, out);
                metrics::directive_given();
                self.count(&post.id, |tally| tally.reached += 1);
            }
        }
    }

    /// A session has acknowledged something. Whether all of it was about directives of this handler's.
    pub(crate) fn acknowledged(&self, mailbox: &Mailbox, all: &[Acknowledgement]) -> bool {
        let mut own = true;
        for acknowledgement in all {
            own &= mailbox.has(&acknowledgement.id);
            let Some(id) = mailbox.acknowledged(acknowledgement) else { continue };
            tracing::debug!(directive = %id, outcome = ?acknowledgement.outcome, "acknowledged");
            metrics::directive_acknowledged(&acknowledgement.outcome);
            self.count(&id, |tally| match acknowledgement.outcome {
                Outcome::Applied { .. } => tally.applied += 1,
                Outcome::Refused { .. } => tally.refused += 1,
                Outcome::Done => tally.done += 1,
                Outcome::Failed { .. } => tally.failed += 1,
                Outcome::Expired => tally.expired += 1,
            });
        }
        own
    }

    /// What became of what the controllers say.
    pub(crate) fn tallies(&self) -> Vec<(Name, Tally)> {
        let posts = self.posts();
        let mut tallies = self.tallies.lock().expect("BUG: nothing panics while holding this lock");
        tallies.retain(|id, _| posts.iter().any(|post| post.id == *id));
        tallies.iter().map(|(id, tally)| (id.clone(), *tally)).collect()
    }

    /// How many sessions a directive of that id would reach.
    pub(crate) fn count_targets(&self, id: &Name, targets: &Targets) -> u64 {
        let sessions = self.announced();
        let covered = sessions.iter().filter_map(|handle| handle.mailbox());
        covered.filter(|mailbox| targets.covers(id, &mailbox.audience())).count() as u64
    }

    /// Sessions that have announced themselves and go on.
    pub(crate) fn announced(&self) -> Vec<Arc<Handle>> {
        let mut sessions = self.sessions();
        sessions.retain(|session| session.strong_count() > 0);
        sessions.iter().filter_map(Weak::upgrade).collect()
    }

    fn count(&self, id: &Name, count: impl FnOnce(&mut Tally)) {
        let mut tallies = self.tallies.lock().expect("BUG: nothing panics while holding this lock");
        count(tallies.entry(id.clone()).or_default());
    }

    fn posts(&self) -> Vec<Arc<Post>> {
        self.posts.read().expect("BUG: nothing panics while holding this lock").clone()
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Weak<Handle>>> {
        self.sessions.lock().expect("BUG: nothing panics while holding this lock")
    }
}

/// What a controller says, as a post. What this release cannot read is left out.
fn post(info: DirectiveInfo, now: Instant) -> Option<Post> {
    match directive::decode(info.text.as_bytes()) {
        Ok(directive) => Some(Post {
            id: info.id,
            directive,
            targets: info.targets,
            until: now + Duration::from_millis(info.left_ms),
            from: From::Controllers,
        }),
        Err(error) => {
            tracing::warn!(directive = %info.id, %error, "a directive that this handler cannot read: not sent");
            None
        }
    }
}
