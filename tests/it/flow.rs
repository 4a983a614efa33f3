//! Loops, branches, clocks, signals, places and runs inside runs, by the rules of the language: each test is a
//! small workflow and how it ends.

use std::sync::Arc;

use serde_json::{Value, json};
use stepwell::code;
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::{Digest, StepPath};
use stepwell::plan::{Plan, StepKind};
use stepwell::run::payload::{Answer, ChildRunStarted, ChildRunWaiting, Values};
use stepwell::run::{Command, Refusal, RunStatus};

use crate::machine::plan_of;
use crate::simulator::{Ends, Simulation, World};

/// A world in which the code of a step fails when its id and the item it works on say so.
fn world(fails: impl Fn(&str, &Value) -> bool + 'static) -> World {
    World::new(move |step, _| {
        if fails(&step.id, &Value::Null) {
            Ends::Failing(Failure::new(FailureKind::Code, code::BAD_OUTPUT, "boom"))
        } else {
            Ends::With(json!({"x": 1}))
        }
    })
}

fn fine() -> World {
    world(|_, _| false)
}

fn run(yaml: &str, mut world: World) -> Simulation {
    let mut run = Simulation::new(&plan_of(yaml), &json!({}));
    run.rest(&mut world);
    run
}

/// `path status` of every step.
fn told(run: &Simulation) -> Vec<String> {
    let steps = run.state.steps();
    steps
        .map(|(_, state)| format!("{} {}", state.path, state.status.as_str()))
        .collect()
}

fn outputs(run: &Simulation, path: &str) -> Value {
    let (_, state) = run.state.step(&StepPath::new(path)).unwrap();
    state.outputs.clone().map_or(Value::Null, Value::Object)
}

fn failure(run: &Simulation, path: &str) -> Failure {
    let (_, state) = run.state.step(&StepPath::new(path)).unwrap();
    *state.failure.clone().unwrap()
}

fn word(run: &Simulation) -> &'static str {
    run.state.status().as_str()
}

fn events(run: &Simulation, name: &str) -> usize {
    run.history
        .iter()
        .filter(|recorded| recorded.event.name() == name)
        .count()
}

const PY: &str = "python: {code: 'results = {}'}";

#[test]
fn rule_13_items_keep_their_order_and_are_addressed_by_key() {
    let yaml = "steps:\n  - id: per\n    foreach:\n      items: [{name: b, n: 2}, {name: 'a/[1]', n: 1}]\n      as: it\n      \
                key: ${{ it.name }}\n      concurrency: 1\n      steps:\n        - id: calc\n          set: {twice: '${{ it.n * 2 }}'}\n        \
                - id: more\n          set: {sum: '${{ steps.calc.outputs.twice + it.n }}'}\n      collect: {sums: '${{ steps.more.outputs.sum }}'}\n  \
                - id: after\n    set: {all: '${{ sum(steps.per.outputs.sums) }}'}\n";
    let run = run(yaml, fine());
    assert_eq!(word(&run), "succeeded");
    assert_eq!(
        told(&run),
        [
            "per succeeded",
            "per[b].calc succeeded",
            "per[b].more succeeded",
            "per[a%2F%5B1%5D].calc succeeded",
            "per[a%2F%5B1%5D].more succeeded",
            "after succeeded"
        ]
    );
    assert_eq!(
        outputs(&run, "per"),
        json!({"sums": [6, 3], "keys": ["b", "a/[1]"]})
    );
    assert_eq!(outputs(&run, "after"), json!({"all": 9}));
    assert_eq!(outputs(&run, "per[a%2F%5B1%5D].more"), json!({"sum": 3}));
}

