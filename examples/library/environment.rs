// Where code runs is one word of the call; a program may choose it by what it knows of the request.

use serde_json::{Value, json};
use stepwell::{
    PythonExecutionRequest, PythonExecutorError, PythonExecutorService, RunnableConfig,
};

/// What is known of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Facts {
    pub(crate) requires_isolation: bool,
    pub(crate) has_special_dependencies: bool,
    pub(crate) estimated_seconds: u64,
    pub(crate) high_security: bool,
}

pub(crate) fn select_execution_environment(facts: Facts) -> &'static str {
    let isolation = facts.high_security || facts.requires_isolation;
    let dependencies = facts.has_special_dependencies || facts.estimated_seconds > 300;
    if isolation || dependencies {
        "container"
    } else {
        "local" // faster for simple operations
    }
}

pub(crate) async fn choose(service: &PythonExecutorService) -> Result<Value, PythonExecutorError> {
    let facts = Facts {
        estimated_seconds: 2,
        ..Facts::default()
    };
    let config = RunnableConfig::default().execution_method(select_execution_environment(facts));
    let request = PythonExecutionRequest::new("", "", "simple").code("results = {'n': 6 * 7}");
    let outcome = service.invoke(request, &config).await?.or_failure()?;
    let results = outcome
        .completed()
        .map(|result| &result.execution_result.results);
    Ok(json!({"results": results}))
}
