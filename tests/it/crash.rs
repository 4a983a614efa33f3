//! Every workflow of the product and many random ones, with a crash after every event: the same end, and
//! nothing done twice but what was under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use stepwell::code;
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::StepPath;
use stepwell::plan::{Mode, Plan, Step, StepKind};
use stepwell::run::payload::{Answer, Values};
use stepwell::run::{ApprovalState, Event, RunState};

use crate::machine::plan_of;
use crate::simulator::{Adopted, Ends, Simulation, World, sample, sample_results};
use crate::workflow_compile::{examples, shown};

/// The plan of every workflow of the product.
pub(crate) fn product_plans() -> Vec<(String, Arc<Plan>)> {
    let plans = examples().into_iter().map(|example| {
        let made = example.compile();
        let said = shown(&made);
        let plan = made.plan.unwrap_or_else(|| panic!("{said}"));
        (example.name, Arc::new(plan))
    });
    plans.collect()
}

fn inputs(plan: &Plan, seed: u64) -> Value {
    plan.inputs
        .iter()
        .map(|(name, field)| (name.clone(), sample(field, seed)))
        .collect()
}

/// A yes to everything; an interrupted write is made again, so that the end is the same.
pub(crate) fn yes(asked: &ApprovalState) -> Option<(Answer, Values)> {
    let mut form = Values::new();
    for (name, field) in &asked.request.form {
        if name == "answer" {
            form.insert(name.clone(), json!("run_again"));
        } else if field.default.is_none() {
            form.insert(name.clone(), sample(field, 0));
        }
    }
    Some((Answer::Approve, form))
}

fn starts(history: &[stepwell::run::Recorded]) -> BTreeMap<StepPath, u32> {
    let mut starts = BTreeMap::new();
    for recorded in history {
        if let Event::AttemptStarted(started) = &recorded.event {
            *starts.entry(started.step.clone()).or_default() += 1;
        }
    }
    starts
}

/// Crashes after event `kept` and goes on; checks the end and what was done again.
pub(crate) fn crash_and_go_on(base: &Simulation, kept: usize, world: &mut World) {
    let done: Vec<StepPath> = finished(&base.crashed(kept).state);
    let in_flight: Vec<StepPath> = base
        .crashed(kept)
        .state
        .steps()
        .filter(|(_, state)| state.open_attempt().is_some())
        .map(|(_, state)| state.path.clone())
        .collect();
    let mut run = base.crashed(kept);
    run.rest(world);
    let place = format!(
        "crash after event {kept} ({:?})",
        base.history[kept - 1].event.name()
    );
    assert_eq!(run.outcome(), base.outcome(), "{place}");
    for step in &done {
        assert!(
            !world.ledger.contains_key(step),
            "{place}: finished step {step} ran again"
        );
    }
    let before = starts(&base.history);
    for (step, count) in starts(&run.history) {
        let allowed =
            before.get(&step).copied().unwrap_or(0) + u32::from(in_flight.contains(&step));
        assert!(
            count <= allowed,
            "{place}: {step} was started {count} times, {allowed} allowed"
        );
    }
}

fn finished(state: &RunState) -> Vec<StepPath> {
    let settled = state.steps().filter(|(_, state)| state.status.is_settled());
    settled.map(|(_, state)| state.path.clone()).collect()
}

#[test]
fn every_workflow_ends_the_same_whatever_event_it_crashes_after() {
    for (name, plan) in product_plans() {
        for seed in 0..5 {
            let mut base = Simulation::new(&plan, &inputs(&plan, seed));
            base.rest(&mut World::sampling(seed).voting(yes));
            assert!(base.state.ending.is_some(), "{name} comes to an end");
            for kept in 1..=base.history.len() {
                for adopted in [Adopted::Finished, Adopted::LostStarted, Adopted::LostBefore] {
                    let mut world = World::sampling(seed).voting(yes);
                    world.adopted = adopted;
                    crash_and_go_on(&base, kept, &mut world);
                }
            }
        }
    }
}

