//! SQL tokens by PostgreSQL's lexical rules, borrowed from the text where they can be.
//!
//! It never allocates more than the text is long and reads each byte once, so a text's length bounds its cost.

use std::borrow::Cow;

/// Longest name that PostgreSQL keeps, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 63;

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword or an identifier without quotes, as written.
    Word(&'a str),
    /// An identifier in double quotes, without them.
    Quoted(Cow<'a, str>),
    /// A string, in whatever way it was quoted.
    String(Cow<'a, str>),
    /// A number as written.
    Number(&'a str),
    /// `$1`.
    Parameter(u32),
    /// Anything else, one character at a time.
    Symbol(char),
}

/// The text ends within something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unterminated {what}")]
pub struct LexError {
    /// Within what.
    pub what: &'static str,
    /// Where it begins, in bytes.
    pub at: usize,
}

/// Reads tokens one by one; comments and white space are skipped.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Reads this text.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token and where it begins, in bytes; `None` at the end.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results would go on after the first error"
    )]
    pub fn next(&mut self) -> Result<Option<(Token<'a>, usize)>, LexError> {
        self.skip_blank()?;
        let at = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(None) };
        let token = match first {
            '\'' => Token::String(self.quoted('\'', "quoted string", false)?),
            '"' => Token::Quoted(self.quoted('"', "quoted identifier", false)?),
            'e' | 'E' if self.rest()[1..].starts_with('\'') => {
                self.at += 1;
                Token::String(self.quoted('\'', "quoted string", true)?)
            }
            '$' => self.dollar()?,
            '0'..='9' => Token::Number(self.while_true(|c| c.is_ascii_alphanumeric() || c == '.')),
            c if is_word_start(c) => Token::Word(self.while_true(is_word_part)),
            other => {
                self.at += other.len_utf8();
                Token::Symbol(other)
            }
        };
        Ok(Some((token, at)))
    }

    /// Where the next token would be looked for, in bytes.
    pub fn position(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn while_true(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn skip_blank(&mut self) -> Result<(), LexError> {
        loop {
            self.while_true(|c| c.is_ascii_whitespace() || c == '\x0b');
            if self.rest().starts_with("--") {
                self.while_true(|c| c != '\n' && c != '\r');
            } else if self.rest().starts_with("/*") {
                self.skip_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Comments nest.
    fn skip_comment(&mut self) -> Result<(), LexError> {
        let begin = self.at;
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                let next = rest.chars().next().ok_or(LexError { what: "comment", at: begin })?;
                self.at += next.len_utf8();
            }
        }
    }

    /// A text between quotes, which are doubled inside.
    fn quoted(&mut self, quote: char, what: &'static str, escapes: bool) -> Result<Cow<'a, str>, LexError> {
        let begin = self.at;
        self.at += 1;
        let mut owned: Option<String> = None;
        let mut from = self.at;
        loop {
            let rest = self.rest();
            let stop = rest.find(|c| c == quote || (escapes && c == '\\'));
            let stop = stop.ok_or(LexError { what, at: begin })?;
            let is_escape = rest[stop..].starts_with('\\');
            let next = rest[stop + 1..].chars().next();
            let end = self.at + stop;
            self.at = end + 1;
            match next {
                Some(next) if is_escape => {
                    let text = owned.get_or_insert_default();
                    text.push_str(&self.text[from..end]);
                    text.push(unescaped(next));
                    self.at += next.len_utf8();
                    from = self.at;
                }
                Some(next) if next == quote => {
                    let text = owned.get_or_insert_default();
                    text.push_str(&self.text[from..=end]);
                    self.at += 1;
                    from = self.at;
                }
                Some(_) | None if !is_escape => {
                    let last = &self.text[from..end];
                    return Ok(match owned {
                        Some(text) => Cow::Owned(text + last),
                        None => Cow::Borrowed(last),
                    });
                }
                Some(_) | None => return Err(LexError { what, at: begin }),
            }
        }
    }

    /// `$1`, `$$text$$` or `$tag$text$tag$`.
    fn dollar(&mut self) -> Result<Token<'a>, LexError> {
        let begin = self.at;
        let rest = &self.rest()[1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits > 0 {
            self.at += 1 + digits;
            return Ok(Token::Parameter(rest[..digits].parse().unwrap_or(u32::MAX)));
        }
        let tag = rest.find(|c| !is_word_part(c) || c == '$').unwrap_or(rest.len());
        if !rest[tag..].starts_with('$') {
            self.at += 1;
            return Ok(Token::Symbol('$'));
        }
        let mark = &self.rest()[..tag + 2];
        let body = &self.rest()[mark.len()..];
        let len = body.find(mark).ok_or(LexError { what: "dollar-quoted string", at: begin })?;
        self.at += mark.len() * 2 + len;
        Ok(Token::String(Cow::Borrowed(&body[..len])))
    }
}

/// An identifier as PostgreSQL keeps it: in lower case unless quoted, cut to 63 bytes at a character's end.
/// `None` for a token that is none.
pub fn identifier(token: &Token<'_>) -> Option<String> {
    let mut name = match token {
        Token::Word(word) => word.to_ascii_lowercase(),
        Token::Quoted(name) if !name.is_empty() => name.to_string(),
        Token::Quoted(_) | Token::String(_) | Token::Number(_) | Token::Parameter(_) | Token::Symbol(_) => {
            return None;
        }
    };
    while name.len() > IDENTIFIER_BYTES_MAX {
        name.pop();
    }
    Some(name)
}

fn unescaped(character: char) -> char {
    match character {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\x08',
        'f' => '\x0c',
        other => other,
    }
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_word_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Vec<Token<'_>>, LexError> {
        let mut lexer = Lexer::new(text);
        let mut found = Vec::new();
        while let Some((token, _)) = lexer.next()? {
            found.push(token);
        }
        Ok(found)
    }

    #[test]
    fn tokens_follow_postgres_quoting_rules() {
        use Token::*;
        let cases: [(&str, Vec<Token<'_>>); 10] = [
            (" -- c\n/* a /* b */ */ ", vec![]),
            ("Create DB_1;", vec![Word("Create"), Word("DB_1"), Symbol(';')]),
            (r#""My ""db""" x"#, vec![Quoted("My \"db\"".into()), Word("x")]),
            ("'it''s'", vec![String("it's".into())]),
            (r"E'a\n\'b'", vec![String("a\n'b".into())]),
            (r"'a\'", vec![String("a\\".into())]),
            ("$$a'b$$ $x$ $$ $x$", vec![String("a'b".into()), String(" $$ ".into())]),
            ("$12+1.5e3", vec![Parameter(12), Symbol('+'), Number("1.5e3")]),
            ("größe é", vec![Word("größe"), Word("é")]),
            ("a$b $ x", vec![Word("a$b"), Symbol('$'), Word("x")]),
        ];
        for (text, expected) in cases {
            assert_eq!(tokens(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_does_not_end_is_named_with_its_place() {
        for (text, what, at) in [
            ("a 'b", "quoted string", 2),
            ("\"b''", "quoted identifier", 0),
            (r"E'b\", "quoted string", 1),
            ("x /* /* */", "comment", 2),
            ("$a$ $b$", "dollar-quoted string", 0),
        ] {
            assert_eq!(tokens(text), Err(LexError { what, at }), "{text}");
        }
    }

    #[test]
    fn identifiers_fold_and_are_cut_like_postgres_does() {
        let long = "é".repeat(40);
        let cases = [
            (Token::Word("Shop"), Some("shop".to_owned())),
            (Token::Quoted("Shop".into()), Some("Shop".to_owned())),
            (Token::Quoted("".into()), None),
            (Token::Number("1"), None),
            (Token::Quoted(long.as_str().into()), Some("é".repeat(31))),
        ];
        for (token, expected) in cases {
            assert_eq!(identifier(&token), expected, "{token:?}");
        }
    }
}
