//! Where a password comes from: stdin when asked to, `STATIONMASTER_PASSWORD`, or a prompt that does not show it.

use std::{
    env,
    io::{self, BufRead, IsTerminal, Read, Write},
};

use anyhow::{Context, bail};
use model::Name;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::failure::Usage;

/// Longest password, in bytes.
const BYTES_MAX: u64 = 1024;
const VARIABLE: &str = "STATIONMASTER_PASSWORD";
/// Where psql looks.
const PSQL_VARIABLE: &str = "PGPASSWORD";

/// Gets it, whichever way there is.
pub fn ask(name: &Name, from_stdin: bool) -> anyhow::Result<String> {
    let password = if from_stdin {
        line()?
    } else if let Ok(password) = env::var(VARIABLE) {
        password
    } else if io::stdin().is_terminal() {
        twice(name)?
    } else {
        let text = format!("no password: pipe it in with --password-stdin, or set {VARIABLE}");
        return Err(Usage(text).into());
    };
    if password.is_empty() {
        bail!(Usage("an empty password would never be accepted".into()));
    }
    if password.contains('\0') {
        bail!(Usage("a password cannot contain NUL".into()));
    }
    Ok(password)
}

/// Gets that of a user who has one already: it is not asked for twice, and psql's variable counts, too.
pub fn known(name: &Name, from_stdin: bool) -> anyhow::Result<String> {
    let set = || [VARIABLE, PSQL_VARIABLE].iter().find_map(|name| env::var(name).ok());
    if from_stdin {
        line()
    } else if let Some(password) = set() {
        Ok(password)
    } else if io::stdin().is_terminal() {
        hidden(&format!("Password for {name}: "))
    } else {
        let text = format!("no password: pipe it in with --password-stdin, or set {VARIABLE}");
        Err(Usage(text).into())
    }
}

fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin().lock().take(BYTES_MAX + 2).read_line(&mut line).context("cannot read the password")?;
    let line = line.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).unwrap_or(&line);
    if line.len() as u64 > BYTES_MAX {
        bail!(Usage(format!("a password has at most {BYTES_MAX} bytes")));
    }
    Ok(line.into())
}

fn twice(name: &Name) -> anyhow::Result<String> {
    let first = hidden(&format!("Password for {name}: "))?;
    if first != hidden("Again: ")? {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(first)
}

fn hidden(prompt: &str) -> anyhow::Result<String> {
    eprint!("{prompt}");
    io::stderr().flush()?;
    let hush = Hush::start()?;
    let line = line();
    drop(hush);
    eprintln!();
    line
}

/// The terminal shows nothing of what is typed while this lives.
struct Hush(Termios);

impl Hush {
    fn start() -> anyhow::Result<Self> {
        let before = tcgetattr(io::stdin()).context("cannot ask the terminal")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent).context("cannot silence the terminal")?;
        Ok(Self(before))
    }
}

impl Drop for Hush {
    fn drop(&mut self) {
        // Nothing better can be done than to leave the terminal as it is.
        if let Err(error) = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0) {
            eprintln!("cannot restore the terminal ({error}); type `stty echo`");
        }
    }
}
