//! Steps that begin anew while something of them is under way: writes, locks, runs inside, signals.

use serde_json::json;
use stepwell::run::payload::{Answer, NotificationSent, Values};
use stepwell::run::{Command, Effect, Event, RunStatus, StepStatus, effects};
use stepwell::time::Timestamp;

use crate::machine::plan_of;
use crate::simulator::{Simulation, World, vote};

const LATER: Timestamp = Timestamp::from_micros(i64::MAX);
const PY: &str = "python: {code: 'results = {}'}";

fn silent() -> World {
    let mut world = World::sampling(0).voting(|_| None);
    world.stands_still = true;
    world
}

fn count(run: &Simulation, name: &str) -> usize {
    let named = run.history.iter().filter(|one| one.event.name() == name);
    named.count()
}

/// A write under way beside an open question whose changes would make it anew.
fn writing() -> Simulation {
    let text = format!(
        "steps:\n  - id: make\n    {PY}\n  - id: w\n    needs: [make]\n    python: {{code: 'results = {{}}', mode: write_access}}\n  \
         - id: ask\n    needs: [make]\n    approval: {{title: Good?, on_changes: make}}\n  - id: end\n    needs: [w, ask]\n    {PY}\n"
    );
    let mut run = Simulation::new(&plan_of(&text), &json!({}));
    let mut world = World::sampling(0).voting(|asked| {
        (asked.request.step.as_str() == "w").then(|| (Answer::Approve, Values::new()))
    });
    world.stands_still = true;
    run.rest(&mut world);
    let begun = |event: &Event| matches!(event, Event::AttemptStarted(started) if started.step.as_str() == "w");
    let begun = run.history.iter().rposition(|one| begun(&one.event));
    let mut run = run.crashed(begun.unwrap() + 1);
    run.advance();
    run
}

fn wish(run: &mut Simulation) {
    let asked = run
        .state
        .open_approvals()
        .find(|asked| asked.request.changes.is_some());
    let wish = vote(asked.unwrap(), Answer::RequestChanges, Values::new());
    run.submit(Command::Vote(wish)).unwrap();
    run.advance();
}

fn lost() -> Command {
    Command::AttemptLost {
        step: "w".into(),
        attempt: 1,
        started: true,
        evidence: "the machine went down".to_owned(),
    }
}

fn killed() -> Command {
    Command::AttemptKilled {
        step: "w".into(),
        attempt: 1,
    }
}

fn cancel() -> Command {
    Command::Cancel { reason: None }
}

fn status(run: &Simulation) -> StepStatus {
    run.state.step_with_id("w").unwrap().1.status
}

#[test]
fn a_write_that_a_rewind_stops_is_of_unknown_outcome_and_never_made_again_by_itself() {
    let mut run = writing();
    wish(&mut run);
    let owed = effects(&run.state, LATER);
    assert!(matches!(owed.as_slice(), [Effect::Kill { .. }]), "{owed:?}");
    run.submit(killed()).unwrap();
    run.advance();
    assert_eq!(status(&run), StepStatus::Unknown);
    assert_eq!(
        count(&run, "StepsRewound"),
        0,
        "not before a person said how far it came"
    );
    run.rest(&mut silent());
    assert_eq!(run.state.status(), RunStatus::Waiting);
    let asked = run.state.open_approvals().next().unwrap();
    assert_eq!(asked.request.step.as_str(), "w");
    assert!(asked.request.reason.contains("changes were asked for"));
    let starts = |run: &Simulation| {
        let started = |event: &Event| matches!(event, Event::AttemptStarted(started) if started.step.as_str() == "w");
        run.history.iter().filter(|one| started(&one.event)).count()
    };
    assert_eq!(starts(&run), 1);

    for kept in 1..=run.history.len() {
        let mut again = run.crashed(kept);
        again.rest(&mut silent());
        assert!(starts(&again) <= 1, "cut after {kept}");
        assert!(
            matches!(again.state.status(), RunStatus::Waiting),
            "cut after {kept}: {:?}",
            again.state.status()
        );
    }
    run.rest(&mut World::sampling(0).voting(crate::crash::yes));
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    assert_eq!(starts(&run), 2, "once more, since people said so");
}