#[test]
fn every_workflow_survives_two_crashes_in_a_row() {
    for (name, plan) in product_plans() {
        let mut base = Simulation::new(&plan, &inputs(&plan, 1));
        base.rest(&mut World::sampling(1).voting(yes));
        for first in 1..=base.history.len() {
            let mut once = base.crashed(first);
            once.rest(&mut World::sampling(1).voting(yes));
            for second in first..=once.history.len() {
                let mut twice = once.crashed(second);
                twice.rest(&mut World::sampling(1).voting(yes));
                assert_eq!(
                    twice.outcome(),
                    base.outcome(),
                    "{name}: crashes after {first} and {second}"
                );
            }
        }
    }
}

#[test]
fn every_phase_of_every_workflow_may_fail_once() {
    let broken = || {
        Failure::new(
            FailureKind::Infrastructure,
            code::INTERNAL,
            "the disk hiccuped",
        )
    };
    for (name, plan) in product_plans() {
        let mut base = Simulation::new(&plan, &inputs(&plan, 2));
        base.rest(&mut World::sampling(2).voting(yes));
        for (path, _) in starts(&base.history) {
            let failing = path.clone();
            let mut run = Simulation::new(&plan, &inputs(&plan, 2));
            run.rest(
                &mut World::new(move |step, attempt| {
                    if step.path == failing && attempt == 1 {
                        Ends::Failing(broken())
                    } else {
                        Ends::With(sample_results(step, 2))
                    }
                })
                .voting(yes),
            );
            let (step, _) = run.state.step(&path).unwrap();
            let write =
                matches!(&step.kind, StepKind::Python(python) if python.mode == Mode::WriteAccess);
            if write {
                assert_eq!(
                    run.status_of(&step.id),
                    "failed",
                    "{name}: a write is not tried again by itself"
                );
            } else {
                assert_eq!(run.outcome(), base.outcome(), "{name}: {path} failed once");
            }
        }
    }
}

/// A random workflow as YAML: a list of steps with random needs, conditions, kinds and failures.
fn random_workflow() -> impl Strategy<Value = (String, Vec<bool>, bool)> {
    let step = (0..9_u8, any::<u16>(), 0..6_u8, 0..3_u8, any::<bool>());
    (
        prop::collection::vec(step, 1..9),
        prop::collection::vec(any::<bool>(), 9),
        any::<bool>(),
    )
        .prop_map(|(steps, fails, approve)| (text_of(&steps), fails, approve))
}

fn text_of(steps: &[(u8, u16, u8, u8, bool)]) -> String {
    let mut text = "steps:\n".to_owned();
    for (index, (kind, needs, condition, on_failure, explicit)) in steps.iter().enumerate() {
        text += &format!("  - id: s{index}\n");
        text += &match kind {
            0 | 1 => "    python: {code: 'results = {}'}\n".to_owned(),
            2 => "    python: {code: 'results = {}', mode: write_access}\n".to_owned(),
            3 => format!(
                "    switch:\n      - name: one\n        when: ${{{{ {needs} % 2 == 0 }}}}\n        steps:\n          \
                 - id: n{index}\n            python: {{code: 'results = {{}}'}}\n          \
                 - id: m{index}\n            set: {{v: 1}}\n        set: {{v: 1}}\n      \
                 - name: two\n        else: true\n        set: {{v: 2}}\n"
            ),
            4 => "    approval: {title: go on}\n".to_owned(),
            5 => format!(
                "    foreach:\n      items: [1, 2, 3]\n      concurrency: 2\n      fail_fast: false\n      {}steps:\n        \
                 - id: f{index}\n          python: {{code: 'results = {{}}'}}\n        \
                 - id: g{index}\n          set: {{v: '${{{{ item }}}}'}}\n",
                if needs % 2 == 0 {
                    "tolerate: 50%\n      "
                } else {
                    ""
                }
            ),
            6 => format!(
                "    until:\n      condition: ${{{{ round.index >= 2 }}}}\n      max: 3\n      every: 1m\n      steps:\n        \
                 - id: u{index}\n          python: {{code: 'results = {{}}'}}\n"
            ),
            7 => format!(
                "    parallel:\n      - name: left\n        steps:\n          - id: l{index}\n            \
                 python: {{code: 'results = {{}}'}}\n      - name: right\n        steps:\n          \
                 - id: r{index}\n            wait: {{duration: 5m}}\n          - id: q{index}\n            \
                 set: {{v: 1}}\n"
            ),
            _ => "    wait: {duration: 1h}\n".to_owned(),
        };
        let list: Vec<String> = (0..index)
            .filter(|bit| needs & (1 << bit) != 0)
            .map(|from| format!("s{from}"))
            .collect();
        if *explicit {
            text += &format!("    needs: [{}]\n", list.join(", "));
        }
        let last = index.checked_sub(1);
        match (condition, last) {
            (0, _) => text += "    if: ${{ 1 > 2 }}\n",
            (1, Some(last)) => text += &format!("    if: ${{{{ failed('s{last}') }}}}\n"),
            (2, _) => text += "    if: ${{ always() }}\n",
            _ => {}
        }
        match on_failure {
            0 => text += "    on_failure: continue\n",
            1 => text += "    on_failure: skip_dependents\n",
            _ => {}
        }
    }
    text
}

