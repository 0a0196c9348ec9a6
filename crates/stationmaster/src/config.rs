//! What an operator can type: a TOML file, `STATIONMASTER_TABLE__KEY` in the environment, then `--set` flags.
//!
//! One pass without IO turns them into settings or into the list of everything that is wrong, each with its line.
//! The reading is by hand rather than by serde, which stops at the first mistake.

mod balance;
mod controller;
mod document;
mod handler;
mod load;
mod origin;
mod process;
mod reader;
mod server;
mod setting;
mod value;

pub use controller::Controller;
pub use document::Overrides;
pub use handler::Handler;
pub use origin::{Problem, Problems};
pub use process::{LOG_FILTER, Log, Process};
pub use reader::Resolved;
pub use server::Server;
pub use setting::{LogFilter, LogFormat};

use document::Document;
use reader::Reader;

/// The table that every role's file may have beside the role's own.
const LOG: &str = "log";

/// A controller's table of what it moves by itself.
const BALANCE: &str = "balance";

/// Which role a process plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Holds the map.
    Controller,
    /// Front door.
    Handler,
    /// Serves databases.
    Server,
}

impl Role {
    /// Its name on the command line, in files and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Handler => "handler",
            Self::Server => "server",
        }
    }

    const ALL: [Self; 3] = [Self::Controller, Self::Handler, Self::Server];
}

/// A validated configuration.
pub struct Config {
    /// What every process has.
    pub process: Process,
    /// What the role has.
    pub settings: Settings,
    /// Every setting as it came out.
    pub resolved: Vec<Resolved>,
}

/// A role's settings, and where it listens.
pub enum Settings {
    /// `[controller]`.
    Controller(Box<Controller>),
    /// `[handler]`.
    Handler(Handler),
    /// `[server]`.
    Server(Server),
}

impl Settings {
    /// Whose they are.
    pub fn role(&self) -> Role {
        match self {
            Self::Controller(_) => Role::Controller,
            Self::Handler(_) => Role::Handler,
            Self::Server(_) => Role::Server,
        }
    }
}

/// Reads a configuration. `role` is what it must be for; without one, the file says it itself.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(role: Option<Role>, path: &str, text: &str, overrides: &Overrides) -> Result<Config, Problems> {
    let mut document = Document::parse(path, text);
    let role = match role.map_or_else(|| detect(&document), Ok) {
        Ok(role) => role,
        Err(problem) => {
            document.problems.push(problem);
            return Err(Problems::new(path, document.problems));
        }
    };
    let tables: &[&str] = match role {
        Role::Controller => &[Role::Controller.name(), LOG, BALANCE, load::LOAD, load::PROMETHEUS],
        Role::Handler => &[Role::Handler.name(), LOG],
        Role::Server => &[Role::Server.name(), LOG],
    };
    document.override_with(overrides, role.name(), tables);
    let mut reader = Reader::new(&mut document, role.name());
    let (mut settings, common) = match role {
        Role::Controller => {
            let (settings, common) = controller::read(&mut reader);
            (settings.map(|controller| Settings::Controller(Box::new(controller))), common)
        }
        Role::Handler => {
            let (settings, common) = handler::read(&mut reader);
            (settings.map(Settings::Handler), common)
        }
        Role::Server => {
            let (settings, common) = server::read(&mut reader);
            (settings.map(Settings::Server), common)
        }
    };
    let mut resolved = reader.finish();
    if role == Role::Controller {
        let (balance, resolved_balance) = balance::read(&mut document);
        resolved.extend(resolved_balance);
        if let Some(Settings::Controller(controller)) = &mut settings {
            controller.settings.balance = balance;
        }
        let (load, prometheus, resolved_load) = load::read(&mut document);
        resolved.extend(resolved_load);
        if let Some(Settings::Controller(controller)) = &mut settings {
            (controller.settings.load, controller.settings.prometheus) = (load, prometheus);
        }
    }
    let (log, resolved_log) = Log::read(&mut document);
    resolved.extend(resolved_log);
    for (table, head) in std::mem::take(&mut document.heads) {
        if !tables.contains(&&*table) {
            let what = format!("table [{table}] has no place in the configuration of a {}", role.name());
            document.problems.push(Problem { origin: Some(head), what });
        }
    }
    match (settings, common.with(log)) {
        (Some(settings), Some(process)) if document.problems.is_empty() => {
            Ok(Config { process, settings, resolved })
        }
        _ => Err(Problems::new(path, document.problems)),
    }
}

/// The role that a file is for: the one whose table it has.
fn detect(document: &Document) -> Result<Role, Problem> {
    let mut roles = Role::ALL.into_iter().filter(|role| document.heads.contains_key(role.name()));
    match (roles.next(), roles.next()) {
        (Some(role), None) => Ok(role),
        (Some(first), Some(second)) => Err(Problem {
            origin: document.heads.get(second.name()).cloned(),
            what: format!(
                "[{}] and [{}] are two roles; give each a file of its own",
                first.name(),
                second.name()
            ),
        }),
        (None, _) => Err(Problem {
            origin: None,
            what: "none of the tables [controller], [handler] and [server] is there".into(),
        }),
    }
}

/// The whole configuration as it came out, as TOML with the origin of each value.
pub fn show(resolved: &[Resolved]) -> String {
    let width = |entry: &Resolved| entry.key.len() + 3 + entry.value.len();
    let widest = resolved.iter().map(width).filter(|width| *width <= 60).max().unwrap_or(0);
    let mut shown = String::new();
    let mut table = "";
    for entry in resolved {
        if entry.table != table {
            let gap = if table.is_empty() { "" } else { "\n" };
            shown += &format!("{gap}[{}]\n", entry.table);
            table = entry.table;
        }
        let setting = format!("{} = {}", entry.key, entry.value);
        shown += &format!("{setting:<widest$}  # {}\n", entry.origin);
    }
    shown
}

#[cfg(test)]
mod tests;
