//! DataRow, written cell by cell into the output with no buffer between.

use bytes::{BufMut, BytesMut};

use super::tag;
use crate::Error;
use crate::limits::{COLUMNS_MAX, FRAME_LEN_MAX};
use crate::write::{begin, end, put_len, put_value};

/// A row being written. Dropped without [`finish`](DataRow::finish), it takes back what it wrote.
#[derive(Debug)]
#[must_use = "a row that is not finished is not sent"]
pub struct DataRow<'a> {
    out: &'a mut BytesMut,
    start: usize,
    cells: usize,
    finished: bool,
}

impl<'a> DataRow<'a> {
    /// Begins a row at the end of `out`.
    #[inline]
    pub fn begin(out: &'a mut BytesMut) -> DataRow<'a> {
        let start = begin(out, tag::DATA_ROW);
        out.put_u16(0);
        DataRow { out, start, cells: 0, finished: false }
    }

    /// Adds a null.
    #[inline]
    pub fn null(&mut self) {
        self.cells += 1;
        self.out.put_i32(-1);
    }

    /// Adds a value.
    ///
    /// # Errors
    /// [`Error::TooLong`] past 1 GiB: the row must be dropped.
    #[inline]
    pub fn value(&mut self, value: &[u8]) -> Result<(), Error> {
        self.check_room(value.len())?;
        self.cells += 1;
        put_value(self.out, "value", Some(value))
    }

    /// Adds a value that `write` appends to the output.
    ///
    /// `write` must only append. Its own failure is passed on: the row must then be dropped.
    ///
    /// # Errors
    /// What `write` fails with, and [`Error::TooLong`] past 1 GiB.
    #[inline]
    pub fn value_with<E: From<Error>>(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        let at = self.out.len();
        self.out.put_u32(0);
        write(self.out)?;
        let len = self.out.len() - at - 4;
        self.check_room(0)?;
        self.cells += 1;
        put_len(self.out, at, len);
        Ok(())
    }

    /// Keeps a row that must fail from growing any further.
    #[inline]
    fn check_room(&self, more: usize) -> Result<(), Error> {
        let len = (self.out.len() - self.start).saturating_add(more);
        if len > FRAME_LEN_MAX {
            return Err(Error::TooLong { what: "row", len, max: FRAME_LEN_MAX });
        }
        Ok(())
    }

    /// Ends the row.
    ///
    /// # Errors
    /// [`Error::TooMany`], [`Error::TooLong`]; the output is then as before the row.
    #[inline]
    pub fn finish(mut self) -> Result<(), Error> {
        if self.cells > COLUMNS_MAX {
            return Err(Error::TooMany { what: "columns", count: self.cells, max: COLUMNS_MAX });
        }
        end(self.out, self.start, FRAME_LEN_MAX, "row")?;
        let count_at = self.start + crate::frame::HEADER_LEN;
        self.out[count_at..count_at + 2].copy_from_slice(&(self.cells as u16).to_be_bytes());
        self.finished = true;
        Ok(())
    }
}

impl Drop for DataRow<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}
