//! Events in a few words.

use std::time::Duration;

use crate::approval::Verdict;
use crate::cli::view::text::{elapsed, line};
use crate::engine::Writing;
use crate::failure::FailureKind;
use crate::id::StepPath;
use crate::run::payload::{
    AnalysisReported, ApprovalClosed, ApprovalEscalated, AttemptFailed, AttemptStarted,
    CacheMissed, Closed, CodeGenerated, HandlerNamed, MapExpanded, Miss, NotificationSent, Phase,
    RunReopened, SlotWish, StepsRewound,
};
use crate::run::{Event, RunStatus};

/// What an event is to somebody who watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// Work on a step begins.
    Begins {
        /// The step.
        step: &'a StepPath,
        /// In words.
        text: String,
    },
    /// Work on a step has ended.
    Ends {
        /// The step.
        step: &'a StepPath,
        /// How, as a sign.
        mark: &'static str,
        /// In words.
        text: String,
    },
    /// Something else worth a line.
    Remark {
        /// Its sign.
        mark: &'static str,
        /// In words.
        text: String,
    },
}

/// What to say of an event; nothing of those that only the machine needs.
#[expect(
    clippy::too_many_lines,
    reason = "a table: one arm for each kind of event"
)]
pub(super) fn said(event: &Event) -> Option<Said<'_>> {
    match event {
        Event::RunStarted(_)
        | Event::RunSucceeded(_)
        | Event::RunFailed(_)
        | Event::RunRejected(_)
        | Event::RunCancelled(_)
        | Event::StepReady(_)
        | Event::AttemptSucceeded(_)
        | Event::ApprovalVoted(_)
        | Event::SignalConsumed(_)
        | Event::RunAdmitted(_)
        | Event::StepAdmitted(_)
        | Event::SlotsReleased(_)
        | Event::ChildRunWaiting(_)
        | Event::ChildRunClosed(_)
        | Event::MapItemStarted(_)
        | Event::MapItemClosed(_)
        | Event::RoundStarted(_)
        | Event::RoundClosed(_)
        | Event::StepCopied(_)
        | Event::CacheBypassed(_)
        | Event::ResultRecorded(_) => None,
        Event::RunDecided(decided) => remark("·", "the run", ending(decided.status)),
        Event::HandlerStarted(named) => remark("·", "handler", named.kind.as_str()),
        Event::HandlerTimedOut(named) => handler(named, "is out of time"),
        Event::HandlerEnded(ended) => handler(&ended.handler, &ended.failure.as_ref()?.message),
        Event::NotificationSent(sent) => untold(sent),
        Event::RunReopened(reopened) => remark("↺", "the run", &begins_anew(reopened)),
        Event::PlanMigrated(_) => remark("·", "the run", "goes on with another version"),
        Event::FilesRemoved(_) => remark("·", "the run", "files are removed"),
        Event::RunCreated(created) => remark("·", &created.workflow, "created"),
        Event::RunCancelRequested(_) => remark("·", "the run", "is being cancelled"),
        Event::StepReused(reused) => remark("⟲", reused.step.as_str(), &reused.told()),
        Event::CacheMissed(missed) => missed_cache(missed),
        Event::AttemptStarted(started) => Some(begins(started)),
        Event::StepSucceeded(done) => ends(&done.step, "✓", ""),
        Event::StepFailed(failed) => ends(&failed.step, "✗", &failed.failure.message),
        Event::StepSkipped(blocked) => {
            ends(&blocked.step, "–", &format!("skipped, {}", blocked.why))
        }
        Event::StepNotRun(blocked) => {
            ends(&blocked.step, "–", &format!("not run, {}", blocked.why))
        }
        Event::StepRejected(blocked) => ends(&blocked.step, "✗", &blocked.why),
        Event::StepCancelled(named) => ends(&named.step, "–", "cancelled"),
        // The end of the step says it.
        Event::AttemptFailed(failed) if failed.failure.kind == FailureKind::Cancelled => None,
        Event::AttemptFailed(failed) => attempt_failed(failed),
        Event::AttemptOutcomeUnknown(unknown) => ends(&unknown.step, "?", &lost(unknown.attempt)),
        Event::RetryScheduled(retry) => {
            let delay = elapsed(Duration::from_millis(retry.delay_ms));
            remark("·", retry.step.as_str(), &format!("tried again in {delay}"))
        }
        Event::CodeEdited(edited) => {
            let said = format!("{} changed the code", line(&edited.person));
            remark("·", edited.step.as_str(), &said)
        }
        Event::CodeGenerated(generated) => Some(written(generated)),
        Event::AnalysisReported(report) => verdict(report),
        Event::ApprovalRequested(asked) => remark("?", asked.step.as_str(), &asked.title),
        Event::ApprovalClosed(closed) => self::closed(closed),
        Event::ApprovalReminded(reminded) => {
            remark("?", reminded.approval.as_str(), "still waits for an answer")
        }
        Event::ApprovalEscalated(escalated) => self::escalated(escalated),
        Event::StepsRewound(rewound) => self::rewound(rewound),
        Event::ChildRunStarted(child) => remark("→", child.step.as_str(), &child.run.to_string()),
        Event::RunQueued(queued) => remark("·", "the run", &waits_for(&queued.wishes)),
        Event::StepQueued(queued) => remark("·", queued.step.as_str(), &waits_for(&queued.wishes)),
        Event::RunPaused(_) => remark("·", "the run", "is paused"),
        Event::RunUnpaused(_) => remark("·", "the run", "goes on"),
        Event::RunTimedOut(_) => remark("✗", "the run", "its time is over"),
        Event::DeadlinePassed(passed) => {
            remark("✗", passed.step.as_str(), "its deadline has passed")
        }
        Event::SignalReceived(signal) => remark("·", &signal.name, "the signal has come"),
        Event::MapExpanded(expanded) => items(expanded),
        Event::BranchChosen(chosen) => remark("→", chosen.step.as_str(), &chosen.arm),
    }
}

