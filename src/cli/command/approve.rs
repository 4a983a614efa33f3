//! `stepwell approve`: yes.

use clap::Args;

use super::super::answer::{self, Question};
use super::super::error::Error;
use super::super::{Context, Exit};
use crate::run::payload::Answer;

/// Answer a question with yes
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    question: Question,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: Arguments,
) -> Result<Exit, Error> {
    answer::answer(context, arguments.question, Answer::Approve).await
}
