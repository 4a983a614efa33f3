//! Code that is written, through the real engine with a generator of the test: asked once, fed back, reused, bounded.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use stepwell::approval::{CodeApproval, Policy};
use stepwell::code;
use stepwell::engine::Options;
use stepwell::executor::Job;
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::failure::{Failure, FailureKind};
use stepwell::generator::fake::FakeGenerator;
use stepwell::generator::set::Entry;
use stepwell::generator::{Answer, Budget, Generators, Price, Stop};
use stepwell::run::payload::{Answer as Vote, Feedback, Values};
use stepwell::run::{Actor, Command, Event, RunStatus};
use stepwell::store::memory::{Break, MemoryStore};

use crate::engine::{Rig, compiled, count, create, events, fenced};
use crate::simulator::vote;

const TASK: &str = "
steps:
  - id: fit
    python: {task: Fit a line, max_generations: 3}
    with: {rows: [1.5, 2.5], name: BPM-7}
    outputs: {slope: float}
";

pub(crate) fn works() -> Arc<FakeExecutor> {
    Arc::new(FakeExecutor::new(|_| {
        FakeAnswer::results(json!({"slope": 1.0}))
    }))
}

pub(crate) fn broken() -> Failure {
    let mut failure = Failure::new(
        FailureKind::Code,
        code::PYTHON_EXCEPTION,
        "KeyError: 'rows'",
    );
    failure.traceback = Some("Traceback: line 1 of fit.py".to_owned());
    failure
}

/// An executor whose first attempts fail with this.
fn fails(times: usize, failure: Failure) -> Arc<FakeExecutor> {
    let made = AtomicUsize::new(0);
    Arc::new(FakeExecutor::new(move |_: &Job| {
        if made.fetch_add(1, Ordering::SeqCst) < times {
            FakeAnswer::fails(failure.clone())
        } else {
            FakeAnswer::results(json!({"slope": 1.0}))
        }
    }))
}

pub(crate) fn with(generator: &Arc<FakeGenerator>) -> impl FnOnce(&mut Options) + use<> {
    let generators = Generators::only("main", Arc::clone(generator) as _);
    move |options| options.generators = generators
}

fn writes() -> Arc<FakeGenerator> {
    Arc::new(fenced("results = {'slope': context.rows[0]}"))
}

