//! One HTTP request of a step, and what its answer means.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::act::{Done, Place};
use super::action::depth;
use super::secrets::Secrets;
use super::{Error, files};
use crate::failure::{Failure, FailureKind};
use crate::plan::{HttpStep, SecretSource};
use crate::run::RETRY_AFTER_MS;
use crate::time::Timestamp;
use crate::transport::{Request, Response, address};

/// Deepest nesting of a body that is read as JSON; what is deeper stays text.
const BODY_DEPTH_MAX: usize = 64;

/// Makes the request.
pub(super) async fn request(place: &Place<'_>, http: &HttpStep) -> Result<Done, Error> {
    let secrets = Secrets::of(place.shared, place.state).await;
    let request = match prepared(place, http, &secrets) {
        Ok(request) => request,
        Err(failure) => return Ok(Done::failed(failure)),
    };
    let what = format!("{} {}", request.method, address::shown(&request.url));
    match place.shared.ports.transport.request(request).await {
        Ok(mut response) => {
            // The other side may repeat what it was told. What is neither text nor cut off stays whole.
            if response.truncated || std::str::from_utf8(&response.body).is_ok() {
                response.body = secrets.redactor().bytes(&response.body).into_owned();
            }
            answered(place, http, &what, &response).await
        }
        Err(failure) => Ok(Done::failed(failure)),
    }
}

/// Secrets are put in here, at the last moment: what is recorded has only their names.
fn prepared(place: &Place<'_>, http: &HttpStep, secrets: &Secrets) -> Result<Request, Failure> {
    let inputs = &place.step_state.inputs;
    let mut headers = Vec::new();
    let given = inputs.get("headers").and_then(Value::as_object);
    for (name, value) in given.into_iter().flatten() {
        let named = http.headers.get(name).map(SecretSource::named_in);
        let value = value.as_str().unwrap_or_default();
        let value = secrets.fill(value, named.as_deref().unwrap_or_default())?;
        headers.push((name.clone(), value));
    }
    let has = |name: &str| {
        given.is_some_and(|given| given.keys().any(|known| known.eq_ignore_ascii_case(name)))
    };
    let body = match inputs.get("body") {
        None => None,
        Some(Value::String(text)) => Some(text.clone().into_bytes()),
        Some(value) => {
            if !has("content-type") {
                let json = "application/json".to_owned();
                headers.push(("Content-Type".to_owned(), json));
            }
            Some(value.to_string().into_bytes())
        }
    };
    if inputs.contains_key("idempotency_key") && !has("idempotency-key") {
        let key = place.text("idempotency_key").to_owned();
        headers.push(("Idempotency-Key".to_owned(), key));
    }
    Ok(Request {
        method: place.text("method").to_owned(),
        url: place.text("url").to_owned(),
        headers,
        body,
        timeout: place.timeout,
    })
}

async fn answered(
    place: &Place<'_>,
    http: &HttpStep,
    what: &str,
    response: &Response,
) -> Result<Done, Error> {
    let mut done = Done::default();
    let mut results = Map::new();
    results.insert("status".to_owned(), json!(response.status));
    results.insert("headers".to_owned(), headers(response));
    let is_text = std::str::from_utf8(&response.body).is_ok();
    if is_text && !response.truncated {
        results.insert("body".to_owned(), body(response));
    } else {
        let kind = response.header("content-type");
        let kind = kind.unwrap_or("application/octet-stream").to_owned();
        let bytes = response.body.clone();
        let file = files::keep_bytes(place, ("body", &kind), bytes, &mut done.notes).await?;
        results.insert("body".to_owned(), json!(file.path));
        results.insert("file".to_owned(), json!(file.path));
        results.insert("truncated".to_owned(), json!(response.truncated));
        if response.truncated {
            let kept = file.bytes;
            done.notes
                .push(format!("the body was cut off after {kept} bytes"));
        }
        done.artifacts.push(file);
    }
    done.results = Some(Value::Object(results));
    let expected = if http.expect.is_empty() {
        response.is_success()
    } else {
        http.expect.contains(&response.status)
    };
    if !expected {
        let now = place.shared.ports.clock.now();
        done.failure = Some(refused(what, response, now));
    }
    Ok(done)
}

/// Header fields by name; those that stand several times are joined as HTTP joins them.
fn headers(response: &Response) -> Value {
    let mut fields: Map<String, Value> = Map::new();
    for (name, value) in &response.headers {
        match fields.get_mut(name) {
            Some(Value::String(known)) => {
                known.push_str(", ");
                known.push_str(value);
            }
            Some(_) | None => {
                fields.insert(name.clone(), Value::String(value.clone()));
            }
        }
    }
    Value::Object(fields)
}

fn body(response: &Response) -> Value {
    let value = response.value();
    if depth(&value) > BODY_DEPTH_MAX {
        return Value::String(String::from_utf8_lossy(&response.body).into_owned());
    }
    value
}

/// What an answer means that the step does not take as a success.
fn refused(what: &str, response: &Response, now: Timestamp) -> Failure {
    let mut failure = response.refusal(what);
    if failure.kind != FailureKind::Infrastructure {
        // What was asked is written in the step.
        failure.kind = FailureKind::Code;
    }
    let failure = failure.hint(
        "`stepwell results` has the whole answer; `expect` lists the statuses that are a success",
    );
    with_delay(failure, now)
}

/// Adds when it may be tried again, if the other side said so.
pub(super) fn with_delay(mut failure: Failure, now: Timestamp) -> Failure {
    let asked = failure.detail.get("retry_after").and_then(Value::as_str);
    let after = asked.and_then(|text| retry_after(text, now));
    if let (Some(after), Some(detail)) = (after, failure.detail.as_object_mut()) {
        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        detail.insert(RETRY_AFTER_MS.to_owned(), json!(millis));
    }
    failure
}

/// How long the other side wants to be left alone: seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(Timestamp::parse_mail_date(text)?.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_read_as_seconds_or_as_a_date() {
        let now: Timestamp = "2015-10-21T07:27:30Z".parse().unwrap();
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(
            retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now),
            Some(Duration::from_secs(30))
        );
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }
}
