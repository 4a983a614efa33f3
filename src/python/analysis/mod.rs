//! Static analysis of Python code: findings by rule, on the syntax tree.
//!
//! The text is parsed, names are followed to what they may stand for, and the rules look at what is called,
//! stored to and imported. Nothing is ever searched in the text itself, so comments, strings and methods
//! that merely share a name with a dangerous function give no findings.

mod access;
mod builtin;
mod call;
mod catalogue;
mod compile;
mod expression;
mod family;
mod message;
mod needed;
mod nesting;
mod own;
mod parse;
mod paths;
mod position;
mod reader;
mod report;
mod rules;
mod settings;
mod spans;
mod special;
mod statement;
mod symbol;
mod target;
mod value;
mod world;

pub use needed::{Needed, needed_imports};
pub use parse::CODE_BYTES_MAX;
pub use report::{Capability, Finding, Report, Risk, Severity};
pub use rules::{Pack, RULE_SET_VERSION, Rule};
pub use settings::{Operations, OwnPattern, RuleSet, Setting, Target};
pub use spans::top_level_spans;

use std::collections::BTreeSet;

use parse::Fault;
use position::Lines;
use reader::{Hit, Reader, Source};
use ruff_text_size::TextRange;

/// Analyses a text as Python code.
#[must_use]
pub fn analyze(code: &str, rules: &RuleSet) -> Report {
    let mut draft = Draft {
        rules,
        lines: Lines::of(code),
        findings: Vec::new(),
        capabilities: BTreeSet::new(),
    };
    let mut imports = BTreeSet::new();
    let mut assigns_results = false;
    match parse::compiled(code) {
        Ok(parsed) => {
            let mut reader = Reader::read(&parsed.syntax().body, rules);
            reader
                .hits
                .sort_by_key(|hit| (hit.range.start(), hit.source));
            reader.hits.iter().for_each(|hit| draft.hit(hit));
            imports = reader.imports;
            assigns_results = reader.assigns_results;
        }
        Err(faults) => faults.into_iter().for_each(|fault| draft.fault(fault)),
    }
    Report {
        rule_set: RULE_SET_VERSION,
        findings: draft.findings,
        risk: Risk::of(&draft.capabilities),
        writes: draft.capabilities.contains(&Capability::ControlWrite),
        capabilities: draft.capabilities,
        imports: imports.into_iter().collect(),
        assigns_results,
    }
}

#[cfg(test)]
mod tests;

/// A report that is being written.
struct Draft<'a> {
    rules: &'a RuleSet,
    lines: Lines<'a>,
    findings: Vec<Finding>,
    capabilities: BTreeSet<Capability>,
}

impl Draft<'_> {
    fn hit(&mut self, hit: &Hit) {
        let name = (!hit.name.is_empty()).then_some(hit.name.as_str());
        match hit.source {
            Source::Rule(rule) => {
                let message = message::of(rule, &hit.name);
                self.finding(rule, hit.range, message, name);
            }
            Source::Own(index) => {
                if let Some(own) = self.rules.patterns.get(index) {
                    self.capabilities.extend(own.capability);
                    let said = (own.severity, own.message.clone());
                    self.add(&own.id, said, hit.range, name);
                }
            }
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.finding(fault.rule, fault.range, fault.message, None);
    }

    fn finding(&mut self, rule: Rule, range: TextRange, message: String, name: Option<&str>) {
        if let Some(severity) = self.rules.severity(rule) {
            self.capabilities.extend(rule.capability());
            self.add(rule.id(), (severity, message), range, name);
        }
    }

    fn add(
        &mut self,
        rule: &str,
        (severity, message): (Severity, String),
        range: TextRange,
        name: Option<&str>,
    ) {
        let (line, column) = self.lines.position(range.start().to_usize());
        let (end_line, end_column) = self.lines.position(range.end().to_usize());
        self.findings.push(Finding {
            file: None,
            rule: rule.to_owned(),
            severity,
            line,
            column,
            end_line,
            end_column,
            message,
            snippet: self.lines.snippet(range),
            name: name.map(str::to_owned),
        });
    }
}
