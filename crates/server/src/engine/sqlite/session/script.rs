//! The simple protocol: a text of any number of statements, answered by results and one ReadyForQuery.

use std::sync::Arc;

use bytes::BytesMut;
use wire::{backend, sqlstate};

use super::super::lexer::{Kind, Lexer};
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::execute::{Answer, Execution, Progress};
use super::plan::Action;
use super::portal::Portal;
use super::{Flow, SqliteSession, Work};

/// A Query being worked through.
pub(super) struct Script {
    text: Arc<str>,
    /// Where the next statement starts.
    at: usize,
    /// Whether any statement has been answered: an empty Query gets its own answer.
    answered: bool,
    current: Option<Execution>,
}

impl SqliteSession {
    pub(super) fn query(&mut self, sql: &str, out: &mut BytesMut) -> Flow {
        self.portals.remove("").into_iter().for_each(|portal| self.close_portal(portal));
        let script = Script { text: sql.into(), at: 0, answered: false, current: None };
        self.run_script(script, out)
    }

    pub(super) fn run_script(&mut self, mut script: Script, out: &mut BytesMut) -> Flow {
        match self.work_through(&mut script, out) {
            Ok(Flow::Yield(step)) => {
                self.work = Work::Script(script);
                Flow::Yield(step)
            }
            Ok(Flow::Done) => {
                self.ready(out);
                Flow::Done
            }
            Err(error) => {
                script.current.take().into_iter().for_each(|execution| self.close_portal(execution.portal));
                self.fail(&error, &script.text, out);
                self.ready(out);
                Flow::Done
            }
        }
    }

    fn work_through(&mut self, script: &mut Script, out: &mut BytesMut) -> Result<Flow, SqlError> {
        loop {
            let mut execution = match script.current.take() {
                Some(execution) => execution,
                None => match self.next_statement(script)? {
                    Some(execution) => execution,
                    None => break,
                },
            };
            let progress = self.run(&mut execution, out);
            if let Ok(Progress::Yield(step)) = progress {
                script.current = Some(execution);
                return Ok(Flow::Yield(step));
            }
            if let Ok(Progress::Suspended) = progress {
                self.suspended(&mut execution, out);
            }
            self.put_away(execution, progress)?;
            script.answered = true;
        }
        if !script.answered {
            backend::empty_query_response(out);
        }
        self.commit_implicit()?;
        Ok(Flow::Done)
    }

    fn next_statement(&mut self, script: &mut Script) -> Result<Option<Execution>, SqlError> {
        loop {
            let planned = self.plan(&script.text, script.at, &[], false)?;
            let ended = planned.end >= script.text.len();
            script.at = planned.end;
            if let Action::Empty = planned.plan.action {
                if ended {
                    return Ok(None);
                }
                continue;
            }
            if !planned.plan.parameters.is_empty() {
                return Err(no_parameter(&script.text));
            }
            let last = ended || Tokens::statement(&script.text, script.at).is_empty();
            return Ok(Some(Execution {
                portal: Portal::new(planned.plan, Vec::new()),
                name: None,
                rows: 0,
                limit: None,
                answer: Answer::Plan,
                describe: true,
                last: last && !script.answered,
                wake: None,
            }));
        }
    }

    /// Keeps a cursor; closes everything else.
    fn put_away(
        &mut self,
        execution: Execution,
        progress: Result<Progress, SqlError>,
    ) -> Result<(), SqlError> {
        let Execution { portal, name, .. } = execution;
        match (name, progress) {
            (Some(name), Ok(_)) => {
                self.portals.insert(name, portal);
                Ok(())
            }
            (_, progress) => {
                self.close_portal(portal);
                progress.map(|_| ())
            }
        }
    }
}

/// The simple protocol has no parameters.
fn no_parameter(text: &str) -> SqlError {
    let parameter = Lexer::new(text).find(|token| token.kind == Kind::Parameter);
    let name = parameter.map_or("$1", |token| token.text(text));
    let error = SqlError::new(sqlstate::UNDEFINED_PARAMETER, format!("there is no parameter {name}"));
    parameter.into_iter().fold(error, |error, token| error.at(token.start))
}
