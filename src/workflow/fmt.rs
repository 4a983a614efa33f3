//! The one way to lay out a workflow file: `stepwell fmt`.
//!
//! - `layout`: what each line of the text is
//! - `place`: which maps have an order of keys, and whether two trees mean the same
//! - `arrange`: whole entries into that order, blank lines between the parts
//!
//! It works on lines. Scalars, quotes, flow style and indentation stay as they were written, and so does every
//! comment. Whatever came out is read again; what does not mean the same is thrown away.

mod arrange;
mod layout;
mod place;

use super::yaml::{Node, Report, decode, tree};
use crate::code;
use crate::diagnostic::Diagnostic;
use layout::Layout;
use place::Place;

/// Formats the text of a workflow. It need not compile, but be YAML as we read it. `file` is its name in messages.
///
/// # Errors
/// The text is not YAML; the first fault.
pub fn format(file: &str, text: &[u8]) -> Result<String, Diagnostic> {
    let decoded = decode(file, text).map_err(|fault| *fault)?;
    let original = parse(file, decoded)?;
    let unix = decoded.replace("\r\n", "\n");
    let Ok(root) = parse(file, &unix) else {
        return Ok(as_it_was(text));
    };
    let clean = cleaned(&Layout::new(&unix, &root));
    let Some(root) = meaning_kept(file, &clean, &original) else {
        return Ok(as_it_was(text));
    };
    let arranged = arrange::arranged(&Layout::new(&clean, &root), &root);
    let kept = same_lines(&clean, &arranged) && meaning_kept(file, &arranged, &original).is_some();
    Ok(if kept { arranged } else { clean })
}

fn parse(file: &str, text: &str) -> Result<Node, Diagnostic> {
    let mut report = Report::new(file, text);
    let root = tree(&mut report);
    let fault = report
        .into_diagnostics()
        .into_iter()
        .find(Diagnostic::is_error);
    match (fault, root) {
        (None, Some(root)) => Ok(root),
        (Some(fault), _) => Err(fault),
        (None, None) => Err(Diagnostic::error(
            code::YAML_SYNTAX,
            "the file holds no document",
        )),
    }
}

fn as_it_was(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// The tree of the text, when it means what the original means.
fn meaning_kept(file: &str, text: &str, original: &Node) -> Option<Node> {
    let root = parse(file, text).ok()?;
    place::same(original, &root, Place::Top).then_some(root)
}

/// No blanks at the ends of lines, at most one blank line in a row, one newline at the end.
fn cleaned(layout: &Layout<'_>) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let mut end = 0;
    for at in 0..layout.len() {
        let mut line = layout.line(at);
        if !layout.is_verbatim(at) {
            line = line.trim_end_matches(' ');
        }
        let blank = line.is_empty() && !layout.is_inside(at);
        if blank && lines.last().is_none_or(|last| last.is_empty()) {
            continue;
        }
        lines.push(line);
        if !blank {
            end = lines.len();
        }
    }
    lines.truncate(end);
    joined(&lines)
}

fn joined<L: AsRef<str>>(lines: &[L]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line.as_ref());
        text.push('\n');
    }
    text
}

/// Whether both have the same lines in some order, but for blank lines and the dashes of lists.
fn same_lines(a: &str, b: &str) -> bool {
    let lines = |text: &'_ str| -> Vec<String> {
        let mut lines: Vec<String> = text
            .lines()
            .map(|line| line.trim_start_matches([' ', '-']).to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        lines.sort_unstable();
        lines
    };
    lines(a) == lines(b)
}
