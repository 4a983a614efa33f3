//! Errors of the service: the classes of the agent framework, each with its category and nothing lost of its cause.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use crate::code::{self, Code};
use crate::diagnostic::Diagnostic;
use crate::failure::{Failure, FailureKind};
use crate::{action, engine, open};

/// No usable code came of a task.
const NOTHING_WRITTEN: [Code; 4] = [
    code::GENERATION_NO_CODE,
    code::GENERATION_CUT_OFF,
    code::GENERATION_REFUSED,
    code::GENERATION_NO_RESULTS,
];

/// What the way to a container, and what answers there, can say.
const OF_CONTAINERS: [Code; 12] = [
    code::JUPYTER_UNAUTHORIZED,
    code::JUPYTER_ANSWER,
    code::KERNELSPEC_MISSING,
    code::KERNEL_NOT_STARTED,
    code::KERNEL_DIED,
    code::KERNEL_PACKAGES,
    code::HOST_UNKNOWN,
    code::CONNECTION_REFUSED,
    code::CONNECTION_FAILED,
    code::REQUEST_TIMED_OUT,
    code::TLS_FAILED,
    code::REQUEST_INVALID,
];

/// What sort of trouble it is: who can do something about it, and whether trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCategory {
    /// The surroundings: the same code may well work later.
    Infrastructure,
    /// The code: other code is needed.
    Code,
    /// A rule of the deployment or a guard forbids it: never tried again.
    PolicySafety,
    /// The run as a whole: time, bounds, cancellation, an answer that does not fit.
    Workflow,
    /// The request, the configuration or the environment is wrong.
    Configuration,
    /// A fault in Stepwell itself.
    ServiceError,
}

impl ErrorCategory {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::Code => "code",
            Self::PolicySafety => "policy_safety",
            Self::Workflow => "workflow",
            Self::Configuration => "configuration",
            Self::ServiceError => "service_error",
        }
    }
}

/// What went wrong. The name of the variant is the class.
///
/// ```standalone_crate
#[doc = include_str!("../../examples/library/acceptance.rs")]
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
/// # fn main() -> std::process::ExitCode { with_service("", "", async |service| {
/// # let answer = acceptance(&service).await?;
/// # assert_eq!(answer["local"], true);
/// # assert!(answer["caught"].to_string().contains("division by zero"), "{answer}");
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum PythonExecutorError {
    /// The code raised, ended with a status other than 0, or left results that can't be kept.
    CodeRuntimeError(Box<ErrorDetail>),
    /// The code does not parse.
    CodeSyntaxError(Box<ErrorDetail>),
    /// No code could be written for the task.
    CodeGenerationError(Box<ErrorDetail>),
    /// A rule or a guard forbids what the code does.
    PolicyViolationError(Box<ErrorDetail>),
    /// A declared limit of the machine under control was touched.
    ChannelLimitsViolationError(Box<ErrorDetail>),
    /// It took longer than allowed.
    ExecutionTimeoutError(Box<ErrorDetail>),
    /// It used more memory, output or files than allowed.
    ResourceLimitError(Box<ErrorDetail>),
    /// The container can't be reached.
    ContainerConnectivityError(Box<ErrorDetail>),
    /// The container, or what the request says of it, is set up wrongly.
    ContainerConfigurationError(Box<ErrorDetail>),
    /// A process, a disk, a network or the store failed.
    InfrastructureError(Box<ErrorDetail>),
    /// The request, `config.yml` or the environment is wrong.
    ConfigurationError(Box<ErrorDetail>),
    /// A command that the run refuses, an unknown run or thread, a cancelled run.
    WorkflowError(Box<ErrorDetail>),
    /// A fault in Stepwell itself.
    ServiceError(Box<ErrorDetail>),
}

/// Everything that is known of an error.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ErrorDetail {
    /// A word of the error catalogue: `stepwell explain CODE` prints its page.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The user's own traceback, with the line numbers of the user's code.
    pub traceback: Option<String>,
    /// Number of the attempt that failed.
    pub attempt: Option<u32>,
    /// Folder of that attempt, absolute.
    pub folder: Option<PathBuf>,
    /// The run, when there is one.
    pub run_id: Option<String>,
    /// What lay behind it, nearest first.
    pub cause: Vec<String>,
    /// Facts for programs.
    pub detail: Value,
}

impl PythonExecutorError {
    /// Everything that is known of it.
    #[must_use]
    pub fn detail(&self) -> &ErrorDetail {
        match self {
            Self::CodeRuntimeError(detail)
            | Self::CodeSyntaxError(detail)
            | Self::CodeGenerationError(detail)
            | Self::PolicyViolationError(detail)
            | Self::ChannelLimitsViolationError(detail)
            | Self::ExecutionTimeoutError(detail)
            | Self::ResourceLimitError(detail)
            | Self::ContainerConnectivityError(detail)
            | Self::ContainerConfigurationError(detail)
            | Self::InfrastructureError(detail)
            | Self::ConfigurationError(detail)
            | Self::WorkflowError(detail)
            | Self::ServiceError(detail) => detail,
        }
    }

