//! Runs that go on after their end, from what another run did, or in another version: the pure machine and the engine.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use stepwell::code;
use stepwell::engine::{NewFork, NewRun};
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::{RunId, StepPath};
use stepwell::plan::Plan;
use stepwell::run::payload::{CacheBypassed, Trigger, Values};
use stepwell::run::{
    Actor, Command, Event, Forking, Refusal, RunStatus, StepStatus, compare_plans, forking,
    reopening, run_json,
};
use stepwell::store::ListQuery;
use stepwell::store::memory::MemoryStore;

use crate::engine::{Rig, compiled, create};
use crate::machine::plan_of;
use crate::simulator::{Ends, Simulation, World, sample_results};

fn boom() -> Failure {
    Failure::new(FailureKind::Code, code::BAD_OUTPUT, "boom")
}

fn again(from: &[&str]) -> Command {
    Command::Reopen {
        from: from.iter().map(|path| StepPath::new(*path)).collect(),
        by: "ada".to_owned(),
        reason: Some("the file is there now".to_owned()),
        seen: None,
        bypass: CacheBypassed::default(),
    }
}

/// A world in which the named steps fail as long as it is broken.
fn world(broken: &Rc<Cell<bool>>, bad: &'static [&'static str]) -> World {
    let broken = Rc::clone(broken);
    World::new(move |step, _| {
        if broken.get() && bad.contains(&step.id.as_str()) {
            Ends::Failing(boom())
        } else {
            Ends::With(sample_results(step, 0))
        }
    })
}

fn paths(paths: &[StepPath]) -> Vec<&str> {
    paths.iter().map(StepPath::as_str).collect()
}

fn ran(world: &World) -> BTreeMap<&str, u32> {
    let steps = world.ledger.iter();
    steps.map(|(step, count)| (step.as_str(), *count)).collect()
}

const CHAIN: &str = "steps:
  - id: load
    python: {code: 'results = {}'}
  - id: fit
    python: {code: 'results = {}'}
  - id: write
    python: {code: 'results = {}', mode: write_access}
  - id: report
    python: {code: 'results = {}'}
  - id: side
    needs: []
    python: {code: 'results = {}'}
  - id: cure
    needs: []
    if: ${{ succeeded('fit') }}
    set: {x: 1}
";

/// Fails, is taken up again after the world was mended, and ends well.
fn mended(plan: &Arc<Plan>, bad: &'static [&'static str], from: &[&str]) -> (Simulation, World) {
    let broken = Rc::new(Cell::new(true));
    let mut run = Simulation::new(plan, &json!({}));
    run.rest(&mut world(&broken, bad));
    assert_eq!(run.state.status(), RunStatus::Failed);
    broken.set(false);
    let mut second = world(&broken, bad);
    run.submit(again(from)).unwrap();
    run.rest(&mut second);
    (run, second)
}

/// A crash after every event of the history: the same end, and nothing that had ended runs again.
fn crash_everywhere(base: &Simulation, bad: &'static [&'static str]) {
    let reopened = base
        .history
        .iter()
        .position(|recorded| recorded.event.name() == "RunReopened")
        .unwrap();
    for kept in reopened + 1..=base.history.len() {
        let mut run = base.crashed(kept);
        let done: Vec<StepPath> = run
            .state
            .steps()
            .filter(|(_, state)| state.status == StepStatus::Succeeded)
            .map(|(_, state)| state.path.clone())
            .collect();
        let mut after = world(&Rc::new(Cell::new(false)), bad);
        after.adopted = crate::simulator::Adopted::Finished;
        run.rest(&mut after);
        let place = format!(
            "crash after {kept}: {}",
            base.history[kept - 1].event.name()
        );
        assert_eq!(run.outcome(), base.outcome(), "{place}");
        for step in done {
            assert!(
                !after.ledger.contains_key(&step),
                "{place}: {step} ran again"
            );
        }
    }
}

