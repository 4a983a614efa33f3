//! Places in groups and locks: taken, given up while people are waited for, taken again, and never held against
//! those who stand inside.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::id::StepPath;
use stepwell::run::payload::{Answer, ChildRunWaiting, Values};
use stepwell::run::{Actor, Command, Effect, RunStatus, effects};
use stepwell::store::memory::MemoryStore;
use stepwell::time::Timestamp;

use crate::actions::drive_through;
use crate::engine::{Rig, compiled, create, events};
use crate::inner_runs::{Counting, compiled_with};
use crate::simulator::{Simulation, World, vote};

const LATER: Timestamp = Timestamp::from_micros(i64::MAX);

fn plan(yaml: &str) -> Arc<stepwell::plan::Plan> {
    crate::machine::plan_of(yaml)
}

/// A world in which nobody answers and no time passes.
fn silent() -> World {
    let mut world = World::sampling(0).voting(|_| None);
    world.stands_still = true;
    world
}

fn count(run: &Simulation, name: &str) -> usize {
    let named = run.history.iter().filter(|one| one.event.name() == name);
    named.count()
}

/// Containers that hold a lock which they give up while people are waited for inside.
const RELEASING: [&str; 3] = [
    "steps:\n  - id: hold\n    locks: [magnet]\n    release_on_wait: true\n    parallel:\n      - name: one\n        steps:\n          \
     - id: ask\n            approval: {title: go on}\n          - id: work\n            python: {code: 'results = {}'}\n",
    "steps:\n  - id: hold\n    locks: [magnet]\n    release_on_wait: true\n    foreach:\n      items: [1]\n      steps:\n        \
     - id: ask\n          approval: {title: go on}\n        - id: work\n          python: {code: 'results = {}'}\n",
    "steps:\n  - id: hold\n    locks: [magnet]\n    release_on_wait: true\n    switch:\n      - name: one\n        else: true\n        steps:\n          \
     - id: ask\n            approval: {title: go on}\n          - id: work\n            python: {code: 'results = {}'}\n",
];

#[test]
fn what_was_given_up_for_people_is_taken_back_once_when_they_have_answered() {
    for yaml in RELEASING {
        let mut run = Simulation::new(&plan(yaml), &json!({}));
        run.rest(&mut silent());
        assert_eq!(run.state.status(), RunStatus::Waiting, "{yaml}");
        assert!(!run.state.holds(), "{yaml}");
        let taken = |run: &Simulation| (count(run, "StepAdmitted"), count(run, "SlotsReleased"));
        assert_eq!(taken(&run), (1, 1), "given up once: {yaml}");
        assert_eq!(effects(&run.state, LATER), [], "and not asked for: {yaml}");
        // Nor may a late task of the engine take it back.
        let admit = Command::Admit {
            step: Some("hold".into()),
            room: vec![1],
        };
        run.submit(admit).unwrap_err();

        run.rest(&mut World::sampling(0));
        assert_eq!(run.state.status(), RunStatus::Succeeded, "{yaml}");
        assert_eq!(taken(&run), (2, 1), "taken again, once: {yaml}");
        let place = |name: &str| run.history.iter().rposition(|one| one.event.name() == name);
        assert!(
            place("StepAdmitted") < place("AttemptStarted"),
            "it does not work without: {yaml}"
        );
    }
}

