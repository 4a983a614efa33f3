//! What an expression refers to, known without evaluating it.

use std::fmt;

use crate::diagnostic::Span;

/// One reference, with its place in the expression's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A name in scope and the keys read from it, as far as they are constant:
    /// `steps.load.outputs["quality"]` is the root `steps` and the path `load`, `outputs`, `quality`.
    Path {
        /// The first name.
        root: String,
        /// The constant keys after it.
        path: Vec<String>,
        /// Where it stands.
        span: Span,
        /// Whether it stands wholly inside `default()` or `exists()`, so that absence is no error.
        guarded: bool,
    },
    /// A status function.
    Status {
        /// Which.
        function: StatusFunction,
        /// The step it asks about; `None` for `always()`.
        step: Option<String>,
        /// Where it stands.
        span: Span,
    },
}

impl Reference {
    /// Where it stands in the expression's text.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Path { span, .. } | Self::Status { span, .. } => *span,
        }
    }
}

/// A function that asks how a step ended, and lifts the rule that a step waits for success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusFunction {
    /// `succeeded('x')`
    Succeeded,
    /// `failed('x')`
    Failed,
    /// `skipped('x')`
    Skipped,
    /// `always()`
    Always,
}

impl StatusFunction {
    /// Its name in an expression.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Always => "always",
        }
    }
}

impl fmt::Display for StatusFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