#[test]
fn what_failed_and_what_was_left_out_because_of_it_runs_again_and_the_rest_stays() {
    let plan = plan_of(CHAIN);
    let (run, second) = mended(&plan, &["fit"], &[]);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    let expected = BTreeMap::from([("fit", 1), ("report", 1), ("write", 1)]);
    assert_eq!(ran(&second), expected);
    let fit = run.state.step_with_id("fit").unwrap().1;
    let numbers: Vec<u32> = fit.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2], "the numbers go on");
    assert_eq!(fit.counted_attempts(), 1);
    assert_eq!(
        run.status_of("cure"),
        "succeeded",
        "a skip behind it is tried again"
    );
    assert_eq!(run_json(&run.state)["retried"], 1);
    crash_everywhere(&run, &["fit"]);
}

#[test]
fn a_run_that_goes_on_or_succeeded_is_not_taken_up_again_just_so() {
    let plan = plan_of(CHAIN);
    let mut run = Simulation::new(&plan, &json!({}));
    assert_eq!(run.submit(again(&[])), Err(Refusal::NotEnded));
    run.rest(&mut World::sampling(0));
    let refused = run.submit(again(&[])).unwrap_err();
    assert_eq!(refused.code(), code::NOTHING_AGAIN);
    let stale = Command::Reopen {
        from: vec![StepPath::new("fit")],
        by: "ada".to_owned(),
        reason: None,
        seen: Some(3),
        bypass: CacheBypassed::default(),
    };
    assert_eq!(run.submit(stale), Err(Refusal::Changed));
}

#[test]
fn from_a_step_everything_behind_it_runs_again_but_writes_that_nobody_named() {
    let plan = plan_of(CHAIN);
    let mut run = Simulation::new(&plan, &json!({}));
    run.rest(&mut World::sampling(0));
    let chosen = reopening(&run.state, &[StepPath::new("fit")]).unwrap();
    assert_eq!(paths(&chosen.steps), ["fit", "cure"]);
    assert_eq!(paths(&chosen.kept_writes), ["write"]);
    let named = [StepPath::new("fit"), StepPath::new("write")];
    let chosen = reopening(&run.state, &named).unwrap();
    assert_eq!(paths(&chosen.steps), ["fit", "write", "report", "cure"]);
    assert_eq!(paths(&chosen.writes_again), ["write"]);

    let mut second = World::sampling(0);
    run.submit(again(&["fit"])).unwrap();
    run.rest(&mut second);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    assert_eq!(ran(&second), BTreeMap::from([("fit", 1)]));
    crash_everywhere(&run, &[]);
}

const ITEMS: &str = "steps:
  - id: each
    foreach:
      items: ${{ ['a', 'b', 'c', 'd'] }}
      as: item
      key: ${{ item }}
      concurrency: 1
      steps:
        - id: fetch
          python: {code: 'results = {}'}
        - id: fit
          python: {code: 'results = {}'}
          with: {item: '${{ item }}'}
      collect: {n: '${{ steps.fit.outputs.seed }}'}
  - id: after
    python: {code: 'results = {}'}
";

