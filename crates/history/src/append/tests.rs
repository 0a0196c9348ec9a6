use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::{Event, Process, Verdict};

/// Lines of `process type value`.
fn history(script: &str) -> History {
    let event = |line: &str| {
        let mut parts = line.trim().splitn(3, ' ');
        let process = parts.next().filter(|process| !process.is_empty())?;
        let kind = parts.next()?;
        let value = parts.next()?;
        Some(format!("{{:type :{kind} :process {process} :f :txn :value {value}}}"))
    };
    let text: String = script.lines().filter_map(event).collect();
    History::from_edn(&text).expect("a good script")
}

/// The name of the first anomaly.
fn anomaly(script: &str) -> String {
    let finding = check(&history(script));
    finding.wrong.first().map_or("none".into(), |wrong| wrong.split(':').next().unwrap_or_default().into())
}

#[test]
fn histories_that_could_have_happened_are_valid() {
    for script in [
        "0 invoke [[:append 1 1]]\n0 ok [[:append 1 1]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [1]]]",
        // Overlapping: the read may come first.
        "0 invoke [[:append 1 1]]\n1 invoke [[:r 1 nil]]\n0 ok [[:append 1 1]]\n1 ok [[:r 1 nil]]\n\
         1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [1]]]",
        // Of unknown outcome: done late, or never.
        "0 invoke [[:append 1 1]]\n0 info [[:append 1 1]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 []]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [1]]]",
        "0 invoke [[:append 1 1]]\n0 info [[:append 1 1]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 []]]",
        "0 invoke [[:append 1 1]]\n0 fail [[:append 1 1]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 []]]",
        "0 invoke [[:append 1 1] [:r 1 nil] [:append 1 2] [:r 1 nil]]\n0 ok [[:append 1 1] [:r 1 [1]] [:append 1 2] [:r 1 [1 2]]]\n\
         1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [1 2]]]",
    ] {
        assert_eq!(check(&history(script)).verdict, Verdict::Valid, "{script}");
    }
}

#[test]
fn what_nobody_looked_at_is_unknown() {
    for script in [
        "",
        "0 invoke [[:append 1 1]]\n0 info [[:append 1 1]]",
        // Acknowledged; the only read after it was refused.
        "0 invoke [[:append 1 1]]\n0 ok [[:append 1 1]]\n1 invoke [[:r 1 nil]]\n1 fail [[:r 1 nil]]",
        // Another list was read.
        "0 invoke [[:append 1 1]]\n0 ok [[:append 1 1]]\n1 invoke [[:r 2 nil]]\n1 ok [[:r 2 []]]",
    ] {
        assert_eq!(check(&history(script)).verdict, Verdict::Unknown, "{script}");
    }
}

#[test]
fn each_planted_anomaly_is_found_by_its_name() {
    let two = "0 invoke [[:append 1 1] [:append 2 1]]\n1 invoke [[:append 1 2] [:append 2 2]]\n\
               0 ok [[:append 1 1] [:append 2 1]]\n1 ok [[:append 1 2] [:append 2 2]]\n";
    for (script, name) in [
        // A stale read.
        (
            "0 invoke [[:append 1 1]]\n0 ok [[:append 1 1]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 nil]]",
            "G-single-realtime",
        ),
        // Acknowledged, seen, and gone.
        (
            "0 invoke [[:append 1 1]]\n0 ok [[:append 1 1]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [1]]]\n\
             0 invoke [[:append 1 2]]\n0 ok [[:append 1 2]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [2]]]",
            "incompatible order",
        ),
        // Acknowledged, never seen again.
        (
            "0 invoke [[:append 1 1]]\n0 ok [[:append 1 1]]\n0 invoke [[:append 1 2]]\n0 ok [[:append 1 2]]\n\
             1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [1]]]",
            "G-single-realtime",
        ),
        // Each list in another order.
        (&format!("{two}2 invoke [[:r 1 nil] [:r 2 nil]]\n2 ok [[:r 1 [1 2]] [:r 2 [2 1]]]"), "G0"),
        // Two that each read what the other wrote.
        (
            "0 invoke [[:append 1 1] [:r 2 nil]]\n1 invoke [[:append 2 1] [:r 1 nil]]\n\
             0 ok [[:append 1 1] [:r 2 [1]]]\n1 ok [[:append 2 1] [:r 1 [1]]]",
            "G1c",
        ),
        // Write skew: neither sees the other.
        (
            "0 invoke [[:append 1 1] [:r 2 nil]]\n1 invoke [[:append 2 1] [:r 1 nil]]\n\
             0 ok [[:append 1 1] [:r 2 []]]\n1 ok [[:append 2 1] [:r 1 []]]\n\
             2 invoke [[:r 1 nil] [:r 2 nil]]\n2 ok [[:r 1 [1]] [:r 2 [1]]]",
            "G2",
        ),
        (
            "0 invoke [[:append 1 1]]\n0 fail [[:append 1 1]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [1]]]",
            "aborted read",
        ),
        ("1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [5]]]", "invented"),
        (
            "0 invoke [[:append 1 1]]\n0 ok [[:append 1 1]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [1 1]]]",
            "duplicate",
        ),
        (
            "0 invoke [[:append 1 1] [:append 1 2]]\n1 invoke [[:r 1 nil]]\n1 ok [[:r 1 [1]]]\n0 ok [[:append 1 1] [:append 1 2]]",
            "intermediate read",
        ),
        ("0 invoke [[:append 1 1] [:r 1 nil]]\n0 ok [[:append 1 1] [:r 1 []]]", "internal"),
    ] {
        assert_eq!(anomaly(script), name, "{script}");
    }
}

