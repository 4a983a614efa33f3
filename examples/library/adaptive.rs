// A score decides what is done.

use serde_json::Value;
use stepwell::{
    PythonExecutionRequest, PythonExecutorError, PythonExecutorService, RunnableConfig,
};

pub(crate) async fn adaptive_execution(
    service: &PythonExecutorService,
    quality_score: f64,
) -> Result<Value, PythonExecutorError> {
    let (execution_mode, task_objective) = if quality_score > 0.8 {
        (
            "advanced_analysis",
            "Perform comprehensive advanced statistical analysis",
        )
    } else if quality_score > 0.5 {
        (
            "standard_with_preprocessing",
            "Preprocess data and perform standard analysis",
        )
    } else {
        (
            "basic_with_cleaning",
            "Extensive data cleaning and basic analysis",
        )
    };

    let request = PythonExecutionRequest::new(
        format!("Adaptive analysis: {execution_mode}"),
        task_objective,
        format!("adaptive_{execution_mode}"),
    )
    .context_value("data_quality_score", quality_score)
    .context_value("execution_mode", execution_mode)
    .code("results = {'did': context.execution_mode, 'score': context.data_quality_score}\n");

    let outcome = service.invoke(request, &RunnableConfig::default()).await?;
    Ok(outcome.to_json())
}
