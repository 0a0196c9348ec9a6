//! Doing what a statement says: asking the controllers, and making tables of their answers.

use futures::FutureExt;
use model::{IdempotencyKey, Name, RequestId, ServerState};
use rand::Rng;
use rpc::controller::{DatabaseInfo, DatabaseRef, Operation};
use wire::{scram::Verifier, sqlstate};

use super::{
    Answer, Cell, Row, Statement,
    scalar::{Scalar, version},
    show::Show,
    statement::{Attribute, Condition, DatabaseQuery, Password},
};
use crate::{failure, failure::Failure, handler::Handler, limits::LOCAL_ROWS_MAX};

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) request: RequestId,
    pub(crate) user: &'a str,
    /// The database that the session is on, as the client named it.
    pub(crate) database: &'a str,
    /// As the client knows it.
    pub(crate) process_id: u32,
}

/// Runs a statement that is none about transactions.
///
/// # Errors
/// What the client is to be told.
pub(crate) async fn run(
    handler: &Handler,
    asker: Asker<'_>,
    statement: &Statement,
    parameters: &[Option<String>],
) -> Result<Answer, Failure> {
    let title = statement.title();
    match statement {
        Statement::CreateDatabase { name, ignored } => {
            let key = IdempotencyKey(rand::rng().random());
            operate(handler, asker, Operation::CreateDatabase { name: name.clone(), key }).await?;
            let mut answer = Answer::done(title);
            answer.notices.extend(notice(ignored));
            Ok(answer)
        }
        Statement::DropDatabase { name, if_exists } => drop_database(handler, asker, name, *if_exists).await,
        Statement::RenameDatabase { name, to } => {
            let database = DatabaseRef::parse(name);
            operate(handler, asker, Operation::RenameDatabase { database, name: to.clone() }).await?;
            Ok(Answer::done(title))
        }
        Statement::MoveDatabase { name, server } => {
            let database = DatabaseRef::parse(name);
            operate(handler, asker, Operation::MoveDatabase { database, server: server.clone() }).await?;
            Ok(Answer::done(title))
        }
        Statement::PutUser { name, password, exists } => {
            expect_user(handler, name, *exists).await?;
            let verifier = verifier(password.clone()).await?;
            operate(handler, asker, Operation::PutUser { name: name.clone(), verifier }).await?;
            Ok(Answer::done(title))
        }
        Statement::DropUser { name, if_exists } => {
            let dropped = operate(handler, asker, Operation::DropUser { name: name.clone() }).await;
            skip_missing(dropped, *if_exists, title, &format!("role \"{name}\" does not exist, skipping"))
        }
        Statement::Show(show) => show_list(handler, show).await,
        Statement::Databases(query) => databases(handler, query, parameters).await,
        Statement::Values(values) => {
            let row = values.iter().map(|(_, scalar)| value(scalar, asker)).collect();
            Ok(Answer::rows("SELECT", vec![row]))
        }
        Statement::Nothing { tag } => Ok(Answer::done(*tag)),
        Statement::Begin { .. } | Statement::Commit | Statement::Rollback => {
            unreachable!("BUG: transactions are the session's own business")
        }
    }
}

async fn operate(handler: &Handler, asker: Asker<'_>, operation: Operation) -> Result<(), Failure> {
    // Which change: by name only, as one of them carries a verifier.
    let change = change(&operation);
    tracing::info!(request = %asker.request, user = asker.user, change, "change asked for");
    let done = handler.controllers.operate(asker.request, operation).await;
    let done = done.map_err(|error| failure::not_operated(&error))?;
    handler.router.operated(done.revision, done.database.as_ref());
    Ok(())
}

fn change(operation: &Operation) -> String {
    match operation {
        Operation::CreateDatabase { name, .. } => format!("create database {name}"),
        Operation::DropDatabase { database } => format!("drop database {database}"),
        Operation::RenameDatabase { database, name } => format!("rename database {database} to {name}"),
        Operation::PutUser { name, .. } => format!("put user {name}"),
        Operation::DropUser { name } => format!("drop user {name}"),
        Operation::AssignDatabase { database, .. } => format!("assign database {database}"),
        Operation::MoveDatabase { database, server } => format!("move database {database} to {server}"),
        Operation::UnassignDatabase { database } => format!("unassign database {database}"),
        Operation::DrainServer { server, draining: true } => format!("drain server {server}"),
        Operation::DrainServer { server, draining: false } => format!("drain server {server} no more"),
        Operation::ExpireServer { server } => format!("expire server {server}"),
    }
}

