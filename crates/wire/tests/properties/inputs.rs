//! How one input file becomes the arguments of a check. One function for each fuzz target.

use super::checks;

/// The first byte is the length of the chunks in which the rest arrives.
pub fn frames(input: &[u8]) {
    if let Some((step, stream)) = input.split_first() {
        checks::frames(stream, usize::from(*step));
    }
}

/// The first bytes of a connection.
pub fn startup(input: &[u8]) {
    checks::startup(input);
}

/// A stream from a client.
pub fn frontend(input: &[u8]) {
    checks::frontend(input);
}

/// A stream from a server.
pub fn backend(input: &[u8]) {
    checks::backend(input);
}

/// Two messages with a line feed between. They are also taken for two passwords.
pub fn scram(input: &[u8]) {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    checks::scram(first, second);
    checks::scram_login(&String::from_utf8_lossy(first), &String::from_utf8_lossy(second), b"salt");
}
