//! Whether a request can be carried out, and what exactly is asked for: the first gate, before anything is recorded.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::{ExpectedResults, PythonExecutionRequest, PythonExecutorError, RunnableConfig};
use crate::canonical::canonical_json;
use crate::code;
use crate::diagnostic::did_you_mean;
use crate::id::Digest;
use crate::plan::Mode;
use crate::workflow::NAME_CHARS_MAX;

/// Longest name of a thread, in bytes.
const THREAD_BYTES_MAX: usize = 200;
/// Largest value of the context, as JSON in bytes: what an expression may give.
const CONTEXT_VALUE_BYTES_MAX: usize = 1 << 20;
/// Most retries that can be asked for.
const RETRIES_MAX: u32 = 100;
/// Places where code may run.
const METHODS: [&str; 3] = ["local", "container", "auto"];
/// Name of a run whose request names no folder.
const NAME: &str = "python_execution";

/// A request that can be carried out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checked {
    /// What was asked for.
    pub(super) request: PythonExecutionRequest,
    /// Name of the workflow, from the name of the folder.
    pub(super) name: String,
    /// What the code may do.
    pub(super) mode: Mode,
    /// Where it runs; none = where the configuration says.
    pub(super) method: Option<String>,
    /// Who writes the code; none = the default generator.
    pub(super) generator: Option<String>,
    /// Longest time of an attempt.
    pub(super) timeout: Option<Duration>,
    /// Name of the request.
    pub(super) thread: Option<String>,
    /// The folder that is there already, absolute.
    pub(super) folder: Option<PathBuf>,
}

impl Checked {
    /// The code that is given.
    pub(super) fn code(&self) -> Option<&str> {
        let request = &self.request;
        request.code.as_deref().or(request.approved_code.as_deref())
    }

    /// Digest of everything that is asked for: under one name there is one of it.
    pub(super) fn digest(&self) -> Digest {
        let mut document = json!({
            "request": self.request,
            "mode": self.mode,
            "method": self.method,
            "timeout": self.timeout.map(|timeout| timeout.as_secs_f64()),
            "folder": self.folder,
        });
        // Requests from before there was a choice keep their digest.
        if let (Some(name), Some(fields)) = (&self.generator, document.as_object_mut()) {
            fields.insert("generator".to_owned(), json!(name));
        }
        Digest::of(&canonical_json(&document))
    }

    /// Who asks, when the request says so.
    pub(super) fn person(&self) -> Option<&str> {
        let person = self.request.session_context.get("user_id");
        person
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
    }
}

/// Checks a request: its mode before everything else.
pub(super) fn check(
    request: PythonExecutionRequest,
    config: &RunnableConfig,
    data: &Path,
) -> Result<Checked, PythonExecutorError> {
    let mode = mode(config)?;
    let method = method(config)?;
    let timeout = config.configurable.max_execution_time;
    if timeout.is_some_and(|timeout| timeout < Duration::from_millis(1)) {
        return Err(bad("max_execution_time must be more than nothing")
            .hint("leave it out for what config.yml says"));
    }
    let thread = thread(config)?;
    sources(&request)?;
    let generator = config.configurable.generator.clone();
    if generator.is_some() && (request.code.is_some() || request.approved_code.is_some()) {
        let message = "`generator` does nothing with code that is given";
        let error = PythonExecutorError::request(code::CONFLICTING_KEYS, message);
        return Err(error.hint("leave one of them out"));
    }
    if request
        .retries
        .is_some_and(|retries| !(1..=RETRIES_MAX).contains(&retries))
    {
        return Err(bad(format!("retries is a number from 1 to {RETRIES_MAX}")));
    }
    for (name, value) in &request.capability_context_data {
        let bytes = value.to_string().len();
        if bytes > CONTEXT_VALUE_BYTES_MAX {
            let message = format!(
                "`{name}` of the context has {bytes} bytes; at most {CONTEXT_VALUE_BYTES_MAX} are possible"
            );
            return Err(PythonExecutorError::request(code::STORE_TOO_LARGE, message)
                .hint("write it to a file and give its path"));
        }
    }
    let folder = folder(&request, data)?;
    Ok(Checked {
        name: name(&request.execution_folder_name),
        request,
        mode,
        method,
        generator,
        timeout,
        thread,
        folder,
    })
}

fn bad(message: impl Into<String>) -> PythonExecutorError {
    PythonExecutorError::request(code::BAD_VALUE, message)
}

fn mode(config: &RunnableConfig) -> Result<Mode, PythonExecutorError> {
    let Some(word) = config.configurable.execution_mode.as_deref() else {
        return Ok(Mode::ReadOnly);
    };
    Mode::parse(word).ok_or_else(|| unknown("execution_mode", word, &Mode::SPELLINGS))
}

fn method(config: &RunnableConfig) -> Result<Option<String>, PythonExecutorError> {
    match config.configurable.execution_method.as_deref() {
        None => Ok(None),
        Some(word) if METHODS.contains(&word) => Ok(Some(word.to_owned())),
        Some(word) => Err(unknown("execution_method", word, &METHODS)),
    }
}

