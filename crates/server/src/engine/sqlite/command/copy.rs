//! `COPY t (a, b) FROM STDIN …` and `COPY {t | (query)} TO STDOUT …`, with old and new option syntax.

use std::ops::Range;

use wire::sqlstate;

use super::super::lexer::Kind;
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;
use super::Command;

/// A COPY as written.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct CopyStatement {
    pub source: Source,
    /// FROM STDIN; else TO STDOUT.
    pub from: bool,
    pub options: Options,
}

/// What is copied.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Source {
    /// Columns are empty for all.
    Table { name: String, columns: Vec<String>, at: usize },
    /// The text inside the parentheses.
    Query(Range<usize>),
}

/// The format of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// Options of either direction.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Options {
    pub format: CopyFormat,
    pub delimiter: u8,
    pub null: String,
    pub header: bool,
    pub quote: u8,
    pub escape: u8,
    /// Columns quoted whatever they hold; `None` inside for all.
    pub force_quote: Option<Vec<String>>,
    pub force_quote_all: bool,
    pub force_null: Vec<String>,
    pub force_not_null: Vec<String>,
}

pub(super) fn parse(tokens: &mut Tokens<'_>) -> Result<Command, SqlError> {
    let binary = tokens.eat("binary");
    let source = source(tokens)?;
    let from = tokens.eat("from");
    if !from {
        tokens.expect_word("to")?;
    }
    if !(tokens.eat("stdin") || tokens.eat("stdout")) {
        return Err(not_stdin(tokens));
    }
    let options = options(tokens, binary)?;
    if from {
        if let Source::Query(_) = source {
            return Err(tokens.unexpected());
        }
        if tokens.eat("where") {
            return Err(SqlError::unsupported("COPY FROM with WHERE"));
        }
    }
    Ok(Command::Copy(CopyStatement { source, from, options }))
}

/// Files of the server are nobody's business.
fn not_stdin(tokens: &Tokens<'_>) -> SqlError {
    let file = tokens.is_word("program") || tokens.peek().is_some_and(|token| token.kind == Kind::String);
    if !file {
        return tokens.unexpected();
    }
    SqlError::new(
        sqlstate::INSUFFICIENT_PRIVILEGE,
        "COPY to or from a file or program of the server is not allowed",
    )
    .hint("COPY with STDIN or STDOUT; psql's \\copy command also works for anyone.")
}

fn source(tokens: &mut Tokens<'_>) -> Result<Source, SqlError> {
    if tokens.is("(") {
        let start = tokens.offset() + 1;
        tokens.skip_group()?;
        return Ok(Source::Query(start..tokens.taken_to() - 1));
    }
    let at = tokens.offset();
    let (_schema, name) = tokens.qualified_name()?;
    let mut columns = Vec::new();
    if tokens.take("(") {
        columns = names(tokens)?;
    }
    Ok(Source::Table { name, columns, at })
}

/// Names up to the closing parenthesis, which is taken.
fn names(tokens: &mut Tokens<'_>) -> Result<Vec<String>, SqlError> {
    let mut names = vec![tokens.name()?];
    while tokens.take(",") {
        names.push(tokens.name()?);
    }
    tokens.expect(")")?;
    Ok(names)
}

/// Options as given, before defaults that depend on the format.
#[derive(Default)]
struct Given {
    format: Option<CopyFormat>,
    delimiter: Option<u8>,
    null: Option<String>,
    header: bool,
    quote: Option<u8>,
    escape: Option<u8>,
    force_quote: Option<Vec<String>>,
    force_quote_all: bool,
    force_null: Vec<String>,
    force_not_null: Vec<String>,
}

fn options(tokens: &mut Tokens<'_>, binary: bool) -> Result<Options, SqlError> {
    let mut given = Given { format: binary.then_some(CopyFormat::Binary), ..Given::default() };
    tokens.eat("with");
    if tokens.take("(") {
        loop {
            let name = tokens.name()?;
            option(&name, tokens, &mut given)?;
            if !tokens.take(",") {
                break;
            }
        }
        tokens.expect(")")?;
    } else {
        while !tokens.is_empty() && !tokens.is_word("where") {
            old_option(tokens, &mut given)?;
        }
    }
    given.complete()
}

