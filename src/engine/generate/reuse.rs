//! Code that people approved and that worked is taken again, as long as nothing that their yes is about changed.
//!
//! A file for each task says in which run such code is. It is a hint and nothing more: what it says is looked up in
//! the history of that run, and counts only when that says the same, and when nobody said no to the code since.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Place, withdrawn};
use crate::approval::{
    self, Answer, Asked, Decision, Rules, Subject, Tally, Verdict, Voter, subject_digest,
};
use crate::canonical::canonical_json;
use crate::engine::history::History;
use crate::engine::options::blocking;
use crate::engine::{Error, Shared, analyse, files};
use crate::generator::shape;
use crate::id::{Digest, RunId, StepPath};
use crate::plan::{Mode, PythonStep, Reuse, Step};
use crate::run::payload::{
    AnalysisReported, Circumstances, CodeGenerated, Feedback, Reused, Usage,
};
use crate::run::{RunState, StepState, StepStatus};

/// Folder of the hints, and of the marks on code that they don't hold for any more.
pub(super) const FOLDER: &str = "approved";

/// Where approved code is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hint {
    run: RunId,
    step: StepPath,
    code: Digest,
    /// The newest mark on the code when this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<Digest>,
}

/// The code of an earlier run for exactly this task. Only a step that begins for the first time takes it: code that
/// failed here, or that people wanted different, is written anew.
pub(super) async fn find(place: &Place<'_>) -> Option<CodeGenerated> {
    let fresh = place.step_state.generations.is_empty() && place.feedback() == Feedback::None;
    if place.task.reuse == Reuse::Never || !fresh {
        return None;
    }
    let key = key(place.shared, place.step, place.step_state, place.python).await?;
    let hint = read(file(place.shared, &key)).await?;
    // People said no to it since, or it failed: the yes is no more.
    let mark = withdrawn::newest(place.shared, hint.code).await.ok()?;
    if mark != hint.mark {
        return None;
    }
    let reused = proven(place.shared, &hint).await?;
    place.shared.ports.get_blob(hint.code).await.ok()?;
    Some(CodeGenerated {
        step: place.step_state.path.clone(),
        attempt: None,
        generator: reused.generator,
        provider: reused.provider,
        model: reused.model,
        parameters: Value::Null,
        feedback: Feedback::None,
        fresh: false,
        prompt: reused.prompt,
        answer: None,
        code: Some(hint.code),
        failure: None,
        usage: Usage::default(),
        cost: None,
        seconds: 0.0,
        request_id: None,
        reused: Some(reused.source),
        approved_before: None,
    })
}

/// What the history of a run says of code that a hint names.
struct Proven {
    source: Reused,
    generator: String,
    provider: String,
    model: Option<String>,
    prompt: Option<Digest>,
}

async fn proven(shared: &Arc<Shared>, hint: &Hint) -> Option<Proven> {
    let history = History::load(Arc::clone(shared), hint.run).await.ok()?;
    let state = history.state();
    let (plan, step) = state.step(&hint.step)?;
    let analysis = step.analysis.as_ref()?;
    let written = &step.generation()?.record;
    let allowed = analysis.decision.verdict == Verdict::Pass || step.code_approved;
    let worked = step.status == StepStatus::Succeeded && step.tries() > 0;
    // What a person changed in what was written is what ran.
    let ran = step.code(plan.kind.as_python()?);
    let same = analysis.code == hint.code && ran == Some(hint.code);
    if !(allowed && worked && same) || step.copied_from.is_some() {
        return None;
    }
    Some(Proven {
        source: Reused {
            run: hint.run,
            step: hint.step.clone(),
            seq: step.ended_by?,
            approved_by: approvers(state, step),
            bound: analysis.reuse?,
            circumstances: Some(circumstances(state, step)),
            mark: hint.mark,
        },
        generator: written.generator.clone(),
        provider: written.provider.clone(),
        model: written.model.clone(),
        prompt: written.prompt,
    })
}

/// Who said yes to the code of a step.
fn approvers(state: &RunState, step: &StepState) -> Vec<String> {
    let asked = step.approval.as_ref().filter(|_| step.code_approved);
    let asked = asked.and_then(|id| state.approvals.get(id));
    let yes = asked.map(|asked| asked.tally().yes).unwrap_or_default();
    yes.into_iter().map(str::to_owned).collect()
}

