//! Handlers: what runs when a run has come to its result or waits for a person, and never changes the result.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::approval::Verdict;
use stepwell::code;
use stepwell::executor::fake::{FakeAnswer as Ran, FakeExecutor};
use stepwell::failure::{Failure, FailureKind};
use stepwell::plan::StepKind;
use stepwell::run::payload::{Answer, Values};
use stepwell::run::{Command, Event, Refusal, RunStatus, run_json};
use stepwell::store::memory::MemoryStore;
use stepwell::transport::Channel;
use stepwell::transport::fake::{FakeAnswer, FakeTransport};

use crate::actions::drive_through;
use crate::crash::{crash_and_go_on, yes};
use crate::engine::{Rig, compiled, create, events};
use crate::machine::plan_of;
use crate::simulator::{Adopted, Ends, Simulation, World};

const PY: &str = "python: {code: 'results = {}'}";

/// A run with all handlers, of which `work` may fail and `ask` may be rejected.
fn all(work: &str) -> String {
    format!(
        "steps:\n  - id: work\n    {work}\n  - id: ask\n    approval: {{title: go on}}\n\
         handlers:\n  waiting:\n    - id: tell\n      notify: {{webhook: 'http://a.example', text: \"${{{{ approval.title }}}}\"}}\n  \
         failure:\n    - id: diagnose\n      {PY}\n      with: {{failure: \"${{{{ failure }}}}\", count: \"${{{{ len(failures) }}}}\"}}\n    \
         - id: report\n      set: {{of: \"${{{{ steps.diagnose.status }}}}\"}}\n  \
         success:\n    - id: cheer\n      set: {{x: \"${{{{ steps.ask.status }}}}\"}}\n  \
         reject:\n    - id: sigh\n      set: {{x: 1}}\n  cancel:\n    - id: clean\n      {PY}\n  \
         finish:\n    - id: done\n      set: {{status: \"${{{{ run.summary.status }}}}\"}}\n"
    )
}

fn failing(ids: &'static [&'static str]) -> World {
    World::new(move |step, _| {
        if ids.contains(&step.id.as_str()) {
            let boom = Failure::new(
                FailureKind::Code,
                code::BAD_OUTPUT,
                format!("{} broke", step.id),
            );
            Ends::Failing(boom)
        } else {
            Ends::With(json!({}))
        }
    })
}

/// Nobody answers, and no time passes.
fn silent() -> World {
    let mut world = World::sampling(0).voting(|_| None);
    world.stands_still = true;
    world
}

/// The handlers of a history in the order of their events.
fn told(run: &Simulation) -> Vec<String> {
    let told = run
        .history
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::RunDecided(decided) => Some(format!("decided {}", decided.status.as_str())),
            Event::HandlerStarted(named) => Some(format!("{} begins", named.kind.as_str())),
            Event::HandlerEnded(ended) => Some(format!("{} ends", ended.handler.kind.as_str())),
            Event::HandlerTimedOut(named) => Some(format!("{} is late", named.kind.as_str())),
            event if stepwell::engine::ends_run(event) => Some(event.name().to_owned()),
            _ => None,
        });
    told.collect()
}

fn outputs(run: &Simulation, path: &str) -> Values {
    let path = stepwell::id::StepPath::new(path);
    let (_, state) = run.state.step(&path).unwrap();
    state.outputs.clone().unwrap_or_default()
}

#[test]
fn rule_16_the_specific_handler_runs_first_then_finish_and_the_result_stands() {
    let cases: [(&str, &'static [&'static str], Answer, &str); 3] = [
        ("failed", &["work"], Answer::Approve, "failure"),
        ("succeeded", &[], Answer::Approve, "success"),
        ("rejected", &[], Answer::Reject, "reject"),
    ];
    for (status, broken, answer, handler) in cases {
        let mut world = failing(broken).voting(move |_| Some((answer, Values::new())));
        let mut run = Simulation::new(&plan_of(&all(PY)), &json!({}));
        run.rest(&mut world);
        assert_eq!(run.state.status().as_str(), status);
        let mut expected = vec![
            format!("decided {status}"),
            format!("{handler} begins"),
            format!("{handler} ends"),
            "finish begins".to_owned(),
            "finish ends".to_owned(),
        ];
        let end = run.history.last().unwrap().event.name();
        expected.push(end.to_owned());
        let told: Vec<String> = told(&run)
            .into_iter()
            .filter(|line| !line.starts_with("waiting"))
            .collect();
        assert_eq!(told, expected);
        assert_eq!(
            outputs(&run, "handlers.finish.done")["status"],
            json!(status)
        );
        assert!(run.state.ending.as_ref().unwrap().warnings.is_empty());
    }
}

