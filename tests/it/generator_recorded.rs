//! Answers of a real small model, recorded by `tests/model/record/record.sh`: what a server says and not what we think
//! that it says. It speaks three of the protocols; Ollama's, and errors in the middle of an answer, are written by hand
//! in `generator_stream`.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stepwell::failure::{Failure, FailureKind};
use stepwell::generator::set::Entry;
use stepwell::generator::template::TemplateGenerator;
use stepwell::generator::wire::Dialect;
use stepwell::generator::wire::stream::Stream;
use stepwell::generator::{Answer, Price, Prompt, Stop, extract};

use crate::generator_stream::ask;

/// The protocols that the recorded server speaks.
const SPOKEN: [Dialect; 3] = [
    Dialect::OpenAi,
    Dialect::OpenAiResponses,
    Dialect::Anthropic,
];

fn kept(dialect: Dialect, form: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/model");
    fs::read(folder.join(format!("{}.{form}", dialect.as_str()))).unwrap()
}

/// An answer as it came over the wire.
struct Recorded {
    wire: Vec<u8>,
    /// Where each chunk of the body ends on the wire; first, where the head does.
    ends: Vec<usize>,
    /// The body as the server cut it.
    pieces: Vec<Vec<u8>>,
}

impl Recorded {
    fn of(dialect: Dialect, form: &str) -> Self {
        let wire = kept(dialect, form);
        let find = |from: usize, what: &[u8]| {
            let found = wire[from..].windows(what.len()).position(|at| at == what);
            from + found.unwrap() + what.len()
        };
        let mut ends = vec![find(0, b"\r\n\r\n")];
        let mut pieces = Vec::new();
        loop {
            let line = *ends.last().unwrap();
            let begin = find(line, b"\r\n");
            let size = std::str::from_utf8(&wire[line..begin - 2]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            if size == 0 {
                assert_eq!(wire.len(), begin + 2, "nothing is behind the last chunk");
                break;
            }
            pieces.push(wire[begin..begin + size].to_vec());
            ends.push(begin + size + 2);
        }
        Self { wire, ends, pieces }
    }

    fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// Where the line ends that says why the answer ended: what is cut before it is no answer.
    fn whole(&self) -> usize {
        let body = String::from_utf8(self.body()).unwrap();
        let words = [
            "\"finish_reason\":\"",
            "\"stop_reason\":\"",
            "\"type\":\"response.completed\"",
            "\"type\":\"response.incomplete\"",
        ];
        let at = words.iter().find_map(|word| body.find(word)).unwrap();
        at + body[at..].find('\n').unwrap()
    }
}

fn read<'a>(
    dialect: Dialect,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Answer, Failure> {
    let mut stream = Stream::new(dialect);
    for piece in pieces {
        if stream.take(piece).is_break() {
            break;
        }
    }
    stream.finish(b"", false, "http://model.example")
}

#[test]
fn the_answers_of_a_real_small_model_are_understood() {
    for dialect in SPOKEN {
        let answer = dialect.read(&kept(dialect, "json"), false).unwrap();
        let code = extract::code(&answer).unwrap();
        assert!(code.contains("results"), "{code}");
        assert_eq!(answer.stop, Stop::End);
        assert!(answer.input_tokens.unwrap() > 100 && answer.output_tokens.unwrap() > 10);
    }
}

#[test]
fn a_recorded_stream_says_what_the_answer_at_once_says() {
    for dialect in SPOKEN {
        let at_once = dialect.read(&kept(dialect, "json"), false).unwrap();
        let recorded = Recorded::of(dialect, "stream");
        let said = read(dialect, recorded.pieces.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(extract::code(&said), extract::code(&at_once));
        let facts = |answer: &Answer| {
            let tokens = (answer.input_tokens, answer.output_tokens);
            (answer.model.clone(), answer.stop.clone(), tokens)
        };
        assert_eq!(facts(&said), facts(&at_once), "{dialect:?}");
        assert!(said.request_id.is_some() && said.cached_tokens.is_some());
    }
}

#[test]
fn a_recorded_stream_cut_anywhere_is_put_together_again() {
    for (dialect, form) in SPOKEN
        .iter()
        .flat_map(|it| [(*it, "stream"), (*it, "length")])
    {
        let body = Recorded::of(dialect, form).body();
        let uncut = read(dialect, [body.as_slice()]).unwrap();
        // In two at every byte, of the short one: the long one says the same more often.
        let last = if form == "length" { body.len() } else { 0 };
        let halves = (0..=last).map(|at| vec![&body[..at], &body[at..]]);
        let steps = [1, 2, 3, 5, 7].map(|size| body.chunks(size).collect());
        for pieces in halves.chain(steps) {
            let at = pieces[0].len();
            assert_eq!(read(dialect, pieces).unwrap(), uncut, "{dialect:?} {at}");
        }
    }
}

#[test]
fn a_recorded_stream_that_ends_early_is_no_answer_wherever_it_ends() {
    // The short ones at every byte; the long ones say the same more often.
    for (form, step) in [("stream", 7), ("length", 1)] {
        for dialect in SPOKEN {
            let recorded = Recorded::of(dialect, form);
            let body = recorded.body();
            for at in (1..recorded.whole()).step_by(step) {
                let failure = read(dialect, [&body[..at]]).unwrap_err();
                assert_eq!(
                    (failure.code.as_str(), failure.kind),
                    ("generator_stream_cut", FailureKind::Infrastructure),
                    "{dialect:?} {form} {at}: {failure:?}"
                );
            }
        }
    }
}

#[test]
fn a_recorded_answer_without_room_for_its_end_is_no_code() {
    for dialect in SPOKEN {
        let recorded = Recorded::of(dialect, "length");
        let answer = read(dialect, recorded.pieces.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(answer.output_tokens, Some(8), "{dialect:?}");
        // In Responses this server calls it complete; its block never ends all the same.
        let (stop, code) = match dialect {
            Dialect::OpenAiResponses => (Stop::End, "generation_no_code"),
            Dialect::OpenAi | Dialect::Anthropic | Dialect::Ollama => {
                (Stop::Length, "generation_cut_off")
            }
        };
        assert_eq!(answer.stop, stop, "{dialect:?}");
        let failure = extract::code(&answer).unwrap_err();
        assert_eq!(failure.code, code, "{dialect:?}");
    }
}

#[test]
fn what_a_broken_answer_cost_is_not_estimated_too_low() {
    let template = TemplateGenerator::new("x".into());
    let entry = Entry {
        price: Some(Price {
            input: 1.0,
            cached: None,
            output: 1.0,
            currency: "EUR".to_owned(),
        }),
        ..Entry::free(Arc::new(template))
    };
    for dialect in SPOKEN {
        let body = Recorded::of(dialect, "stream").body();
        let mut stream = Stream::new(dialect);
        let _flow = stream.take(&body);
        let written = stream.written();
        let counted = stream.finish(b"", false, "http://model.example").unwrap();
        let prompt = Prompt {
            system: String::new(),
            user: "four".to_owned(),
        };
        let estimate = entry.estimate(&prompt, written).unwrap();
        let counted = counted.output_tokens.unwrap();
        assert!(
            (counted..counted * 2).contains(&estimate.output_tokens),
            "{counted} were counted, not {}",
            estimate.output_tokens
        );
        assert_eq!(estimate.input_tokens, 2);
    }
}

#[tokio::test]
async fn a_recorded_answer_means_the_same_over_a_real_connection_and_nothing_when_that_breaks() {
    for dialect in SPOKEN {
        let recorded = Recorded::of(dialect, "stream");
        let whole = recorded.whole();
        let expected = read(dialect, recorded.pieces.iter().map(Vec::as_slice)).unwrap();
        let wire = recorded.wire;
        let script = move |_: &str, out: &mut TcpStream| {
            let _gone = out.write_all(&wire);
        };
        let (found, _) = ask(dialect, |_| {}, script, |_| {}).await;
        let found = found.unwrap();
        assert_eq!(
            (&found.text, &found.request_id, found.output_tokens),
            (&expected.text, &expected.request_id, expected.output_tokens)
        );
        // It hangs up behind each chunk, and in the middle of the next one.
        let mut come = 0;
        for (number, piece) in recorded.pieces.iter().enumerate().skip(1) {
            come += recorded.pieces[number - 1].len();
            if come + piece.len() / 2 >= whole {
                break;
            }
            for at in [
                recorded.ends[number],
                recorded.ends[number] + piece.len() / 2,
            ] {
                let begun = kept(dialect, "stream")[..at].to_vec();
                let script = move |_: &str, out: &mut TcpStream| {
                    let _gone = out.write_all(&begun);
                };
                let (found, _) = ask(dialect, |_| {}, script, |_| {}).await;
                let failure = found.unwrap_err();
                assert_eq!(failure.code, "generator_stream_cut", "{dialect:?} {at}");
            }
        }
        assert!(come > 1_000, "most of it was tried: {come}");
    }
}

#[tokio::test]
async fn a_recorded_refusal_of_a_long_prompt_is_understood_before_the_stream() {
    for dialect in SPOKEN {
        let refusal = kept(dialect, "refused");
        let script = move |_: &str, out: &mut TcpStream| {
            let _gone = out.write_all(&refusal);
        };
        let heard = AtomicUsize::new(0);
        let hearer = |_| {
            heard.fetch_add(1, Ordering::Relaxed);
        };
        let (found, _) = ask(dialect, |_| {}, script, hearer).await;
        let failure = found.unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.kind),
            ("prompt_too_long", FailureKind::Configuration),
            "{dialect:?}: {failure:?}"
        );
        assert_eq!(heard.load(Ordering::Relaxed), 0, "nothing was written");
    }
}
