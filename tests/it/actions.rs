//! Steps that are one act on the outside: a request, a message, a notebook; what their failures mean, and what
//! becomes of them when the engine dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::code;
use stepwell::engine::Engine;
use stepwell::executor::fake::{FakeAnswer as Ran, FakeExecutor};
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::RunId;
use stepwell::plan::{OnUnknown, Plan, Step, StepKind, Steps};
use stepwell::run::payload::Answer;
use stepwell::run::{Actor, Command, Event, RunState, RunStatus, StepState};
use stepwell::store::memory::MemoryStore;
use stepwell::transport::fake::{FakeAnswer, FakeTransport};
use stepwell::transport::{Channel, Response};

use crate::engine::{Compiled, Rig, compiled, create, events};
use crate::simulator::vote;

/// A kind of step from its document.
pub(crate) fn kind(document: &Value) -> StepKind {
    serde_json::from_value(document.clone()).unwrap()
}

/// The plan with some steps changed.
pub(crate) fn changed(plan: &Plan, change: impl Fn(&mut Step)) -> Arc<Plan> {
    let mut steps = plan.steps.to_vec();
    steps.iter_mut().for_each(change);
    let steps = Steps::from(steps);
    Arc::new(Plan {
        steps,
        ..plan.clone()
    })
}

/// A compiled workflow in which the steps named have other kinds.
fn with_kinds(yaml: &str, kinds: &[(&str, Value)]) -> Compiled {
    let (plan, blobs) = compiled(yaml);
    let plan = changed(&plan, |step| {
        if let Some((_, document)) = kinds.iter().find(|(id, _)| step.id == *id) {
            step.kind = kind(document);
        }
    });
    (plan, blobs)
}

fn get(url: &str) -> Value {
    json!({"http": {"method": "GET", "url": url}})
}

/// An engine whose requests are answered so.
fn rig(transport: FakeTransport) -> (Rig, Engine) {
    let mut rig = Rig::new(MemoryStore::new());
    rig.transport = Arc::new(transport);
    let engine = rig.engine(&Arc::new(FakeExecutor::new(|_| Ran::results(json!({})))));
    (rig, engine)
}

/// Drives to the end while the clock goes on by `tick` whenever something waits for a time.
pub(crate) async fn drive_through(
    engine: &Engine,
    rig: &Rig,
    run: RunId,
    tick: Duration,
) -> RunState {
    let driving = engine.drive(run);
    tokio::pin!(driving);
    loop {
        tokio::select! {
            state = &mut driving => return state.unwrap(),
            () = tokio::time::sleep(Duration::from_millis(20)) => rig.clock.advance(tick),
        }
    }
}

fn step<'a>(state: &'a RunState, id: &str) -> &'a StepState {
    state.step_with_id(id).unwrap().1
}

fn failure(state: &RunState, id: &str) -> (FailureKind, String) {
    let failure = step(state, id).failure.clone().unwrap();
    (failure.kind, failure.code)
}

const ONE: &str = "steps:\n  - id: a\n    set: {x: 1}\n";

#[tokio::test]
async fn a_request_is_fixed_when_the_step_is_ready_and_its_answer_is_its_outputs() {
    let transport = FakeTransport::default()
        .on_request(|_| FakeAnswer::json(200, &json!({"beam": [1, 2.5, null]})));
    let (rig, engine) = rig(transport);
    let made = with_kinds(
        "steps:\n  - id: a\n    set: {x: 7}\n  - id: b\n    python: {code: 'results = {}'}\n  - id: c\n    set: {got: \"${{ steps.b.outputs.body.beam[1] }}\"}\n    needs: [b]\n",
        &[(
            "b",
            json!({"http": {
                "method": "GET",
                "url": "http://a.example/${{ steps.a.outputs.x }}",
                "headers": {"X-Count": "${{ steps.a.outputs.x }}"},
            }}),
        )],
    );
    let run = create(&engine, &made, json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    let asked = rig.transport.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].url, "http://a.example/7");
    assert_eq!(asked[0].headers, [("X-Count".to_owned(), "7".to_owned())]);
    assert_eq!(asked[0].timeout, Duration::from_secs(30));
    let b = step(&state, "b");
    assert_eq!(b.inputs["url"], json!("http://a.example/7"));
    let outputs = b.outputs.clone().unwrap();
    assert_eq!(outputs["status"], json!(200));
    assert_eq!(
        outputs["headers"]["content-type"],
        json!("application/json")
    );
    assert_eq!(
        step(&state, "c").outputs.as_ref().unwrap()["got"],
        json!(2.5)
    );
}

