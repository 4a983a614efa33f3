//! The machine by the rules of the language: each test is a small workflow and how its steps end.

use std::sync::Arc;

use serde_json::{Value, json};
use stepwell::code;
use stepwell::failure::{Failure, FailureKind};
use stepwell::plan::Plan;
use stepwell::run::payload::{Answer, Values};
use stepwell::run::{Command, Event, Refusal};
use stepwell::workflow::{CompileOptions, NoSources, compile};

use crate::cli_schema::agree;
use crate::simulator::{Adopted, Ends, Simulation, World, result, vote};

pub(crate) fn plan_of(yaml: &str) -> Arc<Plan> {
    let text = format!("version: 1\nname: test\n{yaml}");
    agree(&text);
    let compilation = compile(
        "test.yml",
        text.as_bytes(),
        &NoSources,
        &CompileOptions::default(),
    );
    let said: Vec<String> = compilation
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect();
    Arc::new(
        compilation
            .plan
            .unwrap_or_else(|| panic!("{}", said.join("\n"))),
    )
}

fn boom() -> Failure {
    Failure::new(FailureKind::Code, code::BAD_OUTPUT, "boom")
}

/// Runs a workflow in which the named steps fail, and shows how each step ended.
fn statuses(yaml: &str, failing: &'static [&'static str]) -> (String, String) {
    let mut world = World::new(|step, _| {
        if failing.contains(&step.id.as_str()) {
            Ends::Failing(boom())
        } else {
            Ends::With(json!({"x": 1}))
        }
    });
    let mut run = Simulation::new(&plan_of(yaml), &json!({}));
    run.rest(&mut world);
    let steps: Vec<String> = run
        .state
        .steps()
        .map(|(step, state)| format!("{} {}", step.path, state.status.as_str()))
        .collect();
    (run.state.status().as_str().to_owned(), steps.join(", "))
}

const PY: &str = "python: {code: \"results = {'x': 1}\"}";

/// A list of Python steps; each entry is an id and further keys.
fn steps(list: &[(&str, &str)]) -> String {
    let mut text = "steps:\n".to_owned();
    for (id, more) in list {
        text += &format!("  - id: {id}\n    {PY}\n");
        for line in more.lines() {
            text += &format!("    {line}\n");
        }
    }
    text
}

#[test]
fn rule_02_a_step_follows_the_one_before_it() {
    let (run, ended) = statuses(&steps(&[("a", ""), ("b", ""), ("c", "")]), &[]);
    assert_eq!(
        (run.as_str(), ended.as_str()),
        ("succeeded", "a succeeded, b succeeded, c succeeded")
    );
}

#[test]
fn rule_04_a_failure_stops_what_depends_on_it_and_nothing_else() {
    let list = steps(&[
        ("a", ""),
        ("b", ""),
        ("c", "needs: []"),
        ("d", "needs: [c]"),
    ]);
    let (run, ended) = statuses(&list, &["a"]);
    assert_eq!(run, "failed");
    assert_eq!(ended, "a failed, b not_run, c succeeded, d succeeded");
}

#[test]
fn rule_04_a_skip_passes_implicit_edges_and_stops_explicit_needs() {
    let list = steps(&[
        ("a", "if: \"${{ 1 > 2 }}\""),
        ("b", ""),
        ("c", "needs: [a]"),
        ("d", ""),
        ("e", "needs: [c]"),
    ]);
    let (run, ended) = statuses(&list, &[]);
    assert_eq!(run, "succeeded");
    // c needs the skipped a: not run, with only skips behind it, so d after it goes on; e needs c and does not.
    assert_eq!(
        ended,
        "a skipped, b succeeded, c not_run, d succeeded, e not_run"
    );
}

#[test]
fn rule_04_a_failure_behind_an_implicit_edge_is_no_skip() {
    let list = steps(&[("a", ""), ("b", "needs: [a]"), ("c", "")]);
    let (run, ended) = statuses(&list, &["a"]);
    assert_eq!(
        (run.as_str(), ended.as_str()),
        ("failed", "a failed, b not_run, c not_run")
    );
}

#[test]
fn rule_04_on_failure_decides_what_a_failure_does() {
    let list = |word: &str| {
        steps(&[
            ("a", &format!("on_failure: {word}")),
            ("b", "needs: [a]"),
            ("c", "needs: []"),
        ])
    };
    assert_eq!(
        statuses(&list("continue"), &["a"]),
        (
            "succeeded".to_owned(),
            "a failed, b succeeded, c succeeded".to_owned()
        )
    );
    assert_eq!(
        statuses(&list("skip_dependents"), &["a"]),
        (
            "succeeded".to_owned(),
            "a failed, b not_run, c succeeded".to_owned()
        )
    );
}

