//! What a running cluster says of itself: who is where, and the lines to paste.

use std::{env, path::Path, time::Duration};

use anyhow::Context;

use super::{Folder, Plan, boot::USER, keeper::Fleet};
use crate::{
    config::Role,
    operate::{Cell, Listing},
    secret,
};

/// The file to source in another terminal.
const ENVIRONMENT: &str = "env";

/// Prints it, and writes the file that another terminal can source.
pub fn print(
    plan: &Plan,
    folder: &Folder,
    fleet: &Fleet,
    password: &str,
    took: Duration,
) -> anyhow::Result<()> {
    let first = plan.of(Role::Handler).next().expect("BUG: there is at least one handler");
    let (host, port) = first.address.rsplit_once(':').expect("BUG: a planned address has a port");
    write_environment(plan, folder, host, port, password)?;
    let mut table = Listing::new(&["role", "name", "pid", "address", "metrics"]);
    for planned in &plan.processes {
        table.push(vec![
            Cell::text(planned.role.name()),
            Cell::text(&planned.name),
            Cell::number(fleet.pid(&planned.name).map(u64::from)),
            Cell::text(&planned.address),
            Cell::text(format!("http://{}/metrics", planned.admin)),
        ]);
    }
    let dir = folder.shown();
    println!(
        "Stationmaster {version} is ready after {took:.1} s; data and logs are in {dir}\n\n{table}\n\
         Paste into another terminal:\n\n  \
         export PGPASSWORD={password}\n  \
         psql -h {host} -p {port} -U {USER} -d stationmaster -c 'CREATE DATABASE shop'\n  \
         psql -h {host} -p {port} -U {USER} -d shop -c 'select 1'\n\n\
         or shorter, with everything in the environment:\n\n  \
         . {dir}/{ENVIRONMENT}\n  \
         psql shop\n  \
         stationmaster status\n\n\
         Ctrl-C stops everything.",
        version = env!("CARGO_PKG_VERSION"),
        took = took.as_secs_f64(),
        table = table.table(),
    );
    Ok(())
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
    format!("'{}'", text.replace('\'', "'\\''"))
}