/// Why code runs once more; that it never ran before is no news.
fn missed_cache(missed: &CacheMissed) -> Option<Said<'static>> {
    match missed.reason {
        Miss::FirstTime | Miss::Refused { .. } | Miss::Bypassed { .. } => None,
        Miss::Changed { .. } | Miss::Expired { .. } | Miss::Lost { .. } => {
            remark("·", missed.step.as_str(), &missed.reason.told())
        }
    }
}

fn begins_anew(reopened: &RunReopened) -> String {
    let steps = reopened.steps.iter().chain(&reopened.resumed);
    let steps: Vec<&str> = steps.map(StepPath::as_str).collect();
    format!("goes on after its end with {}", steps.join(", "))
}

fn items(expanded: &MapExpanded) -> Option<Said<'static>> {
    let count = format!("{} items", expanded.items.len());
    remark("·", expanded.step.as_str(), &count)
}

fn waits_for(wishes: &[SlotWish]) -> String {
    let keys: Vec<&str> = wishes.iter().map(|wish| wish.key.as_str()).collect();
    format!("needs {}", keys.join(", "))
}

fn closed(closed: &ApprovalClosed) -> Option<Said<'static>> {
    let how = match closed.outcome {
        Closed::Approved | Closed::Rejected => format!("decided by {}", closed.by),
        Closed::Changes => format!("{} wants changes", closed.by),
        Closed::Expired => "the time to answer is over".to_owned(),
        Closed::Superseded => "nobody needs the answer any more".to_owned(),
    };
    remark("·", closed.approval.as_str(), &how)
}

fn escalated(escalated: &ApprovalEscalated) -> Option<Said<'static>> {
    let how = match &escalated.to {
        Some(to) => format!("nobody answered in time; now also for {}", to.told()),
        None => "nobody answered in time; the time begins anew".to_owned(),
    };
    remark("?", escalated.approval.as_str(), &how)
}

fn rewound(rewound: &StepsRewound) -> Option<Said<'static>> {
    let steps: Vec<&str> = rewound.steps.iter().map(StepPath::as_str).collect();
    let how = format!("begins anew, {}: {}", rewound.by, rewound.text);
    remark("↺", &steps.join(", "), &how)
}

/// How a run will have ended while its handlers go on.
fn ending(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Succeeded => "has done its work; its handlers go on",
        RunStatus::Rejected => "was rejected; its handlers go on",
        RunStatus::Cancelled => "was cancelled; its handlers go on",
        RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Waiting
        | RunStatus::Paused
        | RunStatus::Failed => "has failed; its handlers go on",
    }
}

fn attempt_failed(failed: &AttemptFailed) -> Option<Said<'_>> {
    let message = match failed.attempt {
        1 => failed.failure.message.clone(),
        again => format!("attempt {again}: {}", failed.failure.message),
    };
    ends(&failed.step, "✗", &message)
}

/// Code that was written, or why there is none.
fn written(generated: &CodeGenerated) -> Said<'_> {
    let by = generated.model.as_ref().unwrap_or(&generated.generator);
    let how = match (&generated.failure, &generated.reused) {
        (Some(failure), _) => failure.message.clone(),
        (None, Some(reused)) => format!("takes the code that was approved in run {}", reused.run),
        (None, None) => format!("its code is written, by {by}"),
    };
    let mark = if generated.failure.is_some() {
        "✗"
    } else {
        "·"
    };
    Said::Ends {
        step: &generated.step,
        mark,
        text: format!("{}: {}", generated.step, line(&how)),
    }
}

/// How far code is that somebody writes.
pub(super) fn how_far(writing: &Writing) -> String {
    let by = line(&writing.by);
    format!(
        "{}: {by} writes its code, {}",
        writing.step, writing.written
    )
}

fn lost(attempt: u32) -> String {
    format!("attempt {attempt}: nobody knows how far it came")
}

fn handler(named: &HandlerNamed, how: &str) -> Option<Said<'static>> {
    remark("✗", &format!("handler {}", named.kind.as_str()), how)
}

fn untold(sent: &NotificationSent) -> Option<Said<'static>> {
    let failure = sent.failure.as_ref()?;
    let how = format!("was not told: {}", failure.message);
    remark("✗", &sent.channel, &how)
}

fn begins(started: &AttemptStarted) -> Said<'_> {
    let text = match (started.phase, started.attempt) {
        (Phase::Generate, _) => format!("{}: {} writes its code", started.step, started.executor),
        (Phase::Execute, 1) => started.step.to_string(),
        (Phase::Execute, again) => format!("{}: attempt {again}", started.step),
    };
    Said::Begins {
        step: &started.step,
        text,
    }
}

fn ends<'a>(step: &'a StepPath, mark: &'static str, how: &str) -> Option<Said<'a>> {
    let text = if how.is_empty() {
        step.to_string()
    } else {
        format!("{step}: {}", line(how))
    };
    Some(Said::Ends { step, mark, text })
}

fn remark(mark: &'static str, what: &str, how: &str) -> Option<Said<'static>> {
    Some(Said::Remark {
        mark,
        text: format!("{}: {}", line(what), line(how)),
    })
}

fn verdict(report: &AnalysisReported) -> Option<Said<'static>> {
    let mark = match report.decision.verdict {
        // The failure of the step says why it is blocked.
        Verdict::Pass | Verdict::Block => return None,
        Verdict::Ask => "?",
    };
    remark(mark, report.step.as_str(), &report.decision.reason)
}
