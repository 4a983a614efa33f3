//! Answers of models that come in pieces, against a server of the test: how they are cut, how they break, what is told.
//!
//! These streams are written by hand, after the descriptions of the protocols: thoughts, comments, Ollama's lines, errors
//! in the middle. Those of a real server are in `generator_recorded`.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::failure::{Failure, FailureKind};
use stepwell::generator::extract;
use stepwell::generator::http::{HttpGenerator, Settings};
use stepwell::generator::key::Environment;
use stepwell::generator::wire::Dialect;
use stepwell::generator::wire::stream::Stream;
use stepwell::generator::{Answer, CodeGenerator as _, Prompt, Request, Stop, Written};
use stepwell::transport::network::NetworkTransport;

use crate::transport::Server;

/// Text that takes two, three and four bytes a letter, so that pieces are cut inside letters.
const TEXT: &str = "Ünïcode: ✓ 🙂\n```python\nresults = {\"µ\": 1}\n```\n";
const CODE: &str = "results = {\"µ\": 1}\n";
/// Long enough for a machine under load; nothing waits for it but what must fail.
const LONG: Duration = Duration::from_secs(60);

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

fn named(data: &Value) -> String {
    let kind = data["type"].as_str().unwrap();
    format!("event: {kind}\ndata: {data}\n\n")
}

/// The pieces of the text, a few letters each.
fn words() -> Vec<String> {
    let letters: Vec<char> = TEXT.chars().collect();
    letters.chunks(5).map(|few| few.iter().collect()).collect()
}

/// A whole stream of each protocol, in the shape of real ones, with thoughts that must not be taken.
fn stream(dialect: Dialect) -> Vec<String> {
    match dialect {
        Dialect::OpenAi => openai(),
        Dialect::OpenAiResponses => responses(),
        Dialect::Anthropic => anthropic(),
        Dialect::Ollama => ollama(),
    }
}

fn openai() -> Vec<String> {
    let piece = |delta: Value, finish: Value| {
        event(
            &json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "small-1-0914",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": null}),
        )
    };
    let mut all = vec![
        ": keep-alive\n\n".to_owned(),
        piece(json!({"role": "assistant", "content": ""}), Value::Null),
        piece(
            json!({"reasoning_content": "```python\nbad()\n```"}),
            Value::Null,
        ),
    ];
    all.extend(
        words()
            .iter()
            .map(|word| piece(json!({"content": word}), Value::Null)),
    );
    all.push(": keep-alive\n\n".to_owned());
    all.push(piece(json!({}), json!("stop")));
    all.push(event(&json!({"id": "chatcmpl-1", "model": "small-1-0914", "choices": [],
        "usage": {"prompt_tokens": 90, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": 40}}})));
    all.push("data: [DONE]\n\n".to_owned());
    all
}

fn responses() -> Vec<String> {
    let mut all = vec![
        named(
            &json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}}),
        ),
        named(&json!({"type": "response.reasoning_summary_text.delta", "delta": "bad()"})),
    ];
    let delta = |word| {
        named(&json!({"type": "response.output_text.delta", "output_index": 0, "delta": word}))
    };
    all.extend(words().iter().map(delta));
    all.push(named(&json!({"type": "response.completed", "response": {
        "id": "resp_1", "status": "completed", "model": "small-1-0914", "incomplete_details": null,
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "```python\nbad()\n```"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]}],
        "usage": {"input_tokens": 90, "output_tokens": 12, "input_tokens_details": {"cached_tokens": 40}}}})));
    all
}

fn anthropic() -> Vec<String> {
    let mut all = vec![
        named(
            &json!({"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "model": "small-1-0914",
            "content": [], "stop_reason": null, "usage": {"input_tokens": 50, "cache_read_input_tokens": 40,
                "cache_creation_input_tokens": 0, "output_tokens": 1}}}),
        ),
        named(
            &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
        ),
        named(
            &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "bad()"}}),
        ),
        named(&json!({"type": "ping"})),
        named(
            &json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}),
        ),
    ];
    let delta = |word| {
        named(
            &json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": word}}),
        )
    };
    all.extend(words().iter().map(delta));
    all.push(named(&json!({"type": "content_block_stop", "index": 1})));
    let usage = json!({"output_tokens": 12, "cache_read_input_tokens": null});
    all.push(named(
        &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}),
    ));
    all.push(named(&json!({"type": "message_stop"})));
    all
}

