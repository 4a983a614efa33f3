//! The same job from another component: everything comes from the context that components share.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    ContextStore, ExpectedResults, Outcome, PythonExecutionRequest, PythonExecutorError,
    PythonExecutorService, PythonResults, RunnableConfig, Waiting,
};
use crate::code;

/// Under this name components leave what is wanted.
const CONTEXT: &str = "python_context";

/// Python as one ability of many. What is wanted is read from `python_context` of the store: `task_objective`,
/// `expected_results`, `analysis_requirements`, and, when there is code already, `code`. Everything else in the
/// store is what the code sees as `context`.
///
/// ```standalone_crate
#[doc = include_str!("../../examples/library/capability.rs")]
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
/// # fn main() -> std::process::ExitCode { with_service("", "", async |service| {
/// # let answer = analyse(&service).await?;
/// # assert_eq!(answer["analysis_results"], json!({"drift": 2.5}), "{answer:#}");
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone)]
pub struct PythonCapability {
    service: PythonExecutorService,
}

/// What other components read: `is_successful`, `PYTHON_RESULTS`, `error`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct PythonCapabilityResult {
    /// Whether there are results.
    pub is_successful: bool,
    /// The results.
    #[serde(rename = "PYTHON_RESULTS")]
    pub python_results: Option<PythonResults>,
    /// Why there are none.
    pub error: Option<String>,
    /// The same for programs.
    pub failure: Option<PythonExecutorError>,
    /// What is waited for; then there is no error.
    pub waiting: Option<Box<Waiting>>,
}

impl PythonCapability {
    /// The ability of that service.
    #[must_use]
    pub fn new(service: &PythonExecutorService) -> Self {
        Self {
            service: service.clone(),
        }
    }

    /// Does what `python_context` wants.
    ///
    /// # Errors
    /// `python_context` is missing or wrong, or the request was refused; or the store failed. What goes wrong in the
    /// code is in the result.
    pub async fn execute(
        &self,
        context: &ContextStore,
        config: &RunnableConfig,
    ) -> Result<PythonCapabilityResult, PythonExecutorError> {
        let request = request(context)?;
        Ok(self.service.invoke(request, config).await?.into())
    }
}

impl From<Outcome> for PythonCapabilityResult {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed(result) => Self {
                is_successful: result.is_successful(),
                python_results: Some(result.python_results()),
                ..Self::default()
            },
            Outcome::Waiting(waiting) => Self {
                waiting: Some(waiting),
                ..Self::default()
            },
            Outcome::Rejected(rejected) => {
                let by = rejected.by.unwrap_or_default();
                let reason = rejected.reason.unwrap_or_default();
                Self {
                    error: Some(format!("rejected by {by}: {reason}")),
                    ..Self::default()
                }
            }
            Outcome::Failed(error) => Self {
                error: Some(error.message().to_owned()),
                failure: Some(error),
                ..Self::default()
            },
        }
    }
}

fn request(context: &ContextStore) -> Result<PythonExecutionRequest, PythonExecutorError> {
    let Some(Value::Object(wanted)) = context.get_capability_context_data(CONTEXT) else {
        let message = format!("the context has no map `{CONTEXT}`");
        return Err(PythonExecutorError::request(code::MISSING_KEY, message)
            .hint("set_capability_context_data(\"python_context\", {\"task_objective\": …})"));
    };
    let mut request = PythonExecutionRequest::default();
    for (name, value) in wanted {
        take(&mut request, &name, value)?;
    }
    let mut data = context.to_context();
    data.remove(CONTEXT);
    request.capability_context_data = data;
    let described = context.without(CONTEXT).describe();
    if !described.is_empty() {
        request.capability_prompts.push(described);
    }
    if request.execution_folder_name.is_empty() {
        "python_capability".clone_into(&mut request.execution_folder_name);
    }
    Ok(request)
}

/// One entry of `python_context`.
fn take(
    request: &mut PythonExecutionRequest,
    name: &str,
    value: Value,
) -> Result<(), PythonExecutorError> {
    match (name, value) {
        ("task_objective", Value::String(text)) => request.task_objective = text,
        ("user_query", Value::String(text)) => request.user_query = text,
        ("execution_folder_name", Value::String(text)) => request.execution_folder_name = text,
        ("code", Value::String(text)) => request.code = Some(text),
        ("expected_results", Value::String(text)) => {
            request.expected_results = Some(ExpectedResults::Text(text));
        }
        ("expected_results", Value::Object(map)) => {
            request.expected_results = Some(ExpectedResults::Map(map));
        }
        ("data_available", Value::Bool(there)) => {
            let sentence = if there {
                "the data is in `context`"
            } else {
                "there is no data in `context`"
            };
            request.capability_prompts.push(sentence.to_owned());
        }
        ("analysis_requirements", Value::Array(items)) => {
            for item in items {
                match item {
                    Value::String(text) => request.capability_prompts.push(text),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::Array(_)
                    | Value::Object(_) => return Err(wrong(name)),
                }
            }
        }
        (name, _) => return Err(wrong(name)),
    }
    Ok(())
}

fn wrong(name: &str) -> PythonExecutorError {
    let message = format!("`{CONTEXT}.{name}` is unknown or of the wrong type");
    PythonExecutorError::request(code::UNKNOWN_KEY, message).hint(
        "it takes task_objective, user_query, expected_results, analysis_requirements, data_available, \
         execution_folder_name and code",
    )
}

impl PythonCapabilityResult {
    /// The normalised answer of a component: `success`, `analysis_completed`, `generated_code`, `execution_output`,
    /// `analysis_results`, `visualizations`, `notebook_link`, `execution_time`, `error`.
    #[must_use]
    pub fn to_capability_json(&self) -> Value {
        let mut document = Map::new();
        let mut put = |name: &str, value: Value| {
            document.insert(name.to_owned(), value);
        };
        put("success", self.is_successful.into());
        put("analysis_completed", self.is_successful.into());
        if let Some(results) = &self.python_results {
            put("generated_code", results.code.as_str().into());
            put("execution_output", results.output.as_str().into());
            put("analysis_results", results.results.clone());
            put("visualizations", serde_json::json!(results.figure_paths));
            put("notebook_link", serde_json::json!(results.notebook_link));
            put("execution_time", results.execution_time.into());
        }
        if let Some(error) = &self.error {
            put("error", error.as_str().into());
        }
        Value::Object(document)
    }
}
