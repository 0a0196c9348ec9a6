//! `receiver.json`: what a client's state becomes, step by step, and what it answers.

use directive::{
    Kind, Kinds, Moment, Policy, Receiver, Target,
    action::{Collect, Operations, Subject},
    policy::{Addresses, WaitOrFail},
    postgres,
    receiver::{
        Effect,
        connect::Blocked,
        errors::{Advice, Failure},
        rate::Permit,
        world::NotLocated,
    },
};
use serde_json::{Value, json};

use crate::file::{File, bytes};

#[test]
fn r66_receivers_decide_alike() {
    File::open("receiver.json").check("", |scenario| {
        let can = kinds(&scenario["can"]).unwrap_or(Kinds::ALL);
        if can.has(Kind::Rule) && !cfg!(feature = "rules") && scenario["rules"] == true {
            return;
        }
        let seed = scenario["seed"].as_u64().unwrap_or_default();
        let mut receiver = Receiver::new(policy(&scenario["policy"]), can, seed);
        for step in scenario["steps"].as_array_mut().expect("steps") {
            work_out(&mut receiver, step);
        }
    });
}

/// Answers what is asked with a step's value, at its time.
type Ask = fn(&mut Receiver, &Value, Moment) -> Value;

/// What a step may ask, by the name of its field.
fn work_out(receiver: &mut Receiver, step: &mut Value) {
    let at = Moment(step["at"].as_u64().expect("a time"));
    let asks: [(&str, Ask); 14] = [
        ("connect", connect),
        ("switch", switch),
        ("wait_or_fail", wait_or_fail),
        ("error", error),
        ("permit", permit),
        ("locate", locate),
        ("collections", collections),
        ("source", |receiver, name, at| {
            let source = receiver.source(text(name), at);
            json!(source.map(|one| json!({ "version": one.version, "parameters": one.parameters })))
        }),
        ("information", |receiver, _, at| {
            json!(receiver.information(at).map(|one| one.topic.as_str()).collect::<Vec<_>>())
        }),
        ("routine", |receiver, name, at| json!(receiver.routine(text(name), at))),
        ("update", |receiver, _, at| json!(receiver.update(at).map(|update| update.version.as_str()))),
        ("expire", |receiver, _, at| json!(receiver.expire(at))),
        ("status", |receiver, _, at| json!(receiver.status(at))),
        ("receive", |_, _, _| Value::Null),
    ];
    let found = asks.iter().find(|(name, _)| step.get(*name).is_some());
    let (name, ask) = found.unwrap_or_else(|| panic!("a step that asks nothing: {step}"));
    step["answer"] = match *name {
        "receive" => receive(receiver, step, at),
        _ => ask(receiver, &step[*name], at),
    };
}

fn receive(receiver: &mut Receiver, step: &Value, at: Moment) -> Value {
    let calendar_s = step["calendar_s"].as_u64().unwrap_or(1_790_000_000);
    let directive = step["receive"].to_string();
    let received = receiver.receive(directive.as_bytes(), step["session"].as_str(), at, calendar_s);
    if let Some(one) = &received.acknowledgement {
        let sql = postgres::acknowledge(std::slice::from_ref(one)).expect("it can be sent");
        assert_eq!(postgres::statement(&sql), Some(Ok(postgres::Statement::Acknowledge(vec![one.clone()]))));
    }
    let effect = match received.effect {
        Effect::Nothing => Value::Null,
        Effect::Changed(kind) => json!({ "changed": kind.name() }),
        Effect::Once(action) => json!({ "once": action.kind().name() }),
    };
    json!({ "acknowledgement": received.acknowledgement, "effect": effect })
}

fn connect(receiver: &mut Receiver, asked: &Value, at: Moment) -> Value {
    with_target(asked, |target| match receiver.connect(target, at) {
        Ok(()) => json!("go"),
        Err(blocked) => shown(&blocked),
    })
}

fn switch(receiver: &mut Receiver, asked: &Value, at: Moment) -> Value {
    with_target(asked, |target| {
        let switch = receiver.switch(target, at);
        json!(switch.map(|one| json!({ "id": one.id, "switch": one.switch, "left_ms": one.left_ms })))
    })
}