    fn detail_mut(&mut self) -> &mut ErrorDetail {
        match self {
            Self::CodeRuntimeError(detail)
            | Self::CodeSyntaxError(detail)
            | Self::CodeGenerationError(detail)
            | Self::PolicyViolationError(detail)
            | Self::ChannelLimitsViolationError(detail)
            | Self::ExecutionTimeoutError(detail)
            | Self::ResourceLimitError(detail)
            | Self::ContainerConnectivityError(detail)
            | Self::ContainerConfigurationError(detail)
            | Self::InfrastructureError(detail)
            | Self::ConfigurationError(detail)
            | Self::WorkflowError(detail)
            | Self::ServiceError(detail) => detail,
        }
    }

    /// The name of its class.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::CodeRuntimeError(_) => "CodeRuntimeError",
            Self::CodeSyntaxError(_) => "CodeSyntaxError",
            Self::CodeGenerationError(_) => "CodeGenerationError",
            Self::PolicyViolationError(_) => "PolicyViolationError",
            Self::ChannelLimitsViolationError(_) => "ChannelLimitsViolationError",
            Self::ExecutionTimeoutError(_) => "ExecutionTimeoutError",
            Self::ResourceLimitError(_) => "ResourceLimitError",
            Self::ContainerConnectivityError(_) => "ContainerConnectivityError",
            Self::ContainerConfigurationError(_) => "ContainerConfigurationError",
            Self::InfrastructureError(_) => "InfrastructureError",
            Self::ConfigurationError(_) => "ConfigurationError",
            Self::WorkflowError(_) => "WorkflowError",
            Self::ServiceError(_) => "ServiceError",
        }
    }

    /// What sort of trouble it is.
    #[must_use]
    pub const fn category(&self) -> ErrorCategory {
        match self {
            Self::CodeRuntimeError(_) | Self::CodeSyntaxError(_) | Self::CodeGenerationError(_) => {
                ErrorCategory::Code
            }
            Self::PolicyViolationError(_) | Self::ChannelLimitsViolationError(_) => {
                ErrorCategory::PolicySafety
            }
            Self::ExecutionTimeoutError(_)
            | Self::ResourceLimitError(_)
            | Self::WorkflowError(_) => ErrorCategory::Workflow,
            Self::ContainerConnectivityError(_) | Self::InfrastructureError(_) => {
                ErrorCategory::Infrastructure
            }
            Self::ContainerConfigurationError(_) | Self::ConfigurationError(_) => {
                ErrorCategory::Configuration
            }
            Self::ServiceError(_) => ErrorCategory::ServiceError,
        }
    }

    /// Whether the same code may be tried again. It has been, as often as the step says.
    #[must_use]
    pub fn should_retry_execution(&self) -> bool {
        self.category() == ErrorCategory::Infrastructure
    }

    /// Whether other code may help. It has been written, as often as the request says.
    #[must_use]
    pub fn should_retry_code_generation(&self) -> bool {
        self.category() == ErrorCategory::Code
    }

    /// The word of the error catalogue.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.detail().code
    }

    /// One sentence for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.detail().message
    }

    /// The user's own traceback.
    #[must_use]
    pub fn traceback(&self) -> Option<&str> {
        self.detail().traceback.as_deref()
    }

    /// The document of it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut document = serde_json::to_value(self.detail()).unwrap_or_default();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("error_type".to_owned(), json!(self.class()));
            fields.insert("category".to_owned(), json!(self.category()));
        }
        document
    }

    /// The request is wrong.
    pub(super) fn request(code: Code, message: impl Into<String>) -> Self {
        Self::ConfigurationError(Box::new(ErrorDetail {
            code: code.as_str().to_owned(),
            message: message.into(),
            ..ErrorDetail::default()
        }))
    }

    /// The run, or the name of one, does not fit what is asked of it.
    pub(super) fn workflow(code: Code, message: impl Into<String>) -> Self {
        Self::WorkflowError(Box::new(ErrorDetail {
            code: code.as_str().to_owned(),
            message: message.into(),
            ..ErrorDetail::default()
        }))
    }

    /// Adds what to do.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.detail_mut().hint = Some(hint.into());
        self
    }

    /// Says which run it is about.
    pub(super) fn of_run(mut self, run: crate::id::RunId) -> Self {
        self.detail_mut().run_id = Some(run.to_string());
        self
    }

    /// Says which attempt failed, and where its files are.
    pub(super) fn of_attempt(mut self, attempt: Option<u32>, folder: Option<PathBuf>) -> Self {
        let detail = self.detail_mut();
        detail.attempt = attempt;
        detail.folder = folder;
        self
    }

    /// Faults of the text that a request became.
    pub(super) fn of_diagnostics(faults: &[Diagnostic]) -> Self {
        let first = faults.first();
        let code = first.map_or(code::INTERNAL, |fault| fault.code);
        let words: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        let detail = Box::new(ErrorDetail {
            code: code.as_str().to_owned(),
            message: words.join("; "),
            hint: first
                .filter(|fault| !fault.help.is_empty())
                .map(|fault| fault.help.join("; ")),
            detail: json!({"diagnostics": faults}),
            ..ErrorDetail::default()
        });
        if code == code::PYTHON_SYNTAX {
            Self::CodeSyntaxError(detail)
        } else {
            Self::ConfigurationError(detail)
        }
    }

    /// The failure of a run.
    pub(super) fn of_failure(failure: &Failure) -> Self {
        let detail = Box::new(ErrorDetail {
            code: failure.code.clone(),
            message: failure.message.clone(),
            hint: failure.hint.clone(),
            traceback: failure.traceback.clone(),
            cause: failure.cause.clone(),
            detail: failure.detail.clone(),
            ..ErrorDetail::default()
        });
        let is = |code: Code| failure.code == code.as_str();
        if NOTHING_WRITTEN.iter().any(|code| is(*code)) {
            return Self::CodeGenerationError(detail);
        }
        match failure.kind {
            FailureKind::Code if is(code::PYTHON_SYNTAX_ERROR) || is(code::CODE_UNREADABLE) => {
                Self::CodeSyntaxError(detail)
            }
            FailureKind::Code => Self::CodeRuntimeError(detail),
            FailureKind::Policy | FailureKind::Safety => Self::PolicyViolationError(detail),
            FailureKind::Limits => Self::ChannelLimitsViolationError(detail),
            FailureKind::Timeout => Self::ExecutionTimeoutError(detail),
            FailureKind::Resources => Self::ResourceLimitError(detail),
            FailureKind::Infrastructure => Self::InfrastructureError(detail),
            FailureKind::Configuration => Self::ConfigurationError(detail),
            FailureKind::Cancelled => Self::WorkflowError(detail),
            FailureKind::Internal => Self::ServiceError(detail),
        }
    }

    /// The same failure of code that ran, or should have run: what the way to a container says is a class of its own.
    pub(super) fn of_execution(failure: &Failure) -> Self {
        let error = Self::of_failure(failure);
        if !OF_CONTAINERS
            .iter()
            .any(|code| failure.code == code.as_str())
        {
            return error;
        }
        let detail = || Box::new(error.detail().clone());
        if failure.kind == FailureKind::Infrastructure {
            Self::ContainerConnectivityError(detail())
        } else if failure.kind == FailureKind::Configuration {
            Self::ContainerConfigurationError(detail())
        } else {
            error
        }
    }

    fn of_error(code: Code, error: &dyn std::error::Error) -> Box<ErrorDetail> {
        let mut cause = Vec::new();
        let mut next = error.source();
        while let Some(error) = next {
            cause.push(error.to_string());
            next = error.source();
        }
        Box::new(ErrorDetail {
            code: code.as_str().to_owned(),
            message: error.to_string(),
            hint: Some(format!("`stepwell explain {code}` says more")),
            cause,
            ..ErrorDetail::default()
        })
    }
}

