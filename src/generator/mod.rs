//! Who writes code: the port, and its adapters: models over HTTP, recorded answers, a template, any program.
//!
//! A generator is asked once and answers once. It never tries again by itself: what goes wrong is a [`Failure`] whose
//! kind says whether the step may be asked again, and when. What it answers is text that nobody has judged: code is
//! taken from it by [`extract`], and runs only after analysis and policy.
//!
//! Here the answers are recorded ones. The first fails, and what went wrong is told with the second question:
//!
//! ````standalone_crate
//! use stepwell::{PythonExecutionRequest, RunnableConfig};
//!
//! const ANSWERS: &str = r"
//! ### python 1
//! ```python
//! results = {'mean': sum(context.samples) / 0}
//! ```
//! ### python 2
//! ```python
//! results = {'mean': sum(context.samples) / len(context.samples)}
//! ```
//! ";
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
//! # fn main() -> std::process::ExitCode { with_service("", ANSWERS, async |service| {
//! // generators: {recorded: {provider: scripted, file: answers.md}}
//! // default_generator: recorded
//! let request = PythonExecutionRequest::new("What is the mean?", "Mean of the samples", "mean")
//!     .expecting("mean")
//!     .context_value("samples", vec![1.0, 2.0, 6.0]);
//! let outcome = service.invoke(request, &RunnableConfig::default()).await?.or_failure()?;
//! let result = outcome.completed().expect("it asks nobody");
//! assert_eq!(result.execution_result.results["mean"], 3.0);
//! assert_eq!(result.generation_attempt, 2);
//! # Ok(()) }) }
//! ````

pub mod command;
pub mod extract;
pub mod fake;
mod fault;
pub mod http;
pub mod key;
pub mod prompt;
pub mod scripted;
pub mod set;
pub mod shape;
pub mod template;
pub mod wire;

use std::fmt::{self, Debug};
use std::time::Duration;

use serde_json::Value;

pub use prompt::Prompt;
pub use set::{Budget, Estimate, Generators, Price};

use crate::failure::Failure;
use crate::time::BoxFuture;

/// Writes code.
pub trait CodeGenerator: Send + Sync + Debug {
    /// What it is, for the log and for people.
    fn about(&self) -> About;

    /// Asks once. `Err` means that there is no answer. Dropping the future gives up; the other side may charge all
    /// the same. Who can say how far the answer is says it to `hearer` while it comes.
    fn generate<'a>(
        &'a self,
        request: Request,
        hearer: Hearer<'a>,
    ) -> BoxFuture<'a, Result<Answer, Failure>>;

    /// Finds out whether it can be asked, without asking for code: it costs nothing.
    fn probe(&self) -> BoxFuture<'_, Result<Found, Failure>>;
}

/// Hears how far an answer is: often, and for people only.
pub type Hearer<'a> = &'a (dyn Fn(Written) + Send + Sync);

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Text, in characters.
    pub chars: u64,
    /// Text, in lines, the last one included.
    pub lines: u64,
    /// Reasoning, in characters.
    pub thought_chars: u64,
    /// Both, in bytes.
    pub bytes: u64,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |count: u64| if count == 1 { "" } else { "s" };
        let Self {
            chars,
            lines,
            thought_chars,
            bytes: _,
        } = *self;
        match (chars, thought_chars) {
            (0, 0) => f.write_str("nothing yet"),
            (0, thought) => write!(f, "{thought} character{} of reasoning", many(thought)),
            (_, _) => write!(
                f,
                "{lines} line{}, {chars} character{}",
                many(lines),
                many(chars)
            ),
        }
    }
}

/// What a look at a generator found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// In words.
    pub text: String,
    /// Whether there is room for doubt.
    pub doubtful: bool,
}

impl Found {
    /// Beyond doubt.
    #[must_use]
    pub fn sure(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            doubtful: false,
        }
    }

    /// Perhaps not.
    #[must_use]
    pub fn doubtful(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            doubtful: true,
        }
    }
}

/// What a generator is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct About {
    /// What sort of generator, for example `openai`.
    pub provider: &'static str,
    /// The model that it asks.
    pub model: Option<String>,
}

/// What it is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// In words.
    pub prompt: Prompt,
    /// The same as data, for programs and templates.
    pub facts: Value,
    /// Whether it shall try again without sight of what failed: a model then draws anew.
    pub fresh: bool,
    /// The step, by its id.
    pub step: String,
    /// Which time code is written for the step, from 1.
    pub number: u32,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stop {
    /// It was complete.
    #[default]
    End,
    /// It was cut off at the largest number of tokens.
    Length,
    /// The model, or a filter of the provider, refused.
    Refused(String),
    /// For another reason, in the provider's word.
    Other(String),
    /// It is no text that could be taken, and why.
    Unusable(String),
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The text, without reasoning.
    pub text: String,
    /// Whether the text is code and nothing else, rather than an answer with code in it.
    pub is_code: bool,
    /// Why it ended.
    pub stop: Stop,
    /// The model that answered, as it calls itself.
    pub model: Option<String>,
    /// With what it was asked.
    pub parameters: Value,
    /// Tokens read, those of a cache included.
    pub input_tokens: Option<u64>,
    /// Tokens written, reasoning included.
    pub output_tokens: Option<u64>,
    /// Tokens read from a cache.
    pub cached_tokens: Option<u64>,
    /// Tokens written as reasoning.
    pub reasoning_tokens: Option<u64>,
    /// What the other side says that it cost, in US dollars.
    pub cost_usd: Option<f64>,
    /// How the other side names the call.
    pub request_id: Option<String>,
    /// The answer as it came, for the log.
    pub raw: String,
}

/// Longest time of a call when nothing is configured.
pub const TIMEOUT: Duration = Duration::from_secs(120);
