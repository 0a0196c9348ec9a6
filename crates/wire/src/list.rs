//! Lists inside a body, checked once and read in place.

use crate::read::Reader;
use crate::{Error, Oid};

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// As the type's output function writes it, in UTF-8.
    #[default]
    Text,
    /// As the type's send function writes it.
    Binary,
}

impl Format {
    /// The code on the wire.
    pub fn code(self) -> i16 {
        match self {
            Format::Text => 0,
            Format::Binary => 1,
        }
    }

    /// The format with this code.
    ///
    /// # Errors
    /// [`Error::FormatCode`] for anything but 0 and 1.
    pub fn from_code(code: i16) -> Result<Format, Error> {
        match code {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            code => Err(Error::FormatCode { code }),
        }
    }
}

/// Format codes as Bind has them: none is text for all, one is that one for all, else one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Formats<'a>(&'a [u8]);

impl<'a> Formats<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let count = usize::from(reader.u16()?);
        Formats::read_counted(reader, count)
    }

    pub(crate) fn read_counted(reader: &mut Reader<'a>, count: usize) -> Result<Self, Error> {
        let codes = reader.bytes(count * 2)?;
        for code in codes.chunks_exact(2) {
            Format::from_code(i16::from_be_bytes([code[0], code[1]]))?;
        }
        Ok(Formats(codes))
    }

    /// How many codes were sent.
    pub fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// Whether none was sent, so that everything is text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The format of item `index`, counted from 0, by the rule for none, one or many.
    pub fn of(&self, index: usize) -> Format {
        let index = if self.len() == 1 { 0 } else { index };
        match self.0.get(index * 2 + 1) {
            Some(1) => Format::Binary,
            Some(_) | None => Format::Text,
        }
    }

    /// The codes as sent.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Format> + Clone + 'a {
        self.0.chunks_exact(2).map(|code| if code[1] == 1 { Format::Binary } else { Format::Text })
    }

    /// Whether the codes can be applied to `count` items.
    pub fn fit(&self, count: usize) -> bool {
        self.len() <= 1 || self.len() == count
    }

    /// Checks the codes against the columns of a query, once they are known.
    ///
    /// # Errors
    /// [`Error::ResultFormats`].
    pub fn check_columns(&self, columns: usize) -> Result<(), Error> {
        if self.fit(columns) {
            return Ok(());
        }
        Err(Error::ResultFormats { formats: self.len(), columns })
    }
}

/// Object identifiers, as in Parse and ParameterDescription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oids<'a>(&'a [u8]);

impl<'a> Oids<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let count = usize::from(reader.u16()?);
        reader.bytes(count * 4).map(Oids)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len() / 4
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order sent.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Oid> + Clone + 'a {
        self.0.chunks_exact(4).map(|oid| Oid(u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]])))
    }
}

/// Values with their lengths, as in Bind and DataRow; `None` is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Values<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Values<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let count = usize::from(reader.u16()?);
        let mut ahead = reader.clone();
        for _ in 0..count {
            ahead.value()?;
        }
        let bytes = reader.bytes(reader.remaining() - ahead.remaining())?;
        Ok(Values { count, bytes })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// In the order sent.
    pub fn iter(&self) -> ValuesIter<'a> {
        ValuesIter { left: self.count, reader: Reader::new("value list", self.bytes) }
    }
}

impl<'a> IntoIterator for Values<'a> {
    type Item = Option<&'a [u8]>;
    type IntoIter = ValuesIter<'a>;

    fn into_iter(self) -> ValuesIter<'a> {
        self.iter()
    }
}

/// Reads [`Values`] one by one.
#[derive(Debug, Clone)]
pub struct ValuesIter<'a> {
    left: usize,
    reader: Reader<'a>,
}

impl<'a> Iterator for ValuesIter<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(self.reader.value().expect("BUG: a list is checked before it is iterated"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for ValuesIter<'_> {}
