//! `stepwell exec`: one request to the service interface, from the command line.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::super::compile::read_source;
use super::super::drive::{self, Driven, drive};
use super::super::error::Error;
use super::super::view::text::line;
use super::super::{Context, Exit, person};
use crate::code;
use crate::service::{
    ExpectedResults, PythonExecutionRequest, PythonExecutorService, RunnableConfig,
};

/// Largest code or value on standard input, in bytes: 16 MiB.
const INPUT_BYTES_MAX: u64 = 16 << 20;

/// Run one piece of Python code, or one task, without a workflow file
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// What the code shall do; a generator writes it when no --code is given
    #[arg(long, value_name = "TEXT")]
    task: Option<String>,
    /// The code; - reads standard input
    #[arg(long, value_name = "FILE")]
    code: Option<PathBuf>,
    /// A value of `context`, as JSON or text; @FILE reads it from a file; @FILE alone is a JSON object
    #[arg(long, value_name = "NAME=VALUE")]
    context: Vec<String>,
    /// What the code shall leave, in words
    #[arg(long, value_name = "TEXT")]
    expect: Option<String>,
    /// What the code may do: readonly (read_only) or readwrite (write_access)
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// Where it runs: local, container or auto
    #[arg(long, value_name = "WHERE")]
    execution: Option<String>,
    /// Who writes the code of the task, by its name in config.yml
    #[arg(long, value_name = "NAME", conflicts_with = "code")]
    generator: Option<String>,
    /// Name of the request: the same name finds the same run again
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// Longest time of one attempt, in seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// How often code may be written, or attempts of given code that only reads
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// Names the run and its folder
    #[arg(long, value_name = "NAME", default_value = "exec")]
    name: String,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: Arguments,
) -> Result<Exit, Error> {
    let config = call(&arguments);
    let request = request(context, arguments)?;
    let opened = context.open().await?;
    let service = PythonExecutorService::over(
        opened.clone(),
        context.config()?,
        context.settings.data.clone(),
        person::name(),
    );
    let run = service.accept(request, &config).await?;
    context.output.remark(&format!("· {run}"));
    if !context.output.is_json() {
        return drive::drive_and_tell(context, &opened, run).await;
    }
    match drive(context, &opened, run).await? {
        Driven::Settled(state) => {
            let outcome = service.outcome(&state).await?;
            context.output.document(&outcome.to_json());
            Ok(Exit::of(state.status()))
        }
        Driven::Interrupted => {
            let status = service.status(run).await?;
            let status = serde_json::to_value(status).unwrap_or_default();
            context.output.document(&status);
            Ok(Exit::Interrupted)
        }
    }
}

fn call(arguments: &Arguments) -> RunnableConfig {
    let mut config = RunnableConfig {
        thread_id: arguments.thread.clone(),
        ..RunnableConfig::default()
    };
    let configurable = &mut config.configurable;
    configurable.execution_mode.clone_from(&arguments.mode);
    configurable
        .execution_method
        .clone_from(&arguments.execution);
    configurable.generator.clone_from(&arguments.generator);
    let timeout = arguments.timeout.map(u64::from);
    configurable.max_execution_time = timeout.map(Duration::from_secs);
    config
}

fn request(context: &Context, arguments: Arguments) -> Result<PythonExecutionRequest, Error> {
    let code = match &arguments.code {
        Some(file) => Some(code(context, file)?),
        None => None,
    };
    let mut data = Map::new();
    for given in &arguments.context {
        add(context, given, &mut data)?;
    }
    Ok(PythonExecutionRequest {
        task_objective: arguments.task.unwrap_or_default(),
        expected_results: arguments.expect.map(ExpectedResults::Text),
        execution_folder_name: arguments.name,
        capability_context_data: data,
        retries: arguments.retries,
        code,
        ..PythonExecutionRequest::default()
    })
}

/// Code of a file, or of standard input.
pub(in crate::cli) fn code(context: &Context, file: &Path) -> Result<String, Error> {
    let bytes = if file == Path::new("-") {
        let mut bytes = Vec::new();
        let input = std::io::stdin().lock();
        input
            .take(INPUT_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::unreadable(file, &error))?;
        bytes
    } else {
        read_source(context, file)?
    };
    String::from_utf8(bytes).map_err(|_| {
        let message = format!("{} is not UTF-8 text", file.display());
        Error::usage(code::CODE_UNREADABLE, message)
    })
}

/// Adds one `--context`.
fn add(context: &Context, given: &str, data: &mut Map<String, Value>) -> Result<(), Error> {
    if let Some(file) = given.strip_prefix('@') {
        return match read(context, file)? {
            Value::Object(entries) => {
                data.extend(entries);
                Ok(())
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(no_context(&format!("{} is no JSON object", line(file)))),
        };
    }
    let Some((name, value)) = given.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(no_context(&format!(
            "`--context {}` has no name and value",
            line(given)
        )));
    };
    let value = match value.strip_prefix('@') {
        Some(file) => read(context, file)?,
        None => json_or_text(value),
    };
    data.insert(name.to_owned(), value);
    Ok(())
}

fn no_context(message: &str) -> Error {
    Error::usage(code::INPUTS_UNREADABLE, message)
        .help("write --context NAME=VALUE, --context NAME=@FILE or --context @FILE.json")
}

fn read(context: &Context, file: &str) -> Result<Value, Error> {
    let bytes = read_source(context, Path::new(file))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| no_context(&format!("{} is not UTF-8 text", line(file))))?;
    Ok(json_or_text(&text))
}

fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
