//! Code is written: asked for once, recorded, and never asked for again.

mod ask;
mod hear;
mod keep;
mod ledger;
mod reuse;
mod turn;
mod withdrawn;

use std::sync::Arc;

pub(super) use keep::adopt;
pub(super) use reuse::{bound, carried, mark_of, remember, still_carried};
pub(super) use withdrawn::{mark as withdraw, withdrawn_by};

use super::secrets::Secrets;
use super::task::Driver;
use super::{Error, Shared, http};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::generator::set::{Charge, Entry};
use crate::generator::{Answer, Request, extract};
use crate::id::StepPath;
use crate::plan::{PythonStep, Step, TaskStep};
use crate::python::analysis::{RuleSet, analyze};
use crate::run::payload::{
    AttemptStarted, CodeGenerated, Cost, EffectClass, Feedback, Phase, Usage,
};
use crate::run::{Command, Due, RunState, Standing, StepState, standing};
use hear::Heard;
use keep::Kept;
use turn::Turn;

/// What the writing of code needs to know of its place.
pub(super) struct Place<'a> {
    shared: &'a Arc<Shared>,
    state: &'a RunState,
    step: &'a Step,
    step_state: &'a StepState,
    python: &'a PythonStep,
    task: &'a TaskStep,
    due: Due,
    attempt: u32,
}

impl Place<'_> {
    /// What people wanted different, with their names.
    fn changes(&self) -> Vec<(String, String)> {
        self.state
            .changes_seen_from(self.step_state.node.frame)
            .into_iter()
            .map(|change| (change.by.clone(), change.text.clone()))
            .collect()
    }

    /// What the generator is told beside the task.
    fn feedback(&self) -> Feedback {
        match self.due.feedback {
            Feedback::None if !self.changes().is_empty() => Feedback::Changes,
            told @ (Feedback::None
            | Feedback::Answer
            | Feedback::Findings
            | Feedback::Failure
            | Feedback::Changes) => told,
        }
    }
}

/// Has code written for a step, or takes code that was approved before.
pub(super) async fn generate(
    driver: &Driver,
    state: &RunState,
    path: &StepPath,
    attempt: u32,
) -> Option<Command> {
    let (step, step_state) = state.step(path)?;
    let python = step.kind.as_python()?;
    let Standing::Due(due) = standing(step, step_state) else {
        return None;
    };
    let place = Place {
        shared: &driver.shared,
        state,
        step,
        step_state,
        python,
        task: python.task()?,
        due,
        attempt,
    };
    if let Some(found) = reuse::find(&place).await {
        return Some(Command::Generated(found));
    }
    let allowed = chosen(&place).await;
    let (name, entry, _turn) = match allowed {
        Ok(found) => found,
        Err(failure) => {
            let step = path.clone();
            return Some(Command::AnalysisFailed { step, failure });
        }
    };
    let started = AttemptStarted {
        step: path.clone(),
        attempt,
        phase: Phase::Generate,
        executor: name.clone(),
        placed_by: None,
        effect: EffectClass::Read,
        environment: None,
        subject: None,
    };
    if let Err(refusal) = driver.submit(Command::BeginAttempt(started)).await {
        tracing::debug!(run = %state.run, step = %path, %refusal, "no code was asked for");
        return None;
    }
    Some(match written(&place, &name, &entry).await {
        Ok(generated) => Command::Generated(generated),
        Err(failure) => Command::AttemptBroken {
            step: path.clone(),
            attempt,
            failure: http::with_delay(failure, driver.shared.ports.clock.now()),
        },
    })
}

/// The generator of the step, when it may be called, with the turn to call it.
async fn chosen<'a>(place: &Place<'a>) -> Result<(String, Entry, Turn<'a>), Failure> {
    let generators = &place.shared.options.generators;
    let (name, entry) = generators.find(place.task.generator.as_deref())?;
    let turn = turn::wait(place, name, entry).await?;
    ledger::check(place, name, entry).await?;
    Ok((name.to_owned(), entry.clone(), turn))
}

