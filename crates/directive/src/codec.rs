//! Directives as JSON. The form is specified in the crate's README, and by `vectors/`.
//!
//! Knows no carrier. A reader looks at the length before anything else, then at the depth, and only then parses, so
//! that what it allocates is a small multiple of [`limits::DIRECTIVE_BYTES_MAX`].

mod actions;

use serde::Serialize;
use serde_json::Value;

use crate::{
    Action, Directive, Kind, Order, Refusal, Scope, Why,
    fields::{Fields, is_address, is_name, is_session},
    limits,
};

/// The version of the wire form that this crate writes and reads.
pub const VERSION: u64 = 1;

/// A directive that was refused while reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused: {refusal}")]
pub struct Unreadable {
    /// Its id, where that could be read: only then can it be acknowledged.
    pub id: Option<String>,
    /// Why.
    pub refusal: Refusal,
}

/// Reads one directive.
///
/// # Errors
/// The first rule that it breaks, in this order: length, depth, JSON, version, id, action, everything else as the
/// fields stand in [`Directive`].
pub fn decode(bytes: &[u8]) -> Result<Directive, Unreadable> {
    let nameless = |refusal| Unreadable { id: None, refusal };
    let value = parse(bytes, limits::DIRECTIVE_BYTES_MAX).map_err(nameless)?;
    let fields = Fields::of(&value, "").map_err(nameless)?;
    let id = fields.string("id").ok().filter(|id| is_name(id)).map(str::to_owned);
    read(&fields).map_err(|refusal| Unreadable { id, refusal })
}

/// Writes one directive: one line of JSON, fields in a fixed order, names in maps sorted.
///
/// # Errors
/// What a reader would refuse.
pub fn encode(directive: &Directive) -> Result<String, Refusal> {
    let Directive { id, order, lifetime_ms, reason, session, scope, action } = directive;
    let wire = Wire {
        v: VERSION,
        id,
        epoch: order.epoch,
        sequence: order.sequence,
        lifetime_ms: *lifetime_ms,
        reason,
        session: session.as_deref(),
        scope,
        action,
    };
    let text = to_json(&wire);
    match decode(text.as_bytes()) {
        Ok(read) => {
            assert_eq!(&read, directive, "BUG: a directive is not what is written of it");
            Ok(text)
        }
        Err(unreadable) => Err(unreadable.refusal),
    }
}

/// The fields in their order.
#[derive(Serialize)]
struct Wire<'a> {
    v: u64,
    id: &'a str,
    epoch: u64,
    sequence: u64,
    lifetime_ms: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "is_everything")]
    scope: &'a Scope,
    #[serde(flatten)]
    action: &'a Action,
}

fn is_everything(scope: &&Scope) -> bool {
    **scope == Scope::everything()
}

pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("BUG: texts and numbers are JSON")
}

fn read(fields: &Fields<'_>) -> Result<Directive, Refusal> {
    if fields.integer("v", 0..=u64::MAX)? != VERSION {
        return Err(fields.refuse(Why::Version, "v"));
    }
    let id = fields.name("id")?;
    let action = fields.string("action")?;
    let kind = Kind::from_name(action).ok_or_else(|| fields.refuse(Why::Unsupported, "action"))?;
    let order = Order {
        epoch: fields.integer("epoch", 0..=limits::NUMBER_MAX)?,
        sequence: fields.integer("sequence", 0..=limits::NUMBER_MAX)?,
    };
    let lifetime_ms = fields.integer("lifetime_ms", 0..=limits::lifetime_ms_max(kind))?;
    let reason = fields.optional("reason", Fields::text)?.unwrap_or_default();
    let session = fields.optional("session", |fields, name| fields.checked(name, is_session))?;
    let scope = match fields.get("scope") {
        None => Scope::everything(),
        Some(_) => read_scope(&fields.object("scope")?)?,
    };
    let action = match fields.get("with") {
        None => actions::read(kind, &Fields::of(&Value::Object(serde_json::Map::new()), "with")?)?,
        Some(_) => actions::read(kind, &fields.object("with")?)?,
    };
    Ok(Directive { id, order, lifetime_ms, reason, session, scope, action })
}

fn read_scope(fields: &Fields<'_>) -> Result<Scope, Refusal> {
    let server =
        |fields: &Fields<'_>, name: &str| fields.checked(name, |text| is_name(text) || is_address(text));
    Ok(Scope {
        server: fields.optional("server", server)?,
        database: fields.optional("database", Fields::database)?,
    })
}

/// JSON within a length and [`limits::DEPTH_MAX`].
pub(crate) fn parse(bytes: &[u8], bytes_max: usize) -> Result<Value, Refusal> {
    if bytes.len() > bytes_max {
        return Err(Refusal::new(Why::TooLarge, format!("more than {bytes_max} bytes")));
    }
    if depth(bytes) > limits::DEPTH_MAX {
        return Err(Refusal::new(Why::TooDeep, format!("more than {} levels", limits::DEPTH_MAX)));
    }
    serde_json::from_slice(bytes).map_err(|_| Refusal::new(Why::Malformed, "JSON"))
}

/// How deep brackets stand in each other outside strings; for what is no JSON, some number.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut text, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match (text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => text = !text,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
