//! The approval policy: mode, findings and configuration in; pass, ask or block out.
//!
//! `docs/approval-policy.md` has the whole table; `tests.rs` beside this file checks every row of it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::canonical::canonical_json;
use crate::code::{self, Code};
use crate::id::Digest;
use crate::plan::Mode;
use crate::python::analysis::{Capability, Finding, Report, Risk, Rule};

/// `approval.global_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GlobalMode {
    /// No capability asks by itself.
    Disabled,
    /// Each capability asks as it is configured.
    #[default]
    Selective,
    /// All code asks.
    AllCapabilities,
}

/// `approval.capabilities.python_execution.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeApproval {
    /// Never asks.
    Disabled,
    /// Asks for all code.
    AllCode,
    /// Asks for code that writes to the control system, or may do worse than that.
    #[default]
    #[serde(alias = "epics_writes")]
    ControlWrites,
}

impl CodeApproval {
    fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::AllCode => "all_code",
            Self::ControlWrites => "control_writes",
        }
    }
}

/// `approval.capabilities.python_execution`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PythonApproval {
    /// Whether the mode counts at all.
    pub enabled: bool,
    /// Which code asks.
    pub mode: CodeApproval,
}

impl Default for PythonApproval {
    fn default() -> Self {
        Self {
            enabled: true,
            mode: CodeApproval::default(),
        }
    }
}

/// `modes.<mode>`, as far as approval goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModePolicy {
    /// Whether code in this mode may write to the control system.
    pub allows_writes: bool,
    /// Whether all code in this mode asks.
    pub requires_approval: bool,
}

/// Everything in config.yml that decides whether code may start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// `approval.global_mode`.
    pub global_mode: GlobalMode,
    /// `approval.capabilities.python_execution`.
    pub python: PythonApproval,
    /// `execution.modes.read_only`.
    pub read_only: ModePolicy,
    /// `execution.modes.write_access`.
    pub write_access: ModePolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            global_mode: GlobalMode::default(),
            python: PythonApproval::default(),
            read_only: ModePolicy {
                allows_writes: false,
                requires_approval: false,
            },
            write_access: ModePolicy {
                allows_writes: true,
                requires_approval: true,
            },
        }
    }
}

impl Policy {
    /// The part that counts for `mode`.
    #[must_use]
    pub fn mode(&self, mode: Mode) -> &ModePolicy {
        match mode {
            Mode::ReadOnly => &self.read_only,
            Mode::WriteAccess => &self.write_access,
        }
    }

    /// Digest over every setting. An approval is bound to it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical_json(&json!(self)))
    }
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The code may start.
    Pass,
    /// A person decides.
    Ask,
    /// The code never starts, and nobody is asked.
    Block,
}

/// The answer, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// The line of the configuration, or the rule, that decided.
    pub rule: String,
    /// Why, in one sentence for people.
    pub reason: String,
    /// For a block, the word of the error catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Decision {
    fn new(verdict: Verdict, rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            verdict,
            rule: rule.into(),
            reason: reason.into(),
            code: None,
        }
    }

    /// The code can't run in its environment, so nobody need look at it.
    #[must_use]
    pub fn module_missing(finding: &Finding) -> Self {
        let rule = "the environment of the step";
        Self::block(code::MODULE_MISSING, rule, finding.told())
    }

    fn block(code: Code, rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            code: Some(code.as_str().to_owned()),
            ..Self::new(Verdict::Block, rule, reason)
        }
    }
}

/// Decides whether code may start.
///
/// `step_asks` is the step's own `approve_code.when`, evaluated; it can only add a question, never take one away.
#[must_use]
pub fn decide(policy: &Policy, mode: Mode, report: &Report, step_asks: Option<bool>) -> Decision {
    blocked(policy, mode, report)
        .or_else(|| asked_by_mode(policy, mode, report))
        .or_else(|| asked_by_capability(policy, report))
        .or_else(|| asked_by_step(step_asks))
        .unwrap_or_else(|| passed(policy))
}

fn blocked(policy: &Policy, mode: Mode, report: &Report) -> Option<Decision> {
    if let Some(finding) = report.unreadable() {
        let told = finding.told();
        return Some(Decision::block(
            code::CODE_UNREADABLE,
            "analysis",
            format!("{told} Nobody can know what code does that can't be read to its end."),
        ));
    }
    if let Some(finding) = report.blocking() {
        return Some(Decision::block(
            code::CODE_REFUSED,
            format!("analysis.rules.{}", finding.rule),
            finding.told(),
        ));
    }
    if policy.mode(mode).allows_writes {
        return None;
    }
    let rule = format!("execution.modes.{mode}.allows_writes = false");
    if report.capabilities.contains(&Capability::ControlWrite) {
        return Some(Decision::block(
            code::WRITE_IN_READ_ONLY,
            rule,
            not_allowed(
                report,
                Capability::ControlWrite,
                "The code writes to the control system.",
                mode,
            ),
        ));
    }
    report
        .capabilities
        .contains(&Capability::FsOutside)
        .then(|| {
            Decision::block(
                code::WRITE_OUTSIDE_RUN_FOLDER,
                rule,
                not_allowed(
                    report,
                    Capability::FsOutside,
                    "The code writes files outside its run folder.",
                    mode,
                ),
            )
        })
}

