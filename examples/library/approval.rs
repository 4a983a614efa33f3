// Code that writes waits for a person: for as long as it takes, over restarts, and runs once.

use serde_json::{Value, json};
use stepwell::service::Command;
use stepwell::{
    Outcome, PythonExecutionRequest, PythonExecutorError, PythonExecutorService, RunnableConfig,
};

pub(crate) async fn approve(service: &PythonExecutorService) -> Result<Value, PythonExecutorError> {
    let request = PythonExecutionRequest::new("Set the corrector", "", "set_corrector")
        .code("print('writing')\nresults = {'written': True}\n");
    let config = RunnableConfig::thread("set_corrector").execution_mode("readwrite");

    let outcome = service.invoke(request, &config).await?;
    let Outcome::Waiting(waiting) = outcome else {
        return Ok(outcome.to_json());
    };
    // Show these to a person: the code, what was found in it, the mode, the inputs, a notebook.
    let Some(asked) = waiting.approvals.first() else {
        return Ok(json!(waiting));
    };
    // Later, perhaps in another process. The digest binds the yes to exactly what was shown.
    let yes = Command::approve()
        .by("shift_lead")
        .seen(asked.subject_digest);
    let outcome = service.invoke(yes, &config).await?;
    Ok(outcome.to_json())
}
