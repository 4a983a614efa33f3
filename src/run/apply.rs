//! The fold: state and event give the next state, or say that this can't be.

mod attempt;
mod cache;
mod child;
mod edit;
mod flow;
mod generate;
mod handler;
mod migrate;
mod question;
mod queue;
mod rerun;
mod reset;
mod rewind;
mod time;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::clock::RunClock;
use super::event::{Event, Recorded};
use super::frame::{FrameKind, NodeId, Stop};
use super::payload::{CacheBypassed, RunCreated, RunEnded, StepBlocked, StepReady, Values};
use super::question::Questions;
use super::record::Actor;
use super::state::{AttemptStatus, Ending, RunState, StepState, StepStatus};
use super::summary::RunStatus;
use crate::failure::Failure;
use crate::id::{RunId, StepPath};
use crate::plan::{Body, Plan, StepKind};
use crate::time::Timestamp;

/// An event that can't follow the state: the history is damaged, or the writer was wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} ({event}) can't follow: {why}")]
pub struct IllegalEvent {
    /// Place of the event.
    pub seq: super::Seq,
    /// Name of its kind.
    pub event: &'static str,
    /// What speaks against it.
    pub why: String,
}

type Applied = Result<(), String>;

impl RunState {
    /// The state after the first event of a history.
    ///
    /// # Errors
    /// The event is not `RunCreated` at place 1.
    pub fn begin(run: RunId, plan: Arc<Plan>, first: &Recorded) -> Result<Self, IllegalEvent> {
        let Event::RunCreated(created) = &first.event else {
            return Err(illegal(
                first,
                "a history starts with RunCreated".to_owned(),
            ));
        };
        if first.seq != 1 {
            return Err(illegal(first, "the first event has place 1".to_owned()));
        }
        let mut state = Self::created(run, plan, created.clone(), first.time);
        if let Actor::User(name) = &first.actor {
            state.starter = Some(name.clone());
        }
        Ok(state)
    }

    fn created(run: RunId, plan: Arc<Plan>, created: RunCreated, at: Timestamp) -> Self {
        let mut state = Self {
            run,
            plan,
            created,
            created_at: at,
            started_at: None,
            updated_at: at,
            seq: 1,
            cancel: None,
            paused: None,
            slots: None,
            holding: BTreeSet::new(),
            clock: RunClock::default(),
            signals: Vec::new(),
            decided: None,
            handlers: Vec::new(),
            ending: None,
            frames: Vec::new(),
            frontier: BTreeSet::new(),
            settled: 0,
            total: 0,
            reopenings: 0,
            copied: 0,
            files_removed: None,
            versions: Vec::new(),
            approvals: Questions::default(),
            starter: None,
            rewinds: Vec::new(),
            bypass: CacheBypassed::default(),
        };
        state.open_frame(Body::Run, FrameKind::Run, None, at);
        state
    }

    /// Folds a whole history.
    ///
    /// # Errors
    /// An event can't follow the ones before it.
    pub fn replay(
        run: RunId,
        plan: Arc<Plan>,
        history: &[Recorded],
    ) -> Result<Option<Self>, IllegalEvent> {
        let Some((first, rest)) = history.split_first() else {
            return Ok(None);
        };
        let mut state = Self::begin(run, plan, first)?;
        for recorded in rest {
            state.apply(recorded)?;
        }
        Ok(Some(state))
    }

