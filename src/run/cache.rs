//! Results that are taken again: which steps may, which may not, and under which key one is kept.

use std::sync::Arc;

use super::frame::{FrameKind, NodeId};
use super::payload::{Bypass, CacheMissed, Miss, NotReused, Parts, StepReused};
use super::record::Seq;
use super::state::{RunState, StepState};
use crate::approval::Verdict;
use crate::id::{Digest, StepPath};
use crate::plan::{Mode, Step, StepKind};

/// What became of the search for an earlier result of a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Look {
    /// None was taken.
    pub missed: Option<Arc<CacheMissed>>,
    /// One was.
    pub reused: Option<Arc<StepReused>>,
    /// The event that has the newest result of its own code.
    pub result_seq: Option<Seq>,
}

impl Look {
    /// Whether it is decided.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.missed.is_some() || self.reused.is_some()
    }

    /// Forgets what was found: something else would run now.
    pub(super) fn begin_anew(&mut self) {
        self.missed = None;
        self.reused = None;
    }
}

/// Whether the step may take an earlier result at all: code that only reads and says so.
#[must_use]
pub fn is_cacheable(step: &Step) -> bool {
    let python = step.kind.as_python();
    step.cache.is_some() && python.is_some_and(|python| python.mode == Mode::ReadOnly)
}

/// Whether an earlier result must be looked for before anything else of the step may begin.
pub(super) fn is_owed(step: &Step, step_state: &StepState) -> bool {
    is_cacheable(step) && step_state.analysis.is_some() && !step_state.look.is_over()
}

/// Why the step neither takes a result nor leaves one, whatever anybody wants.
#[must_use]
pub(super) fn refused(state: &RunState, step_state: &StepState) -> Option<NotReused> {
    let analysis = step_state.analysis.as_ref();
    if analysis.is_none_or(|analysis| analysis.decision.verdict != Verdict::Pass) {
        return Some(NotReused::Policy);
    }
    if step_state.rewound && sent_back(state, step_state.node) {
        return Some(NotReused::Rewind);
    }
    let decided = step_state.questions > 0 || step_state.code_approved;
    decided.then_some(NotReused::HumanDecision)
}

/// Why the step runs although it might take a result; what it makes is kept.
#[must_use]
pub fn bypassed(state: &RunState, step: &Step, step_state: &StepState) -> Option<Bypass> {
    if step_state.rewound {
        return Some(Bypass::Retry);
    }
    if state.bypass.all {
        return Some(Bypass::NoCache);
    }
    let named = |word: &StepPath| is_named(word.as_str(), step, step_state);
    state
        .bypass
        .steps
        .iter()
        .any(named)
        .then_some(Bypass::Refresh)
}

/// Whether a word means the step: its id, its path, or something around it.
fn is_named(word: &str, step: &Step, step_state: &StepState) -> bool {
    let around = |path: &StepPath| {
        let rest = path.as_str().strip_prefix(word);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    step.id == word || around(&step.path) || around(&step_state.path)
}

/// Why no result may be taken now.
#[must_use]
pub fn set_aside(state: &RunState, step: &Step, step_state: &StepState) -> Option<Miss> {
    let refused = refused(state, step_state).map(|why| Miss::Refused { why });
    refused.or_else(|| bypassed(state, step, step_state).map(|by| Miss::Bypassed { by }))
}

/// The key under which what the code of the step leaves now may be kept.
#[must_use]
pub fn keeps(state: &RunState, step: &Step, step_state: &StepState) -> Option<Digest> {
    if !is_cacheable(step) || refused(state, step_state).is_some() {
        return None;
    }
    step_state.look.missed.as_ref()?.key
}

/// What a key covers that stands in the plan and in the history.
#[must_use]
pub fn known_parts(state: &RunState, step: &Step, step_state: &StepState) -> Parts {
    let mut parts = Parts::new();
    let mut add = |name: String, value: serde_json::Value| {
        let bytes = crate::canonical::canonical_json(&value);
        parts.insert(name, Digest::of(&bytes));
    };
    for (name, value) in &step_state.inputs {
        add(format!("inputs.{name}"), value.clone());
    }
    if let Some(key) = &step_state.idempotency_key {
        add("idempotency_key".to_owned(), key.as_str().into());
    }
    // What is kept of the work, and what of it is shown.
    if let Some(outputs) = &step.outputs {
        add(
            "outputs".to_owned(),
            serde_json::to_value(outputs).unwrap_or_default(),
        );
    }
    for (name, list) in [
        ("artifacts", &step.artifacts),
        ("sensitive", &step.sensitive),
    ] {
        if !list.is_empty() {
            add(name.to_owned(), list.as_slice().into());
        }
    }
    let nan = step.kind.as_python().map(|python| python.nan);
    if let Some(nan) = nan.filter(|nan| !nan.is_usual()) {
        add(
            "nan".to_owned(),
            serde_json::to_value(nan).unwrap_or_default(),
        );
    }
    let rounds = rounds(state, step_state.node);
    if !rounds.is_empty() {
        add("round".to_owned(), rounds.into());
    }
    if let StepKind::Python(python) = &step.kind {
        parts.extend(
            step_state
                .code(python)
                .map(|code| ("code".to_owned(), code)),
        );
        let mode = Digest::of(python.mode.as_str().as_bytes());
        parts.insert("mode".to_owned(), mode);
    }
    parts
}

/// The numbers of the rounds that the step stands in: another round is another try, whatever its inputs are.
fn rounds(state: &RunState, node: NodeId) -> Vec<u32> {
    let frames = frames_around(state, node);
    let rounds = frames.filter_map(|number| match state.frame(number)?.kind {
        FrameKind::Round { number } => Some(number),
        FrameKind::Run | FrameKind::Item { .. } | FrameKind::Handler { .. } => None,
    });
    rounds.collect()
}

/// Whether changes were asked for in something that the step stands in.
fn sent_back(state: &RunState, node: NodeId) -> bool {
    let mut frames = frames_around(state, node);
    frames.any(|number| {
        let frame = state.frame(number);
        frame.is_some_and(|frame| !frame.changes.is_empty())
    })
}

/// The frame of the step and those around it.
fn frames_around(state: &RunState, node: NodeId) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(node.frame), |number| {
        Some(state.frame(*number)?.owner?.frame)
    })
}

/// The names of the parts that differ.
#[must_use]
pub fn changed_parts(before: &Parts, now: &Parts) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differ = |name: &&String| before.get(*name) != now.get(*name);
    names.into_iter().filter(differ).cloned().collect()
}
