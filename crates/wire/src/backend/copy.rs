//! The start of a COPY, in each of its directions.

use bytes::{BufMut, BytesMut};

use super::tag;
use crate::limits::COLUMNS_MAX;
use crate::list::Formats;
use crate::read::Reader;
use crate::write::{long_frame, put_count};
use crate::{Error, Format};
// Both sides write these alike.
pub use crate::frontend::{copy_data, copy_done};

/// What a COPY's data looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy<'a> {
    /// Whether the data is text lines or PostgreSQL's binary file format.
    pub format: Format,
    /// Each column's format; how many there are is the number of columns.
    pub columns: Formats<'a>,
}

impl<'a> Copy<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Self, Error> {
        let format = Format::from_code(i16::from(reader.u8()?))?;
        let columns = Formats::read(&mut reader)?;
        reader.finish().map(|()| Copy { format, columns })
    }
}

/// Writes CopyInResponse: the client is to send data for `columns` columns, all in `format`.
///
/// # Errors
/// [`Error::TooMany`].
pub fn copy_in_response(out: &mut BytesMut, format: Format, columns: usize) -> Result<(), Error> {
    response(out, tag::COPY_IN_RESPONSE, format, columns)
}

/// Writes CopyOutResponse: data of `columns` columns follows, all in `format`.
///
/// # Errors
/// [`Error::TooMany`].
pub fn copy_out_response(out: &mut BytesMut, format: Format, columns: usize) -> Result<(), Error> {
    response(out, tag::COPY_OUT_RESPONSE, format, columns)
}

/// Writes CopyBothResponse: data goes both ways from here on.
///
/// # Errors
/// [`Error::TooMany`].
pub fn copy_both_response(out: &mut BytesMut, format: Format, columns: usize) -> Result<(), Error> {
    response(out, tag::COPY_BOTH_RESPONSE, format, columns)
}

fn response(out: &mut BytesMut, tag: u8, format: Format, columns: usize) -> Result<(), Error> {
    long_frame(out, tag, "copy response", |out| {
        out.put_u8(format.code() as u8);
        put_count(out, "columns", columns, COLUMNS_MAX)?;
        (0..columns).for_each(|_| out.put_i16(format.code()));
        Ok(())
    })
}
