//! `stepwell request-changes`: not like this, and what should be different.

use clap::Args;

use super::super::answer::{self, Question};
use super::super::error::Error;
use super::super::{Context, Exit};
use crate::run::payload::Answer;

/// Send a question back; --comment says what should change
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    question: Question,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: Arguments,
) -> Result<Exit, Error> {
    answer::answer(context, arguments.question, Answer::RequestChanges).await
}
