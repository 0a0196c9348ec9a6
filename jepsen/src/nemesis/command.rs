//! Faults that somebody else's program makes: one JSON line for each wish, one for each answer.
//!
//! The program reads `{"do":"start","fault":"…","target":"…","pick":7,"handlers":["h:1"],"controllers":["c:1"]}` and later
//! the same with `"do":"stop"` from its input, and answers each with `{"result":"installed","what":"…"}`,
//! `{"result":"skipped","what":"why"}` or `{"result":"failed","what":"why"}` on its output. It ends when its input does.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::Made;
use crate::{Step, Target};

/// How long it may take to end when its input has ended.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between looks at whether it has.
const PAUSE: Duration = Duration::from_millis(20);

/// The program, while it runs.
pub struct Foreign {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<std::process::ChildStdout>,
}

#[derive(Serialize)]
struct Wish<'a> {
    r#do: &'a str,
    fault: &'a str,
    target: &'a str,
    pick: u64,
    handlers: Vec<String>,
    controllers: &'a [String],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    result: String,
    #[serde(default)]
    what: String,
}

impl Foreign {
    /// Starts it by the shell.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &str) -> anyhow::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {program}"))?;
        let output = BufReader::new(child.stdout.take().context("BUG: its output is piped")?);
        let input = child.stdin.take();
        Ok(Self { child, input, output })
    }

    /// Has it start or stop the fault of a step, and waits for its answer.
    ///
    /// # Errors
    /// When it fails, ends, or answers something else.
    pub fn ask(&mut self, what: &str, step: &Step, target: &Target) -> anyhow::Result<Made> {
        let controllers = target.fleet.as_ref().map_or(&[][..], |(addresses, _)| addresses);
        let handlers = target.handlers.iter().map(ToString::to_string).collect();
        let wish = Wish {
            r#do: what,
            fault: &step.fault,
            target: &step.target,
            pick: step.pick,
            handlers,
            controllers,
        };
        let mut line = serde_json::to_string(&wish)?;
        line.push('\n');
        let input = self.input.as_mut().context("BUG: it is open until the end")?;
        input.write_all(line.as_bytes()).context("the nemesis command does not read")?;
        let mut said = String::new();
        self.output.read_line(&mut said).context("the nemesis command does not answer")?;
        let answer: Answer = serde_json::from_str(&said)
            .with_context(|| format!("the nemesis command answered {said:?} instead of {{\"result\": …}}"))?;
        match &*answer.result {
            "installed" => Ok(Made::Installed(answer.what)),
            "skipped" => Ok(Made::Skipped(answer.what)),
            other => bail!("the nemesis command says {other}: {}", answer.what),
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        drop(self.input.take());
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > until {
                eprintln!("the nemesis command does not end with its input; it is killed");
                // It may just have ended.
                let _ = self.child.kill().and_then(|()| self.child.wait());
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}
