//! The parameters of each kind: what is asked of them, in one table of functions.

use serde_json::Value;

use crate::{
    Action, Kind, PARAMETERS, Refusal, Why,
    action::{
        Activate, Buffers, Collect, DataSource, Deactivate, ErrorPolicy, ErrorRule, Excess, FanOut, Flush,
        Hold, Information, KeyRange, On, Operations, Part, Partitioning, Pinned, Rate, React, Refresh,
        Resume, Retry, Revoke, Rule, SourceChange, StopCollecting, Subject, Switch, SwitchTo, Update, Upload,
        Urgency,
    },
    fields::{Fields, is_address, is_host, is_name, is_text},
    limits,
};

/// What a window is when a sender names none, in milliseconds.
const SPREAD_MS: u64 = 1_000;
/// What a report may have when a sender does not say, in bytes.
const REPORT_BYTES: u64 = 65_536;
const REACTIONS: [(&str, React); 3] =
    [("fail", React::Fail), ("retry", React::Retry), ("reconnect", React::Reconnect)];

pub fn read(kind: Kind, with: &Fields<'_>) -> Result<Action, Refusal> {
    Ok(match kind {
        Kind::Hold => Action::Hold(Hold { spread_ms: spread(with)? }),
        Kind::Resume => Action::Resume(Resume { spread_ms: spread(with)? }),
        Kind::Retry => Action::Retry(Retry { attempts: attempts(with)?, delay_ms: delay(with)? }),
        Kind::Switch => Action::Switch(switch(with)?),
        Kind::ErrorPolicy => Action::ErrorPolicy(ErrorPolicy { rules: error_rules(with)? }),
        Kind::Information => Action::Information(Information {
            topic: with.name("topic")?,
            text: with.text("text")?,
            values: with.optional("values", Fields::values)?.unwrap_or_default(),
        }),
        Kind::Collect => Action::Collect(collect(with)?),
        Kind::StopCollecting => Action::StopCollecting(StopCollecting {
            name: with.optional("name", Fields::name)?,
            buffers: with.word("buffers", &[("flush", Buffers::Flush), ("drop", Buffers::Drop)])?,
        }),
        Kind::Upload => Action::Upload(Upload {
            destination: with.name("destination")?,
            collection: with.optional("collection", Fields::name)?,
        }),
        Kind::Rate => Action::Rate(rate(with)?),
        Kind::Flush => Action::Flush(Flush { keys: with.optional("keys", keys)? }),
        Kind::Refresh => Action::Refresh(Refresh { view: with.name("view")?, portion: portion(with)? }),
        Kind::FanOut => Action::FanOut(fan_out(with)?),
        Kind::DataSource => Action::DataSource(DataSource {
            name: with.name("name")?,
            version: version(with, "version")?,
            change: source_change(with)?,
        }),
        Kind::Update => Action::Update(update(with)?),
        Kind::Activate => Action::Activate(Activate {
            routine: with.name("routine")?,
            parameters: with.optional("parameters", Fields::values)?.unwrap_or_default(),
        }),
        Kind::Deactivate => Action::Deactivate(Deactivate { routine: with.name("routine")? }),
        Kind::Rule => Action::Rule(Rule {
            name: with.name("name")?,
            expression: with.checked("expression", |text| {
                !text.is_empty() && is_text(text, limits::EXPRESSION_BYTES_MAX)
            })?,
            react: with.word("react", &REACTIONS)?,
            attempts: with.optional("attempts", |with, _| attempts(with))?.unwrap_or_default(),
            delay_ms: with.optional("delay_ms", |with, _| delay(with))?.unwrap_or_default(),
            not_after: with.integer("not_after", 0..=limits::NUMBER_MAX)?,
            key: with.name("key")?,
            signature: signature(with)?,
        }),
        Kind::Revoke => Action::Revoke(Revoke { directive: with.name("directive")? }),
    })
}