#[test]
fn rule_13_without_collect_every_item_is_told_and_an_empty_list_succeeds() {
    let yaml = "steps:\n  - id: per\n    foreach:\n      items: [7]\n      steps:\n        - id: calc\n          set: {v: '${{ item }}'}\n  \
                - id: none\n    foreach:\n      items: []\n      steps:\n        - id: never\n          set: {v: 1}\n";
    let run = run(yaml, fine());
    assert_eq!(
        outputs(&run, "per"),
        json!({"items": [{"key": "0", "index": 0, "status": "succeeded", "outputs": {"calc": {"v": 7}}}], "keys": ["0"]})
    );
    assert_eq!(outputs(&run, "none"), json!({"items": [], "keys": []}));
}

#[test]
fn rule_13_items_and_keys_that_do_not_fit_are_failures_that_say_which() {
    let each = |foreach: &str| {
        let yaml = format!(
            "inputs: {{n: {{type: int, default: 3}}}}\nsteps:\n  - id: per\n    foreach:\n{foreach}      steps:\n        - id: x\n          set: {{v: 1}}\n"
        );
        let mut run = Simulation::new(&plan_of(&yaml), &json!({"n": 3}));
        run.rest(&mut fine());
        let failure = failure(&run, "per");
        (failure.code, failure.message)
    };
    let (code, message) = each("      items: ${{ inputs.n }}\n");
    assert_eq!(
        (code.as_str(), message.as_str()),
        (
            "foreach_not_a_list",
            "foreach.items: a list was expected, not a number"
        )
    );
    let (code, message) = each("      items: [a, b, a]\n      key: ${{ item }}\n");
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("bad_item_key", "items 0 and 2 have the same key `a`")
    );
    let (code, message) = each("      items: [a, ' ']\n      key: ${{ item }}\n");
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("bad_item_key", "foreach.key of item 1 is empty")
    );
    let (code, _) = each("      items: ${{ [x for x in range(10001)] }}\n");
    assert_eq!(code, "too_many_items");
}

fn per_item(extra: &str) -> String {
    format!(
        "steps:\n  - id: per\n    foreach:\n      items: [a, b, c, d]\n      key: ${{{{ item }}}}\n{extra}      steps:\n        \
         - id: fit\n          {PY}\n          with: {{item: '${{{{ item }}}}'}}\n      collect: {{x: '${{{{ steps.fit.outputs.x }}}}'}}\n  \
         - id: after\n    set: {{v: 1}}\n"
    )
}

/// Runs the items of [`per_item`], of which `bad` fails.
fn with_bad_item(extra: &str, bad: &'static str) -> Simulation {
    let plan = plan_of(&per_item(extra));
    let mut run = Simulation::new(&plan, &json!({}));
    let mut world = World::new(|_, _| Ends::With(json!({"x": 1})));
    world.item_fails = Some(Box::new(move |path: &StepPath| path.as_str().contains(bad)));
    run.rest(&mut world);
    run
}

#[test]
fn rule_13_one_failure_stops_the_others_and_fails_the_run_unless_it_is_tolerated() {
    let run = with_bad_item("      concurrency: 1\n", "[b]");
    assert_eq!(word(&run), "failed");
    assert_eq!(
        told(&run),
        [
            "per failed",
            "per[a].fit succeeded",
            "per[b].fit failed",
            "after not_run"
        ]
    );
    assert_eq!(failure(&run, "per").message, "item `b`: boom");
    let (step, _) = run.state.ending.as_ref().unwrap().failure.as_ref().unwrap();
    assert_eq!(
        step.as_str(),
        "per[b].fit",
        "the failure names the step that it came from"
    );

    let run = with_bad_item("      concurrency: 1\n      tolerate: 25%\n", "[b]");
    assert_eq!(word(&run), "succeeded");
    assert_eq!(
        outputs(&run, "per"),
        json!({"x": [1, null, 1, 1], "keys": ["a", "b", "c", "d"]})
    );
    let warnings = &run.state.ending.as_ref().unwrap().warnings;
    assert_eq!(warnings, &["step `per`: 1 of 4 items did not succeed"]);

    let run = with_bad_item(
        "      concurrency: 1\n      tolerate: 24%\n      fail_fast: false\n",
        "[b]",
    );
    assert_eq!(word(&run), "failed", "a share is rounded down");
    assert_eq!(told(&run).len(), 6, "without fail_fast every item runs");
}