    /// Folds one more event. After an error the state is not to be used any more.
    ///
    /// # Errors
    /// The event can't follow this state.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), IllegalEvent> {
        if recorded.seq != self.seq + 1 {
            let why = format!("place {} was expected", self.seq + 1);
            return Err(illegal(recorded, why));
        }
        let after_the_end = matches!(
            recorded.event,
            Event::RunReopened(_) | Event::FilesRemoved(_)
        );
        if self.ending.is_some() && !after_the_end {
            return Err(illegal(recorded, "the run has ended".to_owned()));
        }
        self.apply_event(recorded)
            .map_err(|why| illegal(recorded, why))?;
        self.seq = recorded.seq;
        self.updated_at = recorded.time;
        self.wind(recorded.time);
        Ok(())
    }

    #[expect(
        clippy::too_many_lines,
        reason = "a table: one arm for each kind of event"
    )]
    fn apply_event(&mut self, recorded: &Recorded) -> Applied {
        let at = recorded.time;
        match &recorded.event {
            Event::RunCreated(_) => Err("the run exists already".to_owned()),
            Event::RunStarted(_) if self.is_half_copied() => {
                Err("not every step was copied".to_owned())
            }
            Event::RunStarted(_) => match self.started_at.replace(at) {
                Some(_) => Err("the run has started already".to_owned()),
                None => Ok(()),
            },
            Event::RunCancelRequested(request) => self.cancel_requested(request),
            Event::RunSucceeded(end) => self.end(RunStatus::Succeeded, end, None, at),
            Event::RunRejected(end) => self.end(RunStatus::Rejected, end, None, at),
            Event::RunCancelled(end) => self.end(RunStatus::Cancelled, end, None, at),
            Event::RunFailed(failed) => {
                let failure = Some((failed.step.clone(), failed.failure.clone()));
                self.end(RunStatus::Failed, &failed.end, failure, at)
            }
            Event::RunDecided(decided) => self.decided(decided),
            Event::HandlerStarted(named) => self.handler_started(named, at),
            Event::HandlerEnded(ended) => self.handler_ended(ended, at),
            Event::HandlerTimedOut(named) => self.handler_timed_out(named),
            Event::NotificationSent(sent) => self.notification_sent(sent),
            Event::RunReopened(reopened) => self.reopened(reopened, at),
            Event::FilesRemoved(removed) => self.forget_files(removed, at),
            Event::PlanMigrated(_) => Err("it needs the new plan at hand".to_owned()),
            Event::StepCopied(copied) => self.step_copied(copied, at),
            Event::StepReused(reused) => self.step_reused(reused),
            Event::CacheMissed(missed) => self.cache_missed(missed),
            Event::CacheBypassed(bypassed) => {
                self.cache_bypassed(bypassed);
                Ok(())
            }
            Event::StepReady(ready) => self.step_ready(ready, at),
            Event::StepSkipped(blocked) => self.block(blocked, StepStatus::Skipped, at),
            Event::StepNotRun(blocked) => self.block(blocked, StepStatus::NotRun, at),
            Event::StepRejected(blocked) => self.block(blocked, StepStatus::Rejected, at),
            Event::StepCancelled(named) => {
                self.no_open_attempt(&named.step)?;
                self.unsettled(&named.step)?.why.clone_from(&named.why);
                self.settle(&named.step, StepStatus::Cancelled, at)
            }
            Event::StepSucceeded(succeeded) => {
                self.no_open_attempt(&succeeded.step)?;
                self.unsettled(&succeeded.step)?.outputs = Some(succeeded.outputs.clone());
                self.settle(&succeeded.step, StepStatus::Succeeded, at)?;
                self.stop_by_success(&succeeded.step)
            }
            Event::StepFailed(failed) => {
                self.no_open_attempt(&failed.step)?;
                self.unsettled(&failed.step)?.failure = Some(Box::new(failed.failure.clone()));
                self.settle(&failed.step, StepStatus::Failed, at)?;
                self.stop_by_failure(&failed.step)
            }
            Event::AttemptStarted(started) => self.attempt_started(started, recorded),
            Event::AttemptSucceeded(ended) => {
                self.executes(&ended.step)?;
                self.close_attempt(&ended.step, ended.attempt, AttemptStatus::Succeeded, at)
            }
            Event::AttemptFailed(failed) => self.attempt_failed(failed, at),
            Event::AttemptOutcomeUnknown(unknown) => self.attempt_unknown(unknown, at),
            Event::RetryScheduled(retry) => self.retry_scheduled(retry),
            Event::ResultRecorded(result) => self.result_recorded(result),
            Event::CodeEdited(edited) => self.code_edited(edited),
            Event::CodeGenerated(generated) => self.code_generated(generated, recorded),
            Event::AnalysisReported(report) => self.analysed(report),
            Event::ApprovalRequested(request) => self.asked(request, at),
            Event::ApprovalVoted(vote) => self.voted(vote, at),
            Event::ApprovalClosed(closed) => self.close_approval(closed, at),
            Event::ApprovalReminded(reminded) => self.reminded(reminded, at),
            Event::ApprovalEscalated(escalated) => self.escalated(escalated, at),
            Event::StepsRewound(rewound) => self.rewound(rewound, at),
            Event::BranchChosen(chosen) => self.choose_branch(chosen, at),
            Event::MapExpanded(expanded) => self.map_expanded(expanded),
            Event::MapItemStarted(started) => self.map_item_started(started, at),
            Event::MapItemClosed(closed) => self.map_item_closed(closed),
            Event::RoundStarted(started) => self.round_started(started, at),
            Event::RoundClosed(closed) => self.round_closed(closed),
            Event::RunQueued(queued) => self.run_queued(&queued.wishes),
            Event::RunAdmitted(_) => self.run_admitted(),
            Event::StepQueued(queued) => self.step_queued(queued),
            Event::StepAdmitted(admitted) => self.step_admitted(&admitted.step),
            Event::SlotsReleased(released) => self.slots_released(released),
            Event::ChildRunStarted(started) => self.child_started(started),
            Event::ChildRunWaiting(waiting) => self.child_waits(waiting),
            Event::ChildRunClosed(closed) => self.child_closed(closed),
            Event::RunPaused(paused) => self.pause(paused),
            Event::RunUnpaused(_) => self.unpause(),
            Event::RunTimedOut(_) => {
                self.forget_rewinds();
                self.stop_frame(0, Stop::Timeout)
            }
            Event::DeadlinePassed(passed) => self.deadline_passed(passed),
            Event::SignalReceived(signal) => self.signal_received(signal, recorded.seq),
            Event::SignalConsumed(consumed) => self.signal_consumed(consumed),
        }
    }

    fn step_ready(&mut self, ready: &StepReady, at: Timestamp) -> Applied {
        let state = self.expect(&ready.step, &[StepStatus::Pending])?;
        state.status = StepStatus::Ready;
        state.inputs = ready.inputs.clone();
        state.env = ready.env.clone();
        state.idempotency_key.clone_from(&ready.idempotency_key);
        state.give_task(ready.task.as_ref());
        state.ready_at = Some(at);
        let node = state.node;
        let Some((step, _)) = self.node(node) else {
            return Err(unknown(&ready.step));
        };
        if step.wants_places() {
            return Ok(());
        }
        self.begin_at_once(node)
    }

    /// What begins as soon as nothing stands in its way, without an event of its own.
    fn begin_at_once(&mut self, node: NodeId) -> Applied {
        let plan = Arc::clone(&self.plan);
        let Some((step, _)) = self.node(node) else {
            return Err("a step is not in its frame".to_owned());
        };
        let status = match &step.kind {
            StepKind::Parallel(_) => StepStatus::Running,
            StepKind::Wait(_) => StepStatus::Waiting,
            StepKind::Python(_)
            | StepKind::Set(_)
            | StepKind::Switch(_)
            | StepKind::Approval(_)
            | StepKind::Foreach(_)
            | StepKind::Until(_)
            | StepKind::Workflow(_)
            | StepKind::Http(_)
            | StepKind::Notify(_)
            | StepKind::Notebook(_)
            | StepKind::Action(_)
            | StepKind::Fail(_)
            | StepKind::Succeed(_) => return Ok(()),
        };
        let inner: Vec<StepPath> = step.kind.children().into_iter().cloned().collect();
        if let Some(state) = self.node_mut(node) {
            state.status = status;
        }
        self.let_in(&plan, node.frame, &inner)
    }

    /// Steps of a container that may begin, as soon as nothing is in their way.
    fn let_in(&mut self, plan: &Plan, frame: usize, steps: &[StepPath]) -> Applied {
        for path in steps {
            let node = in_frame(plan, frame, path).ok_or_else(|| unknown(path))?;
            let waiting = self.node(node).map(|(_, state)| state.unsettled_edges);
            if waiting == Some(0) {
                self.frontier.insert(node);
            }
        }
        Ok(())
    }

    /// Settles a nested step that can't run any more because of the step around it.
    fn leave_out(&mut self, node: NodeId, why: &str, at: Timestamp) -> Applied {
        let Some(state) = self.node_mut(node) else {
            return Err("a step is not in its frame".to_owned());
        };
        if state.status.is_settled() {
            return Ok(());
        }
        state.why = Some(why.to_owned());
        state.only_skips = true;
        self.settle_node(node, StepStatus::NotRun, at)
    }

    fn block(&mut self, blocked: &StepBlocked, status: StepStatus, at: Timestamp) -> Applied {
        self.no_open_attempt(&blocked.step)?;
        let state = self.unsettled(&blocked.step)?;
        state.why = Some(blocked.why.clone());
        state.only_skips = blocked.only_skips;
        self.settle(&blocked.step, status, at)
    }

    /// Makes a step final: its dependents may become due, the steps inside it can't run any more.
    fn settle(&mut self, path: &StepPath, status: StepStatus, at: Timestamp) -> Applied {
        let node = self.unsettled(path)?.node;
        self.settle_node(node, status, at)
    }

    fn settle_node(&mut self, node: NodeId, status: StepStatus, at: Timestamp) -> Applied {
        self.put_down_parked(node, at)?;
        let plan = Arc::clone(&self.plan);
        let by = self.seq + 1;
        let Some(state) = self.node_mut(node) else {
            return Err("a step is not in its frame".to_owned());
        };
        state.status = status;
        state.ended_at = Some(at);
        state.ended_by = Some(by);
        state.retry = None;
        let open: Vec<usize> = state.inner_frames().collect();
        let path = state.path.clone();
        if open
            .iter()
            .any(|inner| self.frame(*inner).is_some_and(|frame| !frame.all_settled()))
        {
            return Err(format!("steps inside `{path}` have not settled"));
        }
        self.frontier.remove(&node);
        self.lets_go(node);
        self.settled += 1;
        if let Some(frame) = self.frame_mut(node.frame) {
            frame.unsettled = frame.unsettled.saturating_sub(1);
        }
        let Some(index) = self.index_of(node) else {
            return Err(unknown(&path));
        };
        for dependent in plan.steps.dependents(index) {
            self.edge_settled(&plan, node.frame, *dependent);
        }
        let children = plan.steps.get(index).map(|step| step.kind.children());
        for inner in children.into_iter().flatten() {
            let inner = in_frame(&plan, node.frame, inner).ok_or_else(|| unknown(inner))?;
            self.leave_out(inner, "the step around it did not run", at)?;
        }
        Ok(())
    }

    /// A step in the same frame has one step less to wait for. Frames inside open only when everything that
    /// they read outside has settled, so they need not be told.
    fn edge_settled(&mut self, plan: &Plan, frame: usize, index: usize) {
        let node = plan.steps.home(index).and_then(|(body, place)| {
            (self.frame(frame)?.body == body).then_some(NodeId { frame, place })
        });
        let Some(node) = node else {
            return;
        };
        let Some(state) = self.node_mut(node) else {
            return;
        };
        state.unsettled_edges = state.unsettled_edges.saturating_sub(1);
        if state.unsettled_edges == 0 && !state.status.is_settled() && self.is_active(node) {
            self.frontier.insert(node);
        }
    }

    fn end(
        &mut self,
        status: RunStatus,
        end: &RunEnded,
        failure: Option<(StepPath, Failure)>,
        at: Timestamp,
    ) -> Applied {
        if !self.all_settled() {
            return Err("not every step has settled".to_owned());
        }
        if self.open_handlers().next().is_some() {
            return Err("a handler is under way".to_owned());
        }
        let decided = self.decided.as_ref().map(|decided| decided.status);
        if decided.is_some_and(|decided| decided != status) {
            return Err("it was decided otherwise".to_owned());
        }
        let (outputs, warnings): (Values, _) = (end.outputs.clone(), end.warnings.clone());
        self.ending = Some(Ending {
            status,
            outputs,
            warnings,
            reason: end.reason.clone(),
            failure,
            at,
        });
        Ok(())
    }

    fn step_mut(&mut self, path: &StepPath) -> Result<&mut StepState, String> {
        let node = self.find(path).ok_or_else(|| unknown(path))?;
        self.node_mut(node).ok_or_else(|| unknown(path))
    }

    /// Position in the plan of the step at an address.
    pub(super) fn index_of(&self, node: NodeId) -> Option<usize> {
        let body = self.frame(node.frame)?.body;
        self.plan.steps.members(body).get(node.place).copied()
    }

    fn expect(
        &mut self,
        path: &StepPath,
        allowed: &[StepStatus],
    ) -> Result<&mut StepState, String> {
        let state = self.step_mut(path)?;
        if allowed.contains(&state.status) {
            Ok(state)
        } else {
            Err(format!("step `{path}` is {}", state.status.as_str()))
        }
    }

    fn unsettled(&mut self, path: &StepPath) -> Result<&mut StepState, String> {
        let state = self.step_mut(path)?;
        if state.status.is_settled() {
            Err(format!(
                "step `{path}` has ended: {}",
                state.status.as_str()
            ))
        } else {
            Ok(state)
        }
    }

    fn no_open_attempt(&mut self, path: &StepPath) -> Applied {
        match self.step_mut(path)?.open_attempt() {
            Some(attempt) => Err(format!(
                "attempt {} of `{path}` is under way",
                attempt.number
            )),
            None => Ok(()),
        }
    }
}

/// The address in `frame` of the step of the plan at `path`.
fn in_frame(plan: &Plan, frame: usize, path: &StepPath) -> Option<NodeId> {
    let (_, place) = plan.steps.home(plan.steps.position(path)?)?;
    Some(NodeId { frame, place })
}

fn unknown(path: &StepPath) -> String {
    format!("the plan has no step `{path}`")
}

fn illegal(recorded: &Recorded, why: String) -> IllegalEvent {
    IllegalEvent {
        seq: recorded.seq,
        event: recorded.event.name(),
        why,
    }
}
