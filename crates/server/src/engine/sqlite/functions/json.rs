//! JSON functions that SQLite does not have under any name.

use rusqlite::types::Value as Sql;

use super::{Registrar, text};

pub(super) const NAMES: &[&str] = &[
    "json_typeof",
    "jsonb_pretty",
    "json_strip_nulls",
    "jsonb_strip_nulls",
    "json_extract_path_text",
    "jsonb_extract_path_text",
];

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    registrar.strict("json_typeof", 1, |arguments| {
        use serde_json::Value;
        text(match serde_json::from_str::<Value>(&arguments.text(0)) {
            Ok(Value::Null) => "null",
            Ok(Value::Bool(_)) => "boolean",
            Ok(Value::Number(_)) => "number",
            Ok(Value::Array(_)) => "array",
            Ok(Value::Object(_)) => "object",
            Ok(Value::String(_)) | Err(_) => "string",
        })
    })?;
    registrar.strict("jsonb_pretty", 1, |arguments| {
        let value = serde_json::from_str::<serde_json::Value>(&arguments.text(0));
        let pretty = value.and_then(|value| serde_json::to_string_pretty(&value));
        Ok(pretty.map_or(Sql::Null, Sql::Text))
    })?;
    for name in ["json_strip_nulls", "jsonb_strip_nulls"] {
        registrar.strict(name, 1, |arguments| {
            let value = serde_json::from_str::<serde_json::Value>(&arguments.text(0));
            Ok(value.map_or(Sql::Null, |value| Sql::Text(stripped(value).to_string())))
        })?;
    }
    for name in ["json_extract_path_text", "jsonb_extract_path_text"] {
        registrar.strict(name, -1, |arguments| {
            let mut value = serde_json::from_str::<serde_json::Value>(&arguments.text(0)).unwrap_or_default();
            for at in 1..arguments.len() {
                value = step(value, &arguments.text(at));
            }
            Ok(match value {
                serde_json::Value::Null => Sql::Null,
                serde_json::Value::String(text) => Sql::Text(text),
                other => Sql::Text(other.to_string()),
            })
        })?;
    }
    Ok(())
}

fn step(value: serde_json::Value, key: &str) -> serde_json::Value {
    match value {
        serde_json::Value::Object(mut fields) => fields.remove(key).unwrap_or_default(),
        serde_json::Value::Array(mut items) => match key.parse::<usize>() {
            Ok(at) if at < items.len() => items.swap_remove(at),
            Ok(_) | Err(_) => serde_json::Value::Null,
        },
        _scalar => serde_json::Value::Null,
    }
}

fn stripped(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, stripped(value)))
            .collect(),
        serde_json::Value::Array(items) => items.into_iter().map(stripped).collect(),
        scalar => scalar,
    }
}
