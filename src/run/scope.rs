//! What an expression of a workflow sees of a run.

mod handler;

use jiff::SignedDuration;
use serde_json::{Value as Json, json};

use super::frame::FrameKind;
use super::payload::BlockStatus;
use super::state::{MapState, RunState, StepState, StepStatus};
use crate::expression::{DateTime, Lookup, Scope, StepStatusWord, Value, parse_duration};
use crate::plan::{Field, FieldType, Step, StepKind};

/// The names that are in scope where an expression stands.
#[derive(Debug, Clone, Copy)]
pub struct RunScope<'a> {
    state: &'a RunState,
    frame: usize,
    /// One more name and its value, which goes before all others.
    local: Option<(&'a str, &'a Json)>,
}

impl<'a> RunScope<'a> {
    /// The scope of the run itself.
    #[must_use]
    pub fn new(state: &'a RunState) -> Self {
        Self::at(state, 0)
    }

    /// The scope of the steps of a frame.
    #[must_use]
    pub fn at(state: &'a RunState, frame: usize) -> Self {
        Self {
            state,
            frame,
            local: None,
        }
    }

    /// The same with one more name, for example `check`, the analysis of a step's code.
    #[must_use]
    pub fn with_local<'b>(&self, name: &'b str, value: &'b Json) -> RunScope<'b>
    where
        'a: 'b,
    {
        RunScope {
            state: self.state,
            frame: self.frame,
            local: Some((name, value)),
        }
    }

    /// The item or the round of the foreach or until around, by the name that the author gave it.
    fn loop_name(&self, name: &str) -> Option<Lookup<'a>> {
        let mut frame = self.state.frame(self.frame)?;
        loop {
            let owner = frame.owner?;
            let (step, state) = self.state.node(owner)?;
            match (&step.kind, &frame.kind) {
                (StepKind::Foreach(foreach), FrameKind::Item { index }) if foreach.name == name => {
                    let value = state.map.as_ref()?.items.get(*index)?;
                    return Some(Lookup::Json { value, used: 1 });
                }
                (StepKind::Until(until), FrameKind::Round { number }) if until.name == name => {
                    return Some(Lookup::Value {
                        value: plain(&round_json(state, *number)),
                        used: 1,
                    });
                }
                (_, FrameKind::Run | FrameKind::Item { .. } | FrameKind::Round { .. })
                | (_, FrameKind::Handler { .. }) => {}
            }
            frame = self.state.frame(owner.frame)?;
        }
    }

    /// What people wanted different, here and in what is around: `{by, text, at}`, in order of time.
    fn changes(&self) -> Json {
        json!(self.state.changes_seen_from(self.frame))
    }

    fn inputs(&self, rest: &[&str]) -> Lookup<'a> {
        let inputs = &self.state.created.inputs;
        let Some((name, _)) = rest.split_first() else {
            return Lookup::Value {
                value: plain(&Json::Object(inputs.clone())),
                used: 1,
            };
        };
        match inputs.get(*name) {
            Some(value) => typed(self.state.plan.inputs.get(*name), value, 2),
            None if self.state.plan.inputs.contains_key(*name) => Lookup::Absent {
                reason: format!("the optional input `{name}` was not given"),
            },
            None => Lookup::Unknown {
                known: inputs.keys().cloned().collect(),
            },
        }
    }

    fn steps(&self, rest: &[&str]) -> Lookup<'a> {
        let Some((id, rest)) = rest.split_first() else {
            return Lookup::Unknown { known: Vec::new() };
        };
        let Some((step, state)) = self.state.step_seen_from(self.frame, id) else {
            let known = self
                .state
                .plan
                .steps
                .iter()
                .map(|step| step.id.clone())
                .collect();
            return Lookup::Unknown { known };
        };
        let Some((part, rest)) = rest.split_first() else {
            return Lookup::Unknown {
                known: PARTS.map(str::to_owned).to_vec(),
            };
        };
        step_part(step, state, part, rest)
    }

    fn run(&self, rest: &[&str]) -> Lookup<'a> {
        let instant = |stamp: crate::time::Timestamp| {
            typed_text(FieldType::Datetime, &stamp.to_string())
                .unwrap_or_else(|| Value::Str(stamp.to_string()))
        };
        if rest.first() == Some(&"summary")
            && let Some(summary) = self.summary()
        {
            let value = plain(&summary);
            return Lookup::Value { value, used: 2 };
        }
        let value = match rest.first().copied() {
            Some("id") => Value::Str(self.state.run.to_string()),
            Some("trigger") => Value::Str(self.state.created.trigger.as_str().to_owned()),
            Some("scheduled_at") => instant(self.state.created.scheduled_at),
            Some("started_at") => instant(self.state.started_at.unwrap_or(self.state.created_at)),
            Some("interval_start" | "interval_end") => {
                return Lookup::Absent {
                    reason: "no schedule started this run, so it stands for no interval".to_owned(),
                };
            }
            _ => {
                let known = [
                    "id",
                    "scheduled_at",
                    "started_at",
                    "trigger",
                    "interval_start",
                    "interval_end",
                ];
                return Lookup::Unknown {
                    known: known.map(str::to_owned).to_vec(),
                };
            }
        };
        Lookup::Value { value, used: 2 }
    }

    /// What stands for a secret in everything that is recorded. Its value is put in when a process or a request
    /// is started, and only there.
    fn secrets(&self, rest: &[&str]) -> Lookup<'a> {
        let secrets = &self.state.plan.secrets;
        match rest.first().filter(|name| secrets.contains_key(**name)) {
            Some(name) => Lookup::Value {
                value: Value::Str(format!("${{{{ secrets.{name} }}}}")),
                used: 2,
            },
            None => Lookup::Unknown {
                known: secrets.keys().cloned().collect(),
            },
        }
    }

    fn workflow(&self, rest: &[&str]) -> Lookup<'a> {
        let value = match rest.first().copied() {
            Some("name") => Value::Str(self.state.plan.name.as_str().to_owned()),
            Some("version") => Value::Int(i64::from(self.state.plan.language)),
            _ => {
                return Lookup::Unknown {
                    known: ["name", "version"].map(str::to_owned).to_vec(),
                };
            }
        };
        Lookup::Value { value, used: 2 }
    }
}