fn spread(with: &Fields<'_>) -> Result<u64, Refusal> {
    let spread = |with: &Fields<'_>, name: &str| with.integer(name, 0..=limits::SPREAD_MS_MAX);
    Ok(with.optional("spread_ms", spread)?.unwrap_or(SPREAD_MS))
}

fn attempts(with: &Fields<'_>) -> Result<u64, Refusal> {
    with.integer("attempts", limits::ATTEMPTS)
}

fn delay(with: &Fields<'_>) -> Result<u64, Refusal> {
    with.integer("delay_ms", 0..=limits::DELAY_MS_MAX)
}

fn version(with: &Fields<'_>, name: &str) -> Result<u64, Refusal> {
    with.integer(name, 1..=limits::NUMBER_MAX)
}

fn signature(with: &Fields<'_>) -> Result<String, Refusal> {
    // 64 bytes are 86 characters of base64 and two of padding.
    let right = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    with.checked("signature", |text| {
        text.len() == 88 && text.ends_with("==") && text.bytes().take(86).all(right)
    })
}

fn switch(with: &Fields<'_>) -> Result<Switch, Refusal> {
    let to = match with.get("to") {
        Some(Value::String(word)) if word == "handler" => SwitchTo::Handler,
        Some(Value::String(_)) => return Err(with.refuse(Why::Range, "to")),
        _ => SwitchTo::Address(with.object("to")?.checked("address", is_address)?),
    };
    let pinned =
        |with: &Fields<'_>, name: &str| with.word(name, &[("wait", Pinned::Wait), ("stay", Pinned::Stay)]);
    Ok(Switch { to, pinned: with.optional("pinned", pinned)?.unwrap_or(Pinned::Wait) })
}

fn error_rules(with: &Fields<'_>) -> Result<Vec<ErrorRule>, Refusal> {
    let rules = with.list("rules", 0..=limits::ERROR_RULES_MAX)?.iter().map(|rule| {
        let rule = Fields::of(rule, "rules")?;
        let on = On::new(rule.string("on")?).ok_or_else(|| rule.refuse(Why::Range, "on"))?;
        let react = rule.word("react", &REACTIONS)?;
        let attempts = rule.optional("attempts", |rule, _| attempts(rule))?.unwrap_or_default();
        let delay_ms = rule.optional("delay_ms", |rule, _| delay(rule))?.unwrap_or_default();
        Ok(ErrorRule { on, react, attempts, delay_ms })
    });
    rules.collect()
}

fn collect(with: &Fields<'_>) -> Result<Collect, Refusal> {
    let subject = |value: &Value| {
        let word = value.as_str().ok_or_else(|| with.refuse(Why::Malformed, "of"))?;
        let subject = Subject::ALL.into_iter().find(|subject| subject.name() == word);
        subject.ok_or_else(|| with.refuse(Why::Range, "of"))
    };
    let bytes = |with: &Fields<'_>, name: &str| with.integer(name, limits::REPORT_BYTES);
    let sample = |with: &Fields<'_>, name: &str| with.integer(name, limits::PER_MILLE);
    Ok(Collect {
        name: with.name("name")?,
        of: with.list("of", 1..=Subject::ALL.len())?.iter().map(subject).collect::<Result<_, _>>()?,
        interval_ms: with.integer("interval_ms", limits::INTERVAL_MS)?,
        bytes_max: with.optional("bytes_max", bytes)?.unwrap_or(REPORT_BYTES),
        sample_per_mille: with.optional("sample_per_mille", sample)?.unwrap_or(1_000),
    })
}

fn rate(with: &Fields<'_>) -> Result<Rate, Refusal> {
    let number = |with: &Fields<'_>, name: &str| with.integer(name, limits::PER_SECOND);
    let excess =
        |with: &Fields<'_>, name: &str| with.word(name, &[("wait", Excess::Wait), ("fail", Excess::Fail)]);
    let of = |with: &Fields<'_>, name: &str| {
        let words = [Operations::All, Operations::Read, Operations::Write].map(|of| (of.name(), of));
        with.word(name, &words)
    };
    Ok(Rate {
        per_second: with.optional("per_second", number)?,
        burst: with.optional("burst", number)?,
        excess: with.optional("excess", excess)?.unwrap_or(Excess::Wait),
        of: with.optional("of", of)?.unwrap_or(Operations::All),
    })
}

