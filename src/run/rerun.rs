//! What begins anew when a run is taken up again after its end: chosen once, shown to people, recorded.

use std::collections::{BTreeSet, VecDeque};

use super::command::Refusal;
use super::decide::may_have_begun;
use super::frame::NodeId;
use super::payload::{BlockStatus, EffectClass};
use super::state::{AttemptStatus, RunState, StepState, StepStatus};
use super::summary::RunStatus;
use crate::id::StepPath;
use crate::plan::{Body, Step, StepKind};

/// What begins anew and what stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reopening {
    /// Steps that begin anew, in reading order.
    pub steps: Vec<StepPath>,
    /// Containers that go on with what did not succeed in them.
    pub resumed: Vec<StepPath>,
    /// Of the steps that begin anew, those that wrote before, or may have.
    pub writes_again: Vec<StepPath>,
    /// Steps that depend on what begins anew and stay all the same: they wrote, and were not named.
    pub kept_writes: Vec<StepPath>,
}

/// Chooses what begins anew: without `from` what did not succeed, else those steps and what depends on them.
///
/// # Errors
/// The run has not ended, there is nothing to do again, or no such step.
pub fn reopening(state: &RunState, from: &[StepPath]) -> Result<Reopening, Refusal> {
    if state.ending.is_none() {
        return Err(Refusal::NotEnded);
    }
    if from.is_empty() && state.status() == RunStatus::Succeeded {
        let why = "the run succeeded: name the step to begin from with --from".to_owned();
        return Err(Refusal::NothingAgain(why));
    }
    let mut choice = Choice::new(state);
    if from.is_empty() {
        choice.broken(0);
        choice.skipped_behind();
    } else {
        for path in from {
            let node = state
                .find(path)
                .ok_or_else(|| Refusal::Stale(format!("the run has no step `{path}`")))?;
            choice.name(node)?;
        }
        choice.dependents();
    }
    choice.tidy();
    if choice.reset.is_empty() && choice.resumed.is_empty() {
        let why = "no step failed, was rejected, was cancelled or was left out".to_owned();
        return Err(Refusal::NothingAgain(why));
    }
    Ok(choice.told())
}

struct Choice<'a> {
    state: &'a RunState,
    reset: BTreeSet<NodeId>,
    resumed: BTreeSet<NodeId>,
    named: BTreeSet<NodeId>,
    kept: BTreeSet<NodeId>,
    queue: VecDeque<NodeId>,
}

impl<'a> Choice<'a> {
    fn new(state: &'a RunState) -> Self {
        Self {
            state,
            reset: BTreeSet::new(),
            resumed: BTreeSet::new(),
            named: BTreeSet::new(),
            kept: BTreeSet::new(),
            queue: VecDeque::new(),
        }
    }

    /// Everything of a frame that did not succeed.
    fn broken(&mut self, frame: usize) {
        let nodes: Vec<NodeId> = self
            .state
            .steps_of(frame)
            .map(|(_, step_state)| step_state.node)
            .collect();
        for node in nodes {
            let Some((step, step_state)) = self.state.node(node) else {
                continue;
            };
            if self.reset.contains(&node) || !did_not_succeed(step_state) {
                continue;
            }
            let around = self.state.around(node);
            let beside = around.filter(|around| around.frame == frame);
            if beside.is_some_and(|around| !self.resumed.contains(&around)) {
                continue;
            }
            if goes_on(self.state, step, step_state) {
                self.resumed.insert(node);
                for inner in frames_to_go_on(self.state, step_state) {
                    self.broken(inner);
                }
            } else {
                self.whole(node);
            }
        }
    }

    /// Skips that lie behind what begins anew are tried again, too.
    fn skipped_behind(&mut self) {
        self.queue = self.reset.iter().chain(&self.resumed).copied().collect();
        while let Some(node) = self.queue.pop_front() {
            for dependent in self.dependents_of(node) {
                let skipped = self.state.node(dependent).is_some_and(|(_, state)| {
                    matches!(state.status, StepStatus::Skipped | StepStatus::NotRun)
                });
                if skipped && self.may_go(dependent) && !self.reset.contains(&dependent) {
                    self.whole(dependent);
                    self.queue.push_back(dependent);
                }
            }
        }
    }

