//! Who sends: a user with the right to, who proves it with the password as on a console.
//!
//! The fleet's secret alone sends nothing: it finds the controllers, and they want each wish signed by its user.

use clap::Args;
use model::{Name, RequestId};
use rpc::{
    controller::Operation,
    directives::{Proven, Wish, signed},
};
use wire::scram::{Keys, Verifier};

use super::super::{Cluster, cluster::answered, password, user};
use crate::failure::Usage;

/// The process, in the audit.
const AT: &str = "command-line";

/// Who it is.
#[derive(Args)]
pub struct Sender {
    /// The user who sends, and has the right to; without it, the user of this machine. The password is asked for, or
    /// taken from stdin, STATIONMASTER_PASSWORD or PGPASSWORD
    #[arg(long, value_name = "USER", env = "PGUSER")]
    by: Option<Name>,
    /// Read that user's password from stdin, its first line
    #[arg(long)]
    password_stdin: bool,
}

/// One whose password was right.
pub struct Signer {
    user: Name,
    keys: Keys,
}

impl Sender {
    /// Finds the keys that the password opens.
    pub async fn prove(&self, cluster: &Cluster) -> anyhow::Result<Signer> {
        let user = self.by.clone().unwrap_or_else(user);
        let controllers = cluster.freshest().await?;
        let asked = user.to_string();
        let told = controllers.any(move |client, context| {
            let asked = asked.clone();
            Box::pin(async move { client.verifier(context, asked).await })
        });
        let unknown = || {
            Usage(format!(
                "there is no user \"{user}\"; --by names who sends, and `stationmaster directives senders` lists who may"
            ))
        };
        let verifier = answered(told.await)?.ok_or_else(unknown)?;
        let verifier: Verifier = verifier.parse()?;
        let keys = verifier.unlock(&password::known(&user, self.password_stdin)?);
        let keys = keys.ok_or_else(|| Usage(format!("this is not the password of user \"{user}\"")))?;
        Ok(Signer { user, keys })
    }
}

impl Signer {
    /// Has the controllers do it, in the user's name.
    pub async fn ask(&self, cluster: &Cluster, wish: Wish) -> anyhow::Result<()> {
        let (user, at) = (self.user.to_string(), AT.to_owned());
        // The very request that is signed.
        let request = RequestId(rand::random());
        let proof = self.keys.sign(&signed(request, &user, &at, &wish));
        let operation = Operation::Administer { by: Proven { user, at, proof }, wish };
        cluster.request(request, operation).await.map(drop)
    }
}
