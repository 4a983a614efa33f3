// The acceptance tests of a deployment.

use serde_json::{Value, json};
use stepwell::{
    Outcome, PythonExecutionRequest, PythonExecutorError, PythonExecutorService, RunnableConfig,
};

pub(crate) async fn acceptance(
    service: &PythonExecutorService,
) -> Result<Value, PythonExecutorError> {
    // Local execution
    let request = PythonExecutionRequest::new(
        "Test local execution",
        "Simple mathematical calculation",
        "test_local",
    )
    .code("results = {'answer': 6 * 7}\n");
    let config = RunnableConfig::thread("test_local").execution_method("local");
    let local = service.invoke(request, &config).await?.or_failure()?;
    let success = local
        .completed()
        .is_some_and(|result| result.execution_result.success);

    // Error handling
    let request = PythonExecutionRequest::new(
        "Test error handling",
        "Generate code with intentional error",
        "test_error",
    )
    .code("results = {'answer': 1 / 0}\n");
    let outcome = service
        .invoke(request, &RunnableConfig::thread("test_error"))
        .await?;
    let caught = match outcome {
        Outcome::Failed(PythonExecutorError::CodeRuntimeError(error)) => Some(error.message),
        Outcome::Failed(_) | Outcome::Completed(_) | Outcome::Waiting(_) | Outcome::Rejected(_) => {
            None
        }
    };
    Ok(json!({"local": success, "caught": caught}))
}