#[test]
fn rule_13_no_more_items_are_under_way_than_concurrency_allows() {
    let plan = plan_of(&per_item("      concurrency: 2\n"));
    let mut run = Simulation::new(&plan, &json!({}));
    run.submit(Command::Start).unwrap();
    run.advance();
    assert_eq!(
        told(&run),
        [
            "per running",
            "per[a].fit ready",
            "per[b].fit ready",
            "after pending"
        ]
    );
}

#[test]
fn a_tolerated_item_leaves_its_failure_to_be_read() {
    let yaml = per_item("      concurrency: 1\n      tolerate: 1\n").replace(
        "set: {v: 1}",
        "set: {bad: '${{ [f.key for f in steps.per.failures] }}'}",
    );
    let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
    let mut world = World::new(|_, _| Ends::With(json!({"x": 1})));
    world.item_fails = Some(Box::new(|path: &StepPath| path.as_str().contains("[c]")));
    run.rest(&mut world);
    assert_eq!(outputs(&run, "after"), json!({"bad": ["c"]}));
}

#[test]
fn rule_12_an_approval_inside_an_item_is_asked_for_each_and_a_no_rejects_the_run() {
    let yaml = "steps:\n  - id: per\n    foreach:\n      items: [a, b]\n      key: ${{ item }}\n      steps:\n        - id: ok\n          approval: {title: 'ok ${{ item }}?'}\n";
    let plan = plan_of(yaml);
    let mut run = Simulation::new(&plan, &json!({}));
    run.rest(&mut fine().voting(|_| None));
    assert_eq!(word(&run), "waiting");
    let asked: Vec<String> = run
        .state
        .open_approvals()
        .map(|asked| format!("{}: {}", asked.request.step, asked.request.title))
        .collect();
    assert_eq!(asked, ["per[a].ok: ok a?", "per[b].ok: ok b?"]);
    run.rest(&mut fine().voting(|asked| {
        let answer = if asked.request.title == "ok b?" {
            Answer::Reject
        } else {
            Answer::Approve
        };
        Some((answer, Values::new()))
    }));
    assert_eq!(word(&run), "rejected");
    assert_eq!(
        told(&run),
        ["per rejected", "per[a].ok succeeded", "per[b].ok rejected"]
    );
}

#[test]
fn until_tries_its_condition_after_every_round() {
    let yaml = "steps:\n  - id: poll\n    until:\n      condition: ${{ steps.look.outputs.n >= 3 }}\n      every: 10s\n      max: 5\n      steps:\n        \
                - id: look\n          set: {n: '${{ default(round.previous.look.n, 0) + 1 }}'}\n  - id: after\n    set: {rounds: '${{ steps.poll.outputs.rounds }}', n: '${{ steps.poll.outputs.look.n }}'}\n";
    let run = run(yaml, fine());
    assert_eq!(
        told(&run),
        [
            "poll succeeded",
            "poll[1].look succeeded",
            "poll[2].look succeeded",
            "poll[3].look succeeded",
            "after succeeded"
        ]
    );
    assert_eq!(outputs(&run, "after"), json!({"rounds": 3, "n": 3}));
    let span = run.state.updated_at.since(run.state.created_at);
    assert!(span.as_secs() >= 20, "two pauses of ten seconds: {span:?}");
}

#[test]
fn until_gives_up_after_its_last_round() {
    let yaml = "steps:\n  - id: poll\n    until:\n      condition: ${{ round.index > 9 }}\n      max: 2\n      steps:\n        - id: look\n          set: {n: 1}\n";
    let run = run(yaml, fine());
    let failure = failure(&run, "poll");
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Timeout, "until_exhausted")
    );
    assert_eq!(events(&run, "RoundStarted"), 2);
}

