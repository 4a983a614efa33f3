//! `format(value, spec)`: a part of Python's format specification.
//!
//! `[[fill]align][sign][0][width][,][.precision][type]` with align `<`, `>` or `^`, sign `+`, `-` or a
//! blank, and type `d`, `f`, `e`, `g`, `%` for numbers or `s` for strings. Dates and datetimes take
//! `strftime` fields: `%Y %m %d %H %M %S %j %y %B %b %A %a %I %p %%`.

use jiff::civil;

use super::error::{Fault, clipped};
use super::item::Item;
use super::limit::FORMAT_WIDTH_MAX;
use super::number::Number;
use super::text;

#[derive(Debug, Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    zero: bool,
    width: usize,
    comma: bool,
    precision: Option<usize>,
    kind: Option<char>,
}

/// Formats a value; without a specification it is the value's text.
pub(super) fn format(item: &Item<'_>, spec: Option<&Item<'_>>) -> Result<String, Fault> {
    let spec = match spec {
        None => return text::plain(item),
        Some(Item::Text(spec)) => spec.as_str(),
        Some(other) => {
            let message = format!("a format is a string, not {}", other.kind());
            return Err(Fault::wrong_type(message).help("write `format(x, \".2f\")`"));
        }
    };
    if spec.is_empty() {
        return text::plain(item);
    }
    match item {
        Item::Int(int) => number(Number::Int(*int), &read(spec)?, spec),
        Item::Float(float) => number(Number::Float(*float), &read(spec)?, spec),
        Item::Text(text) => string(text.as_str(), &read(spec)?, spec),
        Item::Date(date) => calendar(date.at(0, 0, 0, 0), spec),
        Item::DateTime(datetime) => calendar(datetime.civil(), spec),
        Item::Null | Item::Bool(_) | Item::List(_) | Item::Map(_) | Item::Duration(_) => {
            Err(Fault::wrong_type(format!(
                "a format applies to a number, a string or a date, not to {}",
                item.kind()
            ))
            .help("write `str(...)` first"))
        }
    }
}

fn bad(spec: &str) -> Fault {
    Fault::value(format!(
        "`{}` is not a format for this value",
        clipped(spec)
    ))
    .help("formats: `.2f`, `.3e`, `.4g`, `.1%`, `05d`, `,`, `>10`; dates: `%Y-%m-%d`")
}

fn read(spec: &str) -> Result<Spec, Fault> {
    let mut read = Spec::default();
    let chars: Vec<char> = spec.chars().collect();
    let is_align = |at: usize| chars.get(at).is_some_and(|char| "<>^".contains(*char));
    let mut rest = chars.as_slice();
    if is_align(1) {
        read.fill = chars.first().copied();
        read.align = chars.get(1).copied();
        rest = chars.get(2..).unwrap_or_default();
    } else if is_align(0) {
        read.align = chars.first().copied();
        rest = chars.get(1..).unwrap_or_default();
    }
    let mut take = |wanted: &str| {
        let (first, after) = rest.split_first()?;
        wanted.contains(*first).then(|| {
            rest = after;
            *first
        })
    };
    read.sign = take("+- ");
    read.zero = take("0").is_some();
    let mut digits = |first: Option<char>| {
        let mut number = String::from_iter(first);
        while let Some(digit) = take("0123456789") {
            number.push(digit);
        }
        number
    };
    let width = digits(None);
    let comma = take(",").is_some();
    let mut precision = String::new();
    if take(".").is_some() {
        let first = take("0123456789").ok_or_else(|| bad(spec))?;
        precision.push(first);
        while let Some(digit) = take("0123456789") {
            precision.push(digit);
        }
    }
    read.comma = comma;
    read.kind = take("dfegs%");
    if !rest.is_empty() {
        return Err(bad(spec));
    }
    read.width = bounded(&width)?.unwrap_or(0);
    read.precision = bounded(&precision)?;
    Ok(read)
}

fn bounded(digits: &str) -> Result<Option<usize>, Fault> {
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse() {
        Ok(number) if number <= FORMAT_WIDTH_MAX => Ok(Some(number)),
        Ok(_) | Err(_) => Err(Fault::too_large(format!(
            "a width or precision is at most {FORMAT_WIDTH_MAX}"
        ))),
    }
}

