//! Secrets of a workflow: their values are looked up when a process or a request is started, and everything that
//! is kept is free of them.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::options::blocking;
use super::{Error, Shared};
use crate::code::{self, Code};
use crate::executor::{JobSecrets, Outcome, OutcomeStatus};
use crate::failure::{Failure, FailureKind};
use crate::plan::{Plan, SecretSource, Step};
use crate::redact::{Redactor, SECRET_CHARS_MIN};
use crate::run::payload::Miss;
use crate::run::{ANSWER_DONE, ANSWER_RUN_AGAIN, Event, RunState, UNKNOWN_ANSWER};
use crate::transport::Channel;

/// Largest value of a secret, in bytes: 64 KiB.
const SECRET_BYTES_MAX: usize = 64 << 10;

/// The secrets of one workflow, as they are now.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    found: BTreeMap<String, Found>,
    redactor: Redactor,
}

/// One secret.
enum Found {
    Value(String),
    /// Why there is none.
    Not(Failure),
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Value(_) => "Value",
            Self::Not(_) => "Not",
        })
    }
}

impl Secrets {
    /// Looks every secret of a run up. One that is not there is a failure when it is needed.
    pub(super) async fn of(shared: &Shared, state: &RunState) -> Self {
        let folder = state.created.workflow_folder.as_deref().map(Path::new);
        Self::of_plan(shared, &state.plan, folder).await
    }

    /// What can't be used, and why; nothing of the values.
    pub(super) fn faults(&self) -> (usize, Vec<(String, String)>) {
        let faults = self.found.iter().filter_map(|(name, found)| match found {
            Found::Value(_) => None,
            Found::Not(failure) => Some((name.clone(), failure.message.clone())),
        });
        (self.found.len(), faults.collect())
    }

    async fn of_plan(shared: &Shared, plan: &Plan, folder: Option<&Path>) -> Self {
        if plan.secrets.is_empty() {
            return Self {
                found: BTreeMap::new(),
                redactor: keeping(&BTreeMap::new(), &shared.options.channels),
            };
        }
        let (sources, folder) = (plan.secrets.clone(), folder.map(Path::to_owned));
        let variables = shared.options.variables.clone();
        let looked_up = blocking(move || {
            let find = |(name, source): (String, SecretSource)| {
                let read = match &source {
                    SecretSource::Env(variable) => variables
                        .get(variable)
                        .map(|value| value.as_bytes().to_vec())
                        .ok_or_else(|| "it is not set".to_owned()),
                    SecretSource::File(path) => read_file(folder.as_deref(), path),
                };
                let found = judge(&name, &source, read);
                (name, found)
            };
            Ok(sources.into_iter().map(find).collect())
        });
        let found = looked_up.await.unwrap_or_default();
        let redactor = keeping(&found, &shared.options.channels);
        Self { found, redactor }
    }

    /// What keeps text free of all of them, and of those of the configuration.
    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Puts the values of the `allowed` names in, and of no others: data of the run could spell any name.
    ///
    /// # Errors
    /// A secret that the text names has no value.
    pub(super) fn fill(&self, text: &str, allowed: &[&str]) -> Result<String, Failure> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, name, after)) = next_name(rest, allowed) {
            filled.push_str(before);
            filled.push_str(self.value(name)?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// The variables of a step that hold secrets, and their values.
    pub(super) fn of_step(
        &self,
        step: &Step,
        env: &IndexMap<String, String>,
    ) -> Result<JobSecrets, Failure> {
        let mut secrets = JobSecrets::default();
        for (variable, template) in &step.env {
            let names = SecretSource::named_in(template);
            let Some(text) = env.get(variable).filter(|_| !names.is_empty()) else {
                continue;
            };
            for name in &names {
                let value = self.value(name)?.to_owned();
                secrets.values.insert((*name).to_owned(), value);
            }
            secrets
                .env
                .insert(variable.clone(), self.fill(text, &names)?);
        }
        Ok(secrets)
    }

    fn value(&self, name: &str) -> Result<&str, Failure> {
        match self.found.get(name) {
            Some(Found::Value(value)) => Ok(value),
            Some(Found::Not(failure)) => Err(failure.clone()),
            None => Err(failure(
                code::SECRET_MISSING,
                format!("there is no secret `{name}`"),
            )),
        }
    }

    /// What an attempt left, free of secrets, whatever ran it.
    pub(super) fn clean(&self, mut outcome: Outcome) -> Outcome {
        let keep = &self.redactor;
        if keep.is_empty() {
            return outcome;
        }
        let text = |text: &mut String| *text = keep.text(text).into_owned();
        outcome.results = outcome.results.map(|results| keep.value(&results));
        outcome.notes.iter_mut().for_each(text);
        for file in outcome.figures.iter_mut().chain(&mut outcome.artifacts) {
            text(&mut file.title);
            text(&mut file.description);
        }
        if let OutcomeStatus::Failed(failure) = &mut outcome.status {
            text(&mut failure.message);
            failure.hint.iter_mut().for_each(text);
            failure.traceback.iter_mut().for_each(text);
            failure.cause.iter_mut().for_each(text);
            failure.detail = keep.value(&failure.detail);
        }
        outcome
    }
}

/// The first of these names that stands in the text as a secret, with what is before and after it.
fn next_name<'t, 'n>(text: &'t str, allowed: &[&'n str]) -> Option<(&'t str, &'n str, &'t str)> {
    allowed
        .iter()
        .filter_map(|name| {
            let (before, after) = text.split_once(&format!("${{{{ secrets.{name} }}}}"))?;
            Some((before, *name, after))
        })
        .min_by_key(|(before, _, _)| before.len())
}