#[test]
fn branches_run_beside_each_other_and_hand_out_by_name() {
    let yaml = format!(
        "steps:\n  - id: par\n    parallel:\n      - name: left\n        steps:\n          - id: a\n            {PY}\n      - name: right\n        steps:\n          \
         - id: b\n            {PY}\n          - id: c\n            set: {{v: 2}}\n  - id: after\n    set: {{v: '${{{{ steps.par.outputs.left.a.x + steps.par.outputs.right.c.v }}}}'}}\n"
    );
    let done = run(&yaml, fine());
    assert_eq!(
        told(&done),
        [
            "par succeeded",
            "par.left.a succeeded",
            "par.right.b succeeded",
            "par.right.c succeeded",
            "after succeeded"
        ]
    );
    assert_eq!(outputs(&done, "after"), json!({"v": 3}));
    let broken = run(&yaml, world(|id, _| id == "b"));
    assert_eq!(
        told(&broken),
        [
            "par failed",
            "par.left.a succeeded",
            "par.right.b failed",
            "par.right.c not_run",
            "after not_run"
        ]
    );
}

#[test]
fn fail_fails_its_block_and_succeed_ends_it() {
    let broken = run(
        "steps:\n  - id: a\n    set: {n: 1}\n  - id: stop\n    fail: 'n is ${{ steps.a.outputs.n }}'\n  - id: z\n    set: {v: 1}\n",
        fine(),
    );
    let failure = failure(&broken, "stop");
    assert_eq!(
        (
            failure.kind,
            failure.code.as_str(),
            failure.message.as_str()
        ),
        (FailureKind::Code, "declared", "n is 1")
    );
    assert_eq!(told(&broken), ["a succeeded", "stop failed", "z not_run"]);

    let early = run(
        "steps:\n  - id: stop\n    succeed: {message: nothing to do}\n  - id: z\n    set: {v: 1}\n  - id: ask\n    needs: []\n    approval: {title: go on}\n",
        fine().voting(|_| None),
    );
    assert_eq!(word(&early), "succeeded");
    assert_eq!(
        told(&early),
        ["stop succeeded", "z not_run", "ask cancelled"]
    );

    let item = run(
        "steps:\n  - id: per\n    foreach:\n      items: [1, 2]\n      steps:\n        - id: done\n          if: ${{ item == 1 }}\n          succeed: true\n        - id: rest\n          set: {v: '${{ item }}'}\n",
        fine(),
    );
    assert_eq!(
        told(&item),
        [
            "per succeeded",
            "per[0].done succeeded",
            "per[0].rest not_run",
            "per[1].done skipped",
            "per[1].rest succeeded"
        ]
    );
}

#[test]
fn rule_04_fail_fast_stops_what_else_runs() {
    let yaml = |fast: &str| {
        format!(
            "{fast}steps:\n  - id: bad\n    {PY}\n  - id: ask\n    needs: []\n    approval: {{title: go on}}\n  - id: z\n    needs: [ask]\n    set: {{v: 1}}\n"
        )
    };
    let slow = run(&yaml(""), world(|id, _| id == "bad").voting(|_| None));
    assert_eq!(
        (word(&slow), told(&slow)),
        (
            "waiting",
            vec![
                "bad failed".into(),
                "ask waiting".into(),
                "z pending".into()
            ]
        )
    );
    let fast = run(
        &yaml("fail_fast: true\n"),
        world(|id, _| id == "bad").voting(|_| None),
    );
    assert_eq!(
        (word(&fast), told(&fast)),
        (
            "failed",
            vec![
                "bad failed".into(),
                "ask cancelled".into(),
                "z not_run".into()
            ]
        )
    );
}

