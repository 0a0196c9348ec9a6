//! Each row is linearizable, whoever owned its database, and whichever handler was asked: no stale read, no lost write.
//!
//! Catches `lease`, `fence` and `flush`.

use history::{Finding, History};

pub fn check(history: &History) -> Finding {
    history::check_register(history)
}
