//! Runs script lines on a fleet and says what they answered and changed.

use model::{
    Change, Changes, Command, DatabaseId, Entry, EventFilter, EventId, EventsFrom, Fact, Fleet, Name,
    NameError, Outcome, Rejection, Revision, ServerId, TimestampMs, What, Why, codec,
};

use super::{command, words::Words};
use crate::view;

/// Every rejection that a command can get from a map that a script can make. (The ends of the id counters have tests
/// beside the code.)
pub const REJECTIONS: &[&str] = &[
    "Founded",
    "NameTaken",
    "NameReserved",
    "NameInvalid",
    "DatabaseUnknown",
    "EpochStale",
    "ServerUnknown",
    "ServerNotUp",
    "ServerNameTaken",
    "UserUnknown",
    "TooLong",
    "CapacityZero",
    "DatabaseForming",
    "DatabaseFormed",
    "DatabaseCopied",
    "CannotAdopt",
    "DatabaseKnown",
    "DirectiveUnknown",
    "DirectiveKnown",
    "DirectivesFull",
    "NotAllowed",
    "SecondPerson",
    "PendingUnknown",
    "PendingFull",
    "SendersFull",
];

/// A fleet, and the revision of the next entry.
#[derive(Default)]
pub struct Interpreter {
    fleet: Fleet,
}

impl Interpreter {
    /// Runs one line; gives what it prints.
    pub fn run(&mut self, line: &str) -> Vec<String> {
        let before = view::lines(&self.fleet);
        let mut words = Words::new(line);
        let verb = words.next();
        let mut printed = match command::read(&verb, &mut words) {
            Some(command) => self.apply(command, &mut words),
            None => self.other(&verb, &mut words),
        };
        words.end();
        let after = view::lines(&self.fleet);
        printed.extend(before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}")));
        printed.extend(after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}")));
        printed
    }

    fn apply(&mut self, command: Result<Command, NameError>, words: &mut Words) -> Vec<String> {
        let at = TimestampMs(words.named_as("at").unwrap_or(0));
        let why = why(words);
        let result = match command {
            Ok(command) => self.entry(Entry { why, ..Entry::new(at, command) }),
            Err(error) => Err(Rejection::from(error)),
        };
        vec![answer(&result)]
    }

    fn entry(&mut self, entry: Entry) -> Result<Outcome, Rejection> {
        let revision = Revision(self.fleet.revision().0 + 1);
        let result = self.fleet.apply(revision, &entry);
        assert_eq!(self.fleet.revision(), revision, "every entry advances the revision");
        result
    }

    fn other(&mut self, verb: &str, words: &mut Words) -> Vec<String> {
        match verb {
            "advance" => self.advance(),
            "show" => view::lines(&self.fleet),
            "look-up" => vec![self.look_up(&words.next())],
            "page" => self.page(words),
            "changes" => self.changes(words),
            "snapshot" => self.snapshot(),
            "restore" => {
                let at = TimestampMs(words.named_as("at").unwrap_or(0));
                self.fleet = std::mem::take(&mut self.fleet).restored(at, "a backup");
                vec![format!("revision {}", self.fleet.revision())]
            }
            "events" => self.events(words),
            "flood-events" => self.flood_events(words.parse()),
            "flood-creates" => self.flood_creates(words.parse()),
            "flood-users" => self.flood_users(words.parse()),
            "counts" => self.counts(),
            "flood-directives" => self.flood_directives(words.parse()),
            "flood-senders" => self.flood_senders(words.parse()),
            "flood-pending" => self.flood_pending(words.parse()),
            _ => panic!("no such command: {verb}"),
        }
    }

    fn advance(&mut self) -> Vec<String> {
        self.fleet.advance(Revision(self.fleet.revision().0 + 1));
        vec![format!("revision {}", self.fleet.revision())]
    }

    fn look_up(&self, text: &str) -> String {
        let id = text.parse().ok().or_else(|| self.fleet.database_named(text));
        id.filter(|id| self.fleet.database(*id).is_some())
            .map_or_else(|| "nothing".into(), |id: DatabaseId| view::database(&self.fleet, id))
    }

    fn page(&self, words: &mut Words) -> Vec<String> {
        let after: Option<Name> = words.named_as("after");
        let limit: usize = words.named_as("limit").unwrap_or(usize::MAX);
        let page = self.fleet.databases_after(after.as_ref()).take(limit);
        page.map(|(id, database)| format!("{id} {}", database.name)).collect()
    }

