// Several stages, each a run with a name of its own: start the program again after a crash, and finished stages are
// found, not repeated.

use serde_json::{Value, json};
use stepwell::service::Pipeline;
use stepwell::{
    PythonExecutionRequest, PythonExecutorError, PythonExecutorService, RunnableConfig,
};

pub(crate) async fn multi_stage_analysis(
    service: &PythonExecutorService,
) -> Result<Value, PythonExecutorError> {
    let mut pipeline = Pipeline::new(service, RunnableConfig::thread("nightly-2026-11-22"));

    // Stage 1: data preprocessing
    let preprocessing = PythonExecutionRequest::new(
        "Data preprocessing stage",
        "Clean and prepare data for analysis",
        "stage1_preprocessing",
    )
    .context_value("raw", json!([1.0, null, 3.0]))
    .code("results = {'clean': [x for x in context.raw if x is not None]}\n");
    let stage1 = pipeline.stage("preprocessing", preprocessing).await?;

    // Stage 2: statistical analysis, with the results of stage 1
    if let Some(preprocessed) = stage1 {
        let analysis = PythonExecutionRequest::new(
            "Statistical analysis stage",
            "Perform statistical analysis on preprocessed data",
            "stage2_analysis",
        )
        .context_value("preprocessing_results", preprocessed)
        .code("clean = context.preprocessing_results.clean\nresults = {'mean': sum(clean) / len(clean)}\n");
        pipeline.stage("analysis", analysis).await?;
    }

    // {"pipeline_completed": true, "stages": {"preprocessing": …, "analysis": …}}
    Ok(pipeline.to_json())
}
