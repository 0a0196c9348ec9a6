//! PostgreSQL's functions that its catalogs refer to: what `regproc` columns hold, and the rows of `pg_proc`.
//!
//! The functions that can be called are the engine's business; they are not listed.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::context::{OWNER, PG_CATALOG};
use super::tables::lines;
use super::values::{Rows, row, vector};

/// A row of `pg_proc`.
struct Function {
    oid: u32,
    name: &'static str,
    result: u32,
    arguments: Vec<i64>,
}

type Index = (Vec<Function>, HashMap<&'static str, u32>);

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let functions: Vec<Function> = lines(include_str!("data/functions.txt")).map(parse).collect();
        let by_name = functions.iter().map(|function| (function.name, function.oid)).collect();
        (functions, by_name)
    })
}

fn parse(line: &'static str) -> Function {
    let words: Vec<&'static str> = line.split(' ').collect();
    let number = |word: &str| word.parse().expect("BUG: a number in a data file");
    let arguments = words[3..].iter().filter(|word| !word.is_empty()).map(|word| i64::from(number(word)));
    Function {
        oid: number(words[0]),
        name: words[1],
        result: number(words[2]),
        arguments: arguments.collect(),
    }
}

/// A function's number, without its schema; `None` when it is not one of these.
pub(super) fn oid_of(name: &str) -> Option<u32> {
    index().1.get(name).copied()
}

pub(super) fn name_of(oid: u32) -> Option<&'static str> {
    let functions = &index().0;
    functions.binary_search_by_key(&oid, |function| function.oid).ok().map(|at| functions[at].name)
}

/// `pg_proc`.
pub(super) fn rows() -> Rows {
    let mut rows = Rows::new(&[
        "oid",
        "proname",
        "pronamespace",
        "proowner",
        "prolang",
        "procost",
        "prokind",
        "proisstrict",
        "provolatile",
        "proparallel",
        "pronargs",
        "prorettype",
        "proargtypes",
        "prosrc",
    ]);
    for function in &index().0 {
        let count = i64::try_from(function.arguments.len()).unwrap_or(0);
        rows.push(row![
            function.oid,
            function.name,
            PG_CATALOG,
            OWNER,
            12,
            1,
            "f",
            true,
            "i",
            "s",
            count,
            function.result,
            vector(function.arguments.iter().copied()),
            function.name,
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_both_ways() {
        assert_eq!(oid_of("array_in"), Some(750));
        assert_eq!(name_of(750), Some("array_in"));
        assert_eq!((oid_of("nothing"), name_of(1)), (None, None));
        assert!(index().0.windows(2).all(|pair| pair[0].oid < pair[1].oid), "sorted for the search");
    }
}