/// Runs A up to its question, B up to what it does with A's place, then answers A, and gives how A and B ended.
async fn after_a_wait(when_full: &str) -> (RunStatus, RunStatus, usize) {
    let rig = Rig::new(MemoryStore::new());
    let executor = Arc::new(FakeExecutor::new(|_| FakeAnswer::results(json!({}))));
    let engine = rig.engine(&executor);
    let yaml = |steps: &str| {
        compiled(&format!(
            "concurrency: {{group: beam, when_full: {when_full}}}\nsteps:\n{steps}"
        ))
    };
    let asks = yaml(
        "  - id: ask\n    approval: {title: go on}\n  - id: z\n    python: {code: 'results = {}'}\n",
    );
    let sleeps = yaml("  - id: nap\n    wait: {duration: 1h}\n");
    let first = create(&engine, &asks, json!({})).await;
    let state = engine.drive(first).await.unwrap();
    assert_eq!((state.status(), state.holds()), (RunStatus::Waiting, false));

    let second = create(&engine, &sleeps, json!({})).await;
    let napping = tokio::spawn({
        let engine = engine.clone();
        async move { engine.drive(second).await.unwrap().status() }
    });
    while !engine.state(second).await.unwrap().holds() {
        tokio::task::yield_now().await;
    }
    let asked = state.open_approvals().next().unwrap();
    let yes = Command::Vote(vote(asked, Answer::Approve, Values::new()));
    let bea = Actor::User("bea".to_owned());
    engine.command(first, bea, yes).await.unwrap();
    let ended = drive_through(&engine, &rig, first, Duration::from_secs(60)).await;
    let waited = events(&engine, first).await;
    let times = crate::engine::count(&waited, "RunAdmitted");
    let limit = Duration::from_secs(20);
    let napped = tokio::time::timeout(limit, napping).await;
    let napped = napped.expect("the first one ended before the one that has its place");
    (ended.status(), napped.unwrap(), times)
}

#[tokio::test]
async fn a_run_that_gave_its_place_up_queues_for_it_whatever_its_author_wished_for_new_ones() {
    for when_full in ["queue", "cancel_new", "cancel_running"] {
        let ended = after_a_wait(when_full).await;
        let both = (RunStatus::Succeeded, RunStatus::Succeeded, 2);
        assert_eq!(ended, both, "when_full: {when_full}");
    }
}

#[tokio::test]
async fn who_queues_looks_again_only_when_somebody_let_go() {
    let rig = Rig::new(MemoryStore::new());
    let store = Counting::over(&rig);
    let executor = Arc::new(FakeExecutor::new(|_| FakeAnswer::results(json!({}))));
    let engine = store.engine(&rig, &executor);
    let group = "concurrency: {group: beam, release_while_waiting: false}\n";
    let holds = compiled(&format!(
        "{group}steps:\n  - id: sig\n    wait: {{signal: beam}}\n  - id: last\n    wait: {{signal: end}}\n"
    ));
    let queues = compiled(&format!("{group}steps:\n  - id: a\n    set: {{x: 1}}\n"));
    let holder = create(&engine, &holds, json!({})).await;
    engine.drive(holder).await.unwrap();
    assert!(engine.state(holder).await.unwrap().holds());
    let queued = create(&engine, &queues, json!({})).await;
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.drive(queued).await.unwrap().status() }
    });
    while store.lists() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = store.lists();
    let signal = |name: &str, key: usize| Command::Signal {
        name: name.to_owned(),
        payload: Values::new(),
        key: Some(key.to_string()),
    };
    for key in 0..40 {
        let command = engine.command(holder, Actor::Engine, signal("beam", key));
        command.await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let looked = store.lists() - before;
    assert!(looked <= 2, "one step ended; looked {looked} times");
    assert!(!waiting.is_finished());

    // Its end is such an event: no clock goes on here, so nothing else can wake the one that waits.
    let end = engine.command(holder, Actor::Engine, signal("end", 0));
    end.await.unwrap();
    let limit = Duration::from_secs(20);
    let status = tokio::time::timeout(limit, waiting).await.unwrap().unwrap();
    assert_eq!(status, RunStatus::Succeeded);
}

