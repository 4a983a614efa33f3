//! Foreach: the items are fixed, go through their steps a few at a time, and end together.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::block;
use super::evaluate::{evaluate, text, values};
use super::leave;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan::{ForeachStep, Step};
use crate::run::event::Event;
use crate::run::payload::{
    BlockStatus, MapExpanded, MapItemClosed, MapItemStarted, StepSucceeded, Values,
};
use crate::run::scope::RunScope;
use crate::run::state::{MapState, RunState, StepState};

/// Most items of a foreach.
pub const ITEMS_MAX: usize = 10_000;
/// Longest key of an item, in characters: it is part of the names of folders.
pub const KEY_CHARS_MAX: usize = 200;

/// Fixes the items and their keys.
pub(super) fn expand(
    state: &RunState,
    step_state: &StepState,
    foreach: &ForeachStep,
) -> Result<Vec<Event>, Failure> {
    let scope = RunScope::at(state, step_state.node.frame);
    let value = evaluate(&foreach.items, &scope, "foreach.items")?.to_json();
    let Value::Array(items) = value else {
        let message = format!(
            "foreach.items: a list was expected, not {}",
            kind_of(&value)
        );
        return Err(bad(code::FOREACH_NOT_A_LIST, message)
            .hint("`items` must give a list; of a map take `list(m.items())` or `m.keys()`"));
    };
    if items.len() > ITEMS_MAX {
        let message = format!(
            "foreach.items: {} items, at most {ITEMS_MAX} are allowed",
            items.len()
        );
        return Err(bad(code::TOO_MANY_ITEMS, message)
            .hint("put several of them into one item, or split the list over several runs"));
    }
    let keys = keys(&scope, foreach, &items)?;
    Ok(vec![Event::MapExpanded(MapExpanded {
        step: step_state.path.clone(),
        items,
        keys,
    })])
}