fn judge(name: &str, source: &SecretSource, read: Result<Vec<u8>, String>) -> Found {
    let place = match source {
        SecretSource::Env(variable) => format!("the environment variable {variable}"),
        SecretSource::File(path) => format!("the file {path}"),
    };
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(why) => {
            let message = format!("the secret `{name}` was looked for in {place}: {why}");
            return Found::Not(failure(code::SECRET_MISSING, message));
        }
    };
    let fault = match std::str::from_utf8(&bytes) {
        Err(_) => "is not UTF-8",
        Ok(_) if bytes.len() > SECRET_BYTES_MAX => "is larger than 64 KiB",
        Ok(text) if text.contains('\0') => "has a NUL in it",
        Ok(text) if text.chars().count() < SECRET_CHARS_MIN => {
            "has fewer than 4 characters: text could not be kept free of it"
        }
        Ok(text) => return Found::Value(text.to_owned()),
    };
    let message = format!("the secret `{name}` can't be used: the value in {place} {fault}");
    Found::Not(failure(code::SECRET_INVALID, message))
}

fn failure(code: Code, message: String) -> Failure {
    Failure::new(FailureKind::Configuration, code, message)
        .hint("the value is looked for in the surroundings of the process that runs the step")
}

/// The text of a secret's file, without the line end at its end.
fn read_file(folder: Option<&Path>, path: &str) -> Result<Vec<u8>, String> {
    let path = folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path));
    let read = || {
        // A pipe or a device would hold us up for ever.
        if !fs::metadata(&path)?.is_file() {
            return Err(io::Error::other("not a plain file"));
        }
        let mut bytes = Vec::new();
        // One byte and a line end more than allowed: enough to see that it is too large.
        fs::File::open(&path)?
            .take(SECRET_BYTES_MAX as u64 + 3)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let mut bytes = read().map_err(|error: io::Error| error.to_string())?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

/// What keeps events of runs of that plan free of secrets.
pub(super) async fn redactor(shared: &Shared, plan: &Plan, folder: Option<&Path>) -> Redactor {
    Secrets::of_plan(shared, plan, folder).await.redactor
}

fn keeping(found: &BTreeMap<String, Found>, channels: &BTreeMap<String, Channel>) -> Redactor {
    let own = found.iter().filter_map(|(name, found)| match found {
        Found::Value(value) => Some((name.as_str(), value.as_str())),
        Found::Not(_) => None,
    });
    let of_channels = channels
        .iter()
        .flat_map(|(name, channel)| channel.secrets().map(move |secret| (name.as_str(), secret)));
    let long_enough = of_channels.filter(|(_, value)| value.chars().count() >= SECRET_CHARS_MIN);
    // Short ones were left out, so there is nothing to be refused.
    Redactor::new(own.chain(long_enough)).unwrap_or_default()
}

/// Fields of an event that hold text for people: a text, or a list of texts. What stands neither here nor in [`DATA`]
/// is an id, a digest, a time, a kind or a name that the fold needs, and is never touched, whatever it spells.
const TEXT: [&str; 24] = [
    "cause",
    "comment",
    "condition",
    "diff",
    "description",
    "environment_text",
    "evidence",
    "hint",
    "idempotency_key",
    "message",
    "notes",
    "reason",
    "reviewers",
    "snippet",
    "text",
    "title",
    "told",
    "traceback",
    "warnings",
    "why",
    // Of the policy and of retries, in words.
    "rule",
    // Of two plans, one line each; of a question it is the path of a step, which is no list.
    "changes",
    // Of items: they stand in paths, so they are told apart again.
    "keys",
    "label",
];
/// Fields that hold data of somebody's own: in these the keys are looked at too.
const DATA: [&str; 15] = [
    "body", "by_id", "choices", "default", "detail", "env", "facts", "form", "inputs", "labels",
    "outputs", "payload", "results", "show", "values",
];

/// The event without secrets, in what is said and in data.
///
/// # Errors
/// What is left is no such event any more: a fault of ours.
pub(super) fn without(secrets: &Redactor, event: Event) -> Result<Event, Error> {
    if secrets.is_empty() {
        return Ok(event);
    }
    // Names and digests but for one text.
    if let Event::CacheMissed(mut missed) = event {
        if let Miss::Lost { why, .. } = &mut missed.reason {
            *why = secrets.text(why).into_owned();
        }
        return Ok(Event::CacheMissed(missed));
    }
    let body = event.to_json();
    let shown = fields(secrets, &body, matches!(event, Event::ApprovalRequested(_)));
    if shown == body {
        return Ok(event);
    }
    event
        .with_body(&shown)
        .map_err(|error| Error::Internal(format!("{} without secrets: {error}", event.name())))
}

/// `asks` = of a question, whose form describes fields by name instead of holding values.
fn fields(secrets: &Redactor, value: &Value, asks: bool) -> Value {
    match value {
        Value::Object(map) => {
            let shown = map
                .iter()
                .map(|(key, value)| (key.clone(), field(secrets, key, value, asks)));
            Value::Object(shown.collect::<Map<_, _>>())
        }
        Value::Array(items) => items
            .iter()
            .map(|item| fields(secrets, item, asks))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn field(secrets: &Redactor, key: &str, value: &Value, asks: bool) -> Value {
    let texts = || {
        let items = value.as_array()?;
        items.iter().all(Value::is_string).then_some(items)
    };
    match key {
        "form" if asks => fields(secrets, value, asks),
        "form" => form(secrets, value),
        // Of a step that was copied it is an object that has the items and more.
        "items" if value.is_array() => secrets.value(value),
        "changes" if value.is_string() => value.clone(),
        "keys" => texts().map_or_else(|| value.clone(), |keys| told_apart(secrets, keys)),
        _ if DATA.contains(&key) => secrets.value(value),
        _ if TEXT.contains(&key) && (value.is_string() || texts().is_some()) => {
            secrets.value(value)
        }
        _ => fields(secrets, value, asks),
    }
}

/// The values of a form. What became of an interrupted write is no text: it decides what follows.
fn form(secrets: &Redactor, value: &Value) -> Value {
    let mut shown = secrets.value(value);
    let decides = value.get(UNKNOWN_ANSWER);
    let known = [ANSWER_DONE, ANSWER_RUN_AGAIN].map(Value::from);
    if let Some(answer) = decides.filter(|answer| known.contains(answer))
        && let Some(form) = shown.as_object_mut()
    {
        form.insert(UNKNOWN_ANSWER.to_owned(), answer.clone());
    }
    shown
}

/// Keys without secrets: two that become the same are told apart by a number.
fn told_apart(secrets: &Redactor, keys: &[Value]) -> Value {
    let mut used = HashSet::new();
    let mut apart = |key: &Value| {
        let shown = secrets.value(key);
        let shown = shown.as_str().unwrap_or_default();
        let mut unique = shown.to_owned();
        let mut number = 1_u32;
        while !used.insert(unique.clone()) {
            number += 1;
            unique = format!("{shown} {number}");
        }
        Value::String(unique)
    };
    keys.iter().map(&mut apart).collect()
}

#[cfg(test)]
mod tests;