#[tokio::test]
async fn code_is_written_recorded_and_run_and_values_are_never_told() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writes();
    let executor = works();
    let engine = rig.engine_with(&executor, with(&generator));
    let run = create(&engine, &compiled(TASK), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(
        executor.started()[0].code,
        "results = {'slope': context.rows[0]}\n"
    );
    let asked = generator.asked();
    assert_eq!(asked.len(), 1);
    let prompt = &asked[0].prompt.user;
    assert!(
        prompt.contains("Fit a line") && prompt.contains("`rows`: list of 2 float"),
        "{prompt}"
    );
    assert!(
        !prompt.contains("BPM-7") && !asked[0].facts.to_string().contains("BPM-7"),
        "{prompt}"
    );
    let (_, step) = state.step_with_id("fit").unwrap();
    assert_eq!(step.tries(), 1);
    let record = &step.generations[0].record;
    assert_eq!(record.model.as_deref(), Some("fake-1"));
    let kept = engine.blob(record.prompt.unwrap()).await.unwrap();
    assert!(String::from_utf8(kept).unwrap().contains("Fit a line"));
    let folder = engine.folder(&state).path().join("fit/1/prompts");
    for file in ["prompt.md", "answer.md", "code.py"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
}

#[tokio::test]
async fn whatever_append_breaks_an_answer_that_is_recorded_is_never_asked_for_again() {
    let made = compiled(TASK);
    for broken in (2..9).flat_map(|append| [Break::Before(append), Break::After(append)]) {
        let mut rig = Rig::new(MemoryStore::breaking(broken));
        let generator = writes();
        let engine = rig.engine_with(&works(), with(&generator));
        let run = create(&engine, &made, json!({})).await;
        let _ended = engine.drive(run).await;
        rig.restarted();
        let engine = rig.engine_with(&works(), with(&generator));
        let recorded = count(&events(&engine, run).await, "CodeGenerated");
        let before = generator.asked().len();
        let state = engine.drive(run).await.unwrap();
        assert_eq!(state.status(), RunStatus::Succeeded, "{broken:?}");
        assert_eq!(
            count(&events(&engine, run).await, "CodeGenerated"),
            1,
            "{broken:?}"
        );
        if recorded == 1 {
            assert_eq!(generator.asked().len(), before, "{broken:?}");
        }
        assert!(generator.asked().len() <= 2, "{broken:?}");
    }
}

#[tokio::test]
async fn a_failure_of_the_code_goes_back_with_its_traceback_and_the_third_try_is_fresh() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writes();
    let engine = rig.engine_with(&fails(2, broken()), with(&generator));
    let run = create(&engine, &compiled(TASK), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    let asked = generator.asked();
    assert_eq!(asked.len(), 3);
    let second = &asked[1].prompt.user;
    assert!(
        second.contains("KeyError: 'rows'") && second.contains("line 1 of fit.py"),
        "{second}"
    );
    assert!(
        second.contains("results = {'slope': context.rows[0]}"),
        "{second}"
    );
    assert!(asked[2].fresh && !asked[2].prompt.user.contains("KeyError"));
    let (_, step) = state.step_with_id("fit").unwrap();
    let told: Vec<Feedback> = step
        .generations
        .iter()
        .map(|one| one.record.feedback)
        .collect();
    assert_eq!(told, [Feedback::None, Feedback::Failure, Feedback::Failure]);
}

#[tokio::test]
async fn after_the_last_generation_the_step_fails_with_what_was_wrong() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writes();
    let engine = rig.engine_with(&fails(9, broken()), with(&generator));
    let run = create(&engine, &compiled(TASK), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Failed);
    let (_, step) = state.step_with_id("fit").unwrap();
    let failure = step.failure.as_ref().unwrap();
    assert_eq!(failure.code, "python_exception");
    assert!(
        failure.hint.as_ref().unwrap().contains("3 times"),
        "{failure:?}"
    );
    assert_eq!(generator.asked().len(), 3);
}

#[tokio::test]
async fn what_a_policy_or_a_guard_refused_is_never_written_anew() {
    for kind in [
        FailureKind::Policy,
        FailureKind::Safety,
        FailureKind::Limits,
        FailureKind::Timeout,
    ] {
        let rig = Rig::new(MemoryStore::new());
        let generator = writes();
        let failure = Failure::new(kind, code::CODE_REFUSED, "no");
        let engine = rig.engine_with(&fails(9, failure), with(&generator));
        let run = create(&engine, &compiled(TASK), json!({})).await;
        assert_eq!(engine.drive(run).await.unwrap().status(), RunStatus::Failed);
        assert_eq!(generator.asked().len(), 1, "{kind:?}");
    }
    let rig = Rig::new(MemoryStore::new());
    let generator = Arc::new(fenced(
        "import epics\nepics.caput('X', 1)\nresults = {'slope': context.rows[0]}",
    ));
    let engine = rig.engine_with(&works(), with(&generator));
    let run = create(&engine, &compiled(TASK), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Failed);
    assert_eq!(generator.asked().len(), 1);
}

#[tokio::test]
async fn a_write_that_failed_is_not_written_anew_unless_its_own_retry_says_so() {
    for (retry, asked) in [
        ("", 1),
        (
            "    retry: {max_attempts: 2, delay: 1ms, kinds: [code]}\n",
            2,
        ),
    ] {
        let text = format!(
            "steps:\n  - id: fit\n    python: {{task: Write a line, mode: write_access}}\n{retry}"
        );
        let rig = Rig::new(MemoryStore::new());
        let generator = writes();
        let engine = rig.engine_with(&fails(1, broken()), |options| {
            with(&generator)(options);
            options.policy.write_access.requires_approval = false;
            options.policy.python.mode = CodeApproval::Disabled;
        });
        let run = create(&engine, &compiled(&text), json!({})).await;
        let driving = engine.drive(run);
        let ticking = async {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                rig.clock.advance(Duration::from_secs(1));
            }
        };
        tokio::select! { state = driving => { state.unwrap(); }, () = ticking => {} }
        assert_eq!(generator.asked().len(), asked, "{retry}");
    }
}

