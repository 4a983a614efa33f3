//! A cron line in the words of people.

use super::Cron;
use super::field::{Field, Item};

/// More times of a day than this are not listed one by one.
const TIMES_MAX: usize = 6;
const MINUTES_OF_HOUR: usize = 60;
const HOURS_OF_DAY: u8 = 24;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 8] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const ORDINALS: [&str; 6] = ["", "first", "second", "third", "fourth", "fifth"];

pub(super) fn describe(cron: &Cron) -> String {
    let [minutes, hours, days, months, weekdays] = cron.fields();
    let mut words = vec![times(cron, minutes, hours)];
    let day = on_days(days);
    let weekday = on_weekdays(weekdays);
    match (days.is_all(), weekdays.is_all()) {
        (true, true) => {
            if !cron.is_interval() {
                words.push("every day".to_owned());
            }
        }
        (false, true) => words.push(day),
        (true, false) => words.push(weekday),
        (false, false) => words.push(format!("{day} or {weekday}")),
    }
    if !months.is_all() {
        words.push(in_months(months));
    }
    words.join(" ")
}

fn times(cron: &Cron, minutes: &Field, hours: &Field) -> String {
    let (m, h) = (cron.minutes(), cron.hours());
    if m.len().saturating_mul(h.len()) <= TIMES_MAX {
        let listed = h
            .iter()
            .flat_map(|hour| m.iter().map(move |minute| clock(*hour, *minute)));
        return format!("at {}", list(listed.collect()));
    }
    let every = every_minutes(cron, minutes);
    if cron.is_interval() {
        return match (every, m) {
            (Some(every), _) => every,
            (None, [0]) => "every hour".to_owned(),
            (None, _) => format!("at {} of every hour", numbered("minute", m)),
        };
    }
    let (first, last) = (
        m.first().copied().unwrap_or(0),
        m.last().copied().unwrap_or(0),
    );
    if let (Some(every), [Item::Range { from, to }]) = (&every, hours.0.as_slice()) {
        let (from, to) = (signed(*from), signed(*to));
        return format!("{every} from {} to {}", clock(from, first), clock(to, last));
    }
    if let ([_], [Item::Range { from, to }]) = (m, hours.0.as_slice()) {
        let (from, to) = (signed(*from), signed(*to));
        return format!(
            "every hour from {} to {}",
            clock(from, first),
            clock(to, last)
        );
    }
    if let (
        [minute],
        [
            Item::Step {
                step, whole: true, ..
            },
        ],
    ) = (m, hours.0.as_slice())
        && HOURS_OF_DAY.checked_rem(*step) == Some(0)
    {
        return format!("every {step} hours from {}", clock(0, *minute));
    }
    let every = every.unwrap_or_else(|| format!("at {}", numbered("minute", m)));
    format!("{every} of {}", numbered("hour", h))
}

/// "every 15 minutes", where that is true across the hours.
fn every_minutes(cron: &Cron, minutes: &Field) -> Option<String> {
    if cron.minutes().len() == MINUTES_OF_HOUR {
        return Some("every minute".to_owned());
    }
    if let [
        Item::Step {
            step, whole: true, ..
        },
    ] = minutes.0.as_slice()
        && MINUTES_OF_HOUR.checked_rem(usize::from(*step)) == Some(0)
    {
        return Some(format!("every {step} minutes"));
    }
    None
}

fn on_days(field: &Field) -> String {
    let mut numbers = Vec::new();
    let mut rest = Vec::new();
    for item in &field.0 {
        match *item {
            Item::Range { from, to } if from == to => numbers.push(from.to_string()),
            Item::Range { from, to } => numbers.push(format!("{from} to {to}")),
            Item::Step { from, to, step, .. } => {
                numbers.extend(stepped(from, to, step).map(|day| day.to_string()));
            }
            Item::LastDay => rest.push("the last day".to_owned()),
            Item::All | Item::LastWeekday(_) | Item::NthWeekday(..) => {}
        }
    }
    if !numbers.is_empty() {
        let days = if numbers.len() == 1 && !numbers.iter().any(|text| text.contains(' ')) {
            "day"
        } else {
            "days"
        };
        rest.insert(0, format!("{days} {}", list(numbers)));
    }
    format!("on {} of the month", list(rest))
}

fn on_weekdays(field: &Field) -> String {
    let mut parts = Vec::new();
    let mut single = Vec::new();
    for item in &field.0 {
        match *item {
            Item::Range { from, to } if from == to => single.push(weekday(from).to_owned()),
            Item::Range { from, to } => {
                parts.push(format!("from {} to {}", weekday(from), weekday(to)));
            }
            Item::Step { from, to, step, .. } => {
                // 0 and 7 are the same day.
                let to = if from == 0 { to.min(6) } else { to };
                single.extend(stepped(from, to, step).map(|day| weekday(day).to_owned()));
            }
            Item::LastWeekday(day) => {
                parts.push(format!("on the last {} of the month", weekday(day)));
            }
            Item::NthWeekday(day, nth) => parts.push(format!(
                "on the {} {} of the month",
                ORDINALS.get(usize::from(nth)).copied().unwrap_or_default(),
                weekday(day)
            )),
            Item::All | Item::LastDay => {}
        }
    }
    if !single.is_empty() {
        parts.insert(0, format!("on {}", list(single)));
    }
    list(parts)
}

fn in_months(field: &Field) -> String {
    let mut parts = Vec::new();
    let mut single = Vec::new();
    for item in &field.0 {
        match *item {
            Item::Range { from, to } if from == to => single.push(month(from).to_owned()),
            Item::Range { from, to } => {
                parts.push(format!("from {} to {}", month(from), month(to)));
            }
            Item::Step { from, to, step, .. } => {
                single.extend(stepped(from, to, step).map(|number| month(number).to_owned()));
            }
            Item::All | Item::LastDay | Item::LastWeekday(_) | Item::NthWeekday(..) => {}
        }
    }
    if !single.is_empty() {
        parts.insert(0, format!("in {}", list(single)));
    }
    list(parts)
}

fn stepped(from: u8, to: u8, step: u8) -> impl Iterator<Item = u8> {
    (from..=to).step_by(usize::from(step.max(1)))
}

fn weekday(number: u8) -> &'static str {
    WEEKDAYS
        .get(usize::from(number))
        .copied()
        .unwrap_or_default()
}

fn month(number: u8) -> &'static str {
    MONTHS
        .get(usize::from(number).saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

fn signed(value: u8) -> i8 {
    i8::try_from(value).unwrap_or(i8::MAX)
}

fn clock(hour: i8, minute: i8) -> String {
    format!("{hour:02}:{minute:02}")
}

fn numbered(word: &str, values: &[i8]) -> String {
    let plural = if values.len() == 1 { "" } else { "s" };
    let values = values.iter().map(ToString::to_string).collect();
    format!("{word}{plural} {}", list(values))
}

/// "a, b and c".
fn list(mut parts: Vec<String>) -> String {
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() {
        last
    } else {
        format!("{} and {last}", parts.join(", "))
    }
}
