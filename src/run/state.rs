//! The state of a run: what the fold over its history gives, and nothing that is not in there.

mod attempt;
mod flow;
mod slots;

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use attempt::{Attempt, AttemptStatus};
use flow::has_room;
pub use flow::{ChildState, MapState, RoundsState, Signal};
pub use slots::Slots;

use super::cache::Look;
use super::clock::RunClock;
use super::frame::{Frame, NodeId, Stop};
use super::generate::Generation;
use super::handler::HandlerState;
use super::payload::{
    AnalysisReported, BranchChosen, CacheBypassed, ChildRunWaiting, CodeEdited, PlanMigrated,
    ResultRecorded, RetryScheduled, RunCreated, RunDecided, RunPaused, TaskText, Trigger, Values,
};
use super::question::{ApprovalState, Questions};
use super::record::Seq;
use super::summary::RunStatus;
use crate::failure::Failure;
use crate::id::{ApprovalId, Digest, RunId, StepPath};
use crate::plan::{Plan, Step, StepKind};
use crate::time::Timestamp;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It waits for other steps.
    Pending,
    /// Its inputs are fixed; work on it is due.
    Ready,
    /// An attempt or the steps of an arm are under way.
    Running,
    /// A person must answer first.
    Waiting,
    /// It ended well.
    Succeeded,
    /// It ended with a failure.
    Failed,
    /// Its condition was false, or no arm was chosen.
    Skipped,
    /// Something that it needs did not succeed.
    NotRun,
    /// A person said no.
    Rejected,
    /// It was stopped.
    Cancelled,
    /// A write was interrupted and nobody knows how far it came.
    Unknown,
}

impl StepStatus {
    /// Whether nothing can happen to the step any more.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Pending | Self::Ready | Self::Running | Self::Waiting | Self::Unknown => false,
            Self::Succeeded
            | Self::Failed
            | Self::Skipped
            | Self::NotRun
            | Self::Rejected
            | Self::Cancelled => true,
        }
    }

    /// The word used in JSON and on the screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::NotRun => "not_run",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// What a step in this status did, as the end of a sentence: "step `load` …".
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::Pending => "has not begun",
            Self::Ready => "is ready",
            Self::Running => "is running",
            Self::Waiting => "waits",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "was skipped",
            Self::NotRun => "did not run",
            Self::Rejected => "was rejected",
            Self::Cancelled => "was cancelled",
            Self::Unknown => "ended, nobody knows how",
        }
    }
}

/// The state of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    /// Its address.
    pub node: NodeId,
    /// Its address for people, for example `per_bpm[BPM:01:X].fit`.
    pub path: StepPath,
    /// Where it stands.
    pub status: StepStatus,
    /// How many of the steps that it waits for have not settled.
    pub unsettled_edges: usize,
    /// Its inputs, once it was ready.
    pub inputs: Values,
    /// Environment variables of its code.
    pub env: IndexMap<String, String>,
    /// What makes the outside world take a repetition for the same; for code.
    pub idempotency_key: Option<String>,
    /// When it was ready.
    pub ready_at: Option<Timestamp>,
    /// When it settled.
    pub ended_at: Option<Timestamp>,
    /// The event that settled it.
    pub ended_by: Option<Seq>,
    /// What its code shall be written for, for code that a generator writes.
    pub(super) task: Option<Arc<TaskText>>,
    /// Every time that code was written for it, in order.
    pub generations: Vec<Generation>,
    /// Generations before this one belong to an earlier life of the step.
    pub(super) generated_from: usize,
    /// Every time that a person changed its code, in order.
    pub edits: Vec<Arc<CodeEdited>>,
    /// The newest of them, as long as the step runs that code.
    pub edit: Option<Arc<CodeEdited>>,
    /// The newest analysis of its code.
    pub analysis: Option<Box<AnalysisReported>>,
    /// Whether a person approved exactly what that analysis saw.
    pub code_approved: bool,
    /// All attempts, in order.
    pub attempts: Vec<Attempt>,
    /// The attempt to come, when it must wait.
    pub retry: Option<Box<RetryScheduled>>,
    /// Questions asked so far.
    pub questions: u32,
    /// The newest question.
    pub approval: Option<ApprovalId>,
    /// The arm taken, for a switch.
    pub branch: Option<Box<BranchChosen>>,
    /// The items, for a foreach.
    pub map: Option<Box<MapState>>,
    /// The rounds, for an until.
    pub rounds: Option<RoundsState>,
    /// The runs that it started; the last one is the one that counts.
    pub children: Vec<ChildState>,
    /// The places and locks that it waits for or has.
    pub slots: Option<Slots>,
    /// Why neither it nor what it runs goes on.
    pub stop: Option<Stop>,
    /// Place in the history of the signal that it took.
    pub signal: Option<Seq>,
    /// What the newest recorded attempt left.
    pub result: Option<Box<ResultRecorded>>,
    /// Its outputs.
    pub outputs: Option<Values>,
    /// Why it failed.
    pub failure: Option<Box<Failure>>,
    /// Why it did not run, for people.
    pub why: Option<String>,
    /// Whether only skips lie behind its not running.
    pub only_skips: bool,
    /// Attempts before this one belong to an earlier life of the step: they count for numbers only.
    pub counted_from: usize,
    /// How often it began anew: what was begun for an earlier life of it is not taken for this one.
    pub lives: u32,
    /// Whether it began anew because a person wanted so; then nothing of it comes from a cache.
    pub rewound: bool,
    /// How often changes were asked for at its questions.
    pub changes_asked: u32,
    /// Frames of items and rounds of its earlier lives, by the key as written in paths.
    pub(super) former: Vec<(String, usize)>,
    /// The run and the event that it was copied from.
    pub copied_from: Option<(RunId, Seq)>,
    /// What the cache had for it.
    pub look: Look,
    /// When its files were removed, because their time was over.
    pub files_removed: Option<Timestamp>,
}

