//! Ways in which durable engines lose or double work, each one closed.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stepwell::approval::Verdict;
use stepwell::code;
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::executor::{Adoption, Job, Outcome, OutputFile};
use stepwell::failure::{Failure, FailureKind};
use stepwell::run::payload::{Answer, Values};
use stepwell::run::{
    Actor, Command, Event, FALSE_STARTS_MAX, INTERRUPTIONS_MAX, RunState, RunStatus,
};
use stepwell::store::memory::MemoryStore;

use crate::engine::{Rig, compiled, create, create_in};
use crate::executor_rig;
use crate::machine::plan_of;
use crate::simulator::{Adopted, Ends, Simulation, World, vote};

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
fn only_interruptions_while_the_code_ran_are_held_against_a_step() {
    for (started, status) in [(true, RunStatus::Failed), (false, RunStatus::Running)] {
        // Every time another engine, since the one before died.
        let run = lost_again_and_again(INTERRUPTIONS_MAX, started, |run| run.epoch += 1);
        assert_eq!(run.state.status(), status, "started: {started}");
    }
}

#[test]
fn an_engine_that_never_gets_to_the_code_gives_up() {
    let run = lost_again_and_again(FALSE_STARTS_MAX, false, |_| {});
    assert_eq!(run.state.status(), RunStatus::Failed);
    let (_, step) = run.state.step(&"a".into()).unwrap();
    let hint = step.failure.clone().unwrap().hint.unwrap();
    assert!(hint.contains("begun 10 times in a row"), "{hint}");
}

/// A step that is begun so often, each time without an end; what comes between two attempts is for the caller.
fn lost_again_and_again(
    times: usize,
    started: bool,
    between: impl Fn(&mut Simulation),
) -> Simulation {
    let mut run = interrupted(READ);
    for attempt in 1.. {
        run.submit(Command::AttemptLost {
            step: "a".into(),
            attempt,
            started,
            evidence: "the machine went down".to_owned(),
        })
        .unwrap();
        run.advance();
        if attempt as usize == times {
            break;
        }
        assert_eq!(run.state.status(), RunStatus::Running, "after {attempt}");
        between(&mut run);
        let again = run.started(&"a".into(), attempt + 1);
        run.submit(Command::BeginAttempt(again)).unwrap();
    }
    run
}

#[test]
fn failures_of_the_code_are_no_interruptions() {
    let retry = "    retry: {max_attempts: 20, delay: 1ms, jitter: 0, kinds: [code]}\n";
    let plan = plan_of(&format!("{READ}{retry}"));
    let world = || {
        World::new(|_, attempt| match attempt {
            ..12 => Ends::Failing(Failure::new(FailureKind::Code, code::INTERNAL, "not yet")),
            12.. => Ends::With(json!({})),
        })
    };
    let mut base = Simulation::new(&plan, &json!({}));
    base.rest(&mut world());
    let is_twelfth =
        |event: &Event| matches!(event, Event::AttemptStarted(started) if started.attempt == 12);
    let twelfth = base.history.iter().position(|one| is_twelfth(&one.event));
    let mut run = base.crashed(twelfth.unwrap() + 1);
    let mut world = world();
    world.adopted = Adopted::LostStarted;
    run.rest(&mut world);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
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

/// Runs one step whose code does that to its folder, and leaves those figures.
async fn run_in(
    rig: &Rig,
    figures: &'static [&'static str],
    mischief: impl Fn(&Path) + Send + Sync + 'static,
) -> RunState {
    let executor = Arc::new(FakeExecutor::new(move |job: &Job| {
        std::fs::create_dir_all(&job.folder).unwrap();
        mischief(&job.folder);
        let FakeAnswer::Ends(outcome) = FakeAnswer::results(json!({})) else {
            panic!("it ends");
        };
        let figures = figures.iter().map(|path| OutputFile {
            path: (*path).to_owned(),
            title: String::new(),
            description: String::new(),
            media_type: "image/png".to_owned(),
            bytes: 1,
        });
        FakeAnswer::Ends(Outcome {
            figures: figures.collect(),
            ..outcome
        })
    }));
    let engine = rig.engine(&executor);
    let once = READ.trim_end().to_owned() + "\n    retry: {max_attempts: 1}\n";
    let run = create(&engine, &compiled(&once), json!({})).await;
    let driving = engine.drive(run);
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, driving).await.unwrap().unwrap()
}

