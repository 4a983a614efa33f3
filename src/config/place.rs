//! Settings that may be written in one of two places.

use crate::code;
use crate::workflow::yaml::{Entry, Report};

/// The entry that is there; both at once is an error, since one of them would be ignored.
pub(super) fn one_of<'n>(
    report: &mut Report<'_>,
    first: Option<&'n Entry>,
    second: Option<&'n Entry>,
) -> Option<&'n Entry> {
    if let (Some(first), Some(second)) = (first, second) {
        report.error_with(
            code::CONFLICTING_KEYS,
            second.key_span,
            format!("`{}` is set in two places", second.key),
            format!("the other one is `{}`; keep one of them", first.key),
        );
    }
    first.or(second)
}
