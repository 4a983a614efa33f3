//! `stepwell signal`: hand a signal to a run.

use clap::Args;
use serde_json::Value;

use super::super::error::Error;
use super::super::{Context, Exit, drive, find, person};
use crate::code;
use crate::run::payload::Values;
use crate::run::{Command, run_json};

/// Hand a signal to a run; it is kept until a step takes it
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// Name of the signal, as in `wait: {signal: NAME}`
    #[arg(value_name = "NAME")]
    name: String,
    /// What it carries: a JSON object
    #[arg(value_name = "JSON")]
    payload: Option<String>,
    /// The same key again is the same signal, and changes nothing
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Go on in the foreground at once
    #[arg(long)]
    resume: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: Arguments,
) -> Result<Exit, Error> {
    let payload = payload(arguments.payload.as_deref())?;
    let opened = if arguments.resume {
        context.open_for_run().await?
    } else {
        context.open().await?
    };
    let run = find::run(&opened, &arguments.run).await?;
    let command = Command::Signal {
        name: arguments.name.clone(),
        payload,
        key: arguments.key,
    };
    let state = opened.engine.command(run, person::actor(), command).await?;
    if arguments.resume {
        return drive::drive_and_tell(context, &opened, run).await;
    }
    if context.output.is_json() {
        context.output.document(&run_json(&state));
        return Ok(Exit::Succeeded);
    }
    let resume = context.settings.command(&format!("resume {}", run.short()));
    let text = format!(
        "{run} has the signal `{}`; if nothing drives it, type\n  {resume}\n",
        arguments.name
    );
    context.output.text(&text);
    Ok(Exit::Succeeded)
}

fn payload(text: Option<&str>) -> Result<Values, Error> {
    let Some(text) = text else {
        return Ok(Values::new());
    };
    let wrong = |message: String| {
        Error::usage(code::BAD_SIGNAL, message)
            .help("give a JSON object, for example '{\"dose\": 3}'")
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(payload)) => Ok(payload),
        Ok(_) => Err(wrong("the payload is no JSON object".to_owned())),
        Err(error) => Err(wrong(format!("the payload is no JSON: {error}"))),
    }
}
