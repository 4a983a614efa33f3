//! Models over HTTP, against a server of the test: what is sent, what is understood, what each refusal means.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::failure::{Failure, FailureKind};
use stepwell::generator::command::{self, CommandGenerator};
use stepwell::generator::extract;
use stepwell::generator::http::{HttpGenerator, Settings};
use stepwell::generator::key::{Environment, KeySource};
use stepwell::generator::wire::Dialect;
use stepwell::generator::{Answer, CodeGenerator as _, Prompt, Request, Stop};
use stepwell::transport::network::NetworkTransport;

use crate::transport::Server;

const CODE: &str = "```python\nresults = {}\n```";

fn request() -> Request {
    Request {
        prompt: Prompt {
            system: "the rules".to_owned(),
            user: "the task".to_owned(),
        },
        facts: json!({"task": "the task"}),
        fresh: false,
        step: "fit".to_owned(),
        number: 1,
    }
}

/// Asks a server that answers with this, and gives what it saw.
async fn ask(
    settings: impl FnOnce(&mut Settings),
    dialect: Dialect,
    answer: String,
) -> (Result<Answer, Failure>, String) {
    let server = Server::new(move |_, stream| {
        let _gone = stream.write_all(answer.as_bytes());
    });
    let mut all = Settings::new(dialect, "small-1");
    all.base_url = format!("http://{}/v1", server.address);
    all.timeout = Duration::from_secs(30);
    settings(&mut all);
    let keys = BTreeMap::from([("MY_KEY".to_owned(), "sk-hidden-4711".to_owned())]);
    let transport = Arc::new(NetworkTransport::default());
    let generator = HttpGenerator::new(all, Environment(keys), transport);
    let found = generator.generate(request(), &|_| {}).await;
    (found, server.requests().concat())
}

fn answered(status: &str, fields: &str, body: &Value) -> String {
    raw(status, fields, &body.to_string())
}

fn raw(status: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\ncontent-type: application/json\r\n{fields}\r\n{body}"
    )
}

fn sent(seen: &str) -> Value {
    let (_, body) = seen.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

/// An answer of each protocol, in the shape of real ones, with thoughts that must not be taken.
fn example(dialect: Dialect) -> Value {
    match dialect {
        Dialect::OpenAi => json!({
            "id": "chatcmpl-1", "object": "chat.completion", "model": "small-1-0914",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {
                "role": "assistant", "content": CODE, "reasoning_content": "```python\nbad()\n```", "refusal": null}}],
            "usage": {"prompt_tokens": 90, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": 40},
                "completion_tokens_details": {"reasoning_tokens": 5}},
        }),
        Dialect::OpenAiResponses => json!({
            "id": "resp_1", "status": "completed", "model": "small-1-0914", "incomplete_details": null,
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "```python\nbad()\n```"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": CODE, "annotations": []}]}],
            "usage": {"input_tokens": 90, "output_tokens": 12, "input_tokens_details": {"cached_tokens": 40},
                "output_tokens_details": {"reasoning_tokens": 5}},
        }),
        Dialect::Anthropic => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "small-1-0914", "stop_reason": "end_turn",
            "content": [{"type": "thinking", "thinking": "```python\nbad()\n```"}, {"type": "text", "text": CODE}],
            "usage": {"input_tokens": 50, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 0, "output_tokens": 12},
        }),
        Dialect::Ollama => json!({
            "model": "small-1-0914", "done": true, "done_reason": "stop",
            "message": {"role": "assistant", "content": CODE, "thinking": "```python\nbad()\n```"},
            "prompt_eval_count": 90, "eval_count": 12, "total_duration": 4_883_583_458_u64,
        }),
    }
}