fn ollama() -> Vec<String> {
    let line = |text: &str, thought: &str| {
        let message = json!({"role": "assistant", "content": text, "thinking": thought});
        format!(
            "{}\n",
            json!({"model": "small-1-0914", "message": message, "done": false})
        )
    };
    let mut all = vec![line("", "```python\nbad()\n```")];
    all.extend(words().iter().map(|word| line(word, "")));
    all.push(format!(
        "{}\n",
        json!({"model": "small-1-0914", "done": true, "done_reason": "stop",
        "message": {"role": "assistant", "content": ""}, "prompt_eval_count": 90, "eval_count": 12})
    ));
    all
}

fn finished(stream: Stream) -> Result<Answer, Failure> {
    stream.finish(b"", false, "http://model.example")
}

fn is_whole(answer: &Answer, dialect: Dialect) {
    assert_eq!(answer.text, TEXT, "{dialect:?}");
    assert_eq!(extract::code(answer).unwrap(), CODE, "{dialect:?}");
    assert_eq!(answer.stop, Stop::End);
    assert_eq!(answer.model.as_deref(), Some("small-1-0914"), "{dialect:?}");
    assert_eq!(
        (answer.input_tokens, answer.output_tokens),
        (Some(90), Some(12)),
        "{dialect:?}"
    );
    let cached = (dialect != Dialect::Ollama).then_some(40);
    assert_eq!(answer.cached_tokens, cached, "{dialect:?}");
}

#[test]
fn a_stream_cut_anywhere_is_put_together_again() {
    for dialect in Dialect::ALL {
        for ending in ["\n", "\r\n", "\r"] {
            let bytes = stream(dialect).concat().replace('\n', ending).into_bytes();
            let halves = (0..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
            let steps = [1, 2, 3, 5].map(|size| bytes.chunks(size).collect());
            for pieces in halves.chain(steps) {
                let mut stream = Stream::new(dialect);
                for piece in &pieces {
                    if stream.take(piece).is_break() {
                        break;
                    }
                }
                let written = stream.written();
                let lines = u64::try_from(TEXT.lines().count()).unwrap() + 1;
                assert_eq!(
                    (written.chars, written.lines),
                    (u64::try_from(TEXT.chars().count()).unwrap(), lines)
                );
                assert!(written.thought_chars > 0);
                is_whole(&finished(stream).unwrap(), dialect);
            }
        }
    }
}

/// The worst that could happen: half an answer that is taken for a whole one.
#[test]
fn a_stream_that_ends_early_is_no_answer_wherever_it_ends() {
    for dialect in Dialect::ALL {
        let pieces = stream(dialect);
        // Behind these the answer is whole: only what follows the reason of its end is missing.
        let is_end = |piece: &String| {
            [
                "\"finish_reason\":\"stop\"",
                "\"stop_reason\":\"end_turn\"",
                "response.completed",
                "\"done\":true",
            ]
            .iter()
            .any(|word| piece.contains(word))
        };
        let end = pieces.iter().position(is_end).unwrap();
        let before: usize = pieces[..end].iter().map(String::len).sum();
        let whole = pieces[end].trim_end().len();
        let bytes = pieces.concat().into_bytes();
        for at in 1..before + whole {
            let mut stream = Stream::new(dialect);
            let _flow = stream.take(&bytes[..at]);
            let failure = finished(stream).unwrap_err();
            assert_eq!(
                failure.kind,
                FailureKind::Infrastructure,
                "{dialect:?} {at}"
            );
            let code = failure.code.as_str();
            // What is cut in its first line may be anything.
            let first_line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() == 0;
            assert!(
                code == "generator_stream_cut" || first_line,
                "{dialect:?} {at}: {code}"
            );
        }
    }
}

/// Asks a server, and gives what it answered, what it saw, and how far it was said to be.
pub(crate) async fn ask(
    dialect: Dialect,
    settings: impl FnOnce(&mut Settings),
    script: impl Fn(&str, &mut TcpStream) + Send + 'static,
    hearer: impl Fn(Written) + Send + Sync,
) -> (Result<Answer, Failure>, String) {
    let server = Server::new(script);
    let mut all = Settings::new(dialect, "small-1");
    all.base_url = format!("http://{}/v1", server.address);
    all.timeout = LONG;
    settings(&mut all);
    let transport = Arc::new(NetworkTransport::default());
    let generator = HttpGenerator::new(all, Environment::default(), transport);
    let request = Request {
        prompt: Prompt {
            system: "the rules".to_owned(),
            user: "the task".to_owned(),
        },
        facts: json!({}),
        fresh: false,
        step: "fit".to_owned(),
        number: 1,
    };
    let found = generator.generate(request, &hearer).await;
    (found, server.requests().concat())
}

const EVENTS: &str = "text/event-stream";

fn head(stream: &mut TcpStream, kind: &str) {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
}

/// One chunk; whether the other side still listens.
fn chunk(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    stream
        .write_all(&chunk)
        .and_then(|()| stream.flush())
        .is_ok()
}

#[tokio::test]
async fn every_protocol_streams_and_says_how_far_it_is_while_it_comes() {
    for dialect in Dialect::ALL {
        // The server sends the second half only when it has heard that the first one was told.
        let (tell, told) = channel::<Written>();
        let waits = Mutex::new(told);
        let script = move |_: &str, out: &mut TcpStream| {
            head(
                out,
                if dialect == Dialect::Ollama {
                    "application/x-ndjson"
                } else {
                    EVENTS
                },
            );
            let bytes = stream(dialect).concat().into_bytes();
            let half = bytes.iter().position(|byte| *byte == 0xe2).unwrap() + 1;
            chunk(out, &bytes[..half]);
            wait_for_text(&waits.lock().unwrap());
            chunk(out, &bytes[half..]);
            let _gone = out.write_all(b"0\r\n\r\n");
        };
        let hearer = move |written| {
            let _gone = tell.send(written);
        };
        let (found, seen) = ask(dialect, |_| {}, script, hearer).await;
        is_whole(&found.unwrap(), dialect);
        let (_, body) = seen.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["stream"], true, "{dialect:?}");
        let wants_usage = body["stream_options"]["include_usage"] == true;
        assert_eq!(wants_usage, dialect == Dialect::OpenAi);
    }
}

