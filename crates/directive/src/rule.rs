//! The expressions of rules (R90).
//!
//! One Rhai expression that is true or false, over a few facts. Nothing else is there to call: no statements, loops, functions,
//! variables of its own, modules, files, network or time; the only operators are those on numbers, texts and truth.
//! The crate counts operations and stops at a limit, bounds depth and texts, and checks arithmetic.

#[cfg(test)]
mod tests;

use rhai::{Engine, Scope};

use crate::{Refusal, Target, Why, receiver::errors::Failure};

/// Most operations that an expression may take. Those worth having need a few dozen.
const OPERATIONS_MAX: u64 = 1_000;
/// How deep an expression may be.
const DEPTH_MAX: usize = 16;
/// Longest text that it may make, in bytes.
const TEXT_BYTES_MAX: usize = 4_096;

/// Whether an expression can be evaluated.
///
/// # Errors
/// It is no expression of the language, or is too deep.
pub fn check(expression: &str) -> Result<(), Refusal> {
    engine().compile_expression(expression).map(drop).map_err(|_| Refusal::new(Why::Rule, "expression"))
}

/// Whether the expression is true for an error. One that fails, or is neither true nor false, is not.
pub fn evaluate(expression: &str, failure: &Failure<'_>, target: &Target<'_>) -> bool {
    let first = |names: &[&str]| names.first().copied().unwrap_or_default().to_owned();
    let mut facts = Scope::new();
    facts.push_constant("sqlstate", failure.sqlstate.to_owned());
    facts.push_constant("class", failure.sqlstate.get(..2).unwrap_or_default().to_owned());
    facts.push_constant("attempts", i64::try_from(failure.attempts).unwrap_or(i64::MAX));
    facts.push_constant("harmless", failure.harmless);
    facts.push_constant("operation", failure.of.name().to_owned());
    facts.push_constant("table", failure.table.to_owned());
    facts.push_constant("server", first(target.servers));
    facts.push_constant("database", first(target.databases));
    engine().eval_expression_with_scope(&mut facts, expression).unwrap_or(false)
}

fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    engine.set_max_operations(OPERATIONS_MAX);
    engine.set_max_expr_depths(DEPTH_MAX);
    engine.set_max_string_size(TEXT_BYTES_MAX);
    engine.set_max_variables(8);
    // It would compile a text at the time of evaluation, statements included.
    engine.disable_symbol("eval");
    // Pointers to functions, of which there are none.
    engine.disable_symbol("Fn");
    engine.disable_symbol("call");
    engine
}
