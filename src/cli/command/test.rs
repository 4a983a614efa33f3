//! `stepwell test`: a workflow in simulated time, by the cases of a file or under chaos. No Python is started.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::super::compile::{Compiled, compile};
use super::super::error::Error;
use super::super::inputs::{self, Given};
use super::super::view::rehearsal as view;
use super::super::{Context, Exit};
use crate::code;
use crate::diagnostic::did_you_mean;
use crate::plan::Plan;
use crate::rehearsal::{self, Answers, Case, Delays, Fault, Review, World, chaos};
use crate::run::payload::Values;
use crate::time::{Clock as _, SystemClock};

/// Rehearse workflows in simulated time, without Python
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Files of cases; with --chaos, workflow files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only the case of that name
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Crash after every event, say everything twice, be slow, fail, cancel, pause: what would be repeated?
    #[arg(long)]
    chaos: bool,
    /// With --chaos: take inputs, mocks and clock of a case in this file, the first one or that of --case
    #[arg(long, value_name = "FILE", requires = "chaos")]
    cases: Option<PathBuf>,
    /// With --chaos: an input, by its declared type
    #[arg(short, long, value_name = "NAME=VALUE", requires = "chaos")]
    input: Vec<String>,
    /// With --chaos: inputs as a JSON object; -i goes before it
    #[arg(long, value_name = "FILE.json", requires = "chaos")]
    inputs: Option<PathBuf>,
    /// With --chaos: other made-up values, and other places in a very long history
    #[arg(long, value_name = "N", default_value_t = 0, requires = "chaos")]
    seed: u64,
}

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    if arguments.chaos {
        return all_chaos(context, arguments);
    }
    let mut documents = Vec::new();
    let mut exits = Vec::new();
    let mut wanted = Vec::new();
    for file in &arguments.files {
        let (compiled, cases) = read(context, file)?;
        wanted.push((file, compiled, cases));
    }
    if let Some(name) = &arguments.case {
        let all: Vec<&str> = wanted
            .iter()
            .flat_map(|(_, _, cases)| cases.iter().map(|case| case.name.as_str()))
            .collect();
        if !all.contains(&name.as_str()) {
            return Err(unknown_case(name, &all));
        }
    }
    for (file, compiled, cases) in wanted {
        let review = review(context, &compiled)?;
        let plan = Arc::new(compiled.plan);
        let chosen = cases.iter().filter(|case| {
            arguments
                .case
                .as_ref()
                .is_none_or(|name| *name == case.name)
        });
        let mut judged = Vec::new();
        for case in chosen {
            let judgement =
                rehearsal::judge(&plan, &review, case).map_err(|fault| internal(&fault))?;
            let failed = !judgement.passed();
            exits.push(if failed {
                Exit::Failed
            } else {
                Exit::Succeeded
            });
            judged.push((case, judgement));
        }
        if judged.is_empty() {
            continue;
        }
        let name = file.display().to_string();
        if context.output.is_json() {
            documents.push(view::cases_json(&name, &plan, &judged));
        } else {
            context.output.text(&view::cases(&name, &judged));
        }
    }
    if context.output.is_json() {
        context.output.document(&json!({"files": documents}));
    }
    Ok(Exit::gravest(exits))
}

/// The workflow that a file of cases names, and its cases.
fn read(context: &Context, file: &Path) -> Result<(Compiled, Vec<Case>), Error> {
    let path = context.settings.absolute(file);
    let bytes = std::fs::read(&path).map_err(|error| Error::unreadable(file, &error))?;
    let name = file.display().to_string();
    let workflow = rehearsal::workflow_of(&name, &bytes).map_err(Error::document)?;
    let beside = file.parent().unwrap_or_else(|| Path::new(""));
    let compiled = compile(context, &beside.join(workflow), None)?;
    let resolve = |given: Values, now| inputs::rehearsed(&compiled.plan, given, now);
    let cases =
        rehearsal::cases(&name, &bytes, &compiled.plan, &resolve).map_err(Error::document)?;
    Ok((compiled, cases))
}

