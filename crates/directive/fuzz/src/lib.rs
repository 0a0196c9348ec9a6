//! What the fuzz targets run: the checks of the property tests, on bytes that coverage leads to.
//!
//! Inputs worth keeping, seeds and old failures, are in `seeds/`; `cargo test -p directive` runs them too.

#[path = "../../tests/properties/checks.rs"]
pub mod checks;
#[cfg(feature = "planted")]
mod planted;

/// Lines of directives for a client.
pub fn directives(input: &[u8]) {
    checks::directives(input);
    #[cfg(feature = "planted")]
    planted::directives(input);
}

/// What a client says.
pub fn answers(input: &[u8]) {
    checks::answers(input);
    #[cfg(feature = "planted")]
    planted::answers(input);
}

/// The expression of a rule.
pub fn rules(input: &[u8]) {
    checks::rules(input);
    #[cfg(feature = "planted")]
    planted::rules(input);
}
