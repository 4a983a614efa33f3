//! Inputs of a new run: from `-i` and `--inputs`, checked against the workflow, files made absolute.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Context;
use super::compile::Compiled;
use super::error::Error;
use super::view::text::line;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::expression::{self, DateTime, Lookup, Scope, StepStatusWord};
use crate::plan::{self, Plan, visit_files};
use crate::run::payload::Values;
use crate::time::Timestamp;

/// What the person gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    /// `NAME=VALUE` or `NAME=@FILE`; the last one of a name counts.
    pub(super) pairs: &'a [String],
    /// A JSON object.
    pub(super) file: Option<&'a Path>,
}

/// What inputs are given for.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    /// The workflow.
    pub(super) plan: &'a Plan,
    /// Its folder, absolute.
    pub(super) folder: &'a Path,
    /// Values that hold unless others are given.
    pub(super) base: Values,
}

impl<'a> Ground<'a> {
    /// A workflow of which nothing ran before.
    pub(super) fn new(compiled: &'a Compiled) -> Self {
        Self {
            plan: &compiled.plan,
            folder: &compiled.folder,
            base: Values::new(),
        }
    }
}

/// The inputs of a run, checked and complete. Files given here are relative to the current folder, files of
/// defaults to the workflow file; they must exist.
pub(super) fn resolve(
    context: &Context,
    ground: Ground<'_>,
    given: &Given<'_>,
    now: Timestamp,
) -> Result<Values, Error> {
    let plan = ground.plan;
    let mut values = ground.base;
    values.extend(self::given(context, plan, given)?);
    for (name, field) in &plan.inputs {
        if let Some(value) = values.get_mut(name) {
            visit_files(field, value, &mut |path| {
                *path = text(&context.settings.absolute(Path::new(path)));
            });
        }
    }
    let mut inputs: Values = plan::resolve_inputs(plan, values, &Birth { now })
        .map_err(Error::document)?
        .into_iter()
        .collect();
    let missing = settle_files(plan, &mut inputs, ground.folder);
    if missing.is_empty() {
        Ok(inputs)
    } else {
        Err(Error::document(missing))
    }
}

/// The inputs of a rehearsal. Files are taken as written and need not be there, since nothing reads them.
pub(super) fn rehearsed(
    plan: &Plan,
    given: Values,
    now: Timestamp,
) -> Result<Values, Vec<Diagnostic>> {
    let inputs = plan::resolve_inputs(plan, given, &Birth { now })?;
    Ok(inputs.into_iter().collect())
}

/// What the person gave, not yet checked as a whole.
pub(super) fn given(context: &Context, plan: &Plan, given: &Given<'_>) -> Result<Values, Error> {
    let mut values = match given.file {
        Some(file) => object(context, file)?,
        None => Map::new(),
    };
    let mut faults = Vec::new();
    for pair in given.pairs {
        match one(context, plan, pair) {
            Ok((name, value)) => {
                values.insert(name, value);
            }
            Err(fault) => faults.push(*fault),
        }
    }
    if faults.is_empty() {
        Ok(values)
    } else {
        Err(Error::document(faults))
    }
}

fn object(context: &Context, file: &Path) -> Result<Map<String, Value>, Error> {
    let path = context.settings.absolute(file);
    let bytes = std::fs::read(path).map_err(|error| Error::unreadable(file, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::usage(
            code::INPUTS_UNREADABLE,
            format!("{} is not a JSON object of inputs: {error}", file.display()),
        )
        .help("write it like {\"name\": value}")
    })
}

/// Reads one `NAME=VALUE`. An unknown name is kept as text: checking says what the workflow takes.
fn one(context: &Context, plan: &Plan, pair: &str) -> Result<(String, Value), Box<Diagnostic>> {
    let Some((name, text)) = pair.split_once('=') else {
        let message = format!("`-i {}` has no value", line(pair));
        return Err(Box::new(
            Diagnostic::error(code::USAGE, message).help("write -i NAME=VALUE"),
        ));
    };
    let content;
    let text = match text.strip_prefix('@') {
        None => text,
        Some(file) => {
            content = std::fs::read_to_string(context.settings.absolute(Path::new(file))).map_err(
                |error| {
                    let message = format!(
                        "{} can't be read for the input `{name}`: {error}",
                        line(file)
                    );
                    Box::new(Diagnostic::error(code::FILE_UNREADABLE, message))
                },
            )?;
            content.trim_end_matches(['\n', '\r'])
        }
    };
    let value = match plan.inputs.get(name) {
        Some(field) => plan::parse_given(name, field, text)
            .map_err(|fault| Box::new(fault.diagnostic("input")))?,
        None => Value::from(text),
    };
    Ok((name.to_owned(), value))
}

/// What is relative still came from a default: it stands beside the workflow. Says which files are not there.
fn settle_files(plan: &Plan, inputs: &mut Values, folder: &Path) -> Vec<Diagnostic> {
    let mut missing = Vec::new();
    for (name, field) in &plan.inputs {
        let Some(value) = inputs.get_mut(name) else {
            continue;
        };
        visit_files(field, value, &mut |path| {
            let absolute: PathBuf = folder.join(&*path);
            if !absolute.is_file() {
                let message = format!(
                    "the file of the input `{name}` is not there: {}",
                    absolute.display()
                );
                missing.push(
                    Diagnostic::error(code::INPUT_FILE_MISSING, message)
                        .help(format!("give another one: -i {name}=FILE")),
                );
            }
            *path = text(&absolute);
        });
    }
    missing
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What the defaults of inputs can see: the moment that the run stands for.
struct Birth {
    now: Timestamp,
}

impl Scope for Birth {
    fn lookup(&self, path: &[&str]) -> Lookup<'_> {
        let known = |names: &[&str]| Lookup::Unknown {
            known: names.iter().map(ToString::to_string).collect(),
        };
        match path {
            ["run", "scheduled_at" | "started_at", ..] => {
                match DateTime::parse(&self.now.to_string()) {
                    Some(now) => Lookup::Value {
                        value: expression::Value::DateTime(now),
                        used: 2,
                    },
                    None => Lookup::Absent {
                        reason: "the clock shows no time".to_owned(),
                    },
                }
            }
            ["run", ..] => known(&["scheduled_at", "started_at"]),
            _ => known(&["run"]),
        }
    }

    fn status(&self, _step: &str) -> Option<StepStatusWord> {
        None
    }
}
