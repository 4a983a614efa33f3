//! Steps that do what the program brings along: how they are written, what they are told, what becomes of them when
//! they fail or the engine dies, and programs that do not have them.

#[path = "../../examples/library/action.rs"]
mod example;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::action::{self, Action, Actions, Call};
use stepwell::code;
use stepwell::engine::{Engine, Error, NewRun, Variables};
use stepwell::executor::fake::{FakeAnswer as Ran, FakeExecutor};
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::{RunId, StepPath};
use stepwell::plan::{ActionStep, Mode, Plan, StepKind};
use stepwell::run::payload::Answer as Vote;
use stepwell::run::{Actor, Command, Event, RunState, RunStatus, StepState};
use stepwell::service::ErrorCategory;
use stepwell::store::ListQuery;
use stepwell::store::memory::MemoryStore;
use stepwell::time::BoxFuture;
use stepwell::workflow::{Compilation, CompileOptions, SourceError, Sources, compile};
use stepwell::{OpenOptions, PythonExecutorError, PythonExecutorService};

use crate::actions::drive_through;
use crate::cli_rig::Place;
use crate::engine::{Rig, compiled, create, events};
use crate::simulator::vote;
use crate::workflow_compile::shown;

/// What a call does.
enum Does {
    Gives(Value),
    Fails(FailureKind),
    Hangs,
    Panics,
}

/// An action that remembers its calls.
struct Own {
    name: &'static str,
    mode: Mode,
    calls: Mutex<Vec<Call>>,
    does: Box<dyn Fn(&Call) -> Does + Send + Sync>,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Own {
    fn new(mode: Mode, does: impl Fn(&Call) -> Does + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            name: "log.entry",
            mode,
            calls: Mutex::default(),
            does: Box::new(does),
        })
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

impl Action for Own {
    fn name(&self) -> &str {
        self.name
    }

    fn mode(&self) -> Mode {
        self.mode
    }

    fn run(&self, call: Call) -> BoxFuture<'_, Result<Value, Failure>> {
        Box::pin(async move {
            let does = (self.does)(&call);
            self.calls.lock().unwrap().push(call);
            match does {
                Does::Gives(value) => Ok(value),
                Does::Fails(kind) => {
                    Err(Failure::new(kind, code::ACTION_FAILED, "the book is shut"))
                }
                Does::Hangs => std::future::pending().await,
                Does::Panics => panic!("no page left"),
            }
        })
    }
}

fn engine(rig: &Rig, actions: &[Arc<Own>]) -> Engine {
    let executor = Arc::new(FakeExecutor::new(|_| Ran::results(json!({}))));
    rig.engine_with(&executor, |options| {
        let actions = actions.iter().map(|action| Arc::clone(action) as _);
        options.actions = Actions::of(actions).unwrap();
        let token = ("LOG_TOKEN".to_owned(), "hush-4711".to_owned());
        options.variables = Variables::new(BTreeMap::from([token]));
    })
}

fn step<'a>(state: &'a RunState, id: &str) -> &'a StepState {
    state.step_with_id(id).unwrap().1
}

fn failure(state: &RunState) -> (FailureKind, String) {
    let failure = step(state, "a").failure.clone().unwrap();
    (failure.kind, failure.code)
}

const READ: &str = "steps:\n  - {id: a, action: log.entry}\n";
const WRITE: &str = "steps:\n  - {id: a, action: {name: log.entry, mode: write_access}}\n";

fn read(steps: &str) -> Compilation {
    read_by(steps, &CompileOptions::default())
}

fn read_by(steps: &str, options: &CompileOptions) -> Compilation {
    let text = format!(
        "version: 1\nname: w\nsecrets: {{log: {{env: LOG_TOKEN}}}}\nsteps:\n  - {{id: s, python: {{code: \"results = {{}}\"}}, env: {{T: \"${{{{ secrets.log }}}}\"}}}}\n{steps}"
    );
    compile("w.yml", text.as_bytes(), &Inner, options)
}

/// A workflow that others have inside.
struct Inner;

impl Sources for Inner {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        match path {
            "inner.yml" => Ok(format!("version: 1\nname: inner\n{WRITE}").into_bytes()),
            _ => Err(SourceError::Missing),
        }
    }
}

