//! What a statement's text tells who relays or repeats it: whether it may commit, what it leaves behind in its session, and
//! whether it is about databases of the fleet.
//!
//! Statements that say nothing of interest cost a look at their first word. What cannot be seen without knowing SQL
//! (a function that changes a setting, a temporary table made by another name) is not seen.

use super::{Lexer, Token, identifier};

/// What a text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing of interest.
    Plain,
    /// One statement that is about databases of the fleet: `CREATE`, `DROP` or `ALTER DATABASE`.
    Database,
    /// Something to keep in mind.
    Notable(Box<Effects>),
}

/// What statements do beyond reading and writing rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// One of them ends a transaction and may keep its work.
    pub commits: bool,
    /// Something that cannot be made again on another server.
    pub pin: Option<Pin>,
    /// Settings made or taken back, in order.
    pub settings: Vec<Setting>,
    /// Prepared statements forgotten: one by name, or all.
    pub forgotten: Option<Forgotten>,
}

/// What keeps a session on its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// A temporary table or an attached file.
    Temporary,
    /// A statement prepared by SQL.
    Prepared,
    /// A cursor that outlives its transaction.
    Cursor,
    /// A channel listened to.
    Listen,
    /// More prepared statements than are kept.
    Statements,
    /// More settings than are kept.
    Settings,
    /// A pipeline too long to follow.
    Pipeline,
}

/// A setting for the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `SET name …`: the statement as it is to be repeated.
    Set {
        /// In lower case.
        name: String,
        /// Without its semicolon.
        sql: String,
    },
    /// `RESET name`.
    Reset {
        /// In lower case.
        name: String,
    },
    /// `RESET ALL`, `DISCARD ALL`.
    ResetAll,
}

/// Prepared statements that a statement forgets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// This one.
    One(String),
    /// All of them.
    All,
}

/// Reads a text. `whole` tells whether this is all of it; a beginning says less.
pub fn read(sql: &str, whole: bool) -> Reading {
    if is_single(sql, whole) && first_word_is_plain(sql) {
        return Reading::Plain;
    }
    let mut reader = Reader { sql, lexer: Lexer::new(sql), effects: Effects::default() };
    if reader.statements() == Some(Subject::Database) {
        return Reading::Database;
    }
    if reader.effects == Effects::default() {
        Reading::Plain
    } else {
        Reading::Notable(Box::new(reader.effects))
    }
}

/// Whether a semicolon stands at the very end or nowhere. May say no where it is so: a string may hold one.
fn is_single(sql: &str, whole: bool) -> bool {
    match sql.bytes().position(|byte| byte == b';') {
        None => whole,
        Some(at) => whole && sql[at + 1..].bytes().all(|byte| byte.is_ascii_whitespace() || byte == b';'),
    }
}

fn first_word_is_plain(sql: &str) -> bool {
    let sql = sql.trim_start();
    let len = sql.bytes().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(sql.len());
    let is = |word: &str| sql[..len].eq_ignore_ascii_case(word);
    ["select", "insert", "update", "delete", "begin", "with"].iter().any(|word| is(word))
}

/// Of what the first and only statement is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Database,
    Other,
}

struct Reader<'a> {
    sql: &'a str,
    lexer: Lexer<'a>,
    effects: Effects,
}

impl<'a> Reader<'a> {
    /// Reads all statements; the subject when there is exactly one. What cannot be read to its end says nothing
    /// more: the server will refuse it.
    fn statements(&mut self) -> Option<Subject> {
        let mut only = None;
        let mut count = 0;
        while let Some(word) = self.next() {
            if word == Token::Symbol(';') {
                continue;
            }
            let subject = self.statement(&word);
            count += 1;
            only = Some(subject);
        }
        only.filter(|_| count == 1)
    }