#[tokio::test]
async fn answers_without_usable_code_are_answered_and_unreadable_code_is_fed_back() {
    let answers = [
        ("Sorry, I can't.", Stop::End, "generation_no_code"),
        (
            "```python\nresults = {}\n```",
            Stop::Length,
            "generation_cut_off",
        ),
        (
            "```python\nprint(context.rows)\n```",
            Stop::End,
            "generation_no_results",
        ),
        (
            "```python\nresults = (context.rows\n```",
            Stop::End,
            "code_unreadable",
        ),
    ];
    for (text, stop, word) in answers {
        let first = AtomicUsize::new(0);
        let generator = Arc::new(FakeGenerator::new(move |_| {
            let bad = first.fetch_add(1, Ordering::SeqCst) == 0;
            Ok(Answer {
                text: if bad {
                    text
                } else {
                    "```python\nresults = {'slope': context.rows[0]}\n```"
                }
                .to_owned(),
                stop: if bad { stop.clone() } else { Stop::End },
                ..Answer::default()
            })
        }));
        let rig = Rig::new(MemoryStore::new());
        let engine = rig.engine_with(&works(), with(&generator));
        let run = create(&engine, &compiled(TASK), json!({})).await;
        let state = engine.drive(run).await.unwrap();
        assert_eq!(state.status(), RunStatus::Succeeded, "{word}");
        assert_eq!(generator.asked().len(), 2, "{word}");
        let (_, step) = state.step_with_id("fit").unwrap();
        let told = step.generations[1].record.feedback;
        if word == "code_unreadable" {
            assert_eq!(told, Feedback::Findings);
            assert!(generator.asked()[1].prompt.user.contains(", column "));
        } else {
            assert_eq!(told, Feedback::Answer);
            let failure = step.generations[0].record.failure.as_ref().unwrap();
            assert_eq!(failure.code, word);
        }
    }
}

#[tokio::test]
async fn a_busy_model_is_waited_for_by_a_timer_of_the_log_and_one_without_money_is_not() {
    let rig = Rig::new(MemoryStore::new());
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let generator = Arc::new(FakeGenerator::new(move |_| {
        if counter.fetch_add(1, Ordering::SeqCst) > 0 {
            let text = "```python\nresults = {'slope': context.rows[0]}\n```".to_owned();
            return Ok(Answer {
                text,
                ..Answer::default()
            });
        }
        let busy = Failure::new(FailureKind::Infrastructure, code::GENERATOR_BUSY, "busy");
        Err(busy.detail(json!({"retry_after": "90"})))
    }));
    let engine = rig.engine_with(&works(), with(&generator));
    let run = create(&engine, &compiled(TASK), json!({})).await;
    let driving = {
        let engine = engine.clone();
        tokio::task::spawn(async move { engine.drive(run).await })
    };
    while count(&events(&engine, run).await, "RetryScheduled") == 0 {
        tokio::task::yield_now().await;
    }
    let recorded = events(&engine, run).await;
    let delay = recorded.iter().find_map(|recorded| match &recorded.event {
        Event::RetryScheduled(retry) => Some(retry.delay_ms),
        _ => None,
    });
    assert_eq!(delay, Some(90_000));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    rig.clock.advance(Duration::from_secs(91));
    assert_eq!(
        driving.await.unwrap().unwrap().status(),
        RunStatus::Succeeded
    );

    let poor = Arc::new(FakeGenerator::new(|_| {
        Err(Failure::new(
            FailureKind::Configuration,
            code::GENERATOR_QUOTA,
            "no money",
        ))
    }));
    let rig = Rig::new(MemoryStore::new());
    let engine = rig.engine_with(&works(), with(&poor));
    let run = create(&engine, &compiled(TASK), json!({})).await;
    assert_eq!(engine.drive(run).await.unwrap().status(), RunStatus::Failed);
    assert_eq!(poor.asked().len(), 1);
}

