//! The `stepwell` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    stepwell::executor::local::helper().unwrap_or_else(|| stepwell::cli::run(std::env::args_os()))
}
