//! Directives on their way to one client, and what it says of them. Only a client that announced itself has any (S9).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::BytesMut;
use directive::{
    Acknowledgement, Directive, Outcome, Scope,
    postgres::{self, Announcement, Statement},
};
use tokio::sync::Notify;
use wire::{
    SqlState,
    backend::{Fields, Severity, notice_response},
};

use crate::{
    limits::{DIRECTIVES_UNANSWERED_MAX, DIRECTIVES_WAITING_MAX},
    measures,
};

/// What waits for one session.
#[derive(Default)]
pub struct Outbox {
    announced: Mutex<Option<Announced>>,
    /// Whether something waits: looked at with every answer.
    waiting: AtomicBool,
    more: Notify,
}

struct Announced {
    announcement: Announcement,
    /// The database as the client called it.
    database: String,
    waiting: VecDeque<Directive>,
    /// What was sent and not answered for good, by id.
    sent: BTreeMap<String, &'static str>,
}

impl Outbox {
    /// The client understands directives, and calls its database so. It gets what is said from now on.
    pub fn announce(&self, announcement: Announcement, database: &str) {
        let database = database.to_owned();
        let (waiting, sent) = (VecDeque::new(), BTreeMap::new());
        *self.announced() = Some(Announced { announcement, database, waiting, sent });
    }

    /// What the client says of itself, if it understands directives.
    pub fn announcement(&self) -> Option<Announcement> {
        self.announced().as_ref().map(|client| client.announcement.clone())
    }

    /// Puts a directive in, completed for this session; whether the client is to get it. At the limit the oldest goes.
    pub fn put(&self, directive: &Directive) -> bool {
        let mut announced = self.announced();
        let Some(client) = &mut *announced else { return false };
        if !client.announcement.can.has(directive.kind()) {
            return false;
        }
        if client.waiting.len() == DIRECTIVES_WAITING_MAX {
            client.waiting.pop_front();
        }
        let session = client.announcement.session.clone();
        let scope = Scope::database(&client.database);
        client.waiting.push_back(Directive { session, scope, ..directive.clone() });
        self.waiting.store(true, Ordering::Release);
        self.more.notify_one();
        true
    }

    /// Whether something waits.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// Waits until something may be there.
    pub async fn more(&self) {
        while !self.waiting.load(Ordering::Acquire) {
            self.more.notified().await;
        }
    }

    /// Writes all that waits as notices.
    pub fn write(&self, out: &mut BytesMut, way: &'static str) {
        if !self.waiting.swap(false, Ordering::AcqRel) {
            return;
        }
        let mut announced = self.announced();
        let Some(client) = &mut *announced else { return };
        for directive in std::mem::take(&mut client.waiting) {
            let kind = directive.kind().name();
            match postgres::notice(&directive) {
                Ok(notice) => {
                    let code = SqlState::new(notice.sqlstate).expect("BUG: five letters and digits");
                    let fields = Fields {
                        detail: Some(&notice.detail),
                        ..Fields::new(Severity::Notice, code, &notice.message)
                    };
                    notice_response(out, &fields);
                    measures::directed(kind, way);
                    if client.sent.len() == DIRECTIVES_UNANSWERED_MAX {
                        client.sent.pop_first();
                    }
                    client.sent.insert(directive.id, kind);
                }
                // What a rule asks for was checked when it was read.
                Err(refusal) => tracing::error!(%refusal, kind, "a directive cannot be sent"),
            }
        }
    }

    /// The client sent this SQL: an announcement or acknowledgements, perhaps. Whether it announced itself by it.
    pub fn hear(&self, sql: &str, database: &str) -> bool {
        match postgres::statement(sql) {
            None => false,
            Some(Ok(Statement::Announce(announcement))) => {
                self.announce(announcement, database);
                true
            }
            Some(Ok(Statement::Acknowledge(acknowledgements))) => {
                self.acknowledged(&acknowledgements);
                false
            }
            Some(Err(refusal)) => {
                tracing::debug!(%refusal, "what a client says of directives makes no sense");
                measures::acknowledged("unknown", "unreadable");
                false
            }
        }
    }

    fn acknowledged(&self, acknowledgements: &[Acknowledgement]) {
        let mut announced = self.announced();
        let Some(client) = &mut *announced else { return };
        for Acknowledgement { id, outcome } in acknowledgements {
            let (name, last) = match outcome {
                Outcome::Refused { .. } => ("refused", true),
                Outcome::Applied { .. } => ("applied", false),
                Outcome::Done => ("done", true),
                Outcome::Failed { .. } => ("failed", true),
                Outcome::Expired => ("expired", true),
            };
            let kind = if last { client.sent.remove(id) } else { client.sent.get(id).copied() };
            // What nobody sent here, or what was answered before, counts for nothing but itself.
            measures::acknowledged(kind.unwrap_or("unknown"), name);
            tracing::info!(
                directive = id,
                outcome = name,
                known = kind.is_some(),
                "a directive was acknowledged"
            );
        }
    }

    fn announced(&self) -> MutexGuard<'_, Option<Announced>> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use conditions::Rules;
    use directive::{Kind, Order};

    use super::*;

    fn directive(id: &str, condition: &str) -> Directive {
        let rules = Rules::built_in();
        let tell = rules.rules[condition].tells.first().expect("it tells something").clone();
        tell.directive(id.into(), Order::default(), "because")
    }

    fn announced(options: &str) -> Outbox {
        let outbox = Outbox::default();
        outbox.announce(Announcement::parse(options).expect(options), "shop");
        outbox
    }

    fn waiting(outbox: &Outbox) -> usize {
        let mut out = BytesMut::new();
        outbox.write(&mut out, "idle");
        String::from_utf8_lossy(&out).matches("SM001").count()
    }

    #[test]
    fn only_what_a_client_can_do_is_put_in_and_little_is_kept() {
        assert!(!Outbox::default().put(&directive("a", "overload")), "it has not announced itself");
        let outbox = announced("1;can=hold");
        assert!(!outbox.put(&directive("a", "overload")), "it knows no rate");
        assert!(outbox.put(&directive("b", "too_many_files")));
        assert_eq!((waiting(&outbox), waiting(&outbox)), (1, 0), "once");
        for number in 0..2 * DIRECTIVES_WAITING_MAX {
            assert!(outbox.put(&directive(&number.to_string(), "too_many_files")));
        }
        assert_eq!(waiting(&outbox), DIRECTIVES_WAITING_MAX);
    }

    #[test]
    fn acknowledgements_are_read_back_and_strangers_ids_count_for_nothing() {
        let outbox = announced("1");
        for id in ["a", "b"] {
            outbox.put(&directive(id, "overload"));
        }
        assert_eq!(waiting(&outbox), 2);
        let say = |id: &str| {
            let sql = postgres::acknowledge(&[Acknowledgement::done(id)]).expect("fits");
            assert!(!outbox.hear(&sql, "shop"));
        };
        let unanswered =
            || outbox.announced().as_ref().map(|client| client.sent.keys().cloned().collect::<Vec<_>>());
        say("x");
        assert_eq!(unanswered(), Some(vec!["a".into(), "b".into()]));
        say("a");
        assert_eq!(unanswered(), Some(vec!["b".into()]));
        outbox.hear("SET stationmaster.acknowledge = 'nonsense'", "shop");
        outbox.hear("SET search_path = 'x'", "shop");
        assert_eq!(unanswered(), Some(vec!["b".into()]));
        assert_eq!(directive("a", "overload").kind(), Kind::Rate);
    }
}
