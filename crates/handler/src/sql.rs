//! As much SQL as a front door needs: tokens, and what kind of statement a text is. Nothing here knows a grammar.

mod reading;
mod token;

pub(crate) use reading::{Effects, Forgotten, Pin, Reading, Setting, read};
pub(crate) use token::{LexError, Lexer, Token, identifier};
