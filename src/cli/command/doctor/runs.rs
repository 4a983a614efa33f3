//! The store, and whether every unfinished run has a reason to wait.

use super::super::verify::{Verified, verify_run};
use super::check::Check;
use super::{notebooks, secrets};
use crate::cli::edit::NOBODY;
use crate::cli::error::Error;
use crate::cli::open::Opened;
use crate::cli::view::text::{line, time};
use crate::cli::{Context, find};
use crate::id::RunId;
use crate::run::{RunState, RunStatus, StepStatus, nobody_may_approve};
use crate::store::share::Role;

/// The newest runs whose histories and files are checked; `stepwell verify` checks all.
const VERIFIED_RUNS: usize = 20;
/// Unfinished runs that are listed.
const LISTED_RUNS: usize = 100;

/// The store and the runs in it.
pub(super) async fn store(context: &Context) -> Vec<Check> {
    if !context.settings.data.is_dir() {
        return vec![Check::ok("store", "none yet")];
    }
    if context.config().is_err() {
        return vec![Check::warn(
            "store",
            "not looked at, since the configuration has faults",
        )];
    }
    match context.open().await {
        Ok(opened) => {
            let looked = look(context, &opened).await;
            let mut checks = vec![owner(&opened)];
            checks.extend(looked.unwrap_or_else(|error| vec![failed(&error)]));
            for looked in [
                secrets::secrets(&opened).await,
                notebooks::notebooks(context, &opened).await,
            ] {
                checks.extend(looked.unwrap_or_else(|error| vec![failed(&error)]));
            }
            checks
        }
        Err(error) => vec![failed(&error)],
    }
}

/// Which process has the store open.
fn owner(opened: &Opened) -> Check {
    match opened.store.role() {
        Some(Role::Owner { serves: true }) => Check::ok("owner", "no other process has the store open"),
        Some(Role::Owner { serves: false }) => Check::warn(
            "owner",
            "no other process has the store open, and none can use it meanwhile: no socket can be made in the data folder",
        )
        .help("keep the data folder on a local disk"),
        Some(Role::Guest { owner }) => Check::ok("owner", format!("asked through {}", line(&owner))),
        None => Check::warn("owner", "the process that had the store open went away just now"),
    }
}

fn failed(error: &Error) -> Check {
    let words: Vec<String> = error
        .diagnostics()
        .iter()
        .map(|one| one.message.clone())
        .collect();
    let check = Check::fail("store", words.join("; "));
    match error.diagnostics().iter().flat_map(|one| &one.help).next() {
        Some(help) => check.help(help.clone()),
        None => check,
    }
}

async fn look(context: &Context, opened: &Opened) -> Result<Vec<Check>, Error> {
    let newest = find::rows(opened, &[], VERIFIED_RUNS).await?;
    let mut verified = Verified::default();
    for row in &newest {
        let report = opened.engine.verify(Some(row.run)).await?;
        verified.records += report.records;
        verified
            .faults
            .extend(report.faults.iter().map(ToString::to_string));
        verify_run(opened, row.run, &mut verified).await;
    }
    let mut checks = vec![match verified.faults.first() {
        None => {
            let message = format!("opens; the newest {} runs are sound", newest.len());
            Check::ok("store", message)
        }
        Some(first) => Check::fail(
            "store",
            format!("{} faults, first: {first}", verified.faults.len()),
        )
        .help("`stepwell verify` lists them all"),
    }];
    let unfinished = opened.engine.unfinished().await?;
    let left = unfinished.len().saturating_sub(LISTED_RUNS);
    for run in unfinished.into_iter().take(LISTED_RUNS) {
        checks.push(waits(context, opened, run).await);
    }
    if left > 0 {
        checks.push(Check::ok(
            "runs",
            format!("and {left} more unfinished runs"),
        ));
    }
    Ok(checks)
}

async fn waits(context: &Context, opened: &Opened, run: RunId) -> Check {
    let state = match opened.engine.state(run).await {
        Ok(state) => state,
        Err(error) => {
            return Check::fail("run", format!("{run}: {error}"))
                .help("`stepwell verify` says more");
        }
    };
    let what = format!("{} {}", run.short(), line(&state.plan.name));
    if let Some(driver) = opened.store.driver(run) {
        return Check::ok("run", format!("{what} is driven by {}", line(&driver)));
    }
    let people = |role: &str| opened.engine.people_of(role);
    let mut open = state.open_approvals();
    if let Some(asked) = open.find(|asked| nobody_may_approve(&state, asked, None, &people)) {
        let approval = &asked.request.approval;
        let message = format!("{what} waits for an answer to {approval} that can't be yes");
        return Check::warn("run", message).help(NOBODY);
    }
    match reason(&state) {
        Some((reason, command)) => Check::ok("run", format!("{what} {reason}")).help(
            context
                .settings
                .command(&format!("{command} {}", run.short())),
        ),
        None => Check::fail("run", format!("{what} owes nothing and waits for nothing"))
            .help("this is a fault of Stepwell; keep the data folder and report it"),
    }
}

/// Why the run has not ended, as its history records it, and the command that moves it on.
fn reason(state: &RunState) -> Option<(String, &'static str)> {
    match state.status() {
        RunStatus::Pending => return Some(("was created and never begun".to_owned(), "resume")),
        RunStatus::Paused => return Some(("is paused".to_owned(), "resume")),
        RunStatus::Waiting => {
            let asked = state.open_approvals().next()?;
            return Some((
                format!("waits for an answer to {}", asked.request.approval),
                "approvals",
            ));
        }
        RunStatus::Running => {}
        RunStatus::Succeeded | RunStatus::Failed | RunStatus::Rejected | RunStatus::Cancelled => {
            return None;
        }
    }
    if state.cancel.is_some() {
        return Some(("is being cancelled".to_owned(), "resume"));
    }
    let open = state
        .steps()
        .find(|(_, step)| step.open_attempt().is_some());
    if let Some((_, step)) = open {
        return Some((
            format!("left an attempt of {} under way", step.path),
            "resume",
        ));
    }
    let retry = state.steps().find_map(|(_, step_state)| {
        Some((step_state, step_state.retry.as_ref()?)).filter(|_| !step_state.status.is_settled())
    });
    if let Some((step, retry)) = retry {
        return Some((
            format!("tries {} again at {}", step.path, time(retry.at)),
            "resume",
        ));
    }
    let ready = state
        .steps()
        .find(|(_, step)| step.status == StepStatus::Ready);
    ready.map(|(_, step)| (format!("has {} ready to run", step.path), "resume"))
}