    fn changes(&self, words: &mut Words) -> Vec<String> {
        let since = Revision(words.named_as("since").expect("since= is needed"));
        let limit = words.named_as("limit").unwrap_or(usize::MAX);
        match self.fleet.changes(since, limit) {
            Changes::Reset => vec!["reset".into()],
            Changes::Since(changes) if changes.is_empty() => vec!["nothing".into()],
            Changes::Since(changes) => changes.into_iter().map(change).collect(),
        }
    }

    fn events(&self, words: &mut Words) -> Vec<String> {
        let since = words.named_as("since").map(|at| EventsFrom::Since(TimestampMs(at)));
        let after = words.named_as("after").map(EventsFrom::After);
        let limit = words.named_as("limit").unwrap_or(usize::MAX);
        let filter = EventFilter {
            database: words.named_as("database"),
            server: words.named_as("server").map(ServerId),
        };
        let from = since.or(after).unwrap_or(EventsFrom::Last);
        let page = self.fleet.events().read(self.fleet.revision(), from, filter, limit);
        let mut lines: Vec<String> = page.overrun.then(|| "overrun".into()).into_iter().collect();
        lines.extend(page.events.iter().map(view::event));
        let all = page.next == EventId::end_of(self.fleet.revision());
        lines.push(if all { "no more".into() } else { format!("more after {}", page.next) });
        lines
    }

    /// Records that many facts with the longest evidence, each by an entry of its own.
    fn flood_events(&mut self, count: u64) -> Vec<String> {
        let fact = Fact::new(What::LoadFinished).evidence("x".repeat(model::EVIDENCE_BYTES_MAX));
        for _ in 0..count {
            self.now(Command::RecordEvents { facts: vec![fact.clone()] }).expect("facts are always taken");
        }
        vec![format!("{} events, forgotten up to {}", self.fleet.events().len(), self.fleet.events().floor())]
    }

    /// Puts that many directives that stand for a second.
    fn flood_directives(&mut self, count: u64) -> Vec<String> {
        for number in 0..count {
            let name = |text: &str| Name::new(text).expect("a good name");
            let (id, by) = (name(&format!("flood{number}")), name("dba"));
            let targets = model::Targets::default();
            let directive = model::Directive { text: "hold".into(), targets, lifetime_ms: 1_000, by };
            self.fleet
                .apply(
                    Revision(self.fleet.revision().0 + 1),
                    &Entry::new(
                        TimestampMs(100),
                        Command::PutDirective { id, directive: Box::new(directive) },
                    ),
                )
                .expect("there is room");
        }
        vec![format!("{} directives", self.fleet.directives().len())]
    }

    /// Lets that many users send directives.
    fn flood_senders(&mut self, count: u64) -> Vec<String> {
        let name = |text: &str| Name::new(text).expect("a good name");
        for number in 0..count {
            let user = name(&format!("flood{number}"));
            self.now(Command::PutUser { name: user.clone(), verifier: "v".into() }).expect("a user");
            let role = Some(model::SenderRole::Sender);
            self.now(Command::PutSender { user, role, by: name("dba") }).expect("there is room");
        }
        vec![format!("{} senders", self.fleet.senders().len())]
    }

    /// Has user alice ask for rights until so many wait.
    fn flood_pending(&mut self, count: u64) -> Vec<String> {
        let name = |text: &str| Name::new(text).expect("a good name");
        let waiting = self.fleet.pending().len() as u64;
        for number in waiting..count {
            let by = model::Person { user: name("alice"), at: name("here") };
            let id = name(&format!("flood{number}"));
            let wish = model::Wish::PutSender { id, user: name("bob"), role: None };
            self.now(Command::Administer { by, wish }).expect("there is room");
        }
        vec![format!("{} pending", self.fleet.pending().len())]
    }

    fn counts(&self) -> Vec<String> {
        let mut lines = vec![format!("databases {}", self.fleet.databases_len())];
        let counts = self.fleet.databases_per_server();
        lines.extend(counts.iter().map(|(server, count)| format!("server {server} owns {count}")));
        lines
    }

    /// Goes on with what a snapshot brings back.
    fn snapshot(&mut self) -> Vec<String> {
        let again = codec::decode_snapshot(&codec::encode_snapshot(&self.fleet)).expect("our own snapshot");
        let same = again.digest() == self.fleet.digest();
        self.fleet = again;
        vec![if same { "same digest".into() } else { "another digest".into() }]
    }

