//! A directive as a person puts it together, before anybody has given it a place in an order.

use serde_json::{Map, Value, json};

use crate::{Directive, Kind, Refusal, VERSION, codec, limits};

/// What is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// What to do, by the name of its kind.
    pub action: String,
    /// How long it stands.
    pub lifetime_ms: u64,
    /// Parameters of the action, as a JSON object; missing is the same as empty.
    pub with: Option<String>,
    /// For people.
    pub reason: String,
    /// The server that it is about.
    pub server: Option<String>,
    /// The database that it is about.
    pub database: Option<String>,
    /// Its id, if it is to have a certain one.
    pub id: Option<String>,
}

/// Why it is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDraft {
    /// The parameters are no JSON.
    #[error("the parameters are no JSON: {0}")]
    Json(String),
    /// They are JSON, but no object.
    #[error("the parameters must be a JSON object, like {{\"spread_ms\":1000}}")]
    NoObject,
    /// There is no such action.
    #[error("there is no action \"{0}\"; there are {names}", names = names())]
    Action(String),
    /// It may not stand for so long.
    #[error("a directive to {kind} stands for at most {longest_s} s")]
    Lifetime {
        /// Which.
        kind: Kind,
        /// In seconds.
        longest_s: u64,
    },
    /// What a reader would say.
    #[error("this is no directive to send: {0}")]
    Refused(Refusal),
}

fn names() -> String {
    let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

impl Draft {
    /// As a directive, read by the rules that drivers read it by. `number` makes its id when none was given.
    ///
    /// # Errors
    /// What to change about it.
    pub fn directive(&self, number: u64) -> Result<Directive, BadDraft> {
        let with: Value = match &self.with {
            None => json!({}),
            Some(text) => serde_json::from_str(text).map_err(|error| BadDraft::Json(error.to_string()))?,
        };
        if !with.is_object() {
            return Err(BadDraft::NoObject);
        }
        let mut scope = Map::new();
        for (what, text) in [("server", &self.server), ("database", &self.database)] {
            scope.extend(text.iter().map(|text| (what.to_owned(), json!(text))));
        }
        let value = json!({
            "v": VERSION,
            "id": self.id.clone().unwrap_or_else(|| format!("a-{number:016x}")),
            "epoch": 0,
            "sequence": 0,
            "lifetime_ms": self.lifetime_ms,
            "reason": self.reason,
            "scope": scope,
            "action": self.action,
            "with": with,
        });
        codec::decode(value.to_string().as_bytes()).map_err(|unreadable| self.explain(unreadable.refusal))
    }

    fn explain(&self, refusal: Refusal) -> BadDraft {
        match Kind::from_name(&self.action) {
            None => BadDraft::Action(self.action.clone()),
            Some(kind) if refusal.about == "lifetime_ms" => {
                BadDraft::Lifetime { kind, longest_s: limits::lifetime_ms_max(kind) / 1_000 }
            }
            Some(_) => BadDraft::Refused(refusal),
        }
    }
}

/// Reads a time as people type it: 30s, 10min, 2h, 7d or 500ms; a number alone is of seconds. In milliseconds.
///
/// # Errors
/// What it should be like.
pub fn time_ms(text: &str) -> Result<u64, String> {
    let digits = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| "a time is like 30s, 10min or 2h".to_owned())?;
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "min" | "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        unit => return Err(format!("{unit} is no unit of time; there are ms, s, min, h and d")),
    };
    number.checked_mul(unit_ms).ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(action: &str, lifetime: &str, with: Option<&str>) -> Draft {
        Draft {
            action: action.into(),
            lifetime_ms: time_ms(lifetime).expect("a time"),
            with: with.map(str::to_owned),
            reason: "a test".into(),
            database: Some("shop".into()),
            ..Draft::default()
        }
    }

    #[test]
    fn what_is_typed_becomes_a_directive_that_drivers_read_r92() {
        let directive = draft("rate", "10min", Some(r#"{"per_second":100}"#)).directive(7).expect("good");
        assert_eq!(directive.id, "a-0000000000000007");
        assert_eq!((directive.lifetime_ms, directive.kind()), (600_000, Kind::Rate));
        assert_eq!(directive.scope.database.as_deref(), Some("shop"));
    }

    #[test]
    fn what_is_wrong_is_said_before_anything_is_sent() {
        let error = |draft: Draft| draft.directive(7).expect_err("wrong").to_string();
        assert!(error(draft("jump", "5s", None)).contains("there are hold, resume"));
        assert!(error(draft("hold", "2h", None)).contains("at most 600 s"));
        assert!(error(draft("hold", "5s", Some("{"))).contains("no JSON"));
        assert!(error(draft("hold", "5s", Some("[]"))).contains("a JSON object"));
        assert!(error(draft("collect", "5s", None)).contains("no directive to send"));
    }

    #[test]
    fn times_are_read_as_they_are_typed() {
        let read = ["5s", "2h", "7", "3ms"].map(time_ms);
        assert_eq!(read, [Ok(5_000), Ok(7_200_000), Ok(7_000), Ok(3)]);
        assert!(
            ["5 s", "s", "99999999999999999999d", "184467440737095516d"]
                .map(time_ms)
                .iter()
                .all(Result::is_err)
        );
    }
}
