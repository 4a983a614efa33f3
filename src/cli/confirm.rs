//! A yes before steps run again.

use std::io::{self, IsTerminal as _};

use super::Context;
use super::error::Error;
use crate::code;

/// Asks whether to go on; with `--yes` nobody is asked.
///
/// # Errors
/// Nobody can be asked, and nobody said yes.
pub(super) fn confirm(context: &Context, yes: bool) -> Result<bool, Error> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let message = "steps would run again, and there is no terminal to ask whether they may";
        return Err(
            Error::usage(code::NOT_CONFIRMED, message.to_owned()).help("type the same with --yes")
        );
    }
    context.output.aside("Go on? [y/N]");
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    let said = answer.trim().to_lowercase();
    Ok(read.is_ok() && matches!(said.as_str(), "y" | "yes"))
}

/// Prints a list under a title; nothing when it is empty.
pub(super) fn list(context: &Context, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let rows: Vec<String> = items.iter().map(|item| format!("  {item}")).collect();
    context
        .output
        .aside(&format!("{title}\n{}", rows.join("\n")));
}