#[test]
fn rule_09_a_deadline_counts_from_ready_on_and_stops_what_runs() {
    let yaml = format!(
        "steps:\n  - id: slow\n    deadline: 1h\n    parallel:\n      - name: one\n        steps:\n          - id: nap\n            wait: {{duration: 2h}}\n          - id: never\n            {PY}\n  - id: after\n    set: {{v: 1}}\n"
    );
    let run = run(&yaml, fine());
    assert_eq!(word(&run), "failed");
    let failure = failure(&run, "slow");
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Timeout, "deadline_exceeded")
    );
    assert_eq!(
        told(&run),
        [
            "slow failed",
            "slow.one.nap cancelled",
            "slow.one.never not_run",
            "after not_run"
        ]
    );
    let span = run.state.updated_at.since(run.state.created_at);
    assert_eq!(span.as_secs(), 3_600);
}

#[test]
fn rule_09_the_time_of_a_run_does_not_count_waiting_for_people() {
    let yaml = "timeout: 1h\nsteps:\n  - id: ask\n    approval: {title: go on}\n  - id: nap\n    wait: {duration: 50m}\n  - id: more\n    wait: {duration: 20m}\n";
    let plan = plan_of(yaml);
    let mut run = Simulation::new(&plan, &json!({}));
    run.rest(&mut fine().voting(|_| None));
    assert_eq!(word(&run), "waiting");
    run.sleep(std::time::Duration::from_secs(86_400));
    run.rest(&mut fine());
    assert_eq!(word(&run), "failed");
    assert_eq!(
        told(&run),
        ["ask succeeded", "nap succeeded", "more cancelled"]
    );
    let (_, failure) = run.state.ending.as_ref().unwrap().failure.clone().unwrap();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Timeout, "run_timeout")
    );
}

#[test]
fn rule_15_a_paused_run_begins_nothing_new_and_goes_on_later() {
    let yaml = format!("steps:\n  - id: a\n    {PY}\n  - id: b\n    {PY}\n");
    let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
    run.submit(Command::Start).unwrap();
    run.submit(Command::Pause {
        reason: Some("beam off".to_owned()),
    })
    .unwrap();
    run.rest(&mut fine());
    assert_eq!(
        (word(&run), told(&run)),
        ("paused", vec!["a pending".into(), "b pending".into()])
    );
    run.submit(Command::Pause { reason: None }).unwrap();
    assert_eq!(events(&run, "RunPaused"), 1, "paused twice is paused once");
    run.submit(Command::Unpause).unwrap();
    run.rest(&mut fine());
    assert_eq!(word(&run), "succeeded");

    let mut cancelled = run.crashed(3);
    assert_eq!(word(&cancelled), "paused");
    cancelled.submit(Command::Cancel { reason: None }).unwrap();
    cancelled.rest(&mut fine());
    assert_eq!(word(&cancelled), "cancelled");
}

const SIGNALS: &str = "steps:\n  - id: one\n    wait: {signal: beam, payload: {dose: int}}\n  - id: two\n    needs: []\n    wait: {signal: beam, payload: {dose: int}}\n  \
                       - id: late\n    needs: []\n    wait: {signal: never, timeout: 1h, on_timeout: continue}\n  - id: sum\n    needs: [one, two]\n    set: {v: '${{ steps.one.outputs.dose * 10 + steps.two.outputs.dose }}'}\n";

fn signal(name: &str, payload: &Value, key: Option<&str>) -> Command {
    Command::Signal {
        name: name.to_owned(),
        payload: payload.as_object().cloned().unwrap(),
        key: key.map(str::to_owned),
    }
}

