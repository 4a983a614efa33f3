//! The options that let code run although a result of it is kept.

use clap::Args;

use super::error::Error;
use super::view::text::line;
use crate::code;
use crate::diagnostic::did_you_mean;
use crate::id::StepPath;
use crate::plan::Plan;
use crate::run::payload::CacheBypassed;

/// What takes no kept result.
#[derive(Debug, Args)]
pub(super) struct Bypass {
    /// Run every step, whatever results the cache has
    #[arg(long)]
    no_cache: bool,
    /// Run this step, and what is inside it, whatever results the cache has
    #[arg(long, value_name = "STEP")]
    refresh: Vec<String>,
}

impl Bypass {
    /// The same for the run; every step that is named is one of this plan.
    pub(super) fn wish(&self, plan: &Plan) -> Result<CacheBypassed, Error> {
        for word in &self.refresh {
            // The key of an item, and the steps of a run inside, are not in the plan.
            let head = word.split(['[', '/']).next().unwrap_or_default();
            let known = plan.steps.at(&StepPath::new(head)).is_some();
            if !known && plan.steps.with_id(head).is_none() {
                return Err(unknown(plan, word));
            }
        }
        Ok(CacheBypassed {
            all: self.no_cache,
            steps: self.refresh.iter().map(StepPath::new).collect(),
        })
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        !self.no_cache && self.refresh.is_empty()
    }
}

fn unknown(plan: &Plan, word: &str) -> Error {
    let message = format!("the workflow `{}` has no step `{}`", plan.name, line(word));
    let error = Error::usage(code::UNKNOWN_STEP, message);
    let known: Vec<&str> = plan.steps.iter().map(|step| step.path.as_str()).collect();
    match did_you_mean(word, known.iter().copied()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("its steps are {}", known.join(", "))),
    }
}
