//! Arithmetic on numbers as Python does it, with 64-bit checked integers and finite floats.

use std::cmp::Ordering;

use super::error::Fault;

/// An int or a float.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    #[expect(
        clippy::cast_precision_loss,
        reason = "rounds to nearest, as Python does"
    )]
    pub(super) const fn as_float(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }
}

pub(super) fn overflow() -> Fault {
    Fault::value("the result does not fit into 64 bits")
        .help("integers go from -2**63 to 2**63 - 1")
}

fn zero_division() -> Fault {
    Fault::value("division by zero").help("write `a / b if b != 0 else ...`")
}

/// The float, unless it left the finite ones.
pub(super) fn finite(float: f64) -> Result<Number, Fault> {
    if float.is_finite() {
        return Ok(Number::Float(float));
    }
    Err(Fault::value("the result is not a finite number"))
}

pub(super) fn int(checked: Option<i64>) -> Result<Number, Fault> {
    checked.map(Number::Int).ok_or_else(overflow)
}

pub(super) fn add(left: Number, right: Number) -> Result<Number, Fault> {
    match (left, right) {
        (Number::Int(a), Number::Int(b)) => int(a.checked_add(b)),
        (a, b) => finite(a.as_float() + b.as_float()),
    }
}

pub(super) fn subtract(left: Number, right: Number) -> Result<Number, Fault> {
    match (left, right) {
        (Number::Int(a), Number::Int(b)) => int(a.checked_sub(b)),
        (a, b) => finite(a.as_float() - b.as_float()),
    }
}

pub(super) fn multiply(left: Number, right: Number) -> Result<Number, Fault> {
    match (left, right) {
        (Number::Int(a), Number::Int(b)) => int(a.checked_mul(b)),
        (a, b) => finite(a.as_float() * b.as_float()),
    }
}

pub(super) fn divide(left: Number, right: Number) -> Result<Number, Fault> {
    if right.as_float() == 0.0 {
        return Err(zero_division());
    }
    match (left, right) {
        (Number::Int(a), Number::Int(b)) => Ok(Number::Float(divide_ints(a, b))),
        (a, b) => finite(a.as_float() / b.as_float()),
    }
}

/// The float nearest to the true quotient, also where the integers themselves are no floats.
#[expect(
    clippy::cast_precision_loss,
    reason = "`as` rounds the 63 bits and the sticky one once"
)]
fn divide_ints(a: i64, b: i64) -> f64 {
    if a == 0 {
        return 0.0;
    }
    let (above, below) = (u128::from(a.unsigned_abs()), u128::from(b.unsigned_abs()));
    let shift = above.leading_zeros();
    let shifted = above << shift;
    let sticky = u128::from(shifted % below != 0);
    let quotient = ((shifted / below) | sticky) as f64;
    let magnitude = quotient * 0.5_f64.powi(i32::try_from(shift).unwrap_or(0));
    if (a < 0) == (b < 0) {
        magnitude
    } else {
        -magnitude
    }
}

pub(super) fn floor_divide(left: Number, right: Number) -> Result<Number, Fault> {
    if right.as_float() == 0.0 {
        return Err(zero_division());
    }
    match (left, right) {
        (Number::Int(a), Number::Int(b)) => int(floor_quotient(a, b)),
        (a, b) => finite(float_divmod(a.as_float(), b.as_float()).0),
    }
}

fn floor_quotient(a: i64, b: i64) -> Option<i64> {
    let quotient = a.checked_div(b)?;
    let inexact = a.checked_rem(b)? != 0;
    Some(if inexact && (a < 0) != (b < 0) {
        quotient - 1
    } else {
        quotient
    })
}

pub(super) fn modulo(left: Number, right: Number) -> Result<Number, Fault> {
    if right.as_float() == 0.0 {
        return Err(zero_division());
    }
    match (left, right) {
        (Number::Int(a), Number::Int(b)) => {
            let rest = a.checked_rem(b).unwrap_or(0);
            Ok(Number::Int(if rest != 0 && (rest < 0) != (b < 0) {
                rest + b
            } else {
                rest
            }))
        }
        (a, b) => finite(float_divmod(a.as_float(), b.as_float()).1),
    }
}

/// CPython's `divmod` of floats: the rest has the sign of the divisor.
fn float_divmod(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest == 0.0 {
        rest = 0.0_f64.copysign(b);
    } else if (b < 0.0) != (rest < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0.0_f64.copysign(a / b), rest);
    }
    let floor = quotient.floor();
    let floor = if quotient - floor > 0.5 {
        floor + 1.0
    } else {
        floor
    };
    (floor, rest)
}

