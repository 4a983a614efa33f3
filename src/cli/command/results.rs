//! `stepwell results`: what a run gave out, and what its steps left.

use clap::Args;
use serde_json::{Map, Value, json};

use super::super::error::Error;
use super::super::{Context, Exit, find};
use crate::code;
use crate::plan::Step;
use crate::run::{
    Reveal, RunState, StepState, reused_json, shown_outputs, shown_results, shown_run_outputs,
};

/// Print the outputs of a run and the results of its steps, as JSON
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// Only this step
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// Show sensitive outputs too
    #[arg(long)]
    reveal: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let state = find::state(&opened, &arguments.run).await?;
    let reveal = if arguments.reveal {
        Reveal::Yes
    } else {
        Reveal::No
    };
    let document = match &arguments.step {
        None => whole(&state, reveal),
        Some(word) => {
            let (step, step_state) = find::step(&state, word)?;
            if step_state.outputs.is_none() && step_state.result.is_none() {
                let message = format!(
                    "the step `{}` has no results: it is {}",
                    step_state.path,
                    step_state.status.as_str()
                );
                return Err(Error::usage(code::NOTHING_RECORDED, message)
                    .help("`stepwell show RUN` says why"));
            }
            of_step(step, step_state, reveal)
        }
    };
    // Results are data: the text is the same JSON, so that it can be read by eye and by programs.
    context.output.document(&document);
    Ok(Exit::Succeeded)
}

fn whole(state: &RunState, reveal: Reveal) -> Value {
    let steps: Map<String, Value> = state
        .steps()
        .filter(|(_, step)| step.outputs.is_some() || step.result.is_some())
        .map(|(step, step_state)| {
            let document = of_step(step, step_state, reveal);
            (step_state.path.as_str().to_owned(), document)
        })
        .collect();
    json!({
        "run_id": state.run,
        "status": state.status(),
        "outputs": state.ending.as_ref().map(|ending| shown_run_outputs(state, &ending.outputs, reveal)),
        "steps": steps,
    })
}

fn of_step(step: &Step, state: &StepState, reveal: Reveal) -> Value {
    let result = state.result.as_ref();
    let outputs = state.outputs.as_ref();
    let results = result.and_then(|result| result.results.as_ref());
    let mut document = json!({
        "status": state.status,
        "outputs": outputs.map(|outputs| shown_outputs(step, outputs, reveal)),
        "results": results.map(|results| shown_results(step, results, reveal)),
        "figures": result.map(|result| result.figures.as_slice()).unwrap_or_default(),
        "artifacts": result.map(|result| result.artifacts.as_slice()).unwrap_or_default(),
        "notes": result.map(|result| result.notes.as_slice()).unwrap_or_default(),
    });
    if let (Some(at), Some(fields)) = (state.files_removed, document.as_object_mut()) {
        fields.insert("files_removed".to_owned(), json!(at));
    }
    if let (Some(reused), Some(fields)) = (&state.look.reused, document.as_object_mut()) {
        fields.insert("reused_from".to_owned(), reused_json(reused));
    }
    document
}
