//! PostgreSQL's tokens, for what SQLite does not understand as it stands.
//!
//! Rules after PostgreSQL's scan.l, with SQLite's extras (blob literals, bracketed and back-quoted names) beside them.
//! Tokens are ranges of the text; nothing is copied. An unterminated literal is an error token that ends the text.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword without quotes.
    Word,
    /// `"name"` or `` `name` ``.
    Quoted,
    /// `'text'`.
    String,
    /// `E'text'`, with backslash escapes.
    Escaped,
    /// `$$text$$` or `$tag$text$tag$`.
    Dollar,
    /// `X'00ff'`.
    Blob,
    /// `B'0101'`.
    Bits,
    /// `12`, `1.5e3`.
    Number,
    /// `$1`.
    Parameter,
    /// One or more operator characters.
    Operator,
    /// `(`, `)`, `,`, `.`, `[`, `]`, `:`, `;` and `::`, `:=`.
    Punctuation,
    /// A literal, name or comment without its end; or a character that no rule knows.
    Broken,
}

/// A token and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

impl Token {
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    pub fn text(self, sql: &str) -> &str {
        &sql[self.start..self.end]
    }

    /// Whether it is this keyword; quoted names never are.
    pub fn is_word(self, sql: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    pub fn is(self, sql: &str, punctuation: &str) -> bool {
        matches!(self.kind, Kind::Punctuation | Kind::Operator) && self.text(sql) == punctuation
    }
}

/// Iterates over the tokens of a text from `at`; white space and comments are left out.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub fn new(sql: &'a str) -> Self {
        Self { sql, at: 0 }
    }

    pub fn starting_at(sql: &'a str, at: usize) -> Self {
        Self { sql, at }
    }

    fn bytes(&self) -> &'a [u8] {
        &self.sql.as_bytes()[self.at..]
    }

    /// Past white space and comments; `false` at an unterminated comment.
    fn skip_blank(&mut self) -> bool {
        loop {
            let rest = self.bytes();
            match rest {
                [b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, ..] => self.at += 1,
                [b'-', b'-', ..] => {
                    self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
                }
                [b'/', b'*', ..] => match comment_length(rest) {
                    Some(length) => self.at += length,
                    None => return false,
                },
                _token => return true,
            }
        }
    }

    fn scan(&mut self) -> Option<(Kind, usize)> {
        let rest = self.bytes();
        let first = *rest.first()?;
        Some(match first {
            b'\'' => ended(Kind::String, quoted_length(rest, b'\'', false)),
            b'"' | b'`' => ended(Kind::Quoted, quoted_length(rest, first, false)),
            b'e' | b'E' if rest.get(1) == Some(&b'\'') => {
                ended(Kind::Escaped, quoted_length(&rest[1..], b'\'', true).map(|length| length + 1))
            }
            b'x' | b'X' if rest.get(1) == Some(&b'\'') => {
                ended(Kind::Blob, quoted_length(&rest[1..], b'\'', false).map(|length| length + 1))
            }
            b'b' | b'B' if rest.get(1) == Some(&b'\'') => {
                ended(Kind::Bits, quoted_length(&rest[1..], b'\'', false).map(|length| length + 1))
            }
            b'n' | b'N' if rest.get(1) == Some(&b'\'') => (Kind::Word, 1),
            b'$' => dollar(rest),
            b'0'..=b'9' => (Kind::Number, number_length(rest)),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => (Kind::Number, number_length(rest)),
            b':' if matches!(rest.get(1), Some(b':' | b'=')) => (Kind::Punctuation, 2),
            b'(' | b')' | b',' | b'.' | b'[' | b']' | b':' | b';' => (Kind::Punctuation, 1),
            byte if is_operator(byte) => (Kind::Operator, operator_length(rest)),
            byte if is_word_start(byte) => {
                (Kind::Word, rest.iter().take_while(|byte| is_word(**byte)).count())
            }
            _unknown => (Kind::Broken, self.sql[self.at..].chars().next().map_or(1, char::len_utf8)),
        })
        .map(|(kind, length)| (kind, length.min(rest.len())))
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let closed = self.skip_blank();
        let start = self.at;
        let (kind, length) = if closed { self.scan()? } else { (Kind::Broken, usize::MAX) };
        self.at = start.saturating_add(length).min(self.sql.len());
        Some(Token { kind, start, end: self.at })
    }
}

fn ended(kind: Kind, length: Option<usize>) -> (Kind, usize) {
    length.map_or((Kind::Broken, usize::MAX), |length| (kind, length))
}

/// PostgreSQL's block comments nest.
fn comment_length(rest: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0, 0);
    while at + 1 < rest.len() {
        match &rest[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _text => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// A doubled quote, and with `escapes` a backslash, keeps the literal open.
fn quoted_length(rest: &[u8], quote: u8, escapes: bool) -> Option<usize> {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' if escapes => at += 2,
            byte if byte != quote => at += 1,
            _quote if rest.get(at + 1) == Some(&quote) => at += 2,
            _end => return Some(at + 1),
        }
    }
    None
}