fn circumstances(state: &RunState, step: &StepState) -> Circumstances {
    let asked = step.approval.as_ref();
    let asked = asked.and_then(|id| state.approvals.get(id));
    Circumstances {
        starter: state.starter.clone(),
        editor: step.edit.as_ref().map(|edit| edit.person.clone()),
        escalated: asked.is_some_and(|asked| asked.escalated.is_some()),
    }
}

/// Remembers the code of an attempt that is about to end well. Whether it did, its history will say.
pub(in crate::engine) async fn remember(
    shared: &Shared,
    state: &RunState,
    step: &Step,
    path: &StepPath,
) {
    let Some((_, step_state)) = state.step(path) else {
        return;
    };
    let Some(python) = step.kind.as_python() else {
        return;
    };
    let wanted = python
        .task()
        .is_some_and(|task| task.reuse == Reuse::Approved);
    let written = step_state.generation().map(|newest| &newest.record);
    // Code that was taken is remembered where it was approved, unless a person changed it here.
    let new = step_state.edit.is_some() || written.is_some_and(|written| written.reused.is_none());
    let Some(code) = step_state.code(python).filter(|_| wanted && new) else {
        return;
    };
    // That of the time of the analysis: the yes came later, and who said no since said it of this yes too.
    let Some(analysis) = &step_state.analysis else {
        return;
    };
    let hint = Hint {
        run: state.run,
        step: path.clone(),
        code,
        mark: analysis.mark,
    };
    let key = key(shared, step, step_state, python).await;
    let files = key.map(|key| file(shared, &key)).into_iter();
    for file in files.chain([file(shared, &place_of(state, step))]) {
        let text = serde_json::to_string_pretty(&hint).unwrap_or_default();
        if let Err(error) = files::write(file, text).await {
            tracing::warn!(run = %state.run, step = %path, %error, "approved code could not be remembered");
        }
    }
}

/// The code that was approved for this step before, to compare with.
pub(super) async fn approved_before(place: &Place<'_>) -> Option<Digest> {
    if place.task.reuse == Reuse::Never {
        return None;
    }
    let taken = place.step_state.generations.iter();
    let mut taken = taken.filter(|generation| generation.record.reused.is_some());
    if let Some(taken) = taken.next_back() {
        return taken.record.code;
    }
    let hint = read(file(place.shared, &place_of(place.state, place.step))).await?;
    proven(place.shared, &hint).await?;
    Some(hint.code)
}

/// What the name of a task's hint is made of: whatever differs here asks for other code.
async fn key(
    shared: &Shared,
    step: &Step,
    step_state: &StepState,
    python: &PythonStep,
) -> Option<Digest> {
    let spec = analyse::spec_of(shared, python).await.ok()?;
    let environment = shared.ports.executor.identify(&spec).await.ok()?;
    Some(Digest::of(&canonical_json(&json!({
        "task": step_state.task(),
        "outputs": step.outputs,
        "inputs": shapes(step_state),
        "env": step_state.env.keys().collect::<Vec<_>>(),
        "mode": python.mode,
        "environment": environment.digest,
        "policy": shared.options.policy.digest(),
        "rules": shared.options.rules.digest(),
        "approve_code": python.approve_code,
    }))))
}

fn shapes(step_state: &StepState) -> Map<String, Value> {
    let inputs = step_state.inputs.iter();
    inputs
        .map(|(name, value)| (name.clone(), shape::shape(value)))
        .collect()
}

/// The step of the workflow, whatever its task is now.
fn place_of(state: &RunState, step: &Step) -> Digest {
    Digest::of(&canonical_json(
        &json!({"workflow": state.plan.name, "step": step.path}),
    ))
}

/// What a yes is bound to, with the shapes of the inputs instead of their values.
pub(in crate::engine) fn bound(
    python: &PythonStep,
    step_state: &StepState,
    seen: Value,
    subject: &Subject<'_>,
) -> Option<Digest> {
    let task = python.task().filter(|task| task.reuse == Reuse::Approved)?;
    let mut seen = seen;
    let fields = seen.as_object_mut()?;
    fields.insert("context".to_owned(), Value::Object(shapes(step_state)));
    fields.remove("idempotency_key");
    fields.remove(analyse::FILES);
    fields.insert("approve_code".to_owned(), json!(python.approve_code));
    fields.insert("expects".to_owned(), json!(task.expects));
    Some(subject_digest(&Subject {
        inputs: &seen,
        ..*subject
    }))
}

