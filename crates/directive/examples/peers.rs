//! Directives between two peers that are no database and no client of one (R62).
//!
//! A *dispatcher* tells its *workers* to slow down, to leave a printer alone, and to carry on. What carries the directives are
//! two queues of texts: the core knows neither SQL nor any wire.

use std::sync::mpsc;

use directive::{
    Action, Directive, Kind, Kinds, Moment, Order, Outcome, Policy, Receiver, Scope, Target, acknowledgement,
    action::{Excess, Hold, Operations, Rate, Resume},
    encode,
    receiver::rate::Permit,
};

/// How they know that they speak of the same conversation.
const SESSION: &str = "dispatcher-and-worker-1";

/// Sends three directives and shows what follows.
pub fn main() {
    let (dispatcher, inbox) = mpsc::channel::<String>();
    let (outbox, answers) = mpsc::channel::<String>();

    for directive in [
        directive(1, Action::Hold(Hold { spread_ms: 0 }), Scope::server("printer-2"), "out of paper"),
        directive(2, Action::Rate(rate(2)), Scope::everything(), "the network is slow"),
        directive(3, Action::Resume(Resume { spread_ms: 0 }), Scope::server("printer-2"), "refilled"),
    ] {
        dispatcher.send(encode(&directive).expect("within the limits")).expect("the worker listens");
    }
    drop(dispatcher);

    let mut worker = Receiver::new(
        Policy::default(),
        [Kind::Hold, Kind::Resume, Kind::Rate].into_iter().collect::<Kinds>(),
        1,
    );
    let printer = Target { servers: &["printer-2"], databases: &[] };
    for (second, text) in inbox.iter().enumerate() {
        let now = Moment(second as u64 * 1_000);
        let received = worker.receive(text.as_bytes(), Some(SESSION), now, 0);
        match worker.connect(&printer, now) {
            Ok(()) => println!("{second} s: the printer may be used"),
            Err(blocked) => {
                println!("{second} s: no printing for {} ms: {}", blocked.left_ms, blocked.reason)
            }
        }
        let answer = acknowledgement::encode(received.acknowledgement.as_slice()).expect("it had an id");
        outbox.send(answer).expect("the dispatcher listens");
    }
    drop(outbox);
    let now = Moment(3_000);
    assert_eq!(worker.connect(&printer, now), Ok(()));
    assert_eq!(worker.permit(Operations::Write, &printer, None, now), Permit::Go);
    assert_eq!(worker.permit(Operations::Write, &printer, None, now), Permit::WaitMs(500));

    for answer in answers {
        for one in acknowledgement::decode(answer.as_bytes()).expect("what a worker writes") {
            assert!(matches!(one.outcome, Outcome::Applied { .. }), "{one:?}");
            println!("the worker says {one:?}");
        }
    }
}

fn directive(sequence: u64, action: Action, scope: Scope, reason: &str) -> Directive {
    Directive {
        id: format!("dispatcher-{sequence}"),
        order: Order { epoch: 0, sequence },
        lifetime_ms: 60_000,
        reason: reason.to_owned(),
        session: Some(SESSION.to_owned()),
        scope,
        action,
    }
}

fn rate(per_second: u64) -> Rate {
    Rate { per_second: Some(per_second), burst: None, excess: Excess::Wait, of: Operations::All }
}
