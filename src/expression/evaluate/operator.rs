//! `+ - * / // % **` on numbers, strings, lists, dates and durations.

use jiff::SignedDuration;

use super::super::datetime;
use super::super::error::Fault;
use super::super::item::{Item, List};
use super::super::number::{self, Number};
use super::super::tree::Operator;
use super::budget::Budget;
use super::compare::number as number_of;

/// Applies a binary operator.
pub(super) fn binary<'a>(
    operator: Operator,
    left: &Item<'a>,
    right: &Item<'a>,
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    if let (Some(a), Some(b)) = (number_of(left), number_of(right)) {
        return arithmetic(operator, a, b).map(item);
    }
    match operator {
        Operator::Add => add(left, right, budget),
        Operator::Subtract => subtract(left, right),
        Operator::Multiply => multiply(left, right, budget),
        Operator::Divide | Operator::FloorDivide | Operator::Modulo => {
            divide_duration(operator, left, right)
        }
        Operator::Power => Err(mismatch(operator, left, right)),
    }
}

pub(super) const fn item<'a>(number: Number) -> Item<'a> {
    match number {
        Number::Int(int) => Item::Int(int),
        Number::Float(float) => Item::Float(float),
    }
}

fn arithmetic(operator: Operator, a: Number, b: Number) -> Result<Number, Fault> {
    match operator {
        Operator::Add => number::add(a, b),
        Operator::Subtract => number::subtract(a, b),
        Operator::Multiply => number::multiply(a, b),
        Operator::Divide => number::divide(a, b),
        Operator::FloorDivide => number::floor_divide(a, b),
        Operator::Modulo => number::modulo(a, b),
        Operator::Power => number::power(a, b),
    }
}

fn add<'a>(left: &Item<'a>, right: &Item<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    match (left, right) {
        (Item::Text(a), Item::Text(b)) => {
            budget.make(a.as_str().len() + b.as_str().len())?;
            Ok(Item::text([a.as_str(), b.as_str()].concat()))
        }
        (Item::List(a), Item::List(b)) => {
            budget.make_items(a.len() + b.len())?;
            Ok(Item::list(
                a.iter().chain(b.iter()).collect::<Result<_, _>>()?,
            ))
        }
        (Item::Duration(a), Item::Duration(b)) => duration(a.checked_add(*b)),
        (Item::Date(date), Item::Duration(by)) | (Item::Duration(by), Item::Date(date)) => {
            datetime::add_to_date(*date, *by).map(Item::Date)
        }
        (Item::DateTime(at), Item::Duration(by)) | (Item::Duration(by), Item::DateTime(at)) => {
            at.plus(*by).map(Item::DateTime).ok_or_else(out_of_calendar)
        }
        (_, _) => Err(mismatch(Operator::Add, left, right)),
    }
}

fn subtract<'a>(left: &Item<'a>, right: &Item<'a>) -> Result<Item<'a>, Fault> {
    match (left, right) {
        (Item::Duration(a), Item::Duration(b)) => duration(a.checked_sub(*b)),
        (Item::Date(a), Item::Date(b)) => Ok(Item::Duration(datetime::between_dates(*a, *b))),
        (Item::DateTime(a), Item::DateTime(b)) => Ok(Item::Duration(a.minus(*b))),
        (Item::Date(date), Item::Duration(by)) => {
            let back = by.checked_neg().ok_or_else(out_of_calendar)?;
            datetime::add_to_date(*date, back).map(Item::Date)
        }
        (Item::DateTime(at), Item::Duration(by)) => by
            .checked_neg()
            .and_then(|back| at.plus(back))
            .map(Item::DateTime)
            .ok_or_else(out_of_calendar),
        (_, _) => Err(mismatch(Operator::Subtract, left, right)),
    }
}

fn multiply<'a>(left: &Item<'a>, right: &Item<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    match (left, right) {
        (Item::Text(text), Item::Int(times)) | (Item::Int(times), Item::Text(text)) => {
            let times = usize::try_from(*times).unwrap_or(0);
            budget.make(text.as_str().len().saturating_mul(times))?;
            Ok(Item::text(text.as_str().repeat(times)))
        }
        (Item::List(list), Item::Int(times)) | (Item::Int(times), Item::List(list)) => {
            repeat(list, usize::try_from(*times).unwrap_or(0), budget)
        }
        (Item::Duration(length), by) | (by, Item::Duration(length)) => match number_of(by) {
            Some(Number::Int(by)) => duration(from_nanos(length.as_nanos().checked_mul(by.into()))),
            Some(Number::Float(by)) => {
                duration(SignedDuration::try_from_secs_f64(length.as_secs_f64() * by).ok())
            }
            None => Err(mismatch(Operator::Multiply, left, right)),
        },
        (_, _) => Err(mismatch(Operator::Multiply, left, right)),
    }
}