impl StepState {
    pub(super) fn new(node: NodeId, path: StepPath, unsettled_edges: usize) -> Self {
        Self {
            node,
            path,
            status: StepStatus::Pending,
            unsettled_edges,
            inputs: Values::new(),
            env: IndexMap::new(),
            idempotency_key: None,
            ready_at: None,
            ended_at: None,
            ended_by: None,
            task: None,
            generations: Vec::new(),
            generated_from: 0,
            edits: Vec::new(),
            edit: None,
            analysis: None,
            code_approved: false,
            attempts: Vec::new(),
            retry: None,
            questions: 0,
            approval: None,
            branch: None,
            map: None,
            rounds: None,
            children: Vec::new(),
            slots: None,
            stop: None,
            signal: None,
            result: None,
            outputs: None,
            failure: None,
            why: None,
            only_skips: false,
            counted_from: 0,
            lives: 0,
            rewound: false,
            changes_asked: 0,
            former: Vec::new(),
            copied_from: None,
            look: Look::default(),
            files_removed: None,
        }
    }

    /// Frames that its items or rounds opened, in order.
    pub(super) fn inner_frames(&self) -> impl Iterator<Item = usize> {
        let items = self.map.iter().flat_map(|map| map.frames.iter().flatten());
        let rounds = self.rounds.iter().flat_map(|rounds| &rounds.frames);
        items.chain(rounds).copied()
    }

    /// What the run that it started waits for, when only people can move it on.
    #[must_use]
    pub fn waiting_child(&self) -> Option<&ChildRunWaiting> {
        self.children.last()?.waiting.as_ref()
    }

    /// The attempt that is under way, if any.
    #[must_use]
    pub fn open_attempt(&self) -> Option<&Attempt> {
        self.attempts
            .last()
            .filter(|attempt| attempt.status == AttemptStatus::Open)
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// Its final status.
    pub status: RunStatus,
    /// Its outputs.
    pub outputs: Values,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Why, when there is something to say.
    pub reason: Option<String>,
    /// The first failure that nothing tolerated, with its step.
    pub failure: Option<(StepPath, Failure)>,
    /// When.
    pub at: Timestamp,
}

/// The state of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// The run.
    pub run: RunId,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// How it came to be.
    pub created: RunCreated,
    /// When.
    pub created_at: Timestamp,
    /// When work began.
    pub started_at: Option<Timestamp>,
    /// Time of the last event.
    pub updated_at: Timestamp,
    /// The last event.
    pub seq: Seq,
    /// Whether somebody asked to stop it, and why.
    pub cancel: Option<Option<String>>,
    /// Whether an operator holds it.
    pub paused: Option<RunPaused>,
    /// The place in its group that it waits for or has.
    pub slots: Option<Slots>,
    /// Steps that hold places or locks.
    pub(super) holding: BTreeSet<NodeId>,
    /// How long it has been running.
    pub clock: RunClock,
    /// Signals that came, in order.
    pub signals: Vec<Signal>,
    /// How it will have ended, once its own steps have and handlers go on.
    pub decided: Option<Arc<RunDecided>>,
    /// Its handlers that were started, in order.
    pub handlers: Vec<HandlerState>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// The run's own steps, and those of everything that it opened.
    pub(super) frames: Vec<Arc<Frame>>,
    /// Steps that may have something due: their edges are settled, their arm is taken, they are not.
    pub(super) frontier: BTreeSet<NodeId>,
    /// Steps that settled.
    pub(super) settled: usize,
    /// Steps in all.
    pub(super) total: usize,
    /// How often it was taken up again after its end.
    pub reopenings: u32,
    /// Steps that were copied from the run that it was forked from.
    pub(super) copied: u32,
    /// When its own files were removed, because their time was over.
    pub files_removed: Option<Timestamp>,
    /// The versions of its plan after the first one.
    pub versions: Vec<PlanMigrated>,
    /// Every question, in order.
    pub approvals: Questions,
    /// Who started it, if a person did.
    pub starter: Option<String>,
    /// Questions at which changes were asked for and whose steps have not begun anew yet.
    pub(super) rewinds: Vec<(ApprovalId, NodeId)>,
    /// What takes no result from the cache.
    pub bypass: CacheBypassed,
}

