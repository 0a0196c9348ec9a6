//! As much SQL as whoever stands between an application and its database needs: tokens, and what kind of statement a text is.
//!
//! Nothing here knows a grammar, allocates more than the text is long, or fails on what no server would take.

mod reading;
mod reads;
mod shape;
mod token;

pub use reading::{Effects, Forgotten, Pin, Reading, Setting, read};
pub use reads::only_reads;
pub use shape::{SHAPE_BYTES_MAX, shape};
pub use token::{LexError, Lexer, Token, identifier};