#[tokio::test]
async fn a_budget_stops_before_the_call() {
    let rig = Rig::new(MemoryStore::new());
    let generator = Arc::new(FakeGenerator::new(|_| {
        Ok(Answer {
            text: "```python\nresults = {'slope': context.rows[0]}\n```".to_owned(),
            input_tokens: Some(1_000_000),
            output_tokens: Some(0),
            ..Answer::default()
        })
    }));
    let costly = |budget: Budget| {
        let mut generators = Generators::only("main", Arc::clone(&generator) as _);
        let entry = Entry {
            price: Some(Price {
                input: 0.6,
                cached: None,
                output: 1.0,
                currency: "EUR".to_owned(),
            }),
            budget,
            ..Entry::free(Arc::clone(&generator) as _)
        };
        generators.by_name.insert("main".to_owned(), entry);
        move |options: &mut Options| options.generators = generators
    };
    let per_run = Budget {
        per_run: Some(0.5),
        per_month: None,
    };
    let engine = rig.engine_with(&fails(9, broken()), costly(per_run));
    let run = create(&engine, &compiled(TASK), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    let failure = state
        .step_with_id("fit")
        .unwrap()
        .1
        .failure
        .clone()
        .unwrap();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Limits, "generation_budget")
    );
    assert_eq!(generator.asked().len(), 1);

    // Two steps at once are two calls one after the other.
    let two = "steps:\n  - id: one\n    needs: []\n    python: {task: make something, generator: main}\n  \
               - id: two\n    needs: []\n    python: {task: make something else, generator: main}\n    \
               on_failure: continue\n";
    let before = generator.asked().len();
    let engine = rig.engine_with(&works(), costly(per_run));
    let run = create(&engine, &compiled(two), json!({})).await;
    engine.drive(run).await.unwrap();
    assert_eq!(generator.asked().len(), before + 1);
    let per_month = Budget {
        per_run: None,
        per_month: Some(0.5),
    };
    let engine = rig.engine_with(&works(), costly(per_month));
    let run = create(&engine, &compiled(TASK), json!({})).await;
    assert_eq!(engine.drive(run).await.unwrap().status(), RunStatus::Failed);
    assert_eq!(
        generator.asked().len(),
        before + 1,
        "what another run cost counts"
    );
}

/// Everything asks.
pub(crate) fn strict() -> Policy {
    let mut policy = Policy::default();
    policy.python.mode = CodeApproval::AllCode;
    policy
}

#[tokio::test]
async fn approved_code_is_taken_again_without_a_model_or_a_person_until_its_inputs_look_different()
{
    let rig = Rig::new(MemoryStore::new());
    let generator = writes();
    let executor = works();
    let engine = rig.engine_with(&executor, |options| {
        with(&generator)(options);
        options.policy = strict();
    });
    let text = |rows: &str| {
        format!(
            "steps:\n  - id: fit\n    python: {{task: Fit a line, reuse: approved}}\n    with: {{rows: {rows}}}\n"
        )
    };
    let first = create(&engine, &compiled(&text("[1.5]")), json!({})).await;
    let state = engine.drive(first).await.unwrap();
    let asked = state.open_approvals().next().unwrap().clone();
    let yes = Command::Vote(vote(&asked, Vote::Approve, Values::new()));
    engine
        .command(first, Actor::User("bea".to_owned()), yes)
        .await
        .unwrap();
    assert_eq!(
        engine.drive(first).await.unwrap().status(),
        RunStatus::Succeeded
    );

    let second = create(&engine, &compiled(&text("[2.5, 3.5]")), json!({})).await;
    let state = engine.drive(second).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded, "nobody is asked");
    assert_eq!(generator.asked().len(), 1, "no model is asked");
    let (_, step) = state.step_with_id("fit").unwrap();
    let reused = step.generations[0].record.reused.clone().unwrap();
    assert_eq!(reused.run, first);
    assert!(!reused.approved_by.is_empty());
    assert_eq!(executor.started()[0].code, executor.started()[1].code);

    let third = create(&engine, &compiled(&text("[a, b]")), json!({})).await;
    let state = engine.drive(third).await.unwrap();
    assert_eq!(
        state.status(),
        RunStatus::Waiting,
        "another shape: written and asked anew"
    );
    assert_eq!(generator.asked().len(), 2);
}

