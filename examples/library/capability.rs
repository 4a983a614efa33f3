// Python as one ability of a larger component: what is wanted and what there is come from a shared context.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell::service::{ContextStore, ContextType};
use stepwell::{PythonCapability, PythonExecutorError, PythonExecutorService, RunnableConfig};

/// What another component has measured.
#[derive(Debug, Serialize, Deserialize)]
struct AnalysisData {
    values: Vec<f64>,
}

impl ContextType for AnalysisData {
    const TYPE: &'static str = "ANALYSIS_DATA";
    const DESCRIPTION: &'static str = "samples of the beam current in milliampere";
}

pub(crate) async fn analyse(service: &PythonExecutorService) -> Result<Value, PythonExecutorError> {
    let mut context = ContextStore::new();
    context.put(
        "morning",
        &AnalysisData {
            values: vec![1.0, 2.0],
        },
    )?;
    context.put(
        "evening",
        &AnalysisData {
            values: vec![3.0, 5.0],
        },
    )?;
    context.set_capability_context_data(
        "python_context",
        json!({
            "task_objective": "Analyze data and generate insights: drift over the day",
            "data_available": context.get::<AnalysisData>("morning")?.is_some(),
            "analysis_requirements": ["Generate statistical summary", "Identify trends and patterns"],
            "expected_results": "Statistical analysis with insights",
            "code": "data = context.ANALYSIS_DATA\n\
                     mean = lambda one: sum(one['values']) / len(one['values'])\n\
                     results = {'drift': mean(data.evening) - mean(data.morning)}\n",
        }),
    );

    let capability = PythonCapability::new(service);
    let result = capability
        .execute(&context, &RunnableConfig::thread("drift"))
        .await?;
    // success, analysis_completed, generated_code, execution_output, analysis_results, … or error
    Ok(result.to_capability_json())
}