fn any_file_says(folder: &Path, word: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return any_file_says(&path, word);
        }
        path.is_file()
            && std::fs::read(&path)
                .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(word))
    })
}

#[tokio::test]
async fn links_that_code_leaves_are_neither_read_nor_written_through() {
    let rig = Rig::new(MemoryStore::new());
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "hunter2").unwrap();
    let target = secret.clone();
    let state = run_in(&rig, &[], move |folder| {
        symlink(&target, folder.join("stdout.log")).unwrap();
        symlink(&target, folder.join("notebook.ipynb")).unwrap();
        symlink(&target, folder.join("../../run.ipynb")).unwrap();
    })
    .await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "hunter2");
    let target = secret.clone();
    let state = run_in(&rig, &["x.png"], move |folder| {
        symlink(&target, folder.join("x.png")).unwrap();
    })
    .await;
    assert_eq!(state.status(), RunStatus::Failed);
    assert!(!any_file_says(&rig.data.path().join("blobs"), "hunter2"));
}

#[tokio::test]
async fn pipes_and_folders_where_files_should_be_hold_nobody_up() {
    let rig = Rig::new(MemoryStore::new());
    let mode = nix::sys::stat::Mode::S_IRWXU;
    let state = run_in(&rig, &[], move |folder| {
        nix::unistd::mkfifo(&folder.join("stdout.log"), mode).unwrap();
        nix::unistd::mkfifo(&folder.join("notebook.ipynb"), mode).unwrap();
    })
    .await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    let state = run_in(&rig, &[], |folder| {
        std::fs::create_dir(folder.join("notebook.ipynb")).unwrap();
    })
    .await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    let (_, step) = state.step_with_id("a").unwrap();
    assert!(
        step.result.as_ref().unwrap().notebook.is_some(),
        "it is kept as a blob"
    );
}

#[tokio::test]
async fn the_files_of_a_run_are_for_its_owner_alone() {
    let rig = Rig::new(MemoryStore::new());
    let state = run_in(&rig, &[], |_| {}).await;
    let folder = rig.data.path().join(&state.created.folder);
    for name in ["run.ipynb", "summary.json", "a/1/notebook.ipynb"] {
        let mode = std::fs::metadata(folder.join(name)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o077, 0, "{name}");
    }
}

#[tokio::test]
async fn what_is_over_the_bound_is_not_listed_to_be_copied() {
    let rig = executor_rig::Rig::new().await;
    let code = "for n in range(3):\n    open(f'{n}.bin', 'wb').truncate(600)\nresults = {}\n";
    let mut job = rig.job(code);
    job.limits.artifact_bytes_max = 1_000;
    let outcome = stepwell::executor::Executor::execute(&rig.executor, job)
        .await
        .unwrap();
    assert_eq!(outcome.artifacts.len(), 1);
    assert_eq!(executor_rig::failure_of(outcome).code, "files_too_large");
}

#[tokio::test]
async fn code_cannot_pretend_that_it_never_began() {
    let rig = executor_rig::Rig::new().await;
    let code = "open('.attempt/launch_error', 'w').write('x')\nresults = {}\n";
    assert_eq!(rig.results(code).await, json!({}));
}

#[tokio::test]
async fn an_outcome_that_running_code_wrote_itself_is_not_adopted() {
    let rig = executor_rig::Rig::new().await;
    let forged = serde_json::to_string(&rig.run("results = 'forged'").await).unwrap();
    let job = rig.job(&format!(
        "import time\nopen('.attempt/outcome.json', 'w').write({forged:?})\n\
         open('written', 'w').write('x')\ntime.sleep(1)\nresults = 'true'\n"
    ));
    let folder = job.folder.clone();
    let running = stepwell::executor::Executor::execute(&rig.executor, job);
    let adopting = async {
        executor_rig::appears(&folder.join("written")).await;
        stepwell::executor::Executor::adopt(&rig.executor, &folder).await
    };
    let (_, adopted) = tokio::join!(running, adopting);
    let Adoption::Finished(outcome) = adopted else {
        panic!("{adopted:?}");
    };
    assert_eq!(outcome.results, Some(json!("true")));
}

