//! The `stepwell` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next().as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("__supervise") => stepwell::executor::local::supervise(args),
        Some("__launch") => stepwell::executor::local::launch(args),
        Some(_) | None => stepwell::cli::run(std::env::args_os()),
    }
}
