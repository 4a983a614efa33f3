//! What it means that a provider did not answer with an answer.

use serde_json::{Value, json};

use crate::code::{self, Code};
use crate::failure::{Failure, FailureKind};
use crate::transport::Response;

/// Words by which providers say that no money is left. Asking again does not help.
const NO_MONEY: [&str; 4] = [
    "insufficient_quota",
    "billing_error",
    "billing_hard_limit_reached",
    "billing_not_active",
];
/// Words by which they say that the prompt is too long.
const TOO_LONG: [&str; 3] = [
    "exceed_context_size_error",
    "context_length_exceeded",
    "request_too_large",
];

/// The failure that a status which is no success stands for.
pub(super) fn of(response: &Response, who: &str) -> Failure {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let words = ["/error/code", "/error/type", "/type"];
    let words: Vec<&str> = words
        .iter()
        .filter_map(|at| body.pointer(at)?.as_str())
        .collect();
    let one_of = |known: &[&str]| words.iter().any(|word| known.contains(word));
    let (kind, code, hint) = if one_of(&NO_MONEY) || response.status == 402 {
        no_money()
    } else if one_of(&TOO_LONG) || response.status == 413 {
        too_long()
    } else {
        by_status(response)
    };
    let mut failure = response.refusal(who);
    failure.kind = kind;
    failure.code = code.as_str().to_owned();
    if let Some(message) = body.pointer("/error/message").and_then(Value::as_str) {
        let said: String = message.chars().take(300).collect();
        failure.message = format!("{who} answered {}: {said}", response.status);
    }
    if let Some(fields) = failure.detail.as_object_mut() {
        if let Some(millis) = retry_after_ms(response) {
            fields.insert("retry_after_ms".to_owned(), json!(millis));
        }
        if let Some(word) = words.first() {
            fields.insert("word".to_owned(), json!(word));
        }
    }
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The failure that the other side told of in the middle of its answer.
pub(super) fn said(error: &Value, who: &str) -> Failure {
    let word = |at| error.pointer(at).and_then(Value::as_str);
    let kind = word("/type").or(word("/code")).unwrap_or_default();
    let status = error.get("code").and_then(Value::as_u64);
    let status = status.and_then(|code| u16::try_from(code).ok());
    let status = status.filter(|code| (400..600).contains(code));
    // What the same words mean where they come instead of an answer.
    let status = status.unwrap_or(match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        "not_found_error" => 404,
        "rate_limit_error" | "rate_limit_exceeded" => 429,
        "overloaded_error" => 529,
        _ => 500,
    });
    let response = Response {
        status,
        body: json!({ "error": error }).to_string().into_bytes(),
        ..Response::default()
    };
    let mut failure = of(&response, who);
    let text = word("/message").or(error.as_str()).unwrap_or(kind);
    let text: String = text.chars().take(300).collect();
    failure.message = format!("{who} failed in the middle of its answer: {text}");
    failure
}

type Meaning = (FailureKind, Code, Option<&'static str>);

fn no_money() -> Meaning {
    let hint =
        "the account at the provider has no money or no quota left; asking again does not help";
    (
        FailureKind::Configuration,
        code::GENERATOR_QUOTA,
        Some(hint),
    )
}

fn too_long() -> Meaning {
    let hint =
        "say the task in fewer words, hand over fewer inputs, or choose a model that reads more";
    (
        FailureKind::Configuration,
        code::PROMPT_TOO_LONG,
        Some(hint),
    )
}

fn by_status(response: &Response) -> Meaning {
    let may_pass = match response.header("x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        Some(_) | None => matches!(response.status, 408 | 409 | 425 | 429 | 500..=599),
    };
    if may_pass {
        return (FailureKind::Infrastructure, code::GENERATOR_BUSY, None);
    }
    let hint = match response.status {
        401 | 403 => {
            let hint = "check the key that `api_key` of the generator refers to";
            return (
                FailureKind::Configuration,
                code::GENERATOR_KEY_REFUSED,
                Some(hint),
            );
        }
        404 => {
            "check `base_url` and `model` of the generator: gateways have names of their own for models"
        }
        _ => {
            "check the generator in config.yml; some models want `max_tokens_field: max_completion_tokens`, `temperature: null`, or `stream: false`"
        }
    };
    (
        FailureKind::Configuration,
        code::GENERATOR_REFUSED,
        Some(hint),
    )
}

fn retry_after_ms(response: &Response) -> Option<u64> {
    response.header("retry-after-ms")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, body: &str) -> (FailureKind, String) {
        let response = Response {
            status,
            body: body.as_bytes().to_vec(),
            ..Response::default()
        };
        let failure = of(&response, "http://model.example");
        (failure.kind, failure.code)
    }

    #[test]
    fn a_status_says_whether_asking_again_helps() {
        let busy = |status| {
            meaning(status, "{}") == (FailureKind::Infrastructure, "generator_busy".to_owned())
        };
        for status in [408, 409, 429, 500, 502, 503, 504, 529] {
            assert!(busy(status), "{status}");
        }
        for status in [400, 404, 422] {
            assert_eq!(
                meaning(status, "<html>"),
                (FailureKind::Configuration, "generator_refused".to_owned())
            );
        }
        assert_eq!(meaning(401, "{}").1, "generator_key_refused");
        assert_eq!(meaning(402, "{}").1, "generator_quota");
    }

    #[test]
    fn no_quota_is_no_rate_limit() {
        let body = r#"{"error": {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}}"#;
        assert_eq!(
            meaning(429, body),
            (FailureKind::Configuration, "generator_quota".to_owned())
        );
        let body = r#"{"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 4096}}"#;
        assert_eq!(meaning(400, body).1, "prompt_too_long");
    }
}
