//! PostgreSQL's binary file: a signature, rows of counted cells, and -1 at the end.

use super::super::super::sql_error::SqlError;
use super::super::SIGNATURE;
use super::{Cell, Reader, bad_format};

pub(super) fn row(reader: &mut Reader, last: bool) -> Result<Option<Vec<Cell>>, SqlError> {
    if !reader.started {
        let Some(length) = header(reader.rest())? else { return more(reader, last) };
        reader.at += length;
        reader.started = true;
    }
    let Some((cells, used)) = cells(reader.rest())? else { return more(reader, last) };
    reader.at += used;
    reader.line += 1;
    if cells.is_none() {
        reader.ended = true;
    }
    Ok(cells)
}

/// Nothing can be done with what is there.
fn more(reader: &Reader, last: bool) -> Result<Option<Vec<Cell>>, SqlError> {
    if last && !(reader.started && reader.rest().is_empty()) {
        return Err(bad_format("unexpected EOF in COPY data"));
    }
    Ok(None)
}

fn word(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..at + 4)?.try_into().ok().map(i32::from_be_bytes)
}

/// Length of signature, flags and extension.
fn header(bytes: &[u8]) -> Result<Option<usize>, SqlError> {
    if !bytes.starts_with(&SIGNATURE[..bytes.len().min(SIGNATURE.len())]) {
        return Err(bad_format("COPY file signature not recognized"));
    }
    let Some(extension) = word(bytes, 15) else { return Ok(None) };
    let extension =
        usize::try_from(extension).map_err(|_| bad_format("invalid COPY file header (bad length)"))?;
    let length = 19usize.saturating_add(extension);
    Ok((bytes.len() >= length).then_some(length))
}

/// The next row and its length; inside, `None` at the end marker.
#[expect(clippy::type_complexity, reason = "two ends: of the input so far, and of the file")]
fn cells(bytes: &[u8]) -> Result<Option<(Option<Vec<Cell>>, usize)>, SqlError> {
    let Some(count) = bytes.first_chunk() else { return Ok(None) };
    let Ok(count) = usize::try_from(i16::from_be_bytes(*count)) else { return Ok(Some((None, bytes.len()))) };
    let mut cells = Vec::new();
    let mut at = 2;
    for _ in 0..count {
        let Some(length) = word(bytes, at) else { return Ok(None) };
        at += 4;
        if length == -1 {
            cells.push(None);
            continue;
        }
        let length = usize::try_from(length).map_err(|_| bad_format("invalid field size"))?;
        let Some(cell) = bytes.get(at..at.saturating_add(length)) else { return Ok(None) };
        cells.push(Some(cell.to_vec()));
        at += length;
    }
    Ok(Some((Some(cells), at)))
}