/// Clients that take turns at real lists, so that every history is good; then with one kind of lie.
fn simulate(seed: u64, lie: Option<&str>) -> History {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut lists, mut older): (BTreeMap<i64, Vec<i64>>, _) = (BTreeMap::new(), BTreeMap::new());
    let (mut events, mut next) = (Vec::new(), 0);
    for at in 0..400 {
        let process = Process::Client(at % 5);
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        let lost = lie == Some("lost write") && at == 200;
        for _ in 0..random.random_range(1..4) {
            let key = random.random_range(0..4);
            if random.random_bool(0.5) || lost {
                next += 1;
                let step: Edn = [Edn::keyword("append"), key.into(), next.into()].into_iter().collect();
                if !lost {
                    lists.entry(key).or_default().push(next);
                }
                asked.push(step.clone());
                answered.push(step);
            } else {
                let from = if lie == Some("stale read") && at == 300 { &older } else { &lists };
                let found: Edn = from.get(&key).into_iter().flatten().map(|n: &i64| Edn::Int(*n)).collect();
                asked.push([Edn::keyword("r"), key.into(), Edn::Nil].into_iter().collect());
                answered.push([Edn::keyword("r"), key.into(), found].into_iter().collect());
            }
        }
        let event = |kind, value: Vec<Edn>| Event {
            kind,
            process,
            time: 0,
            f: TXN.into(),
            value: Edn::Vector(value),
            extra: Vec::new(),
        };
        events.push(event(Kind::Invoke, asked));
        events.push(event(Kind::Ok, answered));
        if at == 100 {
            older = lists.clone();
        }
    }
    // Everything is read at last.
    for key in 0..4 {
        let read =
            |found: Edn| Edn::Vector(vec![[Edn::keyword("r"), key.into(), found].into_iter().collect()]);
        let found = lists.get(&key).into_iter().flatten().map(|n| Edn::Int(*n)).collect();
        for (kind, found) in [(Kind::Invoke, Edn::Nil), (Kind::Ok, found)] {
            let process = Process::Client(0);
            events.push(Event {
                kind,
                process,
                time: 0,
                f: TXN.into(),
                value: read(found),
                extra: Vec::new(),
            });
        }
    }
    History { events }
}

#[test]
fn long_histories_are_valid_and_one_lie_among_them_is_found() {
    let mut stale = 0;
    for seed in 0..20 {
        let finding = check(&simulate(seed, None));
        assert_eq!(finding.verdict, Verdict::Valid, "seed {seed}: {:?}", finding.wrong);
        assert_eq!(check(&simulate(seed, Some("lost write"))).verdict, Verdict::Invalid, "seed {seed}");
        // Not every transaction at that place reads.
        stale += usize::from(check(&simulate(seed, Some("stale read"))).verdict == Verdict::Invalid);
    }
    assert!(stale > 5, "{stale} of 20 stale reads found");
}