fn named(names: &[&'static str]) -> Result<Actions, action::Error> {
    let named = names.iter().map(|name| {
        let own = Own {
            name,
            mode: Mode::ReadOnly,
            calls: Mutex::default(),
            does: Box::new(|_| Does::Hangs),
        };
        Arc::new(own) as _
    });
    Actions::of(named)
}

#[test]
fn a_name_is_had_once_and_looks_like_one() {
    let good = named(&["b", "log.entry", "A-1_x"]).unwrap();
    let names: Vec<&str> = good.names().collect();
    assert_eq!(names, ["A-1_x", "b", "log.entry"]);
    let long = "a".repeat(ActionStep::NAME_CHARS_MAX + 1);
    for bad in ["", "1a", ".a", "a b", "é", "a/b", long.leak()] {
        let error = named(&[bad]).unwrap_err();
        assert_eq!(error, action::Error::Name(bad.to_owned()));
        assert_eq!(error.code(), code::BAD_ID);
    }
    let taken = named(&["a", "b", "a"]).unwrap_err();
    assert_eq!(taken, action::Error::Taken("a".to_owned()));
    assert_eq!(taken.code(), code::NAME_TAKEN);
}

#[test]
fn what_is_printed_of_a_call_has_no_values() {
    let call = Call {
        with: serde_json::Map::from_iter([("token".to_owned(), json!("hush-4711"))]),
        run: "run_01m83r5j2pe6ttq5yqj4tg5j59".parse().unwrap(),
        step: StepPath::new("a"),
        attempt: 1,
        idempotency_key: "hush-4712".to_owned(),
        timeout: Duration::from_secs(1),
    };
    let printed = format!("{call:?}");
    assert!(printed.contains("token"), "{printed}");
    assert!(!printed.contains("hush"), "{printed}");
}

#[test]
fn what_is_written_is_what_is_planned() {
    let (read_only, write) = (Mode::ReadOnly, Mode::WriteAccess);
    for (written, name, mode, attempts) in [
        ("action: log.entry", "log.entry", read_only, 3),
        ("action: {name: A-1_x}", "A-1_x", read_only, 3),
        ("action: {name: b, mode: readonly}", "b", read_only, 3),
        ("action: {name: b, mode: write_access}", "b", write, 1),
        (
            "action: {name: b, mode: readwrite}, retry: {max_attempts: 4}",
            "b",
            write,
            4,
        ),
        (
            "action: b, name: B, needs: s, after: [], if: true, with: {x: [1, {y: \"${{ secrets.log }}\"}]}, outputs: {n: int}, timeout: 5s, deadline: 1m, retry: {kinds: [code]}, on_failure: continue, on_unknown: retry, locks: [l], release_on_wait: true, concurrency: {group: g}, idempotency_key: \"${{ run.id }}\", sensitive: [n], labels: {k: v}, retention: 1d",
            "b",
            read_only,
            3,
        ),
    ] {
        let steps = format!("  - {{id: a, {written}}}\n");
        crate::cli_schema::agree(&format!("version: 1\nname: w\nsteps:\n{steps}"));
        let made = read(&steps);
        let said = shown(&made);
        let plan = made.plan.unwrap_or_else(|| panic!("{written}\n{said}"));
        let step = plan.steps.with_id("a").unwrap();
        let name = name.to_owned();
        assert_eq!(
            step.kind,
            StepKind::Action(ActionStep { name, mode }),
            "{written}"
        );
        assert_eq!(step.kind.writes(), mode == write, "{written}");
        assert_eq!(step.retry.max_attempts, attempts, "{written}");
        let back = Plan::from_bytes(&plan.to_bytes()).unwrap();
        assert_eq!(back, plan, "{written}");
        let graph = stepwell::plan::graph::to_text(&plan);
        let line = format!("a (action {}, {mode})", written_name(&plan));
        assert!(graph.contains(&line), "{graph}");
    }
}

fn written_name(plan: &Plan) -> &str {
    match &plan.steps.with_id("a").unwrap().kind {
        StepKind::Action(action) => &action.name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_can_not_be_meant_is_refused_at_its_place() {
    for (written, code, words) in [
        (
            "action: a b",
            "bad_id",
            "`a b` can't be the name of an action",
        ),
        ("action: \"${{ run.id }}\"", "bad_id", "can't be the name"),
        ("action: \"\"", "bad_id", "can't be the name"),
        ("action: [a]", "wrong_type", "expected"),
        ("action: {mode: read_only}", "missing_key", "`name`"),
        ("action: {name: a, mode: write}", "bad_value", "write"),
        ("action: {name: a, with: {x: 1}}", "unknown_key", "`with`"),
        ("action: a, set: {x: 1}", "step_kind", "at once"),
        (
            "action: a, env: {X: \"1\"}",
            "useless_key",
            "`env` does nothing",
        ),
        (
            "action: a, cache: true",
            "useless_key",
            "`cache` does nothing",
        ),
        (
            "action: a, approve_code: true",
            "useless_key",
            "`approve_code` does nothing",
        ),
        (
            "action: a, artifacts: [x]",
            "useless_key",
            "`artifacts` does nothing",
        ),
        (
            "action: a, with: {x: \"${{ secrets.other }}\"}",
            "unknown_secret",
            "other",
        ),
        (
            "action: a, with: {x: \"${{ secrets.log + 'x' }}\"}",
            "secret_expression",
            "named",
        ),
        (
            "action: a, idempotency_key: \"${{ secrets.log }}\"",
            "secret_not_allowed",
            "secret",
        ),
        (
            "action: a, with: {x: \"${{ steps.a.outputs.x }}\"}",
            "self_reference",
            "a",
        ),
        (
            "action: a, outputs: {n: int}}\n  - {id: b, set: {x: \"${{ steps.a.outputs.m }}\"}",
            "unknown_output",
            "`m`",
        ),
        (
            "action: a}\n  - {id: b, set: {x: \"${{ steps.a.figures }}\"}",
            "unknown_field",
            "figures",
        ),
    ] {
        let made = read(&format!("  - {{id: a, {written}}}\n"));
        let said = shown(&made);
        assert!(made.plan.is_none(), "{written} was taken");
        let found = &made.diagnostics[0];
        assert_eq!(found.code.as_str(), code, "{written}\n{said}");
        assert!(said.contains(words), "{written}\n{said}");
        assert!(found.place.as_ref().unwrap().line >= 6, "{written}\n{said}");
    }
}

#[test]
fn a_program_that_compiles_warns_of_actions_that_it_does_not_have() {
    for (known, help) in [
        (vec![], "`stepwell` itself has none"),
        (vec!["log.entri", "x"], "did you mean `log.entri`?"),
        (vec!["camera", "x"], "it has camera, x"),
    ] {
        let options = CompileOptions {
            actions: Some(known.iter().map(|name| (*name).to_owned()).collect()),
            ..CompileOptions::default()
        };
        let made = read_by("  - {id: a, action: log.entry}\n", &options);
        let said = shown(&made);
        assert!(made.plan.is_some() && made.diagnostics.len() == 1, "{said}");
        assert_eq!(made.diagnostics[0].code, code::ACTION_UNKNOWN);
        assert!(said.contains(help), "{said}");
    }
    let options = CompileOptions {
        actions: Some(BTreeSet::from(["log.entry".to_owned()])),
        ..CompileOptions::default()
    };
    let made = read_by("  - {id: a, action: log.entry}\n", &options);
    assert!(made.diagnostics.is_empty(), "{}", shown(&made));
}

#[tokio::test]
async fn an_action_is_told_what_is_written_and_what_it_gives_is_checked_and_read() {
    let own = Own::new(Mode::WriteAccess, |call| {
        Does::Gives(json!({"number": 7, "echo": call.with["nested"]["token"]}))
    });
    let rig = Rig::new(MemoryStore::new());
    let engine = engine(&rig, &[Arc::clone(&own)]);
    let made = compiled(
        "secrets: {log: {env: LOG_TOKEN}}
steps:
  - {id: s, set: {x: 2.5, data: \"$${{ secrets.log }}\"}}
  - id: a
    action: {name: log.entry, mode: write_access}
    with:
      action: mine
      text: at ${{ steps.s.outputs.x }}
      nested: {token: \"Bearer ${{ secrets.log }}\", list: [1, null]}
      data: ${{ steps.s.outputs.data }}
    timeout: 5s
    outputs: {number: int, echo: string}
  - {id: b, set: {got: \"${{ steps.a.outputs.number + 1 }}\"}}
",
    );
    let run = create(&engine, &made, json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    let calls = own.calls();
    assert_eq!(calls.len(), 1);
    let call = &calls[0];
    assert_eq!(
        Value::Object(call.with.clone()),
        json!({
            "action": "mine",
            "text": "at 2.5",
            "nested": {"token": "Bearer hush-4711", "list": [1, null]},
            // What data spells is data.
            "data": "${{ secrets.log }}",
        })
    );
    assert_eq!(
        (call.run, &call.step, call.attempt),
        (run, &StepPath::new("a"), 1)
    );
    assert_eq!(call.timeout, Duration::from_secs(5));
    assert_eq!(call.idempotency_key, format!("{run}:a"));
    assert_eq!(step(&state, "b").outputs.as_ref().unwrap()["got"], json!(8));
    let history = events(&engine, run).await;
    let all: Vec<Value> = history
        .iter()
        .map(|recorded| recorded.event.to_json())
        .collect();
    assert!(
        !json!(all).to_string().contains("hush"),
        "a secret was recorded"
    );
    assert_eq!(
        step(&state, "a").inputs["with"]["nested"]["token"],
        json!("Bearer ${{ secrets.log }}")
    );
    let started = history.iter().find_map(|recorded| match &recorded.event {
        Event::AttemptStarted(started) => serde_json::to_value(started).ok(),
        _ => None,
    });
    assert_eq!(
        started.unwrap(),
        json!({"step": "a", "attempt": 1, "executor": "action", "effect": "write"})
    );
}

#[tokio::test]
async fn what_an_action_gives_must_fit_and_fit_in() {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    for (gives, expected) in [
        (json!({"n": "three"}), Err(code::BAD_OUTPUT)),
        (json!({}), Err(code::BAD_OUTPUT)),
        (json!({"n": 3, "deep": deep}), Err(code::RESULTS_TOO_DEEP)),
        (json!({"n": 3, "more": "x"}), Ok(json!({"n": 3}))),
    ] {
        let own = Own::new(Mode::ReadOnly, move |_| Does::Gives(gives.clone()));
        let rig = Rig::new(MemoryStore::new());
        let engine = engine(&rig, &[own]);
        let made = compiled("steps:\n  - {id: a, action: log.entry, outputs: {n: int}}\n");
        let run = create(&engine, &made, json!({})).await;
        let state = engine.drive(run).await.unwrap();
        match expected {
            Ok(outputs) => assert_eq!(json!(step(&state, "a").outputs), outputs),
            Err(code) => assert_eq!(failure(&state).1, code.as_str()),
        }
    }
    // A value that is no map.
    let own = Own::new(Mode::ReadOnly, |_| Does::Gives(json!([1, 2])));
    let rig = Rig::new(MemoryStore::new());
    let engine = engine(&rig, &[own]);
    let run = create(&engine, &compiled(READ), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(json!(step(&state, "a").outputs), json!({"value": [1, 2]}));
}

#[tokio::test]
async fn a_failure_is_tried_again_as_its_kind_says_under_the_same_key() {
    let shut = FailureKind::Infrastructure;
    for (workflow, kind, attempts, ends) in [
        (READ, shut, 3, RunStatus::Succeeded),
        (READ, FailureKind::Code, 1, RunStatus::Failed),
        (WRITE, shut, 1, RunStatus::Failed),
    ] {
        let mode = if workflow == READ {
            Mode::ReadOnly
        } else {
            Mode::WriteAccess
        };
        let own = Own::new(mode, move |call| match call.attempt {
            3 => Does::Gives(json!({})),
            _ => Does::Fails(kind),
        });
        let rig = Rig::new(MemoryStore::new());
        let engine = engine(&rig, &[Arc::clone(&own)]);
        let run = create(&engine, &compiled(workflow), json!({})).await;
        let state = drive_through(&engine, &rig, run, Duration::from_secs(1)).await;
        assert_eq!(state.status(), ends, "{workflow} {kind:?}");
        let calls = own.calls();
        let numbers: Vec<u32> = calls.iter().map(|call| call.attempt).collect();
        assert_eq!(
            numbers,
            (1..=attempts).collect::<Vec<_>>(),
            "{workflow} {kind:?}"
        );
        assert!(
            calls
                .iter()
                .all(|call| call.idempotency_key == calls[0].idempotency_key)
        );
        if ends == RunStatus::Failed {
            assert_eq!(failure(&state), (kind, "action_failed".to_owned()));
        }
    }
}

#[tokio::test]
async fn a_panic_ends_the_attempt_and_nothing_else() {
    let own = Own::new(Mode::ReadOnly, |_| Does::Panics);
    let rig = Rig::new(MemoryStore::new());
    let engine = engine(&rig, &[Arc::clone(&own)]);
    let run = create(&engine, &compiled(READ), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(
        failure(&state),
        (FailureKind::Code, "action_failed".to_owned())
    );
    let message = step(&state, "a").failure.clone().unwrap().message;
    assert_eq!(message, "the action `log.entry` panicked: no page left");
}

#[tokio::test]
async fn an_action_that_never_ends_is_given_up_after_its_time() {
    let own = Own::new(Mode::WriteAccess, |_| Does::Hangs);
    let rig = Rig::new(MemoryStore::new());
    let engine = engine(&rig, &[Arc::clone(&own)]);
    let run = create(&engine, &compiled(WRITE), json!({})).await;
    let state = drive_through(&engine, &rig, run, Duration::from_secs(10)).await;
    let expected = (FailureKind::Timeout, "request_timed_out".to_owned());
    assert_eq!(failure(&state), expected);
    assert_eq!(own.calls()[0].timeout, Duration::from_secs(30));
}

/// A run whose engine died while the action was under way, in front of the next engine.
async fn interrupted(workflow: &str, mode: Mode) -> (Rig, Engine, RunId, Arc<Own>, RunState) {
    let hangs = Own::new(mode, |_| Does::Hangs);
    let mut rig = Rig::new(MemoryStore::new());
    let first = engine(&rig, &[Arc::clone(&hangs)]);
    let run = create(&first, &compiled(workflow), json!({})).await;
    {
        let driving = first.drive(run);
        tokio::pin!(driving);
        while hangs.calls().is_empty() {
            tokio::select! {
                _ = &mut driving => panic!("the run came to rest"),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
        }
    }
    rig.restarted();
    let own = Own::new(mode, |_| Does::Gives(json!({})));
    let second = engine(&rig, &[Arc::clone(&own)]);
    let state = second.drive(run).await.unwrap();
    (rig, second, run, own, state)
}

#[tokio::test]
async fn an_interrupted_read_is_made_again_without_a_word() {
    let (_rig, _, _, own, state) = interrupted(READ, Mode::ReadOnly).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(own.calls().len(), 1);
    assert_eq!(step(&state, "a").counted_attempts(), 1);
}

#[tokio::test]
async fn an_interrupted_write_asks_a_person_and_is_not_made_again_by_itself() {
    let (_rig, engine, run, own, state) = interrupted(WRITE, Mode::WriteAccess).await;
    assert_eq!(state.status(), RunStatus::Waiting);
    assert!(own.calls().is_empty());
    let asked = state.open_approvals().next().unwrap();
    let form = json!({"answer": "run_again"}).as_object().cloned().unwrap();
    let vote = Command::Vote(vote(asked, Vote::Approve, form));
    let ada = Actor::User("ada".to_owned());
    engine.command(run, ada, vote).await.unwrap();
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    // The other side can tell that it is the same piece of work.
    assert_eq!(own.calls()[0].idempotency_key, format!("{run}:a"));
}

#[tokio::test]
async fn on_unknown_says_beforehand_what_follows_an_interrupted_write() {
    let again = WRITE.replace(
        "}}",
        "}, on_unknown: retry, idempotency_key: \"k-${{ run.id }}\"}",
    );
    let (_rig, _, run, own, state) = interrupted(&again, Mode::WriteAccess).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(own.calls()[0].idempotency_key, format!("k-{run}"));
}

async fn refused(engine: &Engine, made: Compilation) -> (action::Error, String) {
    let said = shown(&made);
    let new = NewRun {
        plan: Arc::new(made.plan.unwrap_or_else(|| panic!("{said}"))),
        blobs: made.blobs,
        inputs: serde_json::Map::new(),
        workflow_folder: None,
        actor: Actor::User("ada".to_owned()),
        scheduled_at: None,
    };
    let error = match engine.create(new).await {
        Err(Error::Action(error)) => error,
        other => panic!("{other:?}"),
    };
    let rows = engine.list(ListQuery::newest(1)).await.unwrap().rows;
    assert!(rows.is_empty(), "something was recorded");
    let help = error.help();
    (error, help)
}

#[tokio::test]
async fn a_run_that_names_what_the_program_does_not_have_is_refused_before_anything_is_recorded() {
    let rig = Rig::new(MemoryStore::new());
    let own = Own::new(Mode::ReadOnly, |_| Does::Gives(json!({})));
    let with_one = engine(&rig, &[own]);
    let near = read("  - {id: a, action: log.entri}\n");
    let (error, help) = refused(&with_one, near).await;
    assert_eq!(error.code(), code::ACTION_UNKNOWN);
    let message = "the step `a` names the action `log.entri`, which this program does not have";
    assert_eq!(error.to_string(), message);
    assert_eq!(help, "did you mean `log.entry`? it has: log.entry");
    let far = read("  - {id: a, action: camera}\n");
    assert_eq!(refused(&with_one, far).await.1, "it has: log.entry");

    let (error, help) = refused(&with_one, read(&WRITE["steps:\n".len()..])).await;
    assert_eq!(error.code(), code::ACTION_MODE);
    let message = "the action `log.entry` is read_only, and the step `a` says write_access";
    assert_eq!(error.to_string(), message);
    assert!(help.contains("mode: read_only"), "{help}");

    // A run that goes on with another version of its file.
    let run = create(&with_one, &compiled(READ), json!({})).await;
    let ada = Actor::User("ada".to_owned());
    let changed = with_one.migrate(run, ada, compiled(WRITE), Vec::new());
    let error = changed.await.unwrap_err();
    assert_eq!(error.code(), code::ACTION_MODE);
    let history = events(&with_one, run).await;
    assert!(
        !history
            .iter()
            .any(|at| matches!(at.event, Event::PlanMigrated(_)))
    );

    let rig = Rig::new(MemoryStore::new());
    let with_none = engine(&rig, &[]);
    let inner = read("  - {id: i, workflow: inner.yml}\n");
    let (error, help) = refused(&with_none, inner).await;
    assert_eq!(error.code(), code::ACTION_UNKNOWN);
    assert!(help.starts_with("it has none at all"), "{help}");
}

#[tokio::test]
async fn a_run_that_another_program_goes_on_with_fails_at_the_step() {
    let writes = Own::new(Mode::WriteAccess, |_| Does::Gives(json!({})));
    for (others, code) in [
        (vec![], "action_unknown"),
        (vec![Arc::clone(&writes)], "action_mode"),
    ] {
        let mut rig = Rig::new(MemoryStore::new());
        let own = Own::new(Mode::ReadOnly, |_| Does::Gives(json!({})));
        let run = create(&engine(&rig, &[own]), &compiled(READ), json!({})).await;
        rig.restarted();
        let state = engine(&rig, &others).drive(run).await.unwrap();
        let expected = (FailureKind::Configuration, code.to_owned());
        assert_eq!(failure(&state), expected);
        assert!(writes.calls().is_empty());
    }
}

/// The run inside is made when its step is come to, by a program that may have other actions than the one before.
#[tokio::test]
async fn an_inner_run_that_another_program_comes_to_fails_at_its_step() {
    let writes = Own::new(Mode::ReadOnly, |_| Does::Gives(json!({})));
    for (others, code) in [
        (vec![], "action_unknown"),
        (vec![Arc::clone(&writes)], "action_mode"),
    ] {
        let mut rig = Rig::new(MemoryStore::new());
        let own = Own::new(Mode::WriteAccess, |_| Does::Gives(json!({})));
        let made = read("  - {id: a, workflow: inner.yml}\n");
        let made = (Arc::new(made.plan.unwrap()), made.blobs);
        let run = create(&engine(&rig, &[own]), &made, json!({})).await;
        rig.restarted();
        let state = engine(&rig, &others).drive(run).await.unwrap();
        assert_eq!(
            failure(&state),
            (FailureKind::Configuration, code.to_owned())
        );
        assert!(writes.calls().is_empty());
    }
}

#[tokio::test]
async fn a_service_has_the_actions_that_it_was_opened_with() {
    let data = tempfile::tempdir().unwrap();
    let options = || OpenOptions::new(data.path()).program(env!("CARGO_BIN_EXE_stepwell"));
    let done = example::act(options()).await.unwrap();
    assert_eq!(done, json!({"status": "succeeded", "number": 1}));

    let own = || Own::new(Mode::ReadOnly, |_| Does::Hangs);
    let twice = options().action(own()).action(own());
    let refused = PythonExecutorService::open(twice).await.unwrap_err();
    assert_eq!(refused.detail().code, "name_taken");
    let service = PythonExecutorService::open(options()).await.unwrap();
    let made = read(&READ["steps:\n".len()..]);
    let new = NewRun {
        plan: Arc::new(made.plan.unwrap()),
        blobs: made.blobs,
        inputs: serde_json::Map::new(),
        workflow_folder: None,
        actor: Actor::Engine,
        scheduled_at: None,
    };
    let error = service.engine().create(new).await.unwrap_err();
    let error = PythonExecutorError::from(error);
    assert_eq!(error.detail().code, "action_unknown");
    assert_eq!(error.category(), ErrorCategory::Configuration);
}

const CASES: &str = "workflow: w.yml
cases:
  - name: mocked
    mocks:
      a: {results: {number: 4}}
      b: {results: {}}
    expect:
      status: succeeded
      steps: {a: {inputs: {action: log.entry, with: {text: hello}}}}
      outputs: {number: 4}
  - name: shut
    mocks:
      a: {fails: {kind: code, message: the book is shut}}
    expect: {status: failed}
";

const TWO: &str = "version: 1
name: w
steps:
  - {id: a, action: {name: log.entry, mode: write_access}, with: {text: hello}, outputs: {number: int}}
  - {id: b, action: sky, needs: a}
outputs: {number: \"${{ steps.a.outputs.number }}\"}
";

#[test]
fn cases_mock_an_action_and_chaos_knows_what_it_does_to_the_world() {
    let place = Place::new();
    place.write("w.yml", TWO);
    place.write("w.test.yml", CASES);
    let tested = place.run(&["test", "w.test.yml"]);
    assert_eq!(tested.code, Some(0), "{}\n{}", tested.out, tested.err);
    place.write(
        "less.test.yml",
        &CASES.replace("      b: {results: {}}\n", ""),
    );
    let tested = place.run(&["test", "less.test.yml"]);
    assert_eq!(tested.code, Some(1), "{}\n{}", tested.out, tested.err);
    assert!(tested.out.contains("a mock for `b`"), "{}", tested.out);
    let told = place.json(0, &["test", "--chaos", "w.yml"]).to_string();
    // The first step writes, the second one reads.
    let write = told.find("asks a person when it was interrupted");
    let read = told.find("may be done again after a crash: it only reads");
    assert!(write.is_some() && write < read, "{told}");
}

#[test]
fn the_command_line_warns_of_actions_and_runs_none() {
    let place = Place::new();
    place.write("w.yml", TWO);
    let valid = place.run(&["validate", "w.yml"]);
    assert_eq!(valid.code, Some(0), "{}\n{}", valid.out, valid.err);
    let said = format!("{}{}", valid.out, valid.err);
    assert!(said.contains("warning[action_unknown]"), "{said}");
    assert!(
        said.contains("`log.entry`") && said.contains("`sky`"),
        "{said}"
    );
    let ran = place.json(2, &["run", "w.yml"]);
    assert_eq!(ran["error"]["code"], "action_unknown", "{ran:#}");
    let listed = place.json(0, &["list"]);
    assert!(!listed.to_string().contains("run_"), "{listed:#}");
}
