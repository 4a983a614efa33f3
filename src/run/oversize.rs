//! What is too large to be recorded becomes a failure: a run must never stand still because of what it would say.

use serde_json::json;

use super::event::Event;
use super::payload::{
    AttemptEnded, AttemptFailed, BlockStatus, ChildRunClosed, MapItemClosed, ResultRecorded,
    RoundClosed, RunDecided, RunEnded, RunFailed, StepFailed, Values,
};
use super::summary::RunStatus;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;

/// What is recorded instead of an event whose body has more bytes than one may; nothing when it is a person's to be
/// told of.
#[must_use]
#[expect(
    clippy::too_many_lines,
    reason = "a table: one arm for each kind of event"
)]
pub fn instead(event: &Event, bytes: usize, limit: usize) -> Option<Event> {
    let failed = |step: &StepPath| {
        Some(Event::StepFailed(StepFailed {
            step: step.clone(),
            failure: too_large(event.name(), bytes, limit),
        }))
    };
    let failure = || Some(too_large(event.name(), bytes, limit));
    match event {
        Event::StepReady(ready) => failed(&ready.step),
        Event::StepSucceeded(succeeded) => failed(&succeeded.step),
        Event::StepReused(reused) => failed(&reused.step),
        Event::MapExpanded(expanded) => failed(&expanded.step),
        Event::ApprovalRequested(request) => failed(&request.step),
        Event::CodeGenerated(generated) if generated.attempt.is_none() => failed(&generated.step),
        // The code is a blob; what is too large is what was said of it.
        Event::CodeGenerated(generated) => Some(Event::AttemptFailed(AttemptFailed {
            step: generated.step.clone(),
            attempt: generated.attempt.unwrap_or_default(),
            failure: too_large(event.name(), bytes, limit),
            counted: true,
        })),
        Event::AnalysisReported(report) => failed(&report.step),
        Event::StepFailed(large) => failed(&large.step),
        Event::MapItemClosed(closed) => Some(Event::MapItemClosed(MapItemClosed {
            status: BlockStatus::Failed,
            outputs: Values::new(),
            failure: failure(),
            ..closed.clone()
        })),
        Event::RoundClosed(closed) => Some(Event::RoundClosed(RoundClosed {
            status: BlockStatus::Failed,
            done: false,
            outputs: Values::new(),
            by_id: Values::new(),
            next_at: None,
            failure: failure(),
            ..closed.clone()
        })),
        Event::ChildRunClosed(closed) => Some(Event::ChildRunClosed(ChildRunClosed {
            status: RunStatus::Failed,
            outputs: Values::new(),
            failure: failure(),
            ..closed.clone()
        })),
        Event::ResultRecorded(result) => Some(Event::ResultRecorded(ResultRecorded {
            results: None,
            // What is not whole must not stand for another run of the code.
            cached_as: None,
            notes: vec![too_large(event.name(), bytes, limit).message],
            ..result.clone()
        })),
        Event::AttemptFailed(large) => Some(Event::AttemptFailed(AttemptFailed {
            failure: too_large(event.name(), bytes, limit),
            ..large.clone()
        })),
        Event::RunSucceeded(_)
        | Event::RunRejected(_)
        | Event::RunCancelled(_)
        | Event::RunFailed(_)
        | Event::RunDecided(_) => ended(event, bytes, limit),
        Event::RunCreated(_)
        | Event::RunStarted(_)
        | Event::RunCancelRequested(_)
        | Event::RunPaused(_)
        | Event::RunUnpaused(_)
        | Event::RunReopened(_)
        | Event::FilesRemoved(_)
        | Event::PlanMigrated(_)
        | Event::RunTimedOut(_)
        | Event::RunQueued(_)
        | Event::RunAdmitted(_)
        | Event::StepSkipped(_)
        | Event::StepNotRun(_)
        | Event::StepRejected(_)
        | Event::StepCancelled(_)
        | Event::StepsRewound(_)
        | Event::StepQueued(_)
        | Event::StepAdmitted(_)
        | Event::DeadlinePassed(_)
        | Event::StepCopied(_)
        | Event::CodeEdited(_)
        | Event::CacheMissed(_)
        | Event::CacheBypassed(_)
        | Event::SlotsReleased(_)
        | Event::AttemptStarted(_)
        | Event::AttemptSucceeded(_)
        | Event::AttemptOutcomeUnknown(_)
        | Event::RetryScheduled(_)
        | Event::ApprovalVoted(_)
        | Event::ApprovalClosed(_)
        | Event::ApprovalReminded(_)
        | Event::ApprovalEscalated(_)
        | Event::BranchChosen(_)
        | Event::MapItemStarted(_)
        | Event::RoundStarted(_)
        | Event::ChildRunStarted(_)
        | Event::ChildRunWaiting(_)
        | Event::SignalReceived(_)
        | Event::SignalConsumed(_)
        | Event::HandlerStarted(_)
        | Event::HandlerEnded(_)
        | Event::HandlerTimedOut(_)
        | Event::NotificationSent(_) => None,
    }
}

/// The end of a run, without the outputs that are too large.
fn ended(event: &Event, bytes: usize, limit: usize) -> Option<Event> {
    let left = |end: &RunEnded| without(end, event, bytes, limit);
    if let Event::RunSucceeded(end) = event {
        return Some(Event::RunSucceeded(left(end)));
    }
    if let Event::RunRejected(end) = event {
        return Some(Event::RunRejected(left(end)));
    }
    if let Event::RunCancelled(end) = event {
        return Some(Event::RunCancelled(left(end)));
    }
    if let Event::RunFailed(failed) = event {
        let end = left(&failed.end);
        return Some(Event::RunFailed(RunFailed {
            end,
            ..failed.clone()
        }));
    }
    if let Event::RunDecided(decided) = event {
        let end = left(&decided.end);
        return Some(Event::RunDecided(RunDecided {
            end,
            ..decided.clone()
        }));
    }
    None
}

/// The end of an attempt whose results could not be recorded: it did not succeed.
#[must_use]
pub fn unrecorded(ended: &AttemptEnded, bytes: usize, limit: usize) -> Event {
    Event::AttemptFailed(AttemptFailed {
        step: ended.step.clone(),
        attempt: ended.attempt,
        failure: too_large("ResultRecorded", bytes, limit),
        counted: true,
    })
}

/// The outputs of a run that are too large are left out, as those that can't be evaluated.
fn without(end: &RunEnded, event: &Event, bytes: usize, limit: usize) -> RunEnded {
    let mut warnings = vec![too_large(event.name(), bytes, limit).message];
    warnings.extend(end.warnings.iter().take(10).cloned());
    RunEnded {
        outputs: Values::new(),
        warnings,
        reason: end.reason.clone(),
    }
}

fn too_large(event: &str, bytes: usize, limit: usize) -> Failure {
    Failure::new(
        FailureKind::Code,
        code::STORE_TOO_LARGE,
        format!("what is to be recorded has {bytes} bytes; at most {limit} are possible"),
    )
    .hint("keep large data in files, `save_artifact`, and hand on their names")
    .detail(json!({"event": event}))
}
