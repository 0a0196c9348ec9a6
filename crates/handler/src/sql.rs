//! What a statement's text tells a front door.

use rpc::session::PARAM_PREFIX;

pub(crate) use ::sql::{Effects, Forgotten, LexError, Lexer, Pin, Reading, Setting, Token, identifier};

/// What drivers say of directives in settings, which no session needs again.
const DRIVER_PREFIX: &str = "stationmaster.";

/// Reads a text. `whole` tells whether this is all of it; a beginning says less.
/// What handler and server say to each other in settings is none of the client's.
pub(crate) fn read(text: &str, whole: bool) -> Reading {
    let reading = ::sql::read(text, whole);
    let Reading::Notable(mut effects) = reading else { return reading };
    let ours = |name: &str| name.starts_with(PARAM_PREFIX) || name.starts_with(DRIVER_PREFIX);
    effects.settings.retain(|setting| !matches!(setting, Setting::Set { name, .. } if ours(name)));
    if *effects == Effects::default() { Reading::Plain } else { Reading::Notable(effects) }
}
