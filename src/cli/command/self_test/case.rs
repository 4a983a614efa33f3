//! What is tried: three requests, with the answers of a generator, so that no model is needed.

use clap::ValueEnum;

use crate::service::{PythonExecutionRequest, RunnableConfig};

/// One of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Case {
    /// Code in a kernel of the Jupyter server
    Container,
    /// Code as a process of this machine
    Local,
    /// Code that fails, and says why
    ErrorHandling,
}

/// Needs no library, and nothing that a rule could object to.
const COUNTS: &str = "print('six times seven')\nresults = {'answer': 6 * 7}\n";
/// Fails in its second line.
const FAILS: &str = "numbers = [1, 2, 3]\nresults = {'fourth': numbers[3]}\n";

impl Case {
    pub(super) const ALL: [Self; 3] = [Self::Container, Self::Local, Self::ErrorHandling];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Local => "local",
            Self::ErrorHandling => "error_handling",
        }
    }

    /// The code that the generator answers with.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Container | Self::Local => COUNTS,
            Self::ErrorHandling => FAILS,
        }
    }

    pub(super) fn request(self) -> PythonExecutionRequest {
        let (query, objective, folder) = match self {
            Self::Container => (
                "Test container execution",
                "Simple mathematical calculation",
                "test_container",
            ),
            Self::Local => (
                "Test local execution",
                "Simple mathematical calculation",
                "test_local",
            ),
            Self::ErrorHandling => (
                "Test error handling",
                "Generate code with intentional error",
                "test_error",
            ),
        };
        let mut request = PythonExecutionRequest::new(query, objective, folder);
        request.retries = Some(1);
        request
    }

    /// How it is called. Code that fails runs where code runs by default.
    pub(super) fn call(self) -> RunnableConfig {
        let call = RunnableConfig::thread(self.name());
        match self {
            Self::Container | Self::Local => call.execution_method(self.name()),
            Self::ErrorHandling => call,
        }
    }
}
