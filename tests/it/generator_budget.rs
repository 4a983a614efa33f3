//! A budget of a month holds for all processes of a data folder together, and a call that broke off counts too.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::failure::Failure;
use stepwell::generator::http::{HttpGenerator, Settings};
use stepwell::generator::key::Environment;
use stepwell::generator::set::Entry;
use stepwell::generator::wire::Dialect;
use stepwell::generator::{Budget, Generators, Price};
use stepwell::run::{Event, RunState};
use stepwell::store::memory::MemoryStore;
use stepwell::transport::network::NetworkTransport;

use crate::cli_rig::Place;
use crate::engine::{Rig, compiled, create, events};
use crate::transport::Server;

/// Long enough for a machine under load; nothing waits for it but what must fail.
const LONG: Duration = Duration::from_secs(120);

/// Starts a run, and reads what it says until it has begun to call, or waits for its turn.
fn calling(place: &Place) -> (Child, String) {
    let mut command = place.command(&["run", "task.yml", "--json"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let called =
        |line: &String| line.contains("writes its code") || line.contains("waits for its turn");
    let line = lines.find_map(|line| line.ok().filter(called));
    // What follows is of no interest, but must go somewhere.
    std::thread::spawn(move || lines.for_each(drop));
    (child, line.expect("it calls, or waits"))
}

fn ended(mut child: Child) -> Value {
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    child.wait().unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn two_processes_never_pass_the_budget_of_a_month_together() {
    if std::env::var_os("STEPWELL_TEST_PYTHON").is_none() {
        assert!(std::env::var_os("CI").is_none(), "there is no Python");
        eprintln!("passed over: there is no Python for tests");
        return;
    }
    let place = Place::new();
    let (go_on, may) = channel::<()>();
    let may = Mutex::new(may);
    let server = Server::new(move |_, out| {
        let _begun = may.lock().unwrap().recv_timeout(LONG);
        let message = json!({"content": "```python\nresults = {\"n\": 1}\n```"});
        let body = json!({"model": "m", "choices": [{"message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0}});
        let body = body.to_string();
        let _gone = write!(
            out,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
    });
    // One call costs one, which is what a month may cost.
    let config = format!(
        "generators:\n  here:\n    {{provider: openai, model: m, base_url: \"http://{}/v1\", stream: false,\n     \
         price: {{input: 1, output: 1}}, budget: {{per_month: 1}}}}\ndefault_generator: here\n",
        server.address
    );
    place.write("config.yml", &config);
    place.write(
        "task.yml",
        "version: 1\nname: task\nsteps:\n  - id: fit\n    python: {task: Compute n}\n    outputs: {n: int}\n",
    );
    let (first, line) = calling(&place);
    assert!(line.contains("writes its code"), "{line}");
    let (second, line) = calling(&place);
    assert!(
        line.contains("waits for its turn: another process calls `here`"),
        "{line}"
    );
    go_on.send(()).unwrap();
    // For a second call, which must not come.
    go_on.send(()).unwrap();
    let (first, second) = (ended(first), ended(second));
    assert_eq!(first["status"], "succeeded", "{first}");
    assert_eq!(
        second["failure"]["failure"]["code"], "generation_budget",
        "{second}"
    );
    assert_eq!(
        server.requests().len(),
        1,
        "nobody was asked for more than there was money"
    );
}

/// Runs a step whose first call this server answers so, and every later one well; the first failure of an attempt, and
/// the one of the step.
async fn first_answered(
    rig: &Rig,
    first: &str,
    budget: Budget,
) -> (Option<Failure>, Option<Failure>, usize) {
    let (failed, state, calls) = answered_first(rig, first, budget).await;
    let (_, step) = state.step_with_id("fit").unwrap();
    let of_step = step.failure.clone().map(|failure| *failure);
    (failed, of_step, calls)
}

async fn answered_first(
    rig: &Rig,
    first: &str,
    budget: Budget,
) -> (Option<Failure>, RunState, usize) {
    let first = first.to_owned();
    let is_first = AtomicBool::new(true);
    let server = Server::new(move |_, out| {
        let well = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"message\": {\"content\": \
                    \"```python\\nresults = {}\\n```\"}, \"done\": true, \"done_reason\": \"stop\"}\n";
        let is_first = is_first.swap(false, Ordering::SeqCst);
        let _gone = out.write_all(if is_first {
            first.as_bytes()
        } else {
            well.as_bytes()
        });
    });
    let mut settings = Settings::new(Dialect::Ollama, "small-1");
    settings.base_url = format!("http://{}", server.address);
    settings.timeout = LONG;
    let transport = Arc::new(NetworkTransport::default());
    let generator = HttpGenerator::new(settings, Environment::default(), transport);
    let price = Price {
        input: 1_000.0,
        cached: None,
        output: 1_000_000.0,
        currency: "EUR".to_owned(),
    };
    let entry = Entry {
        price: Some(price),
        budget,
        ..Entry::free(Arc::new(generator))
    };
    let generators = Generators {
        by_name: [("main".to_owned(), entry)].into(),
        default: Some("main".to_owned()),
    };
    let executor = Arc::new(stepwell::executor::fake::FakeExecutor::new(|_| {
        stepwell::executor::fake::FakeAnswer::results(json!({}))
    }));
    let engine = rig.engine_with(&executor, |options| options.generators = generators);
    let plan = compiled("steps:\n  - id: fit\n    python: {task: Fit a line}\n");
    let run = create(&engine, &plan, json!({})).await;
    let driving = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.drive(run).await })
    };
    while !driving.is_finished() {
        rig.clock.advance(Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let state = driving.await.unwrap().unwrap();
    let failed = events(&engine, run)
        .await
        .into_iter()
        .find_map(|recorded| match recorded.event {
            Event::AttemptFailed(failed) => Some(failed.failure),
            _ => None,
        });
    (failed, state, server.requests().len())
}

/// What is noted of the calls of the month.
fn notes(rig: &Rig) -> (PathBuf, String) {
    let folder = rig.data.path().join("generators");
    let mut files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let file = files
        .find(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
        .unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    (file, text)
}

#[tokio::test]
async fn an_answer_without_a_usable_number_of_tokens_counts_by_an_estimate() {
    let body = |usage: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{{\"message\": {{\"content\": \"there is no code\"}}, \
             \"done\": true, \"done_reason\": \"stop\"{usage}}}\n"
        )
    };
    let said = [
        "",
        ", \"prompt_eval_count\": -4, \"eval_count\": -1",
        ", \"prompt_eval_count\": \"many\", \"eval_count\": null",
        ", \"prompt_eval_count\": 0, \"eval_count\": 0",
    ];
    for usage in said {
        for (per_run, per_month) in [(Some(5.0), None), (None, Some(5.0))] {
            let budget = Budget { per_run, per_month };
            let rig = Rig::new(MemoryStore::new());
            let (_, state, calls) = answered_first(&rig, &body(usage), budget).await;
            let (_, step) = state.step_with_id("fit").unwrap();
            assert_eq!(calls, 1, "it is not asked again without money: {usage}");
            assert_eq!(step.failure.as_ref().unwrap().code, "generation_budget");
            // 16 bytes, at three for a token, and the prompt.
            let cost = step.generations[0].record.cost.as_ref().unwrap();
            assert!(cost.estimated && cost.amount > 6.1, "{cost:?}");
            let note: Value = serde_json::from_str(&notes(&rig).1).unwrap();
            assert_eq!(
                (&note["estimated"], &note["amount"]),
                (&json!(true), &json!(cost.amount))
            );
        }
    }
}

#[tokio::test]
async fn a_damaged_note_stops_the_calls_until_somebody_mends_it() {
    let well = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"message\": {\"content\": \
                \"```python\\nresults = {}\\n```\"}, \"done\": true, \"done_reason\": \"stop\"}\n";
    let budget = Budget {
        per_run: None,
        per_month: Some(1_000_000.0),
    };
    let rig = Rig::new(MemoryStore::new());
    let (_, step, calls) = first_answered(&rig, well, budget).await;
    assert_eq!((step, calls), (None, 1));
    let (file, whole) = notes(&rig);
    std::fs::write(&file, format!("{whole}{{\"run\": 3\n")).unwrap();
    let (_, step, calls) = first_answered(&rig, well, budget).await;
    let failure = step.unwrap();
    assert_eq!((failure.code.as_str(), calls), ("generation_ledger", 0));
    let named = format!("{} has what", file.display());
    assert!(failure.message.starts_with(&named), "{failure:?}");
    assert!(failure.message.contains("line 2 of it"), "{failure:?}");
    std::fs::write(&file, whole).unwrap();
    let (_, step, calls) = first_answered(&rig, well, budget).await;
    assert_eq!((step, calls), (None, 1));
}

#[tokio::test]
async fn an_answer_that_broke_off_counts_by_an_estimate_and_a_refusal_does_not() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n\
                {\"message\": {\"content\": \"```python\\nresults\", \"thinking\": \"a line\"}, \"done\": false}\n";
    let refusal = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}";
    let budgets = [(Some(7.0), None), (None, Some(7.0))];
    for (per_run, per_month) in budgets {
        let budget = Budget { per_run, per_month };
        let rig = Rig::new(MemoryStore::new());
        let (attempt, step, calls) = first_answered(&rig, half, budget).await;
        let attempt = attempt.unwrap();
        assert_eq!(attempt.code, "generator_stream_cut", "{attempt:?}");
        let estimate = &attempt.detail["estimate"];
        // 23 bytes, at three for a token, and the prompt.
        assert_eq!(estimate["output_tokens"], 8, "{attempt:?}");
        let read = estimate["input_tokens"].as_f64().unwrap();
        assert!(read > 100.0, "{attempt:?}");
        let amount = estimate["amount"].as_f64().unwrap();
        assert!((amount - (8.0 + read / 1_000.0)).abs() < 1e-9, "{amount}");
        assert_eq!(step.unwrap().code, "generation_budget");
        assert_eq!(calls, 1, "it is not asked again without money");
        let note: Value = serde_json::from_str(&notes(&rig).1).unwrap();
        assert_eq!(
            (&note["estimated"], &note["amount"]),
            (&json!(true), &estimate["amount"])
        );

        let rig = Rig::new(MemoryStore::new());
        let (attempt, step, calls) = first_answered(&rig, refusal, budget).await;
        let attempt = attempt.unwrap();
        assert_eq!(attempt.code, "generator_busy");
        assert!(attempt.detail.get("estimate").is_none(), "{attempt:?}");
        assert_eq!((step, calls), (None, 2));
    }
}
