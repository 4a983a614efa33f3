//! The library in use, one file for each subject. `cargo run --example library -- call` runs one of them.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example talks to whoever tries it"
)]

mod acceptance;
mod action;
mod adaptive;
mod approval;
mod call;
mod capability;
mod debugging;
mod environment;
mod pipeline;

use std::process::ExitCode;

use stepwell::{OpenOptions, PythonExecutorError, PythonExecutorService};

fn main() -> ExitCode {
    // Stepwell starts this program again to watch over the processes of steps.
    if let Some(done) = stepwell::executor::local::helper() {
        return done;
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            println!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(std::env::args().nth(1).as_deref())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(subject: Option<&str>) -> Result<(), PythonExecutorError> {
    let options = OpenOptions::new("data");
    if subject == Some("action") {
        println!("{:#}", action::act(options).await?);
        return Ok(());
    }
    let service = PythonExecutorService::open(options).await?;
    let document = match subject {
        Some("call") => call::call(&service).await?,
        Some("capability") => capability::analyse(&service).await?,
        Some("approval") => approval::approve(&service).await?,
        Some("environment") => environment::choose(&service).await?,
        Some("pipeline") => pipeline::multi_stage_analysis(&service).await?,
        Some("adaptive") => adaptive::adaptive_execution(&service, 0.9).await?,
        Some("acceptance") => acceptance::acceptance(&service).await?,
        Some("debugging") => debugging::introspect(&service),
        Some(_) | None => {
            "one of: call capability approval environment pipeline adaptive acceptance debugging action"
                .into()
        }
    };
    println!("{document:#}");
    Ok(())
}