#[test]
fn rule_04_a_status_function_lifts_the_rule_and_the_run_still_fails() {
    let list = steps(&[
        ("a", ""),
        ("mend", "needs: [a]\nif: \"${{ failed('a') }}\""),
        ("last", "needs: [a]\nif: \"${{ always() }}\""),
    ]);
    let (run, ended) = statuses(&list, &["a"]);
    assert_eq!(
        (run.as_str(), ended.as_str()),
        ("failed", "a failed, mend succeeded, last succeeded")
    );
    let (run, ended) = statuses(&list, &[]);
    assert_eq!(
        (run.as_str(), ended.as_str()),
        ("succeeded", "a succeeded, mend skipped, last succeeded")
    );
}

#[test]
fn after_waits_for_the_end_whatever_the_result() {
    let list = steps(&[("a", ""), ("b", "after: [a]")]);
    assert_eq!(statuses(&list, &["a"]).1, "a failed, b succeeded");
}

#[test]
fn rule_28_a_run_that_no_schedule_started_has_no_interval() {
    let yaml = "
steps:
  - id: day
    set: {since: '${{ default(run.interval_start, run.scheduled_at) }}', known: '${{ exists(run.interval_end) }}'}
  - id: needs_it
    set: {since: '${{ run.interval_start }}'}
";
    let mut run = Simulation::new(&plan_of(yaml), &json!({}));
    run.rest(&mut World::sampling(0));
    let (_, day) = run.state.step_with_id("day").unwrap();
    assert_eq!(day.outputs.as_ref().unwrap()["known"], json!(false));
    assert!(day.outputs.as_ref().unwrap()["since"].is_string());
    let (_, needs_it) = run.state.step_with_id("needs_it").unwrap();
    let failure = needs_it.failure.clone().unwrap();
    assert_eq!(failure.code, "expression_absent");
    assert!(failure.message.contains("no schedule started this run"));
}

#[test]
fn rule_05_absent_is_not_null_and_not_empty() {
    let yaml = "
steps:
  - id: a
    if: ${{ 1 > 2 }}
    set: {x: 1}
  - id: b
    set: {n: null, e: '', d: '${{ default(steps.a.outputs.x, 7) }}', has: '${{ exists(steps.a.outputs.x) }}'}
  - id: c
    after: [a]
    if: ${{ always() }}
    set: {bad: '${{ steps.a.outputs.x }}'}
outputs:
  fine: ${{ steps.b.outputs }}
  gone: ${{ steps.a.outputs.x }}
";
    let mut run = Simulation::new(&plan_of(yaml), &json!({}));
    run.rest(&mut World::sampling(0));
    let (_, b) = run.state.step_with_id("b").unwrap();
    assert_eq!(
        Value::Object(b.outputs.clone().unwrap()),
        json!({"n": null, "e": "", "d": 7, "has": false})
    );
    let (_, c) = run.state.step_with_id("c").unwrap();
    let failure = c.failure.clone().unwrap();
    assert_eq!(failure.code, "expression_absent");
    assert!(
        failure.message.contains("`a`") && failure.message.contains("skipped"),
        "{}",
        failure.message
    );
    let ending = run.state.ending.clone().unwrap();
    assert_eq!(ending.status.as_str(), "failed");
    assert_eq!(
        Value::Object(ending.outputs),
        json!({"fine": {"n": null, "e": "", "d": 7, "has": false}})
    );
    assert!(
        ending.warnings[0].contains("output `gone` is absent"),
        "{:?}",
        ending.warnings
    );
}

#[test]
fn rule_06_declared_outputs_are_checked_and_a_missing_one_fails_the_step() {
    let yaml = steps(&[("a", "outputs: {x: string}")]);
    let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
    run.rest(&mut World::new(|_, _| Ends::With(json!({"x": 1}))));
    let failure = run
        .state
        .step_with_id("a")
        .unwrap()
        .1
        .failure
        .clone()
        .unwrap();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Code, "bad_output")
    );
    assert!(failure.message.contains("outputs.x"), "{}", failure.message);

    let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
    run.rest(&mut World::new(|_, _| Ends::With(json!({"y": 1}))));
    let failure = run
        .state
        .step_with_id("a")
        .unwrap()
        .1
        .failure
        .clone()
        .unwrap();
    assert!(
        failure.message.contains("`x` is missing") && failure.message.contains('y'),
        "{}",
        failure.message
    );
}