#[test]
fn of_a_foreach_only_the_items_run_again_that_did_not_succeed() {
    let plan = plan_of(ITEMS);
    let broken = Rc::new(Cell::new(true));
    let failing = Rc::clone(&broken);
    let mut run = Simulation::new(&plan, &json!({}));
    let seen = Rc::new(Cell::new(0));
    let mut first = World::new(move |step, _| {
        if step.id == "fit" {
            seen.set(seen.get() + 1);
        }
        if failing.get() && step.id == "fit" && seen.get() == 2 {
            return Ends::Failing(boom());
        }
        Ends::With(sample_results(step, 0))
    });
    run.rest(&mut first);
    assert_eq!(run.state.status(), RunStatus::Failed);
    let chosen = reopening(&run.state, &[]).unwrap();
    assert_eq!(paths(&chosen.resumed), ["each"]);
    assert_eq!(paths(&chosen.steps), ["each[b].fit", "after"]);
    run.submit(again(&[])).unwrap();
    let mut second = World::sampling(0);
    run.rest(&mut second);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    let expected = BTreeMap::from([
        ("after", 1),
        ("each[b].fit", 1),
        ("each[c].fetch", 1),
        ("each[c].fit", 1),
        ("each[d].fetch", 1),
        ("each[d].fit", 1),
    ]);
    assert_eq!(ran(&second), expected);
    let each = run.state.step_with_id("each").unwrap().1;
    let outputs = each.outputs.as_ref().unwrap();
    assert_eq!(outputs["keys"], json!(["a", "b", "c", "d"]));
    assert_eq!(outputs["n"], json!([0, 0, 0, 0]));
    crash_everywhere(&run, &[]);

    // One item that went well, named: it and what hangs on the whole.
    let mut third = World::sampling(0);
    run.submit(again(&["each[a].fit"])).unwrap();
    run.rest(&mut third);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    assert_eq!(
        ran(&third),
        BTreeMap::from([("after", 1), ("each[a].fit", 1)])
    );
    assert_eq!(run.state.settled_count(), run.state.step_count());

    // The foreach, named: its items are fixed anew, the numbers of attempts go on.
    let mut fourth = World::sampling(0);
    run.submit(again(&["each"])).unwrap();
    run.rest(&mut fourth);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    assert_eq!(fourth.ledger.len(), 9);
    let fit = run.state.step(&StepPath::new("each[a].fit")).unwrap().1;
    assert_eq!(fit.attempts.len(), 3);
    assert_eq!(run.state.settled_count(), run.state.step_count());
}

#[test]
fn items_that_had_no_turn_when_it_failed_once_more_go_again_later() {
    let plan = plan_of(&ITEMS.replace("concurrency: 1", "concurrency: 4"));
    let bad: &'static [&'static str] = &["fit"];
    let broken = Rc::new(Cell::new(true));
    let mut run = Simulation::new(&plan, &json!({}));
    run.rest(&mut world(&broken, bad));
    run.submit(again(&[])).unwrap();
    run.submit(Command::Cancel { reason: None }).unwrap();
    run.rest(&mut world(&broken, bad));
    assert_eq!(run.state.status(), RunStatus::Cancelled);
    broken.set(false);
    let mut second = world(&broken, bad);
    run.submit(again(&[])).unwrap();
    run.rest(&mut second);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    let fits = ran(&second)
        .keys()
        .filter(|path| path.ends_with("fit"))
        .count();
    assert_eq!(fits, 4);
    assert_eq!(run_json(&run.state)["retried"], 2);
}

const NESTED: &str = "steps:
  - id: pick
    switch:
      - name: no
        when: ${{ 1 > 2 }}
        steps:
          - id: never
            python: {code: 'results = {}'}
        set: {v: 1}
      - name: yes_
        else: true
        steps:
          - id: first
            python: {code: 'results = {}'}
          - id: second
            python: {code: 'results = {}'}
        set: {v: 2}
  - id: both
    parallel:
      - name: left
        steps:
          - id: l
            python: {code: 'results = {}'}
      - name: right
        steps:
          - id: r
            python: {code: 'results = {}'}
  - id: poll
    until:
      condition: ${{ round.index >= 2 }}
      max: 3
      as: round
      steps:
        - id: look
          python: {code: 'results = {}'}
        - id: think
          python: {code: 'results = {}'}
";

