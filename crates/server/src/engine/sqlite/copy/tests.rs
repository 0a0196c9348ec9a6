use bytes::BytesMut;

use super::super::command::{self, Command, CopyOptions};
use super::super::tokens::Tokens;
use super::*;

fn options(options: &str) -> CopyOptions {
    let sql = format!("copy t from stdin {options}");
    match command::parse(&mut Tokens::statement(&sql, 0)) {
        Ok(Some(Command::Copy(copy))) => copy.options,
        other => panic!("{sql}: {other:?}"),
    }
}

/// All rows of `data` when it comes in chunks of `size` bytes.
fn read(with: &str, data: &[u8], size: usize) -> Result<Vec<Vec<Cell>>, String> {
    let mut reader = Reader::new(options(with));
    let mut rows = Vec::new();
    for chunk in data.chunks(size) {
        reader.push(chunk);
        while let Some(row) = reader.row(false).map_err(|error| error.message)? {
            rows.push(row);
        }
    }
    while let Some(row) = reader.row(true).map_err(|error| error.message)? {
        rows.push(row);
    }
    Ok(rows)
}

fn cell(text: &str) -> Cell {
    Some(text.as_bytes().to_vec())
}

/// Options, bytes, and the rows they hold.
type Stream = (&'static str, &'static [u8], Vec<Vec<Cell>>);

#[test]
fn rows_are_the_same_however_the_stream_is_cut() {
    let table: &[Stream] = &[
        ("", b"1\ta\n2\t\\N\n", vec![vec![cell("1"), cell("a")], vec![cell("2"), None]]),
        ("", b"a\\tb\\\\\\x41\\101\t\\\n\n\\.\nignored", vec![vec![cell("a\tb\\AA"), cell("\n")]]),
        ("", b"last\tline", vec![vec![cell("last"), cell("line")]]),
        ("with (delimiter '|', null '')", b"a||\r\n", vec![vec![cell("a"), None, None]]),
        ("csv", b"1,\"a,\"\"b\"\"\nc\",,\"\"\n", vec![vec![cell("1"), cell("a,\"b\"\nc"), None, cell("")]]),
        (
            "with (format csv, header, escape '\\')",
            b"x,y\n\"a\\\"b\",2\n",
            vec![vec![cell("a\"b"), cell("2")]],
        ),
        ("csv", b"", vec![]),
        (
            "binary",
            b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\x02hi\xff\xff\xff\xff\xff\xff",
            vec![vec![cell("hi"), None]],
        ),
    ];
    for (with, data, expected) in table {
        for size in 1..=data.len().max(1) {
            assert_eq!(read(with, data, size).as_ref(), Ok(expected), "{with} in chunks of {size}");
        }
    }
}

#[test]
fn broken_streams_are_refused() {
    assert_eq!(read("csv", b"\"open", 1), Err("unterminated CSV quoted field".to_owned()));
    assert_eq!(read("binary", b"PGCOPX", 1), Err("COPY file signature not recognized".to_owned()));
    assert_eq!(
        read("binary", b"PGCOPY\n\xff\r\n\0\0\0\0\0", 5),
        Err("unexpected EOF in COPY data".to_owned())
    );
}

#[test]
fn what_is_written_is_read_back() {
    let rows: Vec<Vec<Cell>> = vec![
        vec![cell("plain"), None, cell("")],
        vec![cell("tab\tnew\nline\rback\\slash"), cell("\\N"), cell("\"quoted\",\u{b}")],
        vec![cell("\\."), cell("NULL"), cell("é")],
    ];
    for with in [
        "",
        "csv",
        "binary",
        "csv header",
        "with (format csv, null 'NULL', force_quote *)",
        "with (delimiter ',')",
    ] {
        let columns: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let writer = Writer::new(options_out(with), &columns);
        let mut out = BytesMut::new();
        writer.head(&columns, &mut out);
        for row in &rows {
            writer.row(row.iter().map(Option::as_deref), &mut out);
        }
        writer.tail(&mut out);
        let input = with.replace(", force_quote *", "");
        assert_eq!(read(&input, &out, out.len()).as_ref(), Ok(&rows), "{with}");
    }
}

fn options_out(options: &str) -> CopyOptions {
    let sql = format!("copy t to stdout {options}");
    match command::parse(&mut Tokens::statement(&sql, 0)) {
        Ok(Some(Command::Copy(copy))) => copy.options,
        other => panic!("{sql}: {other:?}"),
    }
}
