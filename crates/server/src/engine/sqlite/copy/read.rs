//! From a stream of chunks, cut anywhere, to rows of cells.

mod binary;
mod csv;

use wire::sqlstate;

use super::super::command::{CopyFormat, CopyOptions};
use super::super::sql_error::SqlError;

/// One cell: `None` is NULL.
pub(in super::super) type Cell = Option<Vec<u8>>;

/// Cuts a stream into rows.
pub(in super::super) struct Reader {
    options: CopyOptions,
    /// Bytes not yet used, from `at` on.
    buffer: Vec<u8>,
    at: usize,
    /// Rows or lines so far, for messages.
    pub line: u64,
    /// The header, of whichever format, has been taken.
    started: bool,
    /// The end marker was seen: the rest is ignored.
    ended: bool,
}

impl Reader {
    pub fn new(options: CopyOptions) -> Self {
        Self { options, buffer: Vec::new(), at: 0, line: 0, started: false, ended: false }
    }

    /// Adds a chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        if self.ended {
            return;
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole row; `None` when more input is needed. `last` tells that there is no more.
    pub fn row(&mut self, last: bool) -> Result<Option<Vec<Cell>>, SqlError> {
        if self.ended {
            return Ok(None);
        }
        match self.options.format {
            CopyFormat::Binary => binary::row(self, last),
            CopyFormat::Text | CopyFormat::Csv => self.text_row(last),
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    fn text_row(&mut self, last: bool) -> Result<Option<Vec<Cell>>, SqlError> {
        loop {
            let csv = self.options.format == CopyFormat::Csv;
            let rest = self.rest();
            let end = if csv { csv::line_end(rest, &self.options) } else { line_end(rest) };
            let (length, used) = match end {
                Some(end) => (end, end + 1),
                None if last && !rest.is_empty() => (rest.len(), rest.len()),
                None => return Ok(None),
            };
            self.line += 1;
            let start = self.at;
            self.at += used;
            let line = &self.buffer[start..start + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line == b"\\." {
                self.ended = true;
                return Ok(None);
            }
            if !std::mem::replace(&mut self.started, true) && self.options.header {
                continue;
            }
            let cells = if csv { csv::cells(line, &self.options)? } else { text_cells(line, &self.options) };
            return Ok(Some(cells));
        }
    }
}

/// A newline that no backslash protects.
fn line_end(rest: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let end = from + rest[from..].iter().position(|byte| *byte == b'\n')?;
        let slashes = rest[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        if slashes % 2 == 0 {
            return Some(end);
        }
        from = end + 1;
    }
}

fn text_cells(line: &[u8], options: &CopyOptions) -> Vec<Cell> {
    if !line.contains(&b'\\') {
        return line.split(|byte| *byte == options.delimiter).map(|cell| text_cell(cell, options)).collect();
    }
    let mut cells = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < line.len() {
        match line[at] {
            b'\\' => at += 2,
            byte if byte == options.delimiter => {
                cells.push(text_cell(&line[start..at], options));
                at += 1;
                start = at;
            }
            _data => at += 1,
        }
    }
    cells.push(text_cell(&line[start.min(line.len())..], options));
    cells
}

fn text_cell(raw: &[u8], options: &CopyOptions) -> Cell {
    if raw == options.null.as_bytes() {
        return None;
    }
    Some(if raw.contains(&b'\\') { unescape(raw) } else { raw.to_vec() })
}

fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let Some((escaped, after)) = rest.split_first() else {
            out.push(b'\\');
            break;
        };
        rest = after;
        match escaped {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
                rest = number(rest, 16, 2, 0, &mut out)
            }
            digit @ b'0'..=b'7' => rest = number(rest, 8, 2, u32::from(digit - b'0'), &mut out),
            other => out.push(*other),
        }
    }
    out
}

/// Up to `most` digits more; the low byte counts.
fn number<'a>(mut rest: &'a [u8], radix: u32, most: usize, start: u32, out: &mut Vec<u8>) -> &'a [u8] {
    let mut value = start;
    for _ in 0..most {
        let Some((digit, after)) = rest.split_first() else { break };
        let Some(digit) = char::from(*digit).to_digit(radix) else { break };
        value = value * radix + digit;
        rest = after;
    }
    out.push((value & 0xff) as u8);
    rest
}

pub(super) fn bad_format(message: impl Into<String>) -> SqlError {
    SqlError::new(sqlstate::BAD_COPY_FILE_FORMAT, message)
}
