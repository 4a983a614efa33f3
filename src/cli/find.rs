//! What a person's abbreviations mean: runs, questions and steps.

use super::Context;
use super::error::Error;
use super::open::Opened;
use super::view::text::{line, time};
use crate::code;
use crate::diagnostic::did_you_mean;
use crate::id::{ApprovalId, RunId, StepPath};
use crate::plan::Step;
use crate::run::{RunState, RunStatus, RunSummary, StepState};
use crate::store::{self, ListQuery};
use crate::time::Timestamp;

/// Candidates that an ambiguous word lists.
const CANDIDATES_MAX: usize = 8;
/// Ended runs in which a question that is not open is looked for, so that the same answer given twice is no error.
const ENDED_SEARCHED_MAX: usize = 200;

/// Runs that may have open questions.
const UNFINISHED: [RunStatus; 4] = [
    RunStatus::Pending,
    RunStatus::Running,
    RunStatus::Waiting,
    RunStatus::Paused,
];

/// The one run that the word means: an id, the beginning or the end of one, or `@last`.
pub(super) async fn run(opened: &Opened, word: &str) -> Result<RunId, Error> {
    let found = opened.engine.resolve(word, CANDIDATES_MAX).await?;
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(unknown_run(word)),
        several => Err(ambiguous_run(opened, word, several).await),
    }
}

fn unknown_run(word: &str) -> Error {
    let message = if word == store::LAST {
        "there are no runs yet".to_owned()
    } else {
        format!("there is no run `{}`", line(word))
    };
    Error::usage(code::UNKNOWN_RUN, message).help("`stepwell list` shows the runs")
}

async fn ambiguous_run(opened: &Opened, word: &str, candidates: &[RunId]) -> Error {
    let message = format!("`{}` may mean several runs", line(word));
    let mut error = Error::usage(code::AMBIGUOUS_RUN, message);
    for run in candidates {
        let row = match opened.engine.state(*run).await {
            Ok(state) => format!(
                "{run}  {}  {}  {}",
                state.plan.name,
                state.status().as_str(),
                time(state.created_at)
            ),
            Err(_) => run.to_string(),
        };
        error = error.help(row);
    }
    error
}

/// The state of the run that the word means.
pub(super) async fn state(opened: &Opened, word: &str) -> Result<RunState, Error> {
    let run = run(opened, word).await?;
    Ok(opened.engine.state(run).await?)
}

/// The step that the word means: its path, or the id that the author wrote.
pub(super) fn step<'a>(
    state: &'a RunState,
    word: &str,
) -> Result<(&'a Step, &'a StepState), Error> {
    state
        .step(&StepPath::new(word))
        .or_else(|| state.step_with_id(word))
        .ok_or_else(|| {
            let known: Vec<&str> = state
                .plan
                .steps
                .iter()
                .map(|step| step.path.as_str())
                .collect();
            let message = format!(
                "the workflow `{}` has no step `{}`",
                state.plan.name,
                line(word)
            );
            let error = Error::usage(code::UNKNOWN_STEP, message);
            match did_you_mean(word, known.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help(format!("its steps are {}", known.join(", "))),
            }
        })
}

/// That the files of the step are still kept.
pub(super) fn files_kept(state: &RunState, step: &StepState) -> Result<(), Error> {
    removed(
        &format!("the files of `{}`", step.path),
        state,
        step.files_removed,
    )
}

/// That the files of the run itself are still kept.
pub(super) fn own_files_kept(state: &RunState) -> Result<(), Error> {
    removed("the files of the run", state, state.files_removed)
}

fn removed(what: &str, state: &RunState, at: Option<Timestamp>) -> Result<(), Error> {
    let Some(at) = at else { return Ok(()) };
    let message = format!(
        "{what} were removed on {}, since their time was over",
        time(at)
    );
    let help = format!("`stepwell show {}` tells what happened", state.run.short());
    Err(Error::usage(code::FILES_REMOVED, message).help(help))
}