#[tokio::test]
async fn what_a_run_holds_it_holds_for_the_runs_inside_it() {
    let locked = "version: 1\nname: child\nsteps:\n  - id: turn\n    python: {code: 'results = {}'}\n    locks: [magnet]\n";
    let grouped = "version: 1\nname: child\nconcurrency: {group: beam}\nsteps:\n  - id: turn\n    python: {code: 'results = {}'}\n";
    let deep =
        "version: 1\nname: child\nsteps:\n  - id: further\n    workflow: {file: deepest.yml}\n";
    let outer_lock =
        "steps:\n  - id: inner\n    workflow: {file: child.yml}\n    locks: [magnet]\n";
    let outer_group =
        "concurrency: {group: beam}\nsteps:\n  - id: inner\n    workflow: {file: child.yml}\n";
    for (outer, child, deepest) in [
        (outer_lock, locked, ""),
        (outer_group, grouped, ""),
        (outer_lock, deep, locked),
        (outer_group, deep, grouped),
    ] {
        let rig = Rig::new(MemoryStore::new());
        let executor = Arc::new(FakeExecutor::new(|_| FakeAnswer::results(json!({}))));
        let engine = rig.engine(&executor);
        let made = compiled_with(outer, &[("child.yml", child), ("deepest.yml", deepest)]);
        let run = create(&engine, &made, json!({})).await;
        let driving = drive_through(&engine, &rig, run, Duration::from_secs(1));
        let limit = Duration::from_secs(20);
        let ended = tokio::time::timeout(limit, driving).await;
        let ended = ended.unwrap_or_else(|_| panic!("they wait for each other: {outer}{child}"));
        assert_eq!(ended.status(), RunStatus::Succeeded, "{outer}{child}");
        assert_eq!(executor.started().len(), 1);
    }
}

/// The run of a step that holds a lock, which it gives up while people are waited for; `outer` = the run around it holds
/// a place of a group instead.
fn inner(outer: bool) -> Simulation {
    let (group, lock) = if outer {
        ("concurrency: {group: beam}\n", "")
    } else {
        ("", "    locks: [magnet]\n    release_on_wait: true\n")
    };
    let yaml = format!("{group}steps:\n  - id: inner\n    workflow: {{file: child.yml}}\n{lock}");
    let child = "version: 1\nname: child\nsteps:\n  - id: a\n    approval: {title: go on}\n";
    let (plan, _) = compiled_with(&yaml, &[("child.yml", child)]);
    let mut run = Simulation::new(&plan, &json!({}));
    run.submit(Command::Start).unwrap();
    run.advance();
    let admit = Command::Admit {
        step: (!outer).then(|| StepPath::new("inner")),
        room: vec![1],
    };
    run.submit(admit).unwrap();
    run.advance();
    let started = stepwell::run::payload::ChildRunStarted {
        step: "inner".into(),
        run: stepwell::id::RunId::from_bytes([9; 16]),
    };
    run.submit(Command::ChildStarted(started)).unwrap();
    run.advance();
    run
}

fn tells(status: RunStatus) -> Command {
    Command::ChildWaits(ChildRunWaiting {
        step: "inner".into(),
        status,
        questions: Vec::new(),
    })
}

