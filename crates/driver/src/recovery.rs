//! Decisions about failures, pure: what broke, what is known about it, and what to do. Time is passed in.

mod backoff;
mod breaker;
mod budget;
mod verdict;

pub(crate) use backoff::backoff;
pub(crate) use breaker::{Breakers, Permit};
pub(crate) use budget::Budget;
pub(crate) use verdict::{BROKEN, Facts, REPEATABLE, Request, Verdict, verdict};
