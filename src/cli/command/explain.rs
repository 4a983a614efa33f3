//! `stepwell explain`: the page of a code.

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::view::text::line;
use super::super::{Context, Exit};
use crate::code::{self, Code};
use crate::diagnostic::did_you_mean;

/// Explain a code of an error or a warning; without one, list them all
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The word between the brackets of `error[…]`
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    let Some(word) = &arguments.code else {
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
