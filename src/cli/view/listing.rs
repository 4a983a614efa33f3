//! Code with line numbers, and what the analysis found, each finding under its line.

use std::fmt::Write as _;

use super::text::{dim, line, safe};
use crate::python::analysis::{Finding, Severity};

/// Longest listing, in lines; the notebook has the rest.
pub(in crate::cli) const LINES_MAX: usize = 200;
/// Longest line of code that is shown, in characters.
const LINE_CHARS_MAX: usize = 400;

/// The code, indented, at most [`LINES_MAX`] lines, with the findings that are in this very text; those that stand under
/// no line that is shown are listed after it.
pub(in crate::cli) fn listing(code: &str, findings: &[&Finding], indent: usize) -> String {
    let blank = " ".repeat(indent);
    let count = code.lines().count();
    let width = count.min(LINES_MAX).to_string().len();
    let mut text = String::new();
    for (number, source) in (1u32..).zip(code.lines().take(LINES_MAX)) {
        let source = safe(&super::text::cut(source, LINE_CHARS_MAX));
        let _infallible = writeln!(
            text,
            "{blank}{} {source}",
            dim(&format!("{number:>width$} |"))
        );
        for finding in findings.iter().filter(|finding| finding.line == number) {
            let _infallible = writeln!(text, "{blank}{}", under(finding, width));
        }
    }
    if count > LINES_MAX {
        let _infallible = writeln!(text, "{blank}… {} more lines", count - LINES_MAX);
    }
    let shown = 1..=u32::try_from(count.min(LINES_MAX)).unwrap_or(u32::MAX);
    let others = findings
        .iter()
        .filter(|finding| !shown.contains(&finding.line));
    for finding in others {
        let _infallible = writeln!(text, "{blank}{}", alone(finding));
    }
    text
}

/// A finding without the text around it: its place, what stands there, what was found.
pub(in crate::cli) fn alone(finding: &Finding) -> String {
    let (place, snippet) = (line(&finding.place()), line(&finding.snippet));
    format!("{place}: {snippet} {}", said(finding))
}

fn under(finding: &Finding, width: usize) -> String {
    let column = usize::try_from(finding.column)
        .unwrap_or(1)
        .saturating_sub(1)
        .min(LINE_CHARS_MAX);
    format!("{:width$} | {}^ {}", "", " ".repeat(column), said(finding))
}

/// One finding in words.
pub(in crate::cli) fn said(finding: &Finding) -> String {
    format!(
        "{} {}: {}",
        severity(finding.severity),
        finding.rule,
        line(&finding.message)
    )
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Block => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(line: u32, column: u32) -> Finding {
        Finding {
            rule: "subprocess".into(),
            severity: Severity::Warning,
            line,
            column,
            end_line: line,
            end_column: column + 3,
            message: "starts a program".into(),
            snippet: "run(x)".into(),
            name: None,
            file: None,
        }
    }

    #[test]
    fn a_finding_stands_under_its_place() {
        console::set_colors_enabled(false);
        let shown = listing("import os\nrun(x)\n", &[&finding(2, 1)], 2);
        let expected =
            "  1 | import os\n  2 | run(x)\n    | ^ warning subprocess: starts a program\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_long_listing_is_cut_and_no_finding_is_lost() {
        console::set_colors_enabled(false);
        let code = "x = 1\n".repeat(LINES_MAX + 5);
        let shown = listing(&code, &[&finding(203, 1)], 0);
        assert!(
            shown.ends_with(
                "… 5 more lines\nline 203: run(x) warning subprocess: starts a program\n"
            ),
            "{shown}"
        );
    }
}