/// The run and the question that the word means: an approval id or its beginning, or a run with one open question.
pub(super) async fn approval(
    context: &Context,
    opened: &Opened,
    word: &str,
) -> Result<(RunState, ApprovalId), Error> {
    if word.starts_with("apr_") {
        return approval_by_id(opened, word).await;
    }
    let state = state(opened, word).await?;
    let open: Vec<ApprovalId> = state
        .open_approvals()
        .map(|asked| asked.request.approval.clone())
        .collect();
    match open.as_slice() {
        [one] => {
            let one = one.clone();
            Ok((state, one))
        }
        [] => {
            let message = format!(
                "the run {} has no open question ({})",
                state.run,
                state.status().as_str()
            );
            Err(Error::usage(code::NO_OPEN_APPROVAL, message).help(format!(
                "`{}` says more",
                context
                    .settings
                    .command(&format!("show {}", state.run.short()))
            )))
        }
        several => {
            let message = format!("the run {} has {} open questions", state.run, several.len());
            let error =
                Error::usage(code::AMBIGUOUS_APPROVAL, message).help("name the one you answer:");
            Err(state.open_approvals().fold(error, |error, asked| {
                let request = &asked.request;
                error.help(format!(
                    "{}  {}  {}",
                    request.approval,
                    request.step,
                    line(&request.title)
                ))
            }))
        }
    }
}

async fn approval_by_id(opened: &Opened, word: &str) -> Result<(RunState, ApprovalId), Error> {
    let mut found = Vec::new();
    for row in rows(opened, &UNFINISHED, usize::MAX).await? {
        let in_row = row
            .questions
            .iter()
            .filter(|question| !question.is_inside())
            .filter(|question| question.approval.as_str().starts_with(word));
        found.extend(in_row.map(|question| (row.run, question.approval.clone())));
        // The row keeps only the first questions; the history has the rest, and the decided ones.
        if found.is_empty() && row.questions.len() >= RunSummary::QUESTIONS_MAX {
            found.extend(asked_in(opened, row.run, word).await);
        }
    }
    if found.is_empty() {
        for row in rows(opened, &[], ENDED_SEARCHED_MAX).await? {
            found.extend(asked_in(opened, row.run, word).await);
        }
    }
    match found.as_slice() {
        [(run, approval)] => Ok((opened.engine.state(*run).await?, approval.clone())),
        [] => Err(Error::usage(
            code::UNKNOWN_APPROVAL,
            format!("there is no question `{}`", line(word)),
        )
        .help("`stepwell approvals` lists the open ones")),
        several => {
            let message = format!("`{}` may mean several questions", line(word));
            Err(several.iter().fold(
                Error::usage(code::AMBIGUOUS_APPROVAL, message),
                |error, (run, id)| error.help(format!("{id}  of {run}")),
            ))
        }
    }
}

/// Every question of the run, open or not, whose id begins so. A run that can't be read hides no other.
async fn asked_in(opened: &Opened, run: RunId, word: &str) -> Vec<(RunId, ApprovalId)> {
    let Ok(state) = opened.engine.state(run).await else {
        return Vec::new();
    };
    let known = state
        .approvals
        .keys()
        .filter(|id| id.as_str().starts_with(word));
    known.map(|id| (run, id.clone())).collect()
}

/// The newest rows of these statuses (none = all), at most `limit` of them.
pub(super) async fn rows(
    opened: &Opened,
    statuses: &[RunStatus],
    limit: usize,
) -> Result<Vec<RunSummary>, Error> {
    let query = ListQuery {
        statuses: statuses.to_vec(),
        ..ListQuery::default()
    };
    pages(opened, query, limit).await
}

/// The newest rows that the query means, over as many pages as it takes, at most `limit` rows.
pub(super) async fn pages(
    opened: &Opened,
    mut query: ListQuery,
    limit: usize,
) -> Result<Vec<RunSummary>, Error> {
    let mut rows = Vec::new();
    loop {
        query.limit = (limit - rows.len()).min(store::PAGE_MAX);
        let page = opened.engine.list(query.clone()).await?;
        rows.extend(page.rows);
        rows.truncate(limit);
        query.after = page.next;
        if query.after.is_none() || rows.len() >= limit {
            return Ok(rows);
        }
    }
}
