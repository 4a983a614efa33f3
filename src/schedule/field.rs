//! One field of a cron line: what it may say, read strictly, so that a slip is told in the words of the person.

use super::CronError;

/// Which field of the five.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// A weekday comes at most so often in one month.
const NTH_MAX: u8 = 5;

impl FieldKind {
    pub(super) const ALL: [Self; 5] = [
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Month,
        Self::Weekday,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of the month",
            Self::Month => "month",
            Self::Weekday => "day of the week",
        }
    }

    const fn bounds(self) -> (u8, u8) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            Self::Minute => "minutes go from 0 to 59",
            Self::Hour => "hours go from 0 to 23",
            Self::Day => "days go from 1 to 31, and L is the last day of the month",
            Self::Month => "months go from 1 to 12, or JAN to DEC",
            Self::Weekday => {
                "days of the week go from 0 to 7 (0 and 7 are Sunday), or SUN to SAT; FRI#2 is the second Friday of the month, FRIL the last"
            }
        }
    }

    fn number_of(self, name: &str) -> Option<u8> {
        let upper = name.to_ascii_uppercase();
        let (names, first): (&[&str], u8) = match self {
            Self::Month => (&MONTHS, 1),
            Self::Weekday => (&WEEKDAYS, 0),
            Self::Minute | Self::Hour | Self::Day => return None,
        };
        let position = names.iter().position(|known| *known == upper)?;
        u8::try_from(position).ok().map(|index| index + first)
    }
}

/// What one part of a field, between two commas, asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// `*`
    All,
    /// `5` or `5-9`; a single number is a range of one.
    Range { from: u8, to: u8 },
    /// `*/5` or `5-30/5`.
    Step {
        from: u8,
        to: u8,
        step: u8,
        whole: bool,
    },
    /// `L` among days of the month.
    LastDay,
    /// `FRIL`
    LastWeekday(u8),
    /// `FRI#2`
    NthWeekday(u8, u8),
}

/// A field: its parts, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field(pub(super) Vec<Item>);

impl Field {
    pub(super) fn parse(kind: FieldKind, text: &str) -> Result<Self, CronError> {
        let mut items = Vec::new();
        for part in text.split(',') {
            let item = item(kind, part)?;
            if item == Item::All && text.contains(',') {
                return Err(fault(
                    kind,
                    text,
                    "`*` already means every one and stands alone",
                ));
            }
            items.push(item);
        }
        Ok(Self(items))
    }

    /// The field with numbers in the place of names, as the library reads it.
    pub(super) fn numeric(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|item| numeric(*item)).collect();
        parts.join(",")
    }

    pub(super) fn is_all(&self) -> bool {
        self.0.as_slice() == [Item::All]
    }
}

fn numeric(item: Item) -> String {
    match item {
        Item::All => "*".to_owned(),
        Item::Range { from, to } if from == to => from.to_string(),
        Item::Range { from, to } => format!("{from}-{to}"),
        Item::Step {
            step, whole: true, ..
        } => format!("*/{step}"),
        Item::Step { from, to, step, .. } => format!("{from}-{to}/{step}"),
        Item::LastDay => "L".to_owned(),
        Item::LastWeekday(day) => format!("{day}#L"),
        Item::NthWeekday(day, nth) => format!("{day}#{nth}"),
    }
}

fn item(kind: FieldKind, part: &str) -> Result<Item, CronError> {
    if part.is_empty() {
        return Err(fault(kind, ",", "a comma has nothing beside it"));
    }
    if part.contains(['?', 'W', 'w', '+']) && kind.number_of(part.get(..3).unwrap_or("")).is_none()
    {
        return Err(fault(
            kind,
            part,
            "`?`, `W` and `+` are not known here; write `*` for every day",
        ));
    }
    if let Some((range, step)) = part.split_once('/') {
        return stepped(kind, part, range, step);
    }
    if part == "*" {
        return Ok(Item::All);
    }
    if kind == FieldKind::Day && part.eq_ignore_ascii_case("L") {
        return Ok(Item::LastDay);
    }
    if kind == FieldKind::Weekday
        && let Some(item) = weekday_of_month(part)?
    {
        return Ok(item);
    }
    let (from, to) = range(kind, part)?;
    Ok(Item::Range { from, to })
}