const SWITCH: &str = "
inputs: {q: float}
steps:
  - id: pick
    switch:
      - name: high
        when: ${{ inputs.q > 0.8 }}
        set: {depth: 3}
      - name: middle
        when: ${{ inputs.q > 0.5 }}
        steps:
          - id: clean
            python: {code: \"results = {'rows': 5}\"}
            outputs: {rows: int}
          - id: check
            set: {ok: '${{ steps.clean.outputs.rows > 2 }}'}
        set: {depth: 2, rows: '${{ steps.clean.outputs.rows }}'}
  - id: use
    set: {depth: '${{ steps.pick.outputs.depth }}', arm: '${{ steps.pick.arm }}'}
";

#[test]
fn rule_14_the_first_true_arm_is_taken_and_every_condition_is_recorded() {
    let cases = [
        (
            0.9,
            "pick succeeded, pick.clean not_run, pick.check not_run, use succeeded",
            json!({"depth": 3, "arm": "high"}),
        ),
        (
            0.6,
            "pick succeeded, pick.clean succeeded, pick.check succeeded, use succeeded",
            json!({"depth": 2, "arm": "middle"}),
        ),
    ];
    for (q, expected, used) in cases {
        let mut run = Simulation::new(&plan_of(SWITCH), &json!({"q": q}));
        run.rest(&mut World::new(|_, _| Ends::With(json!({"rows": 5}))));
        let steps: Vec<String> = run
            .state
            .steps()
            .map(|(step, state)| format!("{} {}", step.path, state.status.as_str()))
            .collect();
        assert_eq!(steps.join(", "), expected);
        assert_eq!(
            Value::Object(
                run.state
                    .step_with_id("use")
                    .unwrap()
                    .1
                    .outputs
                    .clone()
                    .unwrap()
            ),
            used
        );
    }
    let mut run = Simulation::new(&plan_of(SWITCH), &json!({"q": 0.6}));
    run.rest(&mut World::new(|_, _| Ends::With(json!({"rows": 5}))));
    let tried = run
        .history
        .iter()
        .find_map(|recorded| match &recorded.event {
            Event::BranchChosen(chosen) => Some(serde_json::to_value(chosen).unwrap()),
            _ => None,
        });
    assert_eq!(
        tried.unwrap()["tried"],
        json!([{"arm": "high", "value": false}, {"arm": "middle", "value": true}])
    );
}

#[test]
fn rule_14_no_true_arm_and_no_else_skips_the_switch_and_all_inside_it() {
    let mut run = Simulation::new(&plan_of(SWITCH), &json!({"q": 0.1}));
    run.rest(&mut World::sampling(0));
    assert_eq!(run.status_of("pick"), "skipped");
    assert_eq!(run.status_of("clean"), "not_run");
    // `use` reads what the switch gives out, so it needs it.
    assert_eq!(run.status_of("use"), "not_run");
    assert_eq!(run.state.status().as_str(), "succeeded");
}

#[test]
fn a_failure_inside_an_arm_fails_the_switch_and_the_run_names_the_step_inside() {
    let mut run = Simulation::new(&plan_of(SWITCH), &json!({"q": 0.6}));
    run.rest(&mut World::new(|_, _| Ends::Failing(boom())));
    assert_eq!(run.status_of("pick"), "failed");
    let (step, failure) = run.state.ending.clone().unwrap().failure.unwrap();
    assert_eq!(
        (step.as_str(), failure.message.as_str()),
        ("pick.clean", "boom")
    );
}

#[test]
fn rule_08_retries_follow_the_policy_and_record_the_drawn_delay() {
    let yaml = steps(&[(
        "a",
        "retry: {max_attempts: 3, delay: 10s, backoff: 2.0, jitter: 0, kinds: [code]}",
    )]);
    let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
    let mut world = World::new(|_, attempt| {
        if attempt < 3 {
            Ends::Failing(boom())
        } else {
            Ends::With(json!({}))
        }
    });
    run.rest(&mut world);
    assert_eq!(run.state.status().as_str(), "succeeded");
    let delays: Vec<u64> = run
        .history
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::RetryScheduled(retry) => Some(retry.delay_ms),
            _ => None,
        })
        .collect();
    assert_eq!(delays, [10_000, 20_000]);
    assert_eq!(world.ledger.values().sum::<u32>(), 3);
}

