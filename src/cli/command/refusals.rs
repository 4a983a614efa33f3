//! `stepwell refusals`: what was not allowed to happen, and which layer saw to it.

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::view::table::table;
use super::super::view::text::{line, time};
use super::super::{Context, Exit, find};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::run::{AttemptStatus, RunState, StepState, StepStatus};
use crate::store::ListQuery;
use crate::time::Timestamp;

/// Show what was refused: code, writes, limits, answers
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only this run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// How many of the newest runs are looked through
    #[arg(long, value_name = "N", default_value_t = 200)]
    runs: usize,
}

/// One refusal.
struct Refused {
    at: Option<Timestamp>,
    /// The attempt that was ended by it; none = nothing had begun.
    attempt: Option<u32>,
    layer: &'static str,
    code: String,
    text: String,
    rule: Option<String>,
    line: Option<u32>,
    /// The module that the line is of; none = the code itself.
    file: Option<String>,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let mut documents = Vec::new();
    let mut rows = Vec::new();
    if let Some(opened) = context.open_existing().await? {
        let runs = if let Some(word) = &arguments.run {
            vec![find::run(&opened, word).await?]
        } else {
            let newest = find::pages(&opened, ListQuery::default(), arguments.runs).await?;
            newest.into_iter().map(|row| row.run).collect()
        };
        for run in runs {
            match opened.engine.state(run).await {
                Ok(state) => collect(&state, &mut documents, &mut rows),
                // One damaged run must not hide what was refused in the others.
                Err(error) => context.output.diagnostics(Error::from(error).diagnostics()),
            }
        }
    }
    context.output.result(
        || json!({"refusals": documents}),
        || {
            if rows.is_empty() {
                return "nothing was refused\n".to_owned();
            }
            table(["RUN", "STEP", "ATTEMPT", "WHEN", "LAYER", "WHAT"], &rows)
        },
    );
    Ok(Exit::Succeeded)
}

fn collect(state: &RunState, documents: &mut Vec<Value>, rows: &mut Vec<[String; 6]>) {
    for (_, step) in state.steps() {
        let Some(refused) = refused(state, step) else {
            continue;
        };
        documents.push(json!({
            "run_id": state.run,
            "workflow": state.plan.name,
            "step": step.path,
            "attempt": refused.attempt,
            "at": refused.at,
            "layer": refused.layer,
            "code": refused.code,
            "rule": refused.rule,
            "line": refused.line,
            "file": refused.file,
            "message": refused.text,
        }));
        rows.push([
            state.run.short(),
            line(step.path.as_str()),
            refused
                .attempt
                .map(|number| number.to_string())
                .unwrap_or_default(),
            refused.at.map(time).unwrap_or_default(),
            refused.layer.to_owned(),
            line(&refused.text),
        ]);
    }
}

/// What was refused to a step, if anything: by the analysis before it ran, by a guard while it ran, by a declared
/// limit, by a person.
fn refused(state: &RunState, step: &StepState) -> Option<Refused> {
    if step.status == StepStatus::Rejected {
        let asked = step
            .approval
            .as_ref()
            .and_then(|id| state.approvals.get(id));
        let why = step.why.clone().unwrap_or_default();
        return Some(Refused {
            at: step.ended_at,
            attempt: None,
            layer: "person",
            code: code::REJECTED.as_str().to_owned(),
            text: asked.map_or(why.clone(), |asked| {
                format!("{why} ({})", asked.request.title)
            }),
            rule: None,
            line: None,
            file: None,
        });
    }
    let failure = step.failure.as_ref()?;
    let decision = step.analysis.as_ref().map(|analysis| &analysis.decision);
    let blocked = decision.filter(|decision| decision.code.as_ref() == Some(&failure.code));
    let layer = match failure.kind {
        FailureKind::Policy => "analysis",
        FailureKind::Safety => "guard",
        FailureKind::Limits => "limits",
        FailureKind::Infrastructure
        | FailureKind::Code
        | FailureKind::Timeout
        | FailureKind::Resources
        | FailureKind::Configuration
        | FailureKind::Cancelled
        | FailureKind::Internal => return None,
    };
    if layer == "analysis" && blocked.is_none() {
        return None;
    }
    let finding = blocked.and_then(|decision| {
        let mut findings = step
            .analysis
            .iter()
            .flat_map(|analysis| &analysis.report.findings);
        findings.find(|finding| decision.reason.starts_with(&finding.told()))
    });
    Some(Refused {
        at: step.ended_at,
        attempt: ended_by(step, failure),
        layer,
        code: failure.code.clone(),
        text: failure.message.clone(),
        rule: blocked.map(|decision| decision.rule.clone()),
        line: finding.map(|finding| finding.line),
        file: finding.and_then(|finding| finding.file.clone()),
    })
}

/// The attempt that failed so.
fn ended_by(step: &StepState, failure: &Failure) -> Option<u32> {
    let newest = step.attempts.last()?;
    match &newest.status {
        AttemptStatus::Failed { failure: how, .. } if how.code == failure.code => {
            Some(newest.number)
        }
        AttemptStatus::Open
        | AttemptStatus::Succeeded
        | AttemptStatus::Failed { .. }
        | AttemptStatus::Unknown { .. } => None,
    }
}
