//! A cursor over the tokens of one statement, for the small parsers of this engine.

use std::ops::Range;

use super::lexer::{Kind, Lexer, Token, name_value, string_value};
use super::sql_error::SqlError;

/// One statement's tokens and a position among them.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    pub sql: &'a str,
    tokens: Vec<Token>,
    at: usize,
    /// Byte offset just past the statement, its semicolon included.
    end: usize,
}

impl<'a> Tokens<'a> {
    /// The statement that starts at `from`.
    pub fn statement(sql: &'a str, from: usize) -> Self {
        let mut tokens = Vec::new();
        let mut end = sql.len();
        let mut depth = 0usize;
        for token in Lexer::starting_at(sql, from) {
            match (token.kind, token.text(sql)) {
                (Kind::Punctuation, "(") => depth += 1,
                (Kind::Punctuation, ")") => depth = depth.saturating_sub(1),
                (Kind::Punctuation, ";") if depth == 0 => {
                    end = token.end;
                    break;
                }
                _inside => {}
            }
            tokens.push(token);
        }
        Self { sql, tokens, at: 0, end }
    }

    /// Where the next statement starts.
    pub fn end(&self) -> usize {
        self.end
    }

    pub fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    pub fn peek_at(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.at + ahead).copied()
    }

    pub fn advance(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    pub fn position(&self) -> usize {
        self.at
    }

    pub fn rewind(&mut self, position: usize) {
        self.at = position;
    }

    pub fn is_empty(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Byte offset of the next token, or of the text's end.
    pub fn offset(&self) -> usize {
        self.peek()
            .map_or_else(|| self.tokens.last().map_or(self.sql.len(), |token| token.end), |token| token.start)
    }

    /// Byte offset just past the last token taken.
    pub fn taken_to(&self) -> usize {
        self.at.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |token| token.end)
    }

    /// The last token taken.
    pub fn last_taken(&self) -> Range<usize> {
        let last = self.at.checked_sub(1).and_then(|last| self.tokens.get(last));
        last.map_or(0..0, |token| token.range())
    }

    /// The bytes from the next token to the last.
    pub fn rest(&self) -> Range<usize> {
        let start = self.offset();
        start..self.tokens.last().map_or(start, |token| token.end.max(start))
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(self.sql, word))
    }

    /// Whether the next tokens are these keywords.
    pub fn are_words(&self, words: &[&str]) -> bool {
        let mut ahead = words.iter().enumerate();
        ahead.all(|(at, word)| self.peek_at(at).is_some_and(|token| token.is_word(self.sql, word)))
    }

    /// Takes the keyword if it is next.
    pub fn eat(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    /// Takes all of the keywords if they are next.
    pub fn eat_all(&mut self, words: &[&str]) -> bool {
        let found = self.are_words(words);
        self.at += if found { words.len() } else { 0 };
        found
    }

    pub fn is(&self, punctuation: &str) -> bool {
        self.peek().is_some_and(|token| token.is(self.sql, punctuation))
    }

    /// Takes the punctuation or operator if it is next.
    pub fn take(&mut self, punctuation: &str) -> bool {
        let found = self.is(punctuation);
        self.at += usize::from(found);
        found
    }

    pub fn expect(&mut self, punctuation: &str) -> Result<(), SqlError> {
        if self.take(punctuation) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub fn expect_word(&mut self, word: &str) -> Result<(), SqlError> {
        if self.eat(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// A name, folded unless quoted.
    pub fn name(&mut self) -> Result<String, SqlError> {
        let name = self.peek().and_then(|token| name_value(self.sql, token));
        name.inspect(|_| self.at += 1).ok_or_else(|| self.unexpected())
    }

    /// A name after any number of qualifiers; the last part.
    pub fn qualified_name(&mut self) -> Result<(Option<String>, String), SqlError> {
        let mut qualifier = None;
        let mut name = self.name()?;
        while self.take(".") {
            qualifier = Some(std::mem::replace(&mut name, self.name()?));
        }
        Ok((qualifier, name))
    }

    /// The value of a string literal.
    pub fn string(&mut self) -> Option<String> {
        let value = string_value(self.sql, self.peek()?)?;
        self.at += 1;
        Some(value)
    }

    /// A whole number with an optional sign.
    pub fn integer(&mut self) -> Option<i64> {
        let start = self.at;
        let negative = self.take("-");
        let _plus = !negative && self.take("+");
        let number = self
            .advance()
            .filter(|token| token.kind == Kind::Number)
            .and_then(|token| token.text(self.sql).parse::<i64>().ok());
        if number.is_none() {
            self.at = start;
        }
        number.map(|number| if negative { -number } else { number })
    }

    /// Skips a parenthesised group; the position is on its opening parenthesis.
    pub fn skip_group(&mut self) -> Result<(), SqlError> {
        self.expect("(")?;
        let mut depth = 1;
        while depth > 0 {
            let token = self.advance().ok_or_else(|| self.unexpected())?;
            match token.text(self.sql) {
                "(" if token.kind == Kind::Punctuation => depth += 1,
                ")" if token.kind == Kind::Punctuation => depth -= 1,
                _inside => {}
            }
        }
        Ok(())
    }

    /// Nothing may follow.
    pub fn expect_end(&self) -> Result<(), SqlError> {
        if self.is_empty() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// `syntax error at or near` the next token.
    pub fn unexpected(&self) -> SqlError {
        let at = self.offset();
        match self.peek() {
            Some(token) if token.kind == Kind::Broken => self.broken(token),
            Some(token) => SqlError::syntax(self.sql, token.range()),
            None => SqlError::syntax(self.sql, at..at),
        }
    }

    fn broken(&self, token: Token) -> SqlError {
        let text = token.text(self.sql);
        let what = match text.bytes().next() {
            Some(b'"' | b'`') => "unterminated quoted identifier",
            Some(b'/') => "unterminated /* comment",
            Some(b'$') if text.len() > 1 => "unterminated dollar-quoted string",
            Some(b'\'' | b'E' | b'e' | b'X' | b'x' | b'B' | b'b') => "unterminated quoted string",
            _character => return SqlError::syntax(self.sql, token.range()),
        };
        let message = format!("{what} at or near \"{text}\"");
        SqlError::syntax(self.sql, token.range()).worded(message)
    }

    /// The first token without a proper end, as an error.
    pub fn check_closed(&self) -> Result<(), SqlError> {
        match self.tokens.iter().find(|token| token.kind == Kind::Broken) {
            Some(token) => Err(self.broken(*token)),
            None => Ok(()),
        }
    }
}