#[test]
fn rule_08_without_a_policy_only_the_surroundings_are_tried_again_and_a_write_never() {
    let broken = Failure::new(FailureKind::Infrastructure, code::INTERNAL, "no disk");
    let cases = [
        ("", boom(), 1),
        ("", broken.clone(), 3),
        (
            "\n    with: {}",
            Failure {
                kind: FailureKind::Policy,
                ..boom()
            },
            1,
        ),
    ];
    for (more, failure, attempts) in cases {
        let yaml = format!("steps:\n  - id: a\n    {PY}{more}\n");
        let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
        let mut world = World::new(move |_, _| Ends::Failing(failure.clone()));
        run.rest(&mut world);
        assert_eq!(world.ledger.values().sum::<u32>(), attempts);
        assert_eq!(run.state.status().as_str(), "failed");
    }
    let write = "steps:\n  - id: a\n    python: {code: 'results = {}', mode: write_access}\n";
    let mut run = Simulation::new(&plan_of(write), &json!({}));
    let mut world = World::new(move |_, _| Ends::Failing(broken.clone()));
    run.rest(&mut world);
    assert_eq!(world.ledger.values().sum::<u32>(), 1);
}

const APPROVAL: &str = "
steps:
  - id: a
    set: {x: 4}
  - id: ok
    approval:
      title: Apply ${{ steps.a.outputs.x }}?
      show: [a.outputs.x]
      form:
        scale: {type: float, default: 1.5, min: 0, max: 2}
        why: {type: string}
      on_reject: ON_REJECT
  - id: b
    needs: [ok]
    set: {y: '${{ steps.a.outputs.x * steps.ok.outputs.scale }}'}
  - id: free
    needs: []
    set: {z: 1}
";

fn asking(on_reject: &str) -> Simulation {
    Simulation::new(
        &plan_of(&APPROVAL.replace("ON_REJECT", on_reject)),
        &json!({}),
    )
}

#[test]
fn an_approval_waits_for_ever_and_its_form_is_its_output() {
    let mut run = asking("reject");
    run.rest(&mut World::sampling(0).voting(|_| None));
    assert_eq!(run.state.status().as_str(), "waiting");
    assert_eq!(run.status_of("free"), "succeeded");
    let asked = run.state.open_approvals().next().unwrap().clone();
    assert_eq!(asked.request.title, "Apply 4?");
    assert_eq!(
        Value::Object(asked.request.show.clone()),
        json!({"a.outputs.x": 4})
    );

    let form = |value: Value| value.as_object().cloned().unwrap();
    let refused = run.submit(Command::Vote(vote(
        &asked,
        Answer::Approve,
        form(json!({"scale": 9, "why": "x"})),
    )));
    assert!(matches!(refused, Err(Refusal::Form { .. })), "{refused:?}");
    let refused = run.submit(Command::Vote(vote(&asked, Answer::Approve, Values::new())));
    assert!(matches!(refused, Err(Refusal::Form { .. })), "{refused:?}");
    let refused = run.submit(Command::Vote(vote(
        &asked,
        Answer::Approve,
        form(json!({"why": "x", "zz": 1})),
    )));
    assert!(matches!(refused, Err(Refusal::Form { .. })), "{refused:?}");

    run.submit(Command::Vote(vote(
        &asked,
        Answer::Approve,
        form(json!({"why": "good"})),
    )))
    .unwrap();
    run.rest(&mut World::sampling(0));
    assert_eq!(run.state.status().as_str(), "succeeded");
    assert_eq!(run.outcome()["steps"]["b"]["outputs"], json!({"y": 6.0}));
}

#[test]
fn rule_03_a_rejection_ends_rejected_skips_or_fails_as_the_step_says() {
    for (on_reject, status) in [
        ("reject", "rejected"),
        ("skip", "succeeded"),
        ("fail", "failed"),
    ] {
        let mut run = asking(on_reject);
        run.rest(&mut World::sampling(0).voting(|_| Some((Answer::Reject, Values::new()))));
        assert_eq!(
            run.state.status().as_str(),
            status,
            "on_reject: {on_reject}"
        );
        assert_eq!(
            (run.status_of("ok"), run.status_of("b")),
            ("rejected", "not_run")
        );
        assert_eq!(run.status_of("free"), "succeeded");
    }
}