fn review(context: &Context, compiled: &Compiled) -> Result<Review, Error> {
    let config = context.config()?;
    let codes = compiled.plan.steps.iter().filter_map(|step| {
        let code = step.kind.as_python()?.code()?;
        let (_, bytes) = compiled.blobs.iter().find(|(digest, _)| *digest == code)?;
        Some((code, bytes.as_slice()))
    });
    Ok(Review::new(config.approval, config.analysis, codes))
}

fn all_chaos(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    let mut documents = Vec::new();
    let mut exits = Vec::new();
    for file in &arguments.files {
        let (name, plan, found) = one_chaos(context, arguments, file)?;
        let kept = found.broken.is_empty();
        exits.push(if kept { Exit::Succeeded } else { Exit::Failed });
        if context.output.is_json() {
            documents.push(view::chaos_json(&name, &plan, &found));
        } else {
            context.output.text(&view::chaos(&name, &found));
        }
    }
    if context.output.is_json() {
        context.output.document(&json!({"files": documents}));
    }
    Ok(Exit::gravest(exits))
}

fn one_chaos(
    context: &Context,
    arguments: &Arguments,
    file: &Path,
) -> Result<(String, Arc<Plan>, chaos::Chaos), Error> {
    let compiled = compile(context, file, None)?;
    let case = match &arguments.cases {
        None => None,
        Some(cases) => Some(case_for(context, arguments, cases, &compiled.plan)?),
    };
    let given = Given {
        pairs: &arguments.input,
        file: arguments.inputs.as_deref(),
    };
    let given = inputs::given(context, &compiled.plan, &given)?;
    let clock = case
        .as_ref()
        .map_or_else(|| SystemClock.now(), |case| case.clock);
    let mut values = match &case {
        Some(case) => case.inputs.clone(),
        None => rehearsal::sample_inputs(&compiled.plan, arguments.seed),
    };
    values.extend(given);
    let values = inputs::rehearsed(&compiled.plan, values, clock).map_err(Error::document)?;
    let review = review(context, &compiled)?;
    let world = World {
        mocks: case
            .as_ref()
            .map(|case| case.mocks.clone())
            .unwrap_or_default(),
        samples: Some(arguments.seed),
        answers: Answers::Yes(Delays::default()),
        signals: case.map(|case| case.signals).unwrap_or_default(),
        ..World::new(review)
    };
    let plan = Arc::new(compiled.plan);
    let found = chaos::rehearse(&plan, values, clock, &world, arguments.seed)
        .map_err(|fault| internal(&fault))?;
    Ok((file.display().to_string(), plan, found))
}

fn case_for(
    context: &Context,
    arguments: &Arguments,
    file: &Path,
    plan: &Plan,
) -> Result<Case, Error> {
    let (compiled, cases) = read(context, file)?;
    if compiled.plan.steps != plan.steps {
        let message = format!("{} has cases of another workflow", file.display());
        return Err(Error::usage(code::USAGE, message));
    }
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    let Some(name) = &arguments.case else {
        let message = format!("{} has no case", file.display());
        let none = || Error::usage(code::USAGE, message);
        return cases.into_iter().next().ok_or_else(none);
    };
    let unknown = unknown_case(name, &names);
    let found = cases.into_iter().find(|case| case.name == *name);
    found.ok_or(unknown)
}

fn unknown_case(name: &str, known: &[&str]) -> Error {
    let error = Error::usage(code::UNKNOWN_CASE, format!("there is no case `{name}`"));
    match did_you_mean(name, known.iter().copied()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("the cases are: {}", known.join(", "))),
    }
}

/// What the machine itself did wrong.
fn internal(fault: &Fault) -> Error {
    Error::new(Exit::Internal, code::INTERNAL, fault.to_string())
}