#[tokio::test]
async fn a_post_carries_json_and_its_key_and_is_recorded_as_a_write() {
    let (rig, engine) = rig(FakeTransport::default());
    let (plan, blobs) = with_kinds(
        ONE,
        &[(
            "a",
            json!({"http": {"method": "POST", "url": "http://a.example", "body": {"n": 1}}}),
        )],
    );
    let plan = changed(&plan, |step| {
        step.idempotency_key = Some(serde_json::from_value(json!("key-${{ run.id }}")).unwrap());
    });
    let run = create(&engine, &(plan, blobs), json!({})).await;
    engine.drive(run).await.unwrap();
    let asked = rig.transport.requests().remove(0);
    assert_eq!(asked.body.unwrap(), br#"{"n":1}"#);
    let expected = [
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("Idempotency-Key".to_owned(), format!("key-{run}")),
    ];
    assert_eq!(asked.headers, expected);
    let history = events(&engine, run).await;
    let started = history.iter().find_map(|recorded| match &recorded.event {
        Event::AttemptStarted(started) => Some(started.clone()),
        _ => None,
    });
    let started = serde_json::to_value(started.unwrap()).unwrap();
    assert_eq!(
        started,
        json!({"step": "a", "attempt": 1, "executor": "http", "effect": "write"})
    );
}

#[tokio::test]
async fn a_body_that_is_no_text_or_too_long_is_kept_as_a_file() {
    for (truncated, bytes) in [(false, b"\x89PNG\xff".to_vec()), (true, b"1234".to_vec())] {
        let answer = Response {
            status: 200,
            headers: vec![("content-type".to_owned(), "image/png".to_owned())],
            body: bytes.clone(),
            truncated,
        };
        let transport =
            FakeTransport::default().on_request(move |_| FakeAnswer::Gives(answer.clone()));
        let (rig, engine) = rig(transport);
        let made = with_kinds(ONE, &[("a", get("http://a.example"))]);
        let run = create(&engine, &made, json!({})).await;
        let state = engine.drive(run).await.unwrap();
        let a = step(&state, "a");
        let outputs = a.outputs.clone().unwrap();
        assert_eq!(outputs["truncated"], json!(truncated));
        assert_eq!(outputs["body"], outputs["file"]);
        let file = &a.result.as_ref().unwrap().artifacts[0];
        assert_eq!(outputs["file"], json!(file.path));
        assert_eq!(
            std::fs::read(rig.data.path().join(&file.path)).unwrap(),
            bytes
        );
        assert_eq!(engine.blob(file.digest).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_status_says_whether_it_is_tried_again() {
    for (status, expected_kind, requests) in [
        (404, FailureKind::Code, 1),
        (301, FailureKind::Code, 1),
        (503, FailureKind::Infrastructure, 3),
        (429, FailureKind::Infrastructure, 3),
    ] {
        let transport = FakeTransport::default()
            .on_request(move |_| FakeAnswer::json(status, &json!({"no": true})));
        let (rig, engine) = rig(transport);
        let made = with_kinds(ONE, &[("a", get("http://a.example"))]);
        let run = create(&engine, &made, json!({})).await;
        let state = drive_through(&engine, &rig, run, Duration::from_secs(1)).await;
        assert_eq!(state.status(), RunStatus::Failed);
        let expected = (expected_kind, code::HTTP_STATUS.as_str().to_owned());
        assert_eq!(failure(&state, "a"), expected, "{status}");
        assert_eq!(rig.transport.requests().len(), requests, "{status}");
        let results = step(&state, "a").result.as_ref().unwrap().results.clone();
        assert_eq!(
            results.unwrap()["body"],
            json!({"no": true}),
            "the answer is kept"
        );
    }
}

#[tokio::test]
async fn the_statuses_that_are_expected_are_the_only_ones() {
    for (status, expected) in [(404, RunStatus::Succeeded), (200, RunStatus::Failed)] {
        let transport =
            FakeTransport::default().on_request(move |_| FakeAnswer::json(status, &json!(1)));
        let (_rig, engine) = rig(transport);
        let document =
            json!({"http": {"method": "GET", "url": "http://a.example", "expect": [404]}});
        let made = with_kinds(ONE, &[("a", document)]);
        let run = create(&engine, &made, json!({})).await;
        assert_eq!(engine.drive(run).await.unwrap().status(), expected);
    }
}

#[tokio::test]
async fn the_other_side_says_when_it_may_be_asked_again() {
    let asked = Arc::new(AtomicU16::new(0));
    let counter = Arc::clone(&asked);
    let transport = FakeTransport::default().on_request(move |_| {
        if counter.fetch_add(1, Ordering::SeqCst) > 0 {
            return FakeAnswer::json(200, &json!(1));
        }
        FakeAnswer::Gives(Response {
            status: 429,
            headers: vec![("retry-after".to_owned(), "120".to_owned())],
            ..Response::default()
        })
    });
    let (rig, engine) = rig(transport);
    let made = with_kinds(ONE, &[("a", get("http://a.example"))]);
    let run = create(&engine, &made, json!({})).await;
    let state = drive_through(&engine, &rig, run, Duration::from_secs(30)).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    let delays: Vec<u64> = events(&engine, run)
        .await
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::RetryScheduled(retry) => Some(retry.delay_ms),
            _ => None,
        })
        .collect();
    assert_eq!(delays, [120_000]);
}

#[tokio::test]
async fn a_request_that_never_ends_is_given_up_after_its_time() {
    let (rig, engine) = rig(FakeTransport::default().on_request(|_| FakeAnswer::Hangs));
    let (plan, blobs) = with_kinds(ONE, &[("a", get("http://a.example"))]);
    let plan = changed(&plan, |step| step.timeout = Some(Duration::from_secs(600)));
    let run = create(&engine, &(plan, blobs), json!({})).await;
    let state = drive_through(&engine, &rig, run, Duration::from_secs(60)).await;
    let expected = code::REQUEST_TIMED_OUT.as_str().to_owned();
    assert_eq!(failure(&state, "a"), (FailureKind::Timeout, expected));
    let (attempt, took) = (&step(&state, "a").attempts[0], Duration::from_secs(600));
    assert!(attempt.ended_at.unwrap().since(attempt.started_at) >= took);
}

/// Drives until a request hangs, and dies there.
async fn dies_while_asking(engine: &Engine, run: RunId, rig: &Rig) {
    let driving = engine.drive(run);
    tokio::pin!(driving);
    while rig.transport.requests().is_empty() {
        let short = tokio::time::sleep(Duration::from_millis(5));
        tokio::select! {
            _ = &mut driving => panic!("the run came to rest"),
            () = short => {}
        }
    }
}

/// A run whose engine died while a request was under way, in front of the next engine.
async fn interrupted(
    method: &str,
    on_unknown: Option<OnUnknown>,
) -> (Rig, Engine, RunId, RunState) {
    let (mut rig, engine) = rig(FakeTransport::default().on_request(|_| FakeAnswer::Hangs));
    let document = json!({"http": {"method": method, "url": "http://a.example"}});
    let (plan, blobs) = with_kinds(ONE, &[("a", document)]);
    let plan = changed(&plan, |step| step.on_unknown = on_unknown);
    let run = create(&engine, &(plan, blobs), json!({})).await;
    dies_while_asking(&engine, run, &rig).await;
    rig.restarted();
    rig.transport = Arc::default();
    let second = rig.engine(&Arc::new(FakeExecutor::new(|_| Ran::results(json!({})))));
    let state = second.drive(run).await.unwrap();
    (rig, second, run, state)
}

#[tokio::test]
async fn an_interrupted_get_is_made_again_without_a_word() {
    let (rig, _, _, state) = interrupted("GET", None).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(rig.transport.requests().len(), 1);
    assert_eq!(step(&state, "a").counted_attempts(), 1);
}

#[tokio::test]
async fn an_interrupted_post_asks_a_person_and_is_not_made_again_by_itself() {
    let (rig, engine, run, state) = interrupted("POST", None).await;
    assert_eq!(state.status(), RunStatus::Waiting);
    assert!(rig.transport.requests().is_empty());
    let asked = state.open_approvals().next().unwrap();
    let form = json!({"answer": "run_again"}).as_object().cloned().unwrap();
    let vote = Command::Vote(vote(asked, Answer::Approve, form));
    let ada = Actor::User("ada".to_owned());
    engine.command(run, ada, vote).await.unwrap();
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(rig.transport.requests().len(), 1);
}

#[tokio::test]
async fn on_unknown_says_beforehand_what_follows() {
    let (rig, _, _, state) = interrupted("POST", Some(OnUnknown::Retry)).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(rig.transport.requests().len(), 1);
    let (rig, _, _, state) = interrupted("POST", Some(OnUnknown::Fail)).await;
    let (kind, word) = failure(&state, "a");
    assert_eq!(
        (kind, word.as_str()),
        (FailureKind::Infrastructure, "outcome_unknown")
    );
    assert!(rig.transport.requests().is_empty());
    let (_, _, _, state) = interrupted("GET", Some(OnUnknown::Ask)).await;
    assert_eq!(state.status(), RunStatus::Waiting);
}

#[tokio::test]
async fn a_cancel_drops_the_request_that_is_under_way() {
    let (mut rig, engine) = rig(FakeTransport::default().on_request(|_| FakeAnswer::Hangs));
    let made = with_kinds(
        ONE,
        &[(
            "a",
            json!({"http": {"method": "PUT", "url": "http://a.example"}}),
        )],
    );
    let run = create(&engine, &made, json!({})).await;
    dies_while_asking(&engine, run, &rig).await;
    rig.restarted();
    let second = rig.engine(&Arc::new(FakeExecutor::new(|_| Ran::results(json!({})))));
    let ada = Actor::User("ada".to_owned());
    let cancel = Command::Cancel { reason: None };
    second.command(run, ada, cancel).await.unwrap();
    let state = second.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Cancelled);
    let warnings = state.ending.as_ref().unwrap().warnings.join("\n");
    assert!(
        warnings.contains("how far it came is not known"),
        "{warnings}"
    );
}

#[tokio::test]
async fn a_deadline_drops_the_request_that_is_under_way() {
    let (rig, engine) = rig(FakeTransport::default().on_request(|_| FakeAnswer::Hangs));
    let (plan, blobs) = with_kinds(ONE, &[("a", get("http://a.example"))]);
    let plan = changed(&plan, |step| {
        step.timeout = Some(Duration::from_secs(100_000));
        step.deadline = Some(Duration::from_secs(60));
    });
    let run = create(&engine, &(plan, blobs), json!({})).await;
    let state = drive_through(&engine, &rig, run, Duration::from_secs(20)).await;
    assert_eq!(failure(&state, "a").1, code::DEADLINE_EXCEEDED.as_str());
    assert_eq!(rig.transport.requests().len(), 1);
}

fn ops() -> Channel {
    Channel::Slack {
        url: "https://chat.example/secret".to_owned(),
    }
}

/// A workflow that tells somebody, over an engine that knows the channel `ops`.
async fn told(transport: FakeTransport, target: &Value) -> (Rig, RunId, RunState) {
    let mut rig = Rig::new(MemoryStore::new());
    rig.transport = Arc::new(transport);
    let executor = Arc::new(FakeExecutor::new(|_| Ran::results(json!({}))));
    let engine = rig.engine_with(&executor, |options| {
        options.channels.insert("ops".to_owned(), ops());
    });
    let yaml =
        "steps:\n  - id: a\n    set: {x: 1}\n  - id: after\n    set: {x: 1}\n    needs: [a]\n";
    let made = with_kinds(
        yaml,
        &[(
            "a",
            json!({"notify": {"to": target, "text": "run ${{ run.id }}"}}),
        )],
    );
    let run = create(&engine, &made, json!({})).await;
    let state = drive_through(&engine, &rig, run, Duration::from_secs(1)).await;
    (rig, run, state)
}

#[tokio::test]
async fn a_message_goes_to_its_channel_with_a_key_of_its_own() {
    let (rig, run, state) = told(FakeTransport::default(), &json!({"channel": "ops"})).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    let sent = rig.transport.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, ops());
    assert_eq!(sent[0].1.text, format!("run {run}"));
    assert_eq!(sent[0].1.key, format!("{run}:a"));
    assert_eq!(
        step(&state, "a").outputs.as_ref().unwrap()["to"],
        json!("ops")
    );
}