#[test]
fn an_answer_is_idempotent_a_late_one_is_refused_and_a_no_needs_a_reason() {
    let mut run = asking("reject");
    run.rest(&mut World::sampling(0).voting(|_| None));
    let asked = run.state.open_approvals().next().unwrap().clone();
    let yes = || {
        vote(
            &asked,
            Answer::Approve,
            json!({"why": "x"}).as_object().cloned().unwrap(),
        )
    };
    let mut silent = vote(&asked, Answer::Reject, Values::new());
    silent.comment = None;
    assert_eq!(
        run.submit(Command::Vote(silent)),
        Err(Refusal::CommentMissing)
    );
    let mut other = yes();
    other.seen = Some(stepwell::id::Digest::of(b"something else"));
    assert_eq!(run.submit(Command::Vote(other)), Err(Refusal::Changed));

    run.submit(Command::Vote(yes())).unwrap();
    let length = run.history.len();
    run.submit(Command::Vote(yes())).unwrap();
    assert_eq!(
        run.history.len(),
        length,
        "the same answer again changes nothing"
    );
    let mut other_form = yes();
    other_form.form = json!({"why": "y"}).as_object().cloned().unwrap();
    let no = vote(&asked, Answer::Reject, Values::new());
    for late in [other_form, no] {
        assert_eq!(
            run.submit(Command::Vote(late)),
            Err(Refusal::Decided {
                outcome: "approved",
                by: "ada".to_owned()
            })
        );
    }
}

#[test]
fn code_with_write_access_does_not_start_without_its_approval() {
    let yaml = "steps:\n  - id: w\n    python: {code: 'results = {}', mode: write_access}\n";
    let mut run = Simulation::new(&plan_of(yaml), &json!({}));
    let mut world = World::sampling(0).voting(|_| None);
    run.rest(&mut world);
    assert_eq!(run.state.status().as_str(), "waiting");
    assert!(world.ledger.is_empty());
    let path = "w".into();
    let begin = Command::BeginAttempt(run.started(&path, 1));
    assert!(
        matches!(run.submit(begin), Err(Refusal::Stale(_))),
        "no attempt while the question is open"
    );

    // A no: nothing ever runs.
    let mut rejected = run.crashed(run.history.len());
    rejected.rest(&mut World::sampling(0).voting(|_| Some((Answer::Reject, Values::new()))));
    assert_eq!(rejected.state.status().as_str(), "rejected");
    assert!(
        !rejected
            .history
            .iter()
            .any(|r| matches!(r.event, Event::AttemptStarted(_)))
    );

    // A yes for one subject is no yes for another.
    let asked = run.state.open_approvals().next().unwrap().clone();
    run.submit(Command::Vote(vote(&asked, Answer::Approve, Values::new())))
        .unwrap();
    let mut changed = run.started(&path, 1);
    changed.subject = Some(stepwell::id::Digest::of(b"edited"));
    assert!(matches!(
        run.submit(Command::BeginAttempt(changed)),
        Err(Refusal::Stale(_))
    ));
    let mut report = run.analysis(&path, &world);
    report.subject = stepwell::id::Digest::of(b"edited");
    run.submit(Command::Analysed(report)).unwrap();
    run.advance();
    assert_eq!(
        run.state.open_approvals().count(),
        1,
        "what changed asks again"
    );
    assert_ne!(
        run.state.open_approvals().next().unwrap().request.approval,
        asked.request.approval
    );
}

#[test]
fn an_interrupted_write_becomes_unknown_and_a_person_decides() {
    let yaml = "steps:\n  - id: w\n    python: {code: 'results = {}', mode: write_access}\n  - id: n\n    set: {a: 1}\n";
    for (answer, form, status, ran) in [
        (Answer::Approve, json!({"answer": "done"}), "succeeded", 0),
        (
            Answer::Approve,
            json!({"answer": "run_again"}),
            "succeeded",
            1,
        ),
        (Answer::Reject, json!({}), "failed", 0),
    ] {
        let mut run = Simulation::new(&plan_of(yaml), &json!({}));
        run.rest(&mut World::sampling(0));
        let begun = run
            .history
            .iter()
            .position(|r| matches!(r.event, Event::AttemptStarted(_)))
            .unwrap();
        let mut after = run.crashed(begun + 1);
        let mut world = World::sampling(0).voting(|_| None);
        after.rest(&mut world);
        assert_eq!(
            (after.status_of("w"), after.state.status().as_str()),
            ("unknown", "waiting")
        );
        assert!(
            world.ledger.is_empty(),
            "a write is never repeated by itself"
        );

        let form = form.as_object().cloned().unwrap();
        let mut world = World::sampling(0).voting(move |_| Some((answer, form.clone())));
        after.rest(&mut world);
        assert_eq!(after.state.status().as_str(), status);
        assert_eq!(world.ledger.values().sum::<u32>(), ran);
    }
}