/// Asks, and keeps what comes back before anything speaks of it.
async fn written(place: &Place<'_>, name: &str, entry: &Entry) -> Result<CodeGenerated, Failure> {
    let secrets = Secrets::of(place.shared, place.state).await;
    let facts = ask::facts(place).await?;
    let mut prompt = crate::generator::prompt::write(&facts);
    prompt.system = secrets.redactor().text(&prompt.system).into_owned();
    prompt.user = secrets.redactor().text(&prompt.user).into_owned();
    let kept = Kept::of(place);
    let prompt_blob = kept.text("prompt.md", &prompt.to_markdown()).await;
    let prompt_blob = prompt_blob.map_err(|error| not_kept(&error))?;
    let request = Request {
        facts: secrets.redactor().value(&ask::as_json(place, &facts)),
        prompt: prompt.clone(),
        fresh: place.due.is_fresh(),
        step: place.step.id.clone(),
        number: place.due.number,
    };
    let clock = &place.shared.ports.clock;
    let begun = clock.now();
    let about = entry.generator.about();
    let heard = Heard::of(place, about.model.as_deref().unwrap_or(name));
    let hearer = |written| heard.hear(written);
    let answer = match entry.generator.generate(request, &hearer).await {
        Ok(answer) => answer,
        Err(failure) => {
            let estimate = entry.estimate(&prompt, heard.written());
            return Err(ledger::note_broken(place, name, estimate, failure).await);
        }
    };
    let seconds = clock.now().since(begun).as_secs_f64();
    let cost = entry.cost(&prompt, &answer, heard.written()).map(cost);
    ledger::note(place, name, cost.as_ref()).await;
    let found = match extract::code(&answer) {
        Ok(code) => leaves_results(place, code).await,
        Err(failure) => Err(failure),
    };
    let keeping = async {
        let answer_blob = kept.text("answer.md", &answer.text).await?;
        kept.text("answer.raw", &answer.raw).await?;
        let code = match &found {
            Ok(code) => Some(kept.text("code.py", code).await?),
            Err(_) => None,
        };
        Ok::<_, Error>((answer_blob, code))
    };
    let (answer_blob, code) = keeping.await.map_err(|error| not_kept(&error))?;
    let generated = CodeGenerated {
        step: place.step_state.path.clone(),
        attempt: Some(place.attempt),
        generator: name.to_owned(),
        provider: about.provider.to_owned(),
        model: answer.model.clone().or(about.model),
        parameters: answer.parameters.clone(),
        feedback: place.feedback(),
        fresh: place.due.is_fresh(),
        prompt: Some(prompt_blob),
        answer: Some(answer_blob),
        code,
        failure: found.err(),
        usage: usage(&answer),
        cost,
        seconds,
        request_id: answer.request_id.clone(),
        reused: None,
        approved_before: reuse::approved_before(place).await,
    };
    kept.whole(&generated).await;
    Ok(generated)
}

fn cost(charge: Charge) -> Cost {
    Cost {
        amount: charge.amount,
        currency: charge.currency,
        estimated: charge.estimated,
    }
}

fn usage(answer: &Answer) -> Usage {
    Usage {
        input_tokens: answer.input_tokens,
        output_tokens: answer.output_tokens,
        cached_tokens: answer.cached_tokens,
        reasoning_tokens: answer.reasoning_tokens,
    }
}

/// Code that never assigns `results` leaves nothing: where something is expected, nobody need run it to know. Code
/// that can't be read is left to the analysis, which says where.
async fn leaves_results(place: &Place<'_>, code: String) -> Result<String, Failure> {
    let declared = place.step.outputs.iter().flatten();
    let mut declared = declared.map(|(_, field)| field.required);
    if !(declared.any(|required| required) || place.task.expects.is_some()) {
        return Ok(code);
    }
    let text = code.clone();
    let looked = super::options::blocking(move || Ok(analyze(&text, &RuleSet::default())));
    let report = looked.await.map_err(|error| not_kept(&error))?;
    if report.assigns_results || !report.readable() {
        return Ok(code);
    }
    let message = "the code never assigns `results`, so it would leave nothing";
    Err(Failure::new(
        FailureKind::Code,
        code::GENERATION_NO_RESULTS,
        message,
    ))
}

fn not_kept(error: &Error) -> Failure {
    let message = format!("what the generator was asked, or answered, could not be kept: {error}");
    Failure::new(FailureKind::Infrastructure, error.code(), message)
}
