//! Steps that do what the program brings along: checked when a run is made, called when it is their turn.

use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::act::{Done, Place};
use super::secrets::Secrets;
use super::{Error, NewRun, Shared};
use crate::action::Call;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::plan::{ActionStep, Plan, SecretSource, StepKind};

/// Deepest nesting of what an action gives: what is deeper could not be read back from the history.
const DEPTH_MAX: usize = 64;

/// Refuses a run that would come to an action that is not there, in a run inside of it too.
///
/// # Errors
/// The first step that names one.
pub(super) fn check(shared: &Shared, new: &NewRun) -> Result<(), Error> {
    check_plan(shared, &new.plan, &new.blobs)
}

/// The same for a plan and what it names by digest.
///
/// # Errors
/// The first step that names one.
pub(super) fn check_plan(
    shared: &Shared,
    plan: &Plan,
    blobs: &[(Digest, Vec<u8>)],
) -> Result<(), Error> {
    shared.options.actions.check(plan)?;
    for step in plan.steps.iter() {
        let StepKind::Workflow(inner) = &step.kind else {
            continue;
        };
        // One that does not come with the run is looked at when its own run is made.
        let found = blobs.iter().find(|(digest, _)| *digest == inner.plan);
        if let Some((_, bytes)) = found {
            check_plan(shared, &Plan::from_bytes(bytes)?, blobs)?;
        }
    }
    Ok(())
}

/// Calls the action of a step once.
pub(super) async fn call(place: &Place<'_>, wanted: &ActionStep) -> Done {
    match called(place, wanted).await {
        Ok(results) => Done {
            results: Some(results),
            ..Done::default()
        },
        Err(failure) => Done::failed(failure),
    }
}

async fn called(place: &Place<'_>, wanted: &ActionStep) -> Result<Value, Failure> {
    let path = &place.step_state.path;
    // The program that goes on with a run may be another one than the one that made it.
    let actions = &place.shared.options.actions;
    let action = actions.find(path, wanted).map_err(|error| {
        Failure::new(FailureKind::Configuration, error.code(), error.to_string()).hint(error.help())
    })?;
    let secrets = Secrets::of(place.shared, place.state).await;
    let call = Call {
        with: with(place, &secrets)?,
        run: place.state.run,
        step: path.clone(),
        attempt: place.attempt,
        idempotency_key: place.key(),
        timeout: place.timeout,
    };
    // A task of its own, so that a panic ends the attempt and nothing else; it is dropped with the set.
    let mut task = JoinSet::new();
    task.spawn(async move { action.run(call).await });
    let results = match task.join_next().await {
        Some(Ok(answer)) => answer?,
        Some(Err(error)) => return Err(panicked(&wanted.name, error)),
        None => {
            return Err(Failure::new(
                FailureKind::Internal,
                code::INTERNAL,
                "no task",
            ));
        }
    };
    if depth(&results) > DEPTH_MAX {
        let message = format!("what the action gives is nested more than {DEPTH_MAX} levels deep");
        return Err(Failure::new(
            FailureKind::Code,
            code::RESULTS_TOO_DEEP,
            message,
        ));
    }
    Ok(results)
}

/// What the action is told. Secrets are put in here, at the last moment: what is recorded has only their names.
fn with(place: &Place<'_>, secrets: &Secrets) -> Result<Map<String, Value>, Failure> {
    let fixed = place.step_state.inputs.get("with");
    let mut with = Map::new();
    for (name, value) in fixed.and_then(Value::as_object).into_iter().flatten() {
        let named = place.step.with.get(name).map(SecretSource::named_in);
        let value = filled(value, &named.unwrap_or_default(), secrets)?;
        with.insert(name.clone(), value);
    }
    Ok(with)
}

fn filled(value: &Value, allowed: &[&str], secrets: &Secrets) -> Result<Value, Failure> {
    Ok(match value {
        Value::String(text) => Value::String(secrets.fill(text, allowed)?),
        Value::Array(items) => {
            let items = items.iter().map(|item| filled(item, allowed, secrets));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| Ok((key.clone(), filled(value, allowed, secrets)?)));
            Value::Object(entries.collect::<Result<_, Failure>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

fn panicked(name: &str, error: tokio::task::JoinError) -> Failure {
    let said = error.try_into_panic().ok().and_then(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned())
    });
    let message = match said {
        Some(said) => format!("the action `{name}` panicked: {said}"),
        None => format!("the action `{name}` panicked"),
    };
    Failure::new(FailureKind::Code, code::ACTION_FAILED, message)
}

/// How deep a value is nested.
pub(super) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
