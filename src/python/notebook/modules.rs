//! The modules beside the workflow that run with the code: which they are, what was found in them, and their text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;

use super::attempt::FINDINGS_MAX;
use super::cell::{Cells, NAMESPACE, lines};
use super::{AttemptNotebook, FindingLine, ModuleText, text};

/// Most text of modules that a notebook has, in bytes; those with findings come first.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Longest line of a module that is shown, in bytes.
const LINE_BYTES_MAX: usize = 2_000;

/// Findings by the module that they are in.
fn by_module<'a>(notebook: &AttemptNotebook<'a>) -> BTreeMap<&'a str, Vec<FindingLine<'a>>> {
    let mut found: BTreeMap<&str, Vec<FindingLine<'_>>> = BTreeMap::new();
    for finding in notebook.findings {
        if let Some(file) = finding.file {
            found.entry(file).or_default().push(*finding);
        }
    }
    found
}

/// One sentence for the list of findings of the code itself; empty when the modules have none.
pub(super) fn pointer(notebook: &AttemptNotebook<'_>) -> String {
    let found = by_module(notebook);
    let named: Vec<String> = found
        .iter()
        .take(FINDINGS_MAX)
        .map(|(file, findings)| format!("{} ({})", text::markdown_code(file), findings.len()))
        .collect();
    if named.is_empty() {
        return String::new();
    }
    format!(
        "In modules beside the workflow, shown below the code: {}.\n",
        named.join(", ")
    )
}

/// Adds the modules, below the code.
pub(super) fn add(cells: &mut Cells, notebook: &AttemptNotebook<'_>) {
    let found = by_module(notebook);
    let files: BTreeSet<&str> = notebook
        .covered
        .iter()
        .map(|module| module.path)
        .chain(found.keys().copied())
        .collect();
    if files.is_empty() {
        return;
    }
    let none = Vec::new();
    let of = |path: &str| found.get(path).unwrap_or(&none);
    let shown = texts(notebook, &found);
    cells.markdown("modules", &table(notebook, &files, &of, &shown));
    for path in files {
        let (findings, text) = (of(path), shown.get(path));
        if findings.is_empty() && text.is_none() {
            continue;
        }
        let title = format!("### {}\n\n", text::markdown_code(path));
        cells.markdown("module", &(title + &list(findings)));
        if let Some(text) = text {
            // Neither Markdown nor code: it is read as it is written, and does not run by itself.
            let cell = json!({
                "cell_type": "raw",
                "metadata": {NAMESPACE: {"role": "module-text"}},
                "source": lines(&listing(text, findings)),
            });
            cells.add("module-text", cell);
        }
    }
}

/// The texts that there is room for.
fn texts<'a>(
    notebook: &AttemptNotebook<'a>,
    found: &BTreeMap<&str, Vec<FindingLine<'_>>>,
) -> BTreeMap<&'a str, &'a str> {
    let (first, then): (Vec<&ModuleText<'_>>, Vec<_>) = notebook
        .covered
        .iter()
        .partition(|module| found.contains_key(module.path));
    let mut left = TEXT_BYTES_MAX;
    let fitting = first.into_iter().chain(then).filter_map(|module| {
        let text = module.text?;
        left = left.checked_sub(text.len())?;
        Some((module.path, text))
    });
    fitting.collect()
}

fn table<'a>(
    notebook: &AttemptNotebook<'_>,
    files: &BTreeSet<&str>,
    of: &impl Fn(&str) -> &'a Vec<FindingLine<'a>>,
    shown: &BTreeMap<&str, &str>,
) -> String {
    let mut out = "## Modules beside the workflow\n\nThey run with the code, and an approval covers them too.\n\n\
                   | module | findings | sha256 | text |\n|---|---:|---|---|\n"
        .to_owned();
    for path in files {
        let module = notebook.covered.iter().find(|module| module.path == *path);
        let digest = module.map(|module| text::markdown_code(&module.digest.hex()));
        let where_ = match (shown.contains_key(path), module) {
            (true, _) => "below",
            (false, Some(module)) if module.text.is_some() => "not shown: too long",
            (false, _) => "not shown",
        };
        let _infallible = writeln!(
            out,
            "| {} | {} | {} | {where_} |",
            text::markdown_code(path),
            of(path).len(),
            digest.unwrap_or_default()
        );
    }
    out
}

fn list(findings: &[FindingLine<'_>]) -> String {
    if findings.is_empty() {
        return "Nothing was found in it.\n".to_owned();
    }
    let mut out =
        "| line | severity | rule | finding | code |\n|---:|---|---|---|---|\n".to_owned();
    for finding in findings.iter().take(FINDINGS_MAX) {
        let _infallible = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            finding.line,
            text::markdown(finding.severity),
            text::markdown_code(finding.rule),
            text::markdown(finding.message),
            text::markdown_code(finding.snippet)
        );
    }
    let hidden = findings.len().saturating_sub(FINDINGS_MAX);
    if hidden > 0 {
        let _infallible = writeln!(out, "\nand {hidden} more");
    }
    out
}

/// The text with line numbers, and each finding under its line.
fn listing(source: &str, findings: &[FindingLine<'_>]) -> String {
    let width = source.lines().count().to_string().len();
    let mut out = String::new();
    for (number, line) in (1usize..).zip(source.lines()) {
        let line = text::plain(&text::clipped(line, LINE_BYTES_MAX));
        let _infallible = writeln!(out, "{number:>width$} | {line}");
        for finding in findings.iter().filter(|finding| finding.line == number) {
            let _infallible = writeln!(
                out,
                "{:width$} ^ {} {}: {}",
                "",
                finding.severity,
                finding.rule,
                text::plain(&text::clipped(finding.message, LINE_BYTES_MAX))
            );
        }
    }
    out
}
