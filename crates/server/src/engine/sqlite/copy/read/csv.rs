//! CSV: quotes may hold delimiters, newlines and doubled quotes.

use super::super::super::command::CopyOptions;
use super::super::super::sql_error::SqlError;
use super::{Cell, bad_format};

/// The newline that ends the record.
pub(super) fn line_end(rest: &[u8], options: &CopyOptions) -> Option<usize> {
    let mut quoted = false;
    let mut at = 0;
    while at < rest.len() {
        let byte = rest[at];
        if quoted && byte == options.escape && options.escape != options.quote {
            at += 1;
        } else if byte == options.quote {
            quoted = !quoted;
        } else if byte == b'\n' && !quoted {
            return Some(at);
        }
        at += 1;
    }
    None
}

pub(super) fn cells(line: &[u8], options: &CopyOptions) -> Result<Vec<Cell>, SqlError> {
    let mut cells = Vec::new();
    let mut at = 0;
    loop {
        let (cell, next) = cell(line, at, options)?;
        cells.push(cell);
        match next {
            Some(next) => at = next,
            None => return Ok(cells),
        }
    }
}

/// The cell that starts at `at`, and where the next one starts.
fn cell(line: &[u8], mut at: usize, options: &CopyOptions) -> Result<(Cell, Option<usize>), SqlError> {
    let mut value = Vec::new();
    let (mut quoted, mut was_quoted) = (false, false);
    while at < line.len() {
        let byte = line[at];
        let next = line.get(at + 1).copied();
        if quoted
            && byte == options.escape
            && next.is_some_and(|next| next == options.quote || next == options.escape)
        {
            value.extend(next);
            at += 1;
        } else if byte == options.quote {
            quoted = !quoted;
            was_quoted = true;
        } else if byte == options.delimiter && !quoted {
            return Ok((finish(value, was_quoted, options), Some(at + 1)));
        } else {
            value.push(byte);
        }
        at += 1;
    }
    if quoted {
        return Err(bad_format("unterminated CSV quoted field"));
    }
    Ok((finish(value, was_quoted, options), None))
}

/// Only an unquoted cell can be NULL.
fn finish(value: Vec<u8>, was_quoted: bool, options: &CopyOptions) -> Cell {
    (was_quoted || value != options.null.as_bytes()).then_some(value)
}
