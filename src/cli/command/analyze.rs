//! `stepwell analyze`: what a piece of code can do, and what the policy would do with it.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::view::listing;
use super::super::view::text::{line, painted_mark};
use super::super::{Context, Exit};
use crate::approval::{self, Decision, Verdict};
use crate::code;
use crate::plan::Mode;
use crate::python::analysis::{self, Finding, Report};
use crate::python::cells;

/// Analyse a Python file, or the code cells of a notebook, without running it
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The Python file, or a notebook
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Mode that it would run in: read_only or write_access
    #[arg(long, default_value = "read_only", value_parser = mode)]
    mode: Mode,
}

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    let config = context.config()?;
    let path = context.settings.absolute(&arguments.file);
    let read = std::fs::read_to_string(&path)
        .map_err(|error| Error::unreadable(&arguments.file, &error))?;
    let is_notebook = cells::is_notebook(&arguments.file.to_string_lossy());
    let code = if is_notebook {
        let source = cells::read(&read, &[]).map_err(|fault| {
            let message = format!("{}: {}", arguments.file.display(), fault.message);
            Error::usage(code::BAD_FILE, message).help(fault.help)
        })?;
        source.code
    } else {
        read
    };
    let looked = Looked { code, is_notebook };
    let rules = config.analysis.in_mode(arguments.mode);
    let report = analysis::analyze(&looked.code, &rules);
    let mut decision = approval::decide(&config.approval, arguments.mode, &report, None);
    decision.reason = looked.reason(decision.reason, &report);
    context.output.result(
        || document(arguments.mode, &looked, &report, &decision),
        || text(arguments.mode, &looked, &report, &decision),
    );
    Ok(Exit::Succeeded)
}

/// What is looked at.
struct Looked {
    code: String,
    /// Whether it is the code cells of a notebook.
    is_notebook: bool,
}

impl Looked {
    /// The code cell of a line, from 1, and the line in it.
    fn cell(&self, line: u32) -> Option<(usize, u32)> {
        let line = usize::try_from(line).ok().filter(|_| self.is_notebook)?;
        let (cell, inside) = cells::locate(&self.code, line)?;
        Some((cell?, u32::try_from(inside).ok()?))
    }

    /// A reason that names a line says which cell it is in.
    fn reason(&self, reason: String, report: &Report) -> String {
        let named = report.findings.iter().find_map(|finding| {
            let rest = reason.strip_prefix(&format!("Line {}: ", finding.line))?;
            let (cell, line) = self.cell(finding.line)?;
            Some(format!("Cell {cell}, line {line}: {rest}"))
        });
        named.unwrap_or(reason)
    }

    /// A finding for programs: in a notebook its lines are those of its cell.
    fn document(&self, finding: &Finding) -> Value {
        let mut document = json!(finding);
        if let (Some((cell, line)), Some(fields)) =
            (self.cell(finding.line), document.as_object_mut())
        {
            let end = finding.end_line.saturating_sub(finding.line) + line;
            fields.insert("cell".to_owned(), json!(cell));
            fields.insert("line".to_owned(), json!(line));
            fields.insert("end_line".to_owned(), json!(end));
        }
        document
    }
}

fn document(mode: Mode, looked: &Looked, report: &Report, decision: &Decision) -> Value {
    let findings = report.findings.iter();
    let findings: Vec<Value> = findings.map(|finding| looked.document(finding)).collect();
    json!({
        "verdict": decision.verdict,
        "mode": mode,
        "risk": report.risk,
        "capabilities": report.capabilities,
        "findings": findings,
        "imports": report.imports,
        "policy": {
            "needs_approval": decision.verdict == Verdict::Ask,
            "rule": decision.rule,
            "reason": decision.reason,
            "code": decision.code,
        },
    })
}

fn text(mode: Mode, looked: &Looked, report: &Report, decision: &Decision) -> String {
    let (mark, verdict) = match decision.verdict {
        Verdict::Pass => ("✓", "pass: it may start"),
        Verdict::Ask => ("?", "ask: a person decides"),
        Verdict::Block => ("✗", "block: it never starts"),
    };
    let can: Vec<&str> = report.capabilities.iter().map(|can| can.as_str()).collect();
    let can = if can.is_empty() {
        "nothing outside itself".to_owned()
    } else {
        can.join(", ")
    };
    let mut text = format!(
        "{} {verdict} in mode {mode}\n  why   {}\n  rule  {}\n  risk  {}\n  can   {can}\n",
        painted_mark(mark),
        line(&decision.reason),
        line(&decision.rule),
        report.risk,
    );
    for finding in &report.findings {
        text.push_str(&place(looked, finding));
    }
    text
}

fn place(looked: &Looked, finding: &Finding) -> String {
    let at = match looked.cell(finding.line) {
        Some((cell, line)) => format!("cell {cell}, line {line}:{}", finding.column),
        None => format!("{}:{}", finding.line, finding.column),
    };
    let index = usize::try_from(finding.line).unwrap_or(1).saturating_sub(1);
    let source = looked.code.lines().nth(index).unwrap_or_default();
    format!("\n{at}: {}\n  | {}\n", listing::said(finding), line(source))
}

/// Reads the word of a mode.
pub(super) fn mode(word: &str) -> Result<Mode, ModeError> {
    Mode::parse(word).ok_or(ModeError)
}

/// A word that is no mode.
#[derive(Debug, thiserror::Error)]
#[error("a mode is read_only or write_access")]
pub(super) struct ModeError;