/// What can be read of a step.
const PARTS: [&str; 9] = [
    "outputs", "results", "status", "attempts", "figures", "notebook", "failure", "failures", "arm",
];

impl Scope for RunScope<'_> {
    fn lookup(&self, path: &[&str]) -> Lookup<'_> {
        let first = path.first().copied().unwrap_or_default();
        if let Some((_, value)) = self.local.filter(|(name, _)| *name == first) {
            return Lookup::Json { value, used: 1 };
        }
        if let Some(found) = self.loop_name(first).or_else(|| self.handler_name(first)) {
            return found;
        }
        match path.split_first() {
            Some((&"inputs", rest)) => self.inputs(rest),
            Some((&"steps", rest)) => self.steps(rest),
            Some((&"run", rest)) => self.run(rest),
            Some((&"workflow", rest)) => self.workflow(rest),
            Some((&"secrets", rest)) => self.secrets(rest),
            Some((&"changes", _)) => Lookup::Value {
                value: plain(&self.changes()),
                used: 1,
            },
            _ => Lookup::Unknown {
                known: ["inputs", "steps", "run", "workflow", "changes"]
                    .map(str::to_owned)
                    .to_vec(),
            },
        }
    }

    fn status(&self, step: &str) -> Option<StepStatusWord> {
        let (_, state) = self.state.step_seen_from(self.frame, step)?;
        Some(match state.status {
            StepStatus::Succeeded => StepStatusWord::Succeeded,
            StepStatus::Failed => StepStatusWord::Failed,
            StepStatus::Skipped => StepStatusWord::Skipped,
            StepStatus::Pending
            | StepStatus::Ready
            | StepStatus::Running
            | StepStatus::Waiting
            | StepStatus::NotRun
            | StepStatus::Rejected
            | StepStatus::Cancelled
            | StepStatus::Unknown => StepStatusWord::Other,
        })
    }
}

fn step_part<'a>(step: &'a Step, state: &'a StepState, part: &str, rest: &[&str]) -> Lookup<'a> {
    match part {
        "outputs" => outputs(step, state, rest),
        "results" => match state
            .result
            .as_ref()
            .and_then(|result| result.results.as_ref())
        {
            Some(value) => Lookup::Json { value, used: 3 },
            None => absent(step, state, "left no results"),
        },
        "status" => Lookup::Value {
            value: Value::Str(state.status.as_str().to_owned()),
            used: 3,
        },
        "attempts" => {
            let count = i64::try_from(state.tries()).unwrap_or(i64::MAX);
            Lookup::Value {
                value: Value::Int(count),
                used: 3,
            }
        }
        "figures" => {
            let figures = state.result.iter().flat_map(|result| &result.figures);
            let paths: Vec<&str> = figures.map(|figure| figure.path.as_str()).collect();
            Lookup::Value {
                value: plain(&json!(paths)),
                used: 3,
            }
        }
        "notebook" => match state
            .result
            .as_ref()
            .and_then(|result| result.notebook.as_ref())
        {
            Some(notebook) => Lookup::Value {
                value: Value::Str(notebook.path.as_str().to_owned()),
                used: 3,
            },
            None => absent(step, state, "has no notebook"),
        },
        "failure" => match &state.failure {
            Some(_) => Lookup::Value {
                value: plain(&failure_json(state)),
                used: 3,
            },
            None => Lookup::Absent {
                reason: format!("step `{}` did not fail", step.id),
            },
        },
        "failures" => match &state.map {
            Some(map) => Lookup::Value {
                value: plain(&failures_json(map)),
                used: 3,
            },
            None => absent(step, state, "has no items"),
        },
        "arm" => match &state.branch {
            Some(branch) => Lookup::Value {
                value: Value::Str(branch.arm.as_str().to_owned()),
                used: 3,
            },
            None => absent(step, state, "took no arm"),
        },
        _ => Lookup::Unknown {
            known: PARTS.map(str::to_owned).to_vec(),
        },
    }
}

