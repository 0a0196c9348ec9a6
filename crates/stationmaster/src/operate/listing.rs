//! Rows of cells, printed as a table for people or as JSON for programs: one definition for both.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Text, left-aligned.
    Text(String),
    /// A number, right-aligned.
    Number(u64),
    /// Not known, or nothing: `-` in a table, `null` in JSON.
    Nothing,
}

impl Cell {
    /// Text of anything that has one.
    pub fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    /// Text, if there is some; an empty one is nothing.
    pub fn maybe(value: Option<impl ToString>) -> Self {
        value.map(|value| value.to_string()).filter(|text| !text.is_empty()).map_or(Self::Nothing, Self::Text)
    }

    /// A number, if it is known.
    pub fn number(value: Option<u64>) -> Self {
        value.map_or(Self::Nothing, Self::Number)
    }

    /// As a table shows it.
    pub fn shown(&self) -> String {
        match self {
            // A name may hold anything but control characters; a terminal must not be steered by what is left.
            Self::Text(text) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
            Self::Number(number) => number.to_string(),
            Self::Nothing => "-".into(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Nothing => Value::Null,
        }
    }
}

/// Rows under named columns. Keys are JSON's; a table shows them in capitals.
#[derive(Clone, Debug)]
pub struct Listing {
    keys: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl Listing {
    /// No rows yet.
    pub fn new(keys: &'static [&'static str]) -> Self {
        Self { keys, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Cell>) {
        assert_eq!(row.len(), self.keys.len(), "BUG: a row has one cell for each column");
        self.rows.push(row);
    }

    /// With one more row.
    pub fn with(mut self, row: Vec<Cell>) -> Self {
        self.push(row);
        self
    }

    /// A table: capitals above, columns aligned.
    pub fn table(&self) -> String {
        let header = self.keys.iter().map(|key| key.to_uppercase().replace('_', " ")).collect::<Vec<_>>();
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(Cell::shown).collect()).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([header[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.keys.len()).map(width).collect();
        let right: Vec<bool> = (0..self.keys.len()).map(|column| self.is_numeric(column)).collect();
        let mut table = String::new();
        for row in std::iter::once(&header).chain(&rows) {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = widths[column];
                if right[column] { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            table += cells.collect::<Vec<_>>().join("  ").trim_end();
            table.push('\n');
        }
        table
    }

    /// One line for each cell of the first row.
    pub fn card(&self) -> String {
        let Some(row) = self.rows.first() else { return String::new() };
        let width = self.keys.iter().map(|key| key.len()).max().unwrap_or(0);
        let lines = self.keys.iter().zip(row);
        lines.map(|(key, cell)| format!("{:<width$}  {}\n", key.replace('_', " "), cell.shown())).collect()
    }

    /// An array of objects.
    pub fn json(&self) -> Value {
        self.rows.iter().map(|row| self.object(row)).collect()
    }

    /// The first row as an object.
    pub fn json_card(&self) -> Value {
        self.rows.first().map_or(Value::Null, |row| self.object(row))
    }

    fn object(&self, row: &[Cell]) -> Value {
        let pairs = self.keys.iter().zip(row);
        Value::Object(pairs.map(|(key, cell)| (String::from(*key), cell.json())).collect::<Map<_, _>>())
    }

    fn is_numeric(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().map(|row| &row[column]).filter(|cell| **cell != Cell::Nothing);
        cells.clone().next().is_some() && cells.all(|cell| matches!(cell, Cell::Number(_)))
    }
}

/// Prints the one or the other, up to the end of its last line. A reader that has gone away (`| head`) is no failure.
pub fn print(json: bool, value: impl FnOnce() -> Value, human: impl FnOnce() -> String) -> io::Result<()> {
    let mut text = if json { format!("{:#}", value()) } else { human() };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        Listing::new(&["name", "log_last", "state"])
            .with(vec![Cell::text("a"), Cell::Number(7), Cell::text("up")])
            .with(vec![Cell::text("größer"), Cell::Nothing, Cell::text("down")])
    }

    #[test]
    fn a_table_aligns_text_left_and_numbers_right() {
        let expected = "NAME    LOG LAST  STATE\na              7  up\ngrößer         -  down\n";
        assert_eq!(listing().table(), expected);
        assert_eq!(listing().card(), "name      a\nlog last  7\nstate     up\n");
    }

    #[test]
    fn json_has_the_same_cells() {
        assert_eq!(listing().json()[1], json!({ "name": "größer", "log_last": null, "state": "down" }));
        assert_eq!(listing().json_card()["log_last"], json!(7));
        assert_eq!(Listing::new(&["name"]).json(), json!([]));
    }
}
