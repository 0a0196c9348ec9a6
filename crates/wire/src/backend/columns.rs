//! RowDescription: what the columns of the rows that follow are.

use bytes::{BufMut, BytesMut};

use super::tag;
use crate::limits::COLUMNS_MAX;
use crate::read::Reader;
use crate::write::{long_frame, put_str};
use crate::{Error, Format, Oid, oid};

/// Bytes of a column after its name.
const COLUMN_TAIL_LEN: usize = 18;

/// One column of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column<'a> {
    /// As the query names it.
    pub name: &'a str,
    /// The table it comes from, if it comes from one.
    pub table: Oid,
    /// Its number in that table, from 1; 0 when it comes from none.
    pub attribute: i16,
    /// Its type.
    pub type_oid: Oid,
    /// The type's size in bytes, negative when it varies.
    pub type_len: i16,
    /// The type's modifier, such as a length; -1 for none.
    pub type_modifier: i32,
    /// How its values are written; always text in the description of a statement.
    pub format: Format,
}

impl<'a> Column<'a> {
    /// A column of no table, in text.
    pub fn new(name: &'a str, type_oid: Oid) -> Column<'a> {
        Column {
            name,
            table: oid::UNSPECIFIED,
            attribute: 0,
            type_oid,
            type_len: type_oid.type_len(),
            type_modifier: -1,
            format: Format::Text,
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Column<'a>, Error> {
        Ok(Column {
            name: reader.str()?,
            table: Oid(reader.u32()?),
            attribute: reader.i16()?,
            type_oid: Oid(reader.u32()?),
            type_len: reader.i16()?,
            type_modifier: reader.i32()?,
            format: Format::from_code(reader.i16()?)?,
        })
    }

    fn write(&self, out: &mut BytesMut) -> Result<(), Error> {
        put_str(out, "column name", self.name)?;
        // One copy for all six: this runs for every column of every simple query.
        let mut tail = [0; COLUMN_TAIL_LEN];
        tail[..4].copy_from_slice(&self.table.0.to_be_bytes());
        tail[4..6].copy_from_slice(&self.attribute.to_be_bytes());
        tail[6..10].copy_from_slice(&self.type_oid.0.to_be_bytes());
        tail[10..12].copy_from_slice(&self.type_len.to_be_bytes());
        tail[12..16].copy_from_slice(&self.type_modifier.to_be_bytes());
        tail[16..].copy_from_slice(&self.format.code().to_be_bytes());
        out.put_slice(&tail);
        Ok(())
    }
}

/// Writes RowDescription.
///
/// # Errors
/// [`Error::TooMany`] past [`COLUMNS_MAX`], [`Error::Nul`], [`Error::TooLong`]; `out` is then as before.
pub fn row_description<'a>(
    out: &mut BytesMut,
    columns: impl IntoIterator<Item = Column<'a>>,
) -> Result<(), Error> {
    long_frame(out, tag::ROW_DESCRIPTION, "row description", |out| {
        let count_at = out.len();
        out.put_u16(0);
        let mut count = 0;
        for column in columns {
            count += 1;
            if count > COLUMNS_MAX {
                return Err(Error::TooMany { what: "columns", count, max: COLUMNS_MAX });
            }
            column.write(out)?;
        }
        out[count_at..count_at + 2].copy_from_slice(&(count as u16).to_be_bytes());
        Ok(())
    })
}

/// The columns of a RowDescription, read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Columns<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let count = usize::from(reader.u16()?);
        let mut ahead = reader.clone();
        for _ in 0..count {
            Column::read(&mut ahead)?;
        }
        let bytes = reader.bytes(reader.remaining() - ahead.remaining())?;
        Ok(Columns { count, bytes })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether the rows have no column.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// In the order sent.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Column<'a>> + use<'a> {
        let mut reader = Reader::new("RowDescription", self.bytes);
        (0..self.count).map(move |_| {
            Column::read(&mut reader).expect("BUG: columns are checked before they are iterated")
        })
    }
}
