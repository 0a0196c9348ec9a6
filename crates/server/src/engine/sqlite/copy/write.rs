//! From rows of cells to CopyData.

use bytes::{BufMut, BytesMut};

use super::super::command::{CopyFormat, CopyOptions};
use super::SIGNATURE;

/// Writes rows in one of the formats.
pub(in super::super) struct Writer {
    options: CopyOptions,
    /// Columns quoted whatever they hold.
    force_quote: Vec<bool>,
}

impl Writer {
    pub fn new(options: CopyOptions, columns: &[String]) -> Self {
        let forced = |column: &String| {
            options.force_quote_all
                || options.force_quote.as_ref().is_some_and(|names| names.contains(column))
        };
        let force_quote = columns.iter().map(forced).collect();
        Self { options, force_quote }
    }

    pub fn is_binary(&self) -> bool {
        self.options.format == CopyFormat::Binary
    }

    /// What comes before the rows, if anything.
    pub fn head(&self, columns: &[String], out: &mut BytesMut) {
        match self.options.format {
            CopyFormat::Binary => {
                out.put_slice(SIGNATURE);
                out.put_u64(0);
            }
            CopyFormat::Text | CopyFormat::Csv if self.options.header => {
                let names = columns.iter().map(|name| Some(name.as_bytes()));
                self.line(names, out);
            }
            CopyFormat::Text | CopyFormat::Csv => {}
        }
    }

    /// One row of cells that are already in the format of the whole.
    pub fn row<'a>(&self, cells: impl ExactSizeIterator<Item = Option<&'a [u8]>>, out: &mut BytesMut) {
        if !self.is_binary() {
            return self.line(cells, out);
        }
        out.put_i16(i16::try_from(cells.len()).unwrap_or(i16::MAX));
        for cell in cells {
            match cell {
                None => out.put_i32(-1),
                Some(cell) => {
                    out.put_i32(i32::try_from(cell.len()).unwrap_or(i32::MAX));
                    out.put_slice(cell);
                }
            }
        }
    }

    /// What comes after the rows, if anything.
    pub fn tail(&self, out: &mut BytesMut) {
        if self.is_binary() {
            out.put_i16(-1);
        }
    }

    fn line<'a>(&self, cells: impl Iterator<Item = Option<&'a [u8]>>, out: &mut BytesMut) {
        for (at, cell) in cells.enumerate() {
            if at > 0 {
                out.put_u8(self.options.delimiter);
            }
            match cell {
                None => out.put_slice(self.options.null.as_bytes()),
                Some(cell) if self.options.format == CopyFormat::Csv => {
                    self.csv_cell(cell, self.force_quote.get(at) == Some(&true), out)
                }
                Some(cell) => self.text_cell(cell, out),
            }
        }
        out.put_u8(b'\n');
    }

    fn text_cell(&self, cell: &[u8], out: &mut BytesMut) {
        for byte in cell {
            match byte {
                b'\\' => out.put_slice(b"\\\\"),
                b'\n' => out.put_slice(b"\\n"),
                b'\r' => out.put_slice(b"\\r"),
                b'\t' if self.options.delimiter == b'\t' => out.put_slice(b"\\t"),
                8 => out.put_slice(b"\\b"),
                11 => out.put_slice(b"\\v"),
                12 => out.put_slice(b"\\f"),
                byte if *byte == self.options.delimiter => out.put_slice(&[b'\\', *byte]),
                byte => out.put_u8(*byte),
            }
        }
    }

    fn csv_cell(&self, cell: &[u8], force: bool, out: &mut BytesMut) {
        let CopyOptions { delimiter, quote, escape, null, .. } = &self.options;
        let special = |byte: &u8| [*delimiter, *quote, b'\n', b'\r'].contains(byte);
        let quoted = force || cell == null.as_bytes() || cell == b"\\." || cell.iter().any(special);
        if !quoted {
            return out.put_slice(cell);
        }
        out.put_u8(*quote);
        for byte in cell {
            if byte == quote || byte == escape {
                out.put_u8(*escape);
            }
            out.put_u8(*byte);
        }
        out.put_u8(*quote);
    }
}
