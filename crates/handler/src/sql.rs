//! What a statement's text tells a front door.

use rpc::session::PARAM_PREFIX;

pub(crate) use ::sql::{Effects, Forgotten, LexError, Lexer, Pin, Reading, Setting, Token, identifier};

/// Reads a text. `whole` tells whether this is all of it; a beginning says less.
/// What handler and server say to each other in settings is none of the client's.
pub(crate) fn read(text: &str, whole: bool) -> Reading {
    let reading = ::sql::read(text, whole);
    let Reading::Notable(mut effects) = reading else { return reading };
    let ours =
        |setting: &Setting| matches!(setting, Setting::Set { name, .. } if name.starts_with(PARAM_PREFIX));
    effects.settings.retain(|setting| !ours(setting));
    if *effects == Effects::default() { Reading::Plain } else { Reading::Notable(effects) }
}
