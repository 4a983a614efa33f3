//! A request becomes a workflow of one step: a text that is compiled and pinned like any other.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::PythonExecutorError;
use super::check::{Checked, expected};
use crate::code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::expression::{Lookup, Scope, StepStatusWord};
use crate::id::Digest;
use crate::plan::{self, Plan};
use crate::run::payload::Values;
use crate::workflow::{self, CompileOptions, SourceError, Sources};

/// Id of the one step.
pub(super) const STEP: &str = "python";

/// What a request became.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) plan: Plan,
    pub(super) blobs: Vec<(Digest, Vec<u8>)>,
    pub(super) inputs: Values,
}

/// Compiles a request.
pub(super) fn make(checked: &Checked) -> Result<Made, PythonExecutorError> {
    let text = text(checked);
    let file = format!("{}.request.yml", checked.name);
    let code = Given {
        name: file_name(checked),
        code: checked.code(),
    };
    let compilation = workflow::compile(&file, text.as_bytes(), &code, &CompileOptions::default());
    let faults: Vec<Diagnostic> = compilation
        .diagnostics
        .into_iter()
        .filter(|fault| fault.severity == Severity::Error)
        .collect();
    let Some(plan) = compilation.plan.filter(|_| faults.is_empty()) else {
        return Err(refused(checked, &faults));
    };
    let inputs = resolved(&plan, inputs(checked))?;
    Ok(Made {
        plan,
        blobs: compilation.blobs,
        inputs,
    })
}

fn refused(checked: &Checked, faults: &[Diagnostic]) -> PythonExecutorError {
    let unsupported = |fault: &Diagnostic| fault.code == code::NOT_SUPPORTED_YET;
    let error = PythonExecutorError::of_diagnostics(faults);
    match (error, checked.method.as_deref()) {
        (PythonExecutorError::ConfigurationError(detail), Some("container" | "auto"))
            if faults.iter().any(unsupported) =>
        {
            PythonExecutorError::ContainerConfigurationError(detail)
        }
        (error, _) => error,
    }
}

fn resolved(plan: &Plan, given: Map<String, Value>) -> Result<Values, PythonExecutorError> {
    plan::resolve_inputs(plan, given, &Nothing)
        .map(|inputs| inputs.into_iter().collect())
        .map_err(|faults| PythonExecutorError::of_diagnostics(&faults))
}

/// What defaults of inputs see: they are all literal.
struct Nothing;

impl Scope for Nothing {
    fn lookup(&self, _path: &[&str]) -> Lookup<'_> {
        Lookup::Unknown { known: Vec::new() }
    }

    fn status(&self, _step: &str) -> Option<StepStatusWord> {
        None
    }
}

/// The name of the code in tracebacks.
fn file_name(checked: &Checked) -> String {
    format!("{}.py", checked.name)
}

/// The text of the workflow. Everything that a caller wrote comes in as an input, but for names of the context.
fn text(checked: &Checked) -> String {
    let request = &checked.request;
    let mut text = format!(
        "# Made from a request to the service interface.\nversion: 1\nname: {}\n",
        checked.name
    );
    let inputs = inputs(checked);
    if !inputs.is_empty() {
        text.push_str("inputs:\n");
    }
    for (name, value) in inputs {
        let kind = if value.is_object() {
            "map"
        } else if value.is_array() {
            "list"
        } else {
            "string"
        };
        let _never_fails = writeln!(text, "  {name}: {kind}");
    }
    let _never_fails = writeln!(text, "steps:\n  - id: {STEP}");
    if !request.capability_context_data.is_empty() {
        text.push_str("    with:\n");
        for name in request.capability_context_data.keys() {
            let key = Value::from(name.as_str());
            let value = format!(
                "${{{{ inputs.capability_context_data[{}] }}}}",
                literal(name)
            );
            let _never_fails = writeln!(text, "      {key}: {}", Value::from(value));
        }
    }
    if let Some(timeout) = checked.timeout {
        let _never_fails = writeln!(text, "    timeout: {}ms", timeout.as_millis());
    }
    let given = checked.code().is_some();
    if let Some(retries) = request.retries.filter(|_| given) {
        let attempts = match checked.mode {
            plan::Mode::ReadOnly => retries,
            plan::Mode::WriteAccess => 1,
        };
        let _never_fails = writeln!(
            text,
            "    retry: {{max_attempts: {attempts}, kinds: [infrastructure]}}"
        );
    }
    let _never_fails = writeln!(text, "    python:\n      mode: {}", checked.mode);
    if let Some(method) = &checked.method {
        let _never_fails = writeln!(text, "      execution: {method}");
    }
    if given {
        let _never_fails = writeln!(text, "      file: {}", file_name(checked));
    } else {
        task(checked, &mut text);
    }
    text
}

/// What a generator is told.
fn task(checked: &Checked, text: &mut String) {
    text.push_str("      task: ${{ inputs.task_objective }}\n");
    if let Some(name) = &checked.generator {
        let _never_fails = writeln!(text, "      generator: {}", Value::from(name.as_str()));
    }
    let request = &checked.request;
    if !request.user_query.is_empty() {
        text.push_str("      user_query: ${{ inputs.user_query }}\n");
    }
    if request.expected_results.is_some() {
        text.push_str("      expects: ${{ inputs.expected_results }}\n");
    }
    if !request.capability_prompts.is_empty() {
        text.push_str("      requirements:\n");
        for index in 0..request.capability_prompts.len() {
            let _never_fails = writeln!(
                text,
                "        - ${{{{ inputs.capability_prompts[{index}] }}}}"
            );
        }
    }
    if let Some(retries) = request.retries {
        let _never_fails = writeln!(text, "      max_generations: {retries}");
    }
}

/// Text as an expression writes it, free of everything that could end it.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' || c == ' ' {
            out.push(c);
        } else {
            let _never_fails = write!(out, "\\U{:08x}", u32::from(c));
        }
    }
    out.push('"');
    out
}

/// What the run is given: everything that the caller wrote.
fn inputs(checked: &Checked) -> Map<String, Value> {
    let request = &checked.request;
    let mut inputs = Map::new();
    let mut put = |name: &str, value: Value| {
        inputs.insert(name.to_owned(), value);
    };
    for (name, text) in [
        ("user_query", &request.user_query),
        ("task_objective", &request.task_objective),
    ] {
        if !text.is_empty() {
            put(name, json!(text));
        }
    }
    if let Some(expected) = expected(request) {
        put("expected_results", expected);
    }
    if !request.capability_prompts.is_empty() {
        put("capability_prompts", json!(request.capability_prompts));
    }
    if !request.capability_context_data.is_empty() {
        let context = request.capability_context_data.clone();
        put("capability_context_data", Value::Object(context));
    }
    if !request.session_context.is_empty() {
        let session = request.session_context.clone();
        put("session_context", Value::Object(session));
    }
    inputs
}

/// The code that came with the request, as a file beside the workflow.
struct Given<'g> {
    name: String,
    code: Option<&'g str>,
}

impl Sources for Given<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        match self.code {
            Some(code) if path == self.name => Ok(code.as_bytes().to_vec()),
            Some(_) | None => Err(SourceError::Missing),
        }
    }
}