fn notice(ignored: &[String]) -> Option<Failure> {
    if ignored.is_empty() {
        return None;
    }
    let options = ignored.join(", ");
    Some(Failure::new(
        sqlstate::SUCCESSFUL_COMPLETION,
        format!("ignored, as it means nothing here: {options}"),
    ))
}

async fn drop_database(
    handler: &Handler,
    asker: Asker<'_>,
    name: &str,
    if_exists: bool,
) -> Result<Answer, Failure> {
    if name == asker.database {
        return Err(Failure::new(sqlstate::OBJECT_IN_USE, "cannot drop the currently open database"));
    }
    let dropped =
        operate(handler, asker, Operation::DropDatabase { database: DatabaseRef::parse(name) }).await;
    skip_missing(
        dropped,
        if_exists,
        "DROP DATABASE",
        &format!("database \"{name}\" does not exist, skipping"),
    )
}

fn skip_missing(
    dropped: Result<(), Failure>,
    if_exists: bool,
    tag: &str,
    skipping: &str,
) -> Result<Answer, Failure> {
    let is_missing = |failure: &Failure| {
        [sqlstate::INVALID_CATALOG_NAME, sqlstate::UNDEFINED_OBJECT].contains(&failure.code)
    };
    match dropped {
        Err(failure) if if_exists && is_missing(&failure) => {
            let mut answer = Answer::done(tag);
            answer.notices.push(Failure::new(sqlstate::SUCCESSFUL_COMPLETION, skipping));
            Ok(answer)
        }
        dropped => dropped.map(|()| Answer::done(tag)),
    }
}

async fn expect_user(handler: &Handler, name: &str, exists: bool) -> Result<(), Failure> {
    let is_there = users(handler).await?.iter().any(|user| user.as_str() == name);
    match (is_there, exists) {
        (true, false) => {
            Err(Failure::new(sqlstate::DUPLICATE_OBJECT, format!("role \"{name}\" already exists")))
        }
        (false, true) => {
            Err(Failure::new(sqlstate::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))
        }
        (true, true) | (false, false) => Ok(()),
    }
}

/// The verifier to store: the one given instead of a password, as PostgreSQL's tools do, or a new one.
async fn verifier(Password(password): Password) -> Result<String, Failure> {
    if password.starts_with("SCRAM-SHA-256$") {
        let verifier: Verifier = password.parse().map_err(|error| Failure::from(&error))?;
        return Ok(verifier.to_string());
    }
    if password.is_empty() {
        return Err(Failure::new(sqlstate::INVALID_PARAMETER_VALUE, "a password must not be empty"));
    }
    // Costs milliseconds by design.
    let made = tokio::task::spawn_blocking(move || Verifier::random(&password, &mut rand::rng()).to_string());
    made.await.map_err(|_| Failure::new(sqlstate::INTERNAL_ERROR, "the password could not be hashed"))
}

async fn users(handler: &Handler) -> Result<Vec<Name>, Failure> {
    ask(handler.controllers.any(|client, context| async move { client.users(context).await }.boxed()).await)
}

fn ask<T>(answer: Result<T, rpc::Error>) -> Result<T, Failure> {
    answer.map_err(|error| failure::not_operated(&error))
}

async fn show_list(handler: &Handler, show: &Show) -> Result<Answer, Failure> {
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
        Show::Users => users(handler).await?.iter().map(|user| vec![user.as_str().into()]).collect(),
        Show::Version => vec![vec![version().into()]],
        Show::Setting(_, value) => vec![vec![(*value).into()]],
    };
    Ok(Answer::rows("SHOW", rows))
}

fn server_row(info: &rpc::controller::ServerInfo) -> Row {
    let state = match info.state {
        ServerState::Up => "up",
        ServerState::Down => "down",
        ServerState::Draining => "draining",
    };
    let load = info.heartbeat.as_ref().map(|seen| seen.load);
    vec![
        info.name.as_str().into(),
        u64::from(info.server.0).into(),
        state.into(),
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
    ]
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

async fn databases(
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

fn value(scalar: &Scalar, asker: Asker<'_>) -> Cell {
    match scalar {
        Scalar::Constant(cell) => cell.clone(),
        Scalar::User => asker.user.into(),
        Scalar::Database => asker.database.into(),
        Scalar::ProcessId => Cell::Int(i64::from(asker.process_id as i32)),
    }
}