pub(super) fn power(left: Number, right: Number) -> Result<Number, Fault> {
    if let (Number::Int(base), Number::Int(exponent)) = (left, right)
        && exponent >= 0
    {
        return int(int_power(base, exponent));
    }
    let (base, exponent) = (left.as_float(), right.as_float());
    if base == 0.0 && exponent < 0.0 {
        return Err(Fault::value("zero has no negative power"));
    }
    if base < 0.0 && exponent.fract() != 0.0 {
        return Err(Fault::value("a negative number has no such power"));
    }
    finite(base.powf(exponent))
}

fn int_power(base: i64, exponent: i64) -> Option<i64> {
    match base {
        0 | 1 => Some(if exponent == 0 { 1 } else { base }),
        -1 => Some(if exponent % 2 == 0 { 1 } else { -1 }),
        _ => base.checked_pow(u32::try_from(exponent).ok()?),
    }
}

/// Compares exactly: an int that is no float differs from every float.
pub(super) fn compare(left: Number, right: Number) -> Ordering {
    match (left, right) {
        (Number::Int(a), Number::Int(b)) => a.cmp(&b),
        (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (Number::Int(a), Number::Float(b)) => compare_mixed(a, b),
        (Number::Float(a), Number::Int(b)) => compare_mixed(b, a).reverse(),
    }
}

fn compare_mixed(int: i64, float: f64) -> Ordering {
    match truncated(float) {
        Some(whole) => int.cmp(&whole).then_with(|| {
            0.0_f64
                .partial_cmp(&float.fract())
                .unwrap_or(Ordering::Equal)
        }),
        None if float > 0.0 => Ordering::Less,
        None => Ordering::Greater,
    }
}

/// The integer towards zero, when it fits into 64 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked first"
)]
pub(super) fn truncated(float: f64) -> Option<i64> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    (-END..END).contains(&float).then(|| float.trunc() as i64)
}

/// `round(x)`: to the nearest integer, halves to the even one.
pub(super) fn round(number: Number) -> Result<Number, Fault> {
    match number {
        Number::Int(_) => Ok(number),
        Number::Float(float) => int(truncated(float.round_ties_even())),
    }
}

/// `round(x, digits)`, correctly rounded from the exact value as in Python.
pub(super) fn round_to(number: Number, digits: i64) -> Result<Number, Fault> {
    match number {
        Number::Int(value) if digits >= 0 => Ok(Number::Int(value)),
        Number::Int(value) => int(round_int(value, digits.unsigned_abs(), false)),
        Number::Float(value) => finite(round_float(value, digits)?),
    }
}

/// Beyond so many digits every float is already round.
const FLOAT_DIGITS_MAX: i64 = 330;

fn round_float(value: f64, digits: i64) -> Result<f64, Fault> {
    if digits > FLOAT_DIGITS_MAX {
        return Ok(value);
    }
    if let Ok(digits) = usize::try_from(digits) {
        return Ok(format!("{value:.digits$}").parse().unwrap_or(value));
    }
    let Some(whole) = truncated(value) else {
        return Err(Fault::value(
            "the number is too large to round before the point",
        ));
    };
    let rounded = round_int(whole, digits.unsigned_abs(), value.fract() != 0.0);
    let magnitude = rounded
        .map(|int| Number::Int(int).as_float())
        .ok_or_else(overflow)?;
    Ok(magnitude.abs().copysign(value))
}

/// Rounds away the last `digits` digits; `more` says that a fraction was cut off before.
fn round_int(value: i64, digits: u64, more: bool) -> Option<i64> {
    let Some(unit) = u32::try_from(digits)
        .ok()
        .and_then(|digits| 10_u64.checked_pow(digits))
    else {
        return Some(0);
    };
    let magnitude = value.unsigned_abs();
    let (quotient, rest) = (magnitude / unit, magnitude % unit);
    let half = unit / 2;
    let up = match rest.cmp(&half) {
        Ordering::Less => false,
        Ordering::Equal => more || quotient % 2 == 1,
        Ordering::Greater => true,
    };
    let rounded = quotient.checked_add(u64::from(up))?.checked_mul(unit)?;
    if value < 0 {
        0_i64.checked_sub_unsigned(rounded)
    } else {
        i64::try_from(rounded).ok()
    }
}

/// Reads an integer as `int("...")` does: blanks around, a sign, digits with single underscores.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    without_underscores(text)?.parse().ok()
}

/// Reads a float as `float("...")` does; never NaN or infinity.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let digits = without_underscores(text)?;
    if digits
        .bytes()
        .any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E'))
    {
        return None;
    }
    digits.parse().ok().filter(|float: &f64| float.is_finite())
}

fn without_underscores(text: &str) -> Option<String> {
    let text = text.trim_matches(super::evaluate::is_space);
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let misplaced = text
        .bytes()
        .enumerate()
        .any(|(at, byte)| byte == b'_' && !(digit(at.checked_sub(1)) && digit(Some(at + 1))));
    (!misplaced).then(|| text.replace('_', ""))
}
