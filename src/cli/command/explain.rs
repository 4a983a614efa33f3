//! `stepwell explain`: the page of a code, or why a step of a run did what it did.

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::view::text::{dim, line};
use super::super::{Context, Exit, find};
use super::events;
use crate::code::{self, Code};
use crate::diagnostic::did_you_mean;
use crate::run::{self, Reason, decided_at};

/// Explain a step of a run, or a code of an error; without either, list the codes
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The word between the brackets of `error[…]`; or a run, when a step follows
    #[arg(value_name = "CODE|RUN")]
    word: Option<String>,
    /// The step: why did it run, not run, ask, fail?
    #[arg(value_name = "STEP", requires = "word")]
    step: Option<String>,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    match (&arguments.word, &arguments.step) {
        (Some(run), Some(step)) => of_step(context, run, step).await,
        (word, _) => of_code(context, word.as_deref()),
    }
}

/// Why the step stands where it stands.
async fn of_step(context: &Context, run: &str, step: &str) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let state = find::state(&opened, run).await?;
    let (_, step) = find::step(&state, step)?;
    let history = events::records(&opened, state.run).await?;
    let before = match decided_at(&step.path, &history) {
        Some(seq) => Some(
            opened
                .engine
                .state_at(state.run, seq.saturating_sub(1))
                .await?,
        ),
        None => None,
    };
    let reasons = run::explain(&state, before.as_ref(), &step.path, &history);
    context.output.result(
        || {
            json!({
                "run_id": state.run,
                "step": step.path,
                "status": step.status,
                "reasons": reasons,
            })
        },
        || {
            let head = format!("{} {}\n", line(step.path.as_str()), step.status.told());
            head + &reasons.iter().map(row).collect::<String>()
        },
    );
    Ok(Exit::Succeeded)
}

fn row(reason: &Reason) -> String {
    let event = match (reason.seq, reason.kind) {
        (Some(seq), Some(kind)) => format!("{seq} {kind}"),
        _ => "–".to_owned(),
    };
    format!(
        "  {}  {}\n",
        dim(&format!("{event:<24}")),
        line(&reason.text)
    )
}

fn of_code(context: &Context, word: Option<&str>) -> Result<Exit, Error> {
    let Some(word) = word else {
        let words = || {
            code::ALL
                .iter()
                .map(|entry| entry.code.as_str())
                .collect::<Vec<_>>()
        };
        context
            .output
            .result(|| json!({"codes": words()}), || words().join("\n"));
        return Ok(Exit::Succeeded);
    };
    let code = Code::find(word).ok_or_else(|| unknown(word))?;
    context.output.result(
        || json!({"code": code, "page": code.page()}),
        || code.page().to_owned(),
    );
    Ok(Exit::Succeeded)
}

fn unknown(word: &str) -> Error {
    let error = Error::usage(
        code::UNKNOWN_CODE,
        format!("there is no code `{}`", line(word)),
    );
    match did_you_mean(word, code::ALL.iter().map(|entry| entry.code.as_str())) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("`stepwell explain` lists them all"),
    }
}
