//! What the fuzz targets run: the checks of the property tests, on bytes that coverage leads to.
//!
//! Inputs worth keeping, seeds and old failures, are in `seeds/`; `cargo test -p wire` runs them too.

#[path = "../../tests/properties/checks.rs"]
pub mod checks;
#[path = "../../tests/properties/inputs.rs"]
pub mod inputs;
