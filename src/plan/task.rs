//! Code that a generator writes: what for, and how often it may try.

use serde::{Deserialize, Serialize};

use crate::expression::Template;

/// What code shall be written for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskStep {
    /// What the code shall do, in words.
    pub task: Template,
    /// What it shall leave: text, or a map from names of results to what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expects: Option<Template>,
    /// What else must hold, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<Template>,
    /// What a person asked for, in that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_query: Option<Template>,
    /// What the inputs are, in words, beside their types and shapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Template>,
    /// The generator of config.yml; none = the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<String>,
    /// How often code may be written for it.
    pub max_generations: u32,
    /// Whether code that was approved and worked is taken again.
    #[serde(default)]
    pub reuse: Reuse,
}

impl TaskStep {
    /// How often code may be written when nothing is said.
    pub const MAX_GENERATIONS: u32 = 3;
}

/// Whether code that was approved and worked in an earlier run is taken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// Every run has its code written anew.
    #[default]
    Never,
    /// As long as the task, the shape of its inputs and everything that a yes is bound to stay the same.
    Approved,
}
