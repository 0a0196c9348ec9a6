//! `SHOW`: the fleet's lists, and settings that drivers look at.

use wire::sqlstate;

use super::{
    Column, Kind, Statement,
    cursor::Cursor,
    placement::{self, Placement},
    scalar,
};
use crate::failure::Failure;

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Databases,
    Servers,
    Handlers,
    Controllers,
    Users,
    /// Those that stand.
    Directives,
    /// Who may send them.
    Senders,
    /// What waits for a second person.
    Approvals,
    /// The clients of this handler.
    Sessions,
    Version,
    /// What happened lately, all of it or about one thing.
    Events {
        database: Option<String>,
        server: Option<String>,
        limit: u32,
    },
    /// Where databases go, and why.
    Placement(Placement),
    /// A setting and its value.
    Setting(String, &'static str),
}

/// After `SHOW`.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Statement, Failure> {
    let before = cursor.clone();
    let mut name = cursor.identifier()?;
    let show = match name.as_str() {
        "databases" => Show::Databases,
        "servers" => Show::Servers,
        "handlers" => Show::Handlers,
        "controllers" => Show::Controllers,
        "users" | "roles" => Show::Users,
        "sessions" => Show::Sessions,
        "directives" => Show::Directives,
        "senders" => Show::Senders,
        "approvals" => Show::Approvals,
        "version" => Show::Version,
        "events" => events(cursor)?,
        "placement" => Show::Placement(placement::parse(cursor)?),
        _ => {
            if name == "transaction" {
                cursor.expect_word("isolation")?;
                cursor.expect_word("level")?;
                name = "transaction_isolation".into();
            } else if name == "time" {
                cursor.expect_word("zone")?;
                name = "timezone".into();
            }
            let value = scalar::setting(&name).ok_or_else(|| unknown(&name, &before))?;
            Show::Setting(name, value)
        }
    };
    Ok(Statement::Show(show))
}

/// How many events are shown when it is not said.
const EVENTS_SHOWN: u32 = 100;

/// `[FOR DATABASE name | FOR SERVER name] [LIMIT n]`
fn events(cursor: &mut Cursor<'_>) -> Result<Show, Failure> {
    let (mut database, mut server, mut limit) = (None, None, EVENTS_SHOWN);
    if cursor.word("for") {
        if cursor.word("database") {
            database = Some(cursor.identifier()?);
        } else {
            cursor.expect_word("server")?;
            server = Some(cursor.identifier()?);
        }
    }
    if cursor.word("limit") {
        limit = cursor.number()?;
    }
    Ok(Show::Events { database, server, limit })
}

fn unknown(name: &str, cursor: &Cursor<'_>) -> Failure {
    Failure {
        code: sqlstate::UNDEFINED_OBJECT,
        message: format!("unrecognized configuration parameter \"{name}\""),
        hint: Some(
            "SHOW DATABASES, SERVERS, HANDLERS, CONTROLLERS, USERS, SESSIONS, DIRECTIVES, SENDERS, APPROVALS, EVENTS, PLACEMENT and VERSION are known here."
                .into(),
        ),
        ..cursor.unexpected()
    }
}

impl Show {
    pub(super) fn columns(&self) -> Vec<Column> {
        use Kind::{Bool, Int8, Text};
        let columns: &[(&str, Kind)] = match self {
            Self::Databases => &[
                ("name", Text),
                ("id", Text),
                ("epoch", Int8),
                ("server", Text),
                ("address", Text),
                ("options", Text),
            ],
            Self::Servers => &[
                ("name", Text),
                ("id", Int8),
                ("state", Text),
                ("address", Text),
                ("location", Text),
                ("capacity", Int8),
                ("databases", Int8),
                ("loaded", Int8),
                ("sessions", Int8),
                ("heartbeat_ms_ago", Int8),
            ],
            Self::Handlers => &[("name", Text), ("id", Int8), ("address", Text), ("location", Text)],
            Self::Controllers => {
                &[("id", Int8), ("address", Text), ("leader", Bool), ("voter", Bool), ("matched", Int8)]
            }
            Self::Users => &[("name", Text)],
            Self::Directives => &[
                ("id", Text),
                ("action", Text),
                ("left_s", Int8),
                ("to", Text),
                ("by", Text),
                ("reason", Text),
                ("reached", Int8),
                ("applied", Int8),
                ("done", Int8),
                ("refused", Int8),
            ],
            Self::Senders => &[("user", Text), ("right", Text)],
            Self::Approvals => &[("id", Text), ("by", Text), ("what", Text), ("left_s", Int8)],
            Self::Sessions => &[
                ("process_id", Int8),
                ("user", Text),
                ("database", Text),
                ("application", Text),
                ("driver", Text),
                ("location", Text),
            ],
            Self::Version => &[("version", Text)],
            Self::Events { .. } => &[
                ("time", Text),
                ("id", Text),
                ("what", Text),
                ("subject", Text),
                ("server", Text),
                ("epoch", Text),
                ("took_us", Int8),
                ("cause", Text),
                ("evidence", Text),
            ],
            Self::Placement(shown) => shown.columns(),
            Self::Setting(name, _) => return vec![Column::new(name, Text)],
        };
        columns.iter().map(|(name, kind)| Column::new(*name, *kind)).collect()
    }
}
