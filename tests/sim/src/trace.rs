//! Everything that happens, as one number: two runs of a seed went alike when it is equal.

use std::sync::Mutex;

use xxhash_rust::xxh3::Xxh3;

use crate::time;

/// What was noted so far.
struct Trace {
    hash: Xxh3,
    notes: u64,
    shown: bool,
}

static TRACE: Mutex<Option<Trace>> = Mutex::new(None);

/// Begins; with `shown` every note is printed.
pub fn begin(shown: bool) {
    *TRACE.lock().expect("BUG: nothing panics here") = Some(Trace { hash: Xxh3::new(), notes: 0, shown });
}

/// Something happened.
pub fn note(what: std::fmt::Arguments<'_>) {
    if let Some(trace) = &mut *TRACE.lock().expect("BUG: nothing panics here") {
        let line = format!("{:>7} {what}\n", time::now());
        trace.hash.update(line.as_bytes());
        trace.notes += 1;
        if trace.shown {
            print!("{line}");
        }
    }
}

/// How much was noted, and its digest.
pub fn digest() -> (u64, u64) {
    let trace = TRACE.lock().expect("BUG: nothing panics here");
    trace.as_ref().map_or((0, 0), |trace| (trace.notes, trace.hash.digest()))
}
