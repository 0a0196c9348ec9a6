//! Recorded load: the files of the Azure Functions trace, with the invocations of every function in every minute.
//!
//! A file is a day: a header, then for each function its owner, application, name and trigger, and 1,440 counts.
//! An application counts as a database: all its functions together. It knows no files; who has one gives a reader.

use std::{collections::HashMap, io::BufRead};

use crate::world::fleet::DAY;

/// Columns before the first minute.
const NAMES: usize = 4;

/// Which of them is the application.
const APPLICATION: usize = 1;

/// The longest line that is read, in bytes.
const LINE_MAX: usize = 1 << 20;

/// Invocations of every application, day after day.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    index: HashMap<String, usize>,
    /// By database, all days: one count for each minute.
    counts: Vec<Vec<u32>>,
    days: usize,
}

/// What is wrong with a file. Lines and columns begin with 1.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read line {line}")]
    Read {
        /// Where.
        line: usize,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It does not begin with the header.
    #[error(
        "line 1 is no header of the Azure Functions trace: HashOwner,HashApp,HashFunction,Trigger,1,2,…,1440"
    )]
    Header,
    /// A line has another number of columns.
    #[error("line {line} has {columns} columns instead of {}", NAMES + DAY as usize)]
    Columns {
        /// Where.
        line: usize,
        /// How many it has.
        columns: usize,
    },
    /// A line is longer than any of the trace.
    #[error("line {line} is longer than {LINE_MAX} bytes")]
    Long {
        /// Where.
        line: usize,
    },
    /// A count is no number.
    #[error(
        "line {line}, column {column}: {text:?} is no count of invocations, which is a whole number below 2^32"
    )]
    Count {
        /// Where.
        line: usize,
        /// And in which column.
        column: usize,
        /// What stands there, shortened.
        text: String,
    },
    /// Nothing is invoked in it.
    #[error("there is no invocation in it")]
    Empty,
}

impl Recorded {
    /// Reads the file of one more day. On an error nothing of what was read before may be used.
    ///
    /// # Errors
    /// [`Error`] when it is not such a file.
    pub fn read(&mut self, mut file: impl BufRead) -> Result<(), Error> {
        self.days += 1;
        let mut text = String::new();
        let mut line = 0;
        let mut invocations = 0;
        while next(&mut file, &mut text, line + 1)? {
            line += 1;
            let row = text.trim_end_matches(['\n', '\r']);
            if line == 1 {
                check_header(row)?;
            } else if !row.is_empty() {
                invocations += self.row(row, line)?;
            }
        }
        match line {
            0 => Err(Error::Header),
            _ if invocations == 0 => Err(Error::Empty),
            _ => Ok(()),
        }
    }

    /// Adds a function's counts to its application's, and returns how many it has in all.
    fn row(&mut self, row: &str, line: usize) -> Result<u64, Error> {
        let columns = row.split(',').count();
        if columns != NAMES + DAY as usize {
            return Err(Error::Columns { line, columns });
        }
        let application = row.split(',').nth(APPLICATION).unwrap_or_default();
        let database = match self.index.get(application) {
            Some(database) => *database,
            None => {
                self.counts.push(Vec::new());
                self.index.insert(application.to_owned(), self.counts.len() - 1);
                self.counts.len() - 1
            }
        };
        let counts = &mut self.counts[database];
        counts.resize(self.days * DAY as usize, 0);
        let today = &mut counts[(self.days - 1) * DAY as usize..];
        let mut sum = 0;
        for (minute, field) in row.split(',').skip(NAMES).enumerate() {
            let count: u32 = field.trim().parse().map_err(|_| Error::Count {
                line,
                column: NAMES + minute + 1,
                text: field.chars().take(40).collect(),
            })?;
            today[minute] = today[minute].saturating_add(count);
            sum += u64::from(count);
        }
        Ok(sum)
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.counts.len()
    }

    /// How many days there are.
    pub fn days(&self) -> usize {
        self.days
    }

    pub(crate) fn means(&self) -> Vec<f64> {
        let minutes = (self.days * DAY as usize) as f64;
        let sum = |counts: &Vec<u32>| counts.iter().map(|count| f64::from(*count)).sum::<f64>();
        self.counts.iter().map(|counts| sum(counts) / minutes).collect()
    }

    pub(crate) fn step(&self, minute: u32, loads: &mut [f32]) {
        let minute = minute as usize % (self.days * DAY as usize);
        for (load, counts) in loads.iter_mut().zip(&self.counts) {
            // Those that are in none of the later files have no counts there.
            *load = counts.get(minute).copied().unwrap_or(0) as f32;
        }
    }
}

/// Reads a line, but no more of it than is sensible; false at the end.
fn next(file: &mut impl BufRead, text: &mut String, line: usize) -> Result<bool, Error> {
    text.clear();
    let mut limited = std::io::Read::take(file, LINE_MAX as u64);
    let read = limited.read_line(text).map_err(|source| Error::Read { line, source })?;
    if read == LINE_MAX && !text.ends_with('\n') {
        return Err(Error::Long { line });
    }
    Ok(read > 0)
}

fn check_header(row: &str) -> Result<(), Error> {
    let mut columns = row.trim_start_matches('\u{feff}').split(',');
    let named = columns.by_ref().take(NAMES).nth(APPLICATION) == Some("HashApp");
    let mut columns = row.split(',').skip(NAMES);
    let minutes =
        (1..=DAY).all(|minute| columns.next().is_some_and(|column| column.trim() == minute.to_string()));
    if named && minutes && columns.next().is_none() { Ok(()) } else { Err(Error::Header) }
}

#[cfg(test)]
mod tests;
