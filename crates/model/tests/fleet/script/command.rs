//! What scripts call the commands.

use model::{
    Cause, Command, DatabaseId, DatabaseOption, Directive, Epoch, Fact, FleetId, Fork, ForkPoint,
    IdempotencyKey, Incarnation, Level, Name, NameError, Person, PinnedTo, Registration, SenderRole,
    ServerId, Targets, Tenure, TimestampMs, What, Wish,
};

use super::words::Words;

/// Every command's verb.
pub const VERBS: &[&str] = &[
    "found",
    "create",
    "rename",
    "drop",
    "forget",
    "assign",
    "unassign",
    "register",
    "expire",
    "handler",
    "user",
    "drop-user",
    "drain",
    "undrain",
    "fork",
    "form",
    "abandon",
    "options",
    "put-directive",
    "end-directive",
    "put-sender",
    "by",
    "pin",
    "unpin",
    "pause",
    "resume",
    "record",
    "raise",
    "reserve",
    "adopt",
];

/// The command that a line means; `None` when the verb is no command's.
pub fn read(verb: &str, words: &mut Words) -> Option<Result<Command, NameError>> {
    Some(match verb {
        "found" => Ok(Command::Found { fleet: FleetId(words.hex()) }),
        "create" => create(words),
        "rename" => {
            let database = words.parse();
            name(words).map(|name| Command::RenameDatabase { database, name })
        }
        "drop" => Ok(Command::DropDatabase { database: words.parse() }),
        "forget" => Ok(Command::ForgetDatabase { database: words.parse() }),
        "assign" => Ok(assign(words)),
        "unassign" => Ok(Command::UnassignDatabase { database: words.parse(), epoch_expected: epoch(words) }),
        "register" => register(words),
        "expire" => Ok(expire(words)),
        "handler" => handler(words),
        "user" => user(words),
        "drop-user" => name(words).map(|name| Command::DropUser { name }),
        "drain" => Ok(drain(words, true)),
        "undrain" => Ok(drain(words, false)),
        "fork" => fork(words),
        "abandon" => Ok(Command::AbandonDatabase { database: words.parse() }),
        "form" => Ok(Command::FormDatabase { database: words.parse() }),
        "options" => Ok(options(words)),
        "record" => Ok(record(words)),
        "put-directive" => put_directive(words),
        "end-directive" => name(words).map(|id| Command::EndDirective { id }),
        "put-sender" => put_sender(words),
        "by" => administer(words),
        "pin" => Ok(Command::PinDatabase { database: words.parse(), to: Some(pin(words)) }),
        "unpin" => Ok(Command::PinDatabase { database: words.parse(), to: None }),
        "pause" => name(words).map(|by| Command::PauseBalancing { by, paused: true }),
        "resume" => name(words).map(|by| Command::PauseBalancing { by, paused: false }),
        "raise" => Ok(Command::RaiseLevel { level: Level(words.parse()) }),
        "reserve" => Ok(Command::ReserveDatabase { key: IdempotencyKey(words.hex()) }),
        "adopt" => {
            let (database, name) = (words.parse(), name(words));
            let epoch = epoch(words);
            name.map(|name| Command::AdoptDatabase { database, name, epoch })
        }
        _ => return None,
    })
}

/// `put-sender ann approver`, or no right at all: `put-sender ann -`.
fn put_sender(words: &mut Words) -> Result<Command, NameError> {
    Ok(Command::PutSender { user: name(words)?, role: right(words), by: Name::new("dba")? })
}

fn right(words: &mut Words) -> Option<SenderRole> {
    SenderRole::parse(&words.next())
}

/// `by ann send d-1 hold for=5000`, `by ann propose d-1 rule for=5000`, `by ann give g-1 bob sender`,
/// `by bob approve d-1`, `by bob revoke d-1`.
fn administer(words: &mut Words) -> Result<Command, NameError> {
    let by = Person { user: name(words)?, at: Name::new("handler-1")? };
    let verb = words.next();
    let wish = match verb.as_str() {
        "send" | "propose" => match put_directive(words)? {
            Command::PutDirective { id, directive } => {
                Wish::Send { id, directive, second: verb == "propose" }
            }
            other => panic!("{other:?}"),
        },
        "give" => Wish::PutSender { id: name(words)?, user: name(words)?, role: right(words) },
        "approve" => Wish::Approve { id: name(words)? },
        "revoke" => Wish::Revoke { id: name(words)? },
        other => panic!("{other}: nobody wants that"),
    };
    Ok(Command::Administer { by, wish })
}

/// `put-directive d-1 hold for=5000 [to=shop]`: the text is one word, or so many bytes as `bytes=` says.
fn put_directive(words: &mut Words) -> Result<Command, NameError> {
    let id = name(words)?;
    let mut text = words.next();
    if let Some(bytes) = words.named_as("bytes") {
        text = "x".repeat(bytes);
    }
    let lifetime_ms = words.named_as("for").expect("for= is needed");
    let targets = Targets { database: words.named_as("to"), ..Targets::default() };
    let directive = Box::new(Directive { text, targets, lifetime_ms, by: Name::new("dba")? });
    Ok(Command::PutDirective { id, directive })
}