#[test]
fn arms_branches_and_rounds_go_on_where_they_failed() {
    let plan = plan_of(NESTED);
    for (bad, expected) in [
        (
            &["second"][..],
            &["both.left.l", "both.right.r", "pick.second"][..],
        ),
        (&["r"][..], &["both.right.r"][..]),
        (
            &["think"][..],
            &["poll[1].think", "poll[2].look", "poll[2].think"][..],
        ),
    ] {
        let (run, second) = mended(&plan, bad, &[]);
        assert_eq!(run.state.status(), RunStatus::Succeeded, "{bad:?}");
        let ran: Vec<&str> = ran(&second).into_keys().collect();
        for step in expected {
            assert!(ran.contains(step), "{bad:?}: {ran:?}");
        }
        assert!(!ran.contains(&"pick.first"), "{bad:?}: {ran:?}");
        assert!(
            !ran.contains(&"poll[1].look") || bad != ["think"],
            "{ran:?}"
        );
        assert_eq!(run.status_of("never"), "not_run");
        assert_eq!(run.state.settled_count(), run.state.step_count());
        crash_everywhere(&run, bad);
    }
}

const SUMS: &str = "inputs:
  a: {type: int, default: 1}
  b: {type: int, default: 2}
steps:
  - id: one
    python: {code: 'results = {}'}
    with: {v: '${{ inputs.a }}'}
  - id: two
    needs: []
    python: {code: 'results = {}'}
    with: {v: '${{ inputs.b }}'}
  - id: pick
    needs: [one]
    switch:
      - name: big
        when: ${{ steps.one.outputs.seed > 5 }}
        set: {v: 1}
      - name: small
        else: true
        steps:
          - id: inner
            python: {code: 'results = {}'}
        set: {v: 2}
  - id: each
    needs: [one]
    foreach:
      items: ${{ [1, 2] }}
      as: item
      steps:
        - id: item_step
          python: {code: 'results = {}'}
  - id: sum
    needs: [one, two]
    python: {code: 'results = {}'}
";

fn forked(source: &Simulation, inputs: &Value) -> (Simulation, Forking) {
    let given: Values = inputs.as_object().cloned().unwrap();
    let chosen = forking(&source.state, &source.plan, &given, &|_| Some(5));
    let trigger = Trigger::Fork {
        run: source.state.run,
        seq: source.state.seq,
        copied: u32::try_from(chosen.copied.len()).unwrap(),
    };
    let mut fork = Simulation::triggered(&source.plan, inputs, trigger);
    let copies = chosen
        .copied
        .iter()
        .cloned()
        .map(Box::new)
        .map(Event::StepCopied);
    fork.record(copies.collect());
    (fork, chosen)
}

#[test]
fn a_fork_copies_what_no_change_reaches_and_runs_the_rest() {
    let mut source = Simulation::new(&plan_of(SUMS), &json!({"a": 1, "b": 2}));
    source.rest(&mut World::sampling(0));
    let (mut fork, chosen) = forked(&source, &json!({"a": 1, "b": 5}));
    assert_eq!(paths(&chosen.runs), ["two", "sum"]);
    assert_eq!(paths(&chosen.affected), ["two", "sum"]);
    let mut world = World::sampling(0);
    let whole = fork.history.len();
    fork.rest(&mut world);
    assert_eq!(fork.state.status(), RunStatus::Succeeded);
    assert_eq!(ran(&world), BTreeMap::from([("sum", 1), ("two", 1)]));
    for id in ["one", "pick", "each", "inner"] {
        let outputs = |run: &Simulation| run.state.step_with_id(id).unwrap().1.outputs.clone();
        assert_eq!(outputs(&fork), outputs(&source), "{id}");
    }
    assert_eq!(
        run_json(&fork.state)["forked_from"]["seq"],
        source.state.seq
    );
    assert_eq!(fork.state.settled_count(), fork.state.step_count());

    for kept in whole..=fork.history.len() {
        let mut run = fork.crashed(kept);
        run.rest(&mut World::sampling(0));
        assert_eq!(run.outcome(), fork.outcome(), "crash after {kept}");
    }
    for kept in 1..whole {
        let mut half = fork.crashed(kept);
        let refused = half.submit(Command::Start).unwrap_err();
        assert_eq!(
            refused.code(),
            code::STALE_COMMAND,
            "half of a fork never begins"
        );
    }
    let (_, other) = forked(&source, &json!({"a": 9, "b": 2}));
    assert_eq!(other.copied.len(), 1, "everything but `two` hangs on `a`");
}