#[tokio::test]
async fn reused_code_that_fails_is_written_and_asked_anew() {
    let rig = Rig::new(MemoryStore::new());
    let codes = Mutex::new(vec!["results = {'slope': 2}", "results = {'slope': 1}"]);
    let generator = Arc::new(FakeGenerator::new(move |_| {
        let code = codes.lock().unwrap().pop().unwrap();
        let text = format!("```python\n{code}\n```");
        Ok(Answer {
            text,
            ..Answer::default()
        })
    }));
    let made = AtomicUsize::new(0);
    let executor = Arc::new(FakeExecutor::new(move |_: &Job| {
        if made.fetch_add(1, Ordering::SeqCst) == 1 {
            FakeAnswer::fails(broken())
        } else {
            FakeAnswer::results(json!({"slope": 1}))
        }
    }));
    let engine = rig.engine_with(&executor, |options| {
        with(&generator)(options);
        options.policy = strict();
    });
    let made = compiled("steps:\n  - id: fit\n    python: {task: Fit, reuse: approved}\n");
    let first = create(&engine, &made, json!({})).await;
    let state = engine.drive(first).await.unwrap();
    let asked = state.open_approvals().next().unwrap().clone();
    let yes = Command::Vote(vote(&asked, Vote::Approve, Values::new()));
    engine
        .command(first, Actor::User("bea".to_owned()), yes)
        .await
        .unwrap();
    engine.drive(first).await.unwrap();
    let second = create(&engine, &made, json!({})).await;
    let state = engine.drive(second).await.unwrap();
    assert_eq!(state.status(), RunStatus::Waiting);
    let (_, step) = state.step_with_id("fit").unwrap();
    let [taken, written] = step.generations.as_slice() else {
        panic!("{:?}", step.generations)
    };
    assert_eq!(written.record.approved_before, taken.record.code);
    assert_ne!(written.record.code, taken.record.code);
    assert!(
        generator.asked()[1]
            .prompt
            .user
            .contains("results = {'slope': 1}")
    );
}

#[tokio::test]
async fn a_wish_for_changes_reaches_the_generator_with_the_code_before() {
    let rig = Rig::new(MemoryStore::new());
    let generator = writes();
    let engine = rig.engine_with(&works(), |options| {
        with(&generator)(options);
        options.policy = strict();
    });
    let run = create(&engine, &compiled(TASK), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    let asked = state.open_approvals().next().unwrap().clone();
    let mut wish = vote(&asked, Vote::RequestChanges, Values::new());
    wish.comment = Some("use the median".to_owned());
    let person = Actor::User(wish.person.clone());
    engine
        .command(run, person, Command::Vote(wish))
        .await
        .unwrap();
    let state = engine.drive(run).await.unwrap();
    assert_eq!(
        state.status(),
        RunStatus::Waiting,
        "the new code is asked about"
    );
    let prompts = generator.asked();
    assert_eq!(prompts.len(), 2);
    assert!(
        prompts[1].prompt.user.contains("use the median"),
        "{}",
        prompts[1].prompt.user
    );
    assert!(
        prompts[1]
            .prompt
            .user
            .contains("results = {'slope': context.rows[0]}")
    );
    let (_, step) = state.step_with_id("fit").unwrap();
    assert_eq!(step.generations[1].record.feedback, Feedback::Changes);
}
