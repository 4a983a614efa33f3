//! Code of earlier runs: what a yes of then covers today, and what ends it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use stepwell::approval::{GlobalMode, Policy, Roles};
use stepwell::engine::{Edit, Engine, Options};
use stepwell::executor::Job;
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::generator::Answer;
use stepwell::generator::fake::FakeGenerator;
use stepwell::id::RunId;
use stepwell::run::payload::{Answer as Say, Values};
use stepwell::run::{Actor, ApprovalState, Command, RunState, RunStatus, Vote};
use stepwell::store::memory::MemoryStore;

use crate::engine::{Rig, compiled, create};
use crate::generator_engine::{broken, strict, with, works};
use crate::simulator::vote;

const TASK: &str = "steps:\n  - id: fit\n    python: {task: Fit, reuse: approved}\n";

/// One that writes these, one after the other; the last one again and again.
fn writing(codes: &[&str]) -> Arc<FakeGenerator> {
    let codes: VecDeque<String> = codes.iter().map(|code| (*code).to_owned()).collect();
    let codes = Mutex::new(codes);
    Arc::new(FakeGenerator::new(move |_| {
        let mut codes = codes.lock().unwrap();
        let code = if codes.len() > 1 {
            codes.pop_front().unwrap()
        } else {
            codes[0].clone()
        };
        Ok(Answer {
            text: format!("```python\n{code}\n```"),
            ..Answer::default()
        })
    }))
}

fn one(state: &RunState) -> ApprovalState {
    assert_eq!(state.status(), RunStatus::Waiting);
    state.open_approvals().next().unwrap().clone()
}

/// This person says so to the question that is open, and the run goes on.
async fn says(engine: &Engine, run: RunId, person: &str, answer: Say) -> RunState {
    let asked = one(&engine.state(run).await.unwrap());
    let vote = Vote {
        person: person.to_owned(),
        ..vote(&asked, answer, Values::new())
    };
    let actor = Actor::User(person.to_owned());
    engine
        .command(run, actor, Command::Vote(vote))
        .await
        .unwrap();
    engine.drive(run).await.unwrap()
}

/// A new run, as far as it gets.
async fn another(engine: &Engine, text: &str) -> (RunId, RunState) {
    let run = create(engine, &compiled(text), json!({})).await;
    (run, engine.drive(run).await.unwrap())
}

/// A run whose code this person approved and that worked.
async fn approved_by(engine: &Engine, text: &str, person: &str) -> RunId {
    let (run, state) = another(engine, text).await;
    one(&state);
    let state = says(engine, run, person, Say::Approve).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    run
}

fn taken_from(state: &RunState) -> Option<RunId> {
    let (_, step) = state.step_with_id("fit").unwrap();
    let reused = step.generations[0].record.reused.as_ref();
    reused.map(|reused| reused.run)
}

fn asking(generator: &Arc<FakeGenerator>) -> impl FnOnce(&mut Options) + use<> {
    let with = with(generator);
    move |options| {
        with(options);
        options.policy = strict();
    }
}

#[tokio::test]
async fn code_that_a_person_changed_is_taken_again_as_it_was_changed() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writing(&["results = {'slope': 1}"]);
    let executor = works();
    let engine = rig.engine_with(&executor, asking(&generator));
    let (first, state) = another(&engine, TASK).await;
    let changed = "results = {'slope': 2}\n";
    let edit = Edit {
        approval: one(&state).request.approval,
        person: "bea".to_owned(),
        typed_by: None,
        comment: None,
        seen: None,
        code: changed.to_owned(),
    };
    engine.edit(first, edit).await.unwrap();
    let state = engine.drive(first).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded, "the change is a yes");

    let (_, state) = another(&engine, TASK).await;
    assert_eq!(state.status(), RunStatus::Succeeded, "nobody is asked");
    assert_eq!(taken_from(&state), Some(first));
    assert_eq!(generator.asked().len(), 1);
    let ran: Vec<String> = executor
        .started()
        .iter()
        .map(|job| job.code.clone())
        .collect();
    assert_eq!(ran, [changed, changed]);
    let (_, step) = state.step_with_id("fit").unwrap();
    let reused = step.generations[0].record.reused.clone().unwrap();
    assert_eq!(reused.approved_by, ["bea"]);
    let then = reused.circumstances.unwrap();
    assert_eq!(then.editor.as_deref(), Some("bea"));
}

