//! Bugs as they happen, one behind each reader. A target that does not find its own watches nothing.

use directive::{Action, decode, postgres, rule};

/// A difference of two numbers from outside that are taken to be in order: the time before a hold's window.
pub fn directives(input: &[u8]) {
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(read) = decode(line.get(1..).unwrap_or_default()) else { continue };
        if let Action::Hold(hold) = &read.action {
            assert!(read.lifetime_ms - hold.spread_ms <= read.lifetime_ms);
        }
    }
}

/// A list from outside whose second item is taken for granted.
pub fn answers(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(Ok(postgres::Statement::Acknowledge(read))) = postgres::statement(text)
        && read[0].outcome == directive::Outcome::Done
    {
        assert!(read[1].id != read[0].id, "planted");
    }
}

/// A text that is cut at a byte, for a log.
pub fn rules(input: &[u8]) {
    let Ok(expression) = std::str::from_utf8(input) else { return };
    if expression.len() > 16 && rule::check(expression).is_ok() {
        assert!(!expression[..16].is_empty());
    }
}
