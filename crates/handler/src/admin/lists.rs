//! The fleet's lists as tables.

use futures::FutureExt;
use model::{Cause, EventsFrom, Name};
use rpc::{
    controller::{DatabaseInfo, DatabaseRef},
    events::{EventInfo, EventsRequest},
};
use wire::sqlstate;

use super::{
    Answer, Cell, Row, directives, placement,
    scalar::version,
    show::Show,
    statement::{Attribute, Condition, DatabaseQuery},
};
use crate::{
    directives::Mailbox, failure, failure::Failure, handler::Handler, limits::LOCAL_ROWS_MAX,
    sessions::Handle,
};

/// The names of all users.
pub(super) async fn users(handler: &Handler) -> Result<Vec<Name>, Failure> {
    ask(handler.controllers.any(|client, context| async move { client.users(context).await }.boxed()).await)
}

fn ask<T>(answer: Result<T, rpc::Error>) -> Result<T, Failure> {
    answer.map_err(|error| failure::not_operated(&error))
}

/// Answers `SHOW`.
pub(super) async fn show_list(handler: &Handler, show: &Show) -> Result<Answer, Failure> {
    let controllers = &handler.controllers;
    let rows: Vec<Row> = match show {
        Show::Databases => {
            let (databases, notice) = all_databases(handler).await?;
            let mut answer = Answer::rows("SHOW", databases.iter().map(database_row).collect());
            answer.notices.extend(notice);
            return Ok(answer);
        }
        Show::Servers => {
            let servers = ask(controllers
                .any(|client, context| async move { client.servers(context).await }.boxed())
                .await)?;
            servers.iter().map(server_row).collect()
        }
        Show::Handlers => {
            let handlers = ask(controllers
                .any(|client, context| async move { client.handlers(context).await }.boxed())
                .await)?;
            let row = |info: rpc::controller::HandlerInfo| {
                vec![
                    info.name.as_str().into(),
                    u64::from(info.handler.0).into(),
                    info.address.into(),
                    info.location.into(),
                ]
            };
            handlers.into_iter().map(row).collect()
        }
        Show::Controllers => {
            let found = ask(controllers
                .any(|client, context| async move { client.controllers(context).await }.boxed())
                .await)?;
            let row = |info: rpc::controller::ControllerInfo| {
                vec![
                    info.controller.0.into(),
                    info.address.into(),
                    info.leader.into(),
                    info.voter.into(),
                    info.matched.into(),
                ]
            };
            found.into_iter().map(row).collect()
        }
        Show::Events { database, server, limit } => {
            let wanted = EventsRequest {
                from: EventsFrom::Last,
                database: database.as_deref().map(DatabaseRef::parse),
                server: server.clone(),
                limit: *limit,
                wait_ms: 0,
            };
            let asked = controllers.leader(move |client, context| {
                let wanted = wanted.clone();
                async move { client.events(context, wanted).await }.boxed()
            });
            ask(asked.await)?.events.iter().map(event_row).collect()
        }
        Show::Placement(shown) => placement::rows(handler, shown).await?,
        Show::Users => users(handler).await?.iter().map(|user| vec![user.as_str().into()]).collect(),
        Show::Directives => directives::show(handler).await?,
        Show::Senders => directives::show_senders(handler).await?,
        Show::Approvals => directives::show_pending(handler).await?,
        Show::Sessions => {
            let sessions = handler.sessions.all();
            sessions.iter().filter_map(|(process_id, handle)| session_row(*process_id, handle)).collect()
        }
        Show::Version => vec![vec![version().into()]],
        Show::Setting(_, value) => vec![vec![(*value).into()]],
    };
    Ok(Answer::rows("SHOW", rows))
}

/// What is known of a client, and what it says of itself.
fn session_row(process_id: u32, handle: &Handle) -> Option<Row> {
    let (who, announced) = (handle.who()?, handle.mailbox().map(Mailbox::announcement));
    let said = |text: Option<&String>| text.map(String::as_str).into();
    Some(vec![
        u64::from(process_id).into(),
        who.user.as_str().into(),
        who.database.as_str().into(),
        who.application.as_str().into(),
        said(announced.and_then(|one| one.driver.as_ref())),
        said(announced.and_then(|one| one.location.as_ref())),
    ])
}

fn event_row(event: &EventInfo) -> Row {
    vec![
        event.at.rfc3339().into(),
        event.id.to_string().into(),
        event.what.name().into(),
        event.subject().into(),
        event.servers().into(),
        event.epochs().into(),
        event.took_us.into(),
        event.cause.map(Cause::name).into(),
        event.evidence.as_str().into(),
    ]
}