    /// A step that a person named.
    fn name(&mut self, node: NodeId) -> Result<(), Refusal> {
        let Some((_, step_state)) = self.state.node(node) else {
            return Ok(());
        };
        let handler = self
            .state
            .frame(node.frame)
            .is_some_and(|frame| matches!(frame.body, Body::Handler(_)));
        if handler {
            let path = &step_state.path;
            let why =
                format!("`{path}` is a step of a handler; handlers react to the end by themselves");
            return Err(Refusal::NothingAgain(why));
        }
        self.named.insert(node);
        self.whole(node);
        self.queue.push_back(node);
        let mut inner = node;
        while let Some(around) = self.state.around(inner) {
            let other_arm = !self.on_the_way(inner, around);
            let begun = self
                .state
                .node(around)
                .is_some_and(|(step, state)| goes_on(self.state, step, state) || has_begun(state));
            if other_arm || !begun {
                let path = self.state.node(node).map(|(_, state)| &state.path);
                let path = path.map_or("", StepPath::as_str);
                let why = format!("`{path}` took no part in this run: name the step around it");
                return Err(Refusal::NothingAgain(why));
            }
            self.resumed.insert(around);
            self.queue.push_back(around);
            inner = around;
        }
        Ok(())
    }

    /// Everything that depends on what was named, in whatever status, but writes that took place.
    fn dependents(&mut self) {
        while let Some(node) = self.queue.pop_front() {
            for dependent in self.dependents_of(node) {
                let known = self.reset.contains(&dependent) || self.kept.contains(&dependent);
                if known || !self.may_go(dependent) {
                    continue;
                }
                if !self.named.contains(&dependent) && wrote_inside(self.state, dependent) {
                    self.kept.insert(dependent);
                    continue;
                }
                self.whole(dependent);
                self.queue.push_back(dependent);
                let around = self.state.around(dependent);
                if let Some(around) = around
                    .filter(|around| !self.reset.contains(around) && self.resumed.insert(*around))
                {
                    self.queue.push_back(around);
                }
            }
        }
    }

    fn dependents_of(&self, node: NodeId) -> Vec<NodeId> {
        let Some((step, _)) = self.state.node(node) else {
            return Vec::new();
        };
        let steps = &self.state.plan.steps;
        let index = steps.position(&step.path).unwrap_or_default();
        let body = self.state.frame(node.frame).map(|frame| frame.body);
        let dependents = steps.dependents(index).iter().filter_map(|index| {
            let (home, place) = steps.home(*index)?;
            let frame = node.frame;
            (Some(home) == body).then_some(NodeId { frame, place })
        });
        dependents.collect()
    }

    /// Whether the arm that it stands in was taken, as far as that is not chosen anew.
    fn may_go(&self, node: NodeId) -> bool {
        let around = self.state.around(node);
        around.is_none_or(|around| {
            around.frame != node.frame
                || self.reset.contains(&around)
                || self.on_the_way(node, around)
        })
    }

    fn on_the_way(&self, inner: NodeId, around: NodeId) -> bool {
        let (Some((step, _)), Some((outer, state))) =
            (self.state.node(inner), self.state.node(around))
        else {
            return false;
        };
        if !matches!(outer.kind, StepKind::Switch(_)) {
            return true;
        }
        let arm = step.parent.as_ref().map(|parent| parent.arm.as_str());
        state.branch.as_ref().map(|branch| branch.arm.as_str()) == arm
    }

    /// The step with what stands in it.
    fn whole(&mut self, node: NodeId) {
        self.reset.insert(node);
        let Some((step, _)) = self.state.node(node) else {
            return;
        };
        for path in step.kind.children() {
            let steps = &self.state.plan.steps;
            let home = steps.position(path).and_then(|index| steps.home(index));
            if let Some((_, place)) = home {
                let frame = node.frame;
                self.whole(NodeId { frame, place });
            }
        }
    }

    /// What lies inside of something that begins anew as a whole is not chosen by itself.
    fn tidy(&mut self) {
        let reset = self.reset.clone();
        let inside = |node: &NodeId| {
            let mut next = self.state.around(*node);
            while let Some(around) = next {
                if reset.contains(&around) {
                    return Some(around.frame);
                }
                next = self.state.around(around);
            }
            None
        };
        self.reset
            .retain(|node| inside(node).is_none_or(|frame| frame == node.frame));
        self.resumed
            .retain(|node| !reset.contains(node) && inside(node).is_none());
    }

    fn told(&self) -> Reopening {
        let paths = |chosen: &dyn Fn(&StepState) -> bool| -> Vec<StepPath> {
            let steps = self.state.steps().filter(|(_, state)| chosen(state));
            steps.map(|(_, state)| state.path.clone()).collect()
        };
        Reopening {
            steps: paths(&|state| self.reset.contains(&state.node)),
            resumed: paths(&|state| self.resumed.contains(&state.node)),
            writes_again: paths(&|state| {
                self.reset.contains(&state.node)
                    && (wrote_inside(self.state, state.node)
                        || tried_inside(self.state, state.node))
            }),
            kept_writes: paths(&|state| self.kept.contains(&state.node)),
        }
    }
}

