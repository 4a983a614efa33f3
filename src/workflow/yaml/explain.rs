//! What the parser's faults mean, in the words of somebody who writes workflows.

use serde_saphyr::granit_parser::{ErrorKind, ScanError};

use super::DEPTH_MAX;
use super::report::Report;
use crate::code::{self, Code};
use crate::diagnostic::{Diagnostic, Span};

/// Notes a fault of the syntax.
pub(super) fn syntax(report: &mut Report<'_>, fault: &ScanError) {
    let marker = fault.marker();
    let offset = marker
        .byte_offset()
        .unwrap_or(marker.index())
        .min(report.text().len());
    if let Some(start) = unquoted_expression(report.text(), offset) {
        let rest = report.text().get(start..).unwrap_or_default();
        let (mark, what) = match rest.starts_with("${{") {
            true => ("${{", "an expression"),
            false => ("${", "a variable"),
        };
        report.error_with(
            code::YAML_SYNTAX,
            Span::new(start, start + mark.len()),
            format!("{what} inside [ ] or {{ }} needs quotes"),
            "put double quotes around it, or give the value a line of its own",
        );
        return;
    }
    if matches!(fault.kind(), ErrorKind::MappingValueNotAllowed)
        && let Some(span) = expression_before(report.text(), offset)
    {
        report.error_with(
            code::YAML_SYNTAX,
            span,
            "an expression that holds `: ` needs quotes",
            "write \"${{ … }}\", or '${{ … }}' when it holds double quotes",
        );
        return;
    }
    let (code, message, help) = explain(fault.kind());
    let mut diagnostic = Diagnostic::error(code, message);
    if let Some(help) = help {
        diagnostic = diagnostic.help(help);
    }
    let at = if code == code::YAML_TAB {
        back_to_tab(report.text(), offset)
    } else {
        offset
    };
    report.add(Span::new(at, at + 1), diagnostic);
}

/// The parser complains behind the tab, sometimes at it.
fn back_to_tab(text: &str, offset: usize) -> usize {
    let line_start = text
        .get(..offset)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |index| index + 1);
    text.get(line_start..=offset)
        .and_then(|line| line.find('\t'))
        .map_or(offset, |index| line_start + index)
}

/// The expression on the same line whose inside the fault is.
fn expression_before(text: &str, offset: usize) -> Option<Span> {
    let before = text.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    let start = line_start + before.get(line_start..)?.rfind("${{")?;
    let closed = text.get(start..offset)?.contains("}}");
    (!closed).then(|| Span::new(start, start + "${{".len()))
}

/// Where an unquoted `${{` begins on the line of the fault, or on the one before, inside a flow collection.
fn unquoted_expression(text: &str, offset: usize) -> Option<usize> {
    let before = text.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    let from = before
        .get(..line_start.saturating_sub(1))
        .and_then(|earlier| earlier.rfind('\n'))
        .map_or(0, |index| index + 1);
    let end = text
        .get(offset..)
        .and_then(|rest| rest.find('\n'))
        .map_or(text.len(), |index| offset + index);
    let lines = text.get(from..end)?;
    let mut quote = None;
    let mut opened = 0usize;
    let mut previous = ' ';
    for (index, c) in lines.char_indices() {
        match (quote, c) {
            (Some(mark), _) => {
                if c == mark {
                    quote = None;
                }
            }
            (None, '"' | '\'') if !previous.is_alphanumeric() => quote = Some(c),
            (None, '$') if opened > 0 && lines.get(index..)?.starts_with("${") => {
                return Some(from + index);
            }
            (None, '[' | '{') => opened += 1,
            (None, ']' | '}') => opened = opened.saturating_sub(1),
            (None, _) => {}
        }
        previous = c;
    }
    None
}

type Explained = (Code, String, Option<&'static str>);

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's enum is open; what is not named here is told in its own words"
)]
fn explain(kind: &ErrorKind) -> Explained {
    let syntax = |message: &str, help| (code::YAML_SYNTAX, message.to_owned(), Some(help));
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => (
            code::YAML_TAB,
            "a tab where only blanks may indent".to_owned(),
            Some("indent with blanks"),
        ),
        ErrorKind::RecursionLimitExceeded => (
            code::YAML_LIMIT,
            format!("lists and maps are nested deeper than {DEPTH_MAX}"),
            None,
        ),
        ErrorKind::DirectiveDisallowed => (
            code::YAML_TAG,
            "directives (`%…`) are not read".to_owned(),
            Some("leave the line out"),
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => syntax(
            "a `: ` where no key can stand",
            "text that holds `: ` must be quoted; otherwise look at the indentation",
        ),
        ErrorKind::UnclosedQuotedScalar => {
            syntax("a quote is opened here and never closed", "close the quote")
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            syntax("a bracket is never closed", "close the [ or {")
        }
        ErrorKind::ExpectedBlockSequenceEntry => syntax(
            "the indentation does not fit what stands before",
            "keys of one step begin in one column, two to the right of its `-`",
        ),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            syntax(
                "a `,` or the closing bracket is missing before this",
                "close the [ or {, or put a comma between the entries",
            )
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => syntax(
            "the indentation does not fit what stands before",
            "keys of one map begin in one column",
        ),
        ErrorKind::UnexpectedCharacter { character } => (
            code::YAML_SYNTAX,
            format!("text can't begin with `{}`", character.escape_default()),
            Some("put quotes around it"),
        ),
        ErrorKind::SimpleKeyExpected => syntax(
            "a `:` is missing behind the key",
            "write `key: value`; a text of several lines is indented deeper than its key",
        ),
        other => (code::YAML_SYNTAX, format!("not YAML: {other}"), None),
    }
}
