//! What a caller asks for, and how: the request and the configuration of one call, with the names of the agent
//! framework.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::context::ContextStore;

/// A job for the service. Every field does something; an unknown one in JSON is refused.
///
/// ```standalone_crate
#[doc = include_str!("../../examples/library/adaptive.rs")]
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
/// # fn main() -> std::process::ExitCode { with_service("", "", async |service| {
/// # let answer = adaptive_execution(&service, 0.51).await?;
/// # let folder = answer["execution_result"]["folder_path"].to_string();
/// # assert!(folder.contains("/adaptive_standard_with_preprocessing-"), "{answer:#}");
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PythonExecutionRequest {
    /// What the person asked for, in that person's words. Recorded, and told to whoever writes or approves code.
    pub user_query: String,
    /// What the code shall do. Without `code` and `approved_code`, a generator writes code for it.
    pub task_objective: String,
    /// What the code shall leave: text, or a map from names of results to what they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_results: Option<ExpectedResults>,
    /// What else holds for generated code, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capability_prompts: Vec<String>,
    /// Names the run and its folder.
    pub execution_folder_name: String,
    /// What the code sees as `context`; whoever writes the code is told types and shapes.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub capability_context_data: Map<String, Value>,
    /// How often: for a task, how often code may be written; for given code, attempts in all of a read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// Code to run instead of writing some. It is analysed, and asked about when the policy wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same, for code that somebody has approved elsewhere. That approval is not ours: the policy decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_code: Option<String>,
    /// A folder that is there already: its modules can be imported, its files are found by `STEPWELL_WORKFLOW_DIR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_execution_folder: Option<PathBuf>,
    /// Who asks, in which conversation. Recorded; `user_id` is the person who starts the run.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub session_context: Map<String, Value>,
}

impl PythonExecutionRequest {
    /// A request for a task.
    #[must_use]
    pub fn new(
        user_query: impl Into<String>,
        task_objective: impl Into<String>,
        execution_folder_name: impl Into<String>,
    ) -> Self {
        Self {
            user_query: user_query.into(),
            task_objective: task_objective.into(),
            execution_folder_name: execution_folder_name.into(),
            ..Self::default()
        }
    }

    /// Runs this code instead of writing some.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Says what the code shall leave.
    #[must_use]
    pub fn expecting(mut self, expected: impl Into<ExpectedResults>) -> Self {
        self.expected_results = Some(expected.into());
        self
    }

    /// Adds a value to the context.
    #[must_use]
    pub fn context_value(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.capability_context_data
            .insert(name.into(), value.into());
        self
    }

    /// Adds everything in a context store, by type and key, and its description to the prompts.
    #[must_use]
    pub fn context(mut self, store: &ContextStore) -> Self {
        self.capability_context_data.extend(store.to_context());
        let description = store.describe();
        if !description.is_empty() {
            self.capability_prompts.push(description);
        }
        self
    }
}

/// What the code shall leave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ExpectedResults {
    /// In words.
    Text(String),
    /// Names of results, and what they are.
    Map(Map<String, Value>),
}

impl From<&str> for ExpectedResults {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ExpectedResults {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Map<String, Value>> for ExpectedResults {
    fn from(map: Map<String, Value>) -> Self {
        Self::Map(map)
    }
}

/// How one call is made. In JSON `thread_id` may stand beside `configurable` or in it.
///
/// ```standalone_crate
#[doc = include_str!("../../examples/library/environment.rs")]
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
/// # fn main() -> std::process::ExitCode { with_service("", "", async |service| {
/// # assert_eq!(choose(&service).await?["results"], json!({"n": 42}));
/// # let long = Facts { estimated_seconds: 301, ..Facts::default() };
/// # assert_eq!(select_execution_environment(long), "container");
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunnableConfig {
    /// Name of the request: whoever calls with it again finds the same run again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// The rest.
    pub configurable: Configurable,
}

/// What can be said of one call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Configurable {
    /// As [`RunnableConfig::thread_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// `readonly` (or `read_only`), `readwrite` (or `write_access`); nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_mode: Option<String>,
    /// `local`, `container` or `auto`; without it what `config.yml` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_method: Option<String>,
    /// Who writes the code of a task, by its name in `config.yml`; without it the `default_generator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator: Option<String>,
    /// Longest time of one attempt; in JSON a number of seconds.
    #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
    pub max_execution_time: Option<Duration>,
}

impl RunnableConfig {
    /// A call with a name.
    #[must_use]
    pub fn thread(id: impl Into<String>) -> Self {
        Self {
            thread_id: Some(id.into()),
            ..Self::default()
        }
    }

    /// The same for one stage of a pipeline: each stage has a run, and a name of its own.
    #[must_use]
    pub fn stage(&self, stage: &str) -> Self {
        let name = self.thread_name().map(|thread| format!("{thread}/{stage}"));
        let mut config = self.clone();
        config.configurable.thread_id = None;
        config.thread_id = name;
        config
    }

    /// Says what the code may do.
    #[must_use]
    pub fn execution_mode(mut self, mode: impl Into<String>) -> Self {
        self.configurable.execution_mode = Some(mode.into());
        self
    }

    /// Says where the code runs.
    #[must_use]
    pub fn execution_method(mut self, method: impl Into<String>) -> Self {
        self.configurable.execution_method = Some(method.into());
        self
    }

    /// Says who writes the code of a task.
    #[must_use]
    pub fn generator(mut self, name: impl Into<String>) -> Self {
        self.configurable.generator = Some(name.into());
        self
    }

    /// Says how long an attempt may take.
    #[must_use]
    pub fn max_execution_time(mut self, time: Duration) -> Self {
        self.configurable.max_execution_time = Some(time);
        self
    }

    /// The name, wherever it stands.
    #[must_use]
    pub fn thread_name(&self) -> Option<&str> {
        let inner = self.configurable.thread_id.as_deref();
        self.thread_id.as_deref().or(inner)
    }
}

/// A duration as a number of seconds.
mod seconds {
    use std::time::Duration;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_f64(time.as_secs_f64()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        let duration = seconds.map(Duration::try_from_secs_f64).transpose();
        duration.map_err(|_| D::Error::custom("a time is a number of seconds, 0 or more"))
    }
}
