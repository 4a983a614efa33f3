//! Code that is written in a rehearsal: nobody writes any; a mock stands for what it would do.

use std::time::Duration;

use serde_json::Value;

use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::plan::Step;
use crate::rehearsal::world::World;
use crate::run::payload::{AttemptStarted, CodeGenerated, EffectClass, Feedback, Phase, Usage};
use crate::run::{AttemptStatus, Command, Due, Standing, StepState, standing};

/// How long a model takes in a rehearsal.
pub(super) const WRITING: Duration = Duration::from_secs(5);

/// Whether code is being written.
pub(super) fn writes_code(step_state: &StepState) -> bool {
    let open = step_state.open_attempt();
    open.is_some_and(|open| open.phase == Phase::Generate)
}

pub(super) fn writing_started(step_state: &StepState, attempt: u32) -> AttemptStarted {
    AttemptStarted {
        step: step_state.path.clone(),
        attempt,
        phase: Phase::Generate,
        executor: "rehearsal".to_owned(),
        placed_by: None,
        effect: EffectClass::Read,
        environment: None,
        subject: None,
    }
}

/// The end of the writing: an answer, or the failure of a model that fails in this world.
pub(super) fn written(world: &World, step: &Step, step_state: &StepState, attempt: u32) -> Command {
    let path = &step_state.path;
    let failed = step_state.attempts.iter().filter(|attempt| {
        attempt.phase == Phase::Generate && matches!(attempt.status, AttemptStatus::Failed { .. })
    });
    if let Some(model) = &world.model
        && model.step == step.path
        && (failed.count() == 0 || !model.once)
    {
        let failure = model.failure.clone();
        return match failure.kind {
            FailureKind::Code => {
                Command::Generated(generated(step, step_state, attempt, Some(failure)))
            }
            FailureKind::Infrastructure
            | FailureKind::Policy
            | FailureKind::Safety
            | FailureKind::Limits
            | FailureKind::Timeout
            | FailureKind::Resources
            | FailureKind::Configuration
            | FailureKind::Cancelled
            | FailureKind::Internal => Command::AttemptBroken {
                step: path.clone(),
                attempt,
                failure,
            },
        };
    }
    Command::Generated(generated(step, step_state, attempt, None))
}

/// The code is another one each time, so that what people say of one is not taken for the next.
fn generated(
    step: &Step,
    step_state: &StepState,
    attempt: u32,
    failure: Option<Failure>,
) -> CodeGenerated {
    let number = step_state.generations.len();
    let code = Digest::of(format!("code {number} of {}", step_state.path).as_bytes());
    let task = step.kind.as_python().and_then(|python| python.task());
    let due = match standing(step, step_state) {
        Standing::Due(due) => Some(due),
        Standing::There | Standing::Spent(_) => None,
    };
    CodeGenerated {
        step: step_state.path.clone(),
        attempt: Some(attempt),
        generator: task
            .and_then(|task| task.generator.clone())
            .unwrap_or_else(|| "rehearsal".to_owned()),
        provider: "rehearsal".to_owned(),
        model: None,
        parameters: Value::Null,
        feedback: due.as_ref().map_or(Feedback::None, |due| due.feedback),
        fresh: due.as_ref().is_some_and(Due::is_fresh),
        prompt: None,
        answer: None,
        code: failure.is_none().then_some(code),
        failure,
        usage: Usage::default(),
        cost: None,
        seconds: WRITING.as_secs_f64(),
        request_id: None,
        reused: None,
        approved_before: None,
    }
}
