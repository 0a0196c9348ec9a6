//! `stationmaster users …`: who may log in at a handler.
//!
//! Passwords become SCRAM verifiers here and go no further. They are never taken from the command line, where every
//! process of the machine could read them.

use std::process::ExitCode;

use clap::Subcommand;
use model::Name;
use rpc::{Controllers, controller::Operation};

use super::{Cell, Cluster, Listing, Reach, cluster::answered, listing::print, password};
use crate::failure::Usage;

/// What can be done with users.
#[derive(Subcommand)]
pub enum Request {
    /// All users
    List(Reach),
    /// Make a user; the password is asked for, or taken from stdin or STATIONMASTER_PASSWORD
    Create {
        /// Its name
        name: Name,
        /// Read the password from stdin, its first line
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        reach: Reach,
    },
    /// Change a user's password; it is asked for, or taken from stdin or STATIONMASTER_PASSWORD
    Password {
        /// Its name
        name: Name,
        /// Read the password from stdin, its first line
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take a user away; sessions that are open go on
    Drop {
        /// Its name
        name: Name,
        #[command(flatten)]
        reach: Reach,
    },
}

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::List(reach) => {
            let controllers = reach.cluster()?.freshest().await?;
            let users = users(&controllers).await?;
            let listing = users
                .iter()
                .fold(Listing::new(&["name"]), |listing, name| listing.with(vec![Cell::text(name)]));
            print(reach.json, || listing.json(), || listing.table())?;
        }
        Request::Create { name, password_stdin, reach } => {
            let cluster = reach.cluster()?;
            if users(&cluster.freshest().await?).await?.contains(&name) {
                let text = format!(
                    "user \"{name}\" exists already; `stationmaster users password {name}` changes its password"
                );
                return Err(Usage(text).into());
            }
            put(&cluster, &name, &password::ask(&name, password_stdin)?).await?;
            tell(&reach, "created", &name)?;
        }
        Request::Password { name, password_stdin, reach } => {
            let cluster = reach.cluster()?;
            if !users(&cluster.freshest().await?).await?.contains(&name) {
                return Err(model::Rejection::UserUnknown { name }.into());
            }
            put(&cluster, &name, &password::ask(&name, password_stdin)?).await?;
            tell(&reach, "changed the password of", &name)?;
        }
        Request::Drop { name, reach } => {
            reach.cluster()?.operate(Operation::DropUser { name: name.to_string() }).await?;
            tell(&reach, "dropped", &name)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn users(controllers: &Controllers) -> anyhow::Result<Vec<Name>> {
    answered(controllers.any(|client, context| Box::pin(async move { client.users(context).await })).await)
}

async fn put(cluster: &Cluster, name: &Name, password: &str) -> anyhow::Result<()> {
    let operation = Operation::PutUser { name: name.to_string(), verifier: verifier(password) };
    cluster.operate(operation).await.map(|_| ())
}

/// A fresh verifier of a password, in PostgreSQL's text form.
pub fn verifier(password: &str) -> String {
    wire::scram::Verifier::random(password, &mut rand::rng()).to_string()
}

fn tell(reach: &Reach, did: &str, name: &Name) -> anyhow::Result<()> {
    print(reach.json, || serde_json::json!({ "name": &**name }), || format!("{did} user {name}\n"))?;
    Ok(())
}
