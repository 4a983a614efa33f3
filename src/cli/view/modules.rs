//! The modules beside the workflow that a question covers: which they are, and the text of those in which something was
//! found.

use std::fmt::Write as _;

use super::Frame;
use super::listing::{LINES_MAX, alone, listing};
use super::text::{indented, line, safe};
use crate::approval::Module;
use crate::python::analysis::Finding;
use crate::run::payload::AnalysisReported;
use crate::service::ChangedModule;

/// Most modules that are named, and most whose text is shown; `--json` and the notebook have more.
const NAMED_MAX: usize = 100;
const SHOWN_MAX: usize = 10;
/// Most findings that are listed for a module whose text is not shown.
const FINDINGS_MAX: usize = 50;
const INDENT: usize = 4;

/// Every module with its digest, those with findings with their text.
pub(super) fn text(frame: &Frame<'_>, analysis: &AnalysisReported) -> String {
    let findings = |path: &str| -> Vec<&Finding> {
        let all = analysis.report.findings.iter();
        all.filter(|finding| finding.file.as_deref() == Some(path))
            .collect()
    };
    let mut text = String::new();
    let mut left = SHOWN_MAX;
    for (path, module) in analysis.modules.iter().take(NAMED_MAX) {
        let _infallible = writeln!(text, "  module    {}  {}", line(path), module.digest);
        let findings = findings(path);
        if findings.is_empty() {
            text.push_str(nothing_found(path, module));
            continue;
        }
        let source = frame
            .code(module.digest)
            .filter(|_| module.kept && left > 0);
        text.push_str(&found(source, &findings));
        left = left.saturating_sub(1);
    }
    let hidden = analysis.modules.len().saturating_sub(NAMED_MAX);
    if hidden > 0 {
        let _infallible = writeln!(text, "  and {hidden} more modules, see --json");
    }
    let named = |finding: &&Finding| {
        let mut named = analysis.modules.keys().take(NAMED_MAX);
        let file = finding.file.as_ref();
        file.is_some_and(|file| !named.any(|path| path == file))
    };
    let others: Vec<&Finding> = analysis.report.findings.iter().filter(named).collect();
    text.push_str(&list(&others));
    text
}

fn nothing_found(path: &str, module: &Module) -> &'static str {
    if module.kept {
        ""
    } else if path.ends_with(".py") {
        "    its text was not kept: look at the file itself\n"
    } else {
        "    it is compiled: nobody can read what it does\n"
    }
}

fn found(source: Option<&str>, findings: &[&Finding]) -> String {
    let Some(source) = source else {
        return list(findings);
    };
    let mut text = listing(source, findings, INDENT);
    if source.lines().count() > LINES_MAX {
        text.push_str("    the whole module is in --json\n");
    }
    text
}

fn list(findings: &[&Finding]) -> String {
    let mut text: String = findings
        .iter()
        .take(FINDINGS_MAX)
        .map(|finding| format!("    {}\n", alone(finding)))
        .collect();
    let hidden = findings.len().saturating_sub(FINDINGS_MAX);
    if hidden > 0 {
        let _infallible = writeln!(text, "    and {hidden} more findings, see --json");
    }
    text
}

/// The modules that differ from what was approved, with what differs in them.
pub(super) fn changed(modules: &[ChangedModule]) -> String {
    let mut text = String::new();
    for changed in modules.iter().take(NAMED_MAX) {
        let what = changed.change.as_str();
        let _infallible = writeln!(text, "    {} {what}", line(&changed.module));
        if let Some(diff) = &changed.diff {
            text.push_str(&indented(&safe(diff), INDENT));
        }
    }
    let hidden = modules.len().saturating_sub(NAMED_MAX);
    if hidden > 0 {
        let _infallible = writeln!(text, "    and {hidden} more modules, see --json");
    }
    text
}