#[test]
fn signals_are_kept_and_taken_in_the_order_of_the_steps() {
    let mut run = Simulation::new(&plan_of(SIGNALS), &json!({}));
    run.submit(signal("beam", &json!({"dose": 3}), Some("k1")))
        .unwrap();
    run.submit(signal("beam", &json!({"dose": 3}), Some("k1")))
        .unwrap();
    run.rest(&mut fine());
    assert_eq!((word(&run), events(&run, "SignalReceived")), ("waiting", 1));
    assert_eq!(told(&run)[..2], ["one succeeded", "two waiting"]);
    assert!(matches!(
        run.submit(signal("bean", &json!({}), None)),
        Err(Refusal::UnknownSignal { .. })
    ));
    assert!(matches!(
        run.submit(signal("beam", &json!({"dose": "much"}), None)),
        Err(Refusal::BadSignal { .. })
    ));
    run.submit(signal("beam", &json!({"dose": 4}), None))
        .unwrap();
    run.rest(&mut fine());
    assert_eq!(outputs(&run, "sum"), json!({"v": 34}));
    run.sleep(std::time::Duration::from_secs(3_600));
    run.rest(&mut fine());
    assert_eq!(outputs(&run, "late"), json!({"timed_out": true}));
    assert_eq!(word(&run), "succeeded");
    assert!(matches!(
        run.submit(signal("beam", &json!({"dose": 4}), None)),
        Err(Refusal::Ended { .. })
    ));
}

#[test]
fn a_wait_for_an_instant_in_the_past_passes_at_once() {
    let done = run(
        "steps:\n  - id: nap\n    wait: {until: '2001-01-01T00:00:00Z'}\n",
        fine(),
    );
    assert_eq!(word(&done), "succeeded");
    let bad = run(
        "inputs: {t: {type: string, default: soon}}\nsteps:\n  - id: nap\n    wait: {until: '${{ workflow.name }}'}\n",
        fine(),
    );
    assert_eq!(failure(&bad, "nap").code, "wrong_type");
}

#[test]
fn locks_are_held_by_one_step_of_a_run_at_a_time() {
    let yaml = format!(
        "steps:\n  - id: a\n    {PY}\n    locks: [magnet]\n  - id: b\n    needs: []\n    {PY}\n    locks: [magnet]\n  - id: c\n    needs: []\n    {PY}\n"
    );
    let plan = plan_of(&yaml);
    let mut run = Simulation::new(&plan, &json!({}));
    run.rest(&mut fine());
    assert_eq!(word(&run), "succeeded");
    let order: Vec<String> = run
        .history
        .iter()
        .filter(|recorded| {
            ["StepAdmitted", "AttemptStarted", "StepSucceeded"].contains(&recorded.event.name())
        })
        .map(|recorded| {
            format!(
                "{} {}",
                recorded.event.name(),
                recorded.event.to_json()["step"].as_str().unwrap()
            )
        })
        .collect();
    let place = |text: &str| order.iter().position(|entry| entry == text).unwrap();
    let (first, second) = if place("StepAdmitted a") < place("StepAdmitted b") {
        ("a", "b")
    } else {
        ("b", "a")
    };
    assert!(
        place(&format!("StepSucceeded {first}")) < place(&format!("StepAdmitted {second}")),
        "{order:?}"
    );
    assert!(
        place(&format!("StepAdmitted {second}")) < place(&format!("AttemptStarted {second}")),
        "{order:?}"
    );
}

#[test]
fn rule_17_a_run_gives_its_place_up_while_it_waits_for_people() {
    let yaml = "inputs: {shift: {type: string, default: night}}\nconcurrency: {group: 'orbit-${{ inputs.shift }}'}\nsteps:\n  - id: ask\n    approval: {title: go on}\n  - id: z\n    set: {v: 1}\n";
    let mut run = Simulation::new(&plan_of(yaml), &json!({"shift": "night"}));
    run.rest(&mut fine().voting(|_| None));
    assert_eq!(
        run.state.slots.as_ref().unwrap().wishes[0].key,
        "group:orbit-night"
    );
    assert_eq!(
        (word(&run), run.state.holds(), events(&run, "SlotsReleased")),
        ("waiting", false, 1)
    );
    run.rest(&mut fine());
    assert_eq!((word(&run), events(&run, "RunAdmitted")), ("succeeded", 2));
    assert!(!run.state.holds(), "a run that has ended holds nothing");
}

