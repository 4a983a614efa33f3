//! Ways in which durable engines lose or double work, each one closed.

use serde_json::json;
use stepwell::approval::Verdict;
use stepwell::run::payload::{Answer, Values};
use stepwell::run::{Command, Event, RunStatus};

use crate::machine::plan_of;
use crate::simulator::{Adopted, Simulation, World};

const READ: &str = "steps:\n  - id: a\n    python: {code: \"results = {}\"}\n";
const WRITE: &str =
    "steps:\n  - id: a\n    python: {code: \"results = {}\", mode: write_access}\n";

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
