//! Durations, shares and bounded numbers as they are written in YAML.

use std::time::Duration;

use super::yaml::{self, Kind, Node, Report};
use crate::code;
use crate::expression;

/// Longest `stop_grace`: whoever cancels waits for it.
const GRACE_MAX: Duration = Duration::from_secs(3_600);

/// Reads a duration such as `5m` that is longer than nothing.
pub fn duration(report: &mut Report<'_>, node: &Node) -> Option<Duration> {
    if let Kind::Int(seconds) = node.kind {
        report.error_with(
            code::WRONG_TYPE,
            node.span,
            "expected a duration, found a whole number",
            format!("write the unit: `{seconds}s`"),
        );
        return None;
    }
    let text = yaml::text(report, node)?;
    match expression::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Some(duration),
        Ok(_) => {
            report.error(
                code::BAD_VALUE,
                node.span,
                "the duration must be longer than 0",
            );
            None
        }
        Err(fault) => {
            report.error_with(
                code::BAD_VALUE,
                node.span,
                fault.to_string(),
                "durations are written like `500ms`, `90s`, `5m`, `1h30m`, `2d`",
            );
            None
        }
    }
}

/// Reads how long code may go on once it was told to end: at most an hour.
pub fn grace(report: &mut Report<'_>, node: &Node) -> Option<Duration> {
    let grace = duration(report, node)?;
    if grace > GRACE_MAX {
        let message = "code may go on for at most 1h once it was told to end";
        report.error(code::BAD_VALUE, node.span, message);
        return None;
    }
    Some(grace)
}

/// Reads a share: `0.2` or `20%`.
pub fn share(report: &mut Report<'_>, node: &Node) -> Option<f64> {
    let Some(text) = node.text() else {
        return number_in(report, node, 0.0, 1.0);
    };
    match expression::parse_percent(text) {
        Ok(percent) => u32::try_from(percent.of(10_000))
            .ok()
            .map(|hundredths| f64::from(hundredths) / 10_000.0),
        Err(fault) => {
            report.error(code::BAD_VALUE, node.span, fault.to_string());
            None
        }
    }
}

/// Reads a number between two bounds.
pub fn number_in(report: &mut Report<'_>, node: &Node, min: f64, max: f64) -> Option<f64> {
    let value = yaml::number(report, node)?;
    if value < min || value > max {
        report.error(
            code::BAD_VALUE,
            node.span,
            format!("{value} is not between {min} and {max}"),
        );
        return None;
    }
    Some(value)
}

/// Reads a size such as `10MiB`, in bytes; more than nothing.
pub fn size(report: &mut Report<'_>, node: &Node) -> Option<u64> {
    if let Kind::Int(bytes) = node.kind {
        report.error_with(
            code::WRONG_TYPE,
            node.span,
            "expected a size, found a whole number",
            format!("write the unit: `{bytes}B`, `{bytes}MiB`"),
        );
        return None;
    }
    let text = yaml::text(report, node)?;
    match expression::parse_size(text) {
        Ok(bytes) if bytes > 0 => Some(bytes),
        Ok(_) => {
            report.error(code::BAD_VALUE, node.span, "the size must be more than 0");
            None
        }
        Err(fault) => {
            report.error(code::BAD_VALUE, node.span, fault.to_string());
            None
        }
    }
}
