//! What a running cluster says of itself: who is where, and the lines to paste.

use std::{env, path::Path, time::Duration};

use anyhow::Context;
use model::Name;

use super::{Folder, Plan, boot::USER, keeper::Fleet};
use crate::{
    config::Role,
    operate::{Cell, Listing},
    secret,
};

/// The file to source in another terminal.
const ENVIRONMENT: &str = "env";

/// Made for the name of the first database, where none is there yet.
const EXAMPLE: &str = "shop";

/// What there is to say.
pub struct Greeting<'a> {
    /// Who is where.
    pub plan: &'a Plan,
    /// Where everything is kept.
    pub folder: &'a Folder,
    /// The processes.
    pub fleet: &'a Fleet,
    /// The first user's password.
    pub password: &'a str,
    /// A database that is there already.
    pub database: Option<Name>,
}

impl Greeting<'_> {
    /// Prints it, and writes the file that another terminal can source.
    pub fn print(&self, took: Duration) -> anyhow::Result<()> {
        let first = self.plan.of(Role::Handler).next().expect("BUG: there is at least one handler");
        let (host, port) = first.address.rsplit_once(':').expect("BUG: a planned address has a port");
        write_environment(self.plan, self.folder, host, port, self.password)?;
        let (version, took, dir) = (env!("CARGO_PKG_VERSION"), took.as_secs_f64(), self.folder.shown());
        println!("Stationmaster {version} is ready after {took:.1} s; data and logs are in {dir}\n");
        println!("{}\nPaste into another terminal:\n", self.table());
        println!("  export PGPASSWORD={}", self.password);
        let psql = format!("  psql -h {host} -p {port} -U {USER} -d");
        let database = match &self.database {
            Some(name) => name,
            None => {
                println!("{psql} stationmaster -c 'CREATE DATABASE {EXAMPLE}'");
                EXAMPLE
            }
        };
        println!("{psql} {} -c 'select 1'\n", quoted(database));
        println!("or shorter, with everything in the environment:\n");
        let environment = quoted(&format!("{dir}/{ENVIRONMENT}"));
        println!("  . {environment}\n  psql {}\n  stationmaster status\n", quoted(database));
        println!("Ctrl-C stops everything.");
        Ok(())
    }

    fn table(&self) -> String {
        let mut table = Listing::new(&["role", "name", "pid", "address", "metrics"]);
        for planned in &self.plan.processes {
            table.push(vec![
                Cell::text(planned.role.name()),
                Cell::text(&planned.name),
                Cell::number(self.fleet.pid(&planned.name).map(u64::from)),
                Cell::text(&planned.address),
                Cell::text(format!("http://{}/metrics", planned.admin)),
            ]);
        }
        table.table()
    }
}

fn write_environment(
    plan: &Plan,
    folder: &Folder,
    host: &str,
    port: &str,
    password: &str,
) -> anyhow::Result<()> {
    let controllers: Vec<&str> = plan.of(Role::Controller).map(|planned| planned.address.as_str()).collect();
    let program = env::current_exe().ok().and_then(|path| path.parent().map(Path::to_path_buf));
    let mut text = String::from("# Source this to use the cluster: psql and stationmaster find it.\n");
    if let Some(program) = program {
        text += &format!("export PATH={}:\"$PATH\"\n", quoted(&program.display().to_string()));
    }
    let variables = [
        ("STATIONMASTER_CONTROLLERS", controllers.join(",")),
        ("STATIONMASTER_SECRET_FILE", folder.path(super::SECRET).display().to_string()),
        ("PGHOST", host.into()),
        ("PGPORT", port.into()),
        ("PGUSER", USER.into()),
        ("PGPASSWORD", password.into()),
        ("PGDATABASE", "stationmaster".into()),
    ];
    for (name, value) in variables {
        text += &format!("export {name}={}\n", quoted(&value));
    }
    let path = folder.path(ENVIRONMENT);
    secret::replace_private(&path, &text).with_context(|| format!("cannot write {}", path.display()))
}

/// For a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
