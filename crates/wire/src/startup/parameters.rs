//! Name and value pairs of a start-up packet.

use crate::Error;
use crate::read::Reader;

/// Start-up parameters, in the order sent. Names may repeat; the last one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters<'a>(&'a [u8]);

impl<'a> Parameters<'a> {
    /// Pairs of strings, then one NUL, which must be the last byte.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let Some((0, pairs)) = body.split_last() else { return Err(Error::StartupLayout) };
        let mut reader = Reader::new("startup", pairs);
        while !reader.is_empty() {
            let name = text(&mut reader)?;
            text(&mut reader)?;
            if name.is_empty() {
                return Err(Error::StartupLayout);
            }
        }
        Ok(Parameters(pairs))
    }

    /// Names and values in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone + use<'a> {
        let mut reader = Reader::new("startup", self.0);
        std::iter::from_fn(move || {
            let pair = (!reader.is_empty()).then(|| (reader.str(), reader.str()))?;
            let (Ok(name), Ok(value)) = pair else { panic!("BUG: pairs are checked before") };
            Some((name, value))
        })
    }

    /// The last value sent for `name`.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().filter(|(sent, _)| *sent == name).last().map(|(_, value)| value)
    }
}

/// A string; one without an end means that the packet's last byte is not the list's end.
fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Error> {
    reader.str().map_err(|error| match error {
        Error::Unterminated { .. } => Error::StartupLayout,
        other => other,
    })
}
