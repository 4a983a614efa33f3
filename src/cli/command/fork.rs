//! `stepwell fork`: a new run that goes on from what another one did.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::super::bypass::Bypass;
use super::super::compile::read_source;
use super::super::error::Error;
use super::super::inputs::{self, Given, Ground};
use super::super::open::Opened;
use super::super::view::text::line;
use super::super::{Context, Exit, confirm, drive, find, person};
use crate::code;
use crate::engine::{NewFork, NewRun, Places};
use crate::id::{Digest, StepPath};
use crate::plan::{Plan, Step, StepKind, Steps};
use crate::run::payload::CacheBypassed;
use crate::run::{Forking, RunState, Seq, forking, run_json};

/// Make a new run from another one: copy what no change reaches, run the rest
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// Where to fork: the number of an event, or a step, as the run was just before it was ready; else its last event
    #[arg(long, value_name = "EVENT|STEP")]
    at: Option<String>,
    /// Another input, by its declared type; lists and maps as JSON; @FILE reads the value from a file
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    input: Vec<String>,
    /// Other inputs as a JSON object; -i goes before it
    #[arg(long, value_name = "FILE.json")]
    inputs: Option<PathBuf>,
    /// Other code for a Python step
    #[arg(long, value_name = "STEP=FILE")]
    code: Vec<String>,
    #[command(flatten)]
    cache: Bypass,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Only create the run; nothing of it runs until `stepwell resume`
    #[arg(long)]
    detach: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let whole = find::state(&opened, &arguments.run).await?;
    let (state, places) = at(&opened, &whole, arguments.at.as_deref()).await?;
    let (plan, blobs) = with_code(context, &state, &arguments.code)?;
    let folder = state.created.workflow_folder.clone();
    let given = Given {
        pairs: &arguments.input,
        file: arguments.inputs.as_deref(),
    };
    let ground = Ground {
        plan: &plan,
        folder: Path::new(folder.as_deref().unwrap_or_default()),
        base: state.created.inputs.clone(),
    };
    let inputs = inputs::resolve(context, ground, &given, state.created.scheduled_at)?;
    let chosen = forking(&state, &plan, &inputs, &|step| places.ended(step));
    let bypass = bypass(&whole, &plan, arguments)?;
    show(context, &chosen);
    if !confirm::confirm(context, arguments.yes)? {
        context.output.aside("nothing was done");
        return Ok(Exit::Failed);
    }
    let run = opened
        .engine
        .fork(NewFork {
            source: state.run,
            seq: state.seq,
            copied: chosen.copied,
            bypass,
            new: NewRun {
                plan: Arc::new(plan),
                blobs,
                inputs,
                workflow_folder: folder,
                actor: person::actor(),
                scheduled_at: Some(state.created.scheduled_at),
            },
        })
        .await?;
    if !arguments.detach {
        context.output.remark(&format!("· {run}"));
        return drive::drive_and_tell(context, &opened, run).await;
    }
    let state = opened.engine.state(run).await?;
    context.output.result(
        || run_json(&state),
        || {
            let command = format!("resume {}", run.short());
            let command = context.settings.command(&command);
            format!("created {run}\nnothing of it runs until you type\n  {command}")
        },
    );
    Ok(Exit::Succeeded)
}

/// What takes no kept result: what was named, and the step that the fork begins at, which is to run again.
fn bypass(whole: &RunState, plan: &Plan, arguments: &Arguments) -> Result<CacheBypassed, Error> {
    let mut wish = arguments.cache.wish(plan)?;
    if let Some(word) = arguments.at.as_deref()
        && word.parse::<Seq>().is_err()
    {
        wish.steps.push(find::step(whole, word)?.1.path.clone());
    }
    Ok(wish)
}

/// The run as it was at the point of the fork.
async fn at(
    opened: &Opened,
    whole: &RunState,
    word: Option<&str>,
) -> Result<(RunState, Places), Error> {
    let seq: Seq = match word {
        None => whole.seq,
        Some(word) => match word.parse() {
            Ok(seq) => seq,
            Err(_) => before(opened, whole, word).await?,
        },
    };
    let state = opened.engine.state_at(whole.run, seq).await?;
    let places = opened.engine.places(whole.run, seq).await?;
    Ok((state, places))
}

async fn before(opened: &Opened, whole: &RunState, word: &str) -> Result<Seq, Error> {
    let path = &find::step(whole, word)?.1.path;
    let places = opened.engine.places(whole.run, whole.seq).await?;
    match places.ready(path) {
        Some(seq) => Ok(seq.saturating_sub(1)),
        None => {
            let message = format!("step `{path}` was never ready in this run");
            Err(Error::usage(code::USAGE, message).help("give the number of an event: --at EVENT"))
        }
    }
}

/// A plan and what it names anew.
type Sourced = (Plan, Vec<(Digest, Vec<u8>)>);

/// The plan of the run with other code in some steps.
fn with_code(context: &Context, state: &RunState, pairs: &[String]) -> Result<Sourced, Error> {
    let mut plan = state.plan.as_ref().clone();
    let mut steps: Vec<Step> = plan.steps.to_vec();
    let mut blobs = Vec::new();
    for pair in pairs {
        let Some((word, file)) = pair.split_once('=') else {
            let message = format!("`--code {}` names no file", line(pair));
            return Err(Error::usage(code::USAGE, message).help("write --code STEP=FILE"));
        };
        let named = plan.steps.at(&StepPath::new(word));
        let Some(path) = named
            .or_else(|| plan.steps.with_id(word))
            .map(|step| step.path.clone())
        else {
            let message = format!("the workflow `{}` has no step `{}`", plan.name, line(word));
            return Err(Error::usage(code::UNKNOWN_STEP, message));
        };
        let bytes = read_source(context, Path::new(file))?;
        let step = steps.iter_mut().find(|step| step.path == path);
        let Some(StepKind::Python(python)) = step.map(|step| &mut step.kind) else {
            let message = format!("step `{path}` runs no code");
            return Err(Error::usage(code::USAGE, message));
        };
        python.code = Digest::of(&bytes);
        python.file_name = file.to_owned();
        blobs.push((python.code, bytes));
    }
    plan.steps = Steps::from(steps);
    Ok((plan, blobs))
}

fn show(context: &Context, chosen: &Forking) {
    let copied: Vec<String> = chosen
        .copied
        .iter()
        .rev()
        .map(|copied| format!("{}  ({})", line(copied.step.as_str()), copied.status.told()))
        .collect();
    confirm::list(context, "copied", &copied);
    let runs: Vec<String> = chosen
        .runs
        .iter()
        .map(|path| {
            let again = chosen.affected.contains(path);
            let writes = chosen.writes.contains(path);
            let loud = match (again, writes) {
                (true, true) => "  (had succeeded)  MAY WRITE ONCE MORE",
                (true, false) => "  (had succeeded)",
                (false, true) => "  may write",
                (false, false) => "",
            };
            format!("{}{loud}", line(path.as_str()))
        })
        .collect();
    confirm::list(context, "runs", &runs);
}