fn wait_for_text(told: &Receiver<Written>) {
    while told.recv_timeout(LONG).unwrap().chars == 0 {}
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_is_a_cause_of_its_own() {
    for dialect in Dialect::ALL {
        let script = move |_: &str, out: &mut TcpStream| {
            head(out, EVENTS);
            let pieces = stream(dialect);
            let most = pieces[..pieces.len() / 2].concat();
            chunk(out, most.as_bytes());
            // And gone, without the chunk that ends the body.
        };
        let (found, _) = ask(dialect, |_| {}, script, |_| {}).await;
        let failure = found.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Infrastructure, "{dialect:?}");
        assert_eq!(failure.code, "generator_stream_cut", "{dialect:?}");
        assert!(
            failure.message.contains("broke off after"),
            "{}",
            failure.message
        );
        assert!(!failure.cause.is_empty(), "what the network said is kept");
    }
}

#[tokio::test]
async fn an_error_inside_the_stream_means_what_it_means_elsewhere() {
    let busy = ("generator_busy", FailureKind::Infrastructure);
    let long = ("prompt_too_long", FailureKind::Configuration);
    let overloaded =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "because"}});
    let failed = json!({"type": "response.failed", "response": {"status": "failed",
        "error": {"code": "server_error", "message": "because"}}});
    let too_long =
        json!({"error": {"code": 400, "type": "exceed_context_size_error", "message": "because"}});
    let flat = json!({"type": "error", "code": "rate_limit_exceeded", "message": "because"});
    let cases = [
        (
            Dialect::OpenAi,
            event(&json!({"error": {"type": "server_error", "message": "because"}})),
            busy,
        ),
        (Dialect::OpenAi, event(&too_long), long),
        (
            Dialect::OpenAi,
            "error: {\"code\": 500, \"message\": \"because\"}\n\n".to_owned(),
            busy,
        ),
        (Dialect::OpenAiResponses, named(&failed), busy),
        (Dialect::OpenAiResponses, named(&flat), busy),
        (Dialect::Anthropic, named(&overloaded), busy),
        (
            Dialect::Ollama,
            "{\"error\": \"because\"}\n".to_owned(),
            busy,
        ),
    ];
    for (dialect, said, (code, kind)) in cases {
        let what = said.clone();
        let script = move |_: &str, out: &mut TcpStream| {
            head(out, EVENTS);
            chunk(out, stream(dialect)[..4].concat().as_bytes());
            chunk(out, said.as_bytes());
            // Whatever comes behind it makes no answer of it.
            chunk(out, stream(dialect)[4..].concat().as_bytes());
            let _gone = out.write_all(b"0\r\n\r\n");
        };
        let (found, _) = ask(dialect, |_| {}, script, |_| {}).await;
        let failure = found.unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.kind),
            (code, kind),
            "{what}"
        );
        assert!(
            failure
                .message
                .contains("in the middle of its answer: because"),
            "{}",
            failure.message
        );
    }
}

#[tokio::test]
async fn a_refusal_before_the_stream_is_a_refusal() {
    let script = |_: &str, out: &mut TcpStream| {
        let body = json!({"error": {"type": "rate_limit_error", "message": "slowly"}}).to_string();
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 20\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let _gone = out.write_all(answer.as_bytes());
    };
    let heard = AtomicUsize::new(0);
    let hearer = |_| {
        heard.fetch_add(1, Ordering::Relaxed);
    };
    let (found, _) = ask(Dialect::OpenAi, |_| {}, script, hearer).await;
    let failure = found.unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("generator_busy", FailureKind::Infrastructure)
    );
    assert_eq!(failure.detail["retry_after"], "20");
    assert_eq!(heard.load(Ordering::Relaxed), 0, "nothing was written");
}