fn repeat<'a>(list: &List<'a>, times: usize, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    budget.make_items(list.len().saturating_mul(times))?;
    // No item times a billion is no item, but still a billion rounds.
    let times = if list.len() == 0 { 0 } else { times };
    let items = list.to_vec()?;
    let repeated = std::iter::repeat_n(items, times).flatten();
    Ok(Item::list(repeated.collect()))
}

fn divide_duration<'a>(
    operator: Operator,
    left: &Item<'a>,
    right: &Item<'a>,
) -> Result<Item<'a>, Fault> {
    let Item::Duration(length) = left else {
        return Err(mismatch(operator, left, right));
    };
    let nanos = length.as_nanos();
    if let (Item::Duration(by), Operator::Divide | Operator::FloorDivide | Operator::Modulo) =
        (right, operator)
    {
        let by = by.as_nanos();
        if by == 0 {
            return Err(Fault::value("division by a duration of zero"));
        }
        return match operator {
            Operator::Divide => Ok(Item::Float(ratio(nanos, by))),
            Operator::FloorDivide => number::int(i64::try_from(floor(nanos, by)).ok()).map(item),
            Operator::Modulo
            | Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Power => duration(from_nanos(Some(nanos - floor(nanos, by) * by))),
        };
    }
    match (number_of(right), operator) {
        (Some(number), Operator::Divide) if number.as_float() != 0.0 => {
            let seconds = length.as_secs_f64() / number.as_float();
            duration(SignedDuration::try_from_secs_f64(seconds).ok())
        }
        (Some(_), Operator::Divide) => Err(Fault::value("division by zero")),
        (_, _) => Err(mismatch(operator, left, right)),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio of two lengths is a float"
)]
fn ratio(a: i128, b: i128) -> f64 {
    a as f64 / b as f64
}

fn floor(a: i128, b: i128) -> i128 {
    let quotient = a / b;
    if a % b != 0 && (a < 0) != (b < 0) {
        quotient - 1
    } else {
        quotient
    }
}

fn from_nanos(nanos: Option<i128>) -> Option<SignedDuration> {
    nanos.and_then(SignedDuration::try_from_nanos_i128)
}

fn duration<'a>(checked: Option<SignedDuration>) -> Result<Item<'a>, Fault> {
    checked
        .map(Item::Duration)
        .ok_or_else(|| Fault::value("the duration is too long"))
}

fn out_of_calendar() -> Fault {
    Fault::value("the datetime leaves the years 1 to 9999")
}

/// `-x`
pub(super) fn negate<'a>(operand: &Item<'a>) -> Result<Item<'a>, Fault> {
    match operand {
        Item::Int(int) => number::int(int.checked_neg()).map(item),
        Item::Float(float) => Ok(Item::Float(-float)),
        Item::Duration(length) => duration(length.checked_neg()),
        Item::Null
        | Item::Bool(_)
        | Item::Text(_)
        | Item::List(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::DateTime(_) => Err(Fault::wrong_type(format!(
            "`-` needs a number, not {}",
            operand.kind()
        ))),
    }
}

/// `+x`
pub(super) fn plus(operand: Item<'_>) -> Result<Item<'_>, Fault> {
    match operand {
        Item::Int(_) | Item::Float(_) | Item::Duration(_) => Ok(operand),
        Item::Null
        | Item::Bool(_)
        | Item::Text(_)
        | Item::List(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::DateTime(_) => Err(Fault::wrong_type(format!(
            "`+` needs a number, not {}",
            operand.kind()
        ))),
    }
}

fn mismatch(operator: Operator, left: &Item<'_>, right: &Item<'_>) -> Fault {
    let symbol = operator.as_str();
    let fault = Fault::wrong_type(format!(
        "`{symbol}` does not work between {} and {}",
        left.kind(),
        right.kind()
    ));
    match (operator, left, right) {
        (Operator::Add, Item::Text(_), _) | (Operator::Add, _, Item::Text(_)) => {
            fault.help("write `str(...)` round the other side, or `float(...)` round the string")
        }
        (Operator::Modulo, Item::Text(_), _) => fault.help("write `format(value, \".2f\")`"),
        (Operator::Add, Item::Map(_), Item::Map(_)) => fault.help("write `{**a, **b}`"),
        (_, Item::Null, _) | (_, _, Item::Null) => {
            fault.help("test for null first: `x if x is not None else 0`")
        }
        (_, Item::Bool(_), _) | (_, _, Item::Bool(_)) => {
            fault.help("a bool is not a number; write `int(...)`")
        }
        (_, _, _) => fault,
    }
}
