//! What must be so for any input.

use directive::{
    Kinds, Moment, Policy, Receiver, Refusal, Target, Why, acknowledgement, decode, encode, limits,
    policy::Addresses,
    postgres::{self, Announcement, Statement},
};

/// What is read is written so that it reads as the same.
pub fn reader(bytes: &[u8]) {
    let Ok(read) = decode(bytes) else { return };
    assert!(bytes.len() <= limits::DIRECTIVE_BYTES_MAX);
    match encode(&read) {
        Ok(canonical) => {
            let again = decode(canonical.as_bytes()).expect("what was written");
            assert_eq!(again, read);
            assert_eq!(encode(&again).expect("what was read"), canonical);
        }
        // Defaults are written out, which may take more room than there is.
        Err(Refusal { why, .. }) => assert_eq!(why, Why::TooLarge),
    }
}

/// The hold that the owner of [`receiver`]'s client allows, in milliseconds.
const HOLD_MS_MAX: u64 = 2_000;

/// Lines, each of a step of time in tens of milliseconds and a directive, for one client.
pub fn receiver(input: &[u8]) {
    let policy = Policy {
        hold_ms_max: HOLD_MS_MAX,
        addresses: Addresses(["*".to_owned()].into()),
        routines: ["diagnostics".to_owned()].into(),
        directives_per_minute: u64::MAX,
        ..Policy::default()
    };
    let mut receiver = Receiver::new(policy, Kinds::ALL, 7);
    let target = Target { servers: &["s2"], databases: &["shop"] };
    let (mut now, mut held_since) = (Moment(0), None);
    for line in input.split(|byte| *byte == b'\n') {
        let Some((step, directive)) = line.split_first() else { continue };
        let later = now.after_ms(u64::from(*step) * 10);
        // It is free from when it was told to, whether or not something comes meanwhile.
        let free =
            receiver.connect(&target, now).map_or_else(|blocked| now.after_ms(blocked.left_ms), |()| now);
        held_since = if free >= later { held_since } else { None };
        now = later;
        let received = receiver.receive(directive, None, now, 1_790_000_000);
        if let Some(acknowledgement) = received.acknowledgement {
            postgres::acknowledge(&[acknowledgement]).expect("every acknowledgement can be sent");
        }
        if let Err(blocked) = receiver.connect(&target, now) {
            let since = *held_since.get_or_insert(now);
            let end = now.after_ms(blocked.left_ms);
            assert!(end.ms_from(since) <= HOLD_MS_MAX, "held for {} ms", end.ms_from(since));
        }
        if *step % 16 == 0 {
            receiver.expire(now);
        }
        let status = receiver.status(now);
        assert!(status.in_force.len() <= 256 && status.sources.len() <= 32);
    }
}

/// One input for both.
pub fn directives(input: &[u8]) {
    for line in input.split(|byte| *byte == b'\n') {
        reader(line.get(1..).unwrap_or_default());
    }
    receiver(input);
}

/// What a client may say, taken for each of the things that it can be.
pub fn answers(input: &[u8]) {
    if let Ok(read) = acknowledgement::decode(input)
        && let Ok(text) = acknowledgement::encode(&read)
    {
        assert_eq!(acknowledgement::decode(text.as_bytes()), Ok(read));
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(read) = Announcement::parse(text) {
        let value = read.value().expect("what was read can be written");
        assert_eq!(Announcement::parse(&value), Ok(read));
    }
    let (value, rest) = postgres::split_options(text);
    assert!(rest.len() <= text.len() && value.is_none_or(|value| value.len() <= text.len()));
    assert_eq!(postgres::split_options(&rest).0, None, "an announcement is left in {rest:?}");
    if let Some(Ok(Statement::Acknowledge(read))) = postgres::statement(text)
        && let Ok(sql) = postgres::acknowledge(&read)
    {
        assert_eq!(postgres::statement(&sql), Some(Ok(Statement::Acknowledge(read))));
    }
}

/// An expression comes to an end, whatever it is.
#[cfg(feature = "rules")]
pub fn rules(input: &[u8]) {
    use directive::{action::Operations, receiver::errors::Failure, rule};
    let Ok(expression) = std::str::from_utf8(input) else { return };
    if expression.len() > limits::EXPRESSION_BYTES_MAX {
        return;
    }
    let failure =
        Failure { sqlstate: "40001", attempts: 1, harmless: true, of: Operations::Write, table: "orders" };
    let yes = rule::evaluate(expression, &failure, &Target { servers: &["s2"], databases: &["shop"] });
    assert!(!yes || rule::check(expression).is_ok(), "it was evaluated and does not compile");
}

/// There are none.
#[cfg(not(feature = "rules"))]
pub fn rules(_: &[u8]) {}
