//! The Jupyter servers of container execution.

use super::check::Check;
use super::trial::Trial;
use crate::cli::Context;
use crate::cli::view::text::line;
use crate::config::{Config, Container};
use crate::executor::jupyter::{JupyterExecutor, Probe};
use crate::plan::{Execution, Method, Mode};

/// Tries the servers of both modes, when steps may run there.
pub(super) async fn containers(context: &Context, trial: &Trial) -> Vec<Check> {
    let Ok(mut config) = context.config() else {
        return Vec::new();
    };
    if !are_meant(&config) {
        return vec![Check::ok(
            "containers",
            "not set up; every step runs on this machine unless a workflow says otherwise",
        )];
    }
    let mut checks = Vec::from_iter(trial.unshared(&mut config));
    let executor = trial.place.container_executor(&config);
    for mode in [Mode::ReadOnly, Mode::WriteAccess] {
        checks.extend(of_mode(&executor, mode).await);
    }
    checks.extend(unsent(&config));
    checks
}

/// Whether somebody has said anything of containers.
pub(in crate::cli) fn are_meant(config: &Config) -> bool {
    let execution = &config.execution;
    let modes = &execution.modes;
    let said = [
        &execution.container,
        &modes.read_only.container,
        &modes.write_access.container,
    ];
    execution.method != Execution::Local
        || said
            .iter()
            .any(|container| **container != Container::default())
}

async fn of_mode(executor: &JupyterExecutor, mode: Mode) -> Vec<Check> {
    let probes = executor.probe(mode).await;
    let probes = probes.into_iter();
    probes
        .map(|Probe { what, found, lacking }| match found {
            Ok(text) => {
                let text = format!("{mode}, {what}: {}", line(&text));
                match lacking {
                    None => Check::ok("containers", text),
                    Some(lacking) => Check::warn("containers", format!("{text}; not held: {lacking}"))
                        .help("whoever starts the container sets that; docs/security.md says what code in a kernel may do"),
                }
            }
            Err(failure) => {
                let text = format!(
                    "{mode}, {what}: {} ({})",
                    line(&failure.message),
                    failure.code
                );
                let check = Check::fail("containers", text);
                match failure.hint {
                    Some(hint) => check.help(hint),
                    None => check.help(format!("`stepwell explain {}` says more", failure.code)),
                }
            }
        })
        .collect()
}

/// Servers that are described and that nothing is sent to unless a workflow says so.
fn unsent(config: &Config) -> Option<Check> {
    let execution = &config.execution;
    let used = match execution.method {
        Execution::Container => true,
        Execution::Auto => execution
            .select
            .iter()
            .any(|rule| rule.method == Method::Container),
        Execution::Local => false,
    };
    (!used).then(|| {
        Check::ok(
            "containers",
            format!(
                "`execution_method: {}` sends no step there; a workflow or `run --execution` may",
                execution.method
            ),
        )
    })
}
