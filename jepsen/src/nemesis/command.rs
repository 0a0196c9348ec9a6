//! Faults that somebody else's program makes: one JSON line for each wish, one for each answer.
//!
//! The program reads `{"do":"start","fault":"…","target":"…","pick":7,"handlers":["h:1"],"controllers":["c:1"]}` and later
//! the same with `"do":"stop"` from its input, and answers each with `{"result":"installed","what":"…"}`,
//! `{"result":"skipped","what":"why"}` or `{"result":"failed","what":"why"}` on its output. It ends when its input does.
//! One that does not answer in time is killed, with all that it has started.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::Made;
use crate::{Step, Target};

/// How long an answer may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// How long it may take to end when its input has ended.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between looks at whether it has.
const PAUSE: Duration = Duration::from_millis(20);

/// The program, while it runs.
pub struct Foreign {
    child: Child,
    /// Without it when it was killed.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    answer_timeout: Duration,
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
    pub fn start(program: &str, answer_timeout: Duration) -> anyhow::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Of its own, so that all of it can be killed.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {program}"))?;
        let output = BufReader::new(child.stdout.take().context("BUG: its output is piped")?).lines();
        let input = child.stdin.take();
        Ok(Self { child, input, output, answer_timeout })
    }

    /// Has it start or stop the fault of a step, and waits for its answer.
    ///
    /// # Errors
    /// When it fails, ends, answers something else, or does not answer.
    pub async fn ask(&mut self, what: &str, step: &Step, target: &Target) -> anyhow::Result<Made> {
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
        let line = format!("{}\n", serde_json::to_string(&wish)?);
        let Ok(said) = timeout(self.answer_timeout, self.exchange(&line)).await else {
            self.kill();
            bail!("the nemesis command did not answer in {:?}, and was killed", self.answer_timeout);
        };
        let said = said?;
        let answer: Answer = serde_json::from_str(&said)
            .with_context(|| format!("the nemesis command answered {said:?} instead of {{\"result\": …}}"))?;
        match &*answer.result {
            "installed" => Ok(Made::Installed(answer.what)),
            "skipped" => Ok(Made::Skipped(answer.what)),
            other => bail!("the nemesis command says {other}: {}", answer.what),
        }
    }

    async fn exchange(&mut self, line: &str) -> anyhow::Result<String> {
        let input = self.input.as_mut().context("the nemesis command was killed")?;
        input.write_all(line.as_bytes()).await.context("the nemesis command does not read")?;
        let said = self.output.next_line().await.context("the nemesis command cannot be heard")?;
        said.context("the nemesis command has ended")
    }

    fn kill(&mut self) {
        self.input = None;
        let group = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        // Without an id it has ended; and an error says that it ends at this moment.
        group.and_then(|group| kill_process_group(group, Signal::KILL).ok());
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        drop(self.input.take());
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > until {
                eprintln!("the nemesis command does not end with its input; it is killed");
                self.kill();
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(foreign: &mut Foreign) -> String {
        let step = Step { at_ms: 0, for_ms: 0, fault: "cut".into(), target: "any".into(), pick: 1 };
        let target = Target { handlers: Vec::new(), user: "".into(), password: "".into(), fleet: None };
        match foreign.ask("start", &step, &target).await {
            Ok(Made::Installed(what)) => format!("installed {what}"),
            Ok(Made::Skipped(why)) => format!("skipped {why}"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn a_program_is_asked_again_and_again_and_its_end_is_told_c21() {
        let program = "read line; echo '{\"result\":\"installed\",\"what\":\"a\"}'; \
                       read line; echo '{\"result\":\"skipped\",\"what\":\"b\"}'; \
                       read line; echo '{\"result\":\"failed\",\"what\":\"c\"}'; read line; echo what?; read line";
        let mut foreign = Foreign::start(program, ANSWER_TIMEOUT).expect("it starts");
        assert_eq!(ask(&mut foreign).await, "installed a");
        assert_eq!(ask(&mut foreign).await, "skipped b");
        assert_eq!(ask(&mut foreign).await, "the nemesis command says failed: c");
        assert!(ask(&mut foreign).await.contains("answered \"what?\" instead"));
        assert_eq!(ask(&mut foreign).await, "the nemesis command has ended");
    }

    #[tokio::test]
    async fn a_program_that_does_not_answer_is_killed_with_its_children_c21() {
        // The child keeps the output open: that ends only when all are gone.
        let mut foreign =
            Foreign::start("sleep 1000 & sleep 1000", Duration::from_millis(100)).expect("it starts");
        assert!(ask(&mut foreign).await.ends_with("and was killed"));
        assert_eq!(ask(&mut foreign).await, "the nemesis command was killed");
        let rest = timeout(PATIENCE, foreign.output.next_line()).await;
        assert_eq!(rest.expect("all are gone").expect("it can be read"), None);
    }
}
