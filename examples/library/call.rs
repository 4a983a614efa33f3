// A request to the service, and every way that it can end.

use std::time::Duration;

use serde_json::{Value, json};
use stepwell::{
    Outcome, PythonExecutionRequest, PythonExecutorError, PythonExecutorService, RunnableConfig,
};

pub(crate) async fn call(service: &PythonExecutorService) -> Result<Value, PythonExecutorError> {
    let request = PythonExecutionRequest::new(
        "How noisy is the beam position?",
        "Mean and spread of the samples",
        "analysis",
    )
    .expecting("mean and spread in micrometres")
    .context_value("samples", json!([1.0, 2.0, 4.0]))
    .code(
        "import statistics\n\
         results = {'mean': statistics.mean(context.samples), 'spread': statistics.pstdev(context.samples)}\n",
    );
    let config = RunnableConfig::thread("analysis_default")
        .execution_mode("readonly")
        .max_execution_time(Duration::from_secs(300));

    let answer = match service.invoke(request, &config).await? {
        Outcome::Completed(result) => json!({
            "success": result.is_successful(),
            "results": result.execution_result.results,
            "notebook_link": result.execution_result.notebook_link,
        }),
        Outcome::Waiting(waiting) => json!({"success": null, "waiting": waiting.user_message}),
        Outcome::Rejected(no) => json!({"success": false, "error": no.reason}),
        Outcome::Failed(PythonExecutorError::CodeRuntimeError(error)) => {
            json!({"success": false, "error": error.message, "traceback": error.traceback})
        }
        Outcome::Failed(error) => {
            json!({"success": false, "error": error.message(), "error_type": error.category()})
        }
    };
    Ok(answer)
}