#[test]
fn a_handler_sees_what_failed_and_where() {
    let mut run = Simulation::new(&plan_of(&all(PY)), &json!({}));
    run.rest(&mut failing(&["work"]));
    let path = stepwell::id::StepPath::new("handlers.failure.diagnose");
    let (_, diagnose) = run.state.step(&path).unwrap();
    let failure = &diagnose.inputs["failure"];
    let event = failure["event"].as_u64().unwrap();
    assert_eq!(
        (
            &failure["step"],
            &failure["kind"],
            &failure["message"],
            &failure["attempt"]
        ),
        (
            &json!("work"),
            &json!("code"),
            &json!("work broke"),
            &json!(1)
        )
    );
    let named = &run.history[usize::try_from(event).unwrap() - 1].event;
    assert_eq!(named.name(), "StepFailed");
    assert_eq!(diagnose.inputs["count"], json!(1));
}

#[test]
fn a_question_is_told_once_while_the_run_waits_and_nothing_else_is_held_up() {
    let yaml = all(PY).replace(
        "approval.title",
        "approval.title + ' ' + approval.step + ' ' + approval.url",
    );
    let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
    let mut world = silent();
    run.rest(&mut world);
    assert_eq!(run.state.status(), RunStatus::Waiting);
    assert_eq!(told(&run), ["waiting begins", "waiting ends"]);
    let asked = run
        .state
        .open_approvals()
        .next()
        .unwrap()
        .request
        .approval
        .clone();
    let path = stepwell::id::StepPath::new(format!("handlers.waiting[{asked}].tell"));
    let (_, tell) = run.state.step(&path).unwrap();
    let url = format!(
        "https://flows.example/runs/{}?approval={asked}",
        run.state.run
    );
    assert_eq!(tell.inputs["text"], json!(format!("go on ask {url}")));
    run.rest(&mut World::sampling(0));
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    assert_eq!(
        told(&run)
            .iter()
            .filter(|line| *line == "waiting begins")
            .count(),
        1
    );
}

#[test]
fn a_run_without_a_handler_for_its_end_has_the_history_that_it_always_had() {
    let plain = format!("steps:\n  - id: a\n    {PY}\n");
    let handled = format!("{plain}handlers:\n  failure:\n    - id: h\n      set: {{x: 1}}\n");
    let names = |yaml: &str| {
        let mut run = Simulation::new(&plan_of(yaml), &json!({}));
        run.rest(&mut World::sampling(0));
        let names: Vec<&str> = run
            .history
            .iter()
            .map(|recorded| recorded.event.name())
            .collect();
        names
    };
    assert_eq!(names(&plain), names(&handled));
}

#[test]
fn a_cancelled_run_runs_its_handlers_and_no_second_cancel_stops_them() {
    let yaml = all(PY).replace(
        "id: clean\n      python: {code: 'results = {}'}",
        "id: clean\n      approval: {title: cleaned up?}",
    );
    let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
    run.rest(&mut silent());
    run.submit(Command::Cancel {
        reason: Some("storm".to_owned()),
    })
    .unwrap();
    run.rest(&mut silent());
    assert_eq!(run.state.status(), RunStatus::Waiting, "the handler asks");
    let again = run.submit(Command::Cancel { reason: None });
    assert!(
        matches!(again, Ok(()) | Err(Refusal::Stale(_))),
        "{again:?}"
    );
    let before = run.history.len();
    run.rest(&mut World::sampling(0));
    assert!(run.history.len() > before);
    assert_eq!(run.state.status(), RunStatus::Cancelled);
    assert_eq!(
        outputs(&run, "handlers.finish.done")["status"],
        json!("cancelled")
    );
}

