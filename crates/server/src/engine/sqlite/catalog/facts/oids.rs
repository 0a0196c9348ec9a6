//! Object identifiers, made from row ids of SQLite's schema table: they stay as long as the object and the file's schema do
//! (VACUUM may renumber them).
//!
//! An object has its row id above [`FIRST_USER`]; what SQLite has no row for (the index of some primary keys, sequences, constraints,
//! defaults) counts from bases of its own, and so does all that is temporary.

/// PostgreSQL's own objects are below.
const FIRST_USER: u32 = 16_384;
/// Types of relations' rows.
const FIRST_TYPE: u32 = 1 << 26;
/// Indexes of primary keys for which SQLite keeps none.
const FIRST_KEY: u32 = 1 << 27;
/// Sequences of identity columns.
const FIRST_SEQUENCE: u32 = 1 << 28;
const TEMPORARY: u32 = 1 << 29;
/// Constraints and defaults: numbered within their table.
const FIRST_PART: u32 = 1 << 30;
const FIRST_TEMPORARY_PART: u32 = 3 << 30;
/// Constraints of a table, and as many defaults.
const PARTS: u32 = 1024;

/// One row of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub row: i64,
    pub temporary: bool,
}

impl Entry {
    pub fn object(self) -> u32 {
        self.from(FIRST_USER)
    }

    /// The index of a primary key for which SQLite has none.
    pub fn key(self) -> u32 {
        self.from(FIRST_KEY)
    }

    /// Identifiers have 32 bits; a schema that needs more repeats itself.
    fn from(self, first: u32) -> u32 {
        let base = if self.temporary { TEMPORARY } else { 0 };
        base.wrapping_add(first).wrapping_add(self.row as u32)
    }

    pub fn constraint(self, ordinal: usize) -> u32 {
        part(self.object(), ordinal as u32 % PARTS)
    }
}

/// The type of a relation's rows.
pub(in super::super) fn row_type(relation: u32) -> u32 {
    relation.wrapping_sub(FIRST_USER).wrapping_add(FIRST_TYPE)
}

/// The sequence of a table's identity column.
pub(in super::super) fn sequence(table: u32) -> u32 {
    table.wrapping_sub(FIRST_USER).wrapping_add(FIRST_SEQUENCE)
}

/// The default of a column.
pub(in super::super) fn default(table: u32, column: i16) -> u32 {
    part(table, PARTS + u32::from(column.unsigned_abs()) % PARTS)
}

fn part(table: u32, ordinal: u32) -> u32 {
    let (base, first) = if table >= TEMPORARY { (TEMPORARY, FIRST_TEMPORARY_PART) } else { (0, FIRST_PART) };
    let row = table.wrapping_sub(base).wrapping_sub(FIRST_USER);
    first.wrapping_add(row.wrapping_mul(2 * PARTS)).wrapping_add(ordinal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_neighbouring_rows_do_not_meet() {
        for temporary in [false, true] {
            let first = Entry { row: 1, temporary };
            let second = Entry { row: 2, temporary };
            let types = [row_type(first.object()), row_type(second.object())];
            let mut numbers =
                vec![first.object(), second.object(), types[0], types[1], first.key(), second.key()];
            numbers.extend([sequence(first.object()), sequence(second.object())]);
            numbers.extend([first.constraint(0), first.constraint(1023)]);
            numbers.extend([default(first.object(), 1), default(first.object(), 1023), second.constraint(0)]);
            assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        }
    }
}