fn outputs<'a>(step: &'a Step, state: &'a StepState, rest: &[&str]) -> Lookup<'a> {
    let Some(outputs) = &state.outputs else {
        return absent(step, state, "has no outputs");
    };
    match rest.first().and_then(|name| outputs.get_key_value(*name)) {
        Some((name, value)) => typed(declared(step, name), value, 4),
        // Without a key, or with one that is not there: the evaluator says which keys exist.
        None => Lookup::Value {
            value: plain(&Json::Object(outputs.clone())),
            used: 3,
        },
    }
}

/// JSON as a value. Numbers of a history fit 64 bits or are finite, so nothing is lost.
fn plain(json: &Json) -> Value {
    Value::from_json(json).unwrap_or(Value::Null)
}

fn declared<'a>(step: &'a Step, name: &str) -> Option<&'a Field> {
    if let StepKind::Approval(approval) = &step.kind {
        approval.form.get(name)
    } else {
        step.outputs.as_ref()?.get(name)
    }
}

/// Dates and durations are text in JSON; where a declaration says so they are read as what they are.
fn typed<'a>(field: Option<&Field>, value: &'a Json, used: usize) -> Lookup<'a> {
    let read = field
        .zip(value.as_str())
        .and_then(|(field, text)| typed_text(field.field_type, text));
    match read {
        Some(value) => Lookup::Value { value, used },
        None => Lookup::Json { value, used },
    }
}

fn typed_text(field_type: FieldType, text: &str) -> Option<Value> {
    match field_type {
        FieldType::Date => text.parse().ok().map(Value::Date),
        FieldType::Datetime => DateTime::parse(text).map(Value::DateTime),
        FieldType::Duration => SignedDuration::try_from(parse_duration(text).ok()?)
            .ok()
            .map(Value::Duration),
        FieldType::String
        | FieldType::Int
        | FieldType::Float
        | FieldType::Bool
        | FieldType::List
        | FieldType::Map
        | FieldType::File => None,
    }
}

fn absent<'a>(step: &Step, state: &StepState, what: &str) -> Lookup<'a> {
    let why = state
        .why
        .as_ref()
        .map(|why| format!(" ({why})"))
        .unwrap_or_default();
    Lookup::Absent {
        reason: format!("step `{}` {what}: it {}{why}", step.id, state.status.told()),
    }
}

fn failure_json(state: &StepState) -> Json {
    let failure = state.failure.as_ref();
    json!({
        "step": state.path,
        "kind": failure.map(|failure| failure.kind.as_str()),
        "code": failure.map(|failure| failure.code.as_str()),
        "message": failure.map(|failure| failure.message.as_str()),
        "attempt": state.attempts.len(),
        "traceback": failure.and_then(|failure| failure.traceback.as_deref()),
    })
}

/// The items of a foreach that did not end well.
fn failures_json(map: &MapState) -> Json {
    let closed = map.closed.iter().zip(map.keys.iter()).enumerate();
    let bad = closed.filter_map(|(index, (closed, key))| {
        let closed = closed.as_ref()?;
        let failed = closed.status != BlockStatus::Succeeded;
        failed.then(|| {
            json!({
                "key": key,
                "index": index,
                "status": closed.status,
                "failure": closed.failure,
                "why": closed.why,
            })
        })
    });
    bad.collect()
}

/// What a round is in expressions: its number, and what the steps of the one before gave out.
fn round_json(state: &StepState, number: u32) -> Json {
    let mut round = json!({"index": number});
    let before = usize::try_from(number)
        .ok()
        .and_then(|number| number.checked_sub(2));
    let rounds = state.rounds.as_ref();
    let previous = before.and_then(|before| rounds?.closed.get(before));
    if let (Some(previous), Some(round)) = (previous, round.as_object_mut()) {
        round.insert("previous".to_owned(), Json::Object(previous.by_id.clone()));
    }
    round
}

/// What `check` is in `approve_code.when`: the analysis of the code that would run.
#[must_use]
pub fn check_json(report: &crate::python::analysis::Report) -> Json {
    serde_json::to_value(report).unwrap_or_default()
}