fn stepped(kind: FieldKind, part: &str, of: &str, step: &str) -> Result<Item, CronError> {
    let (min, max) = kind.bounds();
    let whole = of == "*";
    let (from, to) = if whole {
        (min, max)
    } else if of.contains('-') {
        range(kind, of)?
    } else {
        return Err(fault(
            kind,
            part,
            &format!("a step stands behind `*` or a range: `*/{step}` or `{min}-{max}/{step}`"),
        ));
    };
    match step.parse::<u8>() {
        Ok(1) if whole => Ok(Item::All),
        Ok(step) if step > 0 && step <= max => Ok(Item::Step {
            from,
            to,
            step,
            whole,
        }),
        Ok(_) | Err(_) => Err(fault(
            kind,
            part,
            &format!(
                "a step is a number from 1 to {max}; {}, and every step begins anew with the next one",
                kind.allowed()
            ),
        )),
    }
}

fn weekday_of_month(part: &str) -> Result<Option<Item>, CronError> {
    let kind = FieldKind::Weekday;
    if let Some((day, nth)) = part.split_once('#') {
        let day = number(kind, part, day)? % 7;
        return match nth.parse::<u8>() {
            Ok(nth) if (1..=NTH_MAX).contains(&nth) => Ok(Some(Item::NthWeekday(day, nth))),
            Ok(_) | Err(_) if nth.eq_ignore_ascii_case("L") => Ok(Some(Item::LastWeekday(day))),
            Ok(_) | Err(_) => Err(fault(
                kind,
                part,
                "behind `#` stands which one of the month, 1 to 5",
            )),
        };
    }
    match part.strip_suffix(['L', 'l']) {
        Some(day) if !day.is_empty() => Ok(Some(Item::LastWeekday(number(kind, part, day)? % 7))),
        Some(_) | None => Ok(None),
    }
}

fn range(kind: FieldKind, part: &str) -> Result<(u8, u8), CronError> {
    let Some((from, to)) = part.split_once('-') else {
        let value = number(kind, part, part)?;
        return Ok((value, value));
    };
    let first = number(kind, part, from)?;
    let mut last = number(kind, part, to)?;
    if kind == FieldKind::Weekday && last == 0 && first > 0 {
        // SAT-SUN: the Sunday at the end of the week.
        last = 7;
    }
    if first > last {
        return Err(fault(
            kind,
            part,
            &format!("a range goes upwards; write `{from}-{{last}},{{first}}-{to}`")
                .replace("{last}", &kind.last_text())
                .replace("{first}", &kind.bounds().0.to_string()),
        ));
    }
    Ok((first, last))
}

impl FieldKind {
    fn last_text(self) -> String {
        match self {
            Self::Weekday => "6".to_owned(),
            Self::Minute | Self::Hour | Self::Day | Self::Month => self.bounds().1.to_string(),
        }
    }
}

fn number(kind: FieldKind, part: &str, text: &str) -> Result<u8, CronError> {
    if let Some(value) = kind.number_of(text) {
        return Ok(value);
    }
    let (min, max) = kind.bounds();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u8>() {
        Ok(value) if digits && (min..=max).contains(&value) => Ok(value),
        Ok(_) | Err(_) => Err(fault(kind, part, kind.allowed())),
    }
}

fn fault(kind: FieldKind, part: &str, help: &str) -> CronError {
    CronError {
        message: format!("`{part}` can't be the {} of a schedule", kind.name()),
        help: help.to_owned(),
    }
}