fn option(name: &str, tokens: &mut Tokens<'_>, given: &mut Given) -> Result<(), SqlError> {
    match name {
        "format" => given.format = Some(format(tokens)?),
        "delimiter" => given.delimiter = Some(character(tokens, "delimiter")?),
        "null" => given.null = Some(tokens.string().ok_or_else(|| tokens.unexpected())?),
        "header" => given.header = flag(tokens),
        "quote" => given.quote = Some(character(tokens, "quote")?),
        "escape" => given.escape = Some(character(tokens, "escape")?),
        "force_quote" if tokens.take("*") => given.force_quote_all = true,
        "force_quote" => given.force_quote = Some(list(tokens)?),
        "force_null" => given.force_null = list(tokens)?,
        "force_not_null" => given.force_not_null = list(tokens)?,
        "freeze" | "oids" => {
            flag(tokens);
        }
        "encoding" => {
            tokens.string().ok_or_else(|| tokens.unexpected())?;
        }
        unknown => {
            return Err(SqlError::new(
                sqlstate::SYNTAX_ERROR,
                format!("option \"{unknown}\" not recognized"),
            ));
        }
    }
    Ok(())
}

fn old_option(tokens: &mut Tokens<'_>, given: &mut Given) -> Result<(), SqlError> {
    let name = tokens.name()?;
    match name.as_str() {
        "binary" => given.format = Some(CopyFormat::Binary),
        "csv" => given.format = Some(CopyFormat::Csv),
        "header" => given.header = true,
        "freeze" => {}
        "delimiter" | "null" | "quote" | "escape" => {
            tokens.eat("as");
            option(&name, tokens, given)?;
        }
        "force" if tokens.eat("quote") => {
            if tokens.take("*") {
                given.force_quote_all = true;
            } else {
                given.force_quote = Some(bare_list(tokens)?);
            }
        }
        "force" if tokens.eat_all(&["not", "null"]) => given.force_not_null = bare_list(tokens)?,
        "force" if tokens.eat("null") => given.force_null = bare_list(tokens)?,
        _unknown => {
            tokens.rewind(tokens.position() - 1);
            return Err(tokens.unexpected());
        }
    }
    Ok(())
}

fn format(tokens: &mut Tokens<'_>) -> Result<CopyFormat, SqlError> {
    let name = match tokens.string() {
        Some(name) => name,
        None => tokens.name()?,
    };
    match name.as_str() {
        "text" => Ok(CopyFormat::Text),
        "csv" => Ok(CopyFormat::Csv),
        "binary" => Ok(CopyFormat::Binary),
        _unknown => {
            let message = format!("COPY format \"{name}\" not recognized");
            Err(SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, message))
        }
    }
}

fn character(tokens: &mut Tokens<'_>, what: &str) -> Result<u8, SqlError> {
    let text = tokens.string().ok_or_else(|| tokens.unexpected())?;
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
        _several => {
            let message = format!("COPY {what} must be a single one-byte character");
            Err(SqlError::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
        }
    }
}

/// A boolean that may be left out.
fn flag(tokens: &mut Tokens<'_>) -> bool {
    if tokens.eat("false") || tokens.eat("off") || tokens.integer() == Some(0) {
        return false;
    }
    let _given = tokens.eat("true") || tokens.eat("on") || tokens.eat("match") || tokens.string().is_some();
    true
}

fn list(tokens: &mut Tokens<'_>) -> Result<Vec<String>, SqlError> {
    tokens.expect("(")?;
    names(tokens)
}

fn bare_list(tokens: &mut Tokens<'_>) -> Result<Vec<String>, SqlError> {
    let mut names = vec![tokens.name()?];
    while tokens.take(",") {
        names.push(tokens.name()?);
    }
    Ok(names)
}

impl Given {
    fn complete(self) -> Result<Options, SqlError> {
        let format = self.format.unwrap_or(CopyFormat::Text);
        let csv = format == CopyFormat::Csv;
        let only_csv = self.quote.is_some()
            || self.escape.is_some()
            || self.force_quote.is_some()
            || self.force_quote_all;
        if only_csv && !csv {
            let message = "COPY QUOTE, ESCAPE and FORCE_QUOTE are available only in CSV mode";
            return Err(SqlError::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
        }
        if format == CopyFormat::Binary && (self.delimiter.is_some() || self.null.is_some() || self.header) {
            return Err(SqlError::new(
                sqlstate::SYNTAX_ERROR,
                "cannot specify DELIMITER, NULL or HEADER in BINARY mode",
            ));
        }
        let quote = self.quote.unwrap_or(b'"');
        Ok(Options {
            format,
            delimiter: self.delimiter.unwrap_or(if csv { b',' } else { b'\t' }),
            null: self.null.unwrap_or_else(|| if csv { String::new() } else { "\\N".to_owned() }),
            header: self.header,
            quote,
            escape: self.escape.unwrap_or(quote),
            force_quote: self.force_quote,
            force_quote_all: self.force_quote_all,
            force_null: self.force_null,
            force_not_null: self.force_not_null,
        })
    }
}
