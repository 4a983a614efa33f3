//! Several requests one after the other, as one job: each stage is a run of its own with a name of its own, so a
//! program that died at stage 2 starts again and finds stage 1 done.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{
    Outcome, PythonExecutionRequest, PythonExecutorError, PythonExecutorService, RunnableConfig,
};

/// The stages of a job.
///
/// ```standalone_crate
#[doc = include_str!("../../examples/library/pipeline.rs")]
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
/// # fn main() -> std::process::ExitCode { with_service("", "", async |service| {
/// # let answer = multi_stage_analysis(&service).await?;
/// # assert_eq!(answer["stages"]["analysis"]["execution_result"]["results"], json!({"mean": 2.0}), "{answer:#}");
/// # Ok(()) }) }
/// ```
#[derive(Debug)]
pub struct Pipeline {
    service: PythonExecutorService,
    config: RunnableConfig,
    stages: IndexMap<String, Outcome>,
}

impl Pipeline {
    /// A job without stages yet. The name of the call, with the name of the stage behind it, names each stage.
    #[must_use]
    pub fn new(service: &PythonExecutorService, config: RunnableConfig) -> Self {
        Self {
            service: service.clone(),
            config,
            stages: IndexMap::new(),
        }
    }

    /// Carries out a stage; gives what it left, or nothing when it waits, failed or was rejected.
    ///
    /// # Errors
    /// The request was refused, or the store failed.
    pub async fn stage(
        &mut self,
        name: &str,
        request: PythonExecutionRequest,
    ) -> Result<Option<Value>, PythonExecutorError> {
        let outcome = self
            .service
            .invoke(request, &self.config.stage(name))
            .await?;
        let results = outcome.completed();
        let results = results.map(|result| result.execution_result.results.clone());
        self.stages.insert(name.to_owned(), outcome);
        Ok(results)
    }

    /// The stages so far, in order.
    #[must_use]
    pub fn stages(&self) -> &IndexMap<String, Outcome> {
        &self.stages
    }

    /// Whether every stage so far ran to its end.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.stages
            .values()
            .all(|outcome| outcome.completed().is_some())
    }

    /// The document of it: `pipeline_completed` and `stages`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let stages = self.stages.iter();
        let stages: serde_json::Map<String, Value> = stages
            .map(|(name, outcome)| (name.clone(), outcome.to_json()))
            .collect();
        json!({"pipeline_completed": self.is_completed(), "stages": stages})
    }
}