fn bad(code: code::Code, message: String) -> Failure {
    Failure::new(FailureKind::Code, code, message)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn keys(
    scope: &RunScope<'_>,
    foreach: &ForeachStep,
    items: &[Value],
) -> Result<Vec<String>, Failure> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut keys = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let key = match &foreach.key {
            None => index.to_string(),
            Some(template) => {
                let place = format!("foreach.key of item {index}");
                let local = scope.with_local(&foreach.name, item);
                text(&evaluate(template, &local, &place)?, &place)?
            }
        };
        let length = key.chars().count();
        if key.trim().is_empty() || length > KEY_CHARS_MAX {
            let what = if length > KEY_CHARS_MAX {
                "too long"
            } else {
                "empty"
            };
            let message = format!("foreach.key of item {index} is {what}");
            return Err(bad(code::BAD_ITEM_KEY, message).hint(format!(
                "a key has 1 to {KEY_CHARS_MAX} characters and is unique in its list"
            )));
        }
        if let Some(first) = seen.insert(key.clone(), index) {
            let message = format!("items {first} and {index} have the same key `{key}`");
            return Err(bad(code::BAD_ITEM_KEY, message)
                .hint("results are matched by key: choose one that tells the items apart"));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// What goes on in a foreach whose items are fixed: items end, others start, all have ended.
pub(super) fn running(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    foreach: &ForeachStep,
) -> Vec<Event> {
    let Some(map) = &step_state.map else {
        return Vec::new();
    };
    let stopped = state.stop_of(step_state.node).is_some();
    let waits = step_state
        .slots
        .as_ref()
        .is_some_and(|slots| !slots.admitted);
    let held = stopped || waits || state.is_held_back(step_state.node);
    let mut events: Vec<Event> = map
        .open
        .iter()
        .filter_map(|index| close(state, step_state, foreach, *index))
        .collect();
    if !held {
        let due = map.again.iter().copied().chain(map.next..map.items.len());
        events.extend(due.take(map.room(foreach)).map(|index| {
            Event::MapItemStarted(MapItemStarted {
                step: step_state.path.clone(),
                index,
            })
        }));
    }
    if events.is_empty() && map.open.is_empty() && (stopped || map.is_done()) {
        return vec![end(state, step, step_state, foreach, map)];
    }
    events
}

fn close(
    state: &RunState,
    step_state: &StepState,
    foreach: &ForeachStep,
    index: usize,
) -> Option<Event> {
    let frame = step_state
        .map
        .as_ref()?
        .frames
        .get(index)
        .copied()
        .flatten()?;
    let ended = block::ended(state, frame, &foreach.steps)?;
    let mut closed = MapItemClosed {
        step: step_state.path.clone(),
        index,
        status: ended.status,
        outputs: Values::new(),
        failure: ended.failure,
        why: ended.why,
    };
    if closed.status == BlockStatus::Succeeded {
        match hand_out(state, frame, foreach) {
            Ok(outputs) => closed.outputs = outputs,
            Err(failure) => {
                closed.status = BlockStatus::Failed;
                closed.failure = Some(failure);
            }
        }
    }
    Some(Event::MapItemClosed(closed))
}

fn hand_out(state: &RunState, frame: usize, foreach: &ForeachStep) -> Result<Values, Failure> {
    if foreach.collect.is_empty() {
        return Ok(block::outputs_by_id(state, frame, &foreach.steps));
    }
    values(&foreach.collect, &RunScope::at(state, frame), "collect")
}

/// The end of a foreach that has nothing under way.
fn end(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    foreach: &ForeachStep,
    map: &MapState,
) -> Event {
    let allowed = foreach
        .tolerate
        .map_or(0, |tolerate| tolerate.of(map.items.len()));
    let worst = (map.failed > allowed).then(|| first_bad(map)).flatten();
    if let Some((key, closed)) = worst
        && leave::own_or_no_stop(state, step_state)
    {
        if let Some(failure) = &closed.failure {
            let mut failure = failure.clone();
            failure.message = format!("item `{key}`: {}", failure.message);
            return leave::failed(step_state, failure);
        }
        let why = closed.why.clone().unwrap_or_default();
        return leave::rejected(step_state, format!("item `{key}`: {why}"));
    }
    if let Some(event) = leave::stopped(state, step, step_state) {
        return event;
    }
    Event::StepSucceeded(StepSucceeded {
        step: step_state.path.clone(),
        outputs: outputs(foreach, map),
    })
}

/// The item that decided: the first that failed or was rejected.
fn first_bad(map: &MapState) -> Option<(&str, &MapItemClosed)> {
    let bad = |closed: &MapItemClosed| match closed.status {
        BlockStatus::Failed | BlockStatus::Rejected => true,
        BlockStatus::Succeeded | BlockStatus::Cancelled => false,
    };
    let mut all = map.closed.iter().zip(map.keys.iter());
    all.find_map(|(closed, key)| {
        let closed = closed.as_deref().filter(|closed| bad(closed))?;
        Some((key.as_str(), closed))
    })
}

fn outputs(foreach: &ForeachStep, map: &MapState) -> Values {
    let of = |closed: &Option<std::sync::Arc<MapItemClosed>>, name: &str| {
        let closed = closed.as_ref()?;
        closed.outputs.get(name).cloned()
    };
    let mut outputs = Values::new();
    if foreach.collect.is_empty() {
        let items = map.closed.iter().zip(map.keys.iter()).enumerate();
        let items = items.map(|(index, (closed, key))| {
            json!({
                "key": key,
                "index": index,
                "status": closed.as_ref().map(|closed| closed.status),
                "outputs": closed.as_ref().map(|closed| &closed.outputs),
            })
        });
        outputs.insert("items".to_owned(), items.collect());
    }
    for name in foreach.collect.keys() {
        let list = map
            .closed
            .iter()
            .map(|closed| of(closed, name).unwrap_or(Value::Null));
        outputs.insert(name.clone(), list.collect());
    }
    outputs.insert("keys".to_owned(), json!(map.keys.as_slice()));
    outputs
}
