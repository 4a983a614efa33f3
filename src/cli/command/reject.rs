//! `stepwell reject`: no, and why.

use clap::Args;

use super::super::answer::{self, Question};
use super::super::error::Error;
use super::super::{Context, Exit};
use crate::run::payload::Answer;

/// Answer a question with no; --comment says why
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    question: Question,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: Arguments,
) -> Result<Exit, Error> {
    answer::answer(context, arguments.question, Answer::Reject).await
}
