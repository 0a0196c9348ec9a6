//! What a client says back.

use serde::Serialize;
use serde_json::Value;

use crate::{
    Refusal, VERSION, Why,
    codec::{parse, to_json},
    fields::{Fields, is_name, is_text},
    limits,
};

/// What became of one directive at one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acknowledgement {
    /// The directive's id.
    pub id: String,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Acknowledgement {
    /// The directive of that id was carried out.
    pub fn done(id: impl Into<String>) -> Acknowledgement {
        Acknowledgement { id: id.into(), outcome: Outcome::Done }
    }

    /// The directive of that id could not be carried out; of `about`, control characters and what is too long are left out.
    pub fn failed(id: impl Into<String>, about: &str) -> Acknowledgement {
        let mut text = String::new();
        for letter in about.chars().filter(|letter| !letter.is_control()) {
            if text.len() + letter.len_utf8() > limits::TEXT_BYTES_MAX {
                break;
            }
            text.push(letter);
        }
        Acknowledgement { id: id.into(), outcome: Outcome::Failed { about: text } }
    }
}

/// What became of a directive. A client may say more than one of these about one directive, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is not obeyed.
    Refused {
        /// The code.
        why: Code,
        /// What it is about; may be empty.
        #[serde(skip_serializing_if = "String::is_empty")]
        about: String,
    },
    /// It is in force.
    Applied {
        /// For how long from receipt: less than was asked for where the client's owner has a lower limit.
        lifetime_ms: u64,
    },
    /// It was carried out: the switch was made, the cache dropped.
    Done,
    /// It could not be carried out.
    Failed {
        /// Why, up to 256 bytes.
        about: String,
    },
    /// Its lifetime is over, or it was when it came.
    Expired,
}

/// The code of a refusal; one that is not known here stays readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Code(String);

impl Code {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it means, if this version knows it.
    pub fn why(&self) -> Option<Why> {
        Why::from_code(&self.0)
    }
}

impl From<Why> for Code {
    fn from(why: Why) -> Code {
        Code(why.code().to_owned())
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Outcome {
        Outcome::Refused { why: refusal.why.into(), about: refusal.about }
    }
}

/// The version, and the acknowledgements.
#[derive(Serialize)]
struct Wire<'a> {
    v: u64,
    acknowledgements: &'a [Acknowledgement],
}

/// Writes up to [`limits::ACKNOWLEDGEMENTS_MAX`] of them as one JSON object; more need another message.
///
/// # Errors
/// What a reader would refuse.
pub fn encode(acknowledgements: &[Acknowledgement]) -> Result<String, Refusal> {
    let text = to_json(&Wire { v: VERSION, acknowledgements });
    decode(text.as_bytes()).map(|_| text)
}

/// Reads acknowledgements. Whoever sent them is a client, and may be hostile.
///
/// # Errors
/// The first rule that is broken.
pub fn decode(bytes: &[u8]) -> Result<Vec<Acknowledgement>, Refusal> {
    let value = parse(bytes, limits::ACKNOWLEDGEMENTS_BYTES_MAX)?;
    let fields = Fields::of(&value, "")?;
    if fields.integer("v", 0..=u64::MAX)? != VERSION {
        return Err(fields.refuse(Why::Version, "v"));
    }
    fields.list("acknowledgements", 1..=limits::ACKNOWLEDGEMENTS_MAX)?.iter().map(read).collect()
}

fn read(value: &Value) -> Result<Acknowledgement, Refusal> {
    let fields = Fields::of(value, "acknowledgements")?;
    let outcome = match fields.string("outcome")? {
        "refused" => Outcome::Refused {
            why: Code(fields.checked("why", is_name)?),
            about: fields.optional("about", about)?.unwrap_or_default(),
        },
        "applied" => Outcome::Applied { lifetime_ms: fields.integer("lifetime_ms", 0..=limits::NUMBER_MAX)? },
        "done" => Outcome::Done,
        "failed" => Outcome::Failed { about: about(&fields, "about")? },
        "expired" => Outcome::Expired,
        _ => return Err(fields.refuse(Why::Unsupported, "outcome")),
    };
    Ok(Acknowledgement { id: fields.name("id")?, outcome })
}

fn about(fields: &Fields<'_>, name: &str) -> Result<String, Refusal> {
    fields.checked(name, |text| is_text(text, limits::TEXT_BYTES_MAX))
}
