//! Lists of runs: what to list, and the page that comes back.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::id::RunId;
use crate::run::{RunStatus, RunSummary};
use crate::time::Timestamp;

/// Most rows on one page.
pub const PAGE_MAX: usize = 1_000;

/// Which runs to list. Newest first, by time of creation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ListQuery {
    /// Only runs of these statuses; empty for all.
    pub statuses: Vec<RunStatus>,
    /// Only runs of the workflow with exactly this name.
    pub workflow: Option<String>,
    /// Only runs created at this instant or later.
    pub created_from: Option<Timestamp>,
    /// Only runs created before this instant.
    pub created_before: Option<Timestamp>,
    /// Go on after the page that gave this cursor.
    pub after: Option<Cursor>,
    /// Rows on the page, 1 to [`PAGE_MAX`]; other numbers are brought into that range.
    pub limit: usize,
}

impl ListQuery {
    /// The newest `limit` runs.
    #[must_use]
    pub fn newest(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Rows on the page, within its bounds.
    #[must_use]
    pub fn page_len(&self) -> usize {
        self.limit.clamp(1, PAGE_MAX)
    }

    /// Whether the row belongs on one of the pages from here on.
    #[must_use]
    pub fn admits(&self, row: &RunSummary) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&row.status))
            && self
                .workflow
                .as_ref()
                .is_none_or(|name| *name == row.workflow)
            && self.created_from.is_none_or(|from| row.created_at >= from)
            && self.created_before.is_none_or(|end| row.created_at < end)
            && self.after.is_none_or(|cursor| Cursor::of(row) < cursor)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// The rows, newest first. Fewer than asked for doesn't mean that there are no more: `next` says so.
    pub rows: Vec<RunSummary>,
    /// Where the next page begins; none on the last one.
    pub next: Option<Cursor>,
    /// Runs that may belong on this page, but whose row fails its check: one damaged run doesn't hide the others.
    pub faults: Vec<Fault>,
}

/// A place in a list: the last run that was looked at. A run's place never changes, so pages have no gaps and no
/// doubles while runs come, go on and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// When that run was created.
    pub created_at: Timestamp,
    /// That run.
    pub run: RunId,
}

impl Cursor {
    /// The place of that run.
    #[must_use]
    pub fn of(row: &RunSummary) -> Self {
        Self {
            created_at: row.created_at,
            run: row.run,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.created_at.as_micros(), self.run)
    }
}

/// A text that is not a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a place in a list of runs")]
pub struct ParseCursorError(String);

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.rsplit_once('-')
            .and_then(|(micros, run)| {
                Some(Self {
                    created_at: Timestamp::from_micros(micros.parse().ok()?),
                    run: run.parse().ok()?,
                })
            })
            .ok_or_else(|| ParseCursorError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_text() {
        for micros in [-5, 0, 1_790_000_000_000_000] {
            let cursor = Cursor {
                created_at: Timestamp::from_micros(micros),
                run: RunId::from_bytes([9; 16]),
            };
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        }
        assert!("12".parse::<Cursor>().is_err());
        assert!("x-run_0".parse::<Cursor>().is_err());
    }
}
