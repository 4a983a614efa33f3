//! Acts on the outside that need no code: begun only when their start is durable, made once, recorded.

use std::time::Duration;

use serde_json::{Value, json};

use super::folder::RunFolder;
use super::task::Driver;
use super::{Error, Shared, action, collect, http, merge};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;
use crate::plan::{Step, StepKind};
use crate::python::outcome::Isolation;
use crate::run::payload::{AttemptStarted, EffectClass, FileRef, Phase, ResultRecorded};
use crate::run::{Command, RunState, StepState};
use crate::time::Timestamp;
use crate::transport::{Channel, Message, address};

/// Longest time of an act of a step that says nothing.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What an act left.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) results: Option<Value>,
    pub(super) artifacts: Vec<FileRef>,
    pub(super) notebook: Option<FileRef>,
    pub(super) notes: Vec<String>,
    pub(super) failure: Option<Failure>,
}

impl Done {
    pub(super) fn failed(failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            ..Self::default()
        }
    }
}

/// What an act needs to know of its place.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) shared: &'a Shared,
    pub(super) state: &'a RunState,
    pub(super) step: &'a Step,
    pub(super) step_state: &'a StepState,
    pub(super) attempt: u32,
    pub(super) timeout: Duration,
}

impl Place<'_> {
    pub(super) fn folder(&self) -> RunFolder {
        RunFolder::new(&self.shared.options.data, &self.state.created.folder)
    }

    /// A text among the fixed inputs.
    pub(super) fn text(&self, name: &str) -> &str {
        let value = self.step_state.inputs.get(name);
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// What makes the other side take a repetition for the same: the key of the step, or one that all attempts share
    /// until the step begins anew.
    pub(super) fn key(&self) -> String {
        if self.step_state.inputs.contains_key("idempotency_key") {
            return self.text("idempotency_key").to_owned();
        }
        let (run, path) = (self.state.run, &self.step_state.path);
        match self.step_state.lives {
            0 => format!("{run}:{path}"),
            lives => format!("{run}:{path}:{lives}"),
        }
    }
}

/// Begins an attempt and makes it.
pub(super) async fn act(
    driver: &Driver,
    state: &RunState,
    path: &StepPath,
    attempt: u32,
) -> Option<Command> {
    let shared = &driver.shared;
    let (step, step_state) = state.step(path)?;
    let started = AttemptStarted {
        step: path.clone(),
        attempt,
        phase: Phase::Execute,
        executor: step.kind.as_str().to_owned(),
        placed_by: None,
        effect: if step.kind.writes() {
            EffectClass::Write
        } else {
            EffectClass::Read
        },
        environment: None,
        subject: None,
    };
    if let Err(refusal) = driver.submit(Command::BeginAttempt(started)).await {
        tracing::debug!(run = %state.run, step = %path, %refusal, "an attempt was not begun");
        return None;
    }
    let place = Place {
        shared,
        state,
        step,
        step_state,
        attempt,
        timeout: step.timeout.unwrap_or(TIMEOUT),
    };
    let clock = &shared.ports.clock;
    let begun = clock.now();
    let done = tokio::select! {
        done = made(&place) => done,
        () = clock.sleep_until(begun.plus(place.timeout)) => Ok(Done::failed(too_long(&place))),
    };
    Some(match done {
        Ok(done) => ended(&place, done, begun),
        Err(error) => collect::not_kept(step, path, attempt, &error),
    })
}

async fn made(place: &Place<'_>) -> Result<Done, Error> {
    match &place.step.kind {
        StepKind::Http(request) => http::request(place, request).await,
        StepKind::Notify(_) => Ok(tell(place).await),
        StepKind::Notebook(notebook) => merge::merge(place, notebook).await,
        StepKind::Action(wanted) => Ok(action::call(place, wanted).await),
        StepKind::Python(_)
        | StepKind::Set(_)
        | StepKind::Switch(_)
        | StepKind::Approval(_)
        | StepKind::Foreach(_)
        | StepKind::Until(_)
        | StepKind::Parallel(_)
        | StepKind::Workflow(_)
        | StepKind::Wait(_)
        | StepKind::Fail(_)
        | StepKind::Succeed(_) => Err(Error::Internal(format!(
            "a step of kind {} is no act",
            place.step.kind.as_str()
        ))),
    }
}

fn too_long(place: &Place<'_>) -> Failure {
    let message = format!(
        "it took longer than {}",
        crate::expression::format_duration(place.timeout)
    );
    let failure = Failure::new(FailureKind::Timeout, code::REQUEST_TIMED_OUT, message);
    if place.step.kind.writes() {
        failure
            .hint("the other side may have acted all the same; look there before it is made again")
    } else {
        failure
    }
}

fn ended(place: &Place<'_>, done: Done, begun: Timestamp) -> Command {
    let path = &place.step_state.path;
    let ended = place.shared.ports.clock.now();
    let result = ResultRecorded {
        step: path.clone(),
        attempt: place.attempt,
        results: done.results,
        figures: Vec::new(),
        artifacts: done.artifacts,
        notebook: done.notebook,
        folder: place.folder().attempt_relative(path, place.attempt),
        notes: done.notes,
        seconds: ended.since(begun).as_secs_f64(),
        max_rss_bytes: 0,
        cpu_seconds: 0.0,
        cached_as: None,
        isolation: Isolation::default(),
        packages: None,
    };
    Command::AttemptEnded {
        result,
        failure: done.failure,
    }
}

/// What becomes of an act that an earlier engine began: it left nothing but what it did outside.
pub(super) fn lost(path: &StepPath, attempt: u32) -> Command {
    Command::AttemptLost {
        step: path.clone(),
        attempt,
        started: true,
        evidence: "the engine stopped before an answer was recorded".to_owned(),
    }
}

/// Tells whom the step names.
async fn tell(place: &Place<'_>) -> Done {
    let (to, channel) = match target(place) {
        Ok(found) => found,
        Err(failure) => return Done::failed(failure),
    };
    let path = &place.step_state.path;
    let run = place.state.run;
    let message = Message {
        title: format!("{}: {}", place.state.plan.name, place.step.title()),
        text: place.text("text").to_owned(),
        key: place.key(),
        facts: json!({"run": run, "workflow": place.state.plan.name, "step": path}),
    };
    match place.shared.ports.transport.send(channel, message).await {
        Ok(()) => Done {
            results: Some(json!({ "to": to })),
            ..Done::default()
        },
        Err(failure) => {
            let now = place.shared.ports.clock.now();
            Done::failed(http::with_delay(failure, now))
        }
    }
}

fn target(place: &Place<'_>) -> Result<(String, Channel), Failure> {
    if place.step_state.inputs.contains_key("webhook") {
        let url = place.text("webhook").to_owned();
        let shown = address::shown(&url);
        let headers = Vec::new();
        return Ok((shown, Channel::Webhook { url, headers }));
    }
    let name = place.text("channel");
    Ok((name.to_owned(), channel(place.shared, name)?))
}

/// The channel of config.yml with that name.
pub(super) fn channel(shared: &Shared, name: &str) -> Result<Channel, Failure> {
    let channels = &shared.options.channels;
    channels.get(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = channels.keys().map(String::as_str).collect();
        let message = format!("config.yml has no channel `{name}`");
        let failure = Failure::new(FailureKind::Configuration, code::UNKNOWN_CHANNEL, message);
        if known.is_empty() {
            failure.hint("it has no `channels` at all")
        } else {
            failure.hint(format!("it has: {}", known.join(", ")))
        }
    })
}