#[test]
fn a_cancel_ends_a_pause_so_that_handlers_run() {
    let yaml = all(PY);
    let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
    run.rest(&mut silent());
    run.submit(Command::Pause { reason: None }).unwrap();
    assert_eq!(run.state.status(), RunStatus::Paused);
    run.submit(Command::Cancel { reason: None }).unwrap();
    run.rest(&mut World::sampling(0));
    assert_eq!(run.state.status(), RunStatus::Cancelled);
    assert_eq!(
        outputs(&run, "handlers.finish.done")["status"],
        json!("cancelled")
    );
}

#[test]
fn a_decided_run_cannot_be_cancelled_any_more() {
    let yaml = "steps:\n  - id: a\n    set: {x: 1}\nhandlers:\n  finish:\n    - id: h\n      approval: {title: seen?}\n";
    let mut run = Simulation::new(&plan_of(yaml), &json!({}));
    run.rest(&mut silent());
    assert_eq!(run.state.status(), RunStatus::Waiting);
    let refused = run.submit(Command::Cancel { reason: None }).unwrap_err();
    assert!(matches!(refused, Refusal::Stale(_)), "{refused:?}");
    run.rest(&mut World::sampling(0));
    assert_eq!(run.state.status(), RunStatus::Succeeded);
}

#[test]
fn a_handler_that_fails_is_a_warning_and_the_next_one_runs() {
    let mut run = Simulation::new(&plan_of(&all(PY)), &json!({}));
    run.rest(&mut failing(&["work", "diagnose", "tell"]));
    assert_eq!(run.state.status(), RunStatus::Failed);
    let ending = run.state.ending.as_ref().unwrap();
    assert_eq!(ending.failure.as_ref().unwrap().1.message, "work broke");
    assert_eq!(
        ending.warnings,
        ["`handlers.failure` failed: diagnose broke"]
    );
    assert_eq!(
        outputs(&run, "handlers.finish.done")["status"],
        json!("failed")
    );
    let document = run_json(&run.state);
    assert_eq!(document["handlers"][0]["status"], json!("failed"));
    assert_eq!(document["decided"], json!("failed"));
}

#[test]
fn code_in_a_handler_asks_like_any_other_but_not_where_a_question_is_told() {
    let ask = |step: &stepwell::plan::Step| match step.kind {
        StepKind::Python(_) => Verdict::Ask,
        _ => Verdict::Pass,
    };
    let finish = format!(
        "steps:\n  - id: a\n    set: {{x: 1}}\nhandlers:\n  finish:\n    - id: h\n      {PY}\n"
    );
    let mut run = Simulation::new(&plan_of(&finish), &json!({}));
    let mut world = silent();
    world.verdict = ask;
    run.rest(&mut world);
    assert_eq!(run.state.status(), RunStatus::Waiting);
    run.rest(&mut World::sampling(0));
    assert_eq!(run.state.status(), RunStatus::Succeeded);

    let waiting = format!(
        "steps:\n  - id: a\n    approval: {{title: go on}}\nhandlers:\n  waiting:\n    - id: h\n      {PY}\n"
    );
    let mut run = Simulation::new(&plan_of(&waiting), &json!({}));
    let mut world = World::sampling(0);
    world.verdict = ask;
    run.rest(&mut world);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    let (_, ended) = run.state.handlers[0].ended.clone().unwrap();
    assert_eq!(ended.unwrap().code, code::HANDLER_ASKS.as_str());
    assert_eq!(run.state.approvals.len(), 1);
}

#[test]
fn runs_with_handlers_end_the_same_whatever_event_they_crash_after() {
    for broken in [&[][..], &["work"][..], &["work", "diagnose"][..]] {
        let broken: &'static [&'static str] = Box::leak(broken.to_vec().into_boxed_slice());
        let mut base = Simulation::new(&plan_of(&all(PY)), &json!({}));
        base.rest(&mut failing(broken).voting(yes));
        let ends = base
            .history
            .iter()
            .filter(|r| stepwell::engine::ends_run(&r.event))
            .count();
        assert_eq!(ends, 1);
        for kept in 1..=base.history.len() {
            for adopted in [Adopted::LostStarted, Adopted::LostBefore] {
                let mut world = failing(broken).voting(yes);
                world.adopted = adopted;
                crash_and_go_on(&base, kept, &mut world);
            }
        }
    }
}