const ASKS: &str = "steps:
  - id: load
    python: {code: 'results = {}'}
  - id: ask
    approval: {title: go on}
  - id: end
    set: {v: 1}
";

#[test]
fn a_run_goes_on_with_another_version_when_nothing_that_has_begun_differs() {
    let mut run = Simulation::new(&plan_of(ASKS), &json!({}));
    run.rest(&mut World::sampling(0).voting(|_| None));
    assert_eq!(run.state.status(), RunStatus::Waiting);
    let new = plan_of(
        &ASKS
            .replace("{v: 1}", "{v: 2}")
            .replace("  - id: load\n", "  - id: load\n    name: Load it\n")
            .replace(
                "  - id: end",
                "  - id: between\n    python: {code: 'results = {}'}\n  - id: end",
            ),
    );
    let compared = compare_plans(&run.state, &new);
    assert_eq!(compared.obstacles, [""; 0]);
    assert!(
        compared
            .changes
            .contains(&"step `between` is new".to_owned()),
        "{:?}",
        compared.changes
    );
    run.migrate(&new, compared.changes);
    let migrated = run.history.len();
    let mut world = World::sampling(0);
    run.rest(&mut world);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    assert_eq!(ran(&world), BTreeMap::from([("between", 1)]));
    let end = run.state.step_with_id("end").unwrap().1;
    assert_eq!(end.outputs.as_ref().unwrap()["v"], 2);
    assert_eq!(run_json(&run.state)["plan"], json!(new.digest()));
    for kept in migrated..=run.history.len() {
        let mut crashed = run.crashed(kept);
        crashed.rest(&mut World::sampling(0));
        assert_eq!(crashed.outcome(), run.outcome(), "crash after {kept}");
    }
    // Without the new plan the event says what it lacks.
    let mut plain = run.crashed(migrated - 1).state;
    let error = plain.apply(&run.history[migrated - 1]).unwrap_err();
    assert!(error.to_string().contains("the new plan"), "{error}");
}

#[test]
fn what_has_begun_must_be_the_same_in_another_version() {
    let mut run = Simulation::new(&plan_of(ASKS), &json!({}));
    run.rest(&mut World::sampling(0).voting(|_| None));
    let obstacles = |text: &str| compare_plans(&run.state, &plan_of(text)).obstacles;
    let code = ASKS.replace("results = {}", "other = {}");
    assert_eq!(
        obstacles(&code),
        ["step `load` succeeded and its kind differs"]
    );
    let gone = ASKS.replace("id: load", "id: other");
    assert_eq!(obstacles(&gone), ["step `load` succeeded and is gone"]);
    let title = ASKS.replace("go on", "stop");
    assert_eq!(obstacles(&title), ["step `ask` waits and its kind differs"]);
    let input = format!("inputs: {{x: {{type: int, default: 1}}}}\n{ASKS}");
    assert_eq!(obstacles(&input).len(), 1);
}

/// Histories of each kind, for the golden ones.
pub(crate) fn stories() -> Vec<(&'static str, Simulation)> {
    let (reopened, _) = mended(&plan_of(CHAIN), &["fit"], &[]);
    let mut source = Simulation::new(&plan_of(SUMS), &json!({"a": 1, "b": 2}));
    source.rest(&mut World::sampling(0));
    let (mut fork, _) = forked(&source, &json!({"a": 1, "b": 5}));
    fork.rest(&mut World::sampling(0));
    let mut migrated = Simulation::new(&plan_of(ASKS), &json!({}));
    migrated.rest(&mut World::sampling(0).voting(|_| None));
    let new = plan_of(&ASKS.replace("{v: 1}", "{v: 2}"));
    let changes = compare_plans(&migrated.state, &new).changes;
    migrated.migrate(&new, changes);
    migrated.rest(&mut World::sampling(0));
    vec![
        ("reopened", reopened),
        ("forked", fork),
        ("migrated", migrated),
    ]
}

