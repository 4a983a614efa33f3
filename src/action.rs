//! Kinds of work that a program brings along: what a step with `action: NAME` does. The port, and the table of the
//! actions that a program has.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::code::{self, Code};
use crate::diagnostic::did_you_mean;
use crate::failure::Failure;
use crate::id::{RunId, StepPath};
use crate::plan::{ActionStep, Mode, Plan, StepKind};
use crate::time::BoxFuture;

/// Work that a program brings along.
///
/// ```standalone_crate
#[doc = include_str!("../examples/library/action.rs")]
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
/// # fn main() -> std::process::ExitCode { with_options("", "", async |options| {
/// # let done = act(options).await?;
/// # assert_eq!(done["status"], "succeeded", "{done:#}");
/// # assert_eq!(done["number"], 1, "{done:#}");
/// # Ok(()) }) }
/// ```
pub trait Action: Send + Sync + Debug {
    /// The name under which workflows know it. It never changes.
    fn name(&self) -> &str;

    /// What it does to the world. `ReadOnly`: a crash in the middle is followed by another call, and nobody is asked.
    /// `WriteAccess`: a call of unknown outcome is never made again before a person has said so.
    fn mode(&self) -> Mode;

    /// Does it once. A map becomes the outputs of the step, another value its output `value`.
    ///
    /// Dropping the future gives up: that happens when the time of the call is over, and when the run is cancelled. Work
    /// that blocks its thread can't be given up, and belongs on one of its own (`tokio::task::spawn_blocking`).
    ///
    /// `Err` is a failed attempt. `retry` of the step reads its kind; `retry_after_ms` of its detail is the shortest time
    /// until the next one. A code of one's own is not needed: [`code::ACTION_FAILED`].
    fn run(&self, call: Call) -> BoxFuture<'_, Result<Value, Failure>>;
}

/// One call of an action.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// `with` of the step: expressions evaluated, secrets put in.
    pub with: Map<String, Value>,
    /// The run.
    pub run: RunId,
    /// The step, with the item or the round that it stands in.
    pub step: StepPath,
    /// Number of the attempt, from 1 on.
    pub attempt: u32,
    /// The same in all attempts at one piece of work: `idempotency_key` of the step, or a text made of run and step.
    pub idempotency_key: String,
    /// After that time the call is given up.
    pub timeout: Duration,
}

/// Without values: secrets may be among them.
impl Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.with.keys().collect();
        f.debug_struct("Call")
            .field("with", &names)
            .field("run", &self.run)
            .field("step", &self.step)
            .field("attempt", &self.attempt)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The actions that a program has, by name.
#[derive(Debug, Clone, Default)]
pub struct Actions {
    by_name: BTreeMap<String, Arc<dyn Action>>,
}

/// Why an action is not taken, or a workflow not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing can have that name.
    #[error("`{0}` can't be the name of an action")]
    Name(String),
    /// Another one has that name.
    #[error("two actions have the name `{0}`")]
    Taken(String),
    /// A step names an action that is not there.
    #[error("the step `{step}` names the action `{name}`, which this program does not have")]
    Unknown {
        /// The name.
        name: String,
        /// The step.
        step: StepPath,
        /// Those that are there.
        known: Vec<String>,
    },
    /// A step says something else of what the action does than the action itself.
    #[error("the action `{name}` is {is}, and the step `{step}` says {says}")]
    Mode {
        /// The name.
        name: String,
        /// The step.
        step: StepPath,
        /// What the action says.
        is: Mode,
        /// What the step says.
        says: Mode,
    },
}

impl Error {
    /// Its code in the error catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Name(_) => code::BAD_ID,
            Self::Taken(_) => code::NAME_TAKEN,
            Self::Unknown { .. } => code::ACTION_UNKNOWN,
            Self::Mode { .. } => code::ACTION_MODE,
        }
    }

    /// What to do.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Name(_) => ActionStep::NAME_RULE.to_owned(),
            Self::Taken(_) => "give one of them another name".to_owned(),
            Self::Unknown { name, known, .. } => unknown(name, known.iter().map(String::as_str)),
            Self::Mode { name, is, .. } => {
                format!(
                    "write `action: {{name: {name}, mode: {is}}}`, so that readers of the file know it too"
                )
            }
        }
    }
}

/// What to do about a name that is not among these.
fn unknown<'k>(name: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let names: Vec<&str> = known.clone().collect();
    match did_you_mean(name, known) {
        Some(near) => format!("did you mean `{near}`? it has: {}", names.join(", ")),
        None if names.is_empty() => {
            "it has none at all; actions come with programs that embed Stepwell as a library"
                .to_owned()
        }
        None => format!("it has: {}", names.join(", ")),
    }
}

impl Actions {
    /// Adds one.
    ///
    /// # Errors
    /// Its name can't be one, or is taken.
    pub fn insert(&mut self, action: Arc<dyn Action>) -> Result<(), Error> {
        let name = action.name().to_owned();
        if !ActionStep::is_name(&name) {
            return Err(Error::Name(name));
        }
        if self.by_name.contains_key(&name) {
            return Err(Error::Taken(name));
        }
        self.by_name.insert(name, action);
        Ok(())
    }

    /// All of these.
    ///
    /// # Errors
    /// As [`Actions::insert`].
    pub fn of(actions: impl IntoIterator<Item = Arc<dyn Action>>) -> Result<Self, Error> {
        let mut all = Self::default();
        for action in actions {
            all.insert(action)?;
        }
        Ok(all)
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The action that a step wants.
    ///
    /// # Errors
    /// It is not there, or is of another mode.
    pub fn find(&self, step: &StepPath, wanted: &ActionStep) -> Result<Arc<dyn Action>, Error> {
        let Some(action) = self.by_name.get(&wanted.name) else {
            return Err(Error::Unknown {
                name: wanted.name.clone(),
                step: step.clone(),
                known: self.names().map(str::to_owned).collect(),
            });
        };
        if action.mode() == wanted.mode {
            return Ok(Arc::clone(action));
        }
        Err(Error::Mode {
            name: wanted.name.clone(),
            step: step.clone(),
            is: action.mode(),
            says: wanted.mode,
        })
    }

    /// Refuses a plan that names what is not there.
    ///
    /// # Errors
    /// The first step that does.
    pub fn check(&self, plan: &Plan) -> Result<(), Error> {
        for step in plan.steps.iter() {
            if let StepKind::Action(wanted) = &step.kind {
                self.find(&step.path, wanted)?;
            }
        }
        Ok(())
    }
}
