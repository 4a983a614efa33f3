//! `stepwell analyze`: what a piece of code can do, and what the policy would do with it.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::view::listing;
use super::super::view::text::{line, painted_mark};
use super::super::{Context, Exit};
use crate::approval::{self, Decision, Verdict};
use crate::plan::Mode;
use crate::python::analysis::{self, Finding, Report};

/// Analyse a Python file without running it
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The Python file
    #[arg(value_name = "FILE.py")]
    file: PathBuf,
    /// Mode that it would run in: read_only or write_access
    #[arg(long, default_value = "read_only", value_parser = mode)]
    mode: Mode,
}

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    let config = context.config()?;
    let path = context.settings.absolute(&arguments.file);
    let code = std::fs::read_to_string(&path)
        .map_err(|error| Error::unreadable(&arguments.file, &error))?;
    let rules = config.analysis.in_mode(arguments.mode);
    let report = analysis::analyze(&code, &rules);
    let decision = approval::decide(&config.approval, arguments.mode, &report, None);
    context.output.result(
        || document(arguments.mode, &report, &decision),
        || text(arguments.mode, &code, &report, &decision),
    );
    Ok(Exit::Succeeded)
}

fn document(mode: Mode, report: &Report, decision: &Decision) -> Value {
    json!({
        "verdict": decision.verdict,
        "mode": mode,
        "risk": report.risk,
        "capabilities": report.capabilities,
        "findings": report.findings,
        "imports": report.imports,
        "policy": {
            "needs_approval": decision.verdict == Verdict::Ask,
            "rule": decision.rule,
            "reason": decision.reason,
            "code": decision.code,
        },
    })
}

fn text(mode: Mode, code: &str, report: &Report, decision: &Decision) -> String {
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
        text.push_str(&place(code, finding));
    }
    text
}

fn place(code: &str, finding: &Finding) -> String {
    let index = usize::try_from(finding.line).unwrap_or(1).saturating_sub(1);
    let source = code.lines().nth(index).unwrap_or_default();
    format!(
        "\n{}:{}: {}\n  | {}\n",
        finding.line,
        finding.column,
        listing::said(finding),
        line(source)
    )
}

/// Reads the word of a mode.
pub(super) fn mode(word: &str) -> Result<Mode, ModeError> {
    Mode::parse(word).ok_or(ModeError)
}

/// A word that is no mode.
#[derive(Debug, thiserror::Error)]
#[error("a mode is read_only or write_access")]
pub(super) struct ModeError;
