//! A bound statement and the rows of its answer that are still to be sent.

use std::{collections::VecDeque, sync::Arc};

use bytes::BytesMut;
use wire::{Error, Format, backend};

use crate::admin::{self, Answer, Column, Row, Statement};

/// One portal.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) statement: Arc<Statement>,
    pub(super) formats: Vec<Format>,
    pub(super) parameters: Vec<Option<String>>,
    columns: Option<Vec<Column>>,
    answer: Option<Rest>,
}

/// What is left of an answer.
#[derive(Debug)]
struct Rest {
    rows: VecDeque<Row>,
    sent: u64,
    tag: String,
}

impl Portal {
    pub(super) fn new(statement: Arc<Statement>, formats: Vec<Format>) -> Self {
        let columns = statement.columns();
        Self { statement, formats, parameters: Vec::new(), columns, answer: None }
    }

    pub(super) fn is_filled(&self) -> bool {
        self.answer.is_some()
    }

    pub(super) fn fill(&mut self, answer: Answer) {
        self.answer = Some(Rest { rows: answer.rows.into(), sent: 0, tag: answer.tag });
    }

    /// Writes up to `rows_max` rows, all of them when it is 0, and how it ends.
    ///
    /// # Errors
    /// A row cannot be sent.
    pub(super) fn write(&mut self, rows_max: u32, out: &mut BytesMut) -> Result<(), Error> {
        let Some(rest) = &mut self.answer else { return Ok(()) };
        let columns = self.columns.as_deref().unwrap_or_default();
        let mut left = if rows_max == 0 { u64::MAX } else { u64::from(rows_max) };
        while left > 0
            && let Some(row) = rest.rows.pop_front()
        {
            admin::write_row(out, columns, &self.formats, &row)?;
            rest.sent += 1;
            left -= 1;
        }
        if left == 0 && !rest.rows.is_empty() {
            backend::portal_suspended(out);
        } else if self.columns.is_some() && rest.tag == "SELECT" {
            backend::command_complete(out, format_args!("SELECT {}", rest.sent));
        } else {
            backend::command_complete(out, &rest.tag);
        }
        Ok(())
    }
}