/// A plan whose step `child` runs another workflow.
fn with_child() -> Arc<Plan> {
    let plan = plan_of(
        "steps:\n  - id: child\n    set: {v: 1}\n  - id: after\n    set: {v: '${{ steps.child.outputs.v }}'}\n",
    );
    let mut document = serde_json::to_value(plan.as_ref()).unwrap();
    document["steps"][0]["kind"] = json!({"workflow": {"file": "child.yml", "plan": Digest::of(b"child"), "name": "child", "wait": true}});
    let plan = Plan::from_bytes(document.to_string().as_bytes()).unwrap();
    assert!(matches!(plan.steps[0].kind, StepKind::Workflow(_)));
    Arc::new(plan)
}

#[test]
fn a_run_inside_a_run_is_started_once_and_ends_its_step() {
    let mut run = Simulation::new(&with_child(), &json!({}));
    run.rest(&mut fine());
    assert_eq!(
        (word(&run), outputs(&run, "after")),
        ("succeeded", json!({"v": 1}))
    );
    assert_eq!(
        (
            events(&run, "ChildRunStarted"),
            events(&run, "ChildRunClosed")
        ),
        (1, 1)
    );
}

#[test]
fn a_cancel_reaches_the_run_inside() {
    let mut run = Simulation::new(&with_child(), &json!({}));
    run.rest(&mut fine());
    let mut run = run.crashed_after("ChildRunStarted");
    run.submit(Command::Cancel { reason: None }).unwrap();
    run.rest(&mut fine());
    assert_eq!(word(&run), "cancelled");
    let (_, state) = run.state.step(&StepPath::new("child")).unwrap();
    assert_eq!(
        state.children[0].closed.as_ref().unwrap().status,
        RunStatus::Cancelled
    );
}

/// Runs that hold every kind of event of this file, for the golden histories.
pub(crate) fn stories() -> Vec<(&'static str, Simulation)> {
    let loops = "concurrency: {group: orbit}\nsteps:\n  - id: per\n    foreach:\n      items: [a, b]\n      key: ${{ item }}\n      tolerate: 1\n      \
                 steps:\n        - id: fit\n          python: {code: 'results = {}'}\n  - id: poll\n    until:\n      condition: ${{ round.index >= 2 }}\n      \
                 max: 3\n      every: 1m\n      steps:\n        - id: look\n          set: {n: 1}\n  - id: sig\n    wait: {signal: beam}\n  \
                 - id: locked\n    python: {code: 'results = {}'}\n    locks: [magnet]\n  - id: nap\n    deadline: 1h\n    on_failure: continue\n    wait: {duration: 2h}\n";
    let mut loops = Simulation::new(&plan_of(loops), &json!({}));
    let mut world = fine();
    world.item_fails = Some(Box::new(|path: &StepPath| path.as_str() == "per[b].fit"));
    loops.rest(&mut world);
    loops
        .submit(Command::Pause {
            reason: Some("beam off".to_owned()),
        })
        .unwrap();
    loops.submit(Command::Unpause).unwrap();
    loops
        .submit(signal("beam", &json!({"dose": 3}), Some("k1")))
        .unwrap();
    loops.rest(&mut world);
    let mut late = Simulation::new(
        &plan_of("timeout: 1h\nsteps:\n  - id: nap\n    wait: {duration: 2h}\n"),
        &json!({}),
    );
    late.rest(&mut fine());
    let mut child = Simulation::new(&with_child(), &json!({}));
    child.submit(Command::Start).unwrap();
    child.advance();
    let step = StepPath::new("child");
    let run = stepwell::id::RunId::from_bytes([9; 16]);
    let started = ChildRunStarted {
        step: step.clone(),
        run,
    };
    child.submit(Command::ChildStarted(started)).unwrap();
    let waiting = ChildRunWaiting {
        step,
        status: RunStatus::Waiting,
        questions: Vec::new(),
    };
    child.submit(Command::ChildWaits(waiting)).unwrap();
    assert_eq!(word(&child), "waiting");
    child.rest(&mut fine());
    vec![("loops", loops), ("late", late), ("child", child)]
}
