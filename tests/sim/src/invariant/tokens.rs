//! What was acknowledged is there at the end, once; what was refused is not.
//!
//! Catches `flush`, `outcome` and `fence`.

use history::{Finding, History};

pub fn check(history: &History) -> Finding {
    history::check_set(history)
}