#[tokio::test]
async fn who_answers_at_once_although_asked_for_pieces_is_understood() {
    let whole = [
        (
            Dialect::OpenAi,
            json!({"model": "m", "choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]}),
        ),
        (
            Dialect::Ollama,
            json!({"model": "m", "message": {"content": TEXT}, "done": true, "done_reason": "stop"}),
        ),
    ];
    for (dialect, body) in whole {
        for text in [
            body.to_string(),
            serde_json::to_string_pretty(&body).unwrap(),
        ] {
            let script = move |_: &str, out: &mut TcpStream| {
                head(out, "application/json");
                let bytes = text.as_bytes();
                for piece in bytes.chunks(9) {
                    chunk(out, piece);
                }
                let _gone = out.write_all(b"0\r\n\r\n");
            };
            let (found, _) = ask(dialect, |_| {}, script, |_| {}).await;
            assert_eq!(extract::code(&found.unwrap()).unwrap(), CODE, "{dialect:?}");
        }
    }
    let script = |_: &str, out: &mut TcpStream| {
        head(out, "text/html");
        chunk(out, b"<html>Bad gateway</html>");
        let _gone = out.write_all(b"0\r\n\r\n");
    };
    let (found, _) = ask(Dialect::OpenAi, |_| {}, script, |_| {}).await;
    assert_eq!(found.unwrap_err().code, "generator_answer_invalid");
}

#[tokio::test]
async fn silence_ends_a_call_before_and_in_the_middle_of_the_answer() {
    // It never says a word.
    let (keep, hold) = channel::<TcpStream>();
    let script = move |_: &str, out: &mut TcpStream| keep.send(out.try_clone().unwrap()).unwrap();
    let short =
        |settings: &mut Settings| settings.first_byte_timeout = Some(Duration::from_millis(50));
    let (found, _) = ask(Dialect::OpenAi, short, script, |_| {}).await;
    let failure = found.unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("request_timed_out", FailureKind::Timeout)
    );
    assert!(
        failure.message.contains("sent nothing within 0.05 s"),
        "{}",
        failure.message
    );
    drop(hold);
    // It stops in the middle of the answer, and holds the line.
    let (keep, hold) = channel::<TcpStream>();
    let script = move |_: &str, out: &mut TcpStream| {
        head(out, EVENTS);
        chunk(out, openai()[..6].concat().as_bytes());
        keep.send(out.try_clone().unwrap()).unwrap();
    };
    let short = |settings: &mut Settings| settings.idle_timeout = Duration::from_millis(1500);
    let (found, _) = ask(Dialect::OpenAi, short, script, |_| {}).await;
    let failure = found.unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("request_timed_out", FailureKind::Timeout)
    );
    assert!(
        failure
            .message
            .contains("sent nothing more of its answer within 1.5 s"),
        "{}",
        failure.message
    );
    assert!(
        failure.message.contains("characters had come"),
        "{}",
        failure.message
    );
    drop(hold);
    // It says comments for ever: alive, and never done.
    let script = |_: &str, out: &mut TcpStream| {
        head(out, EVENTS);
        while chunk(out, b": keep-alive\n\n") {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let short = |settings: &mut Settings| {
        settings.timeout = Duration::from_millis(300);
        settings.idle_timeout = LONG;
    };
    let (found, _) = ask(Dialect::OpenAi, short, script, |_| {}).await;
    let failure = found.unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("request_timed_out", FailureKind::Timeout)
    );
    assert!(
        failure.message.contains("no complete answer within 0.3 s"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_stream_that_is_over_is_not_waited_for_and_one_that_is_turned_off_is_not_asked_for() {
    // The connection stays open behind the end of the answer.
    let (keep, hold) = channel::<TcpStream>();
    let script = move |_: &str, out: &mut TcpStream| {
        head(out, EVENTS);
        chunk(out, openai().concat().as_bytes());
        keep.send(out.try_clone().unwrap()).unwrap();
    };
    let (found, _) = ask(Dialect::OpenAi, |_| {}, script, |_| {}).await;
    is_whole(&found.unwrap(), Dialect::OpenAi);
    drop(hold);
    for dialect in Dialect::ALL {
        let off = |settings: &mut Settings| settings.stream = false;
        let (_, seen) = ask(dialect, off, |_, _| {}, |_| {}).await;
        let (_, body) = seen.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_ne!(body["stream"], true, "{dialect:?}");
    }
}