#[tokio::test]
async fn a_handler_that_hangs_is_stopped_after_its_time_and_finish_still_runs() {
    let mut rig = Rig::new(MemoryStore::new());
    rig.transport = Arc::new(FakeTransport::default().on_request(|_| FakeAnswer::Hangs));
    let engine = rig.engine(&Arc::new(FakeExecutor::new(|_| Ran::results(json!({})))));
    let yaml = "steps:\n  - id: a\n    set: {x: 1}\nhandlers:\n  timeout: 90s\n  success:\n    - id: h\n      timeout: 1h\n      \
        http: {method: GET, url: 'http://a.example'}\n    - id: next\n      set: {x: 1}\n  finish:\n    - id: f\n      set: {x: 1}\n";
    let run = create(&engine, &compiled(yaml), json!({})).await;
    let state = drive_through(&engine, &rig, run, Duration::from_secs(30)).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    let (_, failure) = state.handlers[0].ended.clone().unwrap();
    assert_eq!(failure.unwrap().code, code::HANDLER_TIMED_OUT.as_str());
    assert_eq!(state.handlers[1].ended.clone().unwrap().1, None);
    let status = |path: &str| {
        state
            .step(&stepwell::id::StepPath::new(path))
            .unwrap()
            .1
            .status
            .as_str()
    };
    assert_eq!(status("handlers.success.h"), "cancelled");
    assert_eq!(status("handlers.success.next"), "not_run");
    assert_eq!(status("handlers.finish.f"), "succeeded");
    assert_eq!(rig.transport.requests().len(), 1);
}

#[tokio::test]
async fn the_channels_of_a_question_are_each_told_once_and_fail_nothing() {
    let mut rig = Rig::new(MemoryStore::new());
    let broken = || {
        Failure::new(
            FailureKind::Infrastructure,
            code::CONNECTION_FAILED,
            "no line",
        )
    };
    rig.transport = Arc::new(
        FakeTransport::default().on_send(move |channel, _| match channel {
            Channel::Slack { .. } => FakeAnswer::Fails(broken()),
            Channel::Webhook { .. } | Channel::Mail(_) => FakeAnswer::Gives(()),
        }),
    );
    let executor = Arc::new(FakeExecutor::new(|_| Ran::results(json!({}))));
    let url = || "http://a.example".to_owned();
    let engine = rig.engine_with(&executor, |options| {
        let hook = Channel::Webhook {
            url: url(),
            headers: Vec::new(),
        };
        options.channels.insert("hook".to_owned(), hook);
        options
            .channels
            .insert("slack".to_owned(), Channel::Slack { url: url() });
        options.base_url = Some("https://flows.example".to_owned());
    });
    let yaml = "steps:\n  - id: a\n    approval: {title: go on?, notify: [hook, slack, nobody]}\n";
    let run = create(&engine, &compiled(yaml), json!({})).await;
    let state = drive_through(&engine, &rig, run, Duration::from_secs(5)).await;
    assert_eq!(state.status(), RunStatus::Waiting);
    let sent = rig.transport.sent();
    let slack = sent
        .iter()
        .filter(|(to, _)| matches!(to, Channel::Slack { .. }));
    assert_eq!(
        (sent.len(), slack.count()),
        (4, 3),
        "three tries, and one that was taken"
    );
    assert_eq!(sent[0].1.title, "go on?");
    assert!(
        sent[0]
            .1
            .text
            .contains(&format!("https://flows.example/runs/{run}"))
    );
    let mut recorded: Vec<Value> = events(&engine, run)
        .await
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::NotificationSent(sent) => Some(json!([
                sent.channel,
                sent.occasion,
                sent.failure.as_ref().map(|failure| &failure.code)
            ])),
            _ => None,
        })
        .collect();
    recorded.sort_by_key(ToString::to_string);
    assert_eq!(
        recorded,
        [
            json!(["hook", "asked", null]),
            json!(["nobody", "asked", "unknown_channel"]),
            json!(["slack", "asked", "connection_failed"]),
        ]
    );
    let again = engine.drive(run).await.unwrap();
    assert_eq!(again.seq, state.seq, "nobody is told twice");
}