/// What the mode forbids, with the line that does it when a finding has one.
fn not_allowed(report: &Report, capability: Capability, otherwise: &str, mode: Mode) -> String {
    let found = report
        .findings
        .iter()
        .find(|finding| Rule::find(&finding.rule).and_then(Rule::capability) == Some(capability));
    let what = found.map_or_else(|| otherwise.to_owned(), Finding::told);
    format!("{what} The mode {mode} does not allow it.")
}

fn asked_by_mode(policy: &Policy, mode: Mode, report: &Report) -> Option<Decision> {
    let here = policy.mode(mode);
    if here.requires_approval {
        return Some(Decision::new(
            Verdict::Ask,
            format!("execution.modes.{mode}.requires_approval = true"),
            format!("All code in the mode {mode} needs a person's approval."),
        ));
    }
    // A block may apply and the text does not tell: nothing in the configuration turns that question off.
    (!here.allows_writes && is_unknown(report)).then(|| {
        Decision::new(
            Verdict::Ask,
            format!("execution.modes.{mode}.allows_writes = false"),
            format!("The text does not tell whether the code writes, which the mode {mode} does not allow."),
        )
    })
}

fn asked_by_capability(policy: &Policy, report: &Report) -> Option<Decision> {
    let mode = match policy.global_mode {
        GlobalMode::Disabled => return None,
        GlobalMode::AllCapabilities => {
            return Some(Decision::new(
                Verdict::Ask,
                "approval.global_mode = all_capabilities",
                "All code needs a person's approval.",
            ));
        }
        GlobalMode::Selective if policy.python.enabled => policy.python.mode,
        GlobalMode::Selective => return None,
    };
    let reason = match mode {
        CodeApproval::Disabled => return None,
        CodeApproval::AllCode => "All code needs a person's approval.",
        CodeApproval::ControlWrites => graver_than_reading(report)?,
    };
    Some(Decision::new(
        Verdict::Ask,
        format!(
            "approval.capabilities.python_execution.mode = {}",
            mode.as_str()
        ),
        reason,
    ))
}

fn graver_than_reading(report: &Report) -> Option<&'static str> {
    let graver = [
        (
            Capability::ControlWrite,
            "The code writes to the control system.",
        ),
        (Capability::Process, "The code starts other programs."),
        (
            Capability::Native,
            "The code leaves Python for native libraries.",
        ),
        (
            Capability::DynamicCode,
            "The code runs code that is not in its text.",
        ),
        (
            Capability::FsOutside,
            "The code writes files outside its run folder.",
        ),
    ];
    graver
        .into_iter()
        .find(|(capability, _)| report.capabilities.contains(capability))
        .map(|(_, reason)| reason)
        .or_else(|| is_unknown(report).then_some("The text does not tell what the code reaches."))
}

/// Whether something is out of sight, also when something graver is in sight.
fn is_unknown(report: &Report) -> bool {
    report.risk == Risk::Unknown
        || report.capabilities.contains(&Capability::DynamicAccess)
        || report.capabilities.contains(&Capability::Introspection)
        || report.capabilities.contains(&Capability::Tampering)
}

fn asked_by_step(step_asks: Option<bool>) -> Option<Decision> {
    (step_asks == Some(true)).then(|| {
        Decision::new(
            Verdict::Ask,
            "approve_code.when",
            "The step itself wants a person's approval.",
        )
    })
}

fn passed(policy: &Policy) -> Decision {
    let rule = match policy.global_mode {
        GlobalMode::Disabled => "approval.global_mode = disabled".to_owned(),
        GlobalMode::Selective | GlobalMode::AllCapabilities if !policy.python.enabled => {
            "approval.capabilities.python_execution.enabled = false".to_owned()
        }
        GlobalMode::Selective | GlobalMode::AllCapabilities => format!(
            "approval.capabilities.python_execution.mode = {}",
            policy.python.mode.as_str()
        ),
    };
    Decision::new(
        Verdict::Pass,
        rule,
        "Nothing in the configuration asks for a person here.",
    )
}

#[cfg(test)]
mod tests;
