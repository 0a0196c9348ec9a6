//! Reading one message's body, and never a byte beyond it.

use std::ffi::CStr;

use crate::Error;

/// A cursor over one body. Every method consumes what it returns or fails; [`finish`](Reader::finish) ends it.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    message: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'static str, body: &'a [u8]) -> Self {
        Reader { rest: body, message }
    }

    pub(crate) fn message(&self) -> &'static str {
        self.message
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or(Error::Truncated { message: self.message })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) =
            self.rest.split_first_chunk().ok_or(Error::Truncated { message: self.message })?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Error> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Error> {
        self.array().map(i32::from_be_bytes)
    }

    /// A string up to its NUL, which is consumed and not returned.
    pub(crate) fn str(&mut self) -> Result<&'a str, Error> {
        let text = CStr::from_bytes_until_nul(self.rest)
            .map_err(|_| Error::Unterminated { message: self.message })?;
        self.rest = &self.rest[text.count_bytes() + 1..];
        text.to_str().map_err(|_| Error::NotUtf8 { message: self.message })
    }

    /// A value with its length before it; a length of -1 is null.
    pub(crate) fn value(&mut self) -> Result<Option<&'a [u8]>, Error> {
        match self.i32()? {
            -1 => Ok(None),
            len => match usize::try_from(len) {
                Ok(len) => self.bytes(len).map(Some),
                Err(_) => Err(self.bad_field("value length", len)),
            },
        }
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// A view of what is left, for measuring a part before taking it.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn bad_field(&self, field: &'static str, value: impl Into<i64>) -> Error {
        Error::BadField { message: self.message, field, value: value.into() }
    }

    /// Fails unless the body has been used up.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(Error::Trailing { message: self.message, bytes }),
        }
    }
}
