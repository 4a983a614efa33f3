//! A workflow under everything that may come between: a crash after each event, everything said twice, slow
//! people, failing steps, a cancel and a pause at each event.

mod findings;
mod scenario;
mod tally;

pub use findings::StepReport;

use std::sync::Arc;

use serde_json::{Value, json};

use super::drive::{Fault, Rehearsal};
use super::world::World;
use crate::plan::Plan;
use crate::run::RunStatus;
use crate::run::payload::Values;
use crate::time::Timestamp;

/// Longest history of which every event is tried, in events.
const EVENTS_MAX: usize = 500;
/// How many events of a longer history are tried.
const EVENTS_DRAWN: usize = 250;
/// Most broken promises that are kept.
const BROKEN_MAX: usize = 50;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What came between, in words.
    pub when: String,
    /// What was broken.
    pub what: String,
}

/// What a rehearsal of chaos gave.
#[derive(Debug, Clone)]
pub struct Chaos {
    /// Where the run stands that nothing came between.
    pub status: RunStatus,
    /// Events of that run.
    pub events: usize,
    /// How many of them something was tried after.
    pub tried: usize,
    /// How many runs were made.
    pub runs: usize,
    /// Broken promises; empty = all kept.
    pub broken: Vec<Broken>,
    /// How many more there are.
    pub hidden: usize,
    /// What may happen to the effect of each step.
    pub steps: Vec<StepReport>,
    /// Steps that the run without chaos never reached.
    pub unreached: Vec<String>,
    /// What was told of that run, when it did not succeed: the first failure or the question.
    pub remark: Option<String>,
}

/// Rehearses a plan in that world, whose people say yes.
///
/// # Errors
/// The run can't be rehearsed even when nothing comes between.
pub fn rehearse(
    plan: &Arc<Plan>,
    inputs: Values,
    clock: Timestamp,
    world: &World,
    seed: u64,
) -> Result<Chaos, Fault> {
    let mut base = Rehearsal::new(plan, inputs, clock)?;
    base.rest(world)?;
    let points = points(base.history().len(), seed);
    let mut stage = scenario::Stage::new(&base, world);
    stage.all(&points);
    let scenario::Seen {
        runs,
        mut broken,
        tally,
    } = stage.seen;
    let hidden = broken.len().saturating_sub(BROKEN_MAX);
    broken.truncate(BROKEN_MAX);
    Ok(Chaos {
        status: base.state().status(),
        events: base.history().len(),
        tried: points.len(),
        runs,
        broken,
        hidden,
        steps: findings::steps(&base, &tally),
        unreached: findings::unreached(&base),
        remark: findings::remark(&base),
    })
}

/// The places in a history that something is tried after: all of them, or as many as there is time for.
fn points(events: usize, seed: u64) -> Vec<usize> {
    if events <= EVENTS_MAX {
        return (1..=events).collect();
    }
    let stride = events.div_ceil(EVENTS_DRAWN);
    let offset = usize::try_from(seed).unwrap_or_default() % stride;
    (1 + offset..=events).step_by(stride).collect()
}

/// Statuses and outputs, without anything that differs from one way there to another.
fn outcome(run: &Rehearsal) -> Value {
    let state = run.state();
    let steps = state.steps().map(|(_, step)| {
        let told = json!({"status": step.status, "outputs": step.outputs});
        (step.path.to_string(), told)
    });
    let steps: serde_json::Map<String, Value> = steps.collect();
    let outputs = state.ending.as_ref().map(|ending| &ending.outputs);
    json!({"status": state.status(), "outputs": outputs, "steps": steps})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_history_places_are_drawn_by_the_seed() {
        assert_eq!(points(3, 9), [1, 2, 3]);
        let drawn = points(10_000, 0);
        assert!(drawn.len() <= EVENTS_DRAWN && drawn.len() > EVENTS_DRAWN / 2);
        assert_ne!(drawn, points(10_000, 1));
        assert!(
            points(10_000, 7)
                .iter()
                .all(|point| (1..=10_000).contains(point))
        );
    }
}
