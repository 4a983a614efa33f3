// A step that does what this program brings along: `action: logbook.entry` of a workflow calls `Logbook`.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use stepwell::action::{Action, Call};
use stepwell::code;
use stepwell::engine::NewRun;
use stepwell::failure::{Failure, FailureKind};
use stepwell::plan::Mode;
use stepwell::run::Actor;
use stepwell::time::BoxFuture;
use stepwell::workflow::{CompileOptions, NoSources, compile};
use stepwell::{OpenOptions, PythonExecutorError, PythonExecutorService};

/// Entries by their keys, so that one that comes twice is one.
#[derive(Debug, Default)]
struct Logbook {
    entries: Mutex<Vec<(String, String)>>,
}

impl Action for Logbook {
    fn name(&self) -> &'static str {
        "logbook.entry"
    }

    // A crash in the middle asks a person; nothing is written twice by itself.
    fn mode(&self) -> Mode {
        Mode::WriteAccess
    }

    fn run(&self, call: Call) -> BoxFuture<'_, Result<Value, Failure>> {
        Box::pin(async move {
            let Some(text) = call.with.get("text").and_then(Value::as_str) else {
                let why = "`with` has no `text`";
                return Err(Failure::new(FailureKind::Code, code::ACTION_FAILED, why));
            };
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            if !entries.iter().any(|(key, _)| *key == call.idempotency_key) {
                entries.push((call.idempotency_key, text.to_owned()));
            }
            Ok(json!({"number": entries.len()}))
        })
    }
}

const WORKFLOW: &str = "
version: 1
name: shift
steps:
  - id: beam
    set: {current: 498.7}
  - id: note
    action: {name: logbook.entry, mode: write_access}
    with: {text: \"Beam at ${{ steps.beam.outputs.current }} mA\"}
    outputs: {number: int}
outputs:
  number: ${{ steps.note.outputs.number }}
";

pub(crate) async fn act(options: OpenOptions) -> Result<Value, PythonExecutorError> {
    let options = options.action(Arc::new(Logbook::default()));
    let service = PythonExecutorService::open(options).await?;

    let settings = CompileOptions::default();
    let made = compile("shift.yml", WORKFLOW.as_bytes(), &NoSources, &settings);
    let Some(plan) = made.plan else {
        return Ok(json!(made.diagnostics));
    };
    let new = NewRun {
        plan: Arc::new(plan),
        blobs: made.blobs,
        inputs: serde_json::Map::new(),
        workflow_folder: None,
        actor: Actor::User("shift_lead".to_owned()),
        scheduled_at: None,
    };
    let run = service.engine().create(new).await?;
    let state = service.engine().settle(run).await?;
    let outputs = state.ending.as_ref().map(|ending| &ending.outputs);
    Ok(json!({
        "status": state.status(),
        "number": outputs.and_then(|outputs| outputs.get("number")),
    }))
}
