//! What is outside the machine: what steps do, what people say, which signals come.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::review::Review;
use crate::approval::Answer;
use crate::failure::Failure;
use crate::id::StepPath;
use crate::plan::Step;
use crate::run::payload::Values;

/// How an attempt of a mocked step ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// With what.
    pub does: Does,
    /// How long it takes.
    pub takes: Duration,
}

/// What an attempt leaves.
#[derive(Debug, Clone, PartialEq)]
pub enum Does {
    /// It ends well and leaves these results.
    Results(Value),
    /// It fails.
    Fails(Failure),
}

/// Outcomes by address: a path such as `per_bpm[BPM:01:X].fit`, the path in the plan, or the id of a step.
/// One outcome for each attempt; the last one holds for all after it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mocks {
    by_address: BTreeMap<String, Vec<Outcome>>,
}

impl Mocks {
    /// Says what the attempts of a step do.
    pub fn insert(&mut self, address: impl Into<String>, outcomes: Vec<Outcome>) {
        self.by_address.insert(address.into(), outcomes);
    }

    /// What attempt `index` (from 0 on; interrupted ones are not counted) of the step at `path` does.
    #[must_use]
    pub fn of(&self, step: &Step, path: &StepPath, index: usize) -> Option<&Outcome> {
        let addresses = [path.as_str(), step.path.as_str(), step.id.as_str()];
        let found = addresses
            .into_iter()
            .find_map(|address| self.by_address.get(address))?;
        found.get(index).or_else(|| found.last())
    }
}

/// Whether an address that a person wrote means the step at `path`.
pub(super) fn means(address: &str, step: &Step, path: &StepPath) -> bool {
    address == path.as_str() || address == step.path.as_str() || address == step.id
}

/// What a person does about a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Address of the step that asks.
    pub step: String,
    /// The answer; none = nobody answers, and the time runs out.
    pub answer: Option<Answer>,
    /// Who answers.
    pub by: String,
    /// The roles of that person.
    pub roles: Vec<String>,
    /// What is filled in.
    pub form: Values,
    /// Why.
    pub comment: Option<String>,
    /// How long after the question.
    pub after: Duration,
}

/// A signal that comes.
#[derive(Debug, Clone, PartialEq)]
pub struct SentSignal {
    /// Its name.
    pub name: String,
    /// What it carries.
    pub payload: Values,
    /// How long after the start of the run.
    pub after: Duration,
}

/// How long people take, by the step that asks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Delays {
    /// Steps that are answered at another time than the others.
    pub by_step: BTreeMap<StepPath, Duration>,
}

/// What people do.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// What a script says, in its order.
    Scripted(Vec<Decision>),
    /// They say yes to everything, and send every signal that is waited for.
    Yes(Delays),
    /// Nothing.
    Nobody,
}

/// What became of an attempt that was under way at a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    /// It finished while nobody watched.
    Finished,
    /// It left nothing, and its work may have begun.
    LostStarted,
    /// It left nothing, and its work never began.
    LostBefore,
}

impl Adopted {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Finished, Self::LostStarted, Self::LostBefore];
}

/// A step that fails, whatever its mock says.
#[derive(Debug, Clone, PartialEq)]
pub struct Failing {
    /// Its path in the plan.
    pub step: StepPath,
    /// How.
    pub failure: Failure,
    /// Whether only its first attempt does.
    pub once: bool,
}

/// The world outside the machine.
#[derive(Debug, Clone)]
pub struct World {
    /// What steps do.
    pub mocks: Mocks,
    /// Seed of the results of steps without a mock; none = such a step ends the rehearsal.
    pub samples: Option<u64>,
    /// A step that fails.
    pub failing: Option<Failing>,
    /// A step whose code can't be written: of the kind `code`, its answers are useless; of any other, there are none.
    pub model: Option<Failing>,
    /// What people do.
    pub answers: Answers,
    /// Which signals come.
    pub signals: Vec<SentSignal>,
    /// Who looks at code before it runs.
    pub review: Review,
    /// What becomes of attempts that were under way at a crash.
    pub adopted: Adopted,
}

impl World {
    /// A world without mocks, people or signals.
    #[must_use]
    pub fn new(review: Review) -> Self {
        Self {
            mocks: Mocks::default(),
            samples: None,
            failing: None,
            model: None,
            answers: Answers::Nobody,
            signals: Vec::new(),
            review,
            adopted: Adopted::LostStarted,
        }
    }
}
