//! `stepwell doctor`: whether everything that runs need is there, and what to do when it isn't.

mod check;
mod containers;
mod control;
mod generators;
mod limits;
mod machine;
mod notebooks;
mod runs;
mod secrets;
mod trial;

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::view::text::{line, painted_mark};
use super::super::{Context, Exit};
use check::{Check, Health};
pub(in crate::cli) use containers::are_meant as containers_are_meant;
use trial::Trial;

/// Check the data folder, the store, Python, the policy and every unfinished run
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {}

pub(in crate::cli) async fn perform(
    context: &Context,
    _arguments: &Arguments,
) -> Result<Exit, Error> {
    let trial = Trial::new(context)?;
    let mut checks = Vec::new();
    checks.extend(machine::configuration(context));
    checks.extend(machine::data_folder(context));
    checks.extend(limits::limits(context));
    checks.extend(machine::python(context, &trial).await);
    checks.extend(machine::isolation(&trial).await);
    checks.extend(machine::environments(context));
    checks.extend(containers::containers(context, &trial).await);
    checks.extend(control::control(context).await);
    checks.extend(generators::generators(context).await);
    checks.extend(runs::store(context).await);
    let failed = checks.iter().any(|check| check.health == Health::Fail);
    context.output.result(
        || json!({"healthy": !failed, "checks": checks}),
        || checks.iter().map(text).collect(),
    );
    Ok(if failed {
        Exit::Failed
    } else {
        Exit::Succeeded
    })
}

fn text(check: &Check) -> String {
    let mark = match check.health {
        Health::Ok => "✓",
        Health::Warn => "!",
        Health::Fail => "✗",
    };
    let mut text = format!(
        "{} {}: {}\n",
        painted_mark(mark),
        check.name,
        line(&check.message)
    );
    if let Some(help) = &check.help {
        text.push_str(&format!("    {}\n", line(help)));
    }
    text
}