/// `server=1`, or `location=west`, or so many bytes of one as `bytes=` says.
fn pin(words: &mut Words) -> PinnedTo {
    let location = words.named("location");
    let long = words.named_as("bytes").map(|bytes| "x".repeat(bytes));
    match location.or(long) {
        Some(location) => PinnedTo::Location(location),
        None => PinnedTo::Server(ServerId(words.named_as("server").expect("server= or location= is needed"))),
    }
}

/// `1/a`: server 1 in incarnation a.
pub fn tenure(text: &str) -> Tenure {
    let (server, life) = text.split_once('/').unwrap_or_else(|| panic!("{text}: not server/life"));
    let incarnation = u64::from_str_radix(life, 16).unwrap_or_else(|error| panic!("{life}: {error}"));
    Tenure {
        server: ServerId(server.parse().unwrap_or_else(|error| panic!("{server}: {error}"))),
        incarnation: Incarnation(incarnation),
    }
}

fn name(words: &mut Words) -> Result<Name, NameError> {
    Name::new(&words.next())
}

fn epoch(words: &mut Words) -> Epoch {
    Epoch(words.named_as("epoch").expect("epoch= is needed"))
}

fn create(words: &mut Words) -> Result<Command, NameError> {
    let name = name(words);
    let owner = words.named("owner").map(|owner| tenure(&owner));
    let key = words.named_hex("key").map(IdempotencyKey);
    Ok(Command::CreateDatabase { name: name?, owner, key })
}

fn fork(words: &mut Words) -> Result<Command, NameError> {
    let parent = words.parse();
    let name = name(words);
    let at = match (words.named_as("position"), words.named_as("time")) {
        (Some(position), _) => ForkPoint::Position(position),
        (None, Some(time)) => ForkPoint::Time(TimestampMs(time)),
        (None, None) => ForkPoint::Newest,
    };
    let key = words.named_hex("key").map(IdempotencyKey);
    Ok(Command::ForkDatabase { name: name?, fork: Fork { parent, at }, key })
}

fn assign(words: &mut Words) -> Command {
    let database: DatabaseId = words.parse();
    let to = tenure(&words.named("to").expect("to= is needed"));
    Command::AssignDatabase { database, epoch_expected: epoch(words), to }
}

fn life(words: &mut Words, key: &str) -> Option<Incarnation> {
    words.named_hex(key).map(|life| Incarnation(u64::try_from(life).expect("a life has 64 bits")))
}

fn register(words: &mut Words) -> Result<Command, NameError> {
    let name = name(words);
    let text = |words: &mut Words, key, default: &str| words.named(key).unwrap_or_else(|| default.into());
    let data_address = text(words, "data", "d:1");
    let control_address = text(words, "control", "c:1");
    let location = text(words, "location", "zone");
    let capacity = words.named_as("capacity").unwrap_or(1);
    let supersedes = life(words, "supersedes");
    let incarnation = life(words, "life").expect("life= is needed");
    let registration = Registration { name: name?, data_address, control_address, location, capacity };
    Ok(Command::RegisterServer { registration, supersedes, incarnation })
}

fn expire(words: &mut Words) -> Command {
    let Tenure { server, incarnation } = tenure(&words.next());
    Command::ExpireServer { server, incarnation }
}

fn drain(words: &mut Words, draining: bool) -> Command {
    let Tenure { server, incarnation } = tenure(&words.next());
    Command::DrainServer { server, incarnation, draining }
}

fn handler(words: &mut Words) -> Result<Command, NameError> {
    let name = name(words);
    let address = words.named("address").unwrap_or_else(|| "h:1".into());
    let location = words.named("location").unwrap_or_else(|| "zone".into());
    Ok(Command::RegisterHandler { name: name?, address, location })
}

fn user(words: &mut Words) -> Result<Command, NameError> {
    let name = name(words);
    let verifier = words.named("verifier").expect("verifier= is needed");
    Ok(Command::PutUser { name: name?, verifier })
}

fn options(words: &mut Words) -> Command {
    let database = words.parse();
    let read = |name: &str| {
        let value = words.named(name)?;
        Some(DatabaseOption::parse(name, &value).unwrap_or_else(|error| panic!("{error}")))
    };
    Command::SetDatabaseOptions {
        database,
        options: DatabaseOption::NAMES.into_iter().filter_map(read).collect(),
    }
}

/// `record load_finished database=db-1 on=1`, as often as `times=` says.
fn record(words: &mut Words) -> Command {
    let name = words.next().replace('_', " ");
    let what = What::ALL.into_iter().find(|what| what.name() == name);
    let mut fact = Fact::new(what.unwrap_or_else(|| panic!("{name}: no kind of event")));
    fact.database = words.named_as("database");
    fact.epoch = words.named_as("epoch").map(Epoch);
    fact.server = words.named_as("on").map(ServerId);
    Command::RecordEvents { facts: vec![fact; words.named_as("times").unwrap_or(1)] }
}

/// A cause by its name, with underscores for blanks.
pub fn cause(name: &str) -> Cause {
    let cause = Cause::ALL.into_iter().find(|cause| cause.name().replace(' ', "_") == name);
    cause.unwrap_or_else(|| panic!("{name}: no cause"))
}
