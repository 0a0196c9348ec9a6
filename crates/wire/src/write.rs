//! Writing frames whose length is known only at their end.

use bytes::{BufMut, BytesMut};

use crate::Error;
use crate::limits::{FRAME_LEN_MAX, SHORT_FRAME_LEN_MAX};

/// A frame whose body cannot fail and is small by construction.
pub(crate) fn frame(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    let start = begin(out, tag);
    body(out);
    end(out, start, FRAME_LEN_MAX, "message").expect("BUG: a message of ours outgrew a frame");
}

/// A frame that libpq refuses when it gets long; on an error `out` is as before.
pub(crate) fn short_frame(
    out: &mut BytesMut,
    tag: u8,
    what: &'static str,
    body: impl FnOnce(&mut BytesMut) -> Result<(), Error>,
) -> Result<(), Error> {
    bounded_frame(out, tag, SHORT_FRAME_LEN_MAX, what, body)
}

/// A frame as long as the protocol allows; on an error `out` is as before.
pub(crate) fn long_frame(
    out: &mut BytesMut,
    tag: u8,
    what: &'static str,
    body: impl FnOnce(&mut BytesMut) -> Result<(), Error>,
) -> Result<(), Error> {
    bounded_frame(out, tag, FRAME_LEN_MAX, what, body)
}

fn bounded_frame(
    out: &mut BytesMut,
    tag: u8,
    max: usize,
    what: &'static str,
    body: impl FnOnce(&mut BytesMut) -> Result<(), Error>,
) -> Result<(), Error> {
    let start = begin(out, tag);
    let written = body(out).and_then(|()| end(out, start, max, what));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Writes tag and a length to be filled in; returns where the frame starts.
pub(crate) fn begin(out: &mut BytesMut, tag: u8) -> usize {
    let start = out.len();
    out.put_slice(&[tag, 0, 0, 0, 0]);
    start
}

/// Fills in the length of the frame that begins at `start`.
pub(crate) fn end(out: &mut BytesMut, start: usize, max: usize, what: &'static str) -> Result<(), Error> {
    let len = out.len() - start;
    if len > max {
        return Err(Error::TooLong { what, len, max });
    }
    put_len(out, start + 1, len - 1);
    Ok(())
}

/// Writes `len` as four bytes over what stands at `at`.
pub(crate) fn put_len(out: &mut BytesMut, at: usize, len: usize) {
    let len = u32::try_from(len).expect("BUG: lengths are checked against a frame's limit");
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
}

/// Writes a string and its NUL.
pub(crate) fn put_str(out: &mut BytesMut, what: &'static str, text: &str) -> Result<(), Error> {
    if text.as_bytes().contains(&0) {
        return Err(Error::Nul { what });
    }
    out.put_slice(text.as_bytes());
    out.put_u8(0);
    Ok(())
}

/// Writes text for people and its NUL: without NULs inside, cut to `max` bytes at a character boundary.
pub(crate) fn put_text(out: &mut BytesMut, text: &str, max: usize) {
    for part in cut(text, max).split('\0') {
        out.put_slice(part.as_bytes());
    }
    out.put_u8(0);
}

/// The longest beginning of `text` that has at most `max` bytes and ends between two characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Writes a value and its length before it, or a null.
pub(crate) fn put_value(out: &mut BytesMut, what: &'static str, value: Option<&[u8]>) -> Result<(), Error> {
    let Some(value) = value else {
        out.put_i32(-1);
        return Ok(());
    };
    let len = value.len();
    if len > FRAME_LEN_MAX {
        return Err(Error::TooLong { what, len, max: FRAME_LEN_MAX });
    }
    out.put_u32(u32::try_from(len).expect("BUG: checked above"));
    out.put_slice(value);
    Ok(())
}

/// Writes a count of items as 16 bits.
pub(crate) fn put_count(
    out: &mut BytesMut,
    what: &'static str,
    count: usize,
    max: usize,
) -> Result<(), Error> {
    match u16::try_from(count) {
        Ok(short) if count <= max => {
            out.put_u16(short);
            Ok(())
        }
        Ok(_) | Err(_) => Err(Error::TooMany { what, count, max }),
    }
}