#[tokio::test]
async fn a_module_beside_the_workflow_is_read_and_bound_to_the_yes_like_the_code_itself() {
    let rig = Rig::new(MemoryStore::new());
    let executor = Arc::new(FakeExecutor::new(|_| FakeAnswer::results(json!({}))));
    let engine = rig.engine(&executor);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let code = "steps:\n  - id: a\n    python: {code: \"import scan\\nresults = scan.go()\", mode: MODE}\n";
    write("scan.py", "import helper\ngo = helper.go\n");
    write(
        "helper.py",
        "import epics\ndef go():\n    epics.caput('X', 1)\n",
    );

    let read_only = compiled(&code.replace("MODE", "read_only"));
    let run = create_in(&engine, &read_only, json!({}), Some(folder.path())).await;
    let state = engine.drive(run).await.unwrap();
    let (_, step) = state.step_with_id("a").unwrap();
    assert_eq!(step.failure.as_ref().unwrap().code, "write_in_read_only");

    let allowed = compiled(&code.replace("MODE", "write_access"));
    let run = create_in(&engine, &allowed, json!({}), Some(folder.path())).await;
    let state = engine.drive(run).await.unwrap();
    let first = state.open_approvals().next().unwrap().clone();
    write(
        "helper.py",
        "import epics\ndef go():\n    epics.caput('X', 1000)\n",
    );
    let yes = Command::Vote(vote(&first, Answer::Approve, Values::new()));
    let ada = Actor::User("ada".to_owned());
    engine.command(run, ada.clone(), yes).await.unwrap();
    let state = engine.drive(run).await.unwrap();
    assert!(
        executor.started().is_empty(),
        "the yes was for another text"
    );
    let second = state.open_approvals().next().unwrap();
    assert_ne!(second.request.subject_digest, first.request.subject_digest);
    let yes = Command::Vote(vote(second, Answer::Approve, Values::new()));
    engine.command(run, ada, yes).await.unwrap();
    assert_eq!(
        engine.drive(run).await.unwrap().status(),
        RunStatus::Succeeded
    );
}

#[test]
fn a_value_too_deep_to_be_read_back_never_enters_a_history() {
    let list = |name: &str| "[".repeat(60) + name + &"]".repeat(60);
    let yaml = format!(
        "steps:\n  - id: a\n    set: {{v: '${{{{ {} }}}}'}}\n  - id: b\n    set: {{v: '${{{{ {} }}}}'}}\n\
         outputs:\n  v: '${{{{ {} }}}}'\n",
        list("1"),
        list("steps.a.outputs.v"),
        list("steps.a.outputs.v"),
    );
    let mut run = Simulation::new(&plan_of(&yaml), &json!({}));
    run.rest(&mut World::sampling(0));
    assert_eq!(run.status_of("a"), "succeeded");
    let (_, b) = run.state.step_with_id("b").unwrap();
    assert_eq!(b.failure.as_ref().unwrap().code, "expression_too_large");
    for recorded in &run.history {
        let record = recorded
            .event
            .to_record(recorded.time, Actor::Engine)
            .unwrap();
        serde_json::from_slice::<serde_json::Value>(&record.body).unwrap();
    }
    let mut created = run.history[0].event.clone();
    let Event::RunCreated(body) = &mut created else {
        panic!("a history starts with its creation");
    };
    let deep = (0..126).fold(json!(1), |value, _| json!([value]));
    body.inputs.insert("v".to_owned(), deep);
    assert!(
        created
            .to_record(run.history[0].time, Actor::Engine)
            .is_err()
    );
}