#[test]
fn a_write_that_never_began_or_that_finished_alone_asks_nobody() {
    let yaml = "steps:\n  - id: w\n    python: {code: 'results = {}', mode: write_access}\n";
    for (adopted, ran) in [(Adopted::LostBefore, 1), (Adopted::Finished, 0)] {
        let mut run = Simulation::new(&plan_of(yaml), &json!({}));
        run.rest(&mut World::sampling(0));
        let begun = run
            .history
            .iter()
            .position(|r| matches!(r.event, Event::AttemptStarted(_)))
            .unwrap();
        let mut after = run.crashed(begun + 1);
        let mut world = World::sampling(0).voting(|_| None);
        world.adopted = adopted;
        after.rest(&mut world);
        assert_eq!(after.state.status().as_str(), "succeeded");
        assert_eq!(world.ledger.values().sum::<u32>(), ran);
    }
}

#[test]
fn a_completion_that_comes_too_late_changes_nothing() {
    let mut run = Simulation::new(&plan_of(&steps(&[("a", "")])), &json!({}));
    run.rest(&mut World::new(|_, _| Ends::Failing(boom())));
    let late = Command::AttemptEnded {
        result: result(&"a".into(), 1, Some(json!({}))),
        failure: None,
    };
    assert_eq!(run.submit(late), Err(Refusal::Ended { status: "failed" }));
}

#[test]
fn cancel_works_while_steps_run_and_while_people_are_asked() {
    let mut run = asking("reject");
    run.rest(&mut World::sampling(0).voting(|_| None));
    run.submit(Command::Cancel {
        reason: Some("storm".to_owned()),
    })
    .unwrap();
    run.rest(&mut World::sampling(0));
    assert_eq!(run.state.status().as_str(), "cancelled");
    assert_eq!(
        (
            run.status_of("ok"),
            run.status_of("b"),
            run.status_of("free")
        ),
        ("cancelled", "cancelled", "succeeded")
    );

    // A write that was stopped while it ran: nobody knows how far it came, and the end says so.
    let write = "steps:\n  - id: w\n    python: {code: 'results = {}', mode: write_access}\n";
    let mut run = Simulation::new(&plan_of(write), &json!({}));
    run.rest(&mut World::sampling(0));
    let begun = |run: &Simulation| {
        let mut events = run.history.iter();
        events
            .position(|r| matches!(r.event, Event::AttemptStarted(_)))
            .unwrap()
    };
    let mut writing = run.crashed(begun(&run) + 1);
    writing.submit(Command::Cancel { reason: None }).unwrap();
    writing.rest(&mut World::sampling(0));
    let warnings = writing.state.ending.clone().unwrap().warnings;
    assert!(
        warnings[0].contains("how far it came is not known"),
        "{warnings:?}"
    );

    let mut run = Simulation::new(&plan_of(&steps(&[("a", ""), ("b", "")])), &json!({}));
    run.rest(&mut World::sampling(0));
    let begun = run
        .history
        .iter()
        .position(|r| matches!(r.event, Event::AttemptStarted(_)))
        .unwrap();
    let mut running = run.crashed(begun + 1);
    running.submit(Command::Cancel { reason: None }).unwrap();
    let before = running.history.len();
    running.advance();
    assert_eq!(
        running.history[before..].len(),
        0,
        "nothing ends before the process is dead: b waits for a"
    );
    running.rest(&mut World::sampling(0));
    assert_eq!(running.state.status().as_str(), "cancelled");
    assert_eq!(
        (running.status_of("a"), running.status_of("b")),
        ("cancelled", "cancelled")
    );
}

#[test]
fn rule_26_results_without_a_declaration_are_the_outputs() {
    let cases = [
        (json!({"a": 1, "b": [2]}), json!({"a": 1, "b": [2]})),
        (json!([1, 2]), json!({"value": [1, 2]})),
        (json!(3.5), json!({"value": 3.5})),
    ];
    for (results, outputs) in cases {
        let mut run = Simulation::new(&plan_of(&steps(&[("a", "")])), &json!({}));
        run.rest(&mut World::new(move |_, _| Ends::With(results.clone())));
        assert_eq!(run.outcome()["steps"]["a"]["outputs"], outputs);
    }
}