/// The rule by which a yes of an earlier run decides.
const RULE: &str = "python.reuse = approved";

/// The yes of an earlier run for the code of a step, where it holds here too: for the very code, for reading only, and
/// where the same people would be enough for the question that it answers. Who writes is asked every time.
async fn holding<'a>(
    (shared, state): (&Shared, &RunState),
    (step_state, python): (&'a StepState, &PythonStep),
    bound: Option<Digest>,
    rules: &Rules,
) -> Option<&'a Reused> {
    let newest = &step_state.generation()?.record;
    let code = newest.code?;
    let reused = newest.reused.as_ref()?;
    let holds = step_state.code(python) == Some(code)
        && python.mode == Mode::ReadOnly
        && Some(reused.bound) == bound
        && enough(shared, state, rules, reused);
    let mark = withdrawn::newest(shared, code).await.ok()?;
    (holds && mark == reused.mark).then_some(reused)
}

/// Whether what let analysed code run still does: between the analysis and the start somebody may have said no.
pub(in crate::engine) async fn still_carried(
    (shared, state): (&Shared, &RunState),
    (step_state, python): (&StepState, &PythonStep),
    bound: Option<Digest>,
    analysis: &AnalysisReported,
) -> bool {
    if analysis.decision.rule != RULE {
        return true;
    }
    let of_step = (step_state, python);
    let holds = holding((shared, state), of_step, bound, &analysis.rules).await;
    holds.is_some()
}

/// What is decided of code where a yes of an earlier run holds.
pub(in crate::engine) async fn carried(
    (shared, state): (&Shared, &RunState),
    (step_state, python): (&StepState, &PythonStep),
    bound: Option<Digest>,
    rules: &Rules,
    decision: Decision,
) -> Decision {
    if decision.verdict != Verdict::Ask {
        return decision;
    }
    match holding((shared, state), (step_state, python), bound, rules).await {
        Some(reused) => Decision {
            verdict: Verdict::Pass,
            rule: RULE.to_owned(),
            reason: format!(
                "{} approved this code in run {}, for this task and inputs of this shape.",
                reused.approved_by.join(", "),
                reused.run
            ),
            code: None,
        },
        None => decision,
    }
}

/// Whether those who said yes then would be enough today: neither who started that run or this one, nor who changed
/// the code, where the rules keep them from answering, and with the roles that people have now.
fn enough(shared: &Shared, state: &RunState, rules: &Rules, reused: &Reused) -> bool {
    let unknown = Circumstances::default();
    let then = match &reused.circumstances {
        Some(circumstances) => circumstances,
        None if rules.allow_self => &unknown,
        None => return false,
    };
    let starters = [then.starter.as_deref(), state.starter.as_deref()];
    let may = |person: &&String| {
        let roles = shared.options.roles.of(person);
        let voter = Voter {
            name: person,
            roles: &roles,
        };
        starters.iter().all(|starter| {
            let asked = Asked {
                rules,
                starter: *starter,
                editor: then.editor.as_deref(),
                escalated: then.escalated,
                changes_left: None,
            };
            approval::authorize(&asked, voter, Answer::Approve).is_ok()
        })
    };
    let yes = reused.approved_by.iter().filter(may);
    let tally = Tally::of(yes.map(|person| (person.as_str(), Answer::Approve)));
    tally.decided(rules) == Some(Answer::Approve)
}

fn file(shared: &Shared, key: &Digest) -> PathBuf {
    let folder = shared.options.data.join(FOLDER);
    folder.join(format!("{}.json", key.hex()))
}

async fn read(file: PathBuf) -> Option<Hint> {
    let read =
        blocking(move || std::fs::read(file).map_err(|error| Error::Internal(error.to_string())));
    serde_json::from_slice(&read.await.ok()?).ok()
}

/// The newest mark on code that a later run may take, as the analysis finds it.
pub(in crate::engine) async fn mark_of(
    shared: &Shared,
    python: &PythonStep,
    code: Digest,
) -> Result<Option<Digest>, Error> {
    match python.task() {
        Some(task) if task.reuse == Reuse::Approved => withdrawn::newest(shared, code).await,
        Some(_) | None => Ok(None),
    }
}