fn index_of(step: &Step) -> usize {
    step.id[1..].parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Liveness and invariants 1, 2, 4, 5, 14 of random plans: a run ends or waits for a person, from every
    /// prefix of its history; what finished never runs again; exactly one final event.
    #[test]
    fn random_workflows_end_the_same_whatever_event_they_crash_after((text, fails, approve) in random_workflow()) {
        let plan = plan_of(&text);
        let world = || {
            let fails = fails.clone();
            World::new(move |step, _| {
                if fails[index_of(step)] {
                    Ends::Failing(Failure::new(FailureKind::Code, code::INTERNAL, "boom"))
                } else {
                    Ends::With(json!({"v": 1}))
                }
            })
            .voting(move |asked| if approve || !asked.request.form.is_empty() {
                yes(asked)
            } else {
                Some((Answer::Reject, Values::new()))
            })
        };
        let mut base = Simulation::new(&plan, &json!({}));
        base.rest(&mut world());
        let ends = base.history.iter().filter(|r| stepwell::engine::ends_run(&r.event)).count();
        prop_assert_eq!(ends, 1, "{}", text);
        for kept in 1..=base.history.len() {
            let mut world = world();
            world.adopted = [Adopted::Finished, Adopted::LostStarted, Adopted::LostBefore][kept % 3];
            crash_and_go_on(&base, kept, &mut world);
        }
    }

    /// Invariants 7 and 14 under a cancel at any moment: the run ends cancelled, and no attempt starts after it.
    #[test]
    fn a_cancel_at_any_moment_ends_the_run_and_starts_nothing((text, _, _) in random_workflow(), at in any::<prop::sample::Index>()) {
        let plan = plan_of(&text);
        let mut base = Simulation::new(&plan, &json!({}));
        base.rest(&mut World::sampling(0));
        let kept = at.index(base.history.len().saturating_sub(1)) + 1;
        let mut run = base.crashed(kept);
        prop_assume!(run.state.ending.is_none() && run.state.started_at.is_some());
        run.submit(stepwell::run::Command::Cancel { reason: None }).unwrap();
        let mut world = World::sampling(0).voting(|_| None);
        run.rest(&mut world);
        prop_assert_eq!(run.state.status().as_str(), "cancelled");
        prop_assert!(world.ledger.is_empty());
    }

    /// Invariant 1: the fold is total. Any event in any state is applied or refused, and never panics.
    #[test]
    fn events_in_any_order_are_applied_or_refused((text, _, _) in random_workflow(), order in prop::collection::vec(any::<prop::sample::Index>(), 1..40)) {
        let plan = plan_of(&text);
        let mut base = Simulation::new(&plan, &json!({}));
        base.rest(&mut World::sampling(0));
        let mut state = base.crashed(1).state;
        for index in order {
            let mut recorded = base.history[index.index(base.history.len())].clone();
            recorded.seq = state.seq + 1;
            let before = state.clone();
            if state.apply(&recorded).is_err() {
                state = before;
            }
        }
    }
}
