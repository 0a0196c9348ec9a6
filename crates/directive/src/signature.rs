//! What is signed, and whether it is.
//!
//! A text without control characters but the line feeds between its parts, so that no two things to sign look alike.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::{
    Refusal, Why,
    action::{Rule, Update},
};

/// The text that signs a rule: a header, then name, reaction, attempts, delay, last second and expression, a line each.
pub fn rule_text(rule: &Rule) -> String {
    let Rule { name, expression, react, attempts, delay_ms, not_after, .. } = rule;
    let react = react.name();
    format!("stationmaster rule 1\n{name}\n{react}\n{attempts}\n{delay_ms}\n{not_after}\n{expression}")
}

/// The text that signs an update: a header, then version, urgency and digest, a line each.
pub fn update_text(update: &Update) -> String {
    let Update { version, urgency, sha256, .. } = update;
    format!("stationmaster update 1\n{version}\n{}\n{sha256}", urgency.name())
}

/// Whether `signature` is that of `text` by the key of that name.
///
/// # Errors
/// The key is not trusted or is none, or the signature is not its.
pub fn verify(
    keys: &BTreeMap<String, [u8; 32]>,
    key: &str,
    text: &str,
    signature: &str,
) -> Result<(), Refusal> {
    let key = keys.get(key).ok_or_else(|| Refusal::new(Why::Signature, "key"))?;
    let wrong = || Refusal::new(Why::Signature, "signature");
    let key = VerifyingKey::from_bytes(key).map_err(|_| Refusal::new(Why::Signature, "key"))?;
    let bytes = STANDARD.decode(signature).map_err(|_| wrong())?;
    let signature = Signature::from_slice(&bytes).map_err(|_| wrong())?;
    key.verify_strict(text.as_bytes(), &signature).map_err(|_| wrong())
}
