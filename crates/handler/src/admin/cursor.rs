//! A statement's tokens, taken one by one.

use wire::sqlstate;

use crate::{
    failure::Failure,
    sql::{LexError, Lexer, Token, identifier},
};

/// Most tokens in a text. psql's `\l` has about 90.
const TOKENS_MAX: usize = 2_000;

/// The tokens of one text.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    sql: &'a str,
    tokens: Vec<(Token<'a>, usize)>,
    next: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(sql: &'a str) -> Result<Self, Failure> {
        let mut lexer = Lexer::new(sql);
        let mut tokens = Vec::new();
        while let Some(token) = lexer.next().map_err(unterminated)? {
            if tokens.len() == TOKENS_MAX {
                return Err(Failure::new(
                    sqlstate::STATEMENT_TOO_COMPLEX,
                    format!("a statement for the handler has at most {TOKENS_MAX} words"),
                ));
            }
            tokens.push(token);
        }
        Ok(Self { sql, tokens, next: 0 })
    }

    pub(super) fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    pub(super) fn take(&mut self) -> Option<Token<'a>> {
        let token = self.peek().cloned();
        self.next += usize::from(token.is_some());
        token
    }

    /// Takes this word, in any case, if it comes next.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let is_it = self.is_word(word);
        self.next += usize::from(is_it);
        is_it
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(next)) if next.eq_ignore_ascii_case(word))
    }

    /// Takes one of these words.
    pub(super) fn one_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let found = words.iter().find(|word| self.is_word(word))?;
        self.next += 1;
        Some(found)
    }

    pub(super) fn symbol(&mut self, symbol: char) -> bool {
        let is_it = self.peek() == Some(&Token::Symbol(symbol));
        self.next += usize::from(is_it);
        is_it
    }

    /// Takes a word that must come next.
    pub(super) fn expect_word(&mut self, word: &str) -> Result<(), Failure> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes an identifier that must come next.
    pub(super) fn identifier(&mut self) -> Result<String, Failure> {
        let name = self.peek().and_then(identifier).ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(name)
    }

    /// Takes a whole number that must come next.
    pub(super) fn number(&mut self) -> Result<u32, Failure> {
        let number = match self.peek() {
            Some(Token::Number(text)) => text.parse().ok(),
            Some(_) | None => None,
        };
        let number = number.ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(number)
    }

    /// Takes a string that must come next.
    pub(super) fn string(&mut self) -> Result<String, Failure> {
        match self.peek() {
            Some(Token::String(text)) => {
                let text = text.to_string();
                self.next += 1;
                Ok(text)
            }
            Some(_) | None => Err(self.unexpected()),
        }
    }

    /// Whether the statement ends here.
    pub(super) fn at_end(&self) -> bool {
        matches!(self.peek(), None | Some(Token::Symbol(';')))
    }

    /// Whether the text ends here, but for semicolons, which are taken.
    pub(super) fn at_end_of_text(&mut self) -> bool {
        while self.symbol(';') {}
        self.peek().is_none()
    }

    /// Fails unless the statement ends here.
    pub(super) fn expect_end(&self) -> Result<(), Failure> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes the rest of the statement.
    pub(super) fn skip(&mut self) {
        while !self.at_end() {
            self.next += 1;
        }
    }

    /// The token that comes next has no business there.
    pub(super) fn unexpected(&self) -> Failure {
        match self.tokens.get(self.next) {
            Some((_, at)) => {
                let end = self.tokens.get(self.next + 1).map_or(self.sql.len(), |(_, end)| *end);
                let text = self.sql[*at..end].trim_end();
                Failure::new(sqlstate::SYNTAX_ERROR, format!("syntax error at or near \"{text}\"")).at(*at)
            }
            None => Failure::new(sqlstate::SYNTAX_ERROR, "syntax error at end of input").at(self.sql.len()),
        }
    }
}

fn unterminated(error: LexError) -> Failure {
    Failure::new(sqlstate::SYNTAX_ERROR, error.to_string()).at(error.at)
}
