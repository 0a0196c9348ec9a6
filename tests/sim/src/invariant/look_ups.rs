//! What controllers answer from the newest state is never older than what any of them has answered before, and an epoch has
//! one owner.
//!
//! Catches `read-index`.

use history::{Finding, History};

pub fn check(history: &History) -> Finding {
    history::check_epochs(history)
}