fn server_row(info: &rpc::controller::ServerInfo) -> Row {
    let load = info.heartbeat.as_ref().map(|seen| seen.load);
    vec![
        info.name.as_str().into(),
        u64::from(info.server.0).into(),
        placement::state(info.state).into(),
        info.data_address.as_str().into(),
        info.location.as_str().into(),
        u64::from(info.capacity).into(),
        info.databases.into(),
        load.map(|load| load.databases_loaded).into(),
        load.map(|load| load.sessions).into(),
        info.heartbeat.as_ref().map(|seen| seen.ms_ago).into(),
    ]
}

fn database_row(info: &DatabaseInfo) -> Row {
    vec![
        info.name.as_str().into(),
        info.database.to_string().into(),
        info.epoch.0.into(),
        info.owner.as_ref().map(|owner| owner.server.as_str()).into(),
        info.owner.as_ref().map(|owner| owner.address.as_str()).into(),
        options(info).into(),
    ]
}

/// The options that are not at their defaults; `None` when all are.
fn options(info: &DatabaseInfo) -> Option<String> {
    let set: Vec<String> = info.options.set_ones().iter().map(ToString::to_string).collect();
    (!set.is_empty()).then(|| set.join(" "))
}

/// All databases by name, up to a bound, and a warning when there are more.
async fn all_databases(handler: &Handler) -> Result<(Vec<DatabaseInfo>, Option<Failure>), Failure> {
    let mut databases: Vec<DatabaseInfo> = Vec::new();
    loop {
        let after: Option<Name> = databases.last().map(|info| info.name.clone());
        let limit = rpc::limits::PAGE_MAX;
        let page = handler.controllers.any(move |client, context| {
            let after = after.clone();
            async move { client.databases(context, after, limit).await }.boxed()
        });
        let page = ask(page.await)?;
        let got_any = !page.databases.is_empty();
        databases.extend(page.databases);
        if databases.len() > LOCAL_ROWS_MAX || (databases.len() == LOCAL_ROWS_MAX && page.more) {
            databases.truncate(LOCAL_ROWS_MAX);
            let text = format!("only the first {LOCAL_ROWS_MAX} of {} databases are shown", page.total);
            return Ok((databases, Some(Failure::new(sqlstate::WARNING, text))));
        }
        if !page.more || !got_any {
            return Ok((databases, None));
        }
    }
}

/// Answers a query on `pg_database`.
pub(super) async fn databases(
    handler: &Handler,
    query: &DatabaseQuery,
    parameters: &[Option<String>],
) -> Result<Answer, Failure> {
    let (databases, notice) = all_databases(handler).await?;
    let found = databases
        .iter()
        .filter(|info| query.conditions.iter().all(|condition| holds(condition, &info.name, parameters)));
    let rows = if query.select.iter().any(|(_, attribute)| *attribute == Attribute::Count) {
        vec![vec![(found.count() as u64).into()]]
    } else {
        found.map(|info| query.select.iter().map(|(_, attribute)| cell(attribute, info)).collect()).collect()
    };
    let mut answer = Answer::rows("SELECT", rows);
    answer.notices.extend(notice);
    Ok(answer)
}

fn holds(condition: &Condition, name: &str, parameters: &[Option<String>]) -> bool {
    match condition {
        Condition::Named(wanted) => wanted == name,
        Condition::NamedBy(number) => {
            parameters.get(*number as usize - 1).is_some_and(|wanted| wanted.as_deref() == Some(name))
        }
        Condition::Matches(pattern) => matches_pattern(pattern, name),
        Condition::Constant(holds) => *holds,
    }
}

/// Whether the name fits a pattern of literal parts with anything between them.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split(".*");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn cell(attribute: &Attribute, info: &DatabaseInfo) -> Cell {
    match attribute {
        Attribute::Name => info.name.as_str().into(),
        // PostgreSQL's object identifiers have 32 bits.
        Attribute::Oid => (info.database.0 & 0x7fff_ffff).into(),
        Attribute::Owner => "stationmaster".into(),
        Attribute::Encoding => "UTF8".into(),
        Attribute::EncodingNumber => Cell::Int(6),
        Attribute::Locale => "C".into(),
        Attribute::Provider => "libc".into(),
        Attribute::IsTemplate => false.into(),
        Attribute::AllowsConnections => true.into(),
        Attribute::ConnectionLimit => Cell::Int(-1),
        Attribute::Null | Attribute::Count => Cell::Null,
        Attribute::Constant(_, cell) => cell.clone(),
    }
}
