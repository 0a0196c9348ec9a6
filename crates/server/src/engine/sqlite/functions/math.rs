//! Functions of numbers.

use rusqlite::types::Value as Sql;
use wire::sqlstate;

use super::super::sql_error::SqlError;
use super::{Arguments, Registrar, Returned, SqlRef, number};

pub(super) const NAMES: &[&str] = &[
    "ceil", "floor", "trunc", "power", "sqrt", "cbrt", "exp", "ln", "log", "log10", "sin", "cos", "tan",
    "asin", "acos", "atan", "atan2", "pi", "radians", "degrees", "mod", "div", "gcd", "lcm", "setseed",
];

/// A function of one number, with its name.
type Unary = (&'static str, fn(f64) -> f64);

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    let unary: &[Unary] = &[
        ("cbrt", f64::cbrt),
        ("exp", f64::exp),
        ("sin", f64::sin),
        ("cos", f64::cos),
        ("tan", f64::tan),
        ("asin", f64::asin),
        ("acos", f64::acos),
        ("atan", f64::atan),
        ("radians", f64::to_radians),
        ("degrees", f64::to_degrees),
    ];
    for (name, function) in unary {
        let function = *function;
        registrar.strict(name, 1, move |arguments| number(function(arguments.real(0))))?;
    }
    let whole: &[Unary] = &[("ceil", f64::ceil), ("floor", f64::floor), ("trunc", f64::trunc)];
    for (name, function) in whole {
        let function = *function;
        registrar.strict(name, 1, move |arguments| match arguments.0.get_raw(0) {
            SqlRef::Integer(value) => Ok(Sql::Integer(value)),
            _real => number(function(arguments.real(0))),
        })?;
    }
    registrar.strict("trunc", 2, |arguments| {
        let scale = 10f64.powi(arguments.integer(1).clamp(-300, 300) as i32);
        number((arguments.real(0) * scale).trunc() / scale)
    })?;
    registrar.strict("sqrt", 1, |arguments| match arguments.real(0) {
        negative if negative < 0.0 => Err(SqlError::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            "cannot take square root of a negative number",
        )),
        value => number(value.sqrt()),
    })?;
    for name in ["ln", "log", "log10"] {
        registrar.strict(name, 1, move |arguments| logarithm(arguments, 0, name == "ln").and_then(number))?;
    }
    registrar.strict("log", 2, |arguments| {
        number(logarithm(arguments, 1, true)? / logarithm(arguments, 0, true)?)
    })?;
    registrar.strict("power", 2, |arguments| number(arguments.real(0).powf(arguments.real(1))))?;
    registrar.strict("atan2", 2, |arguments| number(arguments.real(0).atan2(arguments.real(1))))?;
    registrar.strict("pi", 0, |_| number(std::f64::consts::PI))?;
    registrar.strict("mod", 2, modulo)?;
    registrar.strict("div", 2, |arguments| match (arguments.real(0) / arguments.real(1)).trunc() {
        finite if finite.is_finite() => Ok(Sql::Integer(finite as i64)),
        _zero => Err(division_by_zero()),
    })?;
    registrar
        .strict("gcd", 2, |arguments| Ok(Sql::Integer(gcd(arguments.integer(0), arguments.integer(1)))))?;
    registrar.strict("lcm", 2, |arguments| {
        let (a, b) = (arguments.integer(0), arguments.integer(1));
        let divisor = gcd(a, b);
        Ok(Sql::Integer(if divisor == 0 { 0 } else { (a / divisor).saturating_mul(b).saturating_abs() }))
    })?;
    registrar.volatile("random", 0, |_| number(rand::random::<f64>()))?;
    registrar.volatile("setseed", 1, |_| Ok(Sql::Null))
}

fn logarithm(arguments: &Arguments<'_, '_>, at: usize, natural: bool) -> Result<f64, SqlError> {
    let value = arguments.real(at);
    if value <= 0.0 {
        let what = if value == 0.0 { "zero" } else { "a negative number" };
        return Err(SqlError::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("cannot take logarithm of {what}"),
        ));
    }
    Ok(if natural { value.ln() } else { value.log10() })
}

fn division_by_zero() -> SqlError {
    SqlError::new(sqlstate::DIVISION_BY_ZERO, "division by zero")
}

fn modulo(arguments: &Arguments<'_, '_>) -> Returned {
    match (arguments.0.get_raw(0), arguments.0.get_raw(1)) {
        (_, SqlRef::Integer(0)) => Err(division_by_zero()),
        (SqlRef::Integer(a), SqlRef::Integer(b)) => Ok(Sql::Integer(a.wrapping_rem(b))),
        _reals => number(arguments.real(0) % arguments.real(1)),
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i64::try_from(a).unwrap_or(i64::MAX)
}
