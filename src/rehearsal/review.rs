//! The review of code in a rehearsal: the real analysis and the real policy over the code that would run.

use std::collections::BTreeMap;

use serde_json::json;

use crate::approval::{self, Bounds, Changed, Covered, Modules, Policy, Rules, Subject};
use crate::expression::Value;
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::plan::{Mode, PythonStep};
use crate::python::analysis::{Report, RuleSet, analyze};
use crate::run::payload::AnalysisReported;
use crate::run::{RunScope, RunState, StepState, ask_rules, check_json};

/// What is known of code before it runs. The modules beside the workflow that it imports are not read.
#[derive(Debug, Clone, Default)]
pub struct Review {
    policy: Policy,
    rules: RuleSet,
    reports: BTreeMap<(Mode, Digest), Report>,
}

impl Review {
    /// Analyses each code once; `blobs` is what the compilation of the workflow gave.
    #[must_use]
    pub fn new<'b>(
        policy: Policy,
        rules: RuleSet,
        codes: impl IntoIterator<Item = (Digest, &'b [u8])>,
    ) -> Self {
        let here = [Mode::ReadOnly, Mode::WriteAccess].map(|mode| (mode, rules.in_mode(mode)));
        let mut reports = BTreeMap::new();
        for (digest, bytes) in codes {
            let code = String::from_utf8_lossy(bytes);
            for (mode, rules) in &here {
                reports.insert((*mode, digest), analyze(&code, rules));
            }
        }
        Self {
            reports,
            policy,
            rules,
        }
    }

    /// The analysis of a ready step with the decision of the policy.
    ///
    /// # Errors
    /// `approve_code` can't be evaluated; the step fails with it.
    pub(super) fn report(
        &self,
        state: &RunState,
        step: &StepState,
        python: &PythonStep,
    ) -> Result<AnalysisReported, Failure> {
        let code = step.code(python).unwrap_or(Digest::of(b""));
        let found = self.reports.get(&(python.mode, code)).cloned();
        let report = found.unwrap_or_else(|| analyze("results = {}\n", &self.rules));
        let (asks, reviewers, rules) = wish(state, step, python, &report)?;
        let decision = approval::decide(&self.policy, python.mode, &report, asks);
        let environment = Digest::of(b"rehearsal");
        let seen = json!({"context": step.inputs, "env": step.env});
        let subject = approval::subject_digest(&Subject {
            code,
            inputs: &seen,
            mode: python.mode,
            environment,
            policy: self.policy.digest(),
            rules: self.rules.digest(),
            bounds: Bounds::default().digest(),
        });
        Ok(AnalysisReported {
            step: step.path.clone(),
            code,
            mode: python.mode,
            report,
            decision,
            environment,
            environment_text: "rehearsal".to_owned(),
            subject,
            covered: Covered::new(),
            modules: Modules::new(),
            bounds: Bounds::default(),
            changed: Changed::default(),
            files: Vec::new(),
            reuse: None,
            mark: None,
            reviewers,
            rules,
            notebook: None,
        })
    }
}

/// What the step itself wishes: whether to ask, and whom; as text for people, and as rules.
fn wish(
    state: &RunState,
    step: &StepState,
    python: &PythonStep,
    report: &Report,
) -> Result<(Option<bool>, Option<String>, Rules), Failure> {
    let allow_self = state.created.allow_self;
    let Some(wish) = &python.approve_code else {
        let rules = Rules {
            allow_self,
            ..Rules::default()
        };
        return Ok((None, None, rules));
    };
    let check = check_json(report);
    let scope = RunScope::at(state, step.node.frame);
    let scope = scope.with_local("check", &check);
    let asks = wish.when.evaluate(&scope).map_err(|error| {
        let message = format!("approve_code: {}", error.message);
        Failure::new(FailureKind::Code, error.code, message)
    })?;
    // What can't be decided is asked.
    let asks = !matches!(asks, Value::Bool(false));
    let (reviewers, rules) = ask_rules(&wish.rules, &scope, allow_self, "approve_code")?;
    Ok((Some(asks), reviewers, rules))
}