#[tokio::test]
async fn a_message_carries_the_key_that_is_written() {
    let rig = Rig::new(MemoryStore::new());
    let executor = Arc::new(FakeExecutor::new(|_| Ran::results(json!({}))));
    let engine = rig.engine_with(&executor, |options| {
        options.channels.insert("ops".to_owned(), ops());
    });
    let made = compiled(
        "steps:\n  - id: a\n    notify: ops\n    text: hello\n    \
         idempotency_key: night ${{ 1 + 1 }}\n",
    );
    let run = create(&engine, &made, json!({})).await;
    let state = drive_through(&engine, &rig, run, Duration::from_secs(1)).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(rig.transport.sent()[0].1.key, "night 2");
}

#[tokio::test]
async fn nobody_who_cannot_be_told_fails_a_run() {
    let broken = || {
        Failure::new(
            FailureKind::Infrastructure,
            code::CONNECTION_FAILED,
            "no line",
        )
    };
    let transport = FakeTransport::default().on_send(move |_, _| FakeAnswer::Fails(broken()));
    let hook = json!({"webhook": "https://hook.example/secret"});
    let (rig, run, state) = told(transport, &hook).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(step(&state, "a").status.as_str(), "failed");
    assert_eq!(step(&state, "after").status.as_str(), "succeeded");
    let keys: Vec<String> = rig
        .transport
        .sent()
        .into_iter()
        .map(|sent| sent.1.key)
        .collect();
    assert_eq!(
        keys,
        vec![format!("{run}:a"); 3],
        "three tries, one message"
    );
    let warnings = state.ending.as_ref().unwrap().warnings.join("\n");
    assert!(warnings.contains("step `a` failed: no line"), "{warnings}");

    let (rig, _, state) = told(FakeTransport::default(), &json!({"channel": "opps"})).await;
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert!(rig.transport.sent().is_empty());
    let failure = step(&state, "a").failure.clone().unwrap();
    assert_eq!(failure.code, code::UNKNOWN_CHANNEL.as_str());
    assert_eq!(failure.hint.as_deref(), Some("it has: ops"));
}

