//! What an attempt does and what it leaves.

use std::time::Duration;

use serde_json::Value;

use super::Fault;
use crate::code;
use crate::expression::format_duration;
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;
use crate::plan::{Step, StepKind};
use crate::python::outcome::Isolation;
use crate::rehearsal::sample::{acted, sample_results};
use crate::rehearsal::world::{Does, Outcome, World};
use crate::run::payload::{
    AttemptStarted, Bypass, CacheMissed, EffectClass, Miss, Parts, Phase, ResultRecorded,
};
use crate::run::{AttemptStatus, Command, StepState};

pub(super) fn children(step: &StepState) -> u32 {
    u32::try_from(step.children.len()).unwrap_or(u32::MAX)
}

/// What the attempt that is under way, or the next one, does.
pub(super) fn outcome(
    world: &World,
    step: &Step,
    step_state: &StepState,
) -> Result<Outcome, Fault> {
    let failed = step_state.attempts.iter().filter(|attempt| {
        attempt.phase == Phase::Execute
            && matches!(&attempt.status, AttemptStatus::Failed { counted, .. } if *counted)
    });
    let failed = failed.count();
    if let Some(failing) = &world.failing
        && failing.step == step.path
        && (failed == 0 || !failing.once)
    {
        return Ok(Outcome {
            does: Does::Fails(failing.failure.clone()),
            takes: Duration::from_secs(1),
        });
    }
    if let Some(outcome) = world
        .mocks
        .of(step, &step_state.path, failed + gone_well(step_state))
    {
        return Ok(outcome.clone());
    }
    let harmless = matches!(step.kind, StepKind::Notify(_) | StepKind::Notebook(_));
    let results = match world.samples {
        Some(seed) => sample_results(step, seed),
        None if harmless => Value::Object(acted(step)),
        None => return Err(Fault::NoMock(step_state.path.clone())),
    };
    Ok(Outcome {
        does: Does::Results(results),
        takes: Duration::from_secs(1),
    })
}

/// Attempts and runs that ended well and were made anew: the next one is another one.
fn gone_well(step_state: &StepState) -> usize {
    let attempts = step_state.attempts.iter();
    let well = attempts.filter(|attempt| attempt.status == AttemptStatus::Succeeded);
    let runs = step_state.children.iter();
    well.count() + runs.filter(|run| run.closed.is_some()).count()
}

/// How long an attempt goes on: until it ends or its time is over.
pub(super) fn length(step: &Step, outcome: &Outcome) -> Duration {
    step.timeout
        .map_or(outcome.takes, |limit| outcome.takes.min(limit))
}

/// A mock is never an earlier result, nor kept as one.
pub(super) fn missed(step: &StepPath) -> Command {
    Command::Missed(CacheMissed {
        step: step.clone(),
        key: None,
        parts: Parts::new(),
        reason: Miss::Bypassed {
            by: Bypass::Rehearsal,
        },
    })
}

pub(super) fn started(step: &Step, step_state: &StepState, attempt: u32) -> AttemptStarted {
    let analysis = step_state.analysis.as_ref();
    AttemptStarted {
        step: step_state.path.clone(),
        attempt,
        phase: Phase::Execute,
        executor: "rehearsal".to_owned(),
        placed_by: None,
        effect: if step.kind.writes() {
            EffectClass::Write
        } else {
            EffectClass::Read
        },
        environment: analysis.map(|analysis| analysis.environment),
        subject: analysis.map(|analysis| analysis.subject),
    }
}

pub(super) fn ended(
    step: &Step,
    step_state: &StepState,
    attempt: u32,
    outcome: Outcome,
) -> Command {
    let over = step.timeout.filter(|limit| outcome.takes > *limit);
    let (results, failure) = match (over, outcome.does) {
        (Some(limit), _) => {
            let message = format!("it took longer than {}", format_duration(limit));
            let failure = Failure::new(FailureKind::Timeout, code::TIMED_OUT, message);
            (None, Some(failure))
        }
        (None, Does::Results(results)) => (Some(results), None),
        (None, Does::Fails(failure)) => (None, Some(failure)),
    };
    let path = &step_state.path;
    let result = ResultRecorded {
        step: path.clone(),
        attempt,
        results,
        figures: Vec::new(),
        artifacts: Vec::new(),
        notebook: None,
        folder: format!("runs/rehearsal/{path}/{attempt}"),
        notes: Vec::new(),
        seconds: outcome.takes.as_secs_f64(),
        max_rss_bytes: 0,
        cpu_seconds: 0.0,
        cached_as: None,
        isolation: Isolation::default(),
        packages: None,
    };
    Command::AttemptEnded { result, failure }
}