impl RunState {
    /// Steps with their states in reading order: a container, then what it runs.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, &StepState)> {
        self.nodes().into_iter().filter_map(|node| self.node(node))
    }

    /// The steps of one frame with their states, in the order of the file.
    pub fn steps_of(&self, frame: usize) -> impl Iterator<Item = (&Step, &StepState)> {
        let places = 0..self.frame(frame).map_or(0, |frame| frame.steps.len());
        places.filter_map(move |place| self.node(NodeId { frame, place }))
    }

    /// A step with its state.
    #[must_use]
    pub fn step(&self, path: &StepPath) -> Option<(&Step, &StepState)> {
        self.node(self.find(path)?)
    }

    /// A step of the run itself with its state, by the id that the author wrote.
    #[must_use]
    pub fn step_with_id(&self, id: &str) -> Option<(&Step, &StepState)> {
        self.step_seen_from(0, id)
    }

    /// A step with its state, by its id, as the steps of `frame` see it.
    #[must_use]
    pub fn step_seen_from(&self, frame: usize, id: &str) -> Option<(&Step, &StepState)> {
        self.node(self.seen_from(frame, self.plan.steps.position_of_id(id)?)?)
    }

    /// Steps that may have something due.
    pub(super) fn frontier(&self) -> impl Iterator<Item = (&Step, &StepState)> {
        self.frontier.iter().filter_map(|node| self.node(*node))
    }

    /// Open questions, in order.
    pub fn open_approvals(&self) -> impl Iterator<Item = &ApprovalState> {
        self.approvals.open()
    }

    /// Whether every step of the run itself has settled.
    #[must_use]
    pub fn all_settled(&self) -> bool {
        self.frame(0).is_none_or(Frame::all_settled)
    }

    /// How many steps there are, those of items and rounds that were opened included.
    #[must_use]
    pub fn step_count(&self) -> usize {
        self.total
    }

    /// How many steps settled.
    #[must_use]
    pub fn settled_count(&self) -> usize {
        self.settled
    }

    /// The plan that it follows now.
    #[must_use]
    pub fn plan_digest(&self) -> Digest {
        let newest = self.versions.last();
        newest.map_or(self.created.plan, |version| version.to)
    }

    /// Whether an attempt is under way.
    #[must_use]
    pub fn has_open_attempt(&self) -> bool {
        self.frontier()
            .any(|(_, step)| step.open_attempt().is_some())
    }

    /// Whether a forked run lacks steps that were to be copied: its creation was cut short.
    #[must_use]
    pub fn is_half_copied(&self) -> bool {
        matches!(self.created.trigger, Trigger::Fork { copied, .. } if copied != self.copied)
    }

    /// Whether a step waits for a signal.
    #[must_use]
    pub fn awaits_signal(&self) -> bool {
        self.frontier().any(|(step, state)| {
            let waits = matches!(&step.kind, StepKind::Wait(wait) if wait.signal().is_some());
            waits && state.status == StepStatus::Waiting
        })
    }

    /// Where the run stands. `waiting` means that only people can move it on.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        if let Some(ending) = &self.ending {
            return ending.status;
        }
        if self.started_at.is_none() {
            return RunStatus::Pending;
        }
        if self.paused.is_some() && self.cancel.is_none() {
            return RunStatus::Paused;
        }
        let waits_for_people = self.frontier().all(|(step, state)| match state.status {
            StepStatus::Waiting => {
                !matches!(&step.kind, StepKind::Wait(wait) if wait.signal().is_none())
            }
            StepStatus::Unknown => true,
            // A container waits when the steps inside it do; those are in the frontier themselves.
            StepStatus::Running => {
                state.waiting_child().is_some()
                    || (step.kind.is_container()
                        && !has_room(step, state)
                        && state.next_round().is_none())
            }
            // What is to begin anew goes on only when it is known what became of everything that was under way.
            StepStatus::Pending | StepStatus::Ready => {
                matches!(self.stop_of(state.node), Some(Stop::Rewound { .. }))
                    && super::rewind::next(self).is_none()
            }
            StepStatus::Succeeded
            | StepStatus::Failed
            | StepStatus::Skipped
            | StepStatus::NotRun
            | StepStatus::Rejected
            | StepStatus::Cancelled => true,
        });
        let asked = self.open_approvals().next().is_some()
            || self.awaits_signal()
            || self
                .frontier()
                .any(|(_, step)| step.waiting_child().is_some());
        if asked && waits_for_people && (self.cancel.is_none() || self.decided.is_some()) {
            RunStatus::Waiting
        } else {
            RunStatus::Running
        }
    }
}
