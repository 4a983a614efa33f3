//! Ways in which durable engines lose or double work, each one closed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stepwell::approval::Verdict;
use stepwell::code;
use stepwell::executor::Adoption;
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::failure::{Failure, FailureKind};
use stepwell::run::payload::{Answer, Values};
use stepwell::run::{Actor, Command, Event, RunState, RunStatus};
use stepwell::store::memory::MemoryStore;

use crate::engine::{Rig, compiled, create};
use crate::machine::plan_of;
use crate::simulator::{Adopted, Simulation, World, vote};

const READ: &str = "steps:\n  - id: a\n    python: {code: \"results = {}\"}\n";
const WRITE: &str = "steps:\n  - id: a\n    python: {code: \"results = {}\", mode: write_access}\n";

/// The run just after its first attempt began.
fn interrupted(yaml: &str) -> Simulation {
    let mut base = Simulation::new(&plan_of(yaml), &json!({}));
    base.rest(&mut World::sampling(0));
    let begun = base
        .history
        .iter()
        .position(|recorded| matches!(recorded.event, Event::AttemptStarted(_)));
    base.crashed(begun.unwrap() + 1)
}

#[test]
fn a_question_that_comes_up_after_an_interruption_is_asked() {
    for (verdict, status) in [
        (Verdict::Ask, RunStatus::Waiting),
        (Verdict::Block, RunStatus::Failed),
    ] {
        let mut run = interrupted(READ);
        run.submit(Command::AttemptLost {
            step: "a".into(),
            attempt: 1,
            started: true,
            evidence: "the machine went down".to_owned(),
        })
        .unwrap();
        // Meanwhile the policy was changed, so the code is analysed again before it runs again.
        let mut world = World::sampling(0).voting(|_| None);
        let mut report = run.analysis(&"a".into(), &world);
        report.decision.verdict = verdict;
        report.subject = stepwell::id::Digest::of(b"other surroundings");
        run.submit(Command::Analysed(report)).unwrap();
        run.rest(&mut world);
        assert_eq!(run.state.status(), status);
    }
}

#[test]
fn a_write_that_a_person_vouched_for_ends_from_every_prefix() {
    let mut run = interrupted(WRITE);
    let mut world = World::sampling(0).voting(|asked| {
        let mut form = Values::new();
        if asked.request.form.contains_key("answer") {
            form.insert("answer".to_owned(), json!("done"));
        }
        Some((Answer::Approve, form))
    });
    world.adopted = Adopted::LostStarted;
    let begun = run.history.len();
    run.rest(&mut world);
    for kept in begun..=run.history.len() {
        let mut again = run.crashed(kept);
        again.rest(&mut world);
        assert_eq!(again.outcome(), run.outcome(), "cut after event {kept}");
    }
}

const RETRIED_WRITE: &str = "
steps:
  - id: a
    python: {code: \"results = {}\", mode: write_access}
    retry: {max_attempts: 3, delay: 1s}
";

/// Approves the one step of a new run and drives it to where only a person can help.
async fn approved(rig: &Rig, executor: &Arc<FakeExecutor>) -> RunState {
    let engine = rig.engine(executor);
    let run = create(&engine, &compiled(RETRIED_WRITE), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    let asked = state.open_approvals().next().unwrap();
    let yes = Command::Vote(vote(asked, Answer::Approve, Values::new()));
    let ada = Actor::User("ada".to_owned());
    engine.command(run, ada, yes).await.unwrap();
    let mut driving = std::pin::pin!(engine.drive(run));
    loop {
        tokio::select! {
            state = &mut driving => return state.unwrap(),
            () = tokio::time::sleep(Duration::from_millis(5)) => rig.clock.advance(Duration::from_secs(9)),
        }
    }
}

#[tokio::test]
async fn a_write_whose_outcome_the_full_disk_swallowed_is_asked_about() {
    let executor = FakeExecutor::new(|_| {
        let message = "the supervisor ended without an outcome";
        FakeAnswer::Breaks(Failure::new(
            FailureKind::Infrastructure,
            code::DISK_FULL,
            message,
        ))
    })
    .on_adopt(|_| Adoption::Lost {
        started: true,
        evidence: "the code had begun".to_owned(),
    });
    let executor = Arc::new(executor);
    let rig = Rig::new(MemoryStore::new());
    let state = approved(&rig, &executor).await;
    assert_eq!(executor.started().len(), 1, "never again by itself");
    assert_eq!(state.status(), RunStatus::Waiting);
}

#[tokio::test]
async fn a_write_that_could_not_begin_is_retried_as_its_author_wished() {
    let executor = Arc::new(FakeExecutor::new(|_| {
        let message = "the folder can't be written";
        FakeAnswer::Breaks(Failure::new(
            FailureKind::Infrastructure,
            code::DISK_FULL,
            message,
        ))
    }));
    let rig = Rig::new(MemoryStore::new());
    let state = approved(&rig, &executor).await;
    assert_eq!(executor.started().len(), 3);
    assert_eq!(state.status(), RunStatus::Failed);
}

#[tokio::test]
async fn a_write_whose_task_died_in_the_engine_is_asked_about() {
    let executor = Arc::new(FakeExecutor::new(|_| panic!("a fault of ours")));
    let rig = Rig::new(MemoryStore::new());
    let state = approved(&rig, &executor).await;
    assert_eq!(state.status(), RunStatus::Waiting);
    let asked = state.open_approvals().next().unwrap();
    assert!(asked.request.reason.contains("a task of the engine died"));
}