fn dollar(rest: &[u8]) -> (Kind, usize) {
    if rest.get(1).is_some_and(u8::is_ascii_digit) {
        let digits = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        return (Kind::Parameter, 1 + digits);
    }
    let tag = 1 + rest[1..].iter().take_while(|byte| is_word(**byte) && **byte != b'$').count();
    if rest.get(tag) != Some(&b'$') {
        return (Kind::Broken, 1);
    }
    let delimiter = &rest[..=tag];
    let body = &rest[tag + 1..];
    let end = body.windows(delimiter.len()).position(|window| window == delimiter);
    ended(Kind::Dollar, end.map(|end| tag + 1 + end + delimiter.len()))
}

fn number_length(rest: &[u8]) -> usize {
    if let [b'0', b'x' | b'X', digit, ..] = rest
        && digit.is_ascii_hexdigit()
    {
        return 2 + rest[2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    }
    let digits = |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = digits(0);
    if rest.get(at) == Some(&b'.') && rest.get(at + 1) != Some(&b'.') {
        at += 1 + digits(at + 1);
    }
    if let Some(b'e' | b'E') = rest.get(at) {
        let sign = usize::from(matches!(rest.get(at + 1), Some(b'+' | b'-')));
        let exponent = rest.get(at + 1 + sign..).map_or(0, |_| digits(at + 1 + sign));
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    at.max(1)
}

/// The longest run of operator characters that does not run into a comment; a trailing sign belongs to what follows,
/// as in PostgreSQL.
fn operator_length(rest: &[u8]) -> usize {
    let mut length = 0;
    while length < rest.len() && is_operator(rest[length]) {
        if matches!(rest.get(length..length + 2), Some(b"--" | b"/*")) && length > 0 {
            break;
        }
        length += 1;
    }
    let keeps_sign = rest[..length].iter().any(|byte| b"~!@#%^&|`?".contains(byte));
    while length > 1 && matches!(rest[length - 1], b'+' | b'-') && !keeps_sign {
        length -= 1;
    }
    // PostgreSQL's `->` and friends end before a sign by the rule above; SQLite's `->>` as well.
    length
}

fn is_operator(byte: u8) -> bool {
    b"+-*/<>=~!@#%^&|?".contains(&byte)
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// The text of a string token of any kind; `None` for other tokens and bad escapes.
pub(super) fn string_value(sql: &str, token: Token) -> Option<String> {
    let text = token.text(sql);
    match token.kind {
        Kind::String => Some(text[1..text.len() - 1].replace("''", "'")),
        Kind::Escaped => unescape(&text[2..text.len() - 1]),
        Kind::Dollar => {
            let delimiter = text[1..].find('$')? + 2;
            Some(text[delimiter..text.len() - delimiter].to_owned())
        }
        _no_string => None,
    }
}

/// A name: folded to lower case unless quoted.
pub(super) fn name_value(sql: &str, token: Token) -> Option<String> {
    let text = token.text(sql);
    match token.kind {
        Kind::Word => Some(text.to_lowercase()),
        Kind::Quoted => {
            let quote = &text[..1];
            Some(text[1..text.len() - 1].replace(&quote.repeat(2), quote))
        }
        _no_name => None,
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\'']) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = if rest[at..].starts_with("''") {
            out.push(b'\'');
            &rest[at + 2..]
        } else {
            escape(&rest[at + 1..], &mut out)?
        };
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).ok().filter(|text| !text.contains('\0'))
}

/// What follows a backslash; returns the text after it.
fn escape<'a>(text: &'a str, out: &mut Vec<u8>) -> Option<&'a str> {
    let c = text.chars().next()?;
    let digits =
        |most: usize, radix: u32| text[1..].chars().take(most).take_while(|c| c.is_digit(radix)).count();
    let simple = |byte: u8, out: &mut Vec<u8>| out.push(byte);
    match c {
        'b' => simple(8, out),
        'f' => simple(12, out),
        'n' => simple(b'\n', out),
        'r' => simple(b'\r', out),
        't' => simple(b'\t', out),
        'x' if digits(2, 16) > 0 => {
            let length = digits(2, 16);
            out.push(u8::from_str_radix(&text[1..=length], 16).ok()?);
            return Some(&text[1 + length..]);
        }
        'u' | 'U' => {
            let length = if c == 'u' { 4 } else { 8 };
            let code = text.get(1..=length).and_then(|digits| u32::from_str_radix(digits, 16).ok())?;
            out.extend_from_slice(char::from_u32(code)?.to_string().as_bytes());
            return Some(&text[1 + length..]);
        }
        '0'..='7' => {
            let length = text.chars().take(3).take_while(|c| c.is_digit(8)).count();
            out.push(u8::try_from(u32::from_str_radix(&text[..length], 8).ok()? & 0xff).ok()?);
            return Some(&text[length..]);
        }
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
    Some(&text[c.len_utf8()..])
}

/// `name` as a quoted identifier.
pub(super) fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a string literal.
pub(super) fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests;