fn string(text: &str, spec: &Spec, source: &str) -> Result<String, Fault> {
    if spec.sign.is_some() || spec.zero || spec.comma || !matches!(spec.kind, None | Some('s')) {
        return Err(bad(source));
    }
    let shown: String = text
        .chars()
        .take(spec.precision.unwrap_or(usize::MAX))
        .collect();
    Ok(padded(&shown, spec, '<'))
}

fn number(number: Number, spec: &Spec, source: &str) -> Result<String, Fault> {
    if spec.zero && (spec.align.is_some() || spec.comma) {
        return Err(bad(source).help("a leading `0` goes with neither `,` nor an alignment"));
    }
    let digits = match (number, spec.kind) {
        (_, Some('s')) | (Number::Float(_), Some('d')) => return Err(bad(source)),
        (Number::Int(int), None | Some('d')) => {
            if spec.precision.is_some() {
                return Err(bad(source));
            }
            int.unsigned_abs().to_string()
        }
        (number, kind) => float_digits(number.as_float().abs(), kind, spec.precision),
    };
    let negative = match number {
        Number::Int(int) => int < 0,
        Number::Float(float) => float.is_sign_negative(),
    };
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        (false, _) => "",
    };
    let digits = if spec.comma { grouped(&digits) } else { digits };
    if spec.zero {
        let width = spec.width.saturating_sub(sign.len());
        return Ok(format!("{sign}{digits:0>width$}"));
    }
    Ok(padded(&format!("{sign}{digits}"), spec, '>'))
}

const PRECISION_DEFAULT: usize = 6;

fn float_digits(value: f64, kind: Option<char>, precision: Option<usize>) -> String {
    let digits = precision.unwrap_or(PRECISION_DEFAULT);
    match kind {
        Some('f') => format!("{value:.digits$}"),
        Some('%') => format!("{:.digits$}%", value * 100.0),
        Some('e') => exponent_form(&format!("{value:.digits$e}")),
        Some('g') => general(value, digits, false),
        _ => match precision {
            Some(digits) => general(value, digits, true),
            None => text::float(value),
        },
    }
}

/// `1.5e7` as `1.5e+07`.
fn exponent_form(scientific: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// So many significant digits, in the shorter notation; `keep_point` is Python's form without a type.
fn general(value: f64, digits: usize, keep_point: bool) -> String {
    let digits = digits.max(1);
    let after = digits - 1;
    let scientific = format!("{value:.after$e}");
    let exponent: i64 = scientific
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .unwrap_or(0);
    let limit = i64::try_from(digits).unwrap_or(i64::MAX) - i64::from(keep_point);
    if exponent < -4 || exponent >= limit {
        let form = exponent_form(&scientific);
        let (mantissa, exponent) = form.split_once('e').unwrap_or((&form, "+00"));
        return format!("{}e{exponent}", without_zeros(mantissa));
    }
    let decimals = usize::try_from(i64::try_from(after).unwrap_or(0) - exponent).unwrap_or(0);
    let fixed = format!("{value:.decimals$}");
    let short = without_zeros(&fixed);
    if keep_point && !short.contains('.') {
        return format!("{short}.0");
    }
    short.to_owned()
}

fn without_zeros(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

fn grouped(digits: &str) -> String {
    let whole = digits.bytes().take_while(u8::is_ascii_digit).count();
    let mut out = String::new();
    for (at, char) in digits.chars().enumerate() {
        if at > 0 && at < whole && (whole - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(char);
    }
    out
}

fn padded(shown: &str, spec: &Spec, otherwise: char) -> String {
    let missing = spec.width.saturating_sub(shown.chars().count());
    let fill = spec.fill.unwrap_or(' ');
    let (left, right) = match spec.align.unwrap_or(otherwise) {
        '<' => (0, missing),
        '^' => (missing / 2, missing - missing / 2),
        _ => (missing, 0),
    };
    let run = |count: usize| String::from_iter(std::iter::repeat_n(fill, count));
    format!("{}{shown}{}", run(left), run(right))
}

/// The fields of `strftime` that mean the same everywhere.
fn calendar(at: civil::DateTime, spec: &str) -> Result<String, Fault> {
    const FIELDS: &str = "YmdHMSjyBbAaIp%";
    let mut chars = spec.chars();
    while let Some(char) = chars.next() {
        if char == '%' && !chars.next().is_some_and(|field| FIELDS.contains(field)) {
            return Err(bad(spec));
        }
    }
    if spec.len() > FORMAT_WIDTH_MAX {
        return Err(bad(spec));
    }
    Ok(at.strftime(spec).to_string())
}