fn did_not_succeed(state: &StepState) -> bool {
    match state.status {
        StepStatus::Failed | StepStatus::Rejected | StepStatus::Cancelled => true,
        StepStatus::NotRun => !state.only_skips,
        StepStatus::Pending
        | StepStatus::Ready
        | StepStatus::Running
        | StepStatus::Waiting
        | StepStatus::Unknown
        | StepStatus::Succeeded
        | StepStatus::Skipped => false,
    }
}

fn has_begun(state: &StepState) -> bool {
    state.branch.is_some()
        || state.map.is_some()
        || state.rounds.is_some()
        || state.status == StepStatus::Succeeded
}

/// Whether a container that did not succeed has come far enough to go on where it stopped.
fn goes_on(state: &RunState, step: &Step, step_state: &StepState) -> bool {
    if step_state.ready_at.is_none() {
        return false;
    }
    if let StepKind::Switch(_) = &step.kind {
        // An arm in which everything went well and whose outputs could not be made is chosen anew.
        return step_state.branch.is_some() && broken_beside(state, step, step_state);
    }
    if let StepKind::Parallel(_) = &step.kind {
        return true;
    }
    if let Some(map) = &step_state.map {
        let bad = map.frames.iter().zip(&map.closed).any(|(frame, closed)| {
            frame.is_some()
                && closed
                    .as_ref()
                    .is_none_or(|closed| closed.status != BlockStatus::Succeeded)
        });
        return bad || map.next < map.items.len();
    }
    let Some(rounds) = &step_state.rounds else {
        return false;
    };
    let last = rounds.closed.last();
    rounds.closed.len() < rounds.frames.len()
        || last.is_some_and(|last| last.status != BlockStatus::Succeeded)
}

fn broken_beside(state: &RunState, step: &Step, step_state: &StepState) -> bool {
    let steps = &state.plan.steps;
    step.kind.children().into_iter().any(|path| {
        let home = steps.position(path).and_then(|index| steps.home(index));
        let inner = home.and_then(|(_, place)| {
            let frame = step_state.node.frame;
            state.node(NodeId { frame, place })
        });
        inner.is_some_and(|(_, inner)| did_not_succeed(inner))
    })
}

/// The frames of items and rounds that did not end well.
fn frames_to_go_on(state: &RunState, step_state: &StepState) -> Vec<usize> {
    if let Some(map) = &step_state.map {
        let items = map.frames.iter().zip(&map.closed);
        let bad = items.filter(|(_, closed)| {
            closed
                .as_ref()
                .is_none_or(|closed| closed.status != BlockStatus::Succeeded)
        });
        return bad.filter_map(|(frame, _)| *frame).collect();
    }
    let rounds = step_state.rounds.as_ref();
    let last = rounds.and_then(|rounds| rounds.frames.last()).copied();
    last.into_iter()
        .filter(|frame| state.frame(*frame).is_some())
        .collect()
}

/// Whether the step, or anything inside it, wrote or may have. What a run inside it did is not known here, so
/// one that succeeded counts.
/// Whether a write began in a step, or in what stands inside it, that failed: nobody knows how far it came.
fn tried_inside(state: &RunState, node: NodeId) -> bool {
    let own = |node: NodeId| {
        let found = state.node(node);
        found.is_some_and(|(_, step)| {
            step.current_attempts().iter().any(|attempt| {
                let began = match &attempt.status {
                    AttemptStatus::Failed { failure, .. } => may_have_begun(failure),
                    AttemptStatus::Open
                    | AttemptStatus::Succeeded
                    | AttemptStatus::Unknown { .. } => true,
                };
                attempt.effect == EffectClass::Write && began
            })
        })
    };
    own(node) || state.work_inside(node).into_iter().any(own)
}

fn wrote_inside(state: &RunState, node: NodeId) -> bool {
    let own = |node: NodeId| {
        state
            .node(node)
            .is_some_and(|(step, step_state)| wrote(step, step_state))
    };
    own(node) || state.work_inside(node).into_iter().any(own)
}

fn wrote(step: &Step, state: &StepState) -> bool {
    if let StepKind::Workflow(_) = &step.kind {
        return state.status == StepStatus::Succeeded;
    }
    let attempts = state.current_attempts().iter();
    let copied =
        state.copied_from.is_some() && state.status == StepStatus::Succeeded && step.kind.writes();
    copied
        || attempts
            .filter(|attempt| attempt.effect == EffectClass::Write)
            .any(|attempt| match attempt.status {
                AttemptStatus::Succeeded | AttemptStatus::Unknown { .. } | AttemptStatus::Open => {
                    true
                }
                AttemptStatus::Failed { .. } => false,
            })
}
