//! `stepwell approve`: yes.

use std::path::PathBuf;

use clap::Args;

use super::super::answer::{self, Question};
use super::super::error::Error;
use super::super::{Context, Exit, edit};
use crate::run::payload::Answer;

/// Answer a question with yes
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    question: Question,
    /// Change the code that is asked about to this, `-` for standard input; without FILE, in $EDITOR. It is looked at and
    /// asked about anew, and counts as your yes where you may approve what you changed
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with = "group")]
    edit: Option<Option<PathBuf>>,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: Arguments,
) -> Result<Exit, Error> {
    if let Some(file) = arguments.edit {
        return edit::answer(context, arguments.question, file).await;
    }
    answer::answer(context, arguments.question, Answer::Approve).await
}
