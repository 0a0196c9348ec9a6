//! Doing what a statement says: asking the controllers, and making tables of their answers.

use model::{ForkPoint, IdempotencyKey, RequestId};
use rand::Rng;
use rpc::{
    controller::{DatabaseRef, Operation},
    directives::Wish,
    placement::PinTarget,
};
use wire::{scram::Verifier, sqlstate};

use super::{
    Answer, Cell, Statement, directives,
    lists::{databases, show_list, users},
    scalar::Scalar,
    statement::Password,
};
use crate::{failure, failure::Failure, handler::Handler, login::ClientKey};

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) request: RequestId,
    pub(crate) user: &'a str,
    /// The database that the session is on, as the client named it.
    pub(crate) database: &'a str,
    /// As the client knows it.
    pub(crate) process_id: u32,
    /// The client's `application_name`.
    pub(crate) application: &'a str,
    /// By which the controllers are shown that it is this user who asks.
    pub(crate) key: Option<ClientKey>,
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
        Statement::CreateDatabase { name, template, ignored } => {
            let (name, key) = (name.clone(), IdempotencyKey(rand::rng().random()));
            let operation = match template.as_deref().map(DatabaseRef::parse) {
                Some(database) => Operation::ForkDatabase { database, name, at: ForkPoint::Newest, key },
                None => Operation::CreateDatabase { name, key },
            };
            operate(handler, asker, operation).await?;
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
        Statement::SetDatabaseOptions { name, options } => {
            let database = DatabaseRef::parse(name);
            let options = options.clone();
            operate(handler, asker, Operation::SetDatabaseOptions { database, options }).await?;
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
        Statement::SendDirective { draft, targets, dry_run } => {
            directives::send(handler, asker, draft, targets, *dry_run).await
        }
        Statement::ApproveDirective { id } => directives::approve(handler, asker, id).await,
        Statement::RevokeDirectives { id } => directives::revoke(handler, asker, id.clone()).await,
        Statement::PutSender { user, role } => directives::put_sender(handler, asker, user, *role).await,
        Statement::Show(show) => show_list(handler, show).await,
        Statement::Databases(query) => databases(handler, query, parameters).await,
        Statement::Values(values) => {
            let row = values.iter().map(|(_, scalar)| value(scalar, asker)).collect();
            Ok(Answer::rows("SELECT", vec![row]))
        }
        Statement::Nothing { tag } => Ok(Answer::done(*tag)),
        Statement::Directive => Ok(Answer::done(title)),
        Statement::Begin { .. } | Statement::Commit | Statement::Rollback => {
            unreachable!("BUG: transactions are the session's own business")
        }
    }
}

pub(super) async fn operate(
    handler: &Handler,
    asker: Asker<'_>,
    operation: Operation,
) -> Result<(), Failure> {
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
        Operation::ForkDatabase { database, name, .. } => format!("copy database {database} to {name}"),
        Operation::DropDatabase { database } => format!("drop database {database}"),
        Operation::RenameDatabase { database, name } => format!("rename database {database} to {name}"),
        Operation::SetDatabaseOptions { database, options } => {
            let options: Vec<String> = options.iter().map(ToString::to_string).collect();
            format!("set {} of database {database}", options.join(" and "))
        }
        Operation::PutUser { name, .. } => format!("put user {name}"),
        Operation::DropUser { name } => format!("drop user {name}"),
        Operation::AssignDatabase { database, .. } => format!("assign database {database}"),
        Operation::MoveDatabase { database, server } => format!("move database {database} to {server}"),
        Operation::UnassignDatabase { database } => format!("unassign database {database}"),
        Operation::DrainServer { server, draining: true } => format!("drain server {server}"),
        Operation::DrainServer { server, draining: false } => format!("drain server {server} no more"),
        Operation::ExpireServer { server } => format!("expire server {server}"),
        Operation::SendDirective { id, .. } | Operation::Administer { wish: Wish::Send { id, .. }, .. } => {
            format!("send directive {id}")
        }
        Operation::EndDirectives { id: Some(id), .. }
        | Operation::Administer { wish: Wish::Revoke { id: Some(id) }, .. } => {
            format!("revoke directive {id}")
        }
        Operation::EndDirectives { id: None, .. }
        | Operation::Administer { wish: Wish::Revoke { id: None }, .. } => "revoke all directives".into(),
        Operation::Administer { wish: Wish::Approve { id }, .. } => format!("approve {id}"),
        Operation::Administer { wish: Wish::PutSender { user, role, .. }, .. }
        | Operation::PutSender { user, role, .. } => match role {
            Some(role) => format!("make user {user} a {role}"),
            None => format!("let user {user} send no more"),
        },
        Operation::PinDatabase { database, to: Some(PinTarget::Server(server)) } => {
            format!("pin database {database} to server {server}")
        }
        Operation::PinDatabase { database, to: Some(PinTarget::Location(location)) } => {
            format!("pin database {database} to location {location}")
        }
        Operation::PinDatabase { database, to: None } => format!("unpin database {database}"),
        Operation::PauseBalancing { paused: true, .. } => "pause balancing".into(),
        Operation::PauseBalancing { paused: false, .. } => "resume balancing".into(),
        Operation::ReleaseBrake => "release the brake".into(),
        Operation::ChangeControllers(_) => "change the set of controllers".into(),
        Operation::AdoptDatabase { database, name, .. } => format!("adopt {database} as {name}"),
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

fn value(scalar: &Scalar, asker: Asker<'_>) -> Cell {
    match scalar {
        Scalar::Constant(cell) => cell.clone(),
        Scalar::User => asker.user.into(),
        Scalar::Database => asker.database.into(),
        Scalar::ProcessId => Cell::Int(i64::from(asker.process_id as i32)),
    }
}
