//! `stepwell schema`: the workflow language for editors.

use clap::Args;

use super::super::error::Error;
use super::super::{Context, Exit};
use crate::workflow;

/// Print a JSON Schema of the workflow language, with which editors complete keys
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {}

pub(in crate::cli) fn perform(context: &Context, _arguments: &Arguments) -> Result<Exit, Error> {
    context.output.document(&workflow::schema());
    Ok(Exit::Succeeded)
}