fn keys(with: &Fields<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    let keys = with.list(name, 1..=limits::KEYS_MAX)?.iter().map(|key| {
        let key = key.as_str().ok_or_else(|| with.refuse(Why::Malformed, name))?;
        let right = is_text(key, limits::TEXT_BYTES_MAX);
        if right { Ok(key.to_owned()) } else { Err(with.refuse(Why::Range, name)) }
    });
    keys.collect()
}

fn portion(with: &Fields<'_>) -> Result<Option<KeyRange>, Refusal> {
    if with.get("portion").is_none() {
        return Ok(None);
    }
    let portion = with.object("portion")?;
    let range = KeyRange { from: portion.text("from")?, to: portion.optional("to", Fields::text)? };
    if range.to.as_ref().is_some_and(|to| *to <= range.from) {
        return Err(portion.refuse(Why::Range, "to"));
    }
    Ok(Some(range))
}

fn fan_out(with: &Fields<'_>) -> Result<FanOut, Refusal> {
    let part = |part: &Value| {
        let part = Fields::of(part, "parts")?;
        Ok(Part { from: part.text("from")?, database: part.database("database")? })
    };
    let map = FanOut {
        table: with.name("table")?,
        version: version(with, "version")?,
        by: with.word("by", &[("range", Partitioning::Range), ("hash", Partitioning::Hash)])?,
        parts: with.list("parts", 1..=limits::PARTS_MAX)?.iter().map(part).collect::<Result<_, _>>()?,
    };
    let whole = map.parts[0].from.is_empty() && map.parts.windows(2).all(|two| two[0].from < two[1].from);
    if whole { Ok(map) } else { Err(with.refuse(Why::Range, "parts")) }
}

fn source_change(with: &Fields<'_>) -> Result<SourceChange, Refusal> {
    if let Some(Value::String(word)) = with.get("change") {
        let removed = word == "remove";
        return if removed { Ok(SourceChange::Remove) } else { Err(with.refuse(Why::Range, "change")) };
    }
    let change = with.object("change")?;
    if change.get("rollback").is_some() {
        return Ok(SourceChange::Rollback(version(&change, "rollback")?));
    }
    let set = change.values("set")?;
    if let Some(name) = set.keys().find(|name| !PARAMETERS.contains(&name.as_str())) {
        let secret = PARAMETERS_FORBIDDEN.contains(&name.as_str());
        return Err(change.refuse(Why::Forbidden, if secret { name } else { "set" }));
    }
    let right = |name: &str, right: fn(&str) -> bool| set.get(name).is_none_or(|text| right(text));
    let number =
        |text: &str| text.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == text);
    let host = |text: &str| is_host(text) || is_address(&format!("{text}:1"));
    if !right("host", host) || !right("port", number) || !right("connect_timeout", number) {
        return Err(change.refuse(Why::Range, "set"));
    }
    Ok(SourceChange::Set(set))
}

/// Those worth naming to whoever sends them.
const PARAMETERS_FORBIDDEN: [&str; 6] =
    ["password", "passfile", "sslmode", "sslkey", "sslpassword", "options"];

fn update(with: &Fields<'_>) -> Result<Update, Refusal> {
    let urgencies = [
        ("available", Urgency::Available),
        ("recommended", Urgency::Recommended),
        ("required", Urgency::Required),
    ];
    let digits = |text: &str| {
        text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    Ok(Update {
        version: with.checked("version", is_name)?,
        urgency: with.word("urgency", &urgencies)?,
        sha256: with.checked("sha256", digits)?,
        key: with.name("key")?,
        signature: signature(with)?,
    })
}