#[test]
fn a_cancel_ends_a_write_of_unknown_outcome_that_was_to_begin_anew() {
    // The order of what happens; each is legal, and each ends cancelled.
    type Act = fn(&mut Simulation);
    let wish_it: Act = wish;
    let lose: Act = |run| run.submit(lost()).unwrap();
    let kill: Act = |run| run.submit(killed()).unwrap();
    let stop: Act = |run| run.submit(cancel()).unwrap();
    let orders: [(&str, Vec<Act>); 5] = [
        ("lost, wish, cancel", vec![lose, wish_it, stop]),
        ("wish, killed, cancel", vec![wish_it, kill, stop]),
        ("wish, cancel, killed", vec![wish_it, stop, kill]),
        ("wish, lost, cancel", vec![wish_it, lose, stop]),
        ("cancel, lost", vec![stop, lose]),
    ];
    for (order, acts) in orders {
        let mut run = writing();
        let begun = run.history.len();
        for act in acts {
            act(&mut run);
            run.advance();
        }
        run.rest(&mut silent());
        assert_eq!(run.state.status(), RunStatus::Cancelled, "{order}");
        assert_eq!(count(&run, "StepsRewound"), 0, "{order}");
        for kept in begun..=run.history.len() {
            let mut again = run.crashed(kept);
            if again.state.cancel.is_none() {
                again.submit(cancel()).unwrap();
            }
            again.rest(&mut silent());
            assert_eq!(
                again.state.status(),
                RunStatus::Cancelled,
                "{order}, cut after {kept}"
            );
        }
    }
}

#[test]
fn a_poll_between_two_rounds_is_work_and_no_waiting_for_people() {
    let yaml = "timeout: 1h\nsteps:\n  - id: poll\n    until:\n      condition: ${{ round.index >= 9 }}\n      every: 10m\n      max: 9\n      \
                steps:\n        - id: look\n          set: {n: 1}\n  - id: ask\n    needs: []\n    approval: {title: go on}\n";
    let mut run = Simulation::new(&plan_of(yaml), &json!({}));
    run.submit(Command::Start).unwrap();
    run.advance();
    assert_eq!(count(&run, "RoundClosed"), 1, "it is between two rounds");
    assert_eq!(run.state.status(), RunStatus::Running);
    let owed = effects(&run.state, Timestamp::from_micros(2));
    let round = owed
        .iter()
        .find(|owed| matches!(owed, Effect::WakeAt { step, .. } if step.as_str() == "poll"));
    assert!(
        matches!(round, Some(Effect::WakeAt { idle: false, .. })),
        "somebody stays up for it: {owed:?}"
    );
    // So its time counts, which waiting for people does not.
    let mut world = World::sampling(0).voting(|_| None);
    run.rest(&mut world);
    assert_eq!(run.state.status(), RunStatus::Failed);
    let (_, failure) = run.state.ending.as_ref().unwrap().failure.clone().unwrap();
    assert_eq!(failure.code, "run_timeout");
}

#[test]
fn a_message_that_is_told_twice_is_recorded_once() {
    let yaml = "steps:\n  - id: ask\n    approval: {title: go on, notify: [ops, mail]}\n";
    let mut run = Simulation::new(&plan_of(yaml), &json!({}));
    run.submit(Command::Start).unwrap();
    run.advance();
    let tell = effects(&run.state, LATER);
    let mut sent = tell.into_iter().map(|effect| match effect {
        Effect::Tell {
            approval,
            occasion,
            channel,
        } => Command::Told(NotificationSent {
            approval,
            occasion,
            channel,
            failure: None,
        }),
        other => panic!("{other:?}"),
    });
    let (first, second) = (sent.next().unwrap(), sent.next().unwrap());
    run.submit(first.clone()).unwrap();
    run.submit(second).unwrap();
    assert_eq!(count(&run, "NotificationSent"), 2);
    run.submit(first.clone()).unwrap();
    assert_eq!(count(&run, "NotificationSent"), 2, "nothing new");
    run.rest(&mut World::sampling(0));
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    assert!(run.submit(first).is_err(), "an ended run takes nothing");
}

/// Brings a run to its open question with changes, wants some, and gives it.
fn sent_back(yaml: &str) -> Simulation {
    let mut run = Simulation::new(&plan_of(yaml), &json!({}));
    run.rest(&mut silent());
    wish(&mut run);
    run
}