fn owed(run: &Simulation) -> Vec<&'static str> {
    let owed = effects(&run.state, LATER);
    owed.iter()
        .map(|effect| match effect {
            Effect::AttendChild { .. } => "attend",
            Effect::LookAtChild { .. } => "look",
            Effect::Acquire { .. } => "acquire",
            Effect::CancelChild { .. } => "cancel",
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn every_kind_of_step_begins_only_with_its_lock() {
    let kinds = [
        "parallel: [{name: one, steps: [{id: in_a, set: {x: 1}}]}]",
        "switch: [{name: one, else: true, steps: [{id: in_a, set: {x: 1}}]}]",
        "foreach: {items: [1], steps: [{id: in_a, set: {x: 1}}]}",
        "until: {condition: '${{ 1 > 0 }}', max: 2, steps: [{id: in_a, set: {x: 1}}]}",
        "wait: {duration: 1s}",
        "wait: {signal: beam, timeout: 1s, on_timeout: continue}",
        "set: {x: 1}",
        "python: {code: 'results = {}'}",
        "approval: {title: go on}",
        "http: {url: 'http://a.example'}",
        "notify: {webhook: 'http://a.example', text: hello}",
        "notebook: {merge: [before]}",
        "action: log.entry",
        "action: {name: log.entry, mode: write_access}",
        "fail: no",
        "succeed: true",
    ];
    for kind in kinds {
        let yaml = format!(
            "steps:\n  - id: before\n    python: {{code: 'results = {{}}'}}\n  - id: a\n    {kind}\n    locks: [magnet]\n"
        );
        let mut run = Simulation::new(&plan(&yaml), &json!({}));
        run.rest(&mut World::sampling(0));
        assert!(run.state.ending.is_some(), "{kind}");
        let of_a = |one: &&stepwell::run::Recorded| {
            let step = &one.event.to_json()["step"];
            let step = step.as_str().unwrap_or_default().to_owned();
            step.starts_with('a') || step.ends_with("in_a")
        };
        let told = run.history.iter().filter(of_a).map(|one| one.event.name());
        // Reports of an analysis come before: nobody waits for people with a lock in hand.
        let told: Vec<&str> = told.filter(|name| *name != "AnalysisReported").collect();
        assert_eq!(
            told[..3],
            ["StepReady", "StepQueued", "StepAdmitted"],
            "{kind}"
        );
        assert!(told.len() > 3, "{kind}: {told:?}");
        assert!(!run.state.holds(), "{kind}");
        for kept in 1..=run.history.len() {
            let mut again = run.crashed(kept);
            again.rest(&mut World::sampling(0));
            assert_eq!(
                again.state.status(),
                run.state.status(),
                "{kind} cut after {kept}"
            );
        }
    }
}

#[test]
fn a_run_inside_goes_on_only_under_the_places_around_it() {
    for outer in [false, true] {
        let mut run = inner(outer);
        assert!(run.state.holds());
        assert_eq!(owed(&run), ["attend"]);
        run.submit(tells(RunStatus::Waiting)).unwrap();
        run.advance();
        assert_eq!(run.state.status(), RunStatus::Waiting);
        assert!(!run.state.holds(), "given up while people are waited for");
        assert_eq!(owed(&run), ["look"], "watched, not driven");
        // Its question is answered.
        run.submit(tells(RunStatus::Running)).unwrap();
        run.advance();
        assert_eq!(owed(&run), ["acquire"], "nothing goes on without the place");
        let admit = Command::Admit {
            step: (!outer).then(|| StepPath::new("inner")),
            room: vec![1],
        };
        run.submit(admit).unwrap();
        run.advance();
        assert_eq!(owed(&run), ["attend"]);
        // A cancel needs no place.
        let mut run = inner(outer);
        run.submit(tells(RunStatus::Waiting)).unwrap();
        run.advance();
        run.submit(Command::Cancel { reason: None }).unwrap();
        run.advance();
        assert_eq!(owed(&run), ["cancel"]);
    }
}

#[tokio::test]
async fn an_answer_inside_that_came_while_nobody_drove_moves_the_outer_run_on() {
    let child = "version: 1\nname: child\nsteps:\n  - id: ask\n    approval: {title: go on}\n  - id: z\n    python: {code: 'results = {}'}\n";
    for outer in [
        "concurrency: {group: beam}\nsteps:\n  - id: inner\n    workflow: {file: child.yml}\n",
        "steps:\n  - id: inner\n    workflow: {file: child.yml}\n    locks: [magnet]\n    release_on_wait: true\n",
        "steps:\n  - id: inner\n    workflow: {file: child.yml}\n",
    ] {
        let mut rig = Rig::new(MemoryStore::new());
        let executor = Arc::new(FakeExecutor::new(|_| FakeAnswer::results(json!({}))));
        let engine = rig.engine(&executor);
        let made = compiled_with(outer, &[("child.yml", child)]);
        let run = create(&engine, &made, json!({})).await;
        let state = engine.drive(run).await.unwrap();
        assert_eq!(state.status(), RunStatus::Waiting, "{outer}");
        let (_, step) = state.step_with_id("inner").unwrap();
        let inside = engine.state(step.children[0].run).await.unwrap();
        let asked = inside.open_approvals().next().unwrap();
        let yes = Command::Vote(vote(asked, Answer::Approve, Values::new()));
        let bea = Actor::User("bea".to_owned());
        engine.command(inside.run, bea, yes).await.unwrap();

        rig.restarted();
        let engine = rig.engine(&executor);
        let state = drive_through(&engine, &rig, run, Duration::from_secs(1)).await;
        assert_eq!(state.status(), RunStatus::Succeeded, "{outer}");
    }
}