#[tokio::test]
async fn a_no_to_the_code_ends_its_reuse_under_every_policy() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writing(&["results = {'slope': 1}"]);
    let engine = rig.engine_with(&works(), asking(&generator));
    approved_by(&engine, TASK, "bea").await;
    for no in [Say::Reject, Say::RequestChanges] {
        let other = rig.engine_with(&works(), |options| {
            with(&generator)(options);
            options.policy = Policy {
                global_mode: GlobalMode::AllCapabilities,
                ..strict()
            };
        });
        let (run, state) = another(&other, TASK).await;
        assert_eq!(taken_from(&state), None, "it is another policy");
        one(&state);
        says(&other, run, "cleo", no).await;

        let (run, state) = another(&engine, TASK).await;
        assert_eq!(taken_from(&state), None, "after {no:?}");
        one(&state);
        // A yes that comes later counts again.
        says(&engine, run, "bea", Say::Approve).await;
        let (_, state) = another(&engine, TASK).await;
        assert_eq!(state.status(), RunStatus::Succeeded);
        assert_eq!(taken_from(&state), Some(run));
    }
}

#[tokio::test]
async fn a_write_that_is_refused_when_it_is_taken_again_is_written_anew() {
    let text =
        "steps:\n  - id: fit\n    python: {task: Fit, reuse: approved, mode: write_access}\n";
    let rig = Rig::new(MemoryStore::new());
    let generator = writing(&["results = {'slope': 1}"]);
    let engine = rig.engine_with(&works(), asking(&generator));
    let first = approved_by(&engine, text, "bea").await;
    let (run, state) = another(&engine, text).await;
    assert_eq!(taken_from(&state), Some(first));
    says(&engine, run, "bea", Say::Reject).await;
    let (_, state) = another(&engine, text).await;
    assert_eq!(taken_from(&state), None);
}

#[tokio::test]
async fn code_that_failed_when_it_was_taken_again_never_comes_back() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writing(&["results = {'slope': 1}", "results = {'slope': 2}"]);
    let fails = Arc::new(AtomicBool::new(false));
    let executor = {
        let fails = Arc::clone(&fails);
        Arc::new(FakeExecutor::new(move |_: &Job| {
            if fails.load(Ordering::SeqCst) {
                FakeAnswer::fails(broken())
            } else {
                FakeAnswer::results(json!({"slope": 1}))
            }
        }))
    };
    let engine = rig.engine_with(&executor, asking(&generator));
    let first = approved_by(&engine, TASK, "bea").await;

    fails.store(true, Ordering::SeqCst);
    let (second, state) = another(&engine, TASK).await;
    assert_eq!(taken_from(&state), Some(first));
    one(&state);
    says(&engine, second, "bea", Say::Reject).await;

    fails.store(false, Ordering::SeqCst);
    let (_, state) = another(&engine, TASK).await;
    assert_eq!(taken_from(&state), None);
    one(&state);
    assert_eq!(generator.asked().len(), 3);
}

#[tokio::test]
async fn a_failure_of_the_surroundings_speaks_against_no_code() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writing(&["results = {'slope': 1}"]);
    let fails = Arc::new(AtomicBool::new(false));
    let executor = {
        let fails = Arc::clone(&fails);
        Arc::new(FakeExecutor::new(move |_: &Job| {
            if fails.load(Ordering::SeqCst) {
                let mut failure = broken();
                failure.kind = stepwell::failure::FailureKind::Resources;
                FakeAnswer::fails(failure)
            } else {
                FakeAnswer::results(json!({"slope": 1}))
            }
        }))
    };
    let engine = rig.engine_with(&executor, asking(&generator));
    let first = approved_by(&engine, TASK, "bea").await;
    fails.store(true, Ordering::SeqCst);
    let (_, state) = another(&engine, TASK).await;
    assert_eq!(state.status(), RunStatus::Failed);
    fails.store(false, Ordering::SeqCst);
    let (_, state) = another(&engine, TASK).await;
    assert_eq!(taken_from(&state), Some(first));
    assert_eq!(state.status(), RunStatus::Succeeded);
}

