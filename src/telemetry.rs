//! What the program says about itself while it works: tracing to one writer, filtered.

use std::io::Write;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// Starts logging. `filter` is written as in `RUST_LOG`, for example `stepwell=debug`; every line about a run
/// carries its id in the field `run`, its own or that of the span around it.
///
/// # Errors
/// The filter can't be understood.
pub fn start<W: Write + Send + 'static>(
    filter: &str,
    colours: bool,
    writer: impl Fn() -> W + Send + Sync + 'static,
) -> Result<(), ParseError> {
    // The span that names the run is there whichever part is asked for.
    let filter = EnvFilter::builder().parse(filter)?;
    let filter = filter.add_directive("stepwell::run=error".parse()?);
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(writer)
        .try_init();
    // In one process a second start changes nothing: the first subscriber stays.
    drop(started);
    Ok(())
}