#[tokio::test]
async fn the_engine_takes_a_run_up_again_and_lists_find_it_where_it_stands() {
    let mut rig = Rig::new(MemoryStore::new());
    let broken = Arc::new(AtomicBool::new(true));
    let fails = Arc::clone(&broken);
    let executor = Arc::new(FakeExecutor::new(move |job| {
        if job.step.as_str() == "fit" && fails.load(Ordering::SeqCst) {
            return FakeAnswer::fails(boom());
        }
        FakeAnswer::results(json!({"x": 1}))
    }));
    let made = compiled(
        "steps:\n  - id: load\n    python: {code: 'results = {}'}\n  - id: fit\n    python: {code: 'results = {}'}\n",
    );
    let engine = rig.engine(&executor);
    let run: RunId = create(&engine, &made, json!({})).await;
    assert_eq!(engine.drive(run).await.unwrap().status(), RunStatus::Failed);
    broken.store(false, Ordering::SeqCst);
    let actor = || Actor::User("ada".to_owned());
    engine.command(run, actor(), again(&[])).await.unwrap();
    assert_eq!(engine.unfinished().await.unwrap(), [run]);
    rig.restarted();
    let engine = rig.engine(&executor);
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(executor.started().len(), 3);
    assert!(engine.unfinished().await.unwrap().is_empty());
    let mut failed = ListQuery::newest(10);
    failed.statuses = vec![RunStatus::Failed];
    assert!(engine.list(failed).await.unwrap().rows.is_empty());
    assert!(engine.verify(None).await.unwrap().is_sound());

    // A fork of it, and its files read back.
    let places = engine.places(run, state.seq).await.unwrap();
    let chosen = forking(&state, &state.plan, &Values::new(), &|step| {
        places.ended(step)
    });
    assert_eq!(chosen.copied.len(), 2);
    let new = NewRun {
        plan: Arc::clone(&state.plan),
        blobs: Vec::new(),
        inputs: Values::new(),
        workflow_folder: None,
        actor: actor(),
        scheduled_at: None,
    };
    let fork = NewFork {
        bypass: CacheBypassed::default(),
        source: run,
        seq: state.seq,
        copied: chosen.copied,
        new,
    };
    let fork = engine.fork(fork).await.unwrap();
    let state = engine.drive(fork).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(executor.started().len(), 3, "nothing ran");
}

#[tokio::test]
async fn the_engine_reads_a_run_back_whose_plan_changed_on_the_way() {
    let mut rig = Rig::new(MemoryStore::new());
    let executor = Arc::new(FakeExecutor::new(|_| FakeAnswer::results(json!({"x": 1}))));
    let engine = rig.engine(&executor);
    let run = create(&engine, &compiled(ASKS), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Waiting);
    let (plan, blobs) = compiled(&ASKS.replace("{v: 1}", "{v: 2}"));
    let changes = compare_plans(&state, &plan).changes;
    let actor = || Actor::User("ada".to_owned());
    engine
        .migrate(run, actor(), (plan, blobs), changes)
        .await
        .unwrap();
    rig.restarted();
    let engine = rig.engine(&executor);
    let state = engine.state(run).await.unwrap();
    assert_eq!(state.versions.len(), 1);
    let asked = state.open_approvals().next().unwrap();
    let yes = crate::simulator::vote(
        asked,
        stepwell::run::payload::Answer::Approve,
        Values::new(),
    );
    engine
        .command(run, actor(), Command::Vote(yes))
        .await
        .unwrap();
    let state = engine.drive(run).await.unwrap();
    let end = state.step_with_id("end").unwrap().1;
    assert_eq!(end.outputs.as_ref().unwrap()["v"], 2);
}