fn unknown(what: &str, word: &str, known: &[&str]) -> PythonExecutorError {
    let error = bad(format!("`{word}` is no {what}"));
    match did_you_mean(word, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("it is one of: {}", known.join(", "))),
    }
}

fn thread(config: &RunnableConfig) -> Result<Option<String>, PythonExecutorError> {
    let (outer, inner) = (&config.thread_id, &config.configurable.thread_id);
    if let (Some(outer), Some(inner)) = (outer, inner)
        && outer != inner
    {
        let message = format!("thread_id is `{outer}`, and `{inner}` in configurable");
        return Err(
            PythonExecutorError::request(code::CONFLICTING_KEYS, message).hint("say it once"),
        );
    }
    let Some(thread) = config.thread_name() else {
        return Ok(None);
    };
    let fits = !thread.is_empty()
        && thread.len() <= THREAD_BYTES_MAX
        && !thread.chars().any(char::is_control);
    if fits {
        Ok(Some(thread.to_owned()))
    } else {
        Err(bad("the thread_id is no name").hint(format!(
            "1 to {THREAD_BYTES_MAX} bytes of text, without control characters"
        )))
    }
}

/// Exactly one source of code.
fn sources(request: &PythonExecutionRequest) -> Result<(), PythonExecutorError> {
    if request.code.is_some() && request.approved_code.is_some() {
        let message = "`code` and `approved_code` exclude each other";
        return Err(PythonExecutorError::request(
            code::CONFLICTING_KEYS,
            message,
        ));
    }
    let given = request.code.is_some() || request.approved_code.is_some();
    if !given && request.task_objective.trim().is_empty() {
        let message = "the request has neither a task_objective nor code";
        return Err(PythonExecutorError::request(code::MISSING_KEY, message)
            .hint("say what the code shall do, or give `code`"));
    }
    Ok(())
}

fn folder(
    request: &PythonExecutionRequest,
    data: &Path,
) -> Result<Option<PathBuf>, PythonExecutorError> {
    let Some(written) = &request.existing_execution_folder else {
        return Ok(None);
    };
    let folder = data.join(written);
    match folder.canonicalize() {
        Ok(folder) if folder.is_dir() => Ok(Some(folder)),
        Ok(_) | Err(_) => {
            let message = format!("the execution folder {} is not there", folder.display());
            Err(PythonExecutorError::request(code::BAD_FILE, message)
                .hint("a relative path begins in the data folder"))
        }
    }
}

/// A name of a workflow near to the name of a folder.
fn name(written: &str) -> String {
    let mut name = String::new();
    for c in written.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    let start = name.trim_matches('_');
    let mut name = match start.chars().next() {
        None => return NAME.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("run_{start}"),
        Some(_) => start.to_owned(),
    };
    name.truncate(NAME_CHARS_MAX);
    name
}

/// Text of expected results for an input of the run.
pub(super) fn expected(request: &PythonExecutionRequest) -> Option<Value> {
    request
        .expected_results
        .as_ref()
        .map(|expected| match expected {
            ExpectedResults::Text(text) => Value::from(text.as_str()),
            ExpectedResults::Map(map) => Value::Object(map.clone()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(config: &RunnableConfig) -> Result<Checked, PythonExecutorError> {
        let request = PythonExecutionRequest::new("q", "t", "Stage 1: Größe").code("results = 1");
        check(request, config, Path::new("/"))
    }

    #[test]
    fn an_unknown_mode_is_refused_before_everything_else() {
        let config = RunnableConfig::thread("").execution_mode("READONLY");
        let error = check(PythonExecutionRequest::default(), &config, Path::new("/")).unwrap_err();
        assert_eq!(error.code(), "bad_value");
        assert!(
            error.message().contains("`READONLY` is no execution_mode"),
            "{error}"
        );
    }

    #[test]
    fn both_spellings_of_a_mode_are_one_request() {
        let digest = |mode: &str| {
            let config = RunnableConfig::default().execution_mode(mode);
            checked(&config).unwrap().digest()
        };
        assert_eq!(digest("readonly"), digest("read_only"));
        assert_eq!(digest("readwrite"), digest("write_access"));
        assert_ne!(digest("readonly"), digest("readwrite"));
    }

    #[test]
    fn folders_name_runs() {
        for (written, is) in [
            ("Stage 1: Größe", "stage_1_gr_e"),
            ("../../etc/passwd", "etc_passwd"),
            ("2026", "run_2026"),
            ("…", NAME),
            ("", NAME),
        ] {
            assert_eq!(name(written), is);
        }
        assert_eq!(name(&"a".repeat(500)).len(), NAME_CHARS_MAX);
    }

    #[test]
    fn a_name_of_a_thread_may_stand_in_two_places_but_be_one() {
        let mut config = RunnableConfig::thread("a");
        config.configurable.thread_id = Some("a".to_owned());
        assert_eq!(checked(&config).unwrap().thread.as_deref(), Some("a"));
        config.configurable.thread_id = Some("b".to_owned());
        assert_eq!(checked(&config).unwrap_err().code(), "conflicting_keys");
    }
}