#[tokio::test]
async fn notebooks_are_merged_in_order_and_say_what_did_not_run() {
    let rig = Rig::new(MemoryStore::new());
    let executor = Arc::new(FakeExecutor::new(|job| {
        Ran::results(json!({"of": job.step.as_str()}))
    }));
    let engine = rig.engine(&executor);
    let yaml = "steps:\n  - id: load\n    python: {code: 'results = {}'}\n  - id: never\n    if: ${{ 1 > 2 }}\n    \
        python: {code: 'results = {}'}\n  - id: each\n    set: {x: 1}\n  - id: fit\n    python: {code: 'results = 1'}\n  \
        - id: book\n    python: {code: 'results = {}'}\n  - id: last\n    set: {path: \"${{ steps.book.notebook }}\"}\n    needs: [book]\n";
    let (plan, blobs) = with_kinds(
        yaml,
        &[
            (
                "each",
                json!({"foreach": {"items": "${{ ['b', 'a'] }}", "as": "k", "key": "${{ k }}", "concurrency": 2,
                    "fail_fast": true, "steps": ["each.fit"]}}),
            ),
            (
                "book",
                json!({"notebook": {"merge": ["each", "never", "load"], "title": "All | of it"}}),
            ),
        ],
    );
    let plan = changed(&plan, |step| match step.id.as_str() {
        "fit" => {
            step.path = stepwell::id::StepPath::new("each.fit");
            step.parent = Some(stepwell::plan::Parent {
                step: stepwell::id::StepPath::new("each"),
                arm: String::new(),
            });
            step.edges.clear();
        }
        "book" => {
            for edge in &mut step.edges {
                edge.from = stepwell::id::StepPath::new("each");
            }
        }
        _ => {}
    });
    let run = create(&engine, &(plan, blobs), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    let book = step(&state, "book");
    let file = book.result.as_ref().unwrap().notebook.clone().unwrap();
    assert_eq!(
        file.path,
        format!("{}/book/1/notebook.ipynb", state.created.folder)
    );
    assert_eq!(book.outputs.as_ref().unwrap()["notebook"], json!(file.path));
    assert_eq!(
        step(&state, "last").outputs.as_ref().unwrap()["path"],
        json!(file.path)
    );
    let bytes = std::fs::read(rig.data.path().join(&file.path)).unwrap();
    assert_eq!(engine.blob(file.digest).await.unwrap(), bytes);
    let notebook: Value = serde_json::from_slice(&bytes).unwrap();
    let cells = notebook["cells"].as_array().unwrap();
    let headings: Vec<String> = cells
        .iter()
        .filter(|cell| cell["cell_type"] == json!("markdown"))
        .filter_map(|cell| Some(cell["source"][0].as_str()?.trim_end().to_owned()))
        .filter(|line| line.starts_with("# ") || line.starts_with("## "))
        .collect();
    assert_eq!(
        headings,
        [
            "# All &#124; of it",
            "## each&#91;b&#93;.fit",
            "## each&#91;a&#93;.fit",
            "## never",
            "## load"
        ]
    );
    let text = notebook.to_string();
    assert!(
        text.contains("it did not run: its condition was false"),
        "{text}"
    );
    let ids: std::collections::BTreeSet<&str> = cells
        .iter()
        .map(|cell| cell["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), cells.len(), "ids are unique");
    let code = cells
        .iter()
        .filter(|cell| cell["source"][0] == json!("results = 1"));
    assert_eq!(code.count(), 2);
}