fn wait_or_fail(receiver: &mut Receiver, asked: &Value, _: Moment) -> Value {
    let left_ms = asked["left_ms"].as_u64().expect("a time");
    match receiver.policy().wait_or_fail(left_ms, asked["deadline_ms"].as_u64()) {
        WaitOrFail::Go => json!("go"),
        WaitOrFail::Wait => json!("wait"),
        WaitOrFail::Fail => json!("fail"),
    }
}

fn error(receiver: &mut Receiver, asked: &Value, at: Moment) -> Value {
    let failure = Failure {
        sqlstate: text(&asked["sqlstate"]),
        attempts: asked["attempts"].as_u64().unwrap_or_default(),
        harmless: asked["harmless"] != false,
        of: operations(asked),
        table: asked["table"].as_str().unwrap_or_default(),
    };
    with_target(asked, |target| match receiver.on_error(&failure, target, at) {
        Advice::Fail => json!("fail"),
        Advice::RetryAfter(ms) => json!({ "retry_after_ms": ms }),
        Advice::ReconnectAfter(ms) => json!({ "reconnect_after_ms": ms }),
    })
}

fn permit(receiver: &mut Receiver, asked: &Value, at: Moment) -> Value {
    let deadline_ms = asked["deadline_ms"].as_u64();
    with_target(asked, |target| match receiver.permit(operations(asked), target, deadline_ms, at) {
        Permit::Go => json!("go"),
        Permit::WaitMs(ms) => json!({ "wait_ms": ms }),
        Permit::Refused(blocked) => json!({ "refused": shown(&blocked) }),
    })
}

fn locate(receiver: &mut Receiver, asked: &Value, at: Moment) -> Value {
    let version = asked["version"].as_u64().expect("a version");
    match receiver.locate(text(&asked["table"]), text(&asked["key"]), version, at) {
        Ok(database) => json!({ "database": database }),
        Err(NotLocated::NoMap) => json!("no_map"),
        Err(NotLocated::OtherVersion { present }) => json!({ "other_version": present }),
    }
}

fn collections(receiver: &mut Receiver, _: &Value, at: Moment) -> Value {
    let one = |(collect, left_ms): (&Collect, u64)| {
        let destination = receiver.destination(&collect.name, at);
        json!({ "name": collect.name, "left_ms": left_ms, "destination": destination })
    };
    json!(receiver.collections(at).map(one).collect::<Vec<_>>())
}

fn shown(Blocked { left_ms, id, reason }: &Blocked) -> Value {
    json!({ "left_ms": left_ms, "id": id, "reason": reason })
}

fn policy(given: &Value) -> Policy {
    let mut policy = Policy::default();
    for (name, value) in given.as_object().into_iter().flatten() {
        let number = || value.as_u64().expect("a number");
        let list = || texts(value).into_iter().map(str::to_owned);
        match name.as_str() {
            "allow" => policy.allow = kinds(value).expect("kinds"),
            "hold_ms_max" => policy.hold_ms_max = number(),
            "lifetime_ms_max" => policy.lifetime_ms_max = number(),
            "wait_ms_max" => policy.wait_ms_max = number(),
            "rate_per_second_min" => policy.rate_per_second_min = number(),
            "directives_per_minute" => policy.directives_per_minute = number(),
            "addresses" => policy.addresses = Addresses(list().collect()),
            "destinations" => policy.destinations = list().collect(),
            "routines" => policy.routines = list().collect(),
            "subjects" => {
                let wanted = texts(value);
                policy.subjects =
                    Subject::ALL.into_iter().filter(|one| wanted.contains(&one.name())).collect();
            }
            "keys" => {
                for (name, key) in value.as_object().expect("keys by name") {
                    let key = bytes(&json!({ "hex": key })).try_into().expect("32 bytes");
                    policy.keys.insert(name.clone(), key);
                }
            }
            other => panic!("an owner has no {other}"),
        }
    }
    policy
}

fn kinds(names: &Value) -> Option<Kinds> {
    let names = names.as_array()?;
    Some(names.iter().map(|name| Kind::from_name(name.as_str().expect("a name")).expect("a kind")).collect())
}

fn operations(asked: &Value) -> Operations {
    match asked["of"].as_str() {
        Some("write") => Operations::Write,
        _ => Operations::Read,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().map(text).collect()
}

fn with_target(asked: &Value, ask: impl FnOnce(&Target<'_>) -> Value) -> Value {
    ask(&Target { servers: &texts(&asked["servers"]), databases: &texts(&asked["databases"]) })
}