#[tokio::test]
async fn a_yes_that_would_not_be_enough_today_asks() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writing(&["results = {'slope': 1}"]);
    let alone = |allow_self: bool| {
        let generator = Arc::clone(&generator);
        rig.engine_with(&works(), move |options| {
            asking(&generator)(options);
            options.allow_self = allow_self;
        })
    };
    // Every run is started by ada.
    let first = approved_by(&alone(true), TASK, "ada").await;
    let (_, state) = another(&alone(true), TASK).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    let (run, state) = another(&alone(false), TASK).await;
    assert_eq!(taken_from(&state), Some(first), "the code is the same");
    one(&state);
    let state = says(&alone(false), run, "bea", Say::Approve).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
}

#[tokio::test]
async fn a_yes_of_somebody_who_has_not_the_role_any_more_asks() {
    let text = "steps:\n  - id: fit\n    approve_code: {when: true, reviewers: {roles: [lead]}}\n    \
                python: {task: Fit, reuse: approved}\n";
    let rig = Rig::new(MemoryStore::new());
    let generator = writing(&["results = {'slope': 1}"]);
    let lead = |name: &str| {
        let generator = Arc::clone(&generator);
        let mut roles = Roles::default();
        roles.add("lead", [name.to_owned()]);
        rig.engine_with(&works(), move |options| {
            asking(&generator)(options);
            options.roles = roles;
        })
    };
    approved_by(&lead("bea"), text, "bea").await;
    let (_, state) = another(&lead("bea"), text).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    let (_, state) = another(&lead("cleo"), text).await;
    one(&state);
    assert_eq!(generator.asked().len(), 1);
}

/// The same code, written for another task: a no to it is a no to that code wherever it is.
async fn rejected_elsewhere(engine: &Engine) {
    let other = TASK.replace("task: Fit", "task: Fit once more");
    let (run, state) = another(engine, &other).await;
    one(&state);
    let state = says(engine, run, "cleo", Say::Reject).await;
    assert_eq!(state.status(), RunStatus::Rejected);
}

#[tokio::test]
async fn a_no_between_the_analysis_and_the_start_is_heard() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writing(&["results = {'slope': 1}"]);
    let executor = works();
    let engine = rig.engine_with(&executor, asking(&generator));
    let locked = TASK.replace("    python:", "    locks: [beam]\n    python:");
    let first = approved_by(&engine, &locked, "bea").await;

    let hold = "steps:\n  - id: hold\n    locks: [beam]\n    wait: {signal: go}\n";
    let (holder, _) = another(&engine, hold).await;
    let run = create(&engine, &compiled(&locked), json!({})).await;
    let driven = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.drive(run).await.unwrap() })
    };
    // It is analysed, its yes is carried, and it waits for the lock.
    let analysed = async {
        loop {
            let state = engine.state(run).await.unwrap();
            let (_, step) = state.step_with_id("fit").unwrap();
            if let Some(analysis) = &step.analysis {
                assert_eq!(analysis.decision.rule, "python.reuse = approved");
                assert_eq!(taken_from(&state), Some(first));
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let patience = std::time::Duration::from_secs(20);
    tokio::time::timeout(patience, analysed).await.unwrap();
    rejected_elsewhere(&engine).await;

    let go = Command::Signal {
        name: "go".to_owned(),
        payload: serde_json::Map::new(),
        key: None,
    };
    let ada = Actor::User("ada".to_owned());
    engine.command(holder, ada, go).await.unwrap();
    engine.drive(holder).await.unwrap();
    let state = tokio::time::timeout(patience, driven).await.unwrap();
    one(&state.unwrap());
    assert_eq!(executor.started().len(), 1, "only the first run ran it");
}

#[tokio::test]
async fn a_yes_to_what_was_looked_at_before_a_no_is_for_its_own_run_alone() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writing(&["results = {'slope': 1}"]);
    let executor = works();
    let engine = rig.engine_with(&executor, asking(&generator));
    let (first, state) = another(&engine, TASK).await;
    one(&state);
    rejected_elsewhere(&engine).await;
    let state = says(&engine, first, "bea", Say::Approve).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    let (_, state) = another(&engine, TASK).await;
    one(&state);
}