    fn next(&mut self) -> Option<Token<'a>> {
        self.lexer.next().ok().flatten().map(|(token, _)| token)
    }

    fn statement(&mut self, first: &Token<'a>) -> Subject {
        let Token::Word(word) = first else {
            self.skip_statement();
            return Subject::Other;
        };
        let from = self.lexer.position() - word.len();
        let mut subject = Subject::Other;
        match word.to_ascii_lowercase().as_str() {
            "create" => match self.word().as_str() {
                "database" => subject = Subject::Database,
                "temp" | "temporary" | "local" | "global" => self.effects.pin = Some(Pin::Temporary),
                "table" | "view" | "index" | "unique" if self.word() == "temp" => {
                    self.effects.pin = Some(Pin::Temporary);
                }
                _ => {}
            },
            "drop" | "alter" if self.word() == "database" => subject = Subject::Database,
            "commit" | "end" | "call" | "do" => self.effects.commits = true,
            "attach" => self.effects.pin = Some(Pin::Temporary),
            "listen" => self.effects.pin = Some(Pin::Listen),
            "prepare" if self.word() == "transaction" => self.effects.commits = true,
            "prepare" => self.effects.pin = Some(Pin::Prepared),
            "declare" => {
                self.declare();
                return subject;
            }
            "deallocate" => self.deallocate(),
            "discard" if self.word() == "all" => {
                self.effects.forgotten = Some(Forgotten::All);
                self.effects.settings.push(Setting::ResetAll);
            }
            "set" => {
                self.set(from);
                return subject;
            }
            "reset" => {
                let setting = match self.setting_name().as_str() {
                    "all" => Setting::ResetAll,
                    name => Setting::Reset { name: name.to_owned() },
                };
                self.effects.settings.push(setting);
            }
            _ => {}
        }
        self.skip_statement();
        subject
    }

    /// The next token as a lower-case word; empty when it is none.
    fn word(&mut self) -> String {
        let ahead = self.lexer.clone();
        match self.next() {
            Some(Token::Word(word)) => word.to_ascii_lowercase(),
            Some(Token::Symbol(';')) => {
                self.lexer = ahead;
                String::new()
            }
            Some(_) | None => String::new(),
        }
    }

    /// Skips to the end of the statement and says where it is.
    fn skip_statement(&mut self) -> usize {
        loop {
            let at = self.lexer.position();
            match self.next() {
                Some(Token::Symbol(';')) => return self.lexer.position() - 1,
                Some(_) => {}
                None => return at.max(self.sql.trim_end().len()),
            }
        }
    }

    /// `DECLARE name … CURSOR WITH HOLD FOR …`
    fn declare(&mut self) {
        let mut before = String::new();
        loop {
            match self.next() {
                Some(Token::Symbol(';')) | None => return,
                Some(Token::Word(word)) => {
                    let word = word.to_ascii_lowercase();
                    if word == "hold" && before == "with" {
                        self.effects.pin = Some(Pin::Cursor);
                    }
                    before = word;
                }
                Some(_) => before.clear(),
            }
        }
    }

    /// `DEALLOCATE [PREPARE] name | ALL`
    fn deallocate(&mut self) {
        let mut token = self.next();
        if matches!(&token, Some(Token::Word(word)) if word.eq_ignore_ascii_case("prepare")) {
            token = self.next();
        }
        self.effects.forgotten = match token {
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("all") => Some(Forgotten::All),
            Some(token) => identifier(&token).map(Forgotten::One),
            None => None,
        };
    }

    /// `SET [SESSION] name …`; what is only for the transaction is none of a session's settings.
    fn set(&mut self, from: usize) {
        let mut name = self.setting_name();
        if name == "session" {
            name = self.setting_name();
        }
        let end = self.skip_statement();
        let fleeting =
            matches!(name.as_str(), "" | "local" | "transaction" | "constraints" | "characteristics");
        if fleeting {
            return;
        }
        let sql = self.sql[from..end].trim().to_owned();
        self.effects.settings.push(Setting::Set { name, sql });
    }

    /// A name of one or several parts, `TIME ZONE` and `SESSION AUTHORIZATION` included, in lower case.
    fn setting_name(&mut self) -> String {
        let mut name = self.word();
        loop {
            let ahead = self.lexer.clone();
            match self.next() {
                Some(Token::Symbol('.')) => {
                    name.push('.');
                    name.push_str(&self.word());
                }
                Some(Token::Word(word)) if name == "time" && word.eq_ignore_ascii_case("zone") => {
                    return "timezone".into();
                }
                _ => {
                    self.lexer = ahead;
                    return name;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
