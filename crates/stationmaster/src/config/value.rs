//! A value as it was given, before anybody asked what it should be.

use toml::{Spanned, de::DeValue};

/// A value from the file, the environment or a flag.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text from outside the file, where everything is text: read as whatever is wanted.
    Outside(String),
    /// A string.
    Text(String),
    /// A whole number; `None` when it does not fit 64 bits.
    Integer(Option<i64>),
    /// `true` or `false`.
    Boolean(bool),
    /// An array.
    List(Vec<Value>),
    /// A table, in the order of its keys.
    Table(Vec<(String, Value)>),
    /// A kind that no setting has, named.
    Other(&'static str),
}

impl Value {
    /// From the parsed file.
    pub fn from_toml(value: &Spanned<DeValue<'_>>) -> Self {
        match value.get_ref() {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(integer) => {
                Self::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok())
            }
            DeValue::Boolean(boolean) => Self::Boolean(*boolean),
            DeValue::Array(items) => Self::List(items.iter().map(Self::from_toml).collect()),
            DeValue::Table(table) => Self::Table(
                table
                    .iter()
                    .map(|(key, value)| (key.get_ref().to_string(), Self::from_toml(value)))
                    .collect(),
            ),
            DeValue::Float(_) => Self::Other("a fraction"),
            DeValue::Datetime(_) => Self::Other("a date"),
        }
    }

    /// How to name it in a complaint.
    pub fn shown(&self) -> String {
        match self {
            Self::Outside(text) | Self::Text(text) => format!("{text:?}"),
            Self::Integer(Some(integer)) => integer.to_string(),
            Self::Integer(None) => "a number of more than 64 bits".into(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::List(_) => "a list".into(),
            Self::Table(_) => "a table".into(),
            Self::Other(kind) => (*kind).into(),
        }
    }
}