#[tokio::test]
async fn every_protocol_is_spoken_and_understood() {
    for dialect in Dialect::ALL {
        let key = |settings: &mut Settings| {
            settings.api_key = Some(KeySource::Env("MY_KEY".to_owned()));
        };
        let (found, seen) = ask(key, dialect, answered("200 OK", "", &example(dialect))).await;
        let answer = found.unwrap();
        assert_eq!(
            extract::code(&answer).unwrap(),
            "results = {}\n",
            "{dialect:?}"
        );
        assert_eq!(answer.model.as_deref(), Some("small-1-0914"));
        assert_eq!(
            (answer.input_tokens, answer.output_tokens),
            (Some(90), Some(12)),
            "{dialect:?}"
        );
        assert!(
            seen.starts_with(&format!("POST /v1{} ", dialect.path())),
            "{seen}"
        );
        let head = seen.to_lowercase();
        if dialect == Dialect::Anthropic {
            assert!(
                head.contains("x-api-key: sk-hidden-4711")
                    && head.contains("anthropic-version: 2023-06-01")
            );
        } else {
            assert!(
                head.contains("authorization: bearer sk-hidden-4711"),
                "{head}"
            );
        }
        let body = sent(&seen);
        assert_eq!(body["model"], "small-1");
        let text = body.to_string();
        assert!(
            text.contains("the rules") && text.contains("the task") && !text.contains("sk-hidden"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_differs_between_models_is_said_only_where_it_is_configured() {
    let (_, seen) = ask(
        |_| {},
        Dialect::OpenAi,
        answered("200 OK", "", &example(Dialect::OpenAi)),
    )
    .await;
    let body = sent(&seen);
    assert_eq!(
        (&body["max_tokens"], &body["temperature"]),
        (&json!(4096), &json!(0.0))
    );
    for absent in ["response_format", "seed", "max_completion_tokens"] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
    let newer = |settings: &mut Settings| {
        settings.temperature = None;
        settings.max_tokens_field = "max_completion_tokens".to_owned();
        settings.seed = Some(7);
    };
    let (_, seen) = ask(
        newer,
        Dialect::OpenAi,
        answered("200 OK", "", &example(Dialect::OpenAi)),
    )
    .await;
    let body = sent(&seen);
    assert!(
        body.get("temperature").is_none() && body.get("max_tokens").is_none(),
        "{body}"
    );
    assert_eq!(
        (&body["max_completion_tokens"], &body["seed"]),
        (&json!(4096), &json!(7))
    );
    let (_, seen) = ask(
        |_| {},
        Dialect::Ollama,
        answered("200 OK", "", &example(Dialect::Ollama)),
    )
    .await;
    let body = sent(&seen);
    assert_eq!(
        (&body["stream"], &body["options"]["num_ctx"]),
        (&json!(true), &json!(8192))
    );
    let structured = |settings: &mut Settings| settings.structured = true;
    let mut answer = example(Dialect::Anthropic);
    answer["content"] = json!([{"type": "text", "text": "{\"code\": \"results = {}\"}"}]);
    let (found, seen) = ask(
        structured,
        Dialect::Anthropic,
        answered("200 OK", "", &answer),
    )
    .await;
    assert_eq!(extract::code(&found.unwrap()).unwrap(), "results = {}\n");
    assert_eq!(
        sent(&seen)["output_config"]["format"]["type"],
        "json_schema"
    );
}

#[tokio::test]
async fn why_an_answer_ended_is_understood_in_every_protocol() {
    let cases = [
        (
            Dialect::OpenAi,
            "/choices/0/finish_reason",
            "length",
            Stop::Length,
        ),
        (
            Dialect::OpenAi,
            "/choices/0/message/refusal",
            "no",
            Stop::Refused("no".to_owned()),
        ),
        (
            Dialect::OpenAiResponses,
            "/status",
            "incomplete",
            Stop::Length,
        ),
        (
            Dialect::Anthropic,
            "/stop_reason",
            "max_tokens",
            Stop::Length,
        ),
        (
            Dialect::Anthropic,
            "/stop_reason",
            "refusal",
            Stop::Refused("refusal".to_owned()),
        ),
        (Dialect::Ollama, "/done_reason", "length", Stop::Length),
    ];
    for (dialect, at, word, stop) in cases {
        let mut body = example(dialect);
        *body.pointer_mut(at).unwrap() = json!(word);
        let (found, _) = ask(|_| {}, dialect, answered("200 OK", "", &body)).await;
        let answer = found.unwrap();
        assert_eq!(answer.stop, stop, "{dialect:?}");
        assert!(extract::code(&answer).is_err(), "{dialect:?} {word}");
    }
}

#[tokio::test]
async fn each_refusal_says_whether_asking_again_helps() {
    let error = |kind: &str| json!({"error": {"message": "because", "type": kind, "code": kind}});
    let infrastructure = FailureKind::Infrastructure;
    let configuration = FailureKind::Configuration;
    let cases = [
        (
            "429 Too Many Requests",
            error("rate_limit_error"),
            infrastructure,
            "generator_busy",
        ),
        (
            "429 Too Many Requests",
            error("insufficient_quota"),
            configuration,
            "generator_quota",
        ),
        (
            "529 Overloaded",
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
            infrastructure,
            "generator_busy",
        ),
        (
            "503 Service Unavailable",
            error("unavailable_error"),
            infrastructure,
            "generator_busy",
        ),
        (
            "402 Payment Required",
            error("billing_error"),
            configuration,
            "generator_quota",
        ),
        (
            "401 Unauthorized",
            error("invalid_api_key"),
            configuration,
            "generator_key_refused",
        ),
        (
            "404 Not Found",
            error("not_found_error"),
            configuration,
            "generator_refused",
        ),
        (
            "400 Bad Request",
            error("exceed_context_size_error"),
            configuration,
            "prompt_too_long",
        ),
        (
            "400 Bad Request",
            error("invalid_request_error"),
            configuration,
            "generator_refused",
        ),
    ];
    for (status, body, kind, word) in cases {
        let answer = answered(status, "retry-after: 20\r\n", &body);
        let (found, _) = ask(|_| {}, Dialect::OpenAi, answer).await;
        let failure = found.unwrap_err();
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (kind, word),
            "{status} {body}"
        );
        assert_eq!(failure.detail["retry_after"], "20");
    }
    for body in [
        "<html>Bad gateway</html>",
        "{\"choices\": [",
        "{\"hello\": 1}",
    ] {
        let (found, _) = ask(|_| {}, Dialect::OpenAi, raw("200 OK", "", body)).await;
        let failure = found.unwrap_err();
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (infrastructure, "generator_answer_invalid"),
            "{body}"
        );
    }
    let never = answered("500 Oops", "x-should-retry: false\r\n", &json!({}));
    let (found, _) = ask(|_| {}, Dialect::OpenAi, never).await;
    assert_eq!(found.unwrap_err().kind, configuration);
}

#[tokio::test]
async fn a_key_that_the_other_side_repeats_is_taken_out_and_a_missing_one_is_named() {
    let key = |settings: &mut Settings| {
        settings.api_key = Some(KeySource::Env("MY_KEY".to_owned()));
    };
    let body = json!({"error": {"message": "Incorrect API key provided: sk-hidden-4711.", "code": "invalid_api_key"}});
    let (found, _) = ask(
        key,
        Dialect::OpenAi,
        answered("401 Unauthorized", "", &body),
    )
    .await;
    let told = serde_json::to_string(&found.unwrap_err()).unwrap();
    assert!(
        told.contains("[api key]") && !told.contains("sk-hidden"),
        "{told}"
    );
    let other = |settings: &mut Settings| {
        settings.api_key = Some(KeySource::Env("NOT_SET".to_owned()));
    };
    let (found, seen) = ask(other, Dialect::OpenAi, String::new()).await;
    let failure = found.unwrap_err();
    assert_eq!(failure.code, "generator_key_missing");
    assert!(
        failure.message.contains("NOT_SET") && seen.is_empty(),
        "nobody was asked"
    );
}

#[tokio::test]
async fn a_gateway_says_what_a_call_cost() {
    let fields = "x-litellm-response-cost: 0.0125\r\nx-request-id: req-9\r\n";
    let (found, _) = ask(
        |_| {},
        Dialect::OpenAi,
        answered("200 OK", fields, &example(Dialect::OpenAi)),
    )
    .await;
    let answer = found.unwrap();
    assert_eq!(
        (answer.cost_usd, answer.request_id.as_deref()),
        (Some(0.0125), Some("req-9"))
    );
}

fn program(
    words: &[&str],
    input: command::Input,
    timeout: Duration,
) -> (CommandGenerator, tempfile::TempDir) {
    let scratch = tempfile::tempdir().unwrap();
    let settings = command::Settings {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        input,
        env: vec!["WANTED".to_owned()],
        timeout,
    };
    let environment = ["PATH", "WANTED", "SECRET"].map(|name| {
        (
            name.to_owned(),
            std::env::var(name).unwrap_or("x".to_owned()),
        )
    });
    let generator = CommandGenerator::new(
        settings,
        &BTreeMap::from(environment),
        scratch.path().to_owned(),
    );
    (generator, scratch)
}

#[tokio::test]
async fn any_program_is_a_generator_and_nothing_of_it_is_left() {
    let long = Duration::from_secs(30);
    let (generator, scratch) = program(
        &[
            "sh",
            "-c",
            "cat >/dev/null; echo \"results = {'w': '$WANTED', 's': '$SECRET'}\"",
        ],
        command::Input::Text,
        long,
    );
    let answer = generator.generate(request(), &|_| {}).await.unwrap();
    assert_eq!(
        extract::code(&answer).unwrap(),
        "results = {'w': 'x', 's': ''}\n"
    );
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    let (generator, _scratch) = program(
        &[
            "sh",
            "-c",
            "echo text; cat \"$1\"; echo; echo '```python'; echo 'x = 1'; echo '```'",
            "sh",
            "{file}",
        ],
        command::Input::Json,
        long,
    );
    let answer = generator.generate(request(), &|_| {}).await.unwrap();
    assert!(answer.raw.contains("\"the task\"") && !answer.is_code);
    assert_eq!(extract::code(&answer).unwrap(), "x = 1\n");
    let (generator, _scratch) = program(
        &["sh", "-c", "echo oops >&2; exit 3"],
        command::Input::Text,
        long,
    );
    let failure = generator.generate(request(), &|_| {}).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Infrastructure, "generator_command")
    );
    assert_eq!(failure.detail["stderr"], "oops");
    let (generator, _scratch) = program(&["no-such-program-here"], command::Input::Text, long);
    assert_eq!(
        generator
            .generate(request(), &|_| {})
            .await
            .unwrap_err()
            .kind,
        FailureKind::Configuration
    );
    let (generator, _scratch) = program(
        &["sh", "-c", "sleep 60 & sleep 60"],
        command::Input::Text,
        Duration::from_millis(200),
    );
    let failure = generator.generate(request(), &|_| {}).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Timeout, "request_timed_out")
    );
}

#[tokio::test]
async fn an_answer_that_is_none_says_whose_it_is_and_how_it_begins() {
    let page = raw("200 OK", "", "<html>Sign in to the gateway</html>");
    let quiet = |settings: &mut Settings| settings.stream = false;
    let failure = ask(quiet, Dialect::OpenAi, page).await.0.unwrap_err();
    assert!(failure.message.starts_with("http://127.0.0.1:"));
    assert!(failure.message.contains("Sign in to the gateway"));

    let long = json!({"choices": [{"message": {"content": "x".repeat(2 << 20)}}]});
    let long = answered("200 OK", "", &long);
    let failure = ask(quiet, Dialect::OpenAi, long).await.0.unwrap_err();
    assert_eq!(failure.code, "generation_no_code");
    assert_eq!(failure.kind, FailureKind::Code);
    assert!(
        failure.message.contains("more than 1 MiB"),
        "{}",
        failure.message
    );
}