    /// Creates and drops that many databases, each under its own idempotency key.
    fn flood_creates(&mut self, count: u128) -> Vec<String> {
        for number in 0..count {
            let name = Name::new(&format!("flood{number}")).expect("a good name");
            let key = Some(model::IdempotencyKey((1 << 64) + number));
            let create = Command::CreateDatabase { name, owner: None, key };
            let Ok(Outcome::Database { database, .. }) = self.now(create) else { panic!("not created") };
            self.now(Command::DropDatabase { database }).expect("just created");
            self.now(Command::ForgetDatabase { database }).expect("just dropped");
        }
        vec!["done".into()]
    }

    /// Changes one user that many times.
    fn flood_users(&mut self, count: u64) -> Vec<String> {
        for number in 0..count {
            let name = Name::new("flood").expect("a good name");
            self.now(Command::PutUser { name, verifier: number.to_string() }).expect("a user can change");
        }
        vec![format!("revision {}", self.fleet.revision())]
    }

    fn now(&mut self, command: Command) -> Result<Outcome, Rejection> {
        self.entry(Entry::new(TimestampMs(0), command))
    }
}

/// `why=put_away_idle evidence=unused_for_5_s took=1200`
fn why(words: &mut Words) -> Option<Why> {
    let evidence = words.named("evidence").unwrap_or_default().replace('_', " ");
    let took_us = words.named_as("took");
    let cause = command::cause(&words.named("why")?);
    Some(Why { took_us, ..Why::new(cause, evidence) })
}

fn answer(result: &Result<Outcome, Rejection>) -> String {
    match result {
        Ok(Outcome::Done) => "done".into(),
        Ok(Outcome::Database { database, epoch }) => format!("{database} at epoch {epoch}"),
        Ok(Outcome::Server { server }) => format!("server {server}"),
        Ok(Outcome::Handler { handler }) => format!("handler {handler}"),
        Err(rejection) => format!("rejected {}: {rejection}", name_of(rejection)),
    }
}

/// Exhaustive, so that a new rejection must be thought of here, and then in [`REJECTIONS`].
fn name_of(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::Founded { .. } => "Founded",
        Rejection::NameTaken { .. } => "NameTaken",
        Rejection::NameReserved { .. } => "NameReserved",
        Rejection::NameInvalid(_) => "NameInvalid",
        Rejection::DatabaseUnknown { .. } => "DatabaseUnknown",
        Rejection::EpochStale { .. } => "EpochStale",
        Rejection::ServerUnknown { .. } => "ServerUnknown",
        Rejection::ServerNotUp { .. } => "ServerNotUp",
        Rejection::ServerNameTaken { .. } => "ServerNameTaken",
        Rejection::IdsExhausted { .. } => "IdsExhausted",
        Rejection::UserUnknown { .. } => "UserUnknown",
        Rejection::TooLong { .. } => "TooLong",
        Rejection::CapacityZero => "CapacityZero",
        Rejection::ServerDraining { .. } => "ServerDraining",
        Rejection::DatabaseForming { .. } => "DatabaseForming",
        Rejection::DatabaseFormed { .. } => "DatabaseFormed",
        Rejection::DatabaseCopied { .. } => "DatabaseCopied",
        Rejection::LevelLow { .. } => "LevelLow",
        Rejection::CannotAdopt { .. } => "CannotAdopt",
        Rejection::DatabaseKnown { .. } => "DatabaseKnown",
        Rejection::DirectiveUnknown { .. } => "DirectiveUnknown",
        Rejection::DirectiveKnown { .. } => "DirectiveKnown",
        Rejection::DirectivesFull { .. } => "DirectivesFull",
        Rejection::NotAllowed { .. } => "NotAllowed",
        Rejection::SecondPerson { .. } => "SecondPerson",
        Rejection::PendingUnknown { .. } => "PendingUnknown",
        Rejection::PendingFull { .. } => "PendingFull",
        Rejection::SendersFull { .. } => "SendersFull",
    }
}

fn change((revision, change): &(Revision, Change)) -> String {
    match change {
        Change::Database(id) => format!("{revision}: database {id}"),
        Change::Server(id) => format!("{revision}: server {id}"),
        Change::Handler(id) => format!("{revision}: handler {id}"),
        Change::User(name) => format!("{revision}: user {name}"),
        Change::Directives => format!("{revision}: directives"),
    }
}