#[test]
fn a_rewind_lets_locks_go_and_takes_them_again() {
    let simple = format!(
        "steps:\n  - id: make\n    {PY}\n    locks: [magnet]\n  - id: ask\n    approval: {{title: Good?, on_changes: make}}\n"
    );
    // The container that is rewound holds the lock while its question is open.
    let around = format!(
        "steps:\n  - id: make\n    {PY}\n  - id: hold\n    locks: [magnet]\n    parallel:\n      - name: one\n        steps:\n          \
         - id: inner\n            {PY}\n          - id: other\n            approval: {{title: Other?}}\n  \
         - id: ask\n    needs: [make]\n    approval: {{title: Good?, on_changes: make}}\n"
    );
    // The question stands inside what holds it: it is kept.
    let inside = format!(
        "steps:\n  - id: hold\n    locks: [magnet]\n    parallel:\n      - name: one\n        steps:\n          - id: make\n            {PY}\n          \
         - id: ask\n            approval: {{title: Good?, on_changes: make}}\n"
    );
    for (yaml, times) in [(simple, 2), (around, 2), (inside, 1)] {
        let mut run = sent_back(&yaml);
        run.rest(&mut World::sampling(0));
        assert_eq!(run.state.status(), RunStatus::Succeeded, "{yaml}");
        assert_eq!(count(&run, "StepsRewound"), 1, "{yaml}");
        assert_eq!(count(&run, "StepAdmitted"), times, "{yaml}");
        assert!(!run.state.holds(), "{yaml}");
        for kept in 1..=run.history.len() {
            let mut again = run.crashed(kept);
            again.rest(&mut World::sampling(0));
            assert_eq!(
                again.state.status(),
                RunStatus::Succeeded,
                "{yaml} cut after {kept}"
            );
            assert!(!again.state.holds(), "{yaml} cut after {kept}");
        }
    }
}

#[test]
fn a_rewind_cancels_the_run_inside_before_another_is_started() {
    let yaml = format!(
        "steps:\n  - id: make\n    {PY}\n  - id: inner\n    workflow: {{file: child.yml}}\n  \
         - id: ask\n    needs: [make]\n    approval: {{title: Good?, on_changes: make}}\n"
    );
    let child = "version: 1\nname: child\nsteps: [{id: a, set: {v: 1}}]\n";
    let (plan, _) = crate::inner_runs::compiled_with(&yaml, &[("child.yml", child)]);
    let mut run = Simulation::new(&plan, &json!({}));
    run.rest(&mut silent());
    let started = run
        .history
        .iter()
        .position(|one| one.event.name() == "ChildRunStarted");
    let mut run = run.crashed(started.unwrap() + 1);
    run.advance();
    wish(&mut run);
    assert_eq!(count(&run, "StepsRewound"), 0, "its run is alive");
    let owed = effects(&run.state, LATER);
    assert!(
        matches!(owed.as_slice(), [Effect::CancelChild { .. }]),
        "{owed:?}"
    );
    run.rest(&mut World::sampling(0));
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    let (_, inner) = run.state.step_with_id("inner").unwrap();
    let ends: Vec<RunStatus> = inner
        .children
        .iter()
        .map(|child| child.closed.as_ref().unwrap().status)
        .collect();
    assert_eq!(ends, [RunStatus::Cancelled, RunStatus::Succeeded]);
    assert_ne!(inner.children[0].run, inner.children[1].run);
}

fn signal(key: &str) -> Command {
    Command::Signal {
        name: "beam".to_owned(),
        payload: Values::new(),
        key: Some(key.to_owned()),
    }
}

#[test]
fn a_wait_that_begins_anew_takes_a_new_signal_and_those_that_nobody_took() {
    let yaml = format!(
        "steps:\n  - id: make\n    {PY}\n  - id: sig\n    wait: {{signal: beam}}\n  - id: ask\n    approval: {{title: Good?, on_changes: make}}\n"
    );
    for buffered in [false, true] {
        let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
        run.submit(signal("one")).unwrap();
        if buffered {
            run.submit(signal("two")).unwrap();
        }
        run.rest(&mut silent());
        assert_eq!(count(&run, "SignalConsumed"), 1);
        wish(&mut run);
        run.rest(&mut silent());
        let taken = count(&run, "SignalConsumed");
        assert_eq!(taken, if buffered { 2 } else { 1 }, "never the same again");
        // The key makes a repetition the same signal, taken or not.
        run.submit(signal("one")).unwrap();
        run.submit(signal("three")).unwrap();
        run.rest(&mut World::sampling(0));
        assert_eq!(run.state.status(), RunStatus::Succeeded);
        assert_eq!(count(&run, "SignalConsumed"), 2);
    }
}