impl fmt::Display for PythonExecutorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.detail();
        write!(f, "{}[{}]: {}", self.class(), detail.code, detail.message)
    }
}

impl std::error::Error for PythonExecutorError {}

impl Serialize for PythonExecutorError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl From<engine::Error> for PythonExecutorError {
    fn from(error: engine::Error) -> Self {
        let detail = Self::of_error(error.code(), &error);
        match error {
            engine::Error::NoRun(_)
            | engine::Error::NoEvent { .. }
            | engine::Error::FilesRemoved(_)
            | engine::Error::Refused(_) => Self::WorkflowError(detail),
            engine::Error::Action(error) => error.into(),
            engine::Error::Store(_) | engine::Error::Append(_) | engine::Error::Blob(_) => {
                Self::InfrastructureError(detail)
            }
            engine::Error::Event(_)
            | engine::Error::Illegal(_)
            | engine::Error::Plan(_)
            | engine::Error::Internal(_) => Self::ServiceError(detail),
        }
    }
}

impl From<action::Error> for PythonExecutorError {
    fn from(error: action::Error) -> Self {
        Self::ConfigurationError(Self::of_error(error.code(), &error)).hint(error.help())
    }
}

impl From<open::Error> for PythonExecutorError {
    fn from(error: open::Error) -> Self {
        Self::InfrastructureError(Self::of_error(error.code(), &error))
    }
}
