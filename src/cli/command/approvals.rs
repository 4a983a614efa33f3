//! `stepwell approvals`: every open question, with all that is needed to answer it.

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::open::Opened;
use super::super::view::panel::You;
use super::super::view::{Frame, question};
use super::super::{Context, Exit, find, group};
use crate::run::{ApprovalState, RunState, RunStatus, approval_json};

/// Show the open questions, of one run or of all
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only this run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: Option<String>,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let Some(opened) = context.open_existing().await? else {
        context.output.result(
            || json!({"approvals": []}),
            || "no open questions\n".to_owned(),
        );
        return Ok(Exit::Succeeded);
    };
    let states = states(context, &opened, arguments.run.as_deref()).await?;
    let you = opened.you();
    let (mut texts, mut documents) = (Vec::new(), Vec::new());
    for state in &states {
        let frame = Frame::load(context, &opened, state).await;
        documents.extend(
            group::in_order(state)
                .into_iter()
                .map(|asked| document(&frame, asked, &you)),
        );
        texts.extend(
            group::in_order(state)
                .into_iter()
                .map(|asked| question::text(&frame, asked)),
        );
        texts.extend(group::hints(context, state));
    }
    if context.output.is_json() {
        context.output.document(&json!({"approvals": documents}));
        return Ok(Exit::Succeeded);
    }
    if texts.is_empty() {
        texts.push("no open questions\n".to_owned());
    }
    context.output.text(&texts.join("\n"));
    Ok(Exit::Succeeded)
}

/// A question, what whoever asks may do with it, and the code of the step that was approved last.
fn document(frame: &Frame<'_>, asked: &ApprovalState, you: &You) -> Value {
    let state = frame.state;
    let request = &asked.request;
    let mut document = approval_json(state, asked);
    if let Some(document) = document.as_object_mut() {
        document.insert("you".to_owned(), you.document(state, asked));
        document.insert("requester".to_owned(), json!(state.starter));
        let analysis = state
            .step(&request.step)
            .and_then(|(_, step)| step.analysis.as_ref());
        let modules = document.get_mut("modules").and_then(Value::as_array_mut);
        for module in modules.into_iter().flatten() {
            add_text(frame, module);
        }
        if let Some(before) = frame.approved(&request.step)
            && let Some(analysis) = analysis
        {
            let diff = question::diff_to(before, frame.code(analysis.code), analysis, request);
            document.insert(
                "approved_before".to_owned(),
                before.document(diff.as_deref()),
            );
        }
    }
    document
}

/// The text of a module in which something was found.
fn add_text(frame: &Frame<'_>, module: &mut Value) {
    let digest = module.get("digest").and_then(Value::as_str);
    let text = digest.and_then(|digest| frame.code(digest.parse().ok()?));
    if let (Some(text), Some(fields)) = (text.map(str::to_owned), module.as_object_mut()) {
        fields.insert("text".to_owned(), Value::from(text));
    }
}

async fn states(
    context: &Context,
    opened: &Opened,
    run: Option<&str>,
) -> Result<Vec<RunState>, Error> {
    if let Some(word) = run {
        return Ok(vec![find::state(opened, word).await?]);
    }
    let mut states = Vec::new();
    // Running ones too: a question may be open while another branch goes on.
    for row in find::rows(
        opened,
        &[RunStatus::Waiting, RunStatus::Running],
        usize::MAX,
    )
    .await?
    {
        if !row.questions.is_empty() {
            match opened.engine.state(row.run).await {
                Ok(state) => states.push(state),
                // One damaged run must not hide the questions of the others.
                Err(error) => context.output.diagnostics(Error::from(error).diagnostics()),
            }
        }
    }
    states.reverse();
    Ok(states)
}
