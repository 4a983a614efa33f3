//! `split`, `rsplit`, `splitlines`: the parts borrow from the whole where they can.

use super::super::super::error::Fault;
use super::super::super::item::{Item, Text};
use super::super::budget::Budget;
use super::super::sequence::{int, is_space, text};

/// Start and end of each part, in bytes.
type Parts = Vec<(usize, usize)>;

fn list<'a>(whole: &Text<'a>, parts: Parts, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    budget.make_items(parts.len())?;
    let part = |(start, end)| Item::Text(whole.part(start, end));
    Ok(Item::list(parts.into_iter().map(part).collect()))
}

/// The separator, `None` for runs of blanks, and the most splits.
fn arguments<'i>(arguments: &'i [Item<'_>]) -> Result<(Option<&'i str>, usize), Fault> {
    let separator = match arguments.first() {
        None | Some(Item::Null) => None,
        Some(item) => Some(text(item, "the separator")?.as_str()),
    };
    if separator == Some("") {
        return Err(Fault::value("the separator is an empty string"));
    }
    let most = match arguments.get(1) {
        Some(most) => usize::try_from(int(most, "the most splits")?).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    Ok((separator, most))
}

pub(super) fn split<'a>(
    whole: &Text<'a>,
    given: &[Item<'a>],
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    let (separator, most) = arguments(given)?;
    let it = whole.as_str();
    let parts = match separator {
        Some(separator) => spans(it, it.splitn(most.saturating_add(1), separator)),
        None => words(it, most),
    };
    list(whole, parts, budget)
}

pub(super) fn rsplit<'a>(
    whole: &Text<'a>,
    given: &[Item<'a>],
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    let (separator, most) = arguments(given)?;
    let it = whole.as_str();
    let mut parts = match separator {
        Some(separator) => spans(it, it.rsplitn(most.saturating_add(1), separator)),
        None => words_from_the_right(it, most),
    };
    parts.reverse();
    list(whole, parts, budget)
}

fn spans<'t>(it: &str, parts: impl Iterator<Item = &'t str>) -> Parts {
    let base = it.as_ptr().addr();
    parts
        .map(|part| {
            let start = part.as_ptr().addr() - base;
            (start, start + part.len())
        })
        .collect()
}

/// Parts between runs of blanks; after `most` splits the rest stays whole, but for blanks at its start.
fn words(it: &str, most: usize) -> Parts {
    let mut parts = Parts::new();
    let mut rest = it.trim_start_matches(is_space);
    while !rest.is_empty() {
        let start = it.len() - rest.len();
        let end = match rest.find(is_space) {
            Some(length) if parts.len() < most => start + length,
            Some(_) | None => {
                let kept = if parts.len() < most {
                    rest.trim_end_matches(is_space)
                } else {
                    rest
                };
                start + kept.len()
            }
        };
        parts.push((start, end));
        rest = if parts.len() > most {
            ""
        } else {
            it.get(end..)
                .unwrap_or_default()
                .trim_start_matches(is_space)
        };
    }
    parts
}

fn words_from_the_right(it: &str, most: usize) -> Parts {
    let mut parts = Parts::new();
    let mut rest = it.trim_end_matches(is_space);
    while !rest.is_empty() {
        let start = match rest.char_indices().rfind(|(_, char)| is_space(*char)) {
            Some((at, blank)) if parts.len() < most => at + blank.len_utf8(),
            Some(_) | None => 0,
        };
        parts.push((start, rest.len()));
        rest = if parts.len() > most {
            ""
        } else {
            rest.get(..start)
                .unwrap_or_default()
                .trim_end_matches(is_space)
        };
    }
    parts
}

/// Parts between the line ends that Python knows.
pub(super) fn lines<'a>(whole: &Text<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    let it = whole.as_str();
    let mut parts = Parts::new();
    let mut start = 0;
    let mut chars = it.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        if !is_line_end(char) {
            continue;
        }
        parts.push((start, at));
        start = at + char.len_utf8();
        if char == '\r' && chars.next_if(|(_, next)| *next == '\n').is_some() {
            start += 1;
        }
    }
    if start < it.len() {
        parts.push((start, it.len()));
    }
    list(whole, parts, budget)
}

const fn is_line_end(char: char) -> bool {
    matches!(
        char,
        '\n' | '\r'
            | '\x0b'
            | '\x0c'
            | '\x1c'
            | '\x1d'
            | '\x1e'
            | '\u{85}'
            | '\u{2028}'
            | '\u{2029}'
    )
}