#[test]
fn handlers_run_again_for_the_end_after_a_retry() {
    let yaml = format!(
        "steps:\n  - id: work\n    {PY}\nhandlers:\n  failure:\n    - id: sigh\n      set: {{v: 1}}\n  success:\n    - id: cheer\n      set: {{v: 1}}\n  \
         finish:\n    - id: log\n      set: {{status: \"${{{{ run.summary.status }}}}\"}}\n"
    );
    let boom = || {
        World::new(|_, _| {
            let failure = stepwell::failure::Failure::new(
                stepwell::failure::FailureKind::Code,
                stepwell::code::BAD_OUTPUT,
                "boom",
            );
            crate::simulator::Ends::Failing(failure)
        })
    };
    let again = || Command::Reopen {
        from: Vec::new(),
        by: "ada".to_owned(),
        reason: None,
        seen: None,
        bypass: stepwell::run::payload::CacheBypassed::default(),
    };
    let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
    run.rest(&mut boom());
    run.submit(again()).unwrap();
    run.rest(&mut boom());
    run.submit(again()).unwrap();
    let reopened = run.history.len();
    run.rest(&mut World::sampling(0));
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    let begun = |run: &Simulation| -> Vec<String> {
        let bodies = run.history.iter().filter_map(|one| match &one.event {
            Event::HandlerStarted(named) => Some(named.kind.as_str().to_owned()),
            _ => None,
        });
        bodies.collect()
    };
    let expected = [
        "failure", "finish", "failure", "finish", "success", "finish",
    ];
    assert_eq!(begun(&run), expected);
    let path = stepwell::id::StepPath::new("handlers.finish.log");
    let (_, log) = run.state.step(&path).unwrap();
    assert_eq!(log.outputs.as_ref().unwrap()["status"], json!("succeeded"));
    for kept in reopened..=run.history.len() {
        let mut again = run.crashed(kept);
        again.rest(&mut World::sampling(0));
        assert_eq!(begun(&again), expected, "cut after {kept}");
        assert_eq!(again.outcome(), run.outcome(), "cut after {kept}");
    }
}

#[test]
fn another_version_takes_over_items_questions_and_rounds_that_are_open() {
    let items = format!(
        "steps:\n  - id: per\n    foreach:\n      items: [1, 2]\n      steps:\n        - id: ask\n          approval: {{title: Good?}}\n        - id: work\n          {PY}\n  - id: end\n    set: {{v: 1}}\n"
    );
    let asks = "steps:\n  - id: ask\n    approval: {title: Good?}\n  - id: end\n    set: {v: 1}\n"
        .to_owned();
    let rounds = "steps:\n  - id: poll\n    until:\n      condition: ${{ round.index >= 3 }}\n      max: 3\n      every: 1h\n      steps:\n        - id: look\n          set: {v: Good?}\n  - id: end\n    set: {v: 1}\n".to_owned();
    for (yaml, open) in [(items, "per"), (asks, "ask"), (rounds, "poll")] {
        let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
        run.submit(Command::Start).unwrap();
        run.advance();
        let before: Vec<_> = run.state.approvals.keys().cloned().collect();
        let rounds = count(&run, "RoundStarted");
        // What is open must stay as it was …
        let changed = plan_of(&yaml.replace("Good?", "Bad?"));
        let obstacles = stepwell::run::compare_plans(&run.state, &changed).obstacles;
        assert!(
            obstacles.iter().any(|why| why.contains(open)),
            "{yaml}: {obstacles:?}"
        );
        // … and goes on where it stood when something else changes.
        let new = plan_of(&yaml.replace("{v: 1}", "{v: 2}"));
        let compared = stepwell::run::compare_plans(&run.state, &new);
        assert_eq!(compared.obstacles, [""; 0], "{yaml}");
        run.migrate(&new, compared.changes);
        let migrated = run.history.len();
        run.rest(&mut World::sampling(0));
        assert_eq!(run.state.status(), RunStatus::Succeeded, "{yaml}");
        let end = run.state.step_with_id("end").unwrap().1;
        assert_eq!(end.outputs.as_ref().unwrap()["v"], 2);
        let after: Vec<_> = run.state.approvals.keys().cloned().collect();
        assert_eq!(after, before, "nobody is asked twice: {yaml}");
        assert_eq!(count(&run, "RoundStarted"), if rounds == 0 { 0 } else { 3 });
        for kept in migrated..=run.history.len() {
            let mut again = run.crashed(kept);
            again.rest(&mut World::sampling(0));
            assert_eq!(again.outcome(), run.outcome(), "{yaml} cut after {kept}");
        }
    }
}
